"""Rules for the values of hosts.yaml."""

from __future__ import annotations

import re

from provision.decode import Rule, printable
from provision.decode.checks import NAME_PATTERN, name, one_line, word

MOST_HOPS = 8

_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\$?"
_HOST_NAME = r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?"
_IPV4 = r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})"
_IPV6 = r"([0-9A-Fa-f:.]+)(%[A-Za-z0-9._-]{1,32})?"
_CONDITION = r"(>=|<=|==|!=|>|<|=)\s*\d{1,5}(\.\d{1,5}){0,3}"
_HOST_KEY = r"SHA256:[A-Za-z0-9+/]{43}"


def user(value: str) -> str:
    """Return a valid login name; raises `ValueError`."""
    if "@" in value:
        raise ValueError(f"'{printable(value)}' contains '@', expected a login name: the machine belongs in 'address'")
    if not re.fullmatch(_USER, value):
        raise ValueError(f"'{printable(value)}' is not a login name, expected letters, digits, '.', '_' or '-'")
    return value


def port(value: int) -> int:
    """Return a TCP port; raises `ValueError`."""
    if not 1 <= value <= 65535:  # noqa: PLR2004 - the range of TCP ports
        raise ValueError(f"{value}, expected a port from 1 to 65535")
    return value


def address(value: str) -> str:
    """Return a host name, an IPv4 or an IPv6 address without brackets; raises `ValueError`."""
    shown = printable(value)
    if "://" in value:
        raise ValueError(f"'{shown}' is a URL, expected a name or an IP address")
    if "@" in value:
        raise ValueError(f"'{shown}' contains '@', expected a name or an IP address: the login belongs in 'user'")
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if re.fullmatch(r"\[[^\]]*\]:\d+|[^:\[\]]+:\d+", value):
        raise ValueError(f"'{shown}' ends in a port, expected a name or an IP address: the port belongs in 'port'")
    if ":" in bare:
        return _ipv6(bare)
    if bare != value:
        raise ValueError(f"'{shown}', expected brackets around an IPv6 address only")
    if re.fullmatch(r"[\d.]+", bare):
        parts = re.fullmatch(_IPV4, bare)
        if parts is None or any(int(one) > 255 or (one != "0" and one[0] == "0") for one in parts.groups()):  # noqa: PLR2004
            raise ValueError(f"'{shown}' is not an IPv4 address, expected four numbers from 0 to 255")
        return bare
    if not bare.isascii():
        raise ValueError(f"'{shown}' has letters beyond ASCII: write the name's xn--... form")
    if not re.fullmatch(_HOST_NAME, bare):
        raise ValueError(f"'{shown}' is not an address, expected a host name, an IPv4 or an IPv6 address")
    return bare


def _ipv6(value: str) -> str:
    import ipaddress

    found = re.fullmatch(_IPV6, value)
    try:
        if found is None:
            raise ValueError  # noqa: TRY301 - one message for both
        ipaddress.IPv6Address(found[1])
    except ValueError:
        raise ValueError(f"'{printable(value)}' is not an IPv6 address") from None
    return value


def hop(value: str) -> str:
    """Return the name of a jump host; raises `ValueError`."""
    if "@" in value or ":" in value:
        raise ValueError(
            f"'{printable(value)}', expected the name of a host here or of an ssh_config alias: "
            "add the jump host under 'hosts' and name it"
        )
    return name(value)


