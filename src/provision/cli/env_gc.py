"""`env gc`: removes generations that nothing needs, and what the package caches hold for nobody."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.env_export_host import performer_for, probe
from provision.cli.env_list import CONDA
from provision.cli.waiting import Waiting
from provision.cli.whoami import whoami
from provision.cli.workspace import Workspace
from provision.decode.surrogates import encodable
from provision.engine.env_generations import collect, tell
from provision.engine.hold import Hold
from provision.environment.collected import Kept
from provision.environment.generations_kept import kept, to_remove
from provision.errors import UsageError
from provision.report.amounts import counted
from provision.report.display import one_line
from provision.report.env_table import document
from provision.sync.sizes import sized

if TYPE_CHECKING:
    import argparse

    from provision.environment.collected import Collected
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


@dataclass(frozen=True, slots=True)
class _Gone:
    """What goes of one host, and what does not."""

    collected: Collected
    stays: tuple[Kept, ...]
    """By our own choice."""

    @property
    def all_that_stays(self) -> tuple[Kept, ...]:
        """Also what came into use meanwhile."""
        return (*self.stays, *self.collected.stays)


def main(name: str, argv: list[str]) -> int:
    """Run `env gc`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts)
    looking = _asking(name, argv, asked, workspace, hosts, do=False)
    _show(looking.answers)
    found = [one for one in hosts if one.name in looking.answers and not looking.answers[one.name].collected.empty]
    looking.complain()
    if asked.dry_run or not found:
        return _end(name, asked, looking.exit_code(), looking)
    if not asked.yes and not _agreed():
        return 2
    removing = _asking(name, argv, asked, workspace, tuple(found), do=True)
    for host, answer in removing.answers.items():
        for path, why in answer.collected.failed:
            print(one_line(f"{host}: {path} stays: {why}"), file=sys.stderr)
        for one in answer.collected.stays:
            print(one_line(f"{host}: {one.path} stays: {one.why}"), file=sys.stderr)
        if not asked.json:
            print(f"{one_line(host)}: {sized(answer.collected.freed)} free again")
    removing.complain()
    removing.failed.update(looking.failed)
    removing.answers = {**looking.answers, **removing.answers}
    failed = any(one.collected.failed for one in removing.answers.values())
    return _end(name, asked, removing.exit_code() or (5 if failed else 0), removing)


def _asking(
    name: str, argv: list[str], asked: argparse.Namespace, workspace: Workspace, hosts: tuple[Host, ...], *, do: bool
) -> AskedHosts[_Gone]:
    asking: AskedHosts[_Gone] = AskedHosts(name, argv, asked, workspace)
    with Waiting() as waiting:
        asking.says, asking.quiet = waiting.line, waiting.quiet

        def work(link: Link, host: Host, emit: Emit) -> _Gone:
            performer = performer_for(link, host, emit, asking.stop)
            facts = probe(performer, host, (CONDA,))
            holder = f"{whoami()} ({name}, run {secrets.token_hex(4)})"
            hold = Hold(lambda: link, emit, asking.stop, holder=holder, wait=False)
            try:
                if do:
                    hold.take(facts.state_dir)
                waiting.on(f"{host.name}: looking at its environments")
                _, found = tell(performer, facts)
                mine = [one for one in found if asked.all or one.project == workspace.project.name]
                remove, stays = _chosen(mine, facts, asked.keep)
                waiting.on(f"{host.name}: {'removing' if do else 'counting'}")
                far = lambda text: waiting.on(f"{host.name}: {text}")  # noqa: E731 - one line
                return _Gone(collect(performer, facts, remove, do=do, far=far), stays)
            finally:
                hold.release()

        asking.ask(hosts, work)
    return asking


def _chosen(environments: list[Environment], facts: Facts, keep: int) -> tuple[list[list[str]], tuple[Kept, ...]]:
    """Return what goes, and what stays with the reason."""
    remove: list[list[str]] = []
    stays: list[Kept] = []
    for one in environments:
        noted = facts.record(f"rollback-{one.project}-{one.name}") or {}
        # Both ends of a rollback: what it went to, and what its undoing goes to.
        ends = [end for end in (noted.get("from"), noted.get("to")) if isinstance(end, str)]
        remove += [[one.project, one.name, generation] for generation in to_remove(one, keep, ends)]
        stays += [Kept(one.project, one.name, generation, why) for generation, why in kept(one, keep, ends)]
    return remove, tuple(stays)


def _show(answers: dict[str, _Gone]) -> None:
    for host, answer in answers.items():
        gone = answer.collected
        if gone.empty:
            print(f"{one_line(host)}: nothing to remove", file=sys.stderr)
        else:
            print(f"{one_line(host)}: {sized(gone.freed)} would be free", file=sys.stderr)
            for path in gone.generations:
                print(one_line(f"  {'/'.join(path.split('/')[-3:])}"), file=sys.stderr)
            for key, number in gone.counts:
                if number and key in _SHOWN:
                    print(f"  {counted(number, _SHOWN[key])}", file=sys.stderr)
        for one in answer.all_that_stays:
            print(one_line(f"  {one.path} stays: {one.why}"), file=sys.stderr)


def _agreed() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nothing was removed: nobody can be asked", hint="--yes removes it, --dry-run only shows it")
    print("remove all of that? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    print("nothing was removed", file=sys.stderr)
    return False


def _end(name: str, asked: argparse.Namespace, code: int, asking: AskedHosts[_Gone]) -> int:
    if asked.json:
        hosts = {host: _told(answer) for host, answer in asking.answers.items()}
        print(json.dumps({**document(name, code, hosts, asking.failed), "dry_run": asked.dry_run}, indent=2))
    return code


def _told(answer: _Gone) -> dict[str, Any]:
    gone = answer.collected
    return {
        "outcome": "converged",
        "freed_bytes": gone.freed,
        "generations": [encodable("/".join(path.split("/")[-3:])) for path in gone.generations],
        "counts": dict(gone.counts),
        "failed": [[encodable(part) for part in one] for one in gone.failed],
        "stays": [{"generation": encodable(one.path), "why": encodable(one.why)} for one in answer.all_that_stays],
        "error": None,
    }


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
