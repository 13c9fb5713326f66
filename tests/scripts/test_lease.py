"""lease.sh: a host is held as long as its client gives signs of life, and by one run at a time."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from provision.model.plan import Program
from provision.remote import catalogue
from tests.scripts.shells import WITHOUT_TOOLS, eventually, mode

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.scripts.shells import Ended, HostOfOneShell

ME, OTHER = "dev@laptop (up, run 1)", "eve's box $(id) (up, run 2)"


def asking(host: HostOfOneShell, holder: str = ME, silence: float = 20) -> Program:
    return Program("lease.sh", (str(host.state), holder, str(silence)), data=b"")


@contextmanager
def holding(
    host: HostOfOneShell, holder: str = ME, silence: float = 20, said: bytes = b"held.\n"
) -> Iterator[subprocess.Popen[bytes]]:
    process, nonce = host.start(asking(host, holder, silence))
    try:
        out = _pipe(process.stdout)
        assert out.readline() == b"\n"
        assert out.readline() == f"{nonce} begin\n".encode()
        assert out.readline() == said
        yield process
    finally:
        process.kill()
        process.communicate()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def tried(host: HostOfOneShell, holder: str = OTHER) -> Ended:
    return host.run(asking(host, holder))


def free(host: HostOfOneShell) -> bool:
    return tried(host).code == 0


def test_a_held_host_names_its_holder_to_the_next_one(host: HostOfOneShell) -> None:
    with holding(host, OTHER):
        ended = tried(host, ME)
        assert (ended.code, ended.out) == (75, f"busy {OTHER}\n".encode())


def test_the_folder_is_the_login_users_alone_whatever_the_umask(host: HostOfOneShell) -> None:
    with holding(host):
        assert (mode(host.state), mode(host.state / "lease")) == (0o700, 0o600)
        assert mode(host.state / "lease.holder") == 0o600


def test_it_is_free_once_the_client_closes_its_side(host: HostOfOneShell) -> None:
    with holding(host) as process:
        _pipe(process.stdin).close()
        process.stdin = None
        process.wait(10)
        assert free(host)


def test_it_is_free_at_once_when_its_holder_is_killed_although_a_reader_is_left_behind(host: HostOfOneShell) -> None:
    with holding(host) as process:
        # The frame's own shell, and the one in it that holds the lock; what waits for a sign of life lives on.
        held_by = [int(one) for one in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        for one in (process.pid, *held_by):
            os.kill(one, signal.SIGKILL)
        process.wait(10)
        assert eventually(lambda: free(host), 2)


def test_it_ends_itself_when_its_client_falls_silent(host: HostOfOneShell) -> None:
    with holding(host, silence=0.3) as process:
        assert process.wait(10) == 0
        assert free(host)


def test_signs_of_life_keep_it(host: HostOfOneShell) -> None:
    with holding(host, silence=0.8) as process:
        for _ in range(6):
            _pipe(process.stdin).write(b".")
            _pipe(process.stdin).flush()
            time.sleep(0.2)
        assert process.poll() is None
        assert tried(host).code == 75


def test_the_same_holder_hears_that_nobody_held_it_between(host: HostOfOneShell) -> None:
    for said in (b"held.\n", b"held again.\n"):
        with holding(host, said=said):
            pass
        assert eventually(lambda: not _held(host), 5)
    assert tried(host, OTHER).out == b"held.\n"
    assert tried(host, ME).out == b"held.\n"


def _held(host: HostOfOneShell) -> bool:
    import fcntl

    with (host.state / "lease").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("host", WITHOUT_TOOLS, indirect=True)
def test_a_host_without_the_means_to_lock_says_which(host: HostOfOneShell) -> None:
    host.only("head", "mkdir", "timeout", "setsid")
    ended = tried(host)
    assert (ended.code, ended.err) == (69, b"the host has no flock\n")


def test_a_folder_that_cannot_be_made_is_told(host: HostOfOneShell) -> None:
    host.state.write_text("a file is in its place")
    ended = tried(host)
    assert ended.code == 73
    assert ended.err


def test_the_programs_own_limit_of_silence_is_the_catalogues() -> None:
    assert catalogue.lease("/s", ME).arguments == ("/s", ME, str(catalogue.LEASE_SILENCE))
