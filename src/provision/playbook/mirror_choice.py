"""``mirrors: auto``: the host asks every profile and the originals; the best serve it, the others where those fail."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provision.environment.channels import MAIN, own_urls
from provision.miniconda.table import newest
from provision.model.host import Mirror
from provision.model.plan import Detached, Fetch, Finding, Later, Run, Severity, Step
from provision.playbook.tasks.environment.request import PLATFORMS, Request
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.model.facts import Facts
    from provision.model.plan import Program
    from provision.playbook.task import Task

RECORD = "mirrors"
TRUSTED = 7 * 86400
"""Seconds, by the host's clock, for which a choice holds. A download that fails ends it at once."""
DOUBTED = 3600
"""The same where nobody answered: that may have been a moment's trouble."""
SECONDS = 6
"""How long a server has for its answer."""
MOST = 256 << 10
"""Bytes that are read of each."""
FORGE, MAIN_KIND, INSTALLER, PIP, WHEELS = "conda-forge", "main", "installer", "pip", "torch"
KINDS = (FORGE, MAIN_KIND, INSTALLER, PIP, WHEELS)
MEGA = 1_000_000
LEAST_ERROR = 400
SLOWEST = 2048
"""Bytes a second; fetch.sh gives up a server below that."""
_LARGEST = 1 << 20
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """How a server answered one question."""

    mirror: str
    what: str
    """``conda-forge``, ``main`` (the channels of `defaults`), ``installer``, ``pip``, ``torch`` (PyTorch's)."""
    status: int
    """As HTTP has it; 0: there was no answer."""
    size: int
    """Bytes that came."""
    milliseconds: int
    reason: str

    @property
    def good(self) -> bool:
        """Whether it serves."""
        return self.status in {200, 206} and self.size > 0 and not self.crawls

    @property
    def crawls(self) -> bool:
        """Whether it took all of its time for next to nothing: such a download would end in days."""
        return self.status > 0 and self.milliseconds >= SECONDS * 950 and self.speed < SLOWEST

    @property
    def speed(self) -> float:
        """Bytes a second."""
        return self.size * 1000 / max(self.milliseconds, 10)

    @property
    def told(self) -> str:
        """What it was, in a few words."""
        if self.good:
            return f"{self.speed / MEGA:.1f} MB/s" if self.speed >= MEGA / 10 else f"{self.speed / 1000:.0f} kB/s"
        refused = {403: "refused (403)", 404: "does not have it (404)"}
        if self.crawls and self.status < LEAST_ERROR:
            return f"too slow ({self.size} bytes in {self.milliseconds / 1000:.0f} s)"
        if self.status:
            return refused.get(self.status, f"answered {self.status}")
        return self.reason[:_SHOWN] or "no answer"


def planned(tasks: Sequence[Task], facts: Facts) -> tuple[tuple[Task, ...], tuple[Step, ...] | None]:
    """Return the tasks with what was chosen for them, and all steps where the choice comes first; None: it does not."""
    auto = next((one for task in tasks if (one := _mirror(task)) is not None and one.candidates), None)
    if auto is None:
        return tuple(tasks), None
    answers = recorded(auto, facts)
    if answers is not None:
        best = choice(auto, answers)
        return tuple(_with(task, best) for task in tasks), None
    bound = tuple(_with(task, None) for task in tasks)
    steps = [(task, step) for task in bound for step in task.plan(facts)]
    first = next((number for number, (task, step) in enumerate(steps) if _downloads(task, step)), None)
    found = tuple(step for _, step in steps)
    if first is None:
        return bound, found
    later = (replace(one, action=Later()) for one in found[first:])
    return bound, (*found[:first], choose(auto, facts), *later)


def findings(tasks: Iterable[Task], facts: Facts) -> Iterable[Finding]:
    """Say what was chosen, and why."""
    for task in tasks:
        mirror = _mirror(task)
        if mirror is not None and mirror.candidates:
            answers = recorded(mirror, facts)
            if answers is not None:
                yield told(mirror, answers)
            return


