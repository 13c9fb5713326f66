"""A team's pitfalls.yaml on the command line: told when it is wrong, its entries explained, its causes the team's."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from provision.cli.known_causes import add_known_causes
from provision.cli.running import _options
from provision.errors import StepFailedError
from provision.pitfalls import shipped
from provision.report.causes import TeamCause
from provision.report.pages import known_codes
from tests.unit.cli.typed import decoded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.typed import Desk

HOSTS = "version: 1\nhosts:\n  gpu-box: {address: 203.0.113.10, user: root}\n"
BROKEN = "version: 1\npitfalls:\n  ours:\n    signatures: '(a+)+'\n    cause: x\n    fix: y\n"
OURS = """\
version: 1
pitfalls:
  nas-not-mounted:
    signatures: 'No such file or directory: ./nas/'
    cause: the shared disk is not mounted
    fix: [ask for the mount, "$ sudo mount /nas"]
    source: our wiki
"""
COMMANDS = [["plan", "gpu-box"], ["up", "gpu-box"], ["verify", "gpu-box"], ["report"]]


@pytest.fixture
def team(desk: Desk) -> Desk:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    (desk.project / "pitfalls.yaml").write_text(OURS)
    return desk


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_broken_file_is_told_by_its_line_before_anything_is_done(team: Desk, words: list[str]) -> None:
    (team.project / "pitfalls.yaml").write_text(BROKEN)
    answer = team.type(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "provision: pitfalls.yaml:4: pitfalls.ours.signatures" in answer.err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_file_that_everyone_can_write_is_refused(team: Desk, words: list[str]) -> None:
    (team.project / "pitfalls.yaml").chmod(0o666)
    answer = team.type(*words)
    assert answer.code == 2
    assert "chmod o-w" in answer.err


@pytest.mark.parametrize("there", [True, False], ids=["with a file", "without"])
def test_what_reads_pitfalls_is_loaded_only_where_there_is_a_file(team: Desk, *, there: bool) -> None:
    if not there:
        (team.project / "pitfalls.yaml").unlink()
    program = (
        "import sys\nfrom provision.cli.main import run\nrun(['report'])\nprint('provision.pitfalls' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=team.project,
        env=team.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == str(there)


def test_a_file_that_broke_during_the_run_hides_no_failure(tmp_path: Path) -> None:
    (tmp_path / "pitfalls.yaml").write_text(BROKEN)
    error = StepFailedError("build: it failed", detail="OSError: [Errno 28] No space left on device")
    add_known_causes(error, tmp_path / "hosts.yaml")
    assert [one.id for one in error.known] == ["disk-full"]
    assert "not used: " in (error.detail or "")


def test_the_teams_own_causes_are_known_as_such(tmp_path: Path) -> None:
    (tmp_path / "pitfalls.yaml").write_text(OURS)
    text = "No such file or directory: '/nas/x'\n[Errno 28] No space left on device"
    error = StepFailedError("build: it failed", detail=text)
    add_known_causes(error, tmp_path / "hosts.yaml")
    assert [(one.id, isinstance(one, TeamCause)) for one in error.known] == [
        ("nas-not-mounted", True),
        ("disk-full", False),
    ]


# -- --explain ----------------------------------------------------------------------------------------


def test_a_pitfall_is_explained_with_its_cause_its_fix_and_its_source(team: Desk) -> None:
    answer = team.type("verify", "--explain", "nas-not-mounted")
    assert answer.code == 0, answer
    assert answer.out == (
        "# nas-not-mounted\n\nthe shared disk is not mounted\n\n## What to do\n\n"
        "- ask for the mount\n\n```sh\nsudo mount /nas\n```\n\nSource: our wiki\n"
    )
    assert team.type("verify", "--explain", "DISK-READ-ONLY").out.startswith("# disk-read-only\n")


def test_a_name_that_a_finding_and_a_pitfall_share_explains_both(desk: Desk) -> None:
    shared = next(one.id for one in shipped() if one.id.upper() in known_codes())
    small = desk.type("verify", "--explain", shared)
    assert small.out.startswith(f"# {shared.upper()}: ")
    assert f"\n# {shared}\n" in small.out
    assert f"\n# {shared}\n" not in desk.type("verify", "--explain", shared.upper()).out


def test_as_json_an_explanation_is_one_document(desk: Desk) -> None:
    page = decoded(desk.type("verify", "--explain", "GPU-XID", "--json").out)
    assert list(page) == ["code", "title", "why", "text"]
    assert page["code"] == "GPU-XID"
    assert page["text"].startswith(f"# GPU-XID: {page['title']}")
    pitfall = decoded(desk.type("verify", "--explain", "disk-full", "--json").out)
    assert (pitfall["code"], pitfall["title"]) == ("disk-full", pitfall["why"])


def test_the_language_is_taken_however_it_is_written(desk: Desk) -> None:
    assert "## 怎么办" in desk.type("verify", "--explain", "GPU-XID", "--language", "ZH").out


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "--explain needs the code of a finding"),
        ("  ", "--explain needs the code of a finding"),
        ("GPU-XIDD", "did you mean 'GPU-XID'"),
        ("disk-fulll", "there is no known pitfall 'disk-fulll', did you mean 'disk-full'?"),
        ("no such \x1b[2Jthing", "there is no finding 'no such \\x1b[2Jthing'"),
    ],
)
def test_what_nothing_is_written_of_is_a_usage_error(desk: Desk, typed: str, told: str) -> None:
    answer = desk.type("verify", "--explain", typed)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


# -- what leads on ------------------------------------------------------------------------------------


def test_the_next_command_keeps_the_options_that_change_what_it_means() -> None:
    asked = Namespace(inventory="my hosts.yaml", playbook="gpu", build_anyway=True)
    assert _options(asked) == ("-i 'my hosts.yaml'", "-p gpu", "--build-anyway")
    assert _options(Namespace(inventory=None, playbook=None, build_anyway=False)) == ()
    assert _options(Namespace(inventory=None, playbook=None)) == ()
