"""The program of a proxy command ends with the run, whichever way the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.errors import UnreachableError
from provision.ssh import proxy
from tests.ssh.reach import inventory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.host import LabHost
    from tests.unit.cli.typed import Desk

pytestmark = pytest.mark.lab

CARRY = """\
import os, signal, socket, sys, threading
deaf = "deaf" in sys.argv
open(sys.argv[3], "a").write(f"{os.getpid()}\\n")
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
far = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while piece := os.read(0, 65536): far.sendall(piece)
threading.Thread(target=up, daemon=True).start()
try:
    while piece := far.recv(65536): os.write(1, piece)
except OSError:
    pass
while deaf:
    signal.pause()
"""
LONG = 30.0


@pytest.fixture(autouse=True)
def _nothing_left(desk: Desk) -> Iterator[None]:
    """End what a failed test leaves behind."""
    yield
    note = desk.home / "pids"
    for number in alive(note) if note.exists() else ():
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def carried(desk: Desk, host: LabHost, *, deaf: bool) -> Path:
    """Let the host be reached by a program that notes its process; a deaf one heeds neither EOF nor SIGTERM."""
    program, note = desk.home / "carry.py", desk.home / "pids"
    program.write_text(CARRY)
    # A shell stands between us and it, as in most people's scripts.
    command = f"sh -c '{sys.executable} {program} %h %p {note} {'deaf' if deaf else ''}; exit $?'"
    inventory(desk, host, settings={host.name: {"proxy_command": command}})
    return note


def alive(note: Path) -> list[int]:
    """Return the carriers that still run."""
    numbers = [int(line) for line in note.read_text().split()]
    assert numbers, "no carrier ever ran"
    return [one for one in numbers if runs(one)]


def runs(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone(note: Path) -> bool:
    deadline = time.monotonic() + LONG
    while alive(note):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def typed(desk: Desk, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Type a command that prints `ready` when it is where it is to be disturbed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "provision", *words],
        cwd=desk.project,
        env=desk.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("deaf", [False, True], ids=["plain", "deaf"])
@pytest.mark.parametrize(("command", "code"), [("true", 0), ("exit 3", 3)], ids=["good", "failed"])
def test_it_ends_with_a_run_that_ends_by_itself(
    host: LabHost, desk: Desk, command: str, code: int, *, deaf: bool
) -> None:
    note = carried(desk, host, deaf=deaf)
    answer = desk.type("exec", "box", "--", command)
    left = alive(note)
    assert gone(note)
    assert left == [], answer
    assert answer.code == code, answer


@pytest.mark.parametrize("deaf", [False, True], ids=["plain", "deaf"])
def test_it_ends_where_the_login_fails(host: LabHost, desk: Desk, *, deaf: bool) -> None:
    note = carried(desk, host, deaf=deaf)
    host.change_host_key()
    (desk.home / ".ssh/known_hosts").write_text(f"{host.address} ssh-ed25519 {'A' * 68}\n")
    answer = desk.type("exec", "box", "--host-keys", "strict", "--", "true")
    left = alive(note)
    assert gone(note)
    assert left == [], answer
    assert answer.code == 3, answer


@pytest.mark.parametrize("deaf", [False, True], ids=["plain", "deaf"])
@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,)],
    ids=["ctrl-c", "ctrl-c-twice", "sigterm", "sighup"],
)
@pytest.mark.parametrize("name", ["exec", "ssh"])
def test_it_ends_with_a_run_that_is_ended(
    host: LabHost, desk: Desk, name: str, numbers: tuple[signal.Signals, ...], *, deaf: bool
) -> None:
    note = carried(desk, host, deaf=deaf)
    with typed(desk, name, "box", "--", "echo ready; exec sleep 100") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.1)
        process.wait(LONG)
        left = alive(note)
        assert gone(note)
        assert left == []
        assert process.returncode == 130


def test_the_end_of_its_input_ends_it_where_we_are_killed(host: LabHost, desk: Desk) -> None:
    note = carried(desk, host, deaf=False)
    with typed(desk, "exec", "box", "--", "echo ready; exec sleep 5") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait(LONG)
        assert gone(note)


@pytest.fixture
def _no_run_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "_over", False)
    monkeypatch.setattr(proxy, "_running", set())


@pytest.mark.usefixtures("_no_run_has_ended")
def test_many_stubborn_ones_are_ended_together_and_none_begins_after_that(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    line = f"sh -c 'trap \"\" TERM; echo $$ >>{note}; while :; do sleep 1; done' %h"
    sockets = [proxy.proxy(line, address="h", port=22, user="u") for _ in range(6)]
    deadline = time.monotonic() + LONG
    while not note.exists() or len(note.read_text().split()) < 6:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # One of them is being closed by somebody else at that moment.
    closer = threading.Thread(target=sockets[0].close)
    closer.start()
    proxy.end_all()
    assert alive(note) == []
    closer.join(LONG)
    with pytest.raises(UnreachableError, match="the run was stopped"):
        proxy.proxy("cat", address="h", port=22, user="u")
    for one in sockets:
        one.close()


@pytest.mark.usefixtures("_no_run_has_ended")
def test_a_ctrl_c_while_one_is_being_ended_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "pids"
    program = tmp_path / "deaf.py"
    program.write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[1], 'a').write(f'{os.getpid()}\\n')\n"
        "while True: signal.pause()\n"
    )
    # The shell between us and it heeds SIGTERM.
    one = proxy.proxy(f"sh -c '{sys.executable} {program} {note}; exit $?' %h", address="h", port=22, user="u")
    deadline = time.monotonic() + LONG
    while not note.exists() or not note.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kill = os.killpg
    told: list[int] = []

    def struck(number: int, what: int) -> None:
        kill(number, what)
        if not told:
            told.append(what)
            one.process.wait(LONG)
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "killpg", struck)
    with pytest.raises(KeyboardInterrupt):
        one.close()
    assert told == [signal.SIGTERM]
    assert alive(note)
    proxy.end_all()
    assert gone(note)
