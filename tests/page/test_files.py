"""`report` with a file: what is written, and what is never written over."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from provision.cli.main import run
from provision.errors import UsageError
from provision.ledger.rows import HostState
from provision.page.fleet import FindingNow, Fleet, HostNow, RunSeen
from provision.page.table_text import markdown, terminal_lines
from provision.report.style import Style
from tests.page.ledgers import environ, on, write
from tests.page.ledgers import run as ran
from tests.page.sample import fleet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["environ"]
NOW = time.time()
PLAIN = Style(enabled=False)


@pytest.fixture
def project(tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "environment.yml").write_text("name: mine\n")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    facts = {"gpus": "1x NVIDIA A10", "verdict": "fit: 1x NVIDIA A10", "verified_at": NOW, "drift": ["ENV-DRIFT"]}
    write(environ, ran("r", NOW), on("r", NOW), HostState("box-1", NOW, "r", facts))
    return folder


def test_the_page_is_written_and_written_over(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "--html", "fleet.html"]) == 0
    assert "box-1" in (project / "fleet.html").read_text()
    (project / "fleet.html").write_text((project / "fleet.html").read_text().replace("box-1", "box-2"))
    assert run(["report", "--html", "fleet.html"]) == 0
    assert "box-2" not in (project / "fleet.html").read_text()
    assert capsys.readouterr().out == "wrote fleet.html\n" * 2


@pytest.mark.parametrize("form", ["--html", "--markdown"])
def test_a_file_that_is_not_ours_is_left_as_it_is(project: Path, form: str) -> None:
    (project / "thesis").write_text("ten years of work")
    with pytest.raises(UsageError, match="is left as it is"):
        run(["report", form, "thesis"])
    assert (project / "thesis").read_text() == "ten years of work"
    with pytest.raises(UsageError, match="is left as it is"):
        run(["report", form, "."])
    with pytest.raises(UsageError, match="No such file"):
        run(["report", form, "no/such/folder"])
    with pytest.raises(UsageError, match="empty name"):
        run(["report", form, " "])


def test_markdown_goes_to_stdout_or_to_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "--markdown"]) == 0
    shown = capsys.readouterr().out
    assert "| `box-1` |" in shown
    for _ in range(2):
        assert run(["report", "--markdown", "fleet.md"]) == 0
    assert "| `box-1` |" in (project / "fleet.md").read_text()


def test_the_terminal_and_the_document_have_the_fleet_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.is_dir()
    assert run(["report"]) == 0
    assert re.search(r"^box-1 +1x NVIDIA A10 .* 1 +fit: 1x NVIDIA A10$", capsys.readouterr().out, re.MULTILINE)
    assert run(["report", "--json"]) == 0
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    assert (host["host"], host["drift"], host["verdict"], host["jobs"]) == ("box-1", 1, "fit: 1x NVIDIA A10", 0)


@pytest.mark.parametrize(
    "words",
    [
        ["--html", "a", "--serve"],
        ["--html", "a", "--markdown"],
        ["--serve", "--json"],
        ["--notes", "a", "--html", "b"],
        ["--port", "80"],
        ["--serve", "--port", "0"],
        ["--serve", "--port", "65536"],
        ["--serve", "--port", "http"],
    ],
)
def test_what_cannot_be_meant_is_refused(project: Path, words: list[str]) -> None:
    with pytest.raises(UsageError):
        run(["report", *words])
    assert not (project / "a").exists()


def test_a_narrow_terminal_keeps_the_host_and_its_verdict() -> None:
    for width in (60, 80, 120, 200):
        lines = list(terminal_lines(fleet(20), PLAIN, width))
        assert len(lines) == 21
        assert lines[0].startswith("host ")
        assert lines[1].startswith("ali-005 ")
        assert all("fit" in one or "unproven" in one for one in lines[1:])
        assert max(map(len, lines)) <= max(width, 108)


def test_a_hosts_text_is_no_markup_in_markdown_and_no_command_on_a_terminal() -> None:
    bad = "a|b`c\x1b[2J<script>\n# d"
    found = FindingNow(bad, bad, bad, bad, bad, bad, NOW, NOW, open=True)
    one = Fleet(
        NOW, bad, (HostNow(bad, verdict=bad, gpus=bad),), (RunSeen("1", bad, bad, NOW),), findings=(found,), problem=bad
    )
    shown = markdown(one)
    assert "\x1b" not in shown
    assert "\n# d" not in shown
    tables = [line for line in shown.splitlines() if line.startswith("|")]
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert columns == {12, 6, 5}
    assert "<script" not in re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)|\\<", "", shown)
    assert not any("\x1b" in line or "\n" in line for line in terminal_lines(one, PLAIN, 100))
