"""A host that lies about exit codes, steps and results, drips, floods, hangs up, or is another one in the middle."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import paramiko
import pytest

from provision.errors import LinkLostError
from provision.model.host import Host
from provision.model.plan import Program
from provision.ssh import link as link_module
from provision.ssh.link import SshLink
from provision.ssh.route import Hop, Route, Settings
from tests.abuse.hostile import EVIL, FORBIDDEN, Hostile, facts, framed, furnish, is_probe
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.cli.typed import Answer

FITTING = facts(b"end|")
LONG_AGO = b"20200101-000000-abcdef"


@dataclass
class Liar:
    """A host that answers each script by its name; what is not named is done, it says."""

    probe: Callable[[], bytes] = lambda: FITTING
    answers: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    scripts: list[str] = field(default_factory=list)
    """The last words of every script that came, which is where its arguments are."""
    hangs_up_on: str | None = None
    hang_up: Callable[[], None] = lambda: None

    def respond(self, channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        """Answer one command."""
        if is_probe(script):
            channel.sendall(framed(nonce, self.probe()))
            return
        text = script.decode(errors="replace")
        name = next((one for one in re.findall(r"^# (\w+)\.sh ", text, re.MULTILINE)), "")
        self.scripts.append(f"{name}: {text}")
        if name == self.hangs_up_on:
            self.hangs_up_on = None
            self.hang_up()
            return
        if name == "lease" and name not in self.answers:
            channel.sendall(b"\n%s begin\nheld.\n" % nonce)
            while channel.recv(100):
                pass
            return
        output, code = self.answers.get(name, (b"", 0))
        channel.sendall(framed(nonce, output, code))

    def asked(self, name: str) -> list[str]:
        """Return the scripts of that name."""
        return [one for one in self.scripts if one.startswith(f"{name}: ")]


class Turncoat(Hostile):
    """A host that becomes another one."""

    def turn(self) -> None:
        """Cut every connection; from now on the key is another."""
        self._key = paramiko.ECDSAKey.generate()
        for one in tuple(self._transports):
            one.close()


@contextmanager
def desk_at(
    tmp_path: Path, respond: Callable[[paramiko.Channel, bytes, bytes], None]
) -> Iterator[tuple[Desk, Turncoat]]:
    hostile = Turncoat(respond)
    try:
        desk = Desk(tmp_path / "home")
        furnish(desk, hostile.port)
        yield desk, hostile
    finally:
        hostile.close()


def typed(tmp_path: Path, liar: Liar, *words: str) -> Answer:
    with desk_at(tmp_path, liar.respond) as (desk, hostile):
        liar.hang_up = liar.hang_up if liar.hangs_up_on is None else hostile.turn
        answer = desk.type(*(words or ("up", "box")))
    logs = b"".join(one.read_bytes() for one in desk.home.rglob("*.log"))
    told = (answer.out + answer.err).encode()
    assert not [one for one in FORBIDDEN if one in told or one in logs], answer
    return answer


# -- exit codes and frames ---------------------------------------------------------------------------


@pytest.mark.parametrize("code", [b"256", b"512", b"999", b"-1", b"1000", b"+0", b" 0", b"0x0", b""])
def test_an_exit_code_that_no_program_has_is_no_end_of_a_command(tmp_path: Path, code: bytes) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        del script
        channel.sendall(b"\n%s begin\n%s end %s\n" % (nonce, nonce, code))
        channel.send_exit_status(0)

    with desk_at(tmp_path, respond) as (desk, _):
        answer = desk.type("exec", "box", "--", "true")
    assert answer.code == 3, answer
    assert "outcome is unknown" in answer.err


def test_only_the_first_end_of_a_command_counts(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        del script
        channel.sendall(framed(b"0" * 32, b"before\n", 9) + framed(nonce, b"real\n", 7) + framed(nonce, b"after\n", 0))

    with desk_at(tmp_path, respond) as (desk, _):
        answer = desk.type("exec", "box", "--", "true")
    assert (answer.code, answer.out) == (7, "real\n")


def test_success_without_a_result_is_not_believed(tmp_path: Path) -> None:
    output = b"sha256 " + b"0" * 64 + b"\n"
    answer = typed(tmp_path, Liar(answers={"follow": (output, 0)}))
    assert answer.code == 4, answer
    assert "its result is not there" in answer.out


# -- steps that we never made ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step", [b"../../../etc/passwd", b"$(touch pwned)", b"'; touch pwned; '", b"-rf", EVIL, b"x" * 10_000, b"\xff\xfe"]
)
def test_the_name_of_a_step_that_we_never_made_does_no_harm(tmp_path: Path, step: bytes) -> None:
    held = iter([facts(b"step|" + step, b"step.lock|held", b"end|")] * 2)
    liar = Liar(lambda: next(held, FITTING), {"lease": (b"busy x", 75)})
    liar.answers = {"follow": (EVIL, 252), "detach": (b"", 73)}
    answer = typed(tmp_path, liar)
    assert answer.code == 4, answer
    [asked] = liar.asked("follow")
    # Quoted in the script like every word, and gone to nobody but the host that made it up.
    assert "touch pwned" not in re.sub(r"'(?:[^']|'\\'')*'", "", asked.split("set -- ")[1].splitlines()[0])
    assert not list(tmp_path.rglob("pwned"))


# -- floods and drips --------------------------------------------------------------------------------


def test_half_a_gigabyte_of_facts_is_not_read_to_its_end(tmp_path: Path) -> None:
    sent = 0

    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        nonlocal sent
        del script
        channel.sendall(b"\n%s begin\n" % nonce)
        while sent < 500 << 20:
            channel.sendall(b"os|PRETTY_NAME=x\n" * 1900)
            sent += 17 * 1900
        channel.sendall(b"end|\n%s end 0\n" % nonce)

    with desk_at(tmp_path, respond) as (desk, _):
        answer = desk.type("up", "box")
    assert "more than 64 MiB" in answer.out
    assert sent < 200 << 20


@pytest.fixture
def dripping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshLink]:
    """A link to a host whose every answer comes byte by byte, for ever."""

    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        del script
        channel.sendall(b"\n%s begin\n" % nonce)
        while not channel.closed:
            channel.sendall(b".")
            time.sleep(0.01)

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    with desk_at(tmp_path, respond) as (desk, hostile):
        key = str(desk.home / ".ssh" / "id_ecdsa")
        host = Host("box", "127.0.0.1", port=hostile.port, user="root", identity_file=key)
        link = SshLink(Route((Hop(host, "root"),)), Settings())
        yield link
        link.close()


@pytest.mark.parametrize("capture", [True, False])
def test_a_drip_does_not_put_off_the_end_of_a_command_s_time(dripping: SshLink, *, capture: bool) -> None:
    with pytest.raises(LinkLostError, match="no end after 1 s"):
        dripping.run(Program("exec.sh", ("true",), timeout=1), capture=capture)


def test_a_drip_does_not_put_off_the_end_of_asking_for_the_host(
    dripping: SshLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "HOLD_SECONDS", 1.0)
    with pytest.raises(LinkLostError, match="being reserved"):
        dripping.hold(Program("lease.sh", ("/s", "me", "60"), data=b""))


# -- what is shown -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("up", "box", "-v"), ("plan", "box", "-v"), ("verify", "box"), ("hosts", "list")])
@pytest.mark.parametrize("how", ["after", "instead"])
def test_escapes_in_every_fact_do_nothing_on_the_screen_and_in_the_log(
    tmp_path: Path, words: tuple[str, ...], how: str
) -> None:
    def evil(line: bytes) -> bytes:
        key, _, text = line.partition(b"|")
        if key in {b"end", b"state_dir"}:
            return line
        return key + b"|" + (text if how == "after" else b"") + EVIL

    lines = [*FITTING.splitlines()[:-1], b"gpu.smi|present", b"problem|x", b"locked|x", b"rejected|a/b/1-c|x", b"job|x"]
    said = b"".join(evil(line) + b"\n" for line in lines) + b"end|\n"
    answer = typed(tmp_path, Liar(lambda: said, {"lease": (b"busy " + EVIL, 75)}), *words)
    assert answer.code != 1, answer


# -- hanging up --------------------------------------------------------------------------------------


def test_a_host_that_hangs_up_on_the_first_command_is_told(tmp_path: Path) -> None:
    def respond(channel: paramiko.Channel, script: bytes, nonce: bytes) -> None:
        del channel, script, nonce

    with desk_at(tmp_path, respond) as (desk, _):
        answer = desk.type("up", "box")
    assert answer.code == 3, answer
    assert "does not run commands" in answer.out


@pytest.mark.parametrize("script", ["detach", "follow", "lease"])
def test_a_host_that_comes_back_with_another_key_in_the_middle_of_a_run_gets_nothing(
    tmp_path: Path, script: str
) -> None:
    liar = Liar(hangs_up_on=script)
    answer = typed(tmp_path, liar)
    assert answer.code == 3, answer
    assert "host key" in answer.out
    assert "is not the one" in answer.out or "changed" in answer.out
    # What it was cut off in is the last that was ever asked.
    assert liar.scripts[-1].startswith(f"{script}: ")
