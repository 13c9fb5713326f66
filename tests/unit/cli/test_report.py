"""`provision report` as it is typed, with nothing behind it but the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.report.entries import Met, as_json

if TYPE_CHECKING:
    from tests.unit.cli.typed import Desk

MET = Met(
    "2026-03-01T10:00:00Z", "mymodel", "box", "up", "pitfall", "proxy", "error", "407 Proxy", "a proxy", ("$ env",)
)  # fmt: skip


def remember(desk: Desk, *entries: Met) -> None:
    folder = desk.home / ".local/state/provision"
    folder.mkdir(parents=True)
    (folder / "met.jsonl").write_text("".join(f"{json.dumps(as_json(one))}\n" for one in entries))


def other() -> Met:
    return Met("2026-03-01T10:00:00Z", "theirs", "far", "up", "pitfall", "disk-full", "error", "full", "full", ())


def test_nothing_met_is_a_sentence_an_empty_document_and_no_folder(desk: Desk) -> None:
    answer = desk.type("report", "--notes", "docs/note")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("nothing was met in project mymodel yet: ")
    assert not (desk.project / "docs").exists()
    assert json.loads(desk.type("report", "--json").out)["entries"] == []


def test_only_this_projects_entries_are_shown_unless_all_are_asked_for(desk: Desk) -> None:
    remember(desk, MET, other())
    below = desk.project / "src"
    below.mkdir()
    assert "disk-full" not in desk.type("report", cwd=below).out
    assert "disk-full" in desk.type("report", "--all").out
    document = json.loads(desk.type("report", "--json").out)
    assert document == {"schema_version": 1, "command": "report", "entries": [as_json(MET)], "hosts": []}


def test_with_json_the_names_of_pages_stay_off_stdout(desk: Desk) -> None:
    remember(desk, MET)
    answer = desk.type("report", "--json", "--notes", "docs/note")
    assert json.loads(answer.out)["entries"] == [as_json(MET)]
    assert answer.err == "wrote docs/note/proxy.md\nwrote docs/note/README.md\n"


def test_a_file_of_somebody_else_is_left_as_it_is_and_nothing_else_is_written(desk: Desk) -> None:
    remember(desk, MET)
    folder = desk.project / "docs"
    folder.mkdir()
    (folder / "README.md").write_text("# Our documentation\n")
    answer = desk.type("report", "--notes", "docs")
    assert answer.code == 2
    assert answer.err.splitlines() == [
        "provision: docs/README.md: not written by `provision report`, and left as it is",
        "  -> name another folder, or move the file away",
    ]
    assert [one.name for one in folder.iterdir()] == ["README.md"]
    assert (folder / "README.md").read_text() == "# Our documentation\n"


def test_a_page_that_is_no_text_is_left_as_it_is(desk: Desk) -> None:
    remember(desk, MET)
    (desk.project / "proxy.md").write_bytes(b"\xff\xfe\x00")
    answer = desk.type("report", "--notes", ".")
    assert (answer.code, len(answer.err.splitlines())) == (2, 2)
    assert (desk.project / "proxy.md").read_bytes() == b"\xff\xfe\x00"


def test_a_folder_that_is_none_is_one_line(desk: Desk) -> None:
    remember(desk, MET)
    (desk.project / "file").touch()
    for name, said in (("file", "file: not a folder"), ("file/below", "cannot be made"), (" ", "an empty name")):
        answer = desk.type("report", "--notes", name)
        assert (answer.code, len(answer.err.splitlines())) == (2, 1), answer
        assert said in answer.err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder that even root cannot write")
def test_a_folder_that_cannot_be_written_is_one_line(desk: Desk) -> None:
    remember(desk, MET)
    answer = desk.type("report", "--notes", "/proc/self")
    assert (answer.code, len(answer.err.splitlines())) == (2, 1), answer
    assert answer.err.startswith("provision: /proc/self/proxy.md: cannot be written: ")
