"""hosts.yaml written: a new one, or one host more in an existing one, whose comments stay."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provision.decode import parse, printable
from provision.decode.checks import name as check_name
from provision.decode.nodes import Mapping as MappingNode
from provision.decode.nodes import Scalar
from provision.errors import BadFileError, UsageError
from provision.inventory.inventory import parse_inventory
from provision.inventory.ssh_command import parse_ssh_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.inventory.schema import HostEntry

_PLAIN = re.compile(r"[A-Za-z0-9_~/.][A-Za-z0-9_./@%+~-]*")
_AMBIGUOUS = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|~|[-+.\d][\d_.,:eExXoO+-]*")
_ORDER = ("address", "ssh", "port", "user", "identity_file", "jump", "proxy_command")


def new_inventory_text(hosts: Mapping[str, HostEntry], default: str | None = None) -> str:
    """Return a hosts.yaml with these hosts in it.

    Raises:
        UsageError: a name that cannot be one.
    """
    lines = ["version: 1"]
    if default is not None:
        lines.append(f"default: {_scalar(_checked_name(default))}")
    lines.append("hosts:" if hosts else "hosts: {}")
    for name, entry in hosts.items():
        lines += _host_lines(name, entry, "  ", "  ")
    text = "\n".join(lines) + "\n"
    try:
        parse_inventory(text, "hosts.yaml")
    except BadFileError as error:
        raise UsageError(error.message.partition(": ")[2]) from None
    return text


def add_host_text(text: str, name: str, entry: HostEntry, source: str = "hosts.yaml") -> str:
    """Return the text of a hosts.yaml with one host more; every other line stays as it is.

    Raises:
        BadFileError: the text cannot be taken as it is.
        UsageError: the host is there already, its name cannot be one, or no place for it is found.
    """
    before = parse_inventory(text, source)
    new_inventory_text({name: entry})
    taken = {one.casefold(): one for one in (*before.hosts, *before.groups)}
    if name.casefold() in taken:
        raise UsageError(f"{source} has '{taken[name.casefold()]}' already: choose another name, or edit the file")
    after = _inserted(text, name, entry)
    try:
        found = dict(parse_inventory(after, source).file.hosts)
    except BadFileError:
        raise _by_hand(source, name, entry) from None
    if found.pop(name, None) != entry or found != before.file.hosts:
        raise _by_hand(source, name, entry)
    return after


def add_groups_text(text: str, groups: Mapping[str, Iterable[str]], source: str = "hosts.yaml") -> str:
    """Return the text of a hosts.yaml with groups more, each with its hosts; every other line stays as it is.

    Raises:
        BadFileError: the text cannot be taken as it is.
        UsageError: no place for them is found.
    """
    if not groups:
        return text
    before = parse_inventory(text, source)
    lines = [f"  {_scalar(_checked_name(name))}: [{', '.join(map(_scalar, hosts))}]" for name, hosts in groups.items()]
    after = text if text.endswith("\n") else text + "\n"
    if before.file.groups:
        document = parse(text, source)
        at = document.line(("groups",))
        rows = after.splitlines(keepends=True)
        first = next(iter(before.file.groups))
        child = rows[document.line(("groups", first)) - 1] if document.line(("groups", first)) > at else ""
        indent = child[: len(child) - len(child.lstrip())]
        if not indent:
            raise _groups_by_hand(source, lines)
        rows[at:at] = [f"{indent}{one.strip()}\n" for one in lines]
        after = "".join(rows)
    else:
        after += "groups:\n" + "".join(f"{one}\n" for one in lines)
    try:
        found = parse_inventory(after, source)
    except BadFileError:
        raise _groups_by_hand(source, lines) from None
    wanted = {*before.groups, *groups}
    if set(found.groups) != wanted or found.file.hosts != before.file.hosts:
        raise _groups_by_hand(source, lines)
    return after


def _groups_by_hand(source: str, lines: list[str]) -> UsageError:
    return UsageError(
        f"{source}: there is no safe place to add groups by itself",
        hint="add them below 'groups:' yourself:\n" + "\n".join(lines),
    )


def _inserted(text: str, name: str, entry: HostEntry) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    document = parse(text, "hosts.yaml")
    root = document.root
    hosts = root.get("hosts") if isinstance(root, MappingNode) else None
    if not isinstance(root, MappingNode) or hosts is None:
        return end.join([*lines, "hosts:", *_host_lines(name, entry, "  ", "  ")]) + end
    line = document.line(("hosts",)) - 1
    if isinstance(hosts, Scalar) or (isinstance(hosts, MappingNode) and not hosts.items):
        lines[line] = re.sub(r"(hosts['\"]?\s*:)\s*(\{\s*\}|~|null)?", r"\1", lines[line], count=1)
        lines[line + 1 : line + 1] = _host_lines(name, entry, "  ", "  ")
        return end.join(lines) + end
    if not isinstance(hosts, MappingNode) or hosts.items[0][0].line == line + 1:
        lines[line] = _into_flow(lines[line], name, entry)
        return end.join(lines) + end
    following = [key.line - 1 for key, _ in root.items if key.line - 1 > line]
    last = min(following, default=len(lines))
    while last > line + 1 and (not lines[last - 1].strip() or lines[last - 1].startswith("#")):
        last -= 1
    first = lines[hosts.items[0][0].line - 1]
    indent = first[: len(first) - len(first.lstrip())]
    lines[last:last] = _host_lines(name, entry, indent, indent if len(indent) > 1 else "  ")
    return end.join(lines) + end


def _into_flow(line: str, name: str, entry: HostEntry) -> str:
    """Put a host into ``hosts: {...}`` on one line."""
    head, brace, tail = line.rpartition("}")
    if not brace:
        return line
    return f"{head.rstrip().rstrip(',')}, {_scalar(name)}: {_flow(_values(entry))}}}{tail}"


def _host_lines(name: str, entry: HostEntry, indent: str, step: str) -> list[str]:
    values = _values(entry)
    head = f"{indent}{_scalar(name)}:"
    return (
        [head, *(f"{indent}{step}{key}: {_flow(value)}" for key, value in values.items())] if values else [head + " {}"]
    )


def _values(value: Any) -> dict[str, Any]:
    """Return what a dataclass says, its keys as people write them."""
    names = [one.name for one in dataclasses.fields(value)]
    ordered = [*(one for one in _ORDER if one in names), *(one for one in names if one not in _ORDER)]
    return {one: found for one in ordered if (found := getattr(value, one)) not in (None, (), {})}


def _flow(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        value = _values(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return _scalar(value[0]) if len(value) == 1 else "[" + ", ".join(_flow(one) for one in value) + "]"
    return _scalar(value)


def _scalar(value: str | float) -> str:
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and not _AMBIGUOUS.fullmatch(value):
        return value
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _checked_name(name: str) -> str:
    try:
        return check_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _by_hand(source: str, name: str, entry: HostEntry) -> UsageError:
    lines = "\n".join(_host_lines(name, entry, "  ", "  "))
    return UsageError(
        f"{source}: there is no safe place to add '{printable(name)}' by itself",
        hint=f"add it below 'hosts:' yourself:\n{lines}",
    )


__all__ = ["add_host_text", "new_inventory_text", "parse_ssh_command"]
