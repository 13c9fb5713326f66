"""`provision ssh` on a terminal: a real session, as ssh itself would give it."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

from tests.ssh.reach import inventory, pinned

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.unit.cli.typed import Desk, Terminal

pytestmark = pytest.mark.lab


def resize(terminal: Terminal, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def flags(terminal: Terminal) -> int:
    return int(termios.tcgetattr(terminal._master)[3])


def test_a_shell_answers_line_by_line_and_its_exit_code_is_passed_on(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    with desk.sit("ssh", "box") as terminal:
        before = flags(terminal)
        terminal.expect("$ ")
        terminal.answer("echo si''x is $((2*3)); tty")
        terminal.expect("/dev/pts/")
        assert "six is 6" in terminal.said
        terminal.answer("exit 7")
        assert terminal.end() == 7, terminal.said
        assert flags(terminal) == before


def test_the_window_has_our_size_and_follows_it(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    command = "trap 'stty size' WINCH; echo ready; stty size; while :; do sleep 0.1; done"
    with desk.sit("ssh", "box", "--", command) as terminal:
        resize(terminal, 41, 101)
        terminal.expect("ready")
        if "41 101" not in terminal.said:
            terminal.expect("41 101")
        resize(terminal, 30, 90)
        terminal.expect("30 90")


def test_ctrl_c_goes_to_the_host_and_not_to_us(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    with desk.sit("ssh", "box", "--", "trap 'echo caught; exit 9' INT; echo ready; sleep 60") as terminal:
        terminal.expect("ready")
        terminal.press(b"\x03")
        terminal.expect("caught")
        assert terminal.end() == 9, terminal.said


def test_a_command_after_the_dashes_has_a_terminal_and_its_words_as_typed(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    with desk.sit(
        "ssh", "box", "--", "sh", "-c", 'test -t 0 && test -t 1 && printf "[%s]" "$@"', "sh", "a b", "'$x"
    ) as on:
        assert on.end() == 0, on.said
    assert "[a b]['$x]" in on.said


def test_the_last_output_before_the_end_is_not_lost(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    for _ in range(3):
        answer = desk.type("ssh", "box", "--", "seq 1 300000; exit 5")
        assert answer.code == 5
        assert answer.out.endswith("\n299999\n300000\n")
        assert answer.out.count("\n") == 300000


def test_bytes_pass_both_ways_in_a_pipe_however_many(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    data = os.urandom(40 << 20)
    done = subprocess.run(
        [sys.executable, "-m", "provision", "ssh", "box", "--", "cat; echo wrong >&2; exit 6"],
        cwd=desk.project,
        env=desk.environment,
        input=data,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 6
    assert done.stdout == data
    assert done.stderr.endswith(b"wrong\n")


def test_a_shell_without_a_terminal_reads_commands_from_a_pipe(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    done = subprocess.run(
        [sys.executable, "-m", "provision", "ssh", "box"],
        cwd=desk.project,
        env=desk.environment,
        input=b"echo one\nexit 4\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, b"one\n"), done.stderr


def test_a_shell_is_reached_through_two_jump_hosts(lab: Lab, desk: Desk) -> None:
    outer = lab.host("outer")
    middle = lab.host("middle", jump=outer)
    inner = lab.host("inner", jump=middle)
    inventory(desk, outer, middle, inner)
    with desk.sit("ssh", "inner") as terminal:
        terminal.expect("$ ")
        terminal.answer("hostname; exit 3")
        terminal.expect("inner")
        assert terminal.end() == 3, terminal.said
    assert len(pinned(desk)) == 3


def test_a_session_whose_host_dies_ends_and_gives_the_terminal_back(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    with desk.sit("ssh", "box") as terminal:
        before = flags(terminal)
        terminal.expect("$ ")
        host.reset_connections()
        assert terminal.end() == 3, terminal.said
        assert "the link was lost" in terminal.said
        assert flags(terminal) == before


@pytest.mark.timeout(180)
def test_a_session_with_a_frozen_host_ends_within_the_promised_time(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    with desk.sit("ssh", "box") as terminal:
        before = flags(terminal)
        terminal.expect("$ ")
        time.sleep(1.5)
        host.freeze()
        began = time.monotonic()
        try:
            assert terminal.end() == 3, terminal.said
        finally:
            host.thaw()
        assert time.monotonic() - began < 46
        assert "silent" in terminal.said
        assert flags(terminal) == before


def test_an_escape_ends_the_session_and_gives_the_terminal_back(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    with desk.sit("ssh", "box") as terminal:
        before = flags(terminal)
        terminal.expect("$ ")
        terminal.press(b"echo si''x ~.\r")
        terminal.expect("six ~.")
        terminal.press(b"~~x is $((2*3))\x15echo ti''lde\r")
        terminal.expect("tilde")
        assert "~x is" in terminal.said
        assert "~~x is" not in terminal.said
        terminal.press(b"~?")
        terminal.expect("~.   end this session")
        terminal.press(b"~.")
        assert terminal.end() == 255, terminal.said
        assert "session ended by ~." in terminal.said
        assert flags(terminal) == before


def test_an_escape_ends_a_session_whose_host_does_not_answer(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    with desk.sit("ssh", "box", "--", "echo ready; sleep 100") as terminal:
        terminal.expect("ready")
        host.cut()
        terminal.press(b"hello\r~.")
        # Not 3: nobody waited until the host counted as dead.
        assert terminal.end() == 255, terminal.said
        assert "session ended by ~." in terminal.said


def test_in_a_pipe_an_escape_is_data(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    done = subprocess.run(
        [sys.executable, "-m", "provision", "ssh", "box", "--", "cat"],
        cwd=desk.project,
        env=desk.environment,
        input=b"~.\n~~\n~?\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"~.\n~~\n~?\n"), done.stderr


def test_a_server_that_gives_no_terminal_is_explained(lab: Lab, desk: Desk) -> None:
    host = lab.host("box", sshd_config=("PermitTTY no",))
    inventory(desk, host)
    with desk.sit("ssh", "box") as terminal:
        assert terminal.end() == 3, terminal.said
    assert "refuses a terminal" in terminal.said


def test_a_proxy_command_carries_a_session(host: LabHost, desk: Desk) -> None:
    helper = desk.home / "carry"
    helper.write_text(
        f"#!{sys.executable}\n"
        "import os, socket, sys, threading\n"
        "far = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while piece := os.read(0, 65536): far.sendall(piece)\n"
        "    far.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while piece := far.recv(65536): os.write(1, piece)\n"
    )
    helper.chmod(0o755)
    inventory(desk, host, settings={"box": {"proxy_command": f"{helper} %h %p"}})
    with desk.sit("ssh", "box", "--", "hostname; exit 2") as terminal:
        assert terminal.end() == 2, terminal.said
    assert "box" in terminal.said
    assert (
        shutil.which("ps") is None
        or str(helper) not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    )
