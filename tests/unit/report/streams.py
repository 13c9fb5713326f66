"""Scripted runs: what an engine would emit, with times that are always the same."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from provision.events import (
    CommandRan,
    Connected,
    Failure,
    HostEvent,
    HostFinished,
    HostStarted,
    Judged,
    LinkLost,
    Note,
    Planned,
    Probed,
    StepFinished,
    StepOutput,
    StepStarted,
    Waiting,
)
from provision.model.facts import Gpu
from provision.model.plan import Finding, Later, Outcome, Plan, Program, Run, Severity, Step
from provision.report.face import Face
from tests.facts_builder import a10, environment, facts, link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.events import Event
    from provision.model.facts import Facts

CARD = Gpu(0, "GPU-0", "NVIDIA A10", memory_mib=22528)
INSTALL = Step(
    "install Miniconda 24.11.1 at /home/u/miniconda3",
    "there is no conda at /home/u/miniconda3",
    Run(Program("install.sh")),
    details=("sha256 0123abcd",),
)
BUILD = Step(
    "build mymodel 1-3f2a91bc",
    "environment.yml changed: 3f2a -> 91bc",
    Run(Program("build.sh")),
    details=("+ numpy=2.1", "- numpy=1.26"),
)
CHECK = Step("import what 1-3f2a91bc is for", "it was not proven on this boot", Run(Program("check.py")), changed=False)
SWITCH = Step("make 1-3f2a91bc the current mymodel", "once it is proven", Later())
OLD_DRIVER = Finding("GPU-DRIVER-OLD", Severity.WARNING, "driver 470 is older than CUDA 12.4 needs", "install 550")
PROVE = Step("prove mymodel 1-3f2a91bc", "it is read back before it is used", Later(), changed=False)
A_NOTE = Finding("ENV-NOTE", Severity.INFO, "conda picks the CPU build of faiss")
UNPROVEN = Finding("GPU-UNPROVEN", Severity.ERROR, "no GPU is there, one is expected", "start the box with its GPU")
NOTHING_LEFT = Finding("DISK-FULL", Severity.ERROR, "2 GiB free, 9 GiB needed", "set state_dir to a larger disk")


def seen() -> Facts:
    """A rented box with one GPU and one environment in use, beside one that is not ours."""
    return facts(
        gpu=a10(gpus=(CARD,), driver="550.54"),
        environments=(environment(current="1-3f2a91bc"),),
        conda_links=(link(), link(None, "theirs")),
    )


def begun(name: str) -> list[Event]:
    """The events of a host up to its facts."""
    return [HostStarted(f"{name} (u@192.0.2.1:22)"), Connected(0.4), Probed(seen(), 0.3)]


def converged(name: str) -> list[Event]:
    """A host where nothing is to be done."""
    return [*begun(name), Planned(Plan()), Judged(()), HostFinished(Outcome.CONVERGED)]


def changed(name: str) -> list[Event]:
    """A host that needs everything, and gets it."""
    return [
        HostStarted(f"{name} (u@192.0.2.1:22)"),
        Note("host key SHA256:abc accepted and recorded"),
        Connected(0.4),
        Probed(seen(), 0.3),
        Planned(Plan((INSTALL, BUILD, CHECK, SWITCH))),
        Waiting("held by ann@laptop"),
        StepStarted(INSTALL, 1, 4),
        StepOutput("unpacking"),
        CommandRan("detach.sh install", 0, 0.2),
        StepFinished(INSTALL, 3.0, ok=True),
        StepStarted(BUILD, 2, 4),
        *(StepOutput(f"Downloading pytorch {part * 10} %") for part in range(1, 10)),
        LinkLost("the peer was silent for 45 s"),
        CommandRan("follow.sh", None, 45.0),
        StepOutput("Linking pytorch"),
        StepFinished(BUILD, 75.2, ok=True),
        Planned(Plan((CHECK, SWITCH))),
        StepStarted(CHECK, 1, 2),
        StepFinished(CHECK, 2.0, ok=True),
        StepStarted(SWITCH, 2, 2),
        StepFinished(SWITCH, 0.1, ok=True),
        Probed(seen(), 0.3),
        Planned(Plan(), final=True),
        Judged((OLD_DRIVER,)),
        HostFinished(Outcome.CHANGED),
    ]


def failed(name: str) -> list[Event]:
    """A host whose build fails."""
    failure = Failure(
        "step",
        f"{BUILD.name}: the solver found no package 'nunpy'",
        4,
        "did you mean numpy?",
        "Solving\nPackagesNotFoundError: nunpy",
    )
    return [
        *begun(name),
        Planned(Plan((BUILD, CHECK, SWITCH))),
        StepStarted(BUILD, 1, 3),
        StepOutput("PackagesNotFoundError: nunpy"),
        StepFinished(BUILD, 4.0, ok=False),
        HostFinished(Outcome.FAILED, failure, (BUILD.name, CHECK.name, SWITCH.name)),
    ]


def unreachable(name: str) -> list[Event]:
    """A host that does not answer."""
    failure = Failure("network", f"{name}: 192.0.2.9:22 did not answer in 10 s", 3, "is the machine running?")
    return [HostStarted(f"{name} (u@192.0.2.9:22)"), HostFinished(Outcome.UNREACHABLE, failure)]


def interrupted(name: str) -> list[Event]:
    """A host whose run was stopped after its first step."""
    failure = Failure("interrupted", "stopped on request", 130, "run the same command again to go on")
    return [
        *begun(name),
        Planned(Plan((BUILD, CHECK))),
        StepStarted(BUILD, 1, 2),
        StepFinished(BUILD, 4.0, ok=True),
        HostFinished(Outcome.INTERRUPTED, failure, (CHECK.name,)),
    ]


def busy(name: str) -> list[Event]:
    """A host that another run holds, and that names itself in all that it says."""
    failure = Failure("busy", f"{name}: held by ann@laptop", 6, "wait for it, or use --wait")
    held = Planned(Plan((BUILD, PROVE, SWITCH)))
    return [*begun(name), Note(f"{name}: another key is known"), held, HostFinished(Outcome.BUSY, failure)]


def judged(name: str, outcome: Outcome, *findings: Finding) -> list[Event]:
    """A host where nothing is to be done, and of which something is said."""
    return [*begun(name), Planned(Plan()), Judged(findings), HostFinished(outcome)]


def skipped() -> list[Event]:
    """A host that was never begun."""
    return [HostFinished(Outcome.SKIPPED, Failure("interrupted", "not begun: the run was stopped", 130))]


def crashed(name: str) -> list[Event]:
    """A host whose worker met a bug."""
    failure = Failure("bug", "KeyError: 'x'", 1, "this is a bug of provision: please report it", "Traceback\n  boom")
    return [*begun(name), HostFinished(Outcome.CRASHED, failure)]


def pending(name: str, plan: Plan | None = None, *findings: Finding) -> list[Event]:
    """A host of `plan` where something is to be done."""
    wanted = plan or Plan((INSTALL, BUILD, CHECK, SWITCH))
    outcome = Outcome.UNFIT if wanted.blocked else Outcome.PENDING
    return [*begun(name), Planned(wanted), Judged(findings), HostFinished(outcome)]


EVIL = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe\u200b\udc80\r\nnext"


def hostile(name: str) -> list[Event]:
    """A host that tries to write to the terminal by every way."""
    step = Step(f"build {EVIL}", EVIL, Run(Program("x")), details=(f"+ {EVIL}",))
    return [
        HostStarted(f"{name} ({EVIL})"),
        Note(EVIL),
        Connected(0.1),
        Planned(Plan((step,), (Finding("CODE", Severity.WARNING, EVIL, EVIL),))),
        Waiting(EVIL),
        StepStarted(step, 1, 1),
        StepOutput(EVIL),
        LinkLost(EVIL),
        CommandRan(EVIL, 1, 0.1),
        StepFinished(step, 1.0, ok=False),
        HostFinished(Outcome.FAILED, Failure("step", EVIL, 4, EVIL, EVIL), (step.name,)),
    ]


def timed(runs: Mapping[str, Sequence[Event]]) -> list[HostEvent]:
    """One event of each host in turn; 2.5 s pass within a host between two of them."""
    longest = max(len(events) for events in runs.values())
    return [
        HostEvent(host, 1_700_000_000.0 + 2.5 * turn, events[turn])
        for turn in range(longest)
        for host, events in runs.items()
        if turn < len(events)
    ]


def shown(command: str, runs: Mapping[str, Sequence[Event]], **options: Any) -> str:
    """What a user reads when both streams are pipes: stderr, then stdout."""
    out, err = io.StringIO(), io.StringIO()
    face = Face(command, list(runs), environ={}, stdout=out, stderr=err, **options)
    for one in timed(runs):
        face.take(one)
    face.finish()
    return f"{err.getvalue()}--- stdout, exit {face.exit_code()} ---\n{out.getvalue()}"


BLOCKED = Plan((BUILD,), (NOTHING_LEFT,))
ONLY_A_CHECK = Plan((CHECK,))

SCENES: dict[str, tuple[str, dict[str, Sequence[Event]], dict[str, Any]]] = {
    "up-changed": ("up", {"gpu-box": changed("gpu-box")}, {}),
    "up-changed-verbose": ("up", {"gpu-box": changed("gpu-box")}, {"verbose": True}),
    "up-converged": ("up", {"gpu-box": converged("gpu-box")}, {}),
    "up-failed": ("up", {"gpu-box": failed("gpu-box")}, {}),
    "up-failed-verbose": ("up", {"gpu-box": failed("gpu-box")}, {"verbose": True}),
    "up-several": (
        "up",
        {
            "gpu-1": changed("gpu-1"),
            "gpu-2": failed("gpu-2"),
            "a-longer-name": converged("a-longer-name"),
            "gone": unreachable("gone"),
            "bug": crashed("bug"),
        },
        {},
    ),
    "up-fleet": (
        "up",
        {**{f"ali-{n}": converged(f"ali-{n}") for n in range(18)}, "bad": failed("bad"), "gone": unreachable("gone")},
        {},
    ),
    "up-interrupted": ("up", {"gpu-1": interrupted("gpu-1"), "gpu-2": skipped()}, {}),
    "up-busy": ("up", {"b4": busy("b4"), "b3": failed("b3")}, {}),
    "up-unfit": ("up", {"gpu-box": judged("gpu-box", Outcome.UNFIT, UNPROVEN, A_NOTE)}, {}),
    "up-converged-note": ("up", {"gpu-box": judged("gpu-box", Outcome.CONVERGED, OLD_DRIVER, A_NOTE)}, {}),
    "up-converged-note-verbose": (
        "up",
        {"gpu-box": judged("gpu-box", Outcome.CONVERGED, A_NOTE)},
        {"verbose": True},
    ),
    "plan-unfit": ("plan", {"gpu-box": judged("gpu-box", Outcome.UNFIT, UNPROVEN, A_NOTE)}, {}),
    "plan-against": (
        "plan",
        {
            "blocked": pending("blocked", BLOCKED),
            "unfit": judged("unfit", Outcome.UNFIT, UNPROVEN),
            "open": pending("open", Plan((INSTALL, BUILD, PROVE, SWITCH)), UNPROVEN),
        },
        {},
    ),
    "up-silent-death": ("up", {"gpu-1": begun("gpu-1"), "gpu-2": converged("gpu-2")}, {}),
    "up-dry-run": ("up", {"gpu-box": pending("gpu-box")}, {"dry_run": True}),
    "plan-pending": ("plan", {"gpu-box": pending("gpu-box", None, OLD_DRIVER), "cpu": converged("cpu")}, {}),
    "plan-blocked": ("plan", {"gpu-box": pending("gpu-box", BLOCKED)}, {}),
    "plan-only-a-check": ("plan", {"gpu-box": pending("gpu-box", ONLY_A_CHECK)}, {"pending_is_7": True}),
    "plan-nothing": ("plan", {"gpu-box": converged("gpu-box")}, {"pending_is_7": True}),
    "plan-unreachable": ("plan", {"gpu-box": pending("gpu-box"), "gone": unreachable("gone")}, {}),
    "plan-fleet": (
        "plan",
        {**{f"ali-{n}": converged(f"ali-{n}") for n in range(9)}, "new": pending("new")},
        {},
    ),
    "verify": (
        "verify",
        {
            "gpu-box": [
                *begun("gpu-box"),
                Planned(Plan()),
                StepStarted(CHECK, 1, 1),
                StepFinished(CHECK, 2.0, ok=True),
                Judged(()),
                HostFinished(Outcome.CONVERGED),
            ]
        },
        {},
    ),
    "up-hostile": ("up", {"gpu-box": hostile("gpu-box"), "b": hostile("b")}, {"verbose": True}),
    "plan-hostile": ("plan", {"gpu-box": hostile("gpu-box")}, {}),
}
