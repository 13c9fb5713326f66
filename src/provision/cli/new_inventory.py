"""The first hosts.yaml: where its hosts come from, and its text."""

from __future__ import annotations

import getpass
import re
import sys
from typing import TYPE_CHECKING

from provision.cli.questions import ask
from provision.decode.checks import name as check_name
from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.inventory.schema import HostEntry
from provision.inventory.writing import new_inventory_text, parse_ssh_command
from provision.report.display import one_line, visible
from provision.ssh.alias import list_aliases, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PLAIN_NAME = "gpu-box"
"""For a machine of which only an address is known."""
SSH_PORT = 22

HEAD = """\
# The machines that provision works on. An `address` (or `ssh`: an alias of your ssh_config) is all that a host must
# have. Also possible, for a host, a group, or under `defaults:` for all of them:
#   user: ubuntu    port: 22    identity_file: ~/.ssh/id_ed25519    jump: bastion    mirrors: china
#   expect: {gpus: 1, model: A10, driver: ">=550"}    state_dir: /mnt/data/provision
# One more host: provision hosts add NAME 'ssh -p 2222 root@203.0.113.10'

"""
TAIL = """
# groups:
#   train: [NAME, "gpu-*"]        names and patterns; `provision up train` then means all of them
"""


def inventory_text(hosts: Mapping[str, HostEntry]) -> str:
    """Return a commented hosts.yaml; a single host is the default one.

    Raises:
        UsageError: a name that cannot be one.
    """
    default = next(iter(hosts)) if len(hosts) == 1 else None
    return f"{HEAD}{new_inventory_text(hosts, default=default)}{TAIL}"


def from_aliases(names: Sequence[str]) -> dict[str, HostEntry]:
    """Return hosts that are resolved through the user's ssh_config.

    Raises:
        UsageError: ssh_config says nothing of one of them.
    """
    known = list_aliases()
    for one in names:
        if one not in known and resolve(one).hostname is None:
            raise UsageError(
                f"~/.ssh/config has no host '{visible(one)}'{suggestion(one, known)}",
                hint=f"it has: {', '.join(known[:20])}" if known else "it has no hosts with names of their own",
            )
    return {one: HostEntry(ssh=one) for one in names}


def from_command(command: str, name: str | None) -> dict[str, HostEntry]:
    """Return the host that an ssh command reaches, under a name.

    Raises:
        UsageError: the command or the name cannot be taken.
    """
    entry = parse_ssh_command(command, note=_say)
    return {_name(name or entry.ssh or PLAIN_NAME): entry}


def from_questions() -> dict[str, HostEntry]:
    """Ask the person at the terminal: first for aliases, then for ssh commands.

    Raises:
        InterruptedRunError: the input ended.
    """
    hosts = _chosen_aliases(list_aliases())
    while True:
        first = not hosts
        question = (
            "Your machine: paste the ssh command of its console, or its address"
            if first
            else "One more machine (ssh command or address; nothing: done)"
        )
        answer = ask(question)
        if not answer and not first:
            return hosts
        try:
            hosts.update(_described(answer, hosts))
        except UsageError as error:
            _say(error.message)


def _chosen_aliases(known: Sequence[str]) -> dict[str, HostEntry]:
    if not known:
        return {}
    _say("Your ssh_config has:")
    for number, one in enumerate(known, 1):
        _say(f"  {number:>3}  {one}")
    while True:
        answer = ask("Which of them are for training? Numbers or names, `all`, or nothing")
        words = [one for one in re.split(r"[,\s]+", answer) if one]
        try:
            return {one: HostEntry(ssh=one) for one in _meant(words, known)}
        except UsageError as error:
            _say(error.message)


def _meant(words: Iterable[str], known: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for word in words:
        # A name wins over a number: aliases may be digits.
        if word in known:
            found[word] = None
        elif word == "all":
            found.update(dict.fromkeys(known))
        elif word.isascii() and word.isdigit() and 1 <= int(word) <= len(known):
            found[known[int(word) - 1]] = None
        else:
            raise UsageError(f"'{visible(word)}' is none of them{suggestion(word, known)}")
    return list(found)


def _described(answer: str, hosts: Mapping[str, HostEntry]) -> dict[str, HostEntry]:
    entry = parse_ssh_command(answer, note=_say)
    bare = entry.address is not None and not re.search(r"[\s@]", answer)
    if bare:
        user = ask("Login name", getpass.getuser())
        port = ask("Port", str(entry.port or SSH_PORT))
        login = f"-l {user} -p {port}"
        entry = parse_ssh_command(f"ssh {login} {entry.address}")
    proposed = entry.ssh or PLAIN_NAME
    number = 2
    while proposed in hosts:
        proposed = f"{entry.ssh or PLAIN_NAME}-{number}"
        number += 1
    name = _name(ask("Name for it", proposed))
    if name.casefold() in {one.casefold() for one in hosts}:
        raise UsageError(f"'{name}' is taken already")
    new_inventory_text({name: entry})
    return {name: entry}


def _name(text: str) -> str:
    try:
        return check_name(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _say(text: str) -> None:
    print(one_line(text), file=sys.stderr)
