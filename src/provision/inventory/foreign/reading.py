"""Finds out which tool a file is of, and reads it."""

from __future__ import annotations

from typing import Any

import yaml

from provision.errors import BadFileError
from provision.inventory.foreign import ansible, pools
from provision.inventory.foreign.found import Found, unknown

FORMATS = ("ansible", "skypilot", "ray", "dstack", "ssh_config")
LARGEST = 4 << 20
"""Bytes of a file that is read."""


def read(text: str, source: str, kind: str | None = None) -> Found | None:
    """Return what a file says of hosts; nothing for an ssh_config, whose aliases are resolved by ssh itself.

    Args:
        text: The file's text.
        source: How messages name it.
        kind: One of `FORMATS`; without it the text tells.

    Raises:
        UsageError: no format that is known.
        BadFileError: the file cannot be read as what it is.
    """
    if len(text) > LARGEST:
        raise BadFileError(f"{source} is too large for an inventory")
    if kind is None and _is_ssh_config(text):
        kind = "ssh_config"
    if kind == "ssh_config":
        return None
    document = _yaml(text, source)
    if kind is None:
        kind = _kind(document, text)
    if kind is None:
        raise unknown(source)
    if kind == "ansible":
        return ansible.from_yaml(document, source) if isinstance(document, dict) else ansible.from_ini(text, source)
    if kind == "skypilot":
        return pools.from_skypilot(document, source)
    return pools.from_ray(document, source) if kind == "ray" else pools.from_dstack(document, source)


class _Loader(yaml.SafeLoader):
    """Reads tags such as ``!vault`` as what they are put on: they are never values that we need."""


def _plain(_loader: object, _tag: str, node: yaml.Node) -> str:
    # Of a list or a mapping nothing: what it is made of may be itself, many times over.
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


_Loader.add_multi_constructor("!", _plain)


def _yaml(text: str, source: str) -> Any:
    """Return the document, nothing where the text is no YAML: an INI file is none."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader's own kind
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # A date or a number that is none is no YAML either.
        if not source.endswith((".yml", ".yaml")):
            return None
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark is not None else source
        raise BadFileError(f"{where}: this is no YAML: {getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise BadFileError(f"{source} is nested too deeply") from None


def _kind(document: Any, text: str) -> str | None:  # noqa: PLR0911 - one line a format
    if isinstance(document, dict):
        values = [one for one in document.values() if isinstance(one, dict)]
        if document.get("type") == "fleet":
            return "dstack"
        if "cluster_name" in document and "provider" in document:
            return "ray"
        if any(isinstance(one.get("hosts"), list) for one in values):
            return "skypilot"
        if any({"hosts", "children", "vars"} & set(one) for one in values):
            return "ansible"
        return None
    if any(line.strip() and line.strip()[0] not in "#;" for line in text.splitlines()):
        return "ansible"
    return None


def _is_ssh_config(text: str) -> bool:
    words = [line.split(None, 1)[0].lower() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    return bool(words) and ("host" in words or "match" in words) and "=" not in words[0] and ":" not in words[0]
