"""A closer look at a host: every kind of drift is named, noted for the next `up`, and nothing known is nothing said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from provision.engine.drift import CODES, look, named, with_drift
from provision.engine.perform import Performer
from provision.engine.stop import Stop
from provision.environment.digest import digest
from provision.environment.drift_baseline import baseline
from provision.environment.listing import PipPackage
from provision.environment.spec import EnvironmentSpec
from provision.events import StepFinished
from provision.model.host import Host
from provision.model.link import Completed
from provision.model.plan import Finding, Severity
from provision.playbook.tasks.environment import EnvironmentTask, Variant
from tests.facts_builder import PREFIX, STATE, a10, conda, conda_record, environment, facts, generation
from tests.unit.environment.drift_made import BUILT, NUMPY, PYTHON, printed, with_pip, without

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.environment.listing import Listing
    from provision.events import Event
    from provision.model.facts import Facts
    from provision.model.plan import Program

SPEC = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.11", "numpy"))
WANTED = digest(SPEC, "linux-64", None, cuda=False)
NOW = f"1-{WANTED[:8]}"
TASK = EnvironmentTask(
    "mymodel", "mymodel", (Variant(None, SPEC),), "~/miniconda3", Host("box", "192.0.2.1"), accept_tos=False
)
MACHINE = {"clock": 1_750_000_000, "driver": None, "kernel": "6.8.0-49-generic", "glibc": "2.35"}
DAMAGE = "damage-mymodel-mymodel"
HOLED = replace(BUILT, conda=(replace(NUMPY, missing=1, missing_examples=("lib/a.so",)), PYTHON))


@dataclass
class ToldLink:
    """A host that says what a test lets it say, and remembers what was written."""

    listing: Listing | bytes = BUILT
    build: bytes = b"kept|" + baseline(printed(BUILT))
    system: bytes = b"end|\n"
    full: bool = False
    """Nothing can be written."""
    written: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)

    def run(self, program: Program, **_: object) -> Completed:
        """Answer one command."""
        self.ran.append(program.script)
        if program.script == "write_record.sh":
            name, text = program.arguments[2:4]
            self.written.append((name, json.loads(text)))
            return Completed(1 if self.full else 0, b"", b"", 0.0)
        listing = self.listing if isinstance(self.listing, bytes) else printed(self.listing)
        said = {"python.sh": listing, "tell_build.sh": self.build, "tell_system.sh": self.system}
        return Completed(0, said[program.script], b"", 0.0)


def performer(link: ToldLink, events: list[Event] | None = None) -> Performer:
    told = events if events is not None else []
    return Performer(link, told.append, Stop(), state_dir=STATE, regain=lambda: None)  # type: ignore[arg-type]


def seen(*records: tuple[str, dict[str, Any]], packages: str = "p", **changes: Any) -> Facts:
    built = generation(NOW, WANTED)
    marker = {**(built.marker or {}), "built": 1_750_000_000}
    built = replace(built, marker=marker, packages=packages)
    proof = ("deep-mymodel-mymodel", {"format": 1, "depends": None, "machine": MACHINE})
    return facts(
        condas=(conda(),),
        environments=(environment(built, current=NOW),),
        records=(proof, conda_record(), *records),
        **changes,
    )


def found(link: ToldLink, at: Facts | None = None, checked: Iterable[Finding] = ()) -> list[tuple[str, str]]:
    judged = with_drift(tuple(checked), (TASK,), at or seen(), performer(link), Stop())
    return [(one.code, one.message) for one in judged]


def test_a_host_that_is_as_it_was_left_has_no_drift_and_nothing_is_written() -> None:
    link = ToldLink()
    assert found(link) == []
    assert link.written == []


def test_a_manual_pip_install_is_named_with_its_time() -> None:
    link = ToldLink(
        with_pip(BUILT, PipPackage("einops", "0.8.0", "pip")),
        b"kept|" + baseline(printed(BUILT)) + b"since|1750000300|lib/python3.11/site-packages/einops-0.8.0.dist-info\n",
    )
    assert found(link, seen(packages="q")) == [
        ("ENV-DRIFT", f"mymodel {NOW}: einops 0.8.0 was installed by pip, on 2025-06-15 15:11 UTC")
    ]


def test_a_conda_remove_is_named() -> None:
    assert found(ToldLink(without(BUILT, "numpy")), seen(packages="q")) == [
        ("ENV-DRIFT", f"mymodel {NOW}: numpy 1.26.4 py311_0 (conda) was removed")
    ]


def test_a_build_that_kept_no_list_names_what_is_newer_than_it() -> None:
    link = ToldLink(build=b"since|1750000300|conda-meta/numpy-2.1.0-py311_0.json\n")
    ((_, message),) = found(link, seen(packages="q"))
    assert message == f"mymodel {NOW}: numpy 2.1.0 is newer than the build, 2025-06-15 15:11 UTC"


def test_a_build_of_which_nothing_is_known_is_changed_where_the_probe_says_so_and_only_there() -> None:
    ((code, message),) = found(ToldLink(build=b""), seen(packages="q"))
    assert code == "ENV-DRIFT"
    assert message.endswith("by hand, and its build kept no list of them")
    assert found(ToldLink(build=b"")) == []


def test_a_deleted_file_is_named_and_noted_for_the_next_up() -> None:
    link = ToldLink(HOLED)
    missing = Finding("ENV-FILES-MISSING", Severity.ERROR, "numpy lacks a file")
    judged = with_drift((missing,), (TASK,), seen(), performer(link), Stop())
    assert [one.code for one in judged] == ["ENV-FILES-MISSING", "ENV-DRIFT"]
    assert judged[0].fix == "`provision up` builds it anew: that it is damaged is noted on the host"
    assert judged[1].message == f"mymodel {NOW}: numpy 1.26.4 lacks 1 of its 40 files, such as lib/a.so"
    note = {"format": 1, "generation": NOW, "built": 1_750_000_000, "packages": ["numpy"]}
    assert link.written == [(DAMAGE, note)]


def test_a_damage_that_is_noted_is_not_noted_again() -> None:
    link = ToldLink(HOLED)
    noted = (DAMAGE, {"format": 1, "generation": NOW, "built": 1_750_000_000})
    assert len(found(link, seen(noted))) == 1
    assert link.written == []


def test_a_note_of_an_earlier_generation_says_nothing_of_this_one() -> None:
    link = ToldLink(HOLED)
    found(link, seen((DAMAGE, {"format": 1, "generation": "9-00000000", "built": 1})))
    assert [content["generation"] for _, content in link.written] == [NOW]


def test_files_that_are_there_again_end_the_note_and_files_nobody_looked_for_do_not() -> None:
    noted = (DAMAGE, {"format": 1, "generation": NOW, "built": 1_750_000_000})
    back = ToldLink()
    found(back, seen(noted))
    assert back.written == [(DAMAGE, {"format": 1, "packages": []})]
    hurried = ToldLink(replace(BUILT, conda=(replace(NUMPY, missing=None), PYTHON)))
    found(hurried, seen(noted))
    assert hurried.written == []


def test_a_note_that_cannot_be_written_is_said_and_the_checks_stand_as_they_were() -> None:
    missing = Finding("ENV-FILES-MISSING", Severity.ERROR, "numpy lacks a file", "as it was")
    judged = with_drift((missing,), (TASK,), seen(), performer(ToldLink(HOLED, full=True)), Stop())
    assert judged[0] == missing
    assert judged[1].code == "CHECK-FAILED"
    assert judged[1].fix == "is there room on its disk?"


@pytest.mark.parametrize("said", [b"", b"rubbish", b'{"kind":"prefix","format":1,"markers":null}\n'])
def test_a_listing_that_cannot_be_read_fails_the_look_and_not_the_rest(said: bytes) -> None:
    events: list[Event] = []
    link = ToldLink(said, system=b"restart|\n")
    judged = with_drift((), (TASK,), seen(), performer(link, events), Stop())
    assert [one.code for one in judged] == ["CHECK-FAILED", "REBOOT-PENDING"]
    assert [one.ok for one in events if isinstance(one, StepFinished)] == [False, True]


def test_the_machine_is_held_against_the_newest_check_that_passed() -> None:
    ((code, message),) = found(ToldLink(), seen(gpu=a10()))
    assert code == "SYSTEM-DRIFT"
    assert message.startswith("the GPU driver is 550.127.05, and was not there when the last `up` proved")


def test_a_conda_that_was_updated_by_hand_is_held_against_its_own_record() -> None:
    updated = replace(seen(), condas=(conda(version="26.9.0"),))
    ((code, message),) = found(ToldLink(), updated)
    assert code == "SYSTEM-DRIFT"
    assert message == f"conda at {PREFIX} is 26.9.0, and was 26.7.1 when provision last ran it"


def test_a_host_of_which_no_up_ever_left_a_record_has_no_drift() -> None:
    bare = replace(seen(), records=())
    assert found(ToldLink(), bare) == []
    link = ToldLink()
    assert found(link, facts()) == []
    assert link.ran == ["tell_system.sh"], "without a build there is nothing to list"


def test_updates_that_are_armed_are_told_and_are_no_drift_yet() -> None:
    armed = (
        b'apt|APT::Periodic::Unattended-Upgrade "1";\ntimer|apt-daily-upgrade.timer\ndriver|ii |nvidia-driver-550|550\n'
    )
    ((code, _),) = found(ToldLink(system=armed))
    assert code == "UPGRADES-ARMED"
    assert code not in CODES


def test_hostile_names_travel_as_they_are_to_where_they_are_shown() -> None:
    ((_, message),) = found(ToldLink(with_pip(BUILT, PipPackage("\x1b]0;x\x07", "1", "pip"))))
    assert "\x1b]0;x\x07 1 was installed by pip" in message


def test_the_names_of_what_differs_are_looked_for_where_the_probe_shows_drift_and_only_there() -> None:
    quiet = ToldLink()
    assert named((TASK,), seen(), performer(quiet)) == (TASK,)
    assert quiet.ran == []
    changed = ToldLink(with_pip(BUILT, PipPackage("einops", "0.8.0", "pip")))
    (task,) = named((TASK,), seen(packages="q"), performer(changed))
    assert isinstance(task, EnvironmentTask)
    assert task.drift == ("einops 0.8.0 was installed by pip",)
    assert named((TASK,), seen(packages="q"), performer(ToldLink(b""))) == (TASK,)


def test_a_look_at_one_build_has_all_of_it() -> None:
    place = TASK.place(seen())
    assert place is not None
    assert place.prefix == f"{STATE}/envs/mymodel/mymodel/{NOW}"
    assert place.python == f"{PREFIX}/bin/python"
    taken = look(performer(ToldLink(HOLED)), place)
    assert taken.changes == ()
    assert taken.whole
    assert taken.lines == ("numpy 1.26.4 lacks 1 of its 40 files, such as lib/a.so",)
