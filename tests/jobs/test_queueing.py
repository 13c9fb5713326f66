"""Jobs that wait for GPUs: in order, never two on one, and nobody else's."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.jobs.place import made
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Size
    from tests.jobs.place import Place
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

AT_ONCE = 4
HEADER = (
    "index, uuid, name, memory.used [MiB], memory.total [MiB], utilization.gpu [%], power.draw [W], temperature.gpu"
)
CARDS = 4


def uuid(number: int) -> str:
    return f"GPU-{number:08x}-1111-2222-3333-444444444444"


def recording(folder: Path, users: str = "") -> Path:
    """Make a recording of a host with four cards, as nvidia-smi prints them; `users` are its compute processes."""
    folder.mkdir()
    cards = [f"{n}, {uuid(n)}, NVIDIA A10, 4 MiB, 23028 MiB, {n * 20} %, 61.0 W, 41" for n in range(CARDS)]
    (folder / "query-gpu.csv").write_text("\n".join([HEADER, *cards]) + "\n")
    apps = "gpu_uuid, pid, process_name, used_gpu_memory [MiB]"
    (folder / "query-compute-apps.csv").write_text(f"{apps}\n{users}")
    (folder / "L.out").write_text("".join(f"GPU {n}: NVIDIA A10 (UUID: {uuid(n)})\n" for n in range(CARDS)))
    (folder / "proc-driver-version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.02  Release Build  (archlinux-builder@host)\n"
    )
    return folder


@pytest.fixture
def place(lab: Lab, tmp_path: Path) -> Place:
    return made(Desk(tmp_path / "home"), lab.host("box", gpu=recording(tmp_path / "recorded")))


USES = """
import json, os, sys, time
mine = os.environ["CUDA_VISIBLE_DEVICES"]
number = int(sys.argv[1])
begun = time.time()
for one in mine.split(","):
    os.mkdir(sys.argv[2] + "/" + one)   # fails where somebody else has it
time.sleep(0.3)
with open(sys.argv[2] + "/log", "a") as log:
    log.write(json.dumps([number, mine, begun, time.time()]) + "\\n")
for one in mine.split(","):
    os.rmdir(sys.argv[2] + "/" + one)
sys.exit(number % 7)
"""


@dataclass(frozen=True)
class Launch:
    """One launch, and when it was typed and had its answer."""

    job: str
    typed: float
    answered: float


def launched(place: Place, number: int) -> Launch:
    typed = time.monotonic()
    words = ("run", "--no-sync", "--in-place", "--detach", "--gpus", "1", "--name", f"n{number}", "--")
    done = subprocess.run(
        place.typed(*words, "python3", "uses.py", str(number), "/home/ubuntu/held"),
        cwd=place.project,
        env=place.desk.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Launch(done.stdout.strip(), typed, time.monotonic())


def all_ended(place: Place, count: int) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + 60 + 3 * count
    while True:
        jobs = place.jobs()
        if all(one["state"] not in {"queued", "running"} for one in jobs.values()):
            return jobs
        assert time.monotonic() < deadline, [one for one in jobs.values() if one["state"] in {"queued", "running"}]
        time.sleep(1)


def test_many_jobs_at_once_keep_their_order_and_never_share_a_card(place: Place, size: Size) -> None:
    count = size(20, 200)
    (place.project / "uses.py").write_text(USES)
    assert place.desk.type("sync").code == 0
    place.on_host("mkdir -p ~/held")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        launches = list(pool.map(lambda number: launched(place, number), range(count)))
    ids = [one.job for one in launches]
    assert len(set(ids)) == count
    jobs = all_ended(place, count)
    assert set(jobs) == set(ids), "none is lost, none is there twice"
    numbers = {job: number for number, job in enumerate(ids)}
    assert {numbers[job]: told["exit_code"] for job, told in jobs.items()} == {n: n % 7 for n in range(count)}
    lines = [json.loads(line) for line in place.on_host("cat ~/held/log").splitlines()]
    assert sorted(line[0] for line in lines) == list(range(count)), "each ran once"
    assert {line[1] for line in lines} <= {uuid(number) for number in range(CARDS)}
    # Of two launches, one of which was answered before the other was typed, that one began first.
    started = {one.job: jobs[one.job]["started"] for one in launches}
    wrong = [
        (one.job, other.job)
        for one in launches
        for other in launches
        if one.answered < other.typed and started[one.job] > started[other.job]
    ]
    assert wrong == []


def test_who_waits_is_told_for_what(place: Place) -> None:
    holder = place.detached("sleep 1000", "--gpus", "4")
    waiting = place.detached("true", "--gpus", "2")
    behind = place.detached("true", "--gpus", "1")
    place.until_state(holder, "running")
    told = place.until_state(waiting, "queued")
    time.sleep(2)
    answer = place.desk.type("jobs")
    assert answer.code == 0, answer
    assert holder in answer.out
    lines = {line.split()[0]: line for line in answer.out.splitlines() if line.strip()}
    assert "2 GPUs" in lines[waiting], answer
    assert "1 job before it" in lines[behind], answer
    assert told["state"] == "queued"
    assert place.desk.type("stop", waiting).code == 0
    assert place.state(waiting) == "stopped"
    assert place.desk.type("stop", holder).code == 0
    assert place.until_state(behind, "exited")["exit_code"] == 0


def test_somebody_else_s_card_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    users = "".join(f"{uuid(n)}, {4000 + n}, python, 8000 MiB\n" for n in (0, 2))
    host = lab.host("box", gpu=recording(tmp_path / "recorded", users))
    place = made(Desk(tmp_path / "home"), host)
    answer = place.shell('echo "$CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER"', "--gpus", "2")
    assert answer.code == 0, answer
    assert answer.out == f"{uuid(1)},{uuid(3)} PCI_BUS_ID\n"


def test_more_cards_than_there_are_are_refused_at_once(place: Place) -> None:
    answer = place.shell("true", "--gpus", "5")
    assert answer.code == 4, answer
    assert "4" in answer.err
    assert place.jobs() == {}


def test_a_host_without_cards_says_so(lab: Lab, tmp_path: Path) -> None:
    place = made(Desk(tmp_path / "home"), lab.host("box"))
    answer = place.shell("true", "--gpus", "1")
    assert answer.code == 4, answer
    assert place.shell('echo "[$CUDA_VISIBLE_DEVICES]"', "--gpus", "0").out == "[]\n"


def test_the_record_has_the_cards_and_their_driver(place: Place) -> None:
    job = place.detached("true", "--gpus", "1")
    told = place.until_state(job, "exited")
    assert told["gpus"] == [uuid(0)]
    assert told["record"]["driver"] == "555.42.02"
    assert [one["uuid"] for one in told["record"]["cards"]] == [uuid(number) for number in range(CARDS)]


def test_the_use_of_the_cards_is_drawn(place: Place) -> None:
    job = place.detached("sleep 7", "--gpus", "1")
    place.until_state(job, "exited")
    answer = place.desk.type("jobs", "show", job)
    assert answer.code == 0, answer
    assert "GPU" in answer.out
    assert "idle" in answer.out, "its one card has a utilisation of 0 %"


def test_a_killed_supervisor_gives_its_card_free(place: Place) -> None:
    job = place.detached("sleep 1000", "--gpus", "4")
    place.until_state(job, "running")
    place.host.run(["pkill", "-KILL", "-f", f"supervise-.*{job}"])
    assert place.until_state(job, "lost")["state"] == "lost"
    answer = place.shell("echo free", "--gpus", "4")
    assert (answer.code, answer.out) == (0, "free\n"), answer
