"""A team's own pitfalls.yaml, beside hosts.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.errors import BadFileError
from provision.pitfalls import known, match, shipped, team_file
from provision.pitfalls.known import read

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = "version: 1\npitfalls:\n"
_REST = "    cause: c\n    fix: f\n"


def _entry(name: str, signatures: str, further: str = "") -> str:
    return f"  {name}:\n    signatures: {signatures}\n{_REST}{further}"


def _refusal(text: str) -> str:
    with pytest.raises(BadFileError) as refused:
        read(text.encode(), "pitfalls.yaml", shipped())
    assert refused.value.exit_code == 2
    return refused.value.message


def test_without_a_file_the_shipped_ones_are_known() -> None:
    assert known() == known(None) == shipped()


def test_a_teams_pitfalls_are_told_before_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "pitfalls.yaml"
    path.write_text(_HEAD + _entry("ours", "No space left") + _entry("theirs", "[one text, another text]"))
    every = known(path)
    assert [one.id for one in every[:2]] == ["ours", "theirs"]
    assert every[2:] == shipped()
    assert [one.id for one in match("No space left on device", every)] == ["ours", "disk-full"]


def test_a_pitfall_with_a_shipped_id_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "pitfalls.yaml"
    path.write_text(_HEAD + _entry("disk-full", "No space left on device"))
    every = known(path)
    assert [one.id for one in every] == [one.id for one in shipped()]
    assert next(one for one in every if one.id == "disk-full").cause == "c"


def test_a_teams_pitfall_may_stand_before_shipped_ones_and_its_own(tmp_path: Path) -> None:
    path = tmp_path / "pitfalls.yaml"
    path.write_text(
        _HEAD
        + _entry("scratch-full", "'/scratch: No space left'", "    before: [disk-full, scratch]\n")
        + _entry("scratch", "/scratch")
    )
    assert [one.id for one in match("/scratch: No space left on device", known(path))] == ["scratch-full"]


def test_a_file_without_pitfalls_adds_none(tmp_path: Path) -> None:
    path = tmp_path / "pitfalls.yaml"
    path.write_text("version: 1\n")
    assert known(path) == shipped()


def test_the_file_is_the_one_beside_the_inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert team_file(None) is None
    assert team_file(tmp_path / "hosts.yaml") is None
    (tmp_path / "pitfalls.yaml").touch()
    assert team_file(tmp_path / "hosts.yaml") == tmp_path / "pitfalls.yaml"
    monkeypatch.chdir(tmp_path)
    assert team_file((tmp_path / "hosts.yaml").relative_to(tmp_path)) == tmp_path / "pitfalls.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: nothing stands in this file"),
        ("pitfalls: {}\n", "1: 'version: 1' is missing"),
        ("version: 2\n", "1: version: '2', expected 1"),
        ("version: 1\npitfals: {}\n", "2: pitfals: unknown key, did you mean 'pitfalls'?"),
        (
            _HEAD + _entry("ours", "some text", "    befor: [disk-full]\n"),
            "7: pitfalls.ours.befor: unknown key, did you mean 'before'?",
        ),
        (
            _HEAD + _entry("ours", "some text") + _entry("ours", "other text"),
            "7: pitfalls.ours: this key stands twice, first in line 3: remove one of them",
        ),
        (
            _HEAD + _entry("Our_Own", "some text"),
            "3: pitfalls.Our_Own: 'Our_Own' is not an id, expected words of a-z and 0-9 with '-' between them",
        ),
        (
            _HEAD + _entry("ours", "'some (text'"),
            (
                "4: pitfalls.ours.signatures: 'some (text' is not a regular expression: "
                "missing ), unterminated subpattern at position 5"
            ),
        ),
        (
            _HEAD + _entry("ours", "[some text, '(a+)+text']"),
            (
                "4: pitfalls.ours.signatures[2]: '(a+)+text': "
                "a repeat or a choice stands within a repeat: write it without"
            ),
        ),
        (
            _HEAD + _entry("ours", "some text", "    also: ab\n"),
            "7: pitfalls.ours.also: 'ab' says too little: it needs 4 characters in a row that must be there",
        ),
        (_HEAD + _entry("ours", "[]"), "4: pitfalls.ours.signatures: an empty list, expected at least one line"),
        (_HEAD + f"  ours:\n{_REST}", "4: pitfalls.ours: 'signatures' is missing"),
        (_HEAD + "  ours:\n    signatures: some text\n", "4: pitfalls.ours: 'cause' is missing (and 1 more problem)"),
        (
            _HEAD + "  ours: {signatures: some text, cause: c, fix: [f, '']}\n",
            "3: pitfalls.ours.fix[2]: empty, expected a line of text",
        ),
        (
            _HEAD + '  ours: {signatures: some text, cause: "two\\nlines", fix: f}\n',
            "3: pitfalls.ours.cause: 'two\\nlines' has several lines, expected one",
        ),
        (
            _HEAD + _entry("ours", "some text", "    before: [disk-ful]\n"),
            "7: pitfalls.ours.before[1]: 'disk-ful' is no known pitfall, did you mean 'disk-full'?",
        ),
        (
            _HEAD + _entry("ours", "some text", "    before: [ours]\n"),
            "7: pitfalls.ours.before[1]: 'ours' stands before 'ours' too: remove one of the two",
        ),
        (
            _HEAD + _entry("conda-package-corrupt", "some text", "    before: [disk-full]\n"),
            (
                "7: pitfalls.conda-package-corrupt.before[1]: 'disk-full' stands before 'conda-package-corrupt' too: "
                "remove one of the two"
            ),
        ),
        (
            _HEAD + _entry("ours", "some text", "    sample: another text\n"),
            "7: pitfalls.ours.sample: no signature (with 'also') is found in it",
        ),
        (
            _HEAD + _entry("ours", "&a some text"),
            "4: pitfalls.ours.signatures: '&a' is a YAML anchor, not taken here: remove it",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_what_was_meant(text: str, message: str) -> None:
    assert _refusal(text) == f"pitfalls.yaml:{message}"


def test_a_file_that_is_too_large_or_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pitfalls.yaml"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(BadFileError, match="larger than 1 MiB"):
        known(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(BadFileError, match="is a directory"):
        known(path)


@given(st.text(alphabet="abcd:-[]{}'\"| \n0$()*+.\\", max_size=80))
def test_any_text_is_taken_or_refused_with_file_and_line(text: str) -> None:
    message = "pitfalls.yaml:"
    try:
        read((_HEAD + "  ours:\n    signatures: " + text).encode(), "pitfalls.yaml", shipped())
    except BadFileError as error:
        message = error.message
    assert message.startswith("pitfalls.yaml:")
