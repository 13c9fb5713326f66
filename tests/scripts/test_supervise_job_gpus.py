"""Jobs that need GPUs have them one after the other, in the order of their launches, and for themselves."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts.job_folders import hold
from tests.scripts.launch_client import PATIENCE
from tests.scripts.shells import eventually
from tests.scripts.supervised_jobs import CARDS, Job, Site, made_site, sleep

if TYPE_CHECKING:
    from collections.abc import Iterator

WAITING = PATIENCE


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with made_site(tmp_path) as site:
        yield site


def make(site: Site, *command: str, gpus: int | None = 1, cards: Any = CARDS, **more: Any) -> Job:
    return site.make(*command, gpus=gpus, cards=cards, **more)


def running(job: Job) -> bool:
    return bool(job.state()) and job.state()["state"] == "running"


def waits_for(job: Job, text: str) -> bool:
    """Return whether it comes to wait for this."""

    def is_so() -> bool:
        waiting = (job.state() or {}).get("waiting")
        return waiting is not None and waiting["text"] == text

    return eventually(is_so, WAITING)


def tickets(site: Site) -> int:
    return len(list((site.state / "queue").glob("*-*")))


@pytest.mark.parametrize(("cards", "gpus"), [(CARDS[:1], 1), (CARDS, 1), (CARDS, 2)])
def test_jobs_begin_in_the_order_of_the_row_and_never_share_a_gpu(
    site: Site, cards: tuple[str, ...], gpus: int
) -> None:
    note = 'echo "begin $CUDA_VISIBLE_DEVICES" >>said; sleep 0.2; echo "end $CUDA_VISIBLE_DEVICES" >>said'
    jobs = [make(site, "sh", "-c", note, gpus=gpus, cards=cards) for _ in range(10 if gpus == 1 else 4)]
    # The last launched are the first that are at work.
    for job in reversed(jobs):
        job.start(pause=False)
    began = []
    for job in jobs:
        assert eventually(lambda job=job: job.said("end") is not None, WAITING)  # type: ignore[misc]
        assert job.ended() == ("exited", 0, None, None)
        began.append(job.wait()["started"])
    assert began == sorted(began)
    used: set[str] = set()
    for line in (site.tree / "said").read_text().splitlines():
        what, names = line.split()
        for name in names.split(","):
            assert name in cards
            assert (name in used) == (what == "end")
            used.symmetric_difference_update({name})
    assert not tickets(site)


def test_what_a_job_waits_for_is_told(site: Site) -> None:
    site.use({}, [(CARDS[1], os.getpid(), "/usr/bin/python3")])
    first, second, third = (make(site, *sleep(), gpus=count) for count in (1, 1, 2))
    first.start()
    assert eventually(lambda: running(first), WAITING)
    second.start()
    owner = Path(f"/proc/{os.getpid()}").owner()
    assert waits_for(second, f"1 GPU: GPU 0 (job {first.name}), GPU 1 ({os.getpid()} python3, by {owner})")
    third.start()
    assert waits_for(third, "2 GPUs; 1 job before it")
    assert third.state()["waiting"]["ahead"] == 1
    assert first.state()["gpus"] == [CARDS[0]]
    for job in (third, second, first):
        job.stop()


def test_a_foreign_process_is_respected(site: Site) -> None:
    site.use({}, [(card, 4194304 + 7, "[Not Found]") for card in CARDS])
    job = make(site, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER")
    job.start()
    assert waits_for(job, "1 GPU: GPU 0 (4194311), GPU 1 (4194311)")
    assert job.state()["state"] == "queued"
    site.use({}, [(CARDS[0], 4194304 + 7, "python")])
    assert job.ended() == ("exited", 0, None, None)
    assert job.printed(0) == f"{CARDS[1]} PCI_BUS_ID\n".encode()


def test_memory_that_is_in_use_counts_where_no_process_is_shown(site: Site) -> None:
    site.use({CARDS[0]: "20017 MiB"})
    job = make(site, "true", gpus=2)
    job.start()
    assert waits_for(job, "2 GPUs: GPU 0 (20017 MiB in use)")
    # A desktop has some, and some GPUs do not tell.
    site.use({CARDS[0]: "350 MiB", CARDS[1]: "[N/A]"})
    assert job.ended() == ("exited", 0, None, None)


def test_a_gpu_that_is_not_listed_any_more_is_not_free(site: Site) -> None:
    site.use({}, cards=CARDS[1:])
    job = make(site, "true", gpus=2)
    job.start()
    assert waits_for(job, "2 GPUs: GPU 0 (nvidia-smi does not list it)")
    job.stop()


def test_parts_of_a_divided_gpu_are_gpus(site: Site) -> None:
    parts = ("MIG-1", "MIG-2")
    job = make(site, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES", gpus=2, cards=parts)
    job.start()
    assert job.ended() == ("exited", 0, None, None)
    assert job.printed(0) == b"MIG-1,MIG-2\n"


def test_a_job_that_waits_is_stopped_at_once_and_those_behind_move_up(site: Site) -> None:
    jobs = [make(site, *sleep(), cards=CARDS[:1]) for _ in range(4)]
    for job in jobs:
        job.start()
    assert eventually(lambda: running(jobs[0]), WAITING)
    assert waits_for(jobs[3], "1 GPU; 2 jobs before it")
    jobs[2].stop()
    assert jobs[2].ended() == ("stopped", None, None, "stop")
    assert jobs[2].wait()["started"] is None
    assert waits_for(jobs[3], "1 GPU; 1 job before it")
    # The first in the row, which looks for GPUs.
    jobs[1].stop()
    assert jobs[1].ended() == ("stopped", None, None, "stop")
    assert waits_for(jobs[3], f"1 GPU: GPU 0 (job {jobs[0].name})")
    jobs[0].stop()
    assert eventually(lambda: running(jobs[3]), WAITING)
    jobs[3].stop()
    assert not tickets(site)


@pytest.mark.parametrize("place", [1, 2])
def test_the_request_alone_is_heeded_with_a_nudge_while_it_waits(site: Site, place: int) -> None:
    jobs = [make(site, *sleep(), cards=CARDS[:1]) for _ in range(3)]
    for job in jobs:
        job.start()
    assert eventually(lambda: running(jobs[0]), WAITING)
    assert waits_for(jobs[2], "1 GPU; 1 job before it")
    jobs[place].signal(signal.SIGUSR1)
    jobs[place].ask_to_stop()
    jobs[place].signal(signal.SIGUSR1)
    assert jobs[place].ended() == ("stopped", None, None, "stop")


def test_a_host_that_goes_down_loses_who_waits(site: Site) -> None:
    jobs = [make(site, *sleep(), cards=CARDS[:1]) for _ in range(2)]
    for job in jobs:
        job.start()
    assert waits_for(jobs[1], f"1 GPU: GPU 0 (job {jobs[0].name})")
    jobs[1].signal(signal.SIGTERM)
    assert jobs[1].ended() == ("lost", None, None, "shutdown")


def test_supervisors_that_are_killed_free_their_place_and_their_gpu(site: Site) -> None:
    jobs = [make(site, *sleep(), cards=CARDS[:1]) for _ in range(3)]
    supervisors = [job.start() for job in jobs]
    assert eventually(lambda: running(jobs[0]), WAITING)
    for one in (1, 0):
        supervisors[one].kill()
        supervisors[one].wait()
    assert eventually(lambda: running(jobs[2]), WAITING)


def test_a_place_is_kept_for_a_job_whose_supervisor_is_about_to_begin(site: Site) -> None:
    early, late = (make(site, "true", cards=CARDS[:1]) for _ in range(2))
    late.start()
    assert waits_for(late, "1 GPU; 1 job before it")
    early.start()
    assert late.ended() == ("exited", 0, None, None)
    assert early.wait()["started"] < late.wait()["started"]


def test_a_place_of_a_job_that_never_began_is_passed(site: Site) -> None:
    make(site, "true", uptime=-1000.0)
    (site.state / "queue" / "000000000000-abcdef").touch()
    job = make(site, "true")
    job.start()
    assert job.ended() == ("exited", 0, None, None)


def test_a_gpu_whose_job_has_only_just_its_lock_is_not_taken(site: Site) -> None:
    (site.state / "gpus" / f"{CARDS[0]}.lock").write_text("")
    (site.state / "gpus" / "alive").symlink_to(site.state / "gpus" / f"{CARDS[0]}.lock")
    job = make(site, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
    with hold(site.state / "gpus"):
        job.start()
        assert job.ended() == ("exited", 0, None, None)
    assert job.printed(0) == f"{CARDS[1]}\n".encode()


def test_an_nvidia_smi_that_hangs_delays_no_stop(site: Site) -> None:
    (site.recording / "mode").write_text("hang=yes\n")
    job = make(site, "true")
    supervisor = job.start()
    children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
    assert eventually(lambda: bool(children.read_text()), PATIENCE)
    asked = [int(one) for one in children.read_text().split()]
    job.stop()
    assert job.ended() == ("stopped", None, None, "stop")
    assert supervisor.wait(PATIENCE) == 0
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in asked))


def test_an_nvidia_smi_that_fails_lets_no_job_begin(site: Site) -> None:
    (site.recording / "failure.rc").write_text("9\n")
    job = make(site, "true")
    job.start()
    assert waits_for(job, "1 GPU: GPU 0 (nvidia-smi does not answer), GPU 1 (nvidia-smi does not answer)")
    (site.recording / "failure.rc").unlink()
    assert job.ended() == ("exited", 0, None, None)


def test_a_nudge_while_nvidia_smi_is_asked_keeps_no_gpu_locked(site: Site) -> None:
    (site.recording / "mode").write_text("hang=yes\n")
    job = make(site, "true")
    supervisor = job.start()
    children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
    assert eventually(lambda: bool(children.read_text()), PATIENCE)
    (site.recording / "mode").unlink()
    job.signal(signal.SIGUSR1)
    assert job.ended() == ("exited", 0, None, None)


@pytest.mark.parametrize(("gpus", "said"), [(0, b"set <>\n"), (None, b"set <mine>\n")])
def test_who_asks_for_none_sees_none_and_who_does_not_ask_sees_all(site: Site, gpus: int | None, said: bytes) -> None:
    command = ("sh", "-c", 'echo "${CUDA_VISIBLE_DEVICES+set} <$CUDA_VISIBLE_DEVICES>"')
    job = make(site, *command, gpus=gpus, env={"CUDA_VISIBLE_DEVICES": "mine"})
    job.start()
    job.wait()
    assert job.printed(0) == said


def samples(job: Job) -> list[list[str]]:
    try:
        return [line.split(",") for line in (job.folder / "gpu.csv").read_text().splitlines()]
    except FileNotFoundError:
        return []


@pytest.mark.parametrize(("gpus", "measured"), [(1, CARDS[:1]), (None, CARDS), (0, ())])
def test_the_gpus_of_a_job_are_measured(site: Site, gpus: int | None, measured: tuple[str, ...]) -> None:
    site.use({CARDS[0]: "1 MiB", CARDS[1]: "[N/A]"})
    job = make(site, *sleep(), gpus=gpus)
    job.start()
    if measured:
        assert eventually(lambda: len(samples(job)) >= len(measured), WAITING)
    assert eventually(lambda: running(job), WAITING)
    job.stop()
    found = samples(job)[: len(measured)]
    assert [one[1] for one in found] == list(measured)
    assert all(abs(float(one[0]) - time.time()) < 600 for one in found)
    memory = {CARDS[0]: "1", CARDS[1]: ""}
    assert [one[2:] for one in found] == [["37", memory[card], "81559", "301.50", "45"] for card in measured]


def test_measuring_goes_on_and_is_given_up_when_it_fails(site: Site) -> None:
    asked = site.home / "asked"
    (site.bin / "nvidia-smi").unlink()
    (site.bin / "nvidia-smi").write_text(f"#!/bin/sh\necho one >>{asked}\nexit 1\n")
    (site.bin / "nvidia-smi").chmod(0o755)
    job = make(site, *sleep(), gpus=None)
    job.start(prologue="OFTEN = 0.05\n")

    def counted() -> int:
        return asked.read_text().count("one") if asked.exists() else 0

    assert eventually(lambda: counted() == 3, PATIENCE)
    assert not eventually(lambda: counted() > 3, 1)
    job.stop()
    assert not samples(job)


def test_a_measurement_that_hangs_is_no_process_of_the_job(site: Site) -> None:
    (site.recording / "mode").write_text("hang=yes\n")
    job = make(site, "sh", "-c", "sleep 0.5", gpus=None)
    supervisor = job.start()
    assert job.ended() == ("exited", 0, None, None)
    assert job.wait()["ended_others"] == 0
    assert supervisor.wait(PATIENCE) == 0
