"""What `sync` does: finds project and hosts before anything is sent, then one worker for each host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli.open_files import OURS, PER_HOST, forks_allowed
from provision.cli.workspace import Workspace, settings
from provision.errors import UsageError
from provision.project import ROOT_FILES, find_root
from provision.ssh.early import dial_early

if TYPE_CHECKING:
    import argparse


def sync(name: str, argv: list[str], asked: argparse.Namespace) -> int:
    """Sync the project that the working folder belongs to; return the exit code.

    Raises:
        UsageError: there is no project here, or a file or the command line cannot be taken.
    """
    check_root(find_root(Path.cwd()))
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    if asked.watch:
        _check_open_files(len(hosts))
    routes = {host.name: workspace.route(host) for host in hosts}
    dial_early(routes.values(), asked.forks)
    # Imported only now: while the modules load, the sockets connect.
    from provision.cli.sync_run import SyncRun

    return SyncRun(name, argv, asked, workspace.project, hosts, routes, settings(asked.host_keys)).run()


def _check_open_files(hosts: int) -> None:
    """Refuse to watch for more hosts than can be connected at once: the others would wait for ever.

    Raises:
        UsageError: they are too many.
    """
    at_once = forks_allowed(hosts, hosts)
    if at_once < hosts:
        raise UsageError(
            f"--watch keeps a connection to each of the {hosts} hosts, and the limit of open files allows {at_once}",
            hint=f"ulimit -n {OURS + PER_HOST * hosts}, or name {at_once} host{'s' * (at_once != 1)} at most",
        )


def check_root(root: Path | None) -> None:
    """Refuse what is no project, or far more than one.

    Raises:
        UsageError: it is not to be sent.
    """
    if root is None:
        raise UsageError(
            f"there is no project here: {Path.cwd()} and its parents have no provision.yaml, .git, pyproject.toml, "
            "environment.yml or requirements.txt",
            hint="cd into the project; or git init; or echo 'project: NAME' >provision.yaml",
        )
    place, home = root.resolve(), Path.home().resolve()
    if place == home or place in home.parents:
        what = "your home folder" if place == home else "your home folder and more"
        raise UsageError(
            f"the project here would be {place}{_sign(place)}, {what}: that is not sent",
            hint="cd into the project, and give it a provision.yaml or git init it there",
        )


def _sign(root: Path) -> str:
    """Return what makes a folder a project's root."""
    found = next((name for name in (".git", *ROOT_FILES) if (root / name).exists()), None)
    return f" (as {found} is there)" if found else ""
