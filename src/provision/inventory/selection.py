"""Which hosts the words of a command line mean."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from provision.decode import printable
from provision.decode.near import suggestion
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SHOWN = 12


def select(
    patterns: Sequence[str],
    hosts: Sequence[str],
    groups: Mapping[str, Iterable[str]],
    default: str | None,
    inventory: str,
) -> tuple[str, ...]:
    """Return host names in the order of the inventory, each once.

    A pattern is a host, a group, a glob over hosts, or ``all``; with ``!`` before it, it excludes. With
    exclusions only, all other hosts are meant. Without any pattern: the default, or the only host; never a
    guess among several.

    Raises:
        UsageError: nothing in the inventory has that name; no default among several; nothing is left.
    """
    if not hosts:
        raise UsageError(
            f"{inventory} has no hosts", hint="add one: provision hosts add NAME 'ssh -p PORT USER@ADDRESS'"
        )
    if not patterns:
        return (_default(hosts, default, inventory),)
    chosen: set[str] = set()
    wanted = [one for one in patterns if not one.startswith("!")]
    for pattern in wanted:
        chosen.update(_matches(pattern, hosts, groups, inventory))
    if not wanted:
        chosen.update(hosts)
    for pattern in patterns:
        if pattern.startswith("!"):
            chosen.difference_update(_matches(pattern[1:], hosts, groups, inventory))
    if not chosen:
        raise UsageError(f"{' '.join(map(printable, patterns))}: no host is left")
    return tuple(one for one in hosts if one in chosen)


def _default(hosts: Sequence[str], default: str | None, inventory: str) -> str:
    if default is not None:
        if default in hosts:
            return default
        raise UsageError(f"the default host '{printable(default)}' is not in {inventory}{suggestion(default, hosts)}")
    if len(hosts) == 1:
        return hosts[0]
    raise UsageError(
        f"which host? {inventory} has {len(hosts)}: {_listed(hosts)}",
        hint="name one, or write 'default: NAME' in the inventory",
    )


def _matches(pattern: str, hosts: Sequence[str], groups: Mapping[str, Iterable[str]], inventory: str) -> Iterable[str]:
    if pattern == "all":
        return hosts
    if pattern in hosts:
        return (pattern,)
    if pattern in groups:
        return groups[pattern]
    if any(one in pattern for one in "*?["):
        found = [one for one in hosts if fnmatchcase(one, pattern)]
        if found:
            return found
        if "," in pattern:
            raise _joined(pattern)
        raise UsageError(f"no host in {inventory} matches '{printable(pattern)}': it has {_listed(hosts)}")
    raise _unknown(pattern, hosts, groups, inventory)


def _unknown(pattern: str, hosts: Sequence[str], groups: Mapping[str, Iterable[str]], inventory: str) -> UsageError:
    if "," in pattern:
        return _joined(pattern)
    shown = printable(pattern)
    login, at, address = pattern.rpartition("@")
    if at and login and address:
        name = address.split(".")[0].split(":")[0] or "NAME"
        return UsageError(
            f"'{shown}' is not in {inventory}",
            hint=f"add it once: provision hosts add {printable(name)} 'ssh {shown}'",
        )
    near = suggestion(pattern, [*hosts, *groups])
    return UsageError(
        f"'{shown}' is neither a host nor a group of {inventory}{near or ': it has ' + _listed(hosts)}",
        hint=None if near else f"add it once: provision hosts add NAME 'ssh {shown}'",
    )


def _joined(pattern: str) -> UsageError:
    apart = " ".join(one for one in pattern.split(",") if one)
    return UsageError(f"'{printable(pattern)}': separate hosts by blanks", hint=printable(apart) or None)


def _listed(hosts: Sequence[str]) -> str:
    more = len(hosts) - _SHOWN
    return ", ".join(hosts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
