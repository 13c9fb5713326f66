"""requirements.txt as pip reads it, and what of it cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.venv.declared import read_requirements

if TYPE_CHECKING:
    from pathlib import Path


def test_names_and_places_of_all_kinds_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# comment\n"
        "--index-url https://mirror.example/simple\n"
        "NumPy>=1.26 ; python_version >= '3.9'  # arrays\n"
        "torch==2.4.0 \\\n    --hash=sha256:00\n"
        "-e .\n"
        "git+https://git.example/tool.git#egg=my_tool\n"
    )
    found = read_requirements(path)
    assert [(one.name, one.where.rpartition(":")[2]) for one in found.lines] == [
        ("numpy", "3"),
        ("torch", "4"),
        (None, "6"),
        ("my-tool", "7"),
    ]
    assert found.problems == ()
    assert found.names == {"numpy", "torch", "my-tool"}


def test_included_files_are_read_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r base.txt\nruff\n-r gone.txt\n-r https://else.example/r.txt\n")
    (tmp_path / "base.txt").write_text("numpy\n--requirement=requirements.txt\n")
    found = read_requirements(tmp_path / "requirements.txt")
    assert found.names == {"numpy", "ruff"}
    assert len(found.problems) == 3
    assert any("gone.txt" in one for one in found.problems)


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes("numpy\n# für Bilder\npillow\n".encode("latin-1"))
    found = read_requirements(path)
    assert found.lines == ()
    assert "requirements.txt:2: byte 0xfc is not UTF-8" in found.problems[0]


def test_a_line_that_pip_would_refuse_is_told_and_the_others_count(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("numpy=1.26\ntorch\nthis is no requirement\n")
    found = read_requirements(path)
    assert found.names == {"torch"}
    assert [one.partition(": ")[0].rpartition(":")[2] for one in found.problems] == ["1", "3"]


def test_a_dangling_link_is_told(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.symlink_to("gone")
    assert len(read_requirements(path).problems) == 1
