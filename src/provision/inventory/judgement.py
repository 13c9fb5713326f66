"""What is wrong between the values of a hosts.yaml, each of which is well on its own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from provision.decode import printable
from provision.decode.near import suggestion
from provision.inventory.fields import MOST_HOPS
from provision.inventory.mirrors import AUTO, SHIPPED
from provision.inventory.schema import GroupEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.decode import Document
    from provision.inventory.schema import InventoryFile, Settings

_RESERVED = ("all", "none")


def judge(document: Document, file: InventoryFile) -> None:
    """Note every contradiction in the document."""
    _judge_names(document, file)
    _judge_default(document, file)
    _judge_groups(document, file)
    _judge_settings(document, file)
    _judge_jumps(document, file)


def members(file: InventoryFile) -> dict[str, tuple[str, ...]]:
    """Return the hosts of each group, in the file's order."""
    found = {}
    for group, entry in file.groups.items():
        words = dict.fromkeys(_listed(entry))
        globs = [one for one in words if _is_glob(one)]
        found[group] = tuple(
            host for host in file.hosts if host in words or any(fnmatchcase(host, one) for one in globs)
        )
    return found


def groups_by_host(members: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the groups of each host that is in one, in the file's order."""
    found: dict[str, list[str]] = {}
    for group, hosts in members.items():
        for host in hosts:
            found.setdefault(host, []).append(group)
    return {host: tuple(groups) for host, groups in found.items()}


def _is_glob(word: str) -> bool:
    return any(sign in word for sign in "*?[")


def _listed(entry: GroupEntry | tuple[str, ...]) -> tuple[str, ...]:
    return entry.hosts if isinstance(entry, GroupEntry) else entry


def _judge_names(document: Document, file: InventoryFile) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for kind, names in (("hosts", file.hosts), ("groups", file.groups)):
        for name in names:
            # Names are ASCII, so folding their case is all that can make two of them alike.
            place = (kind, name)
            other = seen.setdefault(name.casefold(), place)
            if name.casefold() in _RESERVED:
                document.problem(place, f"'{name}' has a meaning of its own on the command line: choose another name")
            elif other != place:
                which = "a host has this name already" if other[1] == name else f"'{other[1]}' differs in case only"
                document.problem(place, f"{which} (line {document.line(other)}): choose another name")


def _judge_default(document: Document, file: InventoryFile) -> None:
    if file.default is None or file.default in file.hosts:
        return
    if file.sources and file.default not in file.groups:
        # A cloud may know it.
        return
    hint = ": it is a group, expected one host" if file.default in file.groups else suggestion(file.default, file.hosts)
    document.problem(("default",), f"'{file.default}' is no host of this file{hint}")


def _judge_groups(document: Document, file: InventoryFile) -> None:
    for group, entry in file.groups.items():
        place = ("groups", group, "hosts") if isinstance(entry, GroupEntry) else ("groups", group)
        for index, one in enumerate(_listed(entry)):
            if one in file.hosts or _is_glob(one):
                continue
            if file.sources and one not in file.groups:
                continue
            hint = suggestion(one, file.hosts)
            if one in file.groups:
                hint = ": it is a group, and groups hold hosts only"
            document.problem((*place, index), f"'{printable(one)}' is no host of this file{hint}")


def _judge_settings(document: Document, file: InventoryFile) -> None:
    known = [*file.mirrors, *SHIPPED, AUTO, "none"]
    places: list[tuple[tuple[str, ...], Settings]] = [(("defaults",), file.defaults)]
    places += [(("groups", name), one) for name, one in file.groups.items() if isinstance(one, GroupEntry)]
    places += [(("hosts", name), one) for name, one in file.hosts.items()]
    for place, settings in places:
        if settings.mirrors is not None and settings.mirrors not in known:
            hint = suggestion(settings.mirrors, known) or f", expected one of {', '.join(dict.fromkeys(known))}"
            document.problem((*place, "mirrors"), f"'{settings.mirrors}' is no mirror profile{hint}")
        if settings.jump and settings.proxy_command not in {None, "none"}:
            document.problem(
                (*place, "proxy_command"),
                "stands beside 'jump', but a host is reached in one way: remove one of them",
            )
    for name, entry in file.hosts.items():
        if entry.address is None and entry.ssh is None:
            document.problem(("hosts", name), "has no 'address' (or 'ssh', an alias of your ssh_config)")


def _judge_jumps(document: Document, file: InventoryFile) -> None:
    """Note hosts whose jump hosts lead back to themselves, whichever level the jumps are set on."""
    groups = groups_by_host(members(file))
    for name in file.hosts:
        chain, pending = [name], list(_hops(file, groups, name))
        place = ("hosts", name, "jump") if file.hosts[name].jump else ("hosts", name)
        while pending:
            hop = pending.pop(0)
            if len(chain) > MOST_HOPS:
                document.problem(place, f"more than {MOST_HOPS} jump hosts on the way: {' -> '.join(chain[:3])} -> ...")
                break
            if hop in chain:
                document.problem(place, f"the jump hosts lead in a circle: {' -> '.join([*chain, hop])}")
                break
            chain.append(hop)
            if hop in file.hosts:
                pending = [*_hops(file, groups, hop), *pending]


def _hops(file: InventoryFile, groups: dict[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    of_groups = [file.groups[group] for group in reversed(groups.get(name, ()))]
    levels = [file.hosts[name], *(one for one in of_groups if isinstance(one, GroupEntry)), file.defaults]
    for one in levels:
        if one.jump is not None or one.proxy_command is not None:
            return one.jump if isinstance(one.jump, tuple) else ()
    return ()
