"""`provision history`: what was run from here, and what changed on a host."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from provision.cli.history import since
from provision.errors import UsageError
from provision.ledger.rows import FactChanged, FindingSeen, GenerationSeen, HostRun, HostState, Run, StepRun
from provision.ledger.store import open_ledger

if TYPE_CHECKING:
    from provision.ledger.rows import Row
    from tests.unit.cli.typed import Desk

NOW = time.time()
DAY = 86400.0
FIRST, SECOND, THIRD = "20960101T000000Z-aaa111", "20960102T000000Z-bbb222", "20960103T000000Z-ccc333"
ESCAPE = "box\x1b[31m\u202e"


def a_run(name: str, ago: float, command: str = "up", **changes: object) -> Run:
    values: dict[str, object] = {
        "id": name,
        "command": command,
        "argv": ("all",),
        "project": "mymodel",
        "started": NOW - ago,
        "ended": NOW - ago + 65,
        "exit_code": 0,
        "version": "0.1.0",
        "user": "dev",
        "schedule": None,
    }
    return Run(**{**values, **changes})  # type: ignore[arg-type]


def on(run: str, host: str, ago: float, outcome: str = "converged", *, changed: bool = False) -> HostRun:
    at = NOW - ago
    error = None if outcome in {"converged", "changed"} else "exit code 1"
    verdict = None if error else "fit: 1x NVIDIA A10, driver 550.1"
    return HostRun(run, host, f"root@{host}:22", at, at + 60, outcome, error, verdict, changed)


def found(run: str, host: str, ago: float) -> FindingSeen:
    title = "driver 470 is older than CUDA 12.4 needs"
    return FindingSeen(run, host, NOW - ago + 60, "GPU-DRIVER-OLD", "warning", title, "install 550", None)


ROWS: tuple[Row, ...] = (
    a_run(FIRST, 10 * DAY),
    on(FIRST, "gpu-box", 10 * DAY, "changed", changed=True),
    on(FIRST, "ali-3", 10 * DAY, "failed"),
    StepRun(
        FIRST,
        "gpu-box",
        1,
        "build mymodel",
        "build mymodel 1-3f2a91bc",
        NOW,
        42.0,
        "done",
        "there is none",
    ),
    StepRun(
        FIRST,
        "ali-3",
        1,
        "build mymodel",
        "build mymodel 1-3f2a91bc",
        NOW,
        2.0,
        "failed",
        "there is none",
    ),
    GenerationSeen(FIRST, "gpu-box", NOW - 10 * DAY + 30, "mymodel/mymodel", "1-3f2a91bc", "p", "built"),
    found(FIRST, "gpu-box", 10 * DAY),
    a_run(SECOND, 3 * DAY, "env lock", ended=None, exit_code=None, argv=()),
    a_run(THIRD, 2 * DAY, schedule="nightly", exit_code=3),
    on(THIRD, "gpu-box", 2 * DAY),
    on(THIRD, ESCAPE, 2 * DAY, "unreachable"),
    found(THIRD, "gpu-box", 2 * DAY),
    HostState(ESCAPE, NOW - 2 * DAY, THIRD, {"verdict": None}),
    FactChanged(THIRD, "gpu-box", NOW - 2 * DAY, "driver", "470.1", "550.1\x1b[2J"),
    HostState(
        "gpu-box",
        NOW - 2 * DAY,
        THIRD,
        {"verdict": "fit: 1x NVIDIA A10", "verified_at": NOW - 2 * DAY},
    ),
)


@pytest.fixture
def told(desk: Desk) -> Desk:
    ledger = open_ledger({"HOME": str(desk.home)}, writing=True)
    assert ledger.write(ROWS), ledger.problem
    ledger.close()
    return desk


def test_a_machine_where_nothing_was_run_says_so(desk: Desk) -> None:
    answer = desk.type("history")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "nothing was run yet: the ledger of this machine is empty\n"
    assert json.loads(desk.type("history", "--json").out)["runs"] == []


def test_runs_are_shown_with_their_hosts_and_what_came_of_them(told: Desk) -> None:
    answer = told.type("history")
    assert answer.code == 0, answer
    head, first, second, third = answer.out.splitlines()
    assert head.split() == ["WHEN", "COMMAND", "HOSTS", "OUTCOME", "CHANGED", "TOOK", "EXIT", "RUN"]
    assert "gpu-box, ali-3" in first
    assert "1 changed, 1 failed" in first
    assert "1 host " in first
    assert "1 min 05 s" in first
    assert first.endswith(" aaa111")
    assert "env lock" in second
    assert "not ended" in second
    assert "1 converged, 1 unreachable" in third


def test_looking_is_no_run_of_its_own(told: Desk) -> None:
    told.type("history")
    assert len(json.loads(told.type("history", "--json").out)["runs"]) == 3


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (("--since", "5d"), [SECOND, THIRD]),
        (("--since", "1d"), []),
        (("--command", "up"), [FIRST, THIRD]),
        (("--command", "env"), [SECOND]),
        (("--limit", "1"), [THIRD]),
    ],
)
def test_runs_are_chosen_by_time_command_and_number(words: tuple[str, ...], runs: list[str], told: Desk) -> None:
    document = json.loads(told.type("history", *words, "--json").out)
    assert [one["id"] for one in document["runs"]] == runs
    assert (document["schema_version"], document["command"], document["exit_code"]) == (1, "history", 0)


def test_of_a_host_it_tells_what_changed_there(told: Desk) -> None:
    answer = told.type("history", "gpu-box")
    assert answer.code == 0, answer
    verdict, finding, head, *lines = answer.out.splitlines()
    assert verdict.startswith("gpu-box: fit: 1x NVIDIA A10 (")
    assert finding.startswith("  warning GPU-DRIVER-OLD since ")
    assert head.split() == ["WHEN", "COMMAND", "WHAT", "NAME", "HOW", "RUN"]
    assert [one.split()[3] for one in lines] == ["generation", "run", "came", "changed"]
    assert "1-3f2a91bc built" in lines[0]
    assert "driver 470 is older than CUDA 12.4 needs" in lines[2]
    assert "470.1 -> 550.1\\x1b[2J" in lines[3]


def test_of_a_host_in_json_it_tells_the_state_and_what_holds(told: Desk) -> None:
    document = json.loads(told.type("history", "gpu-box", "--json", "--since", "5d").out)
    assert document["host"] == "gpu-box"
    assert document["state"]["facts"]["verdict"] == "fit: 1x NVIDIA A10"
    assert [one["code"] for one in document["open"]] == ["GPU-DRIVER-OLD"]
    assert [(one["kind"], one["name"]) for one in document["happened"]] == [("fact", "driver")]


def test_a_host_of_no_run_is_named_with_what_may_be_meant(told: Desk) -> None:
    assert told.type("history", "gpu-bx").out == (
        "no run from this machine was about 'gpu-bx', did you mean 'gpu-box'?\n"
    )
    document = json.loads(told.type("history", "nobody", "--json").out)
    assert (document["state"], document["happened"]) == (None, [])


def test_a_run_is_shown_with_its_steps_and_findings(told: Desk) -> None:
    answer = told.type("history", "--run", "aaa111")
    assert answer.code == 0, answer
    assert answer.out.startswith(f"{FIRST}: provision up all (")
    assert "by dev, provision 0.1.0)" in answer.out
    assert "build mymodel 1-3f2a91bc  done     42 s   there is none" in answer.out
    assert "GPU-DRIVER-OLD" in answer.out
    only = json.loads(told.type("history", "ali-3", "--run", FIRST, "--json").out)
    assert [one["host"] for one in only["steps"]] == ["ali-3"]
    assert only["findings"] == []
    assert "by the schedule nightly" in told.type("history", "--run", "last").out


def test_a_run_that_is_none_or_several_is_refused(told: Desk) -> None:
    assert "there is no run 'zzz'" in told.type("history", "--run", "zzz").err
    several = told.type("history", "--run", "")
    assert several.code == 2
    assert "several" in several.err


@pytest.mark.parametrize("words", [(), ("--run", THIRD), (ESCAPE,), (f"{ESCAPE}x",), ("--run", ESCAPE)])
def test_what_hosts_are_called_stays_text(words: tuple[str, ...], told: Desk) -> None:
    answer = told.type("history", *words)
    assert "\x1b" not in answer.out + answer.err
    assert "\u202e" not in answer.out + answer.err
    assert "box\\x1b[31m\\u202e" in answer.out + answer.err


def test_on_a_terminal_what_hosts_are_called_stays_text(told: Desk) -> None:
    with told.sit("history", TERM="xterm-256color", COLUMNS="200") as terminal:
        code = terminal.end()
    assert code == 0
    assert "box\\x1b[31m\\u202e" in terminal.said
    assert "\x1b[31m\u202e" not in terminal.said


def test_an_output_that_knows_no_unicode_gets_it_escaped(told: Desk) -> None:
    ledger = open_ledger({"HOME": str(told.home)}, writing=True)
    ledger.write([on(THIRD, "机器", 2 * DAY)])
    ledger.close()
    answer = told.type("history", LANG="C", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert answer.code == 0, answer
    assert "\\u673a\\u5668" in answer.out


def test_a_broken_ledger_says_so_and_what_to_do(desk: Desk) -> None:
    path = desk.home / ".local/state/provision/ledger.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 1000)
    answer = desk.type("history")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"provision: {path}: file is not a database\n  -> move that file away")


def test_a_command_that_is_typed_is_in_the_history(desk: Desk) -> None:
    assert desk.type("hosts").code == 2
    assert desk.type("up", "--help").code == 0
    assert desk.type("no-such-command").code == 2
    (run,) = json.loads(desk.type("history", "--json").out)["runs"]
    assert (run["command"], run["exit_code"], run["user"], run["project"]) == ("hosts", 2, "dev", "mymodel")


def test_a_broken_ledger_costs_a_command_one_line_and_no_exit_code(desk: Desk) -> None:
    whole = desk.type("hosts")
    path = desk.home / ".local/state/provision/ledger.sqlite"
    for beside in path.parent.glob("ledger.sqlite-*"):
        beside.unlink()
    path.write_bytes(b"no database" * 1000)
    broken = desk.type("hosts")
    assert (broken.code, broken.out) == (whole.code, whole.out)
    note = f"note: {path}: file is not a database; `provision history` lacks this run\n"
    assert broken.err == whole.err + note


def test_a_time_is_a_span_until_now_or_a_moment_here() -> None:
    assert since("7d", 1e9) == 1e9 - 7 * DAY
    assert since("90m", 1e9) == 1e9 - 5400
    assert since("2W", 1e9) == 1e9 - 14 * DAY
    assert time.localtime(since("2026-11-01"))[:5] == (2026, 11, 1, 0, 0)
    assert time.localtime(since("2026-11-01T08:30"))[:5] == (2026, 11, 1, 8, 30)


@pytest.mark.parametrize("text", ["", "yesterday", "7", "d", "-7d", "2026-13-01", "99999999d", "9" * 50])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        since(text)


@pytest.mark.parametrize("text", ["0", "-1", "x", "9" * 40])
def test_what_is_no_number_of_runs_is_refused(text: str, desk: Desk) -> None:
    answer = desk.type("history", f"--limit={text}")
    assert answer.code == 2
    assert "is no number of runs" in answer.err
