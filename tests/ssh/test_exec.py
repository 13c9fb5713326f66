"""`provision exec` as a user types it: many hosts, exit codes, hostile output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.ssh.reach import inventory

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.unit.cli.typed import Desk

pytestmark = pytest.mark.lab

SOAK = bool(os.environ.get("PROVISION_SOAK"))
MIB = 1 << 20


def test_each_line_of_many_hosts_has_its_hosts_name(lab: Lab, desk: Desk) -> None:
    hosts = lab.fleet(["one", "second", "third"])
    inventory(desk, *hosts)
    answer = desk.type("exec", "all", "--", "hostname; echo wrong >&2; printf 'no end'")
    assert answer.code == 0, answer
    expected = {f"{name:<6} | {text}" for name in ("one", "second", "third") for text in (name, "no end")}
    assert set(answer.out.splitlines()) == expected
    assert {line for line in answer.err.splitlines() if " | " in line} == {
        f"{name:<6} | wrong" for name in ("one", "second", "third")
    }


@pytest.mark.parametrize("code", [0, 1, 3, 126, 127, 130, 255])
def test_one_host_passes_its_exit_code_on(host: LabHost, desk: Desk, code: int) -> None:
    inventory(desk, host)
    assert desk.type("exec", "box", "--", f"exit {code}").code == code


def test_a_command_killed_by_a_signal_has_the_shells_code(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    answer = desk.type("exec", "box", "--", "kill -9 $$")
    assert answer.code == 137, answer


def test_several_hosts_are_four_if_any_failed_and_three_if_any_was_not_reached(lab: Lab, desk: Desk) -> None:
    one, two, three = lab.fleet(["one", "two", "three"])
    inventory(desk, one, two, three)
    assert desk.type("exec", "all", "--", "true").code == 0
    answer = desk.type("exec", "all", "--", '[ "$(hostname)" != two ]')
    assert answer.code == 4, answer
    two.stop_sshd()
    answer = desk.type("exec", "all", "--", "hostname")
    assert answer.code == 3, answer
    assert set(answer.out.splitlines()) == {"one   | one", "three | three"}
    assert f"two: {two.address}:22: Connection refused" in answer.err
    assert "two: two:" not in answer.err


def test_words_after_the_dashes_arrive_as_typed_and_a_single_one_is_shell_text(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    words = ["a b", "", "$HOME", "'", '"', "\\", "*", "!x", "line\nbreak", "-n", "--", "é"]
    answer = desk.type("exec", "box", "--", "printf", "[%s]\\n", *words)
    assert answer.out == "".join(f"[{word}]\n" for word in words), answer
    answer = desk.type("exec", "box", "--", "echo $((6*7)) | tr 2 3")
    assert answer.out == "43\n", answer


def test_tabs_and_trailing_blanks_reach_a_file_as_they_are(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    assert desk.type("exec", "box", "--", r"printf 'a\tb  \n\n  c'").out == "a\tb  \n\n  c\n"


HOSTILE = (
    r"printf '\033[2J\033]52;c;aGk=\007\033]0;title\007\302\233\342\200\256evil\342\200\255\rback\bx\010\000\377\n';"
    r"printf '\033]8;;http://x\033\\link\n' >&2"
)


def test_hostile_output_never_reaches_the_terminal_raw(lab: Lab, desk: Desk) -> None:
    hosts = lab.fleet(["one", "two"])
    inventory(desk, *hosts)
    for names in (("one",), ("one", "two")):
        answer = desk.type("exec", *names, "--", HOSTILE)
        assert answer.code == 0, answer
        with desk.sit("exec", *names, "--", HOSTILE) as terminal:
            assert terminal.end() == 0
        for text in (answer.out, answer.err, terminal.said.replace("\r\n", "\n")):
            assert not set(text) & set("\x1b\x07\x9b\x08\x00\r\u202e\u202d")
        assert "\\x1b[2J" in answer.out
        assert "\\x1b]8" in answer.err
        assert "evil" in terminal.said


def test_hostile_output_of_a_refused_command_is_not_raw_either(lab: Lab, desk: Desk) -> None:
    host = lab.host("box", sshd_config=("ForceCommand printf '\\033]0;t\\007no\\033[31m'",))
    inventory(desk, host)
    answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert "\x1b" not in answer.err
    assert "does not run commands" in answer.err


def test_as_json_there_is_one_document_with_what_each_host_said(lab: Lab, desk: Desk) -> None:
    one, two, three = lab.fleet(["one", "two", "three"])
    inventory(desk, one, two, three)
    three.stop_sshd()
    command = r"printf 'a\tb\033[1m\nc'; echo e >&2; [ $(hostname) = one ]"
    answer = desk.type("exec", "all", "--json", "--", command)
    assert answer.code == 3, answer
    document = json.loads(answer.out)
    assert (document["schema_version"], document["command"], document["exit_code"]) == (1, "exec", 3)
    assert "\x1b" not in answer.out
    first, second, third = (document["hosts"][name] for name in ("one", "two", "three"))
    assert first == {
        "outcome": "changed",
        "exit_code": 0,
        "stdout": ["a\tb\x1b[1m", "c"],
        "stderr": ["e"],
        "cut": False,
        "error": None,
    }
    assert (second["outcome"], second["exit_code"]) == ("failed", 1)
    assert (third["outcome"], third["exit_code"], third["error"]["kind"]) == ("unreachable", None, "network")


def test_ctrl_c_ends_the_commands_on_the_hosts(lab: Lab, desk: Desk) -> None:
    hosts = lab.fleet(["one", "two"])
    inventory(desk, *hosts)
    with desk.sit("exec", "all", "--", "echo begun; sleep 987") as terminal:
        terminal.expect("begun")
        terminal.expect("begun") if terminal.said.count("begun") < 2 else None
        began = time.monotonic()
        terminal.press(b"\x03")
        assert terminal.end() == 130, terminal.said
    assert time.monotonic() - began < 10
    assert "asked to end" in terminal.said
    deadline = time.monotonic() + 10
    while any("987" in process.command for one in hosts for process in one.processes()):
        assert time.monotonic() < deadline, [one.processes() for one in hosts]
        time.sleep(0.1)


def test_fail_fast_begins_no_more_hosts_and_lets_the_running_ones_end(lab: Lab, desk: Desk) -> None:
    hosts = lab.fleet(["one", "two", "three"])
    inventory(desk, *hosts)
    command = "case $(hostname) in one) sleep 2; echo done;; two) exit 1;; *) echo begun;; esac"
    answer = desk.type("exec", "one", "two", "three", "--forks", "2", "--fail-fast", "--", command)
    assert answer.code == 4, answer
    assert "one   | done" in answer.out
    assert "begun" not in answer.out
    assert "three: not begun" in answer.err


def test_a_command_that_takes_too_long_has_an_unknown_end(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    answer = desk.type("exec", "box", "--timeout", "2", "--", "sleep 987")
    assert answer.code == 3, answer
    assert "unknown" in answer.err


def measured(desk: Desk, command: str) -> tuple[int, float, int]:
    """Return the bytes printed, the seconds, and the most memory in MiB that the typed command had."""
    code = (
        "import subprocess, sys, resource, time\n"
        "began = time.monotonic()\n"
        "process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "size = 0\n"
        "while piece := process.stdout.read(1 << 20): size += len(piece)\n"
        "assert process.wait() == 0\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(size, time.monotonic() - began, peak)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, sys.executable, "-m", "provision", "exec", "box", "--", command],
        cwd=desk.project,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    size, seconds, peak = done.stdout.split()
    return int(size), float(seconds), int(peak) >> 10


@pytest.mark.timeout(600)
def test_endless_output_passes_in_bounded_memory(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    _, _, idle = measured(desk, "true")
    count = (1024 if SOAK else 200) * MIB
    size, seconds, peak = measured(desk, f"yes 0123456789012345678901234567890123456789012345678 | head -c {count}")
    assert size == count + (count % 50 != 0)
    assert peak - idle < 64
    print(f"{count / MIB / seconds:.0f} MiB/s, {peak} MiB against {idle} MiB")
    assert count / MIB / seconds > 5


def test_one_line_of_a_hundred_megabytes_passes_in_bounded_memory(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    _, _, idle = measured(desk, "true")
    size, seconds, peak = measured(desk, f"head -c {100 * MIB} /dev/zero | tr '\\0' x")
    assert 100 * MIB <= size <= 100 * MIB + 2000
    assert peak - idle < 64
    assert seconds < 60


def test_a_document_keeps_the_end_of_endless_output(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    answer = desk.type("exec", "box", "--json", "--", "seq 1 4000000")
    box = json.loads(answer.out)["hosts"]["box"]
    assert box["stdout"][-1] == "4000000"
    assert box["cut"] is True
    assert sum(map(len, box["stdout"])) <= 16 << 20


def test_a_reader_that_goes_away_ends_the_command(host: LabHost, desk: Desk) -> None:
    inventory(desk, host)
    process = subprocess.Popen(
        [sys.executable, "-m", "provision", "exec", "box", "--", "yes"],
        cwd=desk.project,
        env=desk.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdout.read(4096)
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(30) != 0
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stderr.close()
    assert b"Traceback" not in error
    assert b"bug" not in error


def test_noise_of_rc_files_never_shows(lab: Lab, desk: Desk) -> None:
    host = lab.host(
        "box",
        rc_noise=True,
        files=(("/home/ubuntu/.ssh/rc", "echo rc-noise; echo rc-noise >&2; cat >/dev/null\n", 0o644),),
    )
    inventory(desk, host)
    answer = desk.type("exec", "box", "--", "echo one")
    assert (answer.code, answer.out) == (0, "one\n"), answer
    assert "rc-noise" not in answer.err
