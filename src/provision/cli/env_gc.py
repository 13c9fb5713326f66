"""`env gc`: removes generations that nothing needs, and what the package caches hold for nobody."""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.env_export_host import performer_for, probe
from provision.cli.env_list import CONDA
from provision.cli.whoami import whoami
from provision.cli.workspace import Workspace
from provision.engine.env_generations import collect, tell
from provision.engine.hold import Hold
from provision.environment.generations_kept import to_remove
from provision.errors import UsageError
from provision.report.amounts import counted
from provision.report.display import one_line
from provision.report.env_table import document
from provision.sync.sizes import sized

if TYPE_CHECKING:
    import argparse

    from provision.environment.generations_kept import Environment
    from provision.events import Emit
    from provision.model.facts import Facts
    from provision.model.host import Host
    from provision.model.link import Link

DESCRIPTION = """\
Remove generations of the project's environments that nothing needs, and packages that no generation left is made of.
What stays: the current generation, the newest ones that are complete, and all that a queued or running job, a process
or a rollback needs. What goes is shown first, with the room that it really gives back.
"""
EXAMPLES = """\
  provision env gc --dry-run
  provision env gc gpu-box --keep 1 --yes
  provision env gc all --yes --json
"""
KEPT = 2
_SHOWN = {"packages": "package", "old": "old download", "leftovers": "leftover"}


def main(name: str, argv: list[str]) -> int:
    """Run `env gc`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    looking = _asking(name, argv, asked, workspace, hosts, do=False)
    _show(looking.answers)
    found = [one for one in hosts if any(looking.answers.get(one.name, {}).get("counts", {}).values())]
    looking.complain()
    if asked.dry_run or not found:
        return _end(name, asked, looking.exit_code(), looking)
    if not asked.yes and not _agreed():
        return 2
    removing = _asking(name, argv, asked, workspace, tuple(found), do=True)
    for host, answer in removing.answers.items():
        for path, why in answer["failed"]:
            print(one_line(f"{host}: {path} stays: {why}"), file=sys.stderr)
        if not asked.json:
            print(f"{one_line(host)}: {sized(answer['freed'])} free again")
    removing.complain()
    removing.failed.update(looking.failed)
    removing.answers = {**looking.answers, **removing.answers}
    failed = any(one["failed"] for one in removing.answers.values())
    return _end(name, asked, removing.exit_code() or (5 if failed else 0), removing)


def _asking(
    name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace, hosts: tuple[Host, ...], *, do: bool
) -> AskedHosts[dict[str, Any]]:
    asking: AskedHosts[dict[str, Any]] = AskedHosts(name, argv, asked, workspace)

    def work(link: Link, host: Host, emit: Emit) -> dict[str, Any]:
        performer = performer_for(link, host, emit, asking.stop)
        facts = probe(performer, host, (CONDA,))
        holder = f"{whoami()} ({name}, run {secrets.token_hex(4)})"
        hold = Hold(lambda: link, emit, asking.stop, holder=holder, wait=False)
        try:
            if do:
                hold.take(facts.state_dir)
            _, found = tell(performer, facts)
            mine = [one for one in found if asked.all or one.project == workspace.project.name]
            return collect(performer, facts, _chosen(mine, facts, asked.keep), do=do)
        finally:
            hold.release()

    asking.ask(hosts, work)
    return asking


def _chosen(environments: list[Environment], facts: Facts, keep: int) -> list[list[str]]:
    chosen = []
    for one in environments:
        noted = facts.record(f"rollback-{one.project}-{one.name}") or {}
        # Both ends of a rollback: what it went to, and what its undoing goes to.
        ends = [end for end in (noted.get("from"), noted.get("to")) if isinstance(end, str)]
        chosen += [[one.project, one.name, generation] for generation in to_remove(one, keep, ends)]
    return chosen


def _show(answers: dict[str, dict[str, Any]]) -> None:
    for host, answer in answers.items():
        if not any(answer["counts"].values()):
            print(f"{one_line(host)}: nothing to remove", file=sys.stderr)
            continue
        print(f"{one_line(host)}: {sized(answer['freed'])} would be free", file=sys.stderr)
        for path in answer["generations"]:
            print(one_line(f"  {'/'.join(path.split('/')[-3:])}"), file=sys.stderr)
        for key, what in _SHOWN.items():
            if answer["counts"][key]:
                print(f"  {counted(answer['counts'][key], what)}", file=sys.stderr)


def _agreed() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nothing was removed: nobody can be asked", hint="--yes removes it, --dry-run only shows it")
    print("remove all of that? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    print("nothing was removed", file=sys.stderr)
    return False


def _end(name: str, asked: argparse.Namespace, code: int, asking: AskedHosts[dict[str, Any]]) -> int:
    if asked.json:
        hosts = {
            host: {
                "outcome": "converged",
                "freed_bytes": one["freed"],
                "generations": ["/".join(path.split("/")[-3:]) for path in one["generations"]],
                "counts": one["counts"],
                "failed": one["failed"],
                "error": None,
            }
            for host, one in asking.answers.items()
        }
        print(json.dumps({**document(name, code, hosts, asking.failed), "dry_run": asked.dry_run}, indent=2))
    return code


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    options.add_hosts(words)
    words.add_argument("--keep", type=_kept, default=KEPT, metavar="N", help=f"newest complete ones (default {KEPT})")
    words.add_argument("--all", action="store_true", help="also environments of other projects")
    words.add_argument("--dry-run", action="store_true", help="only show what would go")
    words.add_argument("--yes", action="store_true", help="do not ask")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)


def _kept(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3:  # noqa: PLR2004 - digits
        raise UsageError(f"'{text[:20]}' is not a number of generations, expected 0 to 999")
    return int(text)
