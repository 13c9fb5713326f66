"""What hosts print: without an end, without a limit, without an encoding, with control characters."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.engine.perform import Lines
from provision.events import StepOutput
from tests.faults.inside import only_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.events import Event
    from tests.end_to_end.laptop import Laptop
    from tests.faults.conftest import Size
    from tests.faults.typed import Typed
    from tests.lab.lab import Lab

pytestmark = pytest.mark.timeout(300)


def shown(*pieces: bytes) -> list[str]:
    told: list[str] = []

    def emit(event: Event) -> None:
        assert isinstance(event, StepOutput)
        told.append(event.line)

    lines = Lines(emit, ("secret",))
    for piece in pieces:
        lines.feed(piece)
    lines.finish()
    return told


def test_lines_are_the_same_however_the_stream_was_cut() -> None:
    text = "one\r\nprogress 1\rprogress 2\r\nümlaut ✓\n\nlast".encode()
    whole = shown(text)
    assert whole == ["one", "progress 1", "progress 2", "ümlaut ✓", "last"]
    for cut in range(len(text)):
        assert shown(text[:cut], text[cut:]) == whole
    assert shown(*(bytes([one]) for one in text)) == whole


def test_half_a_character_at_the_end_and_bytes_that_are_no_text_are_shown_as_replaced() -> None:
    assert shown("ok\n✓".encode()[:-1]) == ["ok", "�"]
    assert shown(b"\xff\xfe\n") == ["��"]


def test_a_secret_that_is_cut_in_two_is_still_hidden() -> None:
    assert shown(b"token sec", b"ret!\n") == ["token ***!"]


@pytest.mark.lab
def test_a_line_without_an_end_is_seen_while_its_step_still_runs_and_in_the_end(
    lab: Lab, laptop: Laptop, typed: Callable[..., Typed]
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    only_command(laptop, "echo first; printf asking...; sleep 6; printf answered; printf 'last words'")
    run = typed("up", "-v")
    run.until("    first", 20)
    run.until("    asking...", 20)
    assert "    answered" not in run.text
    assert run.wait() == 0, run.text
    assert "    answeredlast words\n" in run.text


@pytest.mark.lab
def test_control_characters_of_a_host_never_reach_the_terminal_raw(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    nasty = r"printf '\033]52;c;aGk=\007\033[2J\302\233\342\200\256 \377\376 \033]0;owned\007 shown\n'; exit 3"
    only_command(laptop, nasty)
    for words in (("up", "-v"), ("up",), ("up", "--json")):
        answer = laptop.type(*words)
        assert answer.code == 4, answer
        for text in (answer.out, answer.err):
            assert not set(text) & {chr(code) for code in (*range(9), *range(11, 32), 127, *range(128, 160), 0x202E)}
    assert "shown" in laptop.type("up", "-v").err + laptop.type("up", "-v").out


@pytest.mark.lab
def high_water_kib(pid: int) -> int:
    """The most memory that a process has had since it was started, in KiB; 0 when it is gone."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found.group(1)) if found else 0
    return 0


def test_a_step_that_prints_without_measure_costs_no_memory(lab: Lab, laptop: Laptop, size: Size) -> None:
    mib = size(12, 100)
    box = lab.host("box")
    laptop.hosts([box])
    line = "x" * 78
    only_command(
        laptop, f"yes {line} | head -c {mib << 20}; head -c {mib << 20} /dev/zero | tr '\\0' y; echo; echo end"
    )
    process = laptop.start("up")
    peak = 0
    # Not rusage's: that counts the memory of the test process too, which the child had before it became provision.
    while process.poll() is None:
        peak = max(peak, high_water_kib(process.pid))
        time.sleep(0.02)
    assert process.stdout is not None
    text = process.stdout.read()
    process.stdout.close()
    assert process.returncode == 0, text
    assert 20 << 10 < peak < 150 << 10
