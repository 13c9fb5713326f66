"""What a host's answers make of `mirrors: auto`: who serves it, who follows, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from provision.engine.planning import judgement_of, plan_of
from provision.inventory.mirrors import ORIGINAL, SHIPPED, automatic
from provision.model.host import Host, Mirror
from provision.model.plan import Detached, Fetch, Later, Run, Severity
from provision.playbook.mirror_choice import (
    DOUBTED,
    MOST,
    RECORD,
    SECONDS,
    TRUSTED,
    Answer,
    choice,
    parse,
    questions,
    recorded,
    told,
)
from provision.playbook.options import MinicondaOptions, PackagesOptions
from provision.playbook.tasks.miniconda import MinicondaTask
from provision.playbook.tasks.packages import PackagesTask
from tests.facts_builder import conda, conda_record, facts, system
from tests.unit.playbook.test_environment import SPEC, task

if TYPE_CHECKING:
    from provision.model.facts import Facts
    from provision.playbook.task import Task

AUTO = automatic(())
HOST = Host("box", "192.0.2.1", mirror=AUTO)
NOW = 1_700_000_000


class NoPins:
    """Nothing was pinned."""

    def find(self, file_name: str) -> str | None:  # noqa: ARG002 - the interface
        return None

    def remember(self, file_name: str, sha256: str) -> None:
        """Keep nothing."""


def tasks(host: Host = HOST) -> tuple[Task, ...]:
    spec = replace(SPEC, channels=("conda-forge",))
    return (
        PackagesTask(PackagesOptions(names=("git",))),
        MinicondaTask(MinicondaOptions(), host, NoPins()),
        task(spec=spec, host=host),
    )


def lines(answers: dict[str, tuple[int, int, int]], where: Facts) -> bytes:
    """Print as the program does: by profile its status, bytes and milliseconds; others do not answer."""
    found = []
    for number, (name, _, _) in enumerate(questions(AUTO, where)):
        if name in answers:
            status, size, took = answers[name]
            found.append(f"{number}\t{status}\t{size}\t{took}\t{'' if status else 'curl: (7) refused'}")
    return "\n".join(found).encode()


def remembered(answers: dict[str, tuple[int, int, int]], *, at: int = NOW - 60) -> Facts:
    """A host with a healthy conda whose record has these answers, written by the step itself."""
    bare = facts(system=system(clock=at))
    (step,) = [one for one in plan_of(tasks(), bare).steps if one.name == "choose the nearest mirrors"]
    assert isinstance(step.action, Run)
    assert step.action.record is not None
    written = step.action.record(lines(answers, bare))
    name, text = written.arguments[2:]
    assert name == RECORD
    return facts(system=system(clock=NOW), condas=(conda(),), records=(conda_record(), (name, json.loads(text))))


FAST, SLOW, REFUSED = (206, MOST, 20), (206, MOST, 4000), (403, 300, 10)
USUAL = {"tuna": SLOW, "aliyun": FAST, "ustc": REFUSED, "original": (206, MOST, 5000), "bfsu": (0, 0, 6000)}


def test_the_choice_comes_before_the_first_download_and_the_rest_waits_for_it() -> None:
    steps = plan_of(tasks(), facts()).steps
    assert [one.name.split(" ")[0] for one in steps][:4] == ["install", "choose", "download", "install"]
    assert isinstance(steps[1].action, Run)
    assert not steps[1].changed
    assert {type(one.action) for one in steps[2:]} == {Later}


def test_a_host_that_has_all_of_it_asks_nobody() -> None:
    done = facts(condas=(conda(),), records=(conda_record(),))
    assert plan_of(tasks()[1:2], done).steps == ()


def test_an_offline_host_and_a_local_installer_are_not_asked() -> None:
    offline = replace(HOST, offline=True)
    names = [one.name for one in plan_of((MinicondaTask(MinicondaOptions(), offline, NoPins()),), facts()).steps]
    assert "choose the nearest mirrors" not in names
    local = MinicondaTask(MinicondaOptions(installer="/tmp/m.sh", sha256="0" * 64), HOST, NoPins())
    assert isinstance(plan_of((local,), facts()).steps[0].action, Fetch)


def test_the_fastest_that_serves_comes_first_and_the_others_follow() -> None:
    where = remembered(USUAL)
    (build, *_) = plan_of(tasks()[2:], where).steps
    assert isinstance(build.action, Detached)
    arguments = build.action.program.arguments
    assert arguments[4].split("\n\n") == [
        "https://mirrors.aliyun.com/anaconda/cloud/conda-forge",
        "https://mirrors.tuna.tsinghua.edu.cn/anaconda/cloud/conda-forge",
        "https://conda.anaconda.org/conda-forge",
    ]
    assert [one.split(" ")[0] for one in arguments[12].splitlines()] == [
        "https://mirrors.aliyun.com/pypi/simple",
        "https://pypi.tuna.tsinghua.edu.cn/simple",
        "-",
    ]
    (finding,) = [one for one in judgement_of(tasks()[2:], where) if one.code == "MIRROR-CHOSEN"]
    assert finding.severity is Severity.INFO
    assert finding.message == (
        "downloads come from aliyun, PyTorch's wheels from mirrors.nju.edu.cn: "
        "aliyun 13.1 MB/s; tuna 66 kB/s; ustc refused (403); bfsu curl: (7) refused; "
        "original 52 kB/s"
    )


def test_the_installer_comes_from_the_fastest_too() -> None:
    where = replace(remembered(USUAL), condas=())
    (fetch, *_) = plan_of(tasks()[1:2], where).steps
    assert isinstance(fetch.action, Fetch)
    assert [one.split("/")[2] for one in fetch.action.urls] == [
        "mirrors.aliyun.com",
        "mirrors.tuna.tsinghua.edu.cn",
        "repo.anaconda.com",
    ]


def test_where_the_originals_are_the_fastest_pip_keeps_its_own_index() -> None:
    best = choice(AUTO, parse(lines({**USUAL, "original": (200, MOST, 10)}, facts()), questions(AUTO, facts())))
    assert dict(best.channels)["conda-forge"] == "https://conda.anaconda.org/conda-forge"
    assert best.pip is None
    assert [one.pip for one in best.then][:1] == ["https://mirrors.aliyun.com/pypi/simple"]
    assert best.torch == ORIGINAL.torch


def test_a_mirror_that_refuses_one_thing_serves_the_others() -> None:
    asked = questions(AUTO, facts())
    found = [
        Answer(name, what, 403 if (name, what) == ("aliyun", "pip") else 206, MOST, 20 if name == "aliyun" else 90, "")
        for name, what, _ in asked
    ]
    best = choice(AUTO, found)
    assert dict(best.channels)["conda-forge"] == "https://mirrors.aliyun.com/anaconda/cloud/conda-forge"
    assert best.pip == SHIPPED["tuna"].pip
    assert "pip from tuna" in told(AUTO, found).message
    assert "(pip: refused (403))" in told(AUTO, found).message


def test_who_takes_all_of_the_time_for_a_few_bytes_does_not_serve() -> None:
    crawling = Answer("tuna", "conda-forge", 206, 500, SECONDS * 1000, "curl: (28) timed out")
    assert not crawling.good
    assert crawling.told == "too slow (500 bytes in 6 s)"
    # A small page from far away is no slow server.
    assert Answer("tuna", "pip", 200, 500, 900, "").good


def test_where_nobody_serves_the_originals_are_tried_and_it_is_said() -> None:
    where = remembered({})
    (finding,) = [one for one in judgement_of(tasks(), where) if one.code == "MIRROR-NONE"]
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith("no mirror serves this host, nor do the originals: tuna no answer")
    (build, *_) = plan_of(tasks()[2:], where).steps
    assert isinstance(build.action, Detached)
    assert build.action.program.arguments[4] == "conda-forge"


def test_a_record_counts_for_a_week_and_one_of_no_answers_for_an_hour() -> None:
    def counts(answers: dict[str, tuple[int, int, int]], age: int) -> bool:
        return recorded(AUTO, remembered(answers, at=NOW - age)) is not None

    assert counts(USUAL, TRUSTED - 1)
    assert not counts(USUAL, TRUSTED)
    assert not counts(USUAL, -5)
    assert counts({}, DOUBTED - 1)
    assert not counts({}, DOUBTED)


def test_another_set_of_profiles_is_asked_anew() -> None:
    where = remembered(USUAL)
    assert recorded(AUTO, where) is not None
    assert recorded(automatic((Mirror("office", pip="https://office.example/simple"),)), where) is None


def test_own_profiles_are_candidates_and_replace_shipped_ones_of_their_name() -> None:
    own = Mirror("tuna", channels=(("conda-forge", "https://near.example/cf"),))
    names = [one.name for one in automatic((own,)).candidates]
    assert names == ["tuna", "aliyun", "ustc", "bfsu", "original"]
    assert ("tuna", "conda-forge", "https://near.example/cf/linux-64/repodata.json") in questions(
        automatic((own,)), facts()
    )


@given(st.binary(max_size=400))
def test_whatever_the_host_prints_every_question_has_an_answer(output: bytes) -> None:
    asked = questions(AUTO, facts())
    found = parse(output, asked)
    assert [(one.mirror, one.what) for one in found] == [(name, what) for name, what, _ in asked]
    assert told(AUTO, found).message.isprintable()


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 200, 206, 403, 404, 503]), st.integers(0, MOST), st.integers(0, 7000)),
        min_size=40,
        max_size=40,
    )
)
def test_who_does_not_serve_is_never_asked(numbers: list[tuple[int, int, int]]) -> None:
    asked = questions(AUTO, facts())
    found = [Answer(name, what, *numbers[at], "") for at, (name, what, _) in enumerate(asked)]
    best = choice(AUTO, found)
    by_name = {one.name: one for one in AUTO.candidates}
    served = {
        dict(by_name[one.mirror].channels)["conda-forge"] for one in found if one.good and one.what == "conda-forge"
    }
    chain = [dict(one.channels).get("conda-forge") for one in best.chain]
    assert {one for one in chain if one is not None} == served
    assert {one.pip for one in best.chain if one.pip} == {
        by_name[one.mirror].pip for one in found if one.good and one.what == "pip"
    }
