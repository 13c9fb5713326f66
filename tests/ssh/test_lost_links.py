"""A link that is lost, frozen, lossy or slow while a command runs: never done, never failed, never for ever."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from provision.errors import LinkLostError
from provision.model.plan import Program
from provision.ssh import profile
from tests.ssh.reach import link, ran, shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.ssh.link import SshLink
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

SOAK = bool(os.environ.get("PROVISION_SOAK"))
MIB = 1 << 20


def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Shorten the limits of a frozen peer, but not at full size; return the seconds that are promised."""
    if SOAK:
        return 45.0
    monkeypatch.setattr(profile, "HEARTBEAT", 0.5)
    monkeypatch.setattr(profile, "SILENCE", 3.0)
    return 6.0


def when_begun(made: SshLink, text: str, event: Callable[[], object]) -> float:
    """Run a command, make the event happen once it has begun, and return the seconds until the link is lost."""
    happened: list[float] = []

    def take(name: str, piece: bytes) -> None:
        del name
        if b"begun" in piece and not happened:
            happened.append(time.monotonic())
            event()

    with pytest.raises(LinkLostError):
        made.run(shell(f"echo begun; {text}", timeout=200), on_output=take)
    return time.monotonic() - happened[0]


@pytest.mark.parametrize("fault", ["freeze", "cut"])
def test_a_frozen_or_unreachable_peer_is_noticed_in_time_and_reached_again(
    host: LabHost, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    promised = impatient(monkeypatch)
    with link(host) as made:
        try:
            assert when_begun(made, "sleep 300", getattr(host, fault)) < promised
        finally:
            (host.thaw if fault == "freeze" else host.heal)()
        made.reconnect()
        assert ran(made, "echo again").stdout == b"again\n"


def test_a_peer_that_freezes_while_it_takes_our_data_is_noticed_too(
    host: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = impatient(monkeypatch)
    with link(host) as made:
        ran(made, "true")
        began = 0.0

        def freeze() -> None:
            nonlocal began
            began = time.monotonic()
            host.freeze()

        threading.Timer(0.5, freeze).start()
        try:
            with pytest.raises(LinkLostError):
                made.run(shell("cat >/dev/null", timeout=200, data=b""), stream=io.BufferedReader(_Endless()))
            assert time.monotonic() - began < promised
        finally:
            host.thaw()


class _Endless(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return len(buffer)


@pytest.mark.parametrize("fault", ["reset", "killed sshd"])
def test_a_connection_that_is_reset_or_killed_is_unknown_at_once(host: LabHost, fault: str) -> None:
    def kill() -> None:
        for process in host.processes():
            if process.command.startswith("sshd: ubuntu"):
                host.run(["kill", "-9", str(process.pid)], check=True)

    with link(host) as made:
        ran(made, "true")
        seconds = when_begun(made, "sleep 300", host.reset_connections if fault == "reset" else kill)
        assert seconds < 5
        made.reconnect()
        assert ran(made, "echo again").stdout == b"again\n"


def test_a_short_silence_of_the_link_changes_nothing(host: LabHost) -> None:
    with link(host) as made:
        healed = threading.Timer(4, host.heal)

        def take(name: str, piece: bytes) -> None:
            del name
            if b"begun" in piece:
                host.cut()
                healed.start()

        done = made.run(shell("echo begun; sleep 2; echo end"), on_output=take)
    assert (done.code, done.stdout) == (0, b"begun\nend\n")


def moved(made: SshLink, size: int) -> None:
    """Send and fetch so many bytes, and compare what arrived by its hash."""
    data = secrets.token_bytes(size)
    digest = hashlib.sha256(data).hexdigest()
    done = made.run(shell("sha256sum", data=b"", timeout=250), stream=io.BytesIO(data))
    assert done.stdout.split()[0].decode() == digest
    assert made.run(shell("cat >/tmp/sent", data=b"", timeout=250), stream=io.BytesIO(data)).code == 0
    seen = hashlib.sha256()

    def take(name: str, piece: bytes) -> None:
        if name == "stdout":
            seen.update(piece)

    made.run(shell("cat /tmp/sent", timeout=250), on_output=take, capture=False)
    assert seen.hexdigest() == digest


def test_fifty_megabytes_pass_both_ways_over_a_long_link(lab: Lab) -> None:
    host = lab.host("box", latency_ms=100)
    size = (50 if SOAK else 20) * MIB
    with link(host) as made:
        ran(made, "true")
        began = time.monotonic()
        moved(made, size)
        seconds = time.monotonic() - began
    print(f"{3 * size / MIB / seconds:.1f} MiB/s over three ways at 100 ms")
    assert 3 * size / MIB / seconds > 2


@pytest.mark.parametrize(("loss", "latency"), [(1, 0), (5, 0), (1, 200)] if SOAK else [(1, 0), (5, 20)])
def test_a_lossy_link_is_slow_and_exact(lab: Lab, loss: float, latency: float) -> None:
    host = lab.host("box", loss_percent=loss, latency_ms=latency)
    with link(host) as made:
        moved(made, (8 if SOAK else 2) * MIB)


def test_a_storm_of_new_keys_changes_no_byte(lab: Lab) -> None:
    host = lab.host("box", sshd_config=("RekeyLimit 1M",))
    with link(host) as made:
        moved(made, (40 if SOAK else 12) * MIB)


def test_closing_from_another_thread_ends_a_running_command(host: LabHost) -> None:
    with link(host) as made:
        threading.Timer(0.5, made.close).start()
        began = time.monotonic()
        with pytest.raises(LinkLostError):
            ran(made, "sleep 100")
        assert time.monotonic() - began < 5


def test_a_jump_host_that_dies_is_a_lost_link(lab: Lab) -> None:
    gate = lab.host("gate")
    inner = lab.host("inner", jump=gate)
    with link(gate, inner) as made:
        ran(made, "true")
        assert when_begun(made, "sleep 300", gate.reset_connections) < 5
        made.reconnect()
        assert ran(made, "echo again").stdout == b"again\n"


def breaks_on_the_next_write(made: SshLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the link what paramiko finds where the peer went between its last word and ours."""

    def gone(data: bytes) -> None:
        del data
        raise EOFError

    monkeypatch.setattr(made._connections[0].transport.packetizer, "write_all", gone)


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_link_that_is_found_lost_by_reading_from_it_is_a_lost_link_and_no_bug(
    host: LabHost, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """Reading writes: the peer is told that it may send as much again."""
    with link(host) as made:

        def take(name: str, piece: bytes) -> None:
            del name
            if piece:
                breaks_on_the_next_write(made, monkeypatch)

        with pytest.raises(LinkLostError):
            made.run(shell(f"head -c 9000000 /dev/zero >&{stream}; sleep 30"), on_output=take)


def test_a_conversation_over_a_link_that_is_lost_unseen_ends_as_a_lost_link(
    host: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "printf '\\n%s begin\\n%s' \"$PROVISION_NONCE\" hello; exec head -c 9000000 /dev/zero"
    with link(host) as made:
        conversation = made.converse(Program("exec.sh", ("sh", "-c", text)))
        assert conversation.receive(10).startswith(b"hello")
        breaks_on_the_next_write(made, monkeypatch)
        with pytest.raises(LinkLostError):
            any(conversation.receive(1) == b"never" for _ in range(1000))
        with pytest.raises(LinkLostError):
            conversation.send(b"more")
        conversation.finish()
        conversation.close()
