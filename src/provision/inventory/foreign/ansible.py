"""Ansible's static inventories, YAML and INI.

Source: "How to build your inventory", "Adding ranges of hosts" and "Connecting to hosts: behavioral inventory
parameters" of the Ansible user guide.
"""

from __future__ import annotations

import re
import shlex
from itertools import product
from typing import Any

from provision.errors import BadFileError
from provision.inventory.foreign.found import Found, mapping, text

_RANGE = re.compile(r"\[(?P<first>\d+|[a-z]|[A-Z]):(?P<last>\d+|[a-z]|[A-Z])(?::(?P<step>\d+))?\]")
_MOST = 5000
_VARIABLES = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "identity_file",
}
_ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
_IMPLIED = {"all", "ungrouped"}


def from_yaml(document: Any, source: str) -> Found:
    """Return the hosts of a YAML inventory.

    Raises:
        BadFileError: it is none.
    """
    found = Found(source)
    tree: dict[str, dict[str, Any]] = {}
    for group, content in mapping(document, source, "the file").items():
        _gather(str(group), content, tree, source)
    _take(found, tree, source)
    return found


def _gather(group: str, content: object, tree: dict[str, dict[str, Any]], source: str) -> None:
    """Put a group and those below it into one flat table."""
    held = mapping(content, source, group)
    entry = tree.setdefault(group, {"hosts": {}, "vars": {}, "children": []})
    for pattern, variables in mapping(held.get("hosts"), source, f"{group}.hosts").items():
        for name in expanded(str(pattern), source):
            entry["hosts"].setdefault(name, {}).update(mapping(variables, source, name))
    entry["vars"].update(mapping(held.get("vars"), source, f"{group}.vars"))
    for child, below in mapping(held.get("children"), source, f"{group}.children").items():
        entry["children"].append(str(child))
        _gather(str(child), below, tree, source)


def from_ini(text: str, source: str) -> Found:
    """Return the hosts of an INI inventory.

    Raises:
        BadFileError: a line cannot be read; it is named.
    """
    found = Found(source)
    tree: dict[str, dict[str, Any]] = {}
    group, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            head = re.fullmatch(r"\[([^\]:]+)(?::(vars|children))?\]\s*([#;].*)?", line)
            if head is None:
                raise BadFileError(f"{source}:{number}: '{line[:60]}' is no group, expected [name], [name:vars] or ...")
            group, kind = head[1].strip(), head[2] or "hosts"
            tree.setdefault(group, {"hosts": {}, "vars": {}, "children": []})
            continue
        entry = tree.setdefault(group, {"hosts": {}, "vars": {}, "children": []})
        if kind == "children":
            entry["children"].append(line.split("#")[0].strip())
        elif kind == "vars":
            key, _, value = line.partition("=")
            entry["vars"][key.strip()] = value.strip().strip("'\"")
        else:
            pattern, variables = _host_line(line, f"{source}:{number}")
            for name in expanded(pattern, f"{source}:{number}"):
                entry["hosts"].setdefault(name, {}).update(variables)
    _take(found, tree, source)
    return found


def _host_line(line: str, where: str) -> tuple[str, dict[str, str]]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise BadFileError(f"{where}: {error}") from None
    variables: dict[str, str] = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals:
            raise BadFileError(f"{where}: '{word[:60]}' is no variable, expected name=value")
        variables[key] = value
    return words[0], variables


def expanded(pattern: str, source: str) -> list[str]:
    """Return the names that a pattern such as ``gpu[01:08].example.com`` stands for.

    Raises:
        BadFileError: a range that has no end, or too many names.
    """
    parts: list[list[str]] = []
    at = 0
    for found in _RANGE.finditer(pattern):
        parts += [[pattern[at : found.start()]], _range(found, source)]
        at = found.end()
    parts.append([pattern[at:]])
    total = 1
    for one in parts:
        total *= len(one)
    if total > _MOST:
        raise BadFileError(f"{source}: '{pattern[:60]}' stands for {total} hosts, at most {_MOST} are taken")
    return ["".join(one) for one in product(*parts)]


