"""`--notify` as a user types it, against a real host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.jobs.place import made
from tests.notify.receivers import Receiver, receiving
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.jobs.place import Place
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def place(lab: Lab, tmp_path: Path, receiver: Receiver) -> Place:
    made_here = made(Desk(tmp_path / "home"), lab.host("box"))
    text = f"notify:\n  ops: {{kind: webhook, url: '{receiver.url('/in')}'}}\n"
    (made_here.project / "provision.yaml").write_text(text)
    return made_here


def told(receiver: Receiver) -> list[tuple[str, str]]:
    found = [json.loads(one.body)["data"] for one in receiver.got]
    return [(one["kind"], one["text"].partition(" after ")[0]) for one in found]


def test_a_followed_job_s_end_is_told_at_once_and_a_detached_one_s_by_the_next_look(
    place: Place, receiver: Receiver
) -> None:
    answer = place.shell("exit 7", "--notify", "--name", "first")
    assert answer.code == 7, answer
    ((kind, text),) = told(receiver)
    assert kind == "job"
    assert text.endswith("(first) failed with exit code 7")
    job = place.detached("true", "--notify")
    assert place.desk.type("logs", "-f", job).code == 0
    assert place.desk.type("jobs").code == 0
    assert told(receiver)[1:] == [("job", f"job {job} ended well")]
    place.shell("true")
    assert len(receiver.got) == 2


def test_a_host_that_cannot_be_reached_is_told_once_and_the_exit_code_stays(place: Place, receiver: Receiver) -> None:
    (place.project / "environment.yml").write_text("dependencies: [python]\n")
    (place.project / "away.yaml").write_text("version: 1\nhosts: {away: {address: 127.0.0.1, port: 9, user: x}}\n")
    for _ in range(2):
        answer = place.desk.type("verify", "away", "-i", "away.yaml", "--notify")
        assert answer.code == 3, answer
    assert [kind for kind, _ in told(receiver)] == ["failure"]
    receiver.answers = [(404, b"")]
    answer = place.desk.type("verify", "away", "-i", "away.yaml", "--notify")
    assert answer.code == 3
    assert "not told" not in answer.err, "it was told before"
