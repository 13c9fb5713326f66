"""`env migrate`: a host's environment on another one, its CUDA fitted to the driver there."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli import env_export_host, options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.env_export import check_free, put, text_for
from provision.cli.env_migrate_build import MigratedBuild, lock_for, target_of
from provision.cli.workspace import Workspace
from provision.decode.document import shown_path
from provision.environment.export import export
from provision.environment.export_file import Pin
from provision.environment.migrate import fitted
from provision.errors import UsageError
from provision.report.display import one_line
from provision.report.export_changes import change_fields, change_lines
from provision.report.export_document import error_of

if TYPE_CHECKING:
    import argparse

    from provision.cli.env_export_host import Seen
    from provision.environment.migrate import Fitted
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Build a host's environment on another one. What the first host has is exported as it was asked for; lines whose CUDA
does not go with the other host's driver, cards or processor become lines that do, each with the reason. The file is
written and locked; then, after a yes, it is built there, verified, and compared with the first host.
"""
EXAMPLES = """\
  provision env migrate gpu-a gpu-b --dry-run      what would change, and why
  provision env migrate gpu-a gpu-b
  provision env migrate gpu-a cpu-box -o environment.cpu.yml --yes
"""
UNFIT = 5
"""The exit code where nothing that is known goes with the other host."""


def main(name: str, argv: list[str]) -> int:
    """Run `env migrate`."""
    asked = _parse(name, argv)
    return _Migration(name, argv, asked).run()


@dataclass(slots=True)
class _Read:
    """What the two hosts said."""

    seen: Seen | None = None
    facts: Facts | None = None


class _Migration:
    def __init__(self, name: str, argv: list[str], asked: argparse.Namespace) -> None:
        self._name = name
        self._argv = argv
        self._asked = asked
        self._workspace = Workspace.open(asked.inventory)
        self._from = self._workspace.host(asked.source)
        self._to = self._workspace.host(asked.target)
        if self._from.name == self._to.name:
            raise UsageError("both hosts are the same one", hint="provision env export    writes its environment down")
        file = asked.output or f"environment.{re.sub(r'[^A-Za-z0-9._-]+', '-', self._to.name)}.yml"
        self._path = Path(file) if asked.output else self._workspace.project.root / file
        self._document: dict[str, Any] = {"from": self._from.name, "to": self._to.name}

    def run(self) -> int:
        code = self._run()
        if self._asked.json:
            head = {"schema_version": 1, "command": self._name, "exit_code": code}
            print(json.dumps({**head, **self._document}, indent=2))
        return code

    def _run(self) -> int:
        wanted = env_export_host.wanted(self._workspace, self._from, self._asked.environment, self._asked.prefix)
        read = _Read()
        asking: AskedHosts[None] = AskedHosts(self._name, self._argv, self._asked, self._workspace)

        def work(link: Link, host: Host, emit: Emit) -> None:
            performer = env_export_host.performer_for(link, host, emit, asking.stop)
            if host.name == self._from.name:
                read.seen = env_export_host.read(performer, host, wanted)
            else:
                read.facts = env_export_host.probe(performer, host)

        asking.ask((self._from, self._to), work)
        asking.complain()
        self._document["hosts"] = {host: {"error": error_of(one)} for host, one in asking.failed.items()}
        if read.seen is None or read.facts is None:
            return asking.exit_code()
        target = target_of(self._to, read.facts)
        found = fitted(export(read.seen.built, Pin.ASKED), target)
        head = f"Written by `provision {self._name}`: what {self._from.name} has, for {self._to.name}."
        text, more = text_for(self._workspace, wanted, read.seen, found.export, head)
        self._show(found, more, text)
        if found.doubts:
            for one in found.doubts:
                print(f"nothing that is known goes with {self._to.name}: {one_line(one)}", file=sys.stderr)
            if not self._asked.build_anyway:
                return UNFIT
        if self._asked.dry_run:
            return 0
        self._write(text)
        environment = read.seen.environment
        build = MigratedBuild(self._workspace, self._to, self._path, environment, self._argv, self._asked)
        self._document["lock"] = None
        if not self._asked.no_lock:
            self._document["lock"] = lock_for(build, read.facts)
        return self._build(build)

    def _show(self, found: Fitted, more: tuple[str, ...], text: str) -> None:
        notes = (*found.export.notes, *more)
        self._document |= {
            "file": str(self._path),
            "text": text,
            "changes": change_fields(found.changes),
            "doubts": list(found.doubts),
            "notes": list(notes),
            "up": None,
            "verify": None,
            "difference": None,
        }
        for note in notes:
            print(f"note: {one_line(note)}", file=sys.stderr)
        for line in change_lines(found.changes, self._to.name):
            print(line, file=sys.stderr if self._asked.json else sys.stdout)

    def _write(self, text: str) -> None:
        if self._path.is_file() and self._path.read_text("utf-8", "replace") == text:
            return
        check_free(self._path, force=self._asked.force)
        put(self._path, text, force=self._asked.force)
        print(f"written: {shown_path(self._path)}", file=sys.stderr)

    def _build(self, build: MigratedBuild) -> int:
        if not self._asked.yes and not self._agreed():
            return 2
        for step in ("up", "verify"):
            code, document = build.converge(step)
            self._document[step] = document
            if code != 0:
                return code
        self._document["difference"] = build.difference(self._from)
        print(
            f"{one_line(self._to.name)} has it now; `provision up` goes on with it once provision.yaml or the playbook "
            f"names {shown_path(self._path)} for this kind of host",
            file=sys.stderr,
        )
        return 0

    def _agreed(self) -> bool:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                f"nothing was built: nobody can be asked about {one_line(self._to.name)}", hint="--yes builds it"
            )
        print(f"build it on {one_line(self._to.name)}? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in {"y", "yes"}:
            return True
        print("nothing was built", file=sys.stderr)
        return False


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("source", metavar="FROM", help="the host that has the environment")
    words.add_argument("target", metavar="TO", help="the host that is to have it")
    words.add_argument("--environment", metavar="NAME", help="which of the project's environments (default: the first)")
    words.add_argument("--prefix", metavar="PATH", help="any conda environment of FROM, by its folder")
    words.add_argument(
        "-o", "--output", metavar="FILE", help="write there (default: environment.TO.yml in the project)"
    )
    words.add_argument("--force", action="store_true", help="write over another file that is there")
    words.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")
    words.add_argument("--no-lock", action="store_true", help="let the host solve: for channels that only it reaches")
    words.add_argument("--yes", action="store_true", help="do not ask before the build")
    words.add_argument("-p", "--playbook", metavar="NAME|FILE", help="instead of TO's own")
    words.add_argument("--wait", action="store_true", help="wait for another run that holds TO")
    words.add_argument(
        "--build-anyway", action="store_true", help="build although the driver or cards of TO do not go with it"
    )
    options.add_inventory(words)
    options.add_output(words)
    return words.parse_args(argv)
