"""`report`: what the ledger knows of the fleet, on the terminal, in the JSON document, and as a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli import written
from provision.errors import UsageError
from provision.report.display import visible

if TYPE_CHECKING:
    from provision.page.fleet import Fleet

STDOUT = "-"
_HEAD = 2000


def known_fleet(project: str | None, *, brief: bool = False) -> Fleet:
    """Return what the ledger knows of a project (``None``: of every one); in brief its hosts, runs and jobs alone."""
    from provision.page.from_ledger import fleet_of

    return fleet_of(os.environ, project, brief=brief)


def host_documents(fleet: Fleet) -> list[dict[str, Any]]:
    """Return the hosts as the JSON document shows them."""
    return [
        {
            "host": one.name,
            "target": one.target,
            "provider": one.cloud,
            "gpus": one.gpus,
            "driver": one.driver,
            "cuda": one.cuda,
            "environment": one.environment,
            "generation": one.generation,
            "verified_at": one.verified,
            "drift": one.drift,
            "jobs": fleet.live_jobs(one.name),
            "verdict": one.verdict,
        }
        for one in fleet.hosts
    ]


def show(fleet: Fleet, width: int | None) -> None:
    """Print the fleet's table; nothing where no host is known."""
    from provision.page.table_text import terminal_lines
    from provision.report.stream import write
    from provision.report.style import style_for

    lines = list(terminal_lines(fleet, style_for(sys.stdout, os.environ), width))
    if lines:
        write(sys.stdout, "\n" + "".join(f"{line}\n" for line in lines))


def write_html(fleet: Fleet, name: str) -> None:
    """Write the page for a browser."""
    from provision.page.html import MARK, page
    from provision.page.plots import plots

    found = plots(fleet)
    _write("--html", name, page(fleet, found), MARK)
    if found and not any(one.svg for one in found):
        print("without plots: pip install 'provision-gpu[report]'", file=sys.stderr)


def write_markdown(fleet: Fleet, name: str) -> None:
    """Write the page of Markdown."""
    from provision.page.table_text import MARK, markdown

    _write("--markdown", name, markdown(fleet), MARK)


def _write(option: str, name: str, text: str, mark: str) -> None:
    if not name.strip():
        raise UsageError(f"{option} has an empty name, expected a file, or - for stdout")
    if name == STDOUT:
        from provision.report.stream import write

        write(sys.stdout, text)
        return
    shown = visible(name)
    try:
        path = Path(name).expanduser()
        stands = path.exists() or path.is_symlink()
        ours = stands and path.is_file() and _ours(path, mark)
    except RuntimeError:
        raise UsageError(f"{shown}: this machine has no such login") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if stands and not ours:
        raise UsageError(f"{shown}: is no page of provision's, and is left as it is", hint="name a new file")
    (written.replace if stands else written.create)(path, text)
    print(f"wrote {shown}")


def _ours(path: Path, mark: str) -> bool:
    with path.open(encoding="utf-8", errors="replace") as stream:
        head = stream.read(_HEAD)
    # An empty file is what `mktemp` leaves.
    return not head or mark in head
