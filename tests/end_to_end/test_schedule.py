"""What a schedule does on a real host, run by run: drift made by hand, a job there, a host that is away and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.notify.receivers import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.laptop import Answer, Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

CURRENT = ".provision/envs/mymodel/mymodel/current"
NAME = "every night"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def box(lab: Lab, laptop: Laptop, receiver: Receiver) -> LabHost:
    """A host that is up, with a schedule for it, and a webhook that is told."""
    host = lab.host("box")
    laptop.hosts([host])
    text = f"notify:\n  ops: {{kind: webhook, url: '{receiver.url('/in')}'}}\n"
    (laptop.project / "provision.yaml").write_text(text)
    assert laptop.type("up", "box").code == 0
    added = laptop.type("schedule", "add", "box", "--every", "6h", "--by", "serve", "--name", NAME)
    assert added.code == 0, added
    return host


def ran(laptop: Laptop) -> tuple[Answer, str]:
    answer = laptop.type("schedule", "run", NAME, "--json")
    outcome: str = answer.document["outcome"]
    return answer, outcome


def told(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["data"]["kind"] for one in receiver.got]


def generation(box: LabHost) -> str:
    return box.run(f"readlink {box.home}/{CURRENT}").stdout.strip()


def listed(laptop: Laptop) -> dict[str, Any]:
    (one,) = laptop.type("schedule", "list", "--json").document["schedules"]
    return dict(one)


def test_drift_is_repaired_by_the_next_run_told_once_and_in_the_ledger(
    laptop: Laptop, box: LabHost, receiver: Receiver
) -> None:
    assert ran(laptop)[1] == "ok"
    before = generation(box)
    box.run(f"rm -r {box.home}/{CURRENT}/conda-meta/standin-alpha-*.json", check=True)
    answer, outcome = ran(laptop)
    assert outcome == "ok", answer
    assert generation(box) != before
    assert told(receiver) == ["drift"]
    assert ran(laptop)[1] == "ok"
    assert told(receiver) == ["drift"], "once"
    runs = laptop.type("history", "--command", "up", "--json").document["runs"]
    assert [one["schedule"] for one in runs].count(NAME) == 3
    assert listed(laptop)["outcome"] == "ok"
    assert "repaired: " in laptop.type("schedule", "logs", NAME, "--runs", "2").out


def test_a_host_that_is_away_is_told_once_left_alone_for_a_while_and_told_again_when_it_is_back(
    laptop: Laptop, box: LabHost, receiver: Receiver
) -> None:
    box.stop_sshd()
    for _ in range(2):
        answer, outcome = ran(laptop)
        assert outcome == "failed", answer
    assert told(receiver) == ["failure"]
    box.start_sshd()
    assert ran(laptop)[1] == "ok"
    assert told(receiver) == ["failure", "recovery"]


def test_a_host_with_a_job_is_left_alone_unless_told(laptop: Laptop, box: LabHost, receiver: Receiver) -> None:
    launched = laptop.type("run", "--detach", "box", "--", "sleep", "200")
    assert launched.code == 0, launched
    laptop.environment_yml("python", "pip", "standin-alpha=1", "standin-beta=1")
    before = generation(box)
    replaced = laptop.type(
        "schedule", "add", "box", "--every", "6h", "--by", "serve", "--name", NAME, "--replace", "--take-busy"
    )
    assert replaced.code == 0, replaced
    careful = laptop.type("schedule", "add", "box", "--every", "6h", "--by", "serve", "--name", "careful")
    assert careful.code == 0, careful
    answer = laptop.type("schedule", "run", "careful", "--json")
    assert answer.document["text"] == "1 busy", answer
    assert generation(box) == before
    assert ran(laptop)[1] == "ok"
    assert generation(box) != before
    assert told(receiver) == []
    assert laptop.type("stop", launched.out.strip()).code == 0


def test_files_that_nobody_committed_are_only_looked_at(laptop: Laptop, box: LabHost, receiver: Receiver) -> None:
    before = generation(box)
    laptop.environment_yml("python", "pip", "standin-alpha=1", "standin-beta=1")
    _, outcome = ran(laptop)
    assert outcome == "only checked"
    assert generation(box) == before
    assert told(receiver)[:1] == ["changed-files"]
    count = len(receiver.got)
    assert ran(laptop)[1] == "only checked"
    assert len(receiver.got) == count, "once"
