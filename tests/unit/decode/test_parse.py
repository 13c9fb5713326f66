"""What is taken for YAML here, and what is refused before anything is decoded."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import yaml

from provision.decode import load, parse, printable
from provision.decode.nodes import MOST_NODES, Mapping, Node, Sequence
from provision.decode.text import LIMIT
from provision.errors import BadFileError


def message(data: str | bytes) -> str:
    with pytest.raises(BadFileError) as refused:
        parse(data, "x.yaml")
    return refused.value.message


def test_a_byte_order_mark_and_windows_line_ends_are_taken() -> None:
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "x.yaml")
    assert document.line(("b",)) == 2


def test_an_emoji_made_of_several_characters_may_stand_in_a_comment() -> None:
    assert parse("a: 1  # 👩‍💻 wrote this", "x.yaml").line(("a",)) == 1


def test_a_file_beyond_the_limit_is_refused() -> None:
    assert message(b"#" * (LIMIT + 1)) == "x.yaml:1: larger than 1 MiB: this is not such a file"


def test_a_file_of_too_many_values_is_refused_at_the_line_of_the_first_one_too_many() -> None:
    text = "a:\n" + "- 1\n" * (MOST_NODES - 3)
    parse(text, "x.yaml")
    assert message(text + "- 1\n").startswith(f"x.yaml:{MOST_NODES - 1}: ")


def test_what_multiplies_values_is_refused_whatever_the_limit() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert "'&a' is a YAML anchor, not taken here" in message(bomb)
    assert "'*a' is a YAML alias, not taken here" in message("c: [*a, *a]\n")


@pytest.mark.parametrize("bomb", ["[" * 5000, "{" * 5000, "- " * 5000, "a: {" * 900, "? " * 5000])
def test_a_deep_file_is_refused_quickly(bomb: str) -> None:
    assert "x.yaml:1" in message(bomb)


def test_a_surrogate_is_refused() -> None:
    assert "not UTF-8" in message("a: \ud800")
    assert message('a: "\\ud800"').startswith("x.yaml:1: ")


def test_a_fifo_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    fifo = tmp_path / "hosts.yaml"
    os.mkfifo(fifo)
    said: list[str] = []

    def read() -> None:
        try:
            load(fifo)
        except BadFileError as error:
            said.append(error.message)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert [one.rpartition("/")[2] for one in said] == ["hosts.yaml: not a regular file"]


def test_a_device_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), tmp_path):
        with pytest.raises(BadFileError, match=r"not a regular file|is a directory"):
            load(path)


def test_a_missing_file_is_named_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadFileError, match=r"^sub/hosts\.yaml: no such file or directory$"):
        load(tmp_path / "sub" / "hosts.yaml")


def test_what_is_shown_is_escaped_and_short() -> None:
    assert printable("a\x1b[31m\u202e\n\u200b") == "a\\x1b[31m\\u202e\\n\\u200b"
    assert len(printable("x" * 1_000_000)) <= 60
    assert len(printable("\x1b" * 1_000_000)) <= 60


@pytest.mark.parametrize(
    "text", ["a: [1, 'x', \"y\"]\nb: {c: |\n    d\n  }", "[" * 3000, "a: >=1", "- \t- x", "a: &b c", "\tx: 1"]
)
def test_without_libyaml_the_same_is_taken_and_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def line_or_tree() -> str:
        try:
            return repr(_plain(parse(text, "x.yaml").root))
        except BadFileError as error:
            return error.message.split(" ")[0]

    fast = line_or_tree()
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert line_or_tree() == fast


def _plain(node: Node) -> object:
    if isinstance(node, Mapping):
        return {key.text: _plain(value) for key, value in node.items}
    return [_plain(one) for one in node.items] if isinstance(node, Sequence) else (node.text, node.plain, node.line)
