"""Which hosts have work on them: a job of ours, or anybody's process on their GPUs."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 900.0
_AT_WORK = frozenset({"queued", "running"})
_DESKTOP = frozenset({"Xorg", "Xwayland", "gnome-shell", "kwin_x11", "kwin_wayland", "sddm-greeter"})
"""They draw a screen, and are no work."""


def busy_hosts(
    command: Sequence[str], hosts: Sequence[str], more: Sequence[str], folder: str, env: Mapping[str, str]
) -> dict[str, str]:
    """Return the hosts that are at work, with what is there; a host that does not answer is none of them."""
    found: dict[str, str] = {}
    seen = _document([*command, "hosts", *more, "--json", "--", *hosts], folder, env).get("hosts") or {}
    for host, one in seen.items():
        names = _processes((one or {}).get("facts"))
        if names:
            found[host] = f"{names[0]} holds a GPU"
    jobs = _document([*command, "jobs", *more, "--json", "--", *hosts], folder, env).get("jobs") or []
    for job in jobs:
        if job.get("state") in _AT_WORK:
            found[str(job.get("host"))] = f"job {job.get('id')} is {job.get('state')}"
    return found


def _document(words: list[str], folder: str, env: Mapping[str, str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
        plain = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return plain if isinstance(plain, dict) else {}


def _processes(facts: object) -> list[str]:
    gpus = facts.get("gpu") if isinstance(facts, dict) else None
    listed = gpus.get("processes") if isinstance(gpus, dict) else None
    names = [str(one.get("name", "")).rpartition("/")[2] for one in listed or () if isinstance(one, dict)]
    return [name or "a process" for name in names if name not in _DESKTOP]
