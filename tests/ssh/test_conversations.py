"""Conversations: a program that listens and answers, both ways at once, over every login shell."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from provision.errors import LinkLostError, UnsupportedHostError
from provision.model.plan import Program
from tests.lab.machine import wait_until
from tests.ssh.reach import link

if TYPE_CHECKING:
    from provision.model.link import Conversation
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

SAY = "printf '\\n%s begin\\n%s' \"$PROVISION_NONCE\" hello; "


def talk(text: str, *words: str) -> Program:
    return Program("exec.sh", ("sh", "-c", SAY + text, "sh", *words))


def heard(conversation: Conversation, length: int) -> bytes:
    """Return so many bytes of what the program says."""
    said = b""
    while len(said) < length:
        said += conversation.receive(10)
    return said


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh", "busybox", "zsh"])
def test_bytes_go_both_ways_whatever_the_login_shell_is(lab: Lab, shell: str) -> None:
    host = lab.host("box", login_shell=shell)
    awkward = "a'b\"c\\d$e`f!g\nh é"
    with link(host) as made:
        conversation = made.converse(talk('printf %s "$1"; exec cat', awkward))
        assert heard(conversation, 5 + len(awkward.encode())) == b"hello" + awkward.encode()
        for data in (b"one", bytes(range(256)), b"\n\r\x00\x1b"):
            conversation.send(data)
            assert heard(conversation, len(data)) == data
        conversation.finish()
        with pytest.raises(LinkLostError):
            conversation.receive(10)


def test_what_rc_files_print_is_not_heard(lab: Lab) -> None:
    host = lab.host("box", rc_noise=True)
    with link(host) as made:
        conversation = made.converse(talk("exec cat"))
        assert heard(conversation, 5) == b"hello"


def test_much_goes_both_ways_at_once(host: LabHost) -> None:
    data = os.urandom(1 << 20) * 24
    digest = hashlib.sha256()
    with link(host) as made:
        conversation = made.converse(talk("exec cat"))
        assert heard(conversation, 5) == b"hello"
        sender = threading.Thread(target=conversation.send, args=(data,))
        sender.start()
        left = len(data)
        while left:
            piece = conversation.receive(20)
            left -= len(piece)
            digest.update(piece)
        sender.join()
    assert digest.digest() == hashlib.sha256(data).digest()


def test_silence_is_nothing_heard_and_no_error(host: LabHost) -> None:
    with link(host) as made:
        conversation = made.converse(talk("exec sleep 30"))
        assert heard(conversation, 5) == b"hello"
        assert conversation.receive(0.3) == b""


def test_a_program_that_says_much_on_stderr_is_not_held_up(host: LabHost) -> None:
    with link(host) as made:
        conversation = made.converse(talk("head -c 8000000 /dev/zero >&2; printf end"))
        assert heard(conversation, 8) == b"helloend"


def test_a_lost_link_ends_the_sending_and_the_hearing(host: LabHost) -> None:
    with link(host) as made:
        conversation = made.converse(talk("exec cat >/dev/null"))
        assert heard(conversation, 5) == b"hello"
        host.reset_connections()
        with pytest.raises(LinkLostError):
            conversation.receive(10)
        with pytest.raises(LinkLostError):
            conversation.send(b"more")


def test_a_program_that_is_closed_is_told_to_end(host: LabHost) -> None:
    with link(host) as made:
        conversation = made.converse(
            talk("exec 2>/dev/null; trap 'echo ended >said; exit' TERM; while :; do sleep 0.05; done")
        )
        assert heard(conversation, 5) == b"hello"
        conversation.close()
        told = made.converse(talk("while [ ! -s said ]; do sleep 0.05; done; cat said"))
        assert heard(told, 11) == b"helloended\n"


def test_a_host_that_cannot_unpack_the_script_gets_it_as_it_is(lab: Lab) -> None:
    host = lab.host("box", without=("base64",))
    with link(host) as made:
        conversation = made.converse(talk("exec cat"))
        assert heard(conversation, 5) == b"hello"
        conversation.send(b"and now?")
        assert heard(conversation, 8) == b"and now?"


def test_a_gateway_that_runs_no_commands_is_told_as_such(lab: Lab) -> None:
    host = lab.host("box", login_shell="nologin")
    with link(host) as made:
        conversation = made.converse(talk("exec cat"))
        with pytest.raises(UnsupportedHostError, match="does not run commands"):
            conversation.receive(10)


@pytest.mark.parametrize("command", ["exec sleep 30", "sleep 30; exit $?"], ids=["itself", "below its shell"])
def test_a_program_that_is_killed_before_its_first_word_is_a_lost_link_and_no_verdict_on_the_host(
    host: LabHost, command: str
) -> None:
    with link(host) as made:
        conversation = made.converse(Program("exec.sh", ("sh", "-c", command)))
        wait_until(lambda: any("sleep" in one.command for one in host.processes()), "it never began")
        host.run(["pkill", "-KILL", "-x", "sleep"])
        with pytest.raises(LinkLostError, match="killed"):
            conversation.receive(10)


def test_a_gateway_that_refuses_every_command_is_told_as_such(lab: Lab) -> None:
    host = lab.host("box", exec_refused=True)
    with link(host) as made, pytest.raises(UnsupportedHostError):
        made.converse(talk("exec cat")).receive(10)
