"""What a job prints is kept as it is: every byte, and by whom and when; a full disk loses output, and no job."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab import controller
from tests.scripts.launch_client import PATIENCE
from tests.scripts.shells import eventually
from tests.scripts.supervised_jobs import RUN, Site, made_site, script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = 1 << 20


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with made_site(tmp_path) as site:
        yield site


@contextlib.contextmanager
def small_disk(site: Site, size: int = SMALL) -> Iterator[None]:
    """Let the folders of jobs lie on a disk of this size."""
    from tests.lab.syscalls import mount, unmount

    reason = controller.why_not()
    if reason is not None:
        pytest.skip(reason)
    mount("small", site.state / "jobs", "tmpfs", options=f"size={size},mode=700")
    try:
        yield
    finally:
        site.end()
        unmount(site.state / "jobs")


def test_both_streams_are_kept_apart_and_in_their_order(site: Site) -> None:
    text = """
        import os, time
        for number in range(4):
            os.write(1 + number % 2, b"%d\\0\\xff\\r\\n" % number)
            time.sleep(0.3)
    """
    job = site.run(*script(text))
    assert job.runs() == [(number % 2, b"%d\0\xff\r\n" % number) for number in range(4)]
    assert (job.folder / "log").read_bytes() == b"".join(b"%d\0\xff\r\n" % number for number in range(4))


def test_much_output_of_both_streams_is_kept_to_the_byte(site: Site) -> None:
    text = """
        import os, threading
        def much(fd, start):
            with open(fd, "wb") as stream:
                for number in range(2000):
                    stream.write(bytes((start + number * 7 + i) % 256 for i in range(1009)))
        threads = [threading.Thread(target=much, args=one) for one in ((1, 0), (2, 100))]
        for one in threads: one.start()
        for one in threads: one.join()
    """
    job = site.run(*script(text))
    for stream, start in ((0, 0), (1, 100)):
        expected = b"".join(bytes((start + number * 7 + i) % 256 for i in range(1009)) for number in range(2000))
        assert job.printed(stream) == expected


def test_the_time_of_what_comes_later_is_known(site: Site) -> None:
    began = time.time()
    job = site.run("sh", "-c", "echo a; sleep 0.1; echo b; sleep 1.2; echo c")
    index = (job.folder / "log.index").read_bytes()
    records = [RUN.unpack_from(index, at) for at in range(0, len(index), RUN.size)]
    assert [(value >> 2, value & 3) for _, value in records] == [(0, 0), (4, 0)]
    assert began - 1 <= records[0][0] / 1000 <= records[1][0] / 1000 - 1 <= time.time()


def test_the_last_output_of_what_is_ended_is_kept(site: Site) -> None:
    text = """
        import os, signal, sys, time
        def last(*_):
            os.write(2, b"last words of a child")
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, last)
            os.write(1, b".")
            time.sleep(600)
        time.sleep(0.5)
    """
    job = site.run(*script(text))
    assert job.printed(1) == b"last words of a child"
    assert job.wait()["ended_others"] == 1


def test_a_job_that_closes_its_output_goes_on(site: Site) -> None:
    job = site.run("sh", "-c", "echo one; exec >&- 2>&-; sleep 0.3; exit 6")
    assert (job.ended(), job.printed(0)) == (("exited", 6, None, None), b"one\n")


FILL = """
import os, sys, time
total = 0
while total < 3 << 20:
    total += os.write(1, b"%0999d\\n" % total)
print("full", file=open("full", "w"))
while not os.path.exists("room"):
    time.sleep(0.02)
time.sleep(2.5)
os.write(1, b"after the gap\\n")
sys.exit(5)
"""


@pytest.mark.lab
def test_a_full_disk_loses_output_and_says_where_and_how_much(site: Site) -> None:
    with small_disk(site):
        (site.state / "jobs" / "other").write_bytes(bytes(SMALL // 4))
        job = site.make(sys.executable, "-c", FILL)
        job.start()
        assert eventually((site.tree / "full").exists, PATIENCE)
        (site.state / "jobs" / "other").unlink()
        (site.tree / "room").touch()
        assert job.ended() == ("exited", 5, None, None)
        lost = job.wait()["log_lost"]
        before, note, after = job.runs()
    written = b"".join(b"%0999d\n" % total for total in range(0, 3 << 20, 1000))
    assert before == (0, written[: len(before[1])])
    assert after == (0, b"after the gap\n")
    assert note == (2, b"\n%d bytes of output were lost here: the disk was full\n" % lost)
    assert lost == len(written) - len(before[1])


@pytest.mark.lab
def test_a_disk_that_stays_full_keeps_no_job_from_its_end(site: Site) -> None:
    with small_disk(site):
        job = site.make("sh", "-c", "head -c 3000000 /dev/zero; exit 5")
        job.start()
        assert job.ended() == ("exited", 5, None, None)
        assert job.wait()["log_lost"] == 3000000 - (job.folder / "log").stat().st_size
        assert job.state()["state"] == "running"
        assert not (job.folder / "reserve").exists()


@pytest.mark.lab
def test_a_job_begins_on_a_disk_that_is_full_already(site: Site) -> None:
    with small_disk(site):
        job = site.make("sh", "-c", "echo one >ran; echo two; exit 5")
        with contextlib.suppress(OSError), (site.state / "jobs" / "other").open("wb", buffering=0) as stream:
            while True:
                stream.write(os.urandom(4096))
        job.start()
        assert job.ended() == ("exited", 5, None, None)
        assert job.state()["state"] == "running"
    assert (site.tree / "ran").read_text() == "one\n"