def choose(mirror: Mirror, facts: Facts) -> Step:
    """Return the step that asks all of them."""
    asked = questions(mirror, facts)

    def judge(output: bytes) -> tuple[Finding, ...]:
        return (told(mirror, parse(output, asked)),)

    def record(output: bytes) -> Program:
        answers = [
            [one.mirror, one.what, one.status, one.size, one.milliseconds, one.reason] for one in parse(output, asked)
        ]
        text = {"format": 1, "at": facts.system.clock, "asked": _digest(asked), "answers": answers}
        machine = facts.system.machine_id or "none"
        return catalogue.write_record(facts.state_dir, machine, RECORD, json.dumps(text, separators=(",", ":")))

    return Step(
        "choose the nearest mirrors",
        f"`mirrors: auto`: this host asks {len({one for one, _, _ in asked})} of them what they serve, and how fast",
        Run(catalogue.probe_mirrors(SECONDS, MOST, (url for _, _, url in asked)), judge, record=record),
        changed=False,
    )


def questions(mirror: Mirror, facts: Facts) -> list[tuple[str, str, str]]:
    """Return (profile, what, address) of everything that is asked."""
    architecture = facts.system.architecture
    platform = PLATFORMS.get(architecture, "noarch")
    installer = newest(architecture) if architecture in PLATFORMS else None
    found: list[tuple[str, str, str]] = []
    for one in mirror.candidates:
        for channel, root in one.channels:
            kind = _kind(channel)
            if kind in {FORGE, MAIN_KIND} and not any(had[:2] == (one.name, kind) for had in found):
                found.append((one.name, kind, f"{root.rstrip('/')}/{platform}/repodata.json"))
        if one.installer and installer is not None:
            found.append((one.name, INSTALLER, f"{one.installer.rstrip('/')}/{installer.file_name}"))
        if one.pip:
            found.append((one.name, PIP, f"{one.pip.rstrip('/')}/pip/"))
        if one.torch and not any(url.startswith(f"{one.torch}/") for _, _, url in found):
            found.append((one.name, WHEELS, f"{one.torch.rstrip('/')}/cpu/torch/"))
    return found


def parse(output: bytes, asked: Sequence[tuple[str, str, str]]) -> list[Answer]:
    """Return what the host's program printed; a question without an answer had none."""
    told_of: dict[int, Answer] = {}
    for line in output[:_LARGEST].decode("utf-8", "replace").splitlines():
        number, *rest = line.split("\t")
        if number.isdecimal() and len(number) < 6 and int(number) < len(asked) and len(rest) == 4:  # noqa: PLR2004 - the fields
            name, what, _ = asked[int(number)]
            answer = _answer([name, what, *rest])
            if answer is not None:
                told_of[int(number)] = answer
    return [
        told_of.get(number, Answer(name, what, 0, 0, 0, "no answer")) for number, (name, what, _) in enumerate(asked)
    ]


def _answer(fields: Sequence[Any]) -> Answer | None:
    try:
        mirror, what, status, size, milliseconds, reason = fields
        code, came, took = int(status), int(size), int(milliseconds)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(0 <= one < 1 << 40 for one in (code, came, took)):
        return None
    plain = "".join(one for one in str(reason)[:_SHOWN] if one.isprintable())
    return Answer(str(mirror), str(what), code, came, took, plain)


def recorded(mirror: Mirror, facts: Facts) -> list[Answer] | None:
    """Return the answers that still count: not old, and to the same questions."""
    record = facts.record(RECORD)
    if record is None:
        return None
    asked = questions(mirror, facts)
    at, listed = record.get("at"), record.get("answers")
    if not isinstance(at, int) or record.get("asked") != _digest(asked) or not isinstance(listed, list):
        return None
    answers = [_answer(one) for one in listed if isinstance(one, list)]
    found = [one for one in answers if one is not None]
    if not 0 <= facts.system.clock - at < (TRUSTED if any(one.good for one in found) else DOUBTED):
        return None
    same = [(one.mirror, one.what) for one in found] == [(name, what) for name, what, _ in asked]
    return found if same else None


