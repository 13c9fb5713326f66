"""`env export`: an environment.yml from what a host has, that builds the same elsewhere."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import env_export_host, options, written
from provision.cli.asked_hosts import AskedHosts
from provision.cli.workspace import Workspace
from provision.environment.export import export
from provision.environment.export_edit import edited
from provision.environment.export_file import Pin
from provision.environment.export_text import written as text_of
from provision.environment.pip_section import PipSection, Place
from provision.errors import BadFileError, UsageError
from provision.report.display import one_line
from provision.report.export_document import Exported, export_document

if TYPE_CHECKING:
    import argparse

    from provision.cli.env_export_host import Seen, Wanted
    from provision.environment.export_edit import LinesOf
    from provision.environment.export_file import Export
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Write an environment.yml from what a host has: it builds the same elsewhere. Where the project's own file is what the
environment was built from, that file is edited line by line, so its comments stay. Nothing on the host changes.

  --pin asked     as it was asked for; what was installed by hand at its version (the default)
  --pin version   every package at its version
  --pin build     every package of conda at its version and build
"""
EXAMPLES = """\
  provision env export gpu-box
  provision env export gpu-box --pin version -o exact.yml
  provision env export gpu-box --prefix '~/miniconda3/envs/mine' -o environment.yml     one made by hand
"""


def main(name: str, argv: list[str]) -> int:
    """Run `env export`."""
    asked = _parse(name, argv)
    path = Path(asked.output) if asked.output else None
    check_free(path, force=asked.force)
    workspace = Workspace.open(asked.inventory)
    host = workspace.host(asked.host)
    wanted = env_export_host.wanted(workspace, host, asked.environment, asked.prefix)
    asking: AskedHosts[Seen] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, one: Host, emit: Emit) -> Seen:
        return env_export_host.read(env_export_host.performer_for(link, one, emit, asking.stop), one, wanted)

    seen = asking.ask((host,), work).get(host.name)
    code = asking.exit_code()
    asking.complain()
    done: dict[str, Exported] = {}
    if seen is not None:
        pin = Pin(asked.pin)
        found = export(seen.built, pin)
        head = f"Written by `provision {name}`: what {one_line(host.name)} has, {_PINNED[pin]}."
        text, more = text_for(workspace, wanted, seen, found, head)
        notes = (*found.notes, *more)
        for note in notes:
            print(f"note: {one_line(note)}", file=sys.stderr)
        if path is not None:
            put(path, text, force=asked.force)
        generation = seen.generation.name if seen.generation else None
        shown = str(path) if path is not None else None
        done[host.name] = Exported(seen.environment, generation, seen.prefix, asked.pin, shown, text, notes)
        if not asked.json:
            sys.stdout.write(text if path is None else f"written: {path}\n")
    if asked.json:
        print(json.dumps(export_document(name, code, done, asking.failed), indent=2))
    return code


_CONSTRAINTS = re.compile(r"^\s*-\s+[\"']?(?:-c|--constraint)[ =]\s*([^\s\"'#]+)", re.MULTILINE)
_PINNED = {
    Pin.ASKED: "as it was asked for",
    Pin.VERSION: "every package at its version",
    Pin.BUILD: "every package at its version and build",
}


def text_for(workspace: Workspace, wanted: Wanted, seen: Seen, found: Export, head: str) -> tuple[str, tuple[str, ...]]:
    """Return the file's text, and what is to be said of it: the project's own file edited, where it can be.

    ``head`` is the comment at the top of a file that is written anew.
    """
    local = env_export_host.local_file(wanted, seen)
    if local is None:
        return text_of(found, (head,)), ()
    if local.suffix in {".yml", ".yaml"}:
        text = edited(local.read_text("utf-8"), found, lines_of(local, workspace.project.root))
        if text is not None:
            limits = _CONSTRAINTS.search(text)
            return text, (f"it names a file that must go with it: {limits[1]}",) if limits else ()
    return text_of(found, (head,)), (f"the comments of {local} are not kept: its layout is not one to edit by lines",)


def lines_of(path: Path, root: Path) -> LinesOf:
    """Return what tells which lines a pip line of that file comes to, included files read."""

    def lines(text: str) -> tuple[str, ...]:
        section = PipSection(root, allow=True)
        try:
            section.add(text, Place(path.parent, lambda _: None, (path,)))
        except BadFileError:
            return (text,)
        return tuple(section.lines)

    return lines


def check_free(path: Path | None, *, force: bool) -> None:
    """Refuse, before anything is asked of a host, to write over a file.

    Raises:
        UsageError: something stands there already.
    """
    if path is not None and not force and path.exists():
        raise UsageError(f"{path}: it is there already, and is left as it is", hint="--force writes it anew")


def put(path: Path, text: str, *, force: bool) -> None:
    """Write the file."""
    if force and path.exists():
        written.replace(path, text)
    else:
        written.create(path, text)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("host", metavar="HOST", help="the host whose environment is written down")
    words.add_argument(
        "--pin", choices=[one.value for one in Pin], default=Pin.ASKED.value, help="how exactly (default: asked)"
    )
    words.add_argument("--environment", metavar="NAME", help="which of the project's environments (default: the first)")
    words.add_argument(
        "--prefix", metavar="PATH", help="any conda environment of the host, by its folder: one that was made by hand"
    )
    words.add_argument("-o", "--output", metavar="FILE", help="write there (default: print it)")
    words.add_argument("--force", action="store_true", help="write over a file that is there")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked: argparse.Namespace = words.parse_args(argv)
    if asked.prefix and asked.environment:
        raise UsageError("--prefix and --environment both say which environment: give one of them")
    return asked
