"""Going back to an earlier generation: to a whole one alone, and with a record before the switch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from provision.engine.env_rollback import Asked, Rolled, roll
from provision.engine.perform import Performer
from provision.engine.stop import Stop
from provision.environment.digest import digest
from provision.environment.spec import EnvironmentSpec
from provision.errors import BusyError, StepFailedError
from provision.model.facts import StepLock
from provision.model.host import Host
from provision.model.link import Completed
from provision.playbook.tasks.environment import EnvironmentTask, Variant
from tests.facts_builder import STATE, conda, environment, facts, generation
from tests.unit.environment.drift_made import BUILT, printed, without

if TYPE_CHECKING:
    from provision.model.facts import Facts, Generation
    from provision.model.plan import Program

SPEC = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.11", "numpy"))
WANTED = digest(SPEC, "linux-64", None, cuda=False)
OLD, NOW = "1-00000000", f"2-{WANTED[:8]}"
TASK = EnvironmentTask(
    "mymodel", "mymodel", (Variant(None, SPEC),), "~/miniconda3", Host("box", "192.0.2.1"), accept_tos=False
)
BASE = f"{STATE}/envs/mymodel/mymodel"
RECORD = "rollback-mymodel-mymodel"
BEFORE, AFTER = generation(OLD, "0" * 64), generation(NOW, WANTED)


@dataclass
class Told:
    """A host that lists two generations, and remembers what it was told to do, in order."""

    did: list[tuple[str, Any]] = field(default_factory=list)
    refuses: str = ""

    def run(self, program: Program, **_: object) -> Completed:
        """Answer one command."""
        if program.script == "python.sh":
            listing = BUILT if program.arguments[3].endswith(NOW) else without(BUILT, "numpy")
            return Completed(0, printed(listing), b"", 0.0)
        said = json.loads(program.arguments[3]) if program.script == "write_record.sh" else program.arguments[1]
        self.did.append((program.script, said))
        return Completed(1 if program.script == self.refuses else 0, b"", b"", 0.0)


def seen(*generations: Generation, current: str = NOW, **changes: Any) -> Facts:
    have = environment(*(generations or (BEFORE, AFTER)), current=current)
    return facts(condas=(conda(),), environments=(have,), **changes)


def rolled(at: Facts, asked: Asked = Asked(), told: Told | None = None) -> tuple[Rolled, Told]:  # noqa: B008 - frozen
    link = told or Told()
    performer = Performer(link, lambda _: None, Stop(), state_dir=STATE, regain=lambda: None)  # type: ignore[arg-type]
    return roll(performer, TASK, at, asked), link


def test_it_goes_to_the_newest_complete_one_before_and_the_record_comes_first() -> None:
    done, told = rolled(seen())
    assert (done.was, done.now, done.stands) == (NOW, OLD, True)
    assert done.changes == ("- numpy 1.26.4 py311_0 (conda)",)
    record = {"format": 1, "from": NOW, "to": OLD, "digest_refused": WANTED}
    assert told.did == [("write_record.sh", record), ("switch_environment.sh", OLD)]


def test_an_undoing_goes_to_where_the_rollback_came_from_and_ends_its_record() -> None:
    noted = ((RECORD, {"format": 1, "from": NOW, "to": OLD, "digest_refused": WANTED}),)
    done, told = rolled(seen(current=OLD, records=noted), Asked(undo=True))
    assert (done.now, done.stands) == (NOW, False)
    assert told.did == [("write_record.sh", {"format": 1}), ("switch_environment.sh", NOW)]


@pytest.mark.parametrize("packages", ["q", None])
def test_a_target_that_was_changed_by_hand_is_refused_and_nothing_is_done(packages: str | None) -> None:
    told = Told()
    with pytest.raises(StepFailedError, match="no longer what was built") as caught:
        rolled(seen(replace(BEFORE, packages=packages), AFTER), told=told)
    assert caught.value.hint is not None
    assert "--to names another one" in caught.value.hint
    assert told.did == []


@pytest.mark.parametrize(
    ("target", "asked", "says"),
    [
        (replace(BEFORE, marker=None), Asked(to=OLD), "is unfinished or was rejected"),
        (replace(BEFORE, rejected="it does not import"), Asked(to=OLD), "is unfinished or was rejected"),
        (replace(BEFORE, marker=None), Asked(), f"has no complete generation before {NOW}"),
        (BEFORE, Asked(to="9-ffffffff"), "is not there"),
        (BEFORE, Asked(to="../../../etc"), "is not there"),
        (BEFORE, Asked(to=NOW), "is the current one already"),
        (BEFORE, Asked(undo=True), "no rollback of 'mymodel' stands there"),
    ],
)
def test_what_cannot_serve_is_refused_and_nothing_is_done(target: Generation, asked: Asked, says: str) -> None:
    told = Told()
    with pytest.raises(StepFailedError, match=says):
        rolled(seen(target, AFTER), asked, told)
    assert told.did == []


def test_a_damaged_one_is_passed_over_by_name_alone_where_an_older_one_is_asked_for() -> None:
    older = generation("1-11111111", "1" * 64)
    damaged = replace(BEFORE, name="2-00000000", packages="q")
    done, _ = rolled(
        seen(older, damaged, replace(AFTER, name=f"3-{WANTED[:8]}"), current=f"3-{WANTED[:8]}"), Asked(older.name)
    )
    assert done.now == older.name


def test_while_a_step_is_at_work_nothing_is_switched() -> None:
    told = Told()
    with pytest.raises(BusyError):
        rolled(seen(step_lock=StepLock(held=True, step="x")), told=told)
    assert told.did == []


def test_a_record_that_cannot_be_written_leaves_everything_as_it_was() -> None:
    told = Told(refuses="write_record.sh")
    with pytest.raises(StepFailedError, match="could not be written"):
        rolled(seen(), told=told)
    assert [script for script, _ in told.did] == ["write_record.sh"]


def test_a_host_without_a_build_in_use_is_told_what_to_do() -> None:
    with pytest.raises(StepFailedError, match="no complete build in use"):
        rolled(facts(condas=(conda(),)))
