"""`provision hosts import`: hosts that another tool's file lists become hosts of hosts.yaml."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options, written
from provision.decode.document import shown_path
from provision.decode.text import text_of
from provision.errors import BadFileError, UsageError
from provision.inventory import find_inventory, load_inventory
from provision.inventory.foreign.found import Found
from provision.inventory.foreign.reading import FORMATS, read
from provision.inventory.location import FILE_NAME
from provision.inventory.schema import HostEntry
from provision.inventory.writing import add_groups_text, add_host_text, new_inventory_text
from provision.project import find_root
from provision.report.amounts import counted
from provision.report.display import one_line

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Take over the hosts of another tool's file: an Ansible inventory (YAML or INI), SkyPilot's ssh_node_pools.yaml, a Ray
cluster, a dstack fleet, or an ssh_config. They are added to hosts.yaml, whose other lines stay as they are; hosts that
it has already are left alone. What has no place there, such as passwords, is named.
"""
EXAMPLES = """\
  provision hosts import inventory.ini --dry-run       what would be added, and what not
  provision hosts import ~/.sky/ssh_node_pools.yaml
  provision hosts import ~/.ssh/config
  provision hosts import fleet.dstack.yml -i hosts.yaml
"""


def main(name: str, argv: list[str]) -> int:
    """Take hosts over."""
    asked = _parse(f"{name} import", argv)
    found = _found(Path(asked.file).expanduser(), asked.format)
    path = _path(asked.inventory)
    exists = path.exists()
    known = load_inventory(path) if exists else None
    taken = {one.casefold() for one in (*known.hosts, *known.groups)} if known else set()
    new = {host: entry for host, entry in found.hosts.items() if host.casefold() not in taken}
    groups = {group: members for group, members in found.groups.items() if group.casefold() not in taken}
    shown = shown_path(path)
    if new and not asked.dry_run:
        _write(path, new, groups, exists=exists)
    if asked.json:
        print(json.dumps(_document(f"{name} import", asked, shown, found, new, groups), indent=2))
        return 0
    for line in _lines(shown, found, new, groups, dry_run=asked.dry_run):
        print(one_line(line))
    return 0


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("file", metavar="FILE", help="the other tool's file")
    words.add_argument("--format", choices=FORMATS, help="what it is (default: the file tells)")
    words.add_argument("--dry-run", action="store_true", help="only show what would be added")
    words.add_argument("-i", "--inventory", metavar="FILE", help="hosts.yaml to use (default: found upwards from here)")
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)


def _found(path: Path, kind: str | None) -> Found:
    try:
        text = text_of(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{shown_path(path)}: {error.strerror}") from None
    except ValueError as error:
        raise BadFileError(f"{shown_path(path)}: {error}") from None
    found = read(text, shown_path(path), kind)
    if found is None:
        # Imported here: who has no ssh_config needs none of it.
        from provision.ssh.alias import list_aliases

        found = Found(shown_path(path))
        for alias in list_aliases(path):
            found.hosts[alias] = HostEntry(ssh=alias)
        if path.resolve() != (Path.home() / ".ssh/config").resolve():
            found.left_out.append("aliases are looked up in ~/.ssh/config: it must include this file")
    if not found.hosts:
        raise UsageError(f"{found.source} lists no hosts", hint=one_line(found.left_out[0]) if found.left_out else None)
    return found


def _path(named: str | None) -> Path:
    if named and not Path(named).expanduser().exists():
        return Path(named).expanduser()
    here = Path.cwd()
    return find_inventory(here, named, os.environ, find_root(here)) or here / FILE_NAME


def _write(path: Path, hosts: dict[str, HostEntry], groups: dict[str, list[str]], *, exists: bool) -> None:
    if not exists:
        written.create(path, add_groups_text(new_inventory_text(hosts), groups))
        return
    real = Path(os.path.realpath(path))
    with written.alone(real.parent):
        text = text_of(real.read_bytes())
        for host, entry in hosts.items():
            text = add_host_text(text, host, entry, shown_path(path))
        written.replace(path, add_groups_text(text, groups, shown_path(path)))


def _lines(
    shown: str, found: Found, new: dict[str, HostEntry], groups: dict[str, list[str]], *, dry_run: bool
) -> list[str]:
    lines = [f"{shown}: {counted(len(new), 'host')} {'would be added' if dry_run else 'added'}"]
    for host, entry in new.items():
        where = f"ssh_config's {entry.ssh}" if entry.ssh else str(entry.address)
        lines.append(
            f"  {host}: {entry.user + '@' if entry.user else ''}{where}{f':{entry.port}' if entry.port else ''}"
        )
    lines += [f"  group {group}: {', '.join(members)}" for group, members in groups.items()]
    there = [host for host in found.hosts if host not in new]
    if there:
        lines.append(f"there already, left as they are: {', '.join(there)}")
    lines += [f"not taken over: {one}" for one in dict.fromkeys(found.left_out)]
    if new and not dry_run:
        lines.append(f"next: provision hosts {' '.join(list(new)[:3])}")
    return lines


def _document(  # noqa: PLR0917 - the parts of one document
    name: str,
    asked: argparse.Namespace,
    shown: str,
    found: Found,
    new: dict[str, HostEntry],
    groups: dict[str, list[str]],
) -> dict[str, object]:
    return {
        "schema_version": 1,
        "command": name,
        "exit_code": 0,
        "file": shown,
        "dry_run": asked.dry_run,
        "added": sorted(new),
        "groups": groups,
        "there_already": sorted(one for one in found.hosts if one not in new),
        "not_taken_over": found.left_out,
    }