def choice(mirror: Mirror, answers: Sequence[Answer]) -> Mirror:
    """Return the best for each thing, with those that follow; where nobody serves, one that names nothing."""
    by_name = {one.name: one for one in mirror.candidates}
    order = {what: _order(answers, what) for what in KINDS}
    leading = order[FORGE] or order[MAIN_KIND]
    installers = [by_name[one].installer for one in order[INSTALLER]]
    # pip's own index is named by nobody here: it leads where the original channels do, and is the last way out.
    indexes: list[str | None] = [by_name[one].pip for one in order[PIP]]
    original = bool(leading) and by_name[leading[0]].pip is None
    indexes = [None, *indexes] if original else [*indexes, None]
    wheels = [by_name[one].torch for one in order[WHEELS]]
    layers: dict[str, list[list[str]]] = {}
    for name in dict.fromkeys(channel for one in mirror.candidates for channel, _ in one.channels):
        kind = _kind(name)
        names = order[kind] if kind in {FORGE, MAIN_KIND} else list(dict.fromkeys((*order[FORGE], *order[MAIN_KIND])))
        served = [[url for had, url in by_name[one].channels if had == name] for one in names]
        layers[name] = [urls for urls in served if urls]
    depth = max([len(installers), len(indexes), len(wheels), *map(len, layers.values())])
    chain = [
        Mirror(
            mirror.name,
            installer=installers[at] if at < len(installers) else None,
            channels=tuple((name, url) for name, rows in layers.items() if at < len(rows) for url in rows[at]),
            pip=indexes[at] if at < len(indexes) else None,
            # The last one serves the attempts that follow.
            torch=wheels[min(at, len(wheels) - 1)] if wheels else None,
        )
        for at in range(depth)
    ]
    return replace(chain[0], then=tuple(chain[1:]))


def told(mirror: Mirror, answers: Sequence[Answer]) -> Finding:
    """Return the line that tells what serves this host, and what the others did."""
    order = {what: _order(answers, what) for what in KINDS}
    leading = order[FORGE] or order[MAIN_KIND] or order[INSTALLER] or order[PIP]
    if not leading:
        why = "; ".join(dict.fromkeys(f"{one.mirror} {one.told}" for one in answers))
        return Finding(
            "MIRROR-NONE",
            Severity.WARNING,
            f"no mirror serves this host, nor do the originals: {why}",
            "does the host have a way out? A proxy goes into its `env:`; `offline: true` sends all of it from here",
        )
    others = [one.name for one in mirror.candidates if one.name != leading[0]]
    words = [f"{leading[0]} {_words(answers, leading[0])}", *(f"{one} {_words(answers, one)}" for one in others)]
    differing = [
        f"{label} from {names[0]}"
        for what, label in ((INSTALLER, "installers"), (MAIN_KIND, "`defaults`"), (PIP, "pip"))
        if (names := order[what]) and names[0] != leading[0] and not (what == PIP and leading[0] == _original(mirror))
    ]
    wheels = next((one.torch for name in order[WHEELS] for one in mirror.candidates if one.name == name), None)
    if wheels is not None:
        # Several profiles take them from one server, which is none of theirs.
        differing.append(f"PyTorch's wheels from {urlsplit(wheels).hostname}")
    best = "".join(f", {one}" for one in differing)
    return Finding("MIRROR-CHOSEN", Severity.INFO, f"downloads come from {leading[0]}{best}: {'; '.join(words)}")


def _original(mirror: Mirror) -> str:
    return mirror.candidates[-1].name


def _words(answers: Sequence[Answer], name: str) -> str:
    own = [one for one in answers if one.mirror == name]
    bad = [one for one in own if not one.good]
    first = next((one for one in own if one.good), None)
    if first is None:
        return bad[0].told if bad else "was not asked"
    return first.told + "".join(f" ({one.what}: {one.told})" for one in bad)


def _order(answers: Sequence[Answer], what: str) -> list[str]:
    """Return who serves it, the fastest first."""
    good = [one for one in answers if one.what == what and one.good]
    return [one.mirror for one in sorted(good, key=lambda one: -one.speed)]


def _kind(channel: str) -> str:
    """Return the question that answers for a channel."""
    if channel == FORGE:
        return FORGE
    return MAIN_KIND if MAIN in own_urls(channel) or channel in {"r", "pkgs/r"} else channel


def _digest(asked: Sequence[tuple[str, str, str]]) -> str:
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def _downloads(task: Task, step: Step) -> bool:
    action = step.action
    if isinstance(action, Fetch):
        return action.local is None and not action.at_once
    # Of what runs apart from the connection, only the build of an environment asks channels and indexes.
    if not isinstance(task, Request) or not isinstance(action, Detached):
        return False
    return action.supply is None or not action.supply.at_once


def _mirror(task: Task) -> Mirror | None:
    host = getattr(task, "host", None)
    return None if host is None else host.mirror


def _with(task: Task, mirror: Mirror | None) -> Task:
    host: Any = getattr(task, "host", None)
    if host is None or host.mirror is None or not host.mirror.candidates:
        return task
    return replace(task, host=replace(host, mirror=mirror))  # type: ignore[type-var]
