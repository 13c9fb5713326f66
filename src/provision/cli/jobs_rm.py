"""`jobs rm`: removes jobs that have ended, with what they made; it shows first what goes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.job_book import JobBook
from provision.cli.job_named import find_job
from provision.cli.workspace import Workspace
from provision.engine.job_ask import ask
from provision.engine.job_talk import JobRefusedError
from provision.errors import UsageError
from provision.jobs.answers import count_of
from provision.report.amounts import counted
from provision.report.display import one_line
from provision.report.exit_code import INTERRUPTED
from provision.sync.sizes import sized

if TYPE_CHECKING:
    import argparse

    from provision.cli.job_named import Named
    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Remove jobs that have ended: the record, the log, the snapshot, and every file that they made in it. What goes is shown
first. What they wrote into the project's own folders (data/, persist:) stays.
"""
EXAMPLES = "  provision jobs rm k3x7qa\n  provision jobs rm baseline last --yes\n"
SHOWN = 10


def main(name: str, argv: list[str]) -> int:
    """Run `jobs rm`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    named = [find_job("jobs", word, workspace, asked) for word in dict.fromkeys(asked.jobs)]
    codes, done = [], []
    for one in named:
        code, removed = _removed(one, argv, asked, workspace)
        codes.append(code)
        done += [{"id": one.id, "host": one.host.name}] if removed else []
        if code == INTERRUPTED:
            break
    code = next((one for one in codes if one), 0)
    if asked.json:
        print(json.dumps({"schema_version": 1, "command": "jobs rm", "exit_code": code, "removed": done}, indent=2))
    return code


def _removed(named: Named, argv: list[str], asked: argparse.Namespace, workspace: Workspace) -> tuple[int, bool]:
    looking: AskedHosts[dict[str, Any]] = AskedHosts("jobs", argv, asked, workspace)

    def look(link: Link, host: Host, emit: Emit) -> dict[str, Any]:
        return ask(link, host, {"what": "removal", "id": named.id}, emit, looking.stop)

    answers = looking.ask((named.host,), look)
    looking.complain()
    if not answers:
        return looking.exit_code(), False
    for line in _lines(named, answers[named.host.name]):
        print(line, file=sys.stderr)
    if not asked.yes and not _agreed(named):
        return 2, False
    removing: AskedHosts[bool] = AskedHosts("jobs", argv, asked, workspace)

    def remove(link: Link, host: Host, emit: Emit) -> bool:
        try:
            ask(link, host, {"what": "remove", "id": named.id}, emit, removing.stop)
        except JobRefusedError as error:
            # The answer to an earlier try was lost: it is gone.
            if error.reason != "unknown":
                raise
        return True

    removing.ask((named.host,), remove)
    removing.complain()
    if removing.failed:
        return removing.exit_code(), False
    JobBook.of_this_machine().forget(named.id)
    if not asked.json:
        print(f"job {named.id} removed")
    return 0, True


def _agreed(named: Named) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"nothing was removed: nobody can be asked about job {named.id}", hint="--yes removes it")
    print(f"remove job {named.id}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    print("nothing was removed", file=sys.stderr)
    return False


def _lines(named: Named, answer: dict[str, Any]) -> list[str]:
    count, size, log = (count_of(answer.get(name)) for name in ("made_files", "made_bytes", "log"))
    made = answer.get("made")
    whole = answer.get("whole") is not False
    files = counted(count, "file") if count is not None else "its files"
    of = f", {sized(size)}" if size is not None else ""
    lines = [f"job {named.id} on {one_line(named.host.name)}: {'' if whole else 'more than '}{files} that it made{of}"]
    paths = [one[0] for one in made if isinstance(one, list) and one] if isinstance(made, list) else []
    lines += [f"  {one_line(str(path))}" for path in paths[:SHOWN]]
    if len(paths) > SHOWN or (count is not None and count > len(paths) and paths):
        rest = (count if count is not None else len(paths)) - min(SHOWN, len(paths))
        lines.append(f"  ... and {rest:,} more")
    lines.append(f"  its log ({sized(log)}) and its record" if log is not None else "  its log and its record")
    return lines


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("jobs", nargs="+", metavar="JOB", help="ids, beginnings of ids, names, or `last`")
    words.add_argument("--yes", action="store_true", help="do not ask")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)
