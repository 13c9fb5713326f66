"""`provision hosts export`: the inventory for ssh and for Ansible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options, written
from provision.cli.workspace import Workspace
from provision.decode.document import shown_path
from provision.errors import UsageError
from provision.inventory.foreign.writing import ansible, ssh_config

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Write hosts down for another tool: a block for each in ssh_config's words, so that `ssh NAME`, rsync and editors reach
them, or an inventory for Ansible. Hosts that clouds know are written with the address that they have now.
"""
EXAMPLES = """\
  provision hosts export --format ssh_config > ~/.ssh/provision.conf    then: Include provision.conf
  provision hosts export train --format ansible -o inventory.yaml
"""


def main(name: str, argv: list[str]) -> int:
    """Write hosts down."""
    asked = _parse(f"{name} export", argv)
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select(asked.hosts or ["all"])
    text = ssh_config(hosts) if asked.format == "ssh_config" else ansible(hosts)
    if asked.output is None:
        print(text, end="")
        return 0
    path = Path(asked.output).expanduser()
    if path.exists() and not asked.force:
        raise UsageError(f"{shown_path(path)} is there already", hint="--force writes over it")
    if path.exists():
        written.replace(path, text)
    else:
        written.create(path, text)
    return 0


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("hosts", nargs="*", metavar="HOST", help="names, groups, globs (gpu-*), !not-this; none: all")
    words.add_argument("--format", choices=("ssh_config", "ansible"), required=True, help="for which tool")
    words.add_argument("-o", "--output", metavar="FILE", help="write it there (default: print it)")
    words.add_argument("--force", action="store_true", help="write over a file that is there")
    words.add_argument("-i", "--inventory", metavar="FILE", help="hosts.yaml to use (default: found upwards from here)")
    return words.parse_args(argv)
