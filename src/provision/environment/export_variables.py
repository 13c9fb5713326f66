"""Variables of an environment: which of them may stand in a file that others read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.decode import printable
from provision.decode.checks import variable
from provision.decode.text import invisible
from provision.sync.secrets import by_content

if TYPE_CHECKING:
    from collections.abc import Mapping

UNSET = "***unset***"
"""What conda writes for a variable that is to be absent (conda.base.constants.CONDA_ENV_VARS_UNSET_VAR)."""
_NAMES = re.compile(
    r"(^|_)(TOKEN|SECRET|SECRETS|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|AUTH|AUTHORIZATION|COOKIE|KEY|DSN)(_|$|\d)"
    r"|APIKEY|ACCESSKEY|SECRETKEY|PRIVATEKEY",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_LONG = 32
"""Characters from which on one word of mixed letters and digits looks like a key."""


def told_variables(values: Mapping[str, str], notes: list[str]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return the variables to write, and the names of those whose values look secret."""
    told: list[tuple[str, str]] = []
    withheld: list[str] = []
    for name, value in sorted(values.items()):
        if value == UNSET:
            continue
        try:
            variable(name)
        except ValueError as error:
            notes.append(f"variable left out: {error}")
            continue
        if "\n" in value or "\r" in value or invisible(value) is not None:
            notes.append(f"variable {printable(name)} has several lines or invisible characters: it is left out")
        elif looks_secret(name, value):
            withheld.append(name)
            notes.append(f"variable {printable(name)} looks secret: its value is left out")
        else:
            told.append((name, value))
    return tuple(told), tuple(withheld)


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable's name or value is like those of passwords, tokens and keys; an empty value is none."""
    if not value:
        return False
    if _NAMES.search(name) or _LOGIN.search(value) or by_content(".env", f"{name}={value}\n".encode()):
        return True
    word = re.fullmatch(r"[A-Za-z0-9+_=-]+", value) is not None and len(value) >= _LONG
    return word and all(re.search(kind, value) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