def _range(found: re.Match[str], source: str) -> list[str]:
    first, last, step = found["first"], found["last"], int(found["step"] or 1)
    if step < 1 or first.isdigit() != last.isdigit():
        raise BadFileError(f"{source}: '{found[0]}' is no range")
    if first.isdigit():
        if int(last) - int(first) > _MOST * step:
            raise BadFileError(f"{source}: '{found[0]}' stands for too many hosts, at most {_MOST} are taken")
        width = len(first) if first.startswith("0") else 0
        return [str(one).zfill(width) for one in range(int(first), int(last) + 1, step)]
    return [chr(one) for one in range(ord(first), ord(last) + 1, step)]


def _take(found: Found, tree: dict[str, dict[str, Any]], source: str) -> None:
    """Give each host the variables of its groups, the nearest group's over those above it, and its own over all."""
    parents: dict[str, list[str]] = {}
    for group, entry in tree.items():
        for child in entry["children"]:
            parents.setdefault(child, []).append(group)
    above = {group: _above(group, parents, source) for group in tree}
    names = dict.fromkeys(name for entry in tree.values() for name in entry["hosts"])
    for name in names:
        direct = [group for group, entry in tree.items() if name in entry["hosts"]]
        members = list(dict.fromkeys(one for group in direct for one in above[group]))
        variables: dict[str, Any] = dict(tree.get("all", {}).get("vars", {}))
        # Those above come first, what is nearer overrides them.
        for one in sorted(members, key=lambda group: len(above.get(group, ()))):
            variables.update(tree.get(one, {"vars": {}})["vars"])
        for group in direct:
            variables.update(tree[group]["hosts"][name])
        values = _values(found, name, variables)
        found.add(name, values)
        for member in members:
            if member not in _IMPLIED:
                found.add(name, values, member)


def _above(group: str, parents: dict[str, list[str]], source: str) -> list[str]:
    """Return a group and those that it is in, the nearest first."""
    seen = [group]
    for one in seen:
        for parent in parents.get(one, ()):
            if parent == group:
                raise BadFileError(f"{source}: group '{group}' is a child of itself")
            if parent not in seen:
                seen.append(parent)
    return seen


def _values(found: Found, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"address": name}
    for key, value in variables.items():
        if key in _VARIABLES:
            values[_VARIABLES[key]] = _text(value)
        elif key in _ARGUMENTS:
            values.update(_way(found, name, text(value)))
        elif key.startswith("ansible_") and ("pass" in key):
            found.left_out.append(f"{name}: {key} is a secret: hosts.yaml holds none (PROVISION_SSH_PASSWORD)")
        elif key == "ansible_connection" and value not in {"ssh", "smart", "paramiko"}:
            found.left_out.append(f"{name}: ansible_connection={value}: provision reaches hosts by SSH alone")
    templated = next((key for key, value in values.items() if isinstance(value, str) and "{{" in value), None)
    if templated is not None:
        found.left_out.append(f"{name}: its {templated} is a template: {values.pop(templated)}")
        values.setdefault("address", name)
    return values


def _text(value: object) -> object:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else text(value)


def _way(found: Found, name: str, arguments: str) -> dict[str, str]:
    """Return jump hosts or proxy command that ssh arguments name."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        found.left_out.append(f"{name}: ssh arguments that cannot be read: {arguments}")
        return {}
    way: dict[str, str] = {}
    for at, word in enumerate(words):
        option = words[at + 1] if word == "-o" and at + 1 < len(words) else word.removeprefix("-o")
        key, _, value = option.partition("=")
        if word == "-J" and at + 1 < len(words):
            way["jump"] = words[at + 1]
        elif key.lower() == "proxyjump" and value:
            way["jump"] = value
        elif key.lower() == "proxycommand" and value:
            way["proxy_command"] = value
    return way
