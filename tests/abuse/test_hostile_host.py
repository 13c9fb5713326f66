"""A host that lies, floods, stalls and hides: it gets one clear line, and nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.abuse.hostile import EVIL, FORBIDDEN, Hostile, facts, framed, furnish, is_probe
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import paramiko

    from tests.unit.cli.typed import Answer


def typed(tmp_path: Path, respond: Callable[[paramiko.Channel, bytes, bytes], None]) -> Answer:
    hostile = Hostile(respond)
    try:
        desk = Desk(tmp_path / "home")
        furnish(desk, hostile.port)
        answer = desk.type("up", "box")
    finally:
        hostile.close()
    logs = b"".join(one.read_bytes() for one in desk.home.rglob("*.log"))
    told = (answer.out + answer.err).encode()
    assert not [one for one in FORBIDDEN if one in told or one in logs], answer
    assert answer.code not in {0, 1}, answer
    return answer


def flood(channel: paramiko.Channel, piece: bytes) -> None:
    while True:
        channel.sendall(piece)


def test_escapes_in_every_fact_and_in_output_are_shown_and_do_nothing(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        evil = facts(b"problem|" + EVIL, b"os|PRETTY_NAME=" + EVIL, b"record|" + EVIL, b"end|")
        channel.sendall(framed(nonce, evil) if is_probe(script) else framed(nonce, b"busy " + EVIL, 75))

    assert "\\x1b" in typed(tmp_path, respond).out


def test_facts_that_no_argument_can_carry_crash_nothing(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        said = facts(b"end|").replace(b"/home/ubuntu", b"/ho\0me/\xff")
        channel.sendall(framed(nonce, said) if is_probe(script) else framed(nonce, b"", 73))

    typed(tmp_path, respond)


def test_an_end_line_that_never_ends_does_not_fill_the_memory(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, _script: bytes, nonce: bytes) -> None:
        channel.sendall(b"\n%s begin\n%s end " % (nonce, nonce))
        flood(channel, b"z" * 32768)

    assert "more than 64 MiB" in typed(tmp_path, respond).out


def test_millions_of_facts_are_refused(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, _script: bytes, nonce: bytes) -> None:
        channel.sendall(framed(nonce, facts(b"a|b\n" * 2_000_000, b"end|")))

    assert "lines" in typed(tmp_path, respond).out


def test_what_comes_after_the_end_keeps_nobody(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        channel.sendall(framed(nonce, facts(b"end|") if is_probe(script) else b"", 0 if is_probe(script) else 73))
        flood(channel, b"z" * 32768)

    typed(tmp_path, respond)


def test_an_end_line_with_a_guessed_nonce_is_noise(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, _script: bytes, _nonce: bytes) -> None:
        channel.sendall(framed(b"0" * 32, facts(b"end|")))
        channel.send_exit_status(0)

    assert "does not run commands" in typed(tmp_path, respond).out


def test_a_host_that_drops_every_lease_is_given_up(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        if is_probe(script):
            channel.sendall(framed(nonce, facts(b"end|")))

    assert "being reserved" in typed(tmp_path, respond).out


def test_the_name_of_a_lease_s_holder_has_an_end(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        channel.sendall(
            framed(nonce, facts(b"end|")) if is_probe(script) else framed(nonce, b"busy " + b"x" * 10**6, 75)
        )

    answer = typed(tmp_path, respond)
    assert answer.code == 6
    assert len(answer.out) < 2000


@pytest.mark.parametrize("kind", ["auth-agent@openssh.com", "x11", "forwarded-tcpip", "session"])
def test_a_host_that_asks_for_a_channel_back_is_refused(tmp_path: Path, kind: str) -> None:
    opened: list[str] = []

    def respond(channel: paramiko.Channel, _script: bytes, nonce: bytes) -> None:
        import paramiko as library

        try:
            channel.get_transport().open_channel(kind, ("127.0.0.1", 22), ("127.0.0.1", 22), timeout=5)
            opened.append(kind)
        except library.SSHException:
            pass
        channel.sendall(framed(nonce, b"", 1))

    typed(tmp_path, respond)
    assert opened == []
