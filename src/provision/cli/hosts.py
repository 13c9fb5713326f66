"""The command `hosts`: the fleet as a table, one host more, and an end to password-only logins."""

from __future__ import annotations

import importlib

MODULES = {
    "list": "hosts_list",
    "add": "hosts_add",
    "import": "hosts_import",
    "export": "hosts_export",
    "install-key": "hosts_key",
}
"""What may follow `hosts`; anything else is taken for the hosts to list."""


def main(name: str, argv: list[str]) -> int:
    """Run `hosts list` (which need not be said), `hosts add` or `hosts install-key`."""
    action = argv[0] if argv and argv[0] in MODULES else "list"
    rest = argv[1:] if argv and argv[0] in MODULES else argv
    module = importlib.import_module(f"provision.cli.{MODULES[action]}")
    code: int = module.main(name, rest)
    return code
