"""`provision hosts add`: one host more in hosts.yaml, whose comments stay."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import new_inventory, options, written
from provision.decode.document import shown_path
from provision.decode.text import text_of
from provision.errors import UsageError
from provision.inventory import find_inventory, load_inventory
from provision.inventory.location import FILE_NAME
from provision.inventory.writing import add_host_text
from provision.project import find_root
from provision.report.display import visible

if TYPE_CHECKING:
    from provision.inventory.schema import HostEntry

DESCRIPTION = """\
Add a host to hosts.yaml, described by an ssh command in quotes or by an alias of your ssh_config. Everything else in
the file stays as it is; without a hosts.yaml one is written here.
"""
EXAMPLES = """\
  provision hosts add gpu-box 'ssh -p 31893 root@connect.example'
  provision hosts add gpu-box root@203.0.113.10
  provision hosts add gpu-box my-alias                 a host of ~/.ssh/config
"""


def main(name: str, argv: list[str]) -> int:
    """Add one host and print its lines."""
    if "ssh" in argv[1:]:
        raise UsageError(
            "the ssh command goes in quotes", hint="provision hosts add gpu-box 'ssh -p 31893 root@connect.example'"
        )
    words = options.parser(f"{name} add", DESCRIPTION, EXAMPLES)
    words.add_argument("host", metavar="NAME", help="what it is called from now on")
    words.add_argument("command", metavar="SSH-COMMAND", help="how it is reached, in quotes")
    words.add_argument("-i", "--inventory", metavar="FILE", help="hosts.yaml to use (default: found upwards from here)")
    asked = words.parse_args(argv)
    hosts = new_inventory.from_command(asked.command, asked.host)
    path = _path(asked.inventory)
    if path.exists():
        lines = _add(path, asked.host, hosts)
        print(visible(f"{shown_path(path)}: added"))
    else:
        text = new_inventory.inventory_text(hosts)
        written.create(path, text)
        lines = [one for one in text.splitlines() if one and not one.startswith("#")]
        print(visible(f"wrote {shown_path(path)}"))
    for line in lines:
        print(visible(f"  {line}"))
    print(f"next: provision plan {asked.host}")
    print(f"  where it only takes a password, first: provision hosts install-key {asked.host}")
    return 0


def _path(named: str | None) -> Path:
    if named and not Path(named).expanduser().exists():
        return Path(named).expanduser()
    here = Path.cwd()
    return find_inventory(here, named, os.environ, find_root(here)) or here / FILE_NAME


def _add(path: Path, host: str, hosts: dict[str, HostEntry]) -> list[str]:
    """Add the host to a file and return the lines that are new."""
    real = Path(os.path.realpath(path))
    with written.alone(real.parent):
        load_inventory(path)
        before = text_of(real.read_bytes())
        after = add_host_text(before, host, hosts[host], shown_path(path))
        written.replace(path, after)
    old = before.splitlines()
    new = after.splitlines()
    same = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
    tail = 0
    while tail < len(old) - same and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return new[same : len(new) - tail]
