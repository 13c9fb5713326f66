"""The gate that keeps commands from channels whose Terms of Service were not accepted."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import web
from .errors import StandinError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .settings import Settings


def of(url: str) -> dict[str, str] | None:
    """Return the terms that a channel serves as terms.json, or None."""
    body = web.peek(f"{url}/terms.json")
    if body is None:
        return None
    read = json.loads(body)
    return {"version": str(read["version"]), "text": str(read["text"])}


def accept(url: str, version: str) -> Path:
    """Record in ~/.conda/tos that the user accepted this version of a channel's terms."""
    record = _home() / _name(url)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"base_url": url, "tos_version": version, "tos_accepted": True}))
    return record


def accepted(settings: Settings, url: str, version: str) -> bool:
    """Return whether this version was accepted here or for the whole installation."""
    for folder in (_home(), settings.root / "conda-meta/tos"):
        record = folder / _name(url)
        if record.is_file() and json.loads(record.read_text())["tos_version"] == version:
            return True
    return False


def gate(settings: Settings, channels: Iterable[str]) -> None:
    """Raise CondaToSNonInteractiveError unless every channel without accepted terms has none.

    ``channels`` are the configured ones and those of ``-c``; an environment file's own are never looked at.
    """
    refused = []
    for url in dict.fromkeys(url for name in channels for url in settings.urls(name)):
        found = of(url)
        if found is None or accepted(settings, url, found["version"]):
            continue
        if os.environ.get("CONDA_PLUGINS_AUTO_ACCEPT_TOS", "").lower() in {"1", "yes", "true", "on"}:
            accept(url, found["version"])
        else:
            refused.append(url)
    if refused:
        listed = "\n".join(f"    - {url}" for url in refused)
        advice = "\n".join(f"    conda tos accept --override-channels --channel {url}" for url in refused)
        raise StandinError(
            "CondaToSNonInteractiveError",
            f"Terms of Service have not been accepted for the following channels:\n{listed}\n\n"
            f"To accept them:\n{advice}\nor remove the channels.",
        )


def _home() -> Path:
    return Path(os.environ.get("HOME", "/")) / ".conda/tos"


def _name(url: str) -> str:
    return f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"
