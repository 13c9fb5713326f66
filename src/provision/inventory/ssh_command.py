"""The ssh command that a cloud's console shows, as an entry of the inventory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from provision.decode import printable
from provision.decode.checks import name
from provision.decode.near import suggestion
from provision.errors import UsageError
from provision.inventory import fields
from provision.inventory.schema import HostEntry

if TYPE_CHECKING:
    from collections.abc import Callable

_FLAGS = {"-p": "port", "-i": "identityfile", "-J": "proxyjump", "-l": "user"}
_LEFT_OUT_WITH_VALUE = ("-L", "-R", "-D", "-c", "-m", "-e", "-E", "-S")
_LEFT_OUT = tuple(f"-{one}" for one in "NTCqvtAaXxYfgnyMkK46")
"""Flags that consoles show for a tunnel or a terminal; they do not say which machine it is."""
_OPTIONS = ("Port", "User", "IdentityFile", "ProxyJump", "ProxyCommand", "HostName")
_NAMES = {one.lower(): one for one in _OPTIONS}
_ABOUT_HOST_KEYS = (
    "StrictHostKeyChecking",
    "UserKnownHostsFile",
    "GlobalKnownHostsFile",
    "CheckHostIP",
    "UpdateHostKeys",
    "VerifyHostKeyDNS",
)
"""Shown by consoles whose machines change often; provision keeps its own record and always checks."""
_OPTIONS_LEFT_OUT = (
    *_ABOUT_HOST_KEYS,
    "AddKeysToAgent",
    "AddressFamily",
    "BatchMode",
    "Ciphers",
    "ClearAllForwardings",
    "Compression",
    "ConnectionAttempts",
    "ConnectTimeout",
    "ControlMaster",
    "ControlPath",
    "ControlPersist",
    "DynamicForward",
    "EscapeChar",
    "ExitOnForwardFailure",
    "ForwardAgent",
    "ForwardX11",
    "ForwardX11Trusted",
    "GatewayPorts",
    "GSSAPIAuthentication",
    "HashKnownHosts",
    "HostKeyAlgorithms",
    "IdentitiesOnly",
    "IPQoS",
    "KbdInteractiveAuthentication",
    "KexAlgorithms",
    "LocalForward",
    "LogLevel",
    "MACs",
    "NumberOfPasswordPrompts",
    "PasswordAuthentication",
    "PreferredAuthentications",
    "PubkeyAcceptedAlgorithms",
    "PubkeyAcceptedKeyTypes",
    "PubkeyAuthentication",
    "RemoteForward",
    "RequestTTY",
    "SendEnv",
    "ServerAliveCountMax",
    "ServerAliveInterval",
    "SetEnv",
    "TCPKeepAlive",
    "VisualHostKey",
)
"""Options of ssh_config(5) that do not say which machine it is, nor how to get there."""
_NAMES_LEFT_OUT = {one.lower(): one for one in _OPTIONS_LEFT_OUT}
_DESTINATION = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@/]*)@)?(?P<host>\[[^\]]+\]|[^@/:]+|[0-9A-Fa-f:]+)(?::(?P<port>\d+))?/?"
)


def parse_ssh_command(text: str, *, note: Callable[[str], object] | None = None) -> HostEntry:
    """Return the host that ``ssh -p 31893 -i KEY root@connect.example`` reaches.

    A destination without a dot or a colon is taken for an ssh_config alias. Forwarding and the like is left out, what
    would switch the checking of host keys off too, and ``note`` is told so in one line.

    Raises:
        UsageError: an option that is not taken, or no destination, or a command after it.
    """
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"'{printable(text)}': {str(error).lower()}") from None
    if words and words[0].rpartition("/")[2] == "ssh":
        words = words[1:]
        misnamed = None
    else:
        misnamed = words[0] if words and not re.search(r"[@.:]", words[0]) else None
    values: dict[str, str] = {}
    left_out: list[str] = []
    destination: str | None = None
    while words:
        word = words.pop(0)
        if word == "--":
            continue
        if word.startswith("-"):
            _option(word, words, values, left_out)
        elif destination is None:
            destination = word
        elif destination == misnamed:
            raise UsageError(
                f"'{printable(text)}' is not an ssh command: it begins with '{printable(destination)}'",
                hint="expected something like 'ssh -p 2222 root@203.0.113.10'",
            )
        else:
            raise UsageError(f"'{printable(word)}' follows the destination: leave the remote command out")
    if destination is None:
        raise UsageError(
            f"'{printable(text)}' names no machine, expected something like 'ssh -p 2222 root@203.0.113.10'"
        )
    entry = _entry(destination, values)
    if left_out and note is not None:
        checked = any(one[3:].partition("=")[0] in _ABOUT_HOST_KEYS for one in left_out)
        always = " (host keys are always checked)" if checked else ""
        note(f"left out of the ssh command: {', '.join(map(printable, left_out))}{always}")
    return entry


def _option(word: str, words: list[str], values: dict[str, str], left_out: list[str]) -> None:
    flag, value = word[:2], word[2:]
    if flag in _LEFT_OUT:
        left_out.append(flag)
        if value:  # flags without values may be written together: -NTL 8080:localhost:8080
            _option(f"-{value}", words, values, left_out)
        return
    if flag not in _FLAGS and flag != "-o" and flag not in _LEFT_OUT_WITH_VALUE:
        raise UsageError(f"'{printable(word)}' is not taken here (-p, -i, -J, -l and -o are): leave it out")
    if not value:
        if not words:
            raise UsageError(f"'{flag}' needs a value")
        value = words.pop(0)
    if flag in _LEFT_OUT_WITH_VALUE:
        left_out.append(f"{flag} {value}")
        return
    if flag != "-o":
        values[_FLAGS[flag]] = value
        return
    key, _, value = re.sub(r"\s*=\s*|\s+", "=", value.strip(), count=1).partition("=")
    if key.lower() in _NAMES_LEFT_OUT:
        left_out.append(f"-o {_NAMES_LEFT_OUT[key.lower()]}={value}")
        return
    if key.lower() not in _NAMES:
        hint = suggestion(key, (*_OPTIONS, *_OPTIONS_LEFT_OUT)) or f" ({', '.join(_OPTIONS)} are)"
        raise UsageError(f"'-o {printable(key)}' is not taken here{hint}: leave it out")
    values[key.lower()] = value


def _entry(destination: str, values: dict[str, str]) -> HostEntry:
    found = _DESTINATION.fullmatch(destination)
    if found is None:
        raise UsageError(f"'{printable(destination)}' is not a machine, expected USER@ADDRESS")
    port = values.get("port") or found["port"]
    if port is not None and not re.fullmatch(r"[1-9]\d{0,4}", port):
        raise UsageError(f"'{printable(port)}' is not a port, expected 1 to 65535")
    host = values.get("hostname") or found["host"]
    alias = not re.search(r"[.:]", host) and host != "localhost"
    return HostEntry(
        address=None if alias else _checked(fields.address, host),
        ssh=_checked(name, host) if alias else None,
        port=None if port is None else _checked(fields.port, int(port)),
        user=_optional(fields.user, values.get("user") or found["user"]),
        identity_file=_optional(fields.identity_file, values.get("identityfile")),
        jump=_optional(fields.hops, values.get("proxyjump")),
        proxy_command=_optional(fields.command, values.get("proxycommand")),
    )


def _optional(check: Callable[[Any], Any], value: str | None) -> Any:
    return None if not value else _checked(check, value)


def _checked(check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise UsageError(str(error)) from None
