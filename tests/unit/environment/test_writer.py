"""requirements.txt written as environment.yml."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.decode import parse
from provision.environment.spec import EnvironmentFile, PipEntry, load_spec
from provision.environment.writer import new_environment, python_version
from provision.errors import BadFileError

if TYPE_CHECKING:
    from pathlib import Path

HERE = f"3.{sys.version_info.minor}"


def pip_lines(text: str) -> tuple[str, ...]:
    file = parse(text, "environment.yml").decode(EnvironmentFile)
    (entry,) = [one for one in file.dependencies if isinstance(one, PipEntry)]
    return entry.pip


def written(folder: Path, requirements: str) -> tuple[str, tuple[str, ...]]:
    (folder / "requirements.txt").write_text(requirements)
    made = new_environment(folder / "requirements.txt", "mymodel")
    return made.text, made.notes


def test_lines_stay_in_their_order_with_their_options_and_comments(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("pandas\n")
    text, notes = written(
        tmp_path,
        "# first\n--extra-index-url https://download.pytorch.org/whl/cu124\n\ntorch==2.4.0+cu124  # for the A10\n"
        '-r more.txt\nscipy>=1; python_version > "3.8"\nfoo==1.0 \\\n    --hash=sha256:' + "a" * 64 + "\nyes\n",
    )
    assert notes == ()
    assert pip_lines(text) == (
        "--extra-index-url https://download.pytorch.org/whl/cu124",
        "torch==2.4.0+cu124",
        "-r more.txt",
        'scipy>=1; python_version > "3.8"',
        "foo==1.0 --hash=sha256:" + "a" * 64,
        "yes",
    )
    lines = [line.strip() for line in text.splitlines()]
    assert lines.index("# first") < lines.index("- torch==2.4.0+cu124  # for the A10")


@pytest.mark.parametrize("line", ["-e .", "./wheels/foo.whl", "https://me:tok3n@host.example/foo.whl"])
def test_a_line_that_cannot_work_on_a_host_becomes_a_comment_with_the_reason(tmp_path: Path, line: str) -> None:
    text, notes = written(tmp_path, f"numpy\n{line}\n")
    assert pip_lines(text) == ("numpy",)
    assert "# left out by provision init:" in text
    assert "tok3n" not in text
    (note,) = notes
    assert note.endswith(tuple("abcdefghijklmnopqrstuvwxyz:/ L"))
    assert "requirements.txt:2: left out" in note
    assert "tok3n" not in note


def test_a_line_that_the_playbook_must_allow_stays_and_is_told(tmp_path: Path) -> None:
    text, notes = written(tmp_path, "numpy\n--trusted-host pypi.example\n")
    assert pip_lines(text) == ("numpy", "--trusted-host pypi.example")
    assert "allow_pip_options" in notes[0]


def test_a_file_without_requirements_is_refused(tmp_path: Path) -> None:
    for text in ("", "# nothing\n", "-e .\n"):
        with pytest.raises(BadFileError, match="no requirements"):
            written(tmp_path, text)


def test_the_result_is_read_as_what_the_requirements_meant(tmp_path: Path) -> None:
    text, _ = written(tmp_path, "numpy>=1.26,<2\ntransformers[torch]~=4.44\n--pre\nfoo @ https://h.example/f.whl\n")
    (tmp_path / "environment.yml").write_text(text)
    before = load_spec(tmp_path / "requirements.txt", "mymodel", tmp_path, python=HERE)
    after = load_spec(tmp_path / "environment.yml", "mymodel", tmp_path)
    assert (after.name, after.channels, after.dependencies, after.pip) == (
        before.name,
        before.channels,
        before.dependencies,
        before.pip,
    )


@pytest.mark.parametrize(
    ("file", "text", "expected", "origin"),
    [
        (".python-version", "3.10.14\n", "3.10", ".python-version"),
        (".python-version", "my-virtualenv\n", HERE, "runs provision"),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.8"\n', HERE, "requires-python: >=3.8"),
        ("pyproject.toml", "[project]\nrequires-python = '==3.9.*'\n", "3.9", "requires-python of pyproject.toml"),
        ("pyproject.toml", "[project]\nrequires-python = '>=3.9.2,<3.10'\n", "3.9", "requires-python of"),
        ("pyproject.toml", "[project]\nrequires-python = 'nonsense'\n", HERE, "runs provision"),
        ("setup.cfg", "", HERE, "runs provision"),
    ],
)
def test_the_python_is_the_one_that_the_project_wants(
    tmp_path: Path, file: str, text: str, expected: str, origin: str
) -> None:
    (tmp_path / file).write_text(text)
    choice = python_version(tmp_path)
    assert choice.version == expected
    assert origin in choice.origin


@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}(\[[a-z]{1,3}\])?(==[0-9]{1,2}(\.[0-9]{1,2})?)?", fullmatch=True),
            st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12).map("# {}".format),
            st.just(""),
        ),
        max_size=12,
    )
)
def test_every_requirement_comes_through_whatever_stands_between(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("project")
    text, _ = written(folder, "\n".join(["numpy", *lines]) + "\n")
    assert pip_lines(text) == ("numpy", *(one for one in lines if one and not one.startswith("#")))
