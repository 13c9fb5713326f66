"""Whether a run that nobody watches can log in: which keys need a passphrase, or an agent that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.cli.workspace import Workspace
    from provision.model.host import Host
    from provision.ssh.route import Hop

DEFAULT = ("id_ed25519", "id_ecdsa", "id_rsa")


def key_notes(workspace: Workspace, hosts: Iterable[Host]) -> list[str]:
    """Return a line for each reason for which a run cannot log in as you can now."""
    why: dict[str, list[str]] = {}
    for host in hosts:
        for hop in workspace.route(host).hops:
            reason = _why_not(hop)
            if reason is not None:
                why.setdefault(reason, []).append(host.name)
    advice = "a run has no agent and nobody to ask: use a key without a passphrase for it"
    return [f"{one_line(_some(names))}: {reason}; {advice}" for reason, names in why.items()]


def _why_not(hop: Hop) -> str | None:
    # Imported here: it loads the library of the keys.
    from provision.ssh.own_keys import is_locked

    chosen = hop.identity_files
    paths = [Path(one).expanduser() for one in chosen] or [Path.home() / ".ssh" / one for one in DEFAULT]
    there = [one for one in paths if one.is_file()]
    if not there:
        return f"the key {paths[0]} is no file" if chosen else "there is no key in ~/.ssh"
    if all(is_locked(one) for one in there):
        return f"the key {there[0]} has a passphrase"
    return None


def _some(names: list[str]) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(unique[:3]) + (f" and {len(unique) - 3} more" if len(unique) > 3 else "")  # noqa: PLR2004 - three
