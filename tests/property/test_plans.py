"""Laws of plans: applied, they lead to a host of which nothing more is asked, whatever it was before."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.engine.perform import Performer
from provision.engine.stop import Stop
from provision.environment.digest import digest
from provision.model.plan import Detached, Fetch, Later, Run
from provision.model.plan import Step as PlanStep
from tests.unit.engine.model_host import HOME, STATE, VERSION, Built, Environment, ModelHost, Prefix
from tests.unit.engine.model_link import ModelLink
from tests.unit.engine.situations import COMMAND, SPEC, playbook

if TYPE_CHECKING:
    from provision.model.facts import Facts
    from provision.playbook.task import Task

ROUNDS = 4
OLDER = replace(SPEC, dependencies=("python=3.10",))
PREFIX = f"{HOME}/miniconda3"


def _prefix() -> st.SearchStrategy[Prefix | None]:
    parts = st.frozensets(st.sampled_from(["python", "conda", "package"])).map(set)
    half = st.builds(
        lambda has, version, installing: Prefix(has, version, shaped=True, installing=installing),
        parts,
        st.sampled_from([None, VERSION]),
        st.booleans(),
    )
    healthy = st.builds(
        Prefix, st.just({"python", "conda", "package"}), st.sampled_from([VERSION, "25.1.0"]), st.just(True)
    )
    return st.one_of(st.none(), st.builds(Prefix), half, healthy)


def _built(spec_name: str, whole: bool, rejected: bool, drifted: bool) -> tuple[str, Built]:
    spec = SPEC if spec_name == "wanted" else OLDER
    wanted = digest(spec, "linux-64", None, cuda=False)
    marker = json.dumps({"format": 1, "digest": wanted, "packages": "p", "spec": {"dependencies": ["python=3.10"]}})
    built = Built(
        marker if whole else None,
        "q" if drifted else "p",
        "not what was asked for" if rejected else None,
        conda={"python": "3.11", "numpy": "1.26", "pip": "24.0"},
        pip={"requests": "2.32"},
    )
    return wanted[:8], built


@st.composite
def _environments(draw: st.DrawFn) -> dict[str, Environment]:
    kinds = st.tuples(st.sampled_from(["wanted", "older"]), st.booleans(), st.booleans(), st.booleans())
    built = [_built(*kind) for kind in draw(st.lists(kinds, max_size=4))]
    generations = {f"{number}-{name}": one for number, (name, one) in enumerate(built, 1)}
    # What was rejected or not finished is never made current, but a current one may drift or be rejected later.
    current = draw(st.sampled_from([None, *(name for name, one in generations.items() if one.marker), "77-gone"]))
    return {"mymodel/mymodel": Environment(current, generations)} if draw(st.booleans()) else {}


@st.composite
def hosts(draw: st.DrawFn) -> ModelHost:
    prefix = draw(_prefix())
    ours = f"{STATE}/envs/mymodel/mymodel/current"
    record = json.dumps({"format": 1, "prefix": PREFIX, "version": VERSION})
    return ModelHost(
        sudo=draw(st.sampled_from(["root", "nopasswd"])),
        prefixes={PREFIX: prefix} if prefix is not None else {},
        environments=draw(_environments()),
        links=draw(st.sampled_from([{}, {"mymodel": ours}, {"other": None}])),
        records=draw(st.sampled_from([{}, {"conda%home%ubuntu%miniconda3": record}, {"broken": "{"}])),
        paths=draw(
            st.dictionaries(
                st.sampled_from([f"{HOME}/.config/mine.toml", f"{HOME}/made"]), st.just("file:600:" + "0" * 64)
            )
        ),
        packages=draw(st.sampled_from([set(), {"git"}])),
        done=draw(st.sampled_from([set(), {COMMAND}])),
    )


def facts_of(host: ModelHost, tasks: tuple[Task, ...]) -> Facts:
    return host.facts(*(word for task in tasks for word in task.asks()))


def plan_of(tasks: tuple[Task, ...], facts: Facts) -> list[PlanStep]:
    return [step for task in tasks for step in task.plan(facts)]


def apply(host: ModelHost, steps: list[PlanStep]) -> None:
    performer = Performer(ModelLink(host), lambda _event: None, Stop(), state_dir=STATE, regain=lambda: None)
    for step in steps:
        if isinstance(step.action, Later):
            return
        performer.perform(step)


def told(steps: list[PlanStep]) -> list[tuple[object, ...]]:
    """Return all of a plan that can be compared: its judges are functions."""
    found: list[tuple[object, ...]] = []
    for step in steps:
        action = step.action
        programs: tuple[object, ...] = ()
        if isinstance(action, Run):
            programs = (action.program, action.on_pass, action.on_fail)
        elif isinstance(action, Detached):
            programs = (action.program,)
        elif isinstance(action, Fetch):
            programs = (action.urls, action.sha256, action.name, action.local)
        found.append((step.name, step.reason, step.changed, step.details, programs))
    return found


EXAMPLES = settings(
    max_examples=1000 if os.environ.get("PROVISION_SOAK") else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@EXAMPLES
@given(hosts())
def test_applying_plans_leaves_nothing_to_do_within_a_few_rounds(host: ModelHost) -> None:
    tasks = playbook()
    for _ in range(ROUNDS):
        steps = plan_of(tasks, facts_of(host, tasks))
        if not steps:
            break
        apply(host, steps)
    facts = facts_of(host, tasks)
    assert plan_of(tasks, facts) == []
    assert [one for task in tasks for one in task.judge(facts) if one.severity.value == "error"] == []


@EXAMPLES
@given(hosts())
def test_a_plan_depends_on_the_facts_alone_and_its_steps_have_names_of_their_own(host: ModelHost) -> None:
    facts = facts_of(host, playbook())
    first, second = told(plan_of(playbook(), facts)), told(plan_of(playbook(), facts))
    assert first == second
    assert len({one[0] for one in first}) == len(first)


@EXAMPLES
@given(hosts())
def test_a_generation_in_use_stays_until_another_whole_and_proven_one_is(host: ModelHost) -> None:
    tasks = playbook()
    have = host.environments.get("mymodel/mymodel", Environment())
    in_use = have.current in have.generations
    for _ in range(ROUNDS):
        for step in plan_of(tasks, facts_of(host, tasks)):
            if isinstance(step.action, Run) and step.action.program.script == "switch_environment.sh":
                built = host.environments["mymodel/mymodel"].generations[step.action.program.arguments[1]]
                assert (built.rejected, built.marker is None) == (None, False)
            apply(host, [step])
            assert not in_use or have.current in have.generations
