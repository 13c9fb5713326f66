"""The command `report`: what was met on hosts, how it was solved, and the fleet as it was last seen."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options, report_fleet, written
from provision.cli.known_causes import check_team_file
from provision.errors import UsageError
from provision.inventory import find_inventory
from provision.project import find_root, load_project
from provision.report.display import one_line, visible
from provision.report.entries import as_json, sightings
from provision.report.met_file import met_file, read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import TextIO

    from provision.report.entries import Entry

SCHEMA_VERSION = 1
"""Of the document that --json prints; within a version fields are only ever added."""
DESCRIPTION = """\
Show what earlier runs of `up`, `plan` and `verify` met on hosts: known pitfalls, and findings that are more than
information; what is open, and what a later run solved. Then the fleet as it was last seen. No host is asked. With
--notes it is written as Markdown, one page for each code. What you write there between the marks stays, and so does
what other machines of your team have met. With --html the fleet is one page for a browser, that needs no network:
hosts, findings and their fixes, a timeline, plots. --serve shows it on this machine, and it refreshes itself.
"""
EXAMPLES = """\
  provision report                       what was met in this project, what is open first; the fleet
  provision report --notes docs/note     write it as pages for the team
  provision report --html fleet.html     the fleet as one page, to open and to hand on
  provision report --markdown docs/note/fleet.md
  provision report --serve               the same page on 127.0.0.1, while runs go on
  provision report --all --json          every entry of every project
"""


def main(name: str, argv: list[str]) -> int:
    """Show or write what was met, and what the fleet is."""
    asked = _parse(name, argv)
    here = Path.cwd()
    check_team_file(find_inventory(here, None, os.environ, find_root(here)))
    project = None if asked.all else load_project(here).name
    if asked.serve:
        from provision.cli.report_serve import serve

        return serve(project, asked.port or 0)
    if asked.html is not None:
        report_fleet.write_html(report_fleet.known_fleet(project), asked.html)
    elif asked.markdown is not None:
        report_fleet.write_markdown(report_fleet.known_fleet(project), asked.markdown)
    else:
        _report(name, asked, project)
    return 0


def _report(name: str, asked: argparse.Namespace, project: str | None) -> None:
    entries = [one for one in _entries() if project is None or one.project == project]
    if entries and asked.notes is not None:
        # stdout is the document's alone.
        _write(asked.notes, entries, sys.stderr if asked.json else sys.stdout)
    if asked.json:
        fleet = report_fleet.known_fleet(project, brief=True)
        shown = {
            "schema_version": SCHEMA_VERSION,
            "command": name,
            "entries": [as_json(one) for one in entries],
            "hosts": report_fleet.host_documents(fleet),
        }
        print(json.dumps(shown, indent=2))
        return
    if not entries:
        where = f" in project {one_line(project)}" if project is not None else ""
        print(f"nothing was met{where} yet: `provision up`, `plan` and `verify` remember what they meet")
    elif asked.notes is None:
        _show(entries)
    if asked.notes is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        report_fleet.show(report_fleet.known_fleet(project, brief=True), width)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("--notes", metavar="FOLDER", help="write pages there; only its own pages are written over")
    words.add_argument("--html", metavar="FILE", help="write the fleet as one page for a browser; - is stdout")
    words.add_argument(
        "--markdown",
        metavar="FILE",
        nargs="?",
        const=report_fleet.STDOUT,
        help="write it as Markdown (default: to stdout)",
    )
    words.add_argument("--serve", action="store_true", help="show the page on 127.0.0.1, until Ctrl-C")
    words.add_argument("--port", type=_port, metavar="N", help="for --serve (default: any that is free)")
    words.add_argument("--all", action="store_true", help="of every project, not only of this one")
    words.add_argument("--json", action="store_true", help="print the entries as one JSON document")
    asked = words.parse_args(argv)
    forms = {"--notes": asked.notes, "--html": asked.html, "--markdown": asked.markdown, "--serve": asked.serve or None}
    chosen = [form for form, value in forms.items() if value is not None]
    if asked.json and chosen not in ([], ["--notes"]):
        chosen.append("--json")
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} cannot stand together", hint=f"provision {name} --help")
    if asked.port is not None and not asked.serve:
        raise UsageError("--port is for --serve", hint=f"provision {name} --serve --port {asked.port}")
    return asked


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 65535:  # noqa: PLR2004 - the last port there is
        raise UsageError(f"'{one_line(text[:20])}' is not a port, expected 1 to 65535")
    return int(text)


def _entries() -> list[Entry]:
    path = met_file(os.environ)
    try:
        return read(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None


def _show(entries: Sequence[Entry]) -> None:
    from provision.report.met_table import table_lines
    from provision.report.stream import write
    from provision.report.style import style_for

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = table_lines(sightings(entries), style_for(sys.stdout, os.environ), width)
    write(sys.stdout, "".join(f"{line}\n" for line in lines))


def _write(name: str, entries: Sequence[Entry], stream: TextIO) -> None:
    from provision.report.notes import INDEX, pages

    if not name.strip():
        raise UsageError("--notes has an empty name, expected a folder")
    shown = visible(name)
    try:
        folder = Path(name).expanduser()
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{shown}: not a folder")
        folder.mkdir(parents=True, exist_ok=True)
    except RuntimeError:
        raise UsageError(f"{shown}: this machine has no such login") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{shown}: cannot be made: {why}") from None
    with written.alone(folder):
        standing = _standing(folder)
        wanted = pages(sightings(entries), standing, str(folder))
        changed = {page: text for page, text in wanted.items() if standing.get(page) != text}
        # The index last: it never names a page that could not be written.
        for page in sorted(changed, key=lambda one: (one == INDEX, one)):
            (written.replace if page in standing else written.create)(folder / page, changed[page])
            print(f"wrote {visible(str(folder / page))}", file=stream)
    if not changed:
        print(f"{shown}: nothing new", file=stream)


def _standing(folder: Path) -> dict[str, str | None]:
    """Return the Markdown files of a folder; ``None`` for one that is no text, or no file."""
    standing: dict[str, str | None] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.name.endswith(".md"):
                standing[path.name] = _text(path)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return standing


def _text(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
