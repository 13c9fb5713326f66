"""The table, the page and the document of jobs, whatever a host says in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from provision.jobs.answers import job_of
from provision.jobs.listing import Listed
from provision.report.job_page import page
from provision.report.job_table import document, table
from provision.report.style import Style

if TYPE_CHECKING:
    from provision.model.job import Job

NOW = 100_000.0
EVIL = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe\r\nnext"
PLAIN = Style(enabled=False)


def a_job(job: str = "abcdef", *, state: dict[str, Any] | None = None, **more: Any) -> Job:
    record = {
        "format": 1,
        "id": job,
        "nonce": "f" * 32,
        "name": None,
        "project": "mymodel",
        "command": ["python", "train.py"],
        "cwd": "",
        "tree": "/home/u/work/mymodel",
        "snapshot": None,
        "environment": None,
        "gpus": None,
        "way": "session",
        "submitted": NOW - 120,
        **more,
    }
    return job_of({"job": record, "state": state or {"state": "running", "started": NOW - 60}, "log_bytes": 12})


def listed(*jobs: Job, now: float = NOW) -> Listed:
    return Listed(jobs, (), 0, now)


def test_the_newest_job_stands_last_whatever_the_hosts_clocks_say() -> None:
    answers = {"behind": listed(a_job("bbbbbb", submitted=980.0), now=1000.0), "ahead": listed(a_job("aaaaaa"))}
    assert [line.split()[0] for line in table(answers, PLAIN, 0)] == ["JOB", "aaaaaa", "bbbbbb"]


def test_a_table_fits_the_terminal() -> None:
    waiting = {"state": "queued", "waiting": {"ahead": 1, "text": "GPU 0 (4242 python, by ann), " * 50}}
    job = a_job(state=waiting, command=["python", "-c", "x" * 5000], name="n" * 300)
    lines = list(table({"box": listed(job)}, PLAIN, 160))
    assert max(map(len, lines)) <= 160
    assert lines[1].endswith("...")


@pytest.mark.timeout(20)
def test_a_command_of_megabytes_is_shortened_as_fast_as_any() -> None:
    lines = list(table({"box": listed(a_job(command=["é" * 1_000_000]))}, PLAIN, 0))
    assert lines[1].endswith("...")


def test_no_text_of_a_host_obeys_the_terminal() -> None:
    state = {"state": "queued", "waiting": {"ahead": 1, "text": EVIL}}
    origin = {"commit": EVIL, "dirty": True}
    job = a_job(state=state, name=EVIL, command=[EVIL], tree=EVIL, origin=origin, tree_id=EVIL)
    lost = a_job("bbbbbb", state={"state": "lost", "message": EVIL})
    damaged = Listed((job, lost), ((EVIL, EVIL),), 0, NOW)
    lines = [*table({"box": damaged}, PLAIN, 0), *page("box", job, {"made_files": EVIL}, NOW, PLAIN)]
    lines += page(EVIL, lost, None, None, PLAIN)
    assert all(line.isprintable() for line in lines)


def test_the_document_can_be_read_by_all_and_does_not_have_the_nonce() -> None:
    job = a_job(command=["a", "\udcff"], later={"deep": ["\udc80"]})
    shown = document({"box": listed(job)}, {}, 0)
    text = json.dumps(shown, ensure_ascii=False)
    assert json.loads(text.encode()) == shown
    assert shown["jobs"][0]["record"]["later"] == {"deep": ["\\udc80"]}
    assert "f" * 32 not in text
