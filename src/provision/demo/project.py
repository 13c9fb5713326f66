"""The example project in the demo's folder, with its channels and its playbook as the demo needs them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

NAME = "tiny-train"
PLAYBOOK = "demo"
PIP_LINE = "standin-plugin"
SCRIPT = "train.py"
WITHOUT_NUMPY = "train_without_numpy.py"


@dataclass(frozen=True, slots=True)
class StandIn:
    """What takes the place of Miniconda and its channel."""

    installer: Path
    sha256: str
    url: str
    """Where ``channel/`` and ``simple/`` are served."""
    has_numpy: bool
    """Whether the channel has the real numpy; without, the project does without."""


def write(folder: Path, standin: StandIn | None, *, gpu: bool) -> tuple[str, ...]:
    """Write the project into ``folder`` (created) and return what differs from the example as it is shipped."""
    (folder / "playbooks").mkdir(parents=True)
    # Its root, even where the temporary folder lies in somebody's repository.
    (folder / ".git").mkdir()
    spec = yaml.safe_load(shipped("environment.yml"))
    notes: tuple[str, ...] = ()
    script = SCRIPT
    if standin is not None:
        spec, notes = _rewritten(spec, standin)
        script = SCRIPT if standin.has_numpy else WITHOUT_NUMPY
        (folder / "environment.yml").write_text(yaml.safe_dump(spec, sort_keys=False))
    else:
        (folder / "environment.yml").write_text(shipped("environment.yml"))
    (folder / SCRIPT).write_text(shipped(f"{script}.txt"))
    playbook = {"name": PLAYBOOK, "tasks": _tasks(standin, gpu=gpu)}
    (folder / "playbooks" / f"{PLAYBOOK}.yaml").write_text(yaml.safe_dump(playbook, sort_keys=False))
    if not gpu:
        notes += (f"playbooks/{PLAYBOOK}.yaml: no task gpu, for no NVIDIA GPU answers on this machine",)
    return notes


def shipped(name: str) -> str:
    """Return a file of the example project."""
    return (resources.files("provision.demo") / "project" / name).read_text(encoding="utf-8")


def _rewritten(spec: dict[str, Any], standin: StandIn) -> tuple[dict[str, Any], tuple[str, ...]]:
    address = f"{standin.url}/channel"
    notes = [f"environment.yml: channels are [{address}] instead of {spec['channels']}"]
    needs = [one for one in spec["dependencies"] if standin.has_numpy or not str(one).startswith("numpy")]
    if not standin.has_numpy:
        notes.append("environment.yml: no numpy, for its wheel could not be fetched; train.py is one that needs none")
    pip = [f"--index-url {standin.url}/simple", PIP_LINE]
    notes.append(f"environment.yml: a pip section with {PIP_LINE}, from a wheel index of the demo's own")
    return {**spec, "channels": [address], "dependencies": [*needs, {"pip": pip}]}, tuple(notes)


def _tasks(standin: StandIn | None, *, gpu: bool) -> list[dict[str, Any]]:
    miniconda = {"installer": str(standin.installer), "sha256": standin.sha256} if standin else {}
    return [
        {"miniconda": miniconda},
        {"environment": {"allow_pip_options": True} if standin else {}},
        {"files": [{"path": f"~/work/{NAME}/{SCRIPT}", "source": SCRIPT}]},
        *([{"gpu": {}}] if gpu else []),
    ]
