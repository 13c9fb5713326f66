"""Jobs as a table, as a page and as a drawing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.jobs.listing import Listed
from provision.model.job import Job, JobEnvironment, JobRecord, JobState, JobWaiting
from provision.report.gpu_chart import Sample, chart, samples_of
from provision.report.job_page import page
from provision.report.job_table import document, table
from provision.report.style import Style

PLAIN = Style(enabled=False)
RECORD = JobRecord(
    "abcdef",
    "baseline",
    "mymodel",
    ("python", "train.py", "--lr", "3e-4"),
    "",
    "/home/ubuntu/work/mymodel",
    "/home/ubuntu/work/mymodel/.provision/snapshots/abcdef",
    JobEnvironment("mymodel", "3-91bc02aa", "/p"),
    None,
    "user-unit",
    1000.0,
    {"nonce": "hidden", "origin": {"commit": "c" * 40, "dirty": True}, "tree_id": "t" * 64},
)
RUNNING = Job(RECORD, JobState("running", started=1001.0, gpus=("GPU-1", "GPU-2")), 2048)


def lines(*jobs: Job, width: int = 0, now: float = 1061.0) -> list[str]:
    return list(table({"box": Listed(jobs, (), 0, now)}, PLAIN, width))


def test_each_job_is_a_line() -> None:
    waiting = replace(
        RUNNING,
        record=replace(RECORD, id="bcdefg", name=None, submitted=1050.0),
        state=JobState("queued", waiting=JobWaiting(1, "2 GPUs; 1 job before it")),
    )
    head, first, second = lines(waiting, RUNNING)
    assert head.split() == ["JOB", "NAME", "HOST", "STATE", "TIME", "COMMAND"]
    assert first.split("  ")[0] == "abcdef"
    assert "running on 2 GPUs" in first
    assert "1 min 00 s" in first
    assert first.endswith("python train.py --lr 3e-4")
    assert "queued: 2 GPUs; 1 job before it" in second
    assert "for 11 s" in second


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (JobState("exited", exit_code=3, started=1001.0, ended=1011.0), "exited 3"),
        (JobState("exited", signal="KILL", started=1001.0, ended=1011.0), "exited by SIGKILL"),
        (JobState("lost"), "lost"),
        (JobState("stopped", started=1001.0, ended=1011.0), "10 s, 50 s ago"),
    ],
)
def test_how_it_ended_is_shown(state: JobState, text: str) -> None:
    assert text in lines(replace(RUNNING, state=state))[1]


def test_no_line_is_wider_than_the_terminal_and_nothing_of_a_host_reaches_it_raw() -> None:
    evil = replace(RECORD, name="\x1b[31mx", command=("\x1b]0;x\x07", "y" * 300, "a\nb"))
    for line in lines(replace(RUNNING, record=evil), width=100):
        assert len(line) <= 100
        assert "\x1b" not in line
        assert "\n" not in line


def test_damaged_and_old_jobs_and_none_are_told() -> None:
    told = list(table({"box": Listed((), (("bcdefg", "no record\x1b"),), 2, 1.0)}, PLAIN, 0))
    assert told == ["box: job bcdefg cannot be read: no record\\x1b", "2 jobs ended more than a week ago: --all"]
    assert list(table({"box": Listed((), (), 0, 1.0)}, PLAIN, 0)) == ["no jobs"]


def test_the_document_has_the_whole_record_but_for_what_names_the_launch() -> None:
    shown = document({"box": Listed((RUNNING,), (), 0, 1061.0)}, {}, 0)
    (job,) = json.loads(json.dumps(shown))["jobs"]
    assert (job["id"], job["host"], job["state"], job["exit_code"]) == ("abcdef", "box", "running", None)
    assert job["record"] == {"origin": {"commit": "c" * 40, "dirty": True}, "tree_id": "t" * 64}


def test_a_page_says_what_it_is() -> None:
    text = "\n".join(page("box", RUNNING, {"made_files": 2, "made_bytes": 2048}, 1061.0, PLAIN))
    for part in ("job abcdef baseline on box is running", "python train.py", "3-91bc02aa", "not committed", "2 files"):
        assert part in text


def test_an_idle_gpu_is_told_and_drawn() -> None:
    samples = {
        "GPU-1": tuple(Sample(float(n), 0.0 if n < 80 else 90.0, 1024.0, 24576.0, 60.0, 40.0) for n in range(100))
    }
    drawn = list(chart(samples, {"GPU-1": 0.8}, PLAIN, 100))
    assert drawn[0] == "GPU-1"
    assert "0 to 90 %, mean 18 %" in drawn[1]
    assert "█" not in drawn[1][:60]
    assert drawn[-1] == "  it sat idle for 80% of the run (utilisation below 5 %)"
    assert list(chart(samples, {"GPU-1": 0.2}, PLAIN, 100))[-1] != drawn[-1]


def test_where_the_encoding_has_no_bars_other_signs_stand_for_them() -> None:
    samples = {"GPU-1": (Sample(0.0, 100.0, None, None, None, 40.0),)}
    for line in chart(samples, {}, PLAIN, 80, plain=True):
        line.encode("ascii")


@given(
    st.dictionaries(
        st.text(max_size=4),
        st.lists(st.lists(st.none() | st.floats() | st.text(max_size=2), max_size=7) | st.integers(), max_size=5)
        | st.none(),
        max_size=3,
    ),
    st.integers(1, 200),
)
def test_whatever_a_host_says_of_its_gpus_is_drawn_or_left_out(said: dict[str, object], width: int) -> None:
    for line in chart(samples_of(said), {}, PLAIN, width):
        assert "\n" not in line
