"""What went wrong on a host, and how it was put right, as the team's notes tell it."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

CODE = "host-python-lzma"
SHOWN = "ModuleNotFoundError: No module named '_lzma'"
BROKEN = {"command": {"name": "import lzma", "run": f'echo "{SHOWN}" >&2; exit 1', "creates": "~/ready"}}
MENDED = {"command": {"name": "import lzma", "run": "touch ~/ready", "creates": "~/ready"}}


def test_what_failed_and_how_a_later_run_solved_it_stand_in_the_notes(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    laptop.playbook(BROKEN)
    before = laptop.type("report")
    assert (before.code, before.err) == (0, "")
    assert before.out.startswith("nothing was met in project mymodel yet")

    failed = laptop.type("up")
    assert failed.code == 4, failed
    assert f"known pitfall {CODE}" in failed.out
    remembered = laptop.home / ".local/state/provision/met.jsonl"
    assert stat.S_IMODE(remembered.stat().st_mode) == 0o600
    table = laptop.type("report")
    assert table.out.splitlines()[1].split()[:3] == ["open", CODE, "gpu-box"], table

    notes = laptop.project / "docs" / "note"
    assert laptop.type("report", "--notes", "docs/note").code == 0
    page = notes / f"{CODE}.md"
    assert "- on `gpu-box`: not yet" in page.read_text()
    page.write_text(page.read_text().replace("<!-- notes: end -->", "Ask for the new image.\n<!-- notes: end -->"))
    (notes / "by-hand.md").write_text("# Ours\n")

    laptop.playbook(MENDED)
    mended = laptop.type("up")
    assert mended.code == 0, mended
    answer = laptop.type("report", "--notes", "docs/note")
    assert (answer.code, answer.err) == (0, ""), answer
    text = page.read_text()
    assert f"```text\n{SHOWN}\n```" in text
    assert "This Python was compiled on a machine without the headers of liblzma" in text
    assert "```sh\nprovision up HOST\n```" in text
    assert "`provision up` ended well, after it changed: `run import lzma`" in text
    assert "\nAsk for the new image.\n" in text
    assert (notes / "by-hand.md").read_text() == "# Ours\n"
    assert f"[`{CODE}`]({CODE}.md)" in (notes / "README.md").read_text()

    entries = laptop.type("report", "--json").document["entries"]
    assert [one["kind"] for one in entries] == ["pitfall", "solved"]
    nothing_more = remembered.stat()
    assert laptop.type("up").code == 0
    assert remembered.stat() == nothing_more
    assert laptop.type("report", "--notes", "docs/note").out == "docs/note: nothing new\n"


def test_a_secret_that_a_host_prints_reaches_neither_the_file_nor_the_notes(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box], {"gpu-box": {"env": {"HF_TOKEN": "hf_verysecret"}}})
    laptop.playbook({"command": {"name": "leak", "run": f'echo "$HF_TOKEN {SHOWN}" >&2; exit 1', "creates": "~/ready"}})
    failed = laptop.type("up", "--json")
    assert failed.code == 4, failed
    assert laptop.type("report", "--notes", "docs/note").code == 0
    for text in (
        (laptop.home / ".local/state/provision/met.jsonl").read_text(),
        (laptop.project / "docs/note" / f"{CODE}.md").read_text(),
    ):
        assert "hf_verysecret" not in text
        assert f"*** {SHOWN}" in text


def test_a_state_folder_that_cannot_be_written_changes_no_exit_code(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("gpu-box")
    laptop.hosts([box])
    laptop.playbook(BROKEN)
    folder = laptop.home / ".local/state/provision"
    (folder / "met.jsonl").mkdir(parents=True)
    failed = laptop.type("up", "--json")
    assert failed.code == 4, failed
    assert json.loads(failed.out)["exit_code"] == 4
    assert "Traceback" not in failed.err
    told = laptop.type("report")
    assert told.code == 2
    assert told.err.startswith(f"provision: {folder}/met.jsonl: cannot be read: ")
    assert len(told.err.splitlines()) == 1
