"""The command `ssh`: a real interactive session with the settings that provision itself uses."""

from __future__ import annotations

import sys

from provision.cli import options
from provision.cli.secrecy import secrets_of
from provision.cli.terminal import interact
from provision.cli.workspace import Workspace, settings
from provision.errors import UsageError
from provision.ledger.recorder import current
from provision.ssh.link import SshLink

DESCRIPTION = """\
Open a shell on a host, through the same jump hosts, keys and host-key checks as every other command. On a terminal ~.
at the beginning of a line ends the session, also where the host does not answer; ~? lists what else there is.
"""
EXAMPLES = (
    "  provision ssh gpu-box\n  provision ssh gpu-box -- nvidia-smi -l 1     a command on a terminal of its own\n"
    "  provision ssh gpu-box -- 'dmesg | less'      a single word is read by the host's sh\n"
)


def main(name: str, argv: list[str]) -> int:
    """Open the session and return the exit code of what ran in it."""
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("host", nargs="?", metavar="HOST", help="one host; none: the default host")
    words.add_argument("command", nargs="*", metavar="COMMAND", help="after --: run this instead of a shell")
    options.add_inventory(words)
    before, dashes, after = _split(argv)
    asked = words.parse_args(before)
    if asked.command:
        raise UsageError(
            f"'{asked.command[0]}' follows the host",
            hint=f"provision ssh {asked.host} -- {' '.join(asked.command)}",
        )
    workspace = Workspace.open(asked.inventory)
    hosts = workspace.select([asked.host] if asked.host else [])
    if len(hosts) != 1:
        raise UsageError(f"`ssh` opens one session, and '{asked.host}' means {len(hosts)} hosts")
    if dashes and not after:
        raise UsageError("nothing follows --", hint="provision ssh HOST -- COMMAND")
    host = hosts[0]
    recorded = current()
    if recorded is not None:
        recorded.hide(secrets_of(hosts))
    print(f"connecting to {host.target}", file=sys.stderr)
    link = SshLink(workspace.route(host), settings(asked.host_keys))
    try:
        for note in link.notes:
            print(note, file=sys.stderr)
        return interact(*link.open_session(), tuple(after))
    finally:
        link.close()


def _split(argv: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in argv:
        return argv, False, []
    at = argv.index("--")
    return argv[:at], True, argv[at + 1 :]