def hops(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return a chain of jump hosts; ``none`` is the empty chain; raises `ValueError`."""
    listed = tuple(one.strip() for one in value.split(",")) if isinstance(value, str) else value
    if listed == ("none",):
        return ()
    if len(listed) > MOST_HOPS:
        raise ValueError(f"{len(listed)} jump hosts, expected {MOST_HOPS} at most")
    return tuple(hop(one) for one in listed)


def command(value: str) -> str:
    """Return a proxy command; ``none`` stays as it is; raises `ValueError`."""
    if not value.strip():
        raise ValueError("empty, expected a command")
    if value.lstrip().startswith("-"):
        raise ValueError(f"'{printable(value)}' begins with '-', expected a command")
    return one_line(value)


def identity_file(value: str) -> str:
    """Return the path of a private key on this machine; raises `ValueError`."""
    shown = printable(value)
    if not value or value.startswith("-"):
        raise ValueError(f"'{shown}', expected the path of a private key")
    if value.startswith("~") and not value.startswith("~/"):
        raise ValueError(f"'{shown}', expected ~/... or an absolute path (no other user's home)")
    if value.startswith(("/dev/", "/proc/", "/sys/")):
        raise ValueError(f"'{shown}' is no file, expected the path of a private key")
    if value.endswith(".pub"):
        raise ValueError(f"'{shown}' is a public key, expected the private one (without .pub)")
    if value.startswith("$"):
        raise ValueError(f"'{shown}': variables are not expanded here, expected ~/... or an absolute path")
    return one_line(value)


def host_key(value: str) -> str:
    """Return a key fingerprint; raises `ValueError`."""
    if not re.fullmatch(_HOST_KEY, value):
        raise ValueError(
            f"'{printable(value)}', expected a fingerprint such as SHA256: and 43 characters "
            "(ssh-keygen -lf KEY.pub shows it)"
        )
    return value


def condition(value: str) -> str:
    """Return a condition on a version, without spaces; raises `ValueError`."""
    parts = [one.strip() for one in value.split(",")]
    if not all(re.fullmatch(_CONDITION, one) for one in parts):
        raise ValueError(f'\'{printable(value)}\', expected a condition such as ">=550" or ">=550.54,<580"')
    return ",".join(re.sub(r"\s", "", one) for one in parts)


def cuda_version(value: str) -> str:
    """Return a CUDA version of two numbers; raises `ValueError`."""
    if not re.fullmatch(r"[1-9]\d?\.\d{1,2}", value):
        raise ValueError(f"'{printable(value)}', expected a CUDA version such as 12.4")
    return value


def playbook(value: str) -> str:
    """Return the name or path of a playbook; raises `ValueError`."""
    return word(value)


def count(value: int) -> int:
    """Return a number of GPUs; raises `ValueError`."""
    if not 0 <= value <= 64:  # noqa: PLR2004 - no machine has more
        raise ValueError(f"{value}, expected a number of GPUs from 0 to 64")
    return value


def memory(value: float) -> float:
    """Return an amount of memory in GiB; raises `ValueError`."""
    if not 0 < value <= 4096:  # noqa: PLR2004 - a typo rather than a GPU
        raise ValueError(f"{value:g}, expected GiB per GPU, such as 22")
    return value


def pattern(value: str) -> str:
    """Return a host name or a glob over host names; raises `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9_*?\[][A-Za-z0-9._*?\[\]!-]{0,252}", value):
        raise ValueError(f"'{printable(value)}' is neither the name of a host nor a pattern such as gpu-*")
    return value


def env_value(value: str) -> str:
    """Return the value of an environment variable; raises `ValueError`."""
    return one_line(value)


USER = Rule(user, {"pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\\$?$"})
PORT = Rule(port, {"minimum": 1, "maximum": 65535})
ADDRESS = Rule(address, {"pattern": "^[A-Za-z0-9_\\[:]"})
HOPS = Rule(hops)
COMMAND = Rule(command)
IDENTITY_FILE = Rule(identity_file)
HOST_KEY = Rule(host_key, {"pattern": "^SHA256:[A-Za-z0-9+/]{43}$"})
CONDITION = Rule(condition)
CUDA_VERSION = Rule(cuda_version, {"pattern": "^[1-9][0-9]?\\.[0-9]{1,2}$"})
PLAYBOOK = Rule(playbook)
COUNT = Rule(count, {"minimum": 0, "maximum": 64})
MEMORY = Rule(memory, {"exclusiveMinimum": 0, "maximum": 4096})
PATTERN = Rule(pattern)
ENV_VALUE = Rule(env_value)
ALIAS = Rule(name, {"pattern": f"^{NAME_PATTERN}$"})
