"""An environment.yml written anew."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.environment.export_file import Export

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.+/-]*(?:(?:::|[=<>!~|,*+./_\[\]-])[A-Za-z0-9_.*=<>!~|,+/\[\]-]+)*")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~/:+%-]*[A-Za-z0-9._~/+%-]")
_OPTION = re.compile(r"--[a-z-]+(?: [A-Za-z0-9._~/+%:@=*-]*[A-Za-z0-9._~/+%@=*-])?")
_NOT_TEXT = re.compile(r"y|n|yes|no|on|off|true|false|null|~", re.IGNORECASE)


def scalar(text: str) -> str:
    """Return a text as YAML reads it back: plain where that is sure, else in double quotes."""
    plain = any(kind.fullmatch(text) for kind in (_PLAIN, _ADDRESS, _OPTION))
    if plain and not _NOT_TEXT.fullmatch(text) and not text.startswith("---"):
        return text
    return json.dumps(text, ensure_ascii=False)


def written(export: Export, head: Sequence[str] = ()) -> str:
    """Return the file; ``head`` are comments at its top."""
    lines = [f"# {one}".rstrip() for one in head]
    lines += [f"name: {scalar(export.name)}", "channels:"]
    lines += [f"  - {scalar(one.text)}" for one in export.channels]
    lines.append("dependencies:" if export.dependencies or export.pip else "dependencies: []")
    lines += [f"  - {scalar(one.text)}" for one in export.dependencies]
    if export.pip:
        lines += ["  - pip:", *(f"      - {scalar(one.text)}" for one in export.pip)]
    if export.variables:
        lines += ["variables:", *(f"  {name}: {quoted(value)}" for name, value in export.variables)]
    lines += [withheld(name) for name in export.withheld]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return a text in double quotes: a variable's value is always text, whatever it looks like."""
    return json.dumps(text, ensure_ascii=False)


def withheld(name: str) -> str:
    """Return the comment that stands for a variable whose value is not written."""
    return f"# {name}: left out, as it looks secret"
