"""What a pull did, as the JSON document and as the last line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable
from provision.report.amounts import counted
from provision.sync.sizes import sized

if TYPE_CHECKING:
    from provision.engine.pull import Pulled
    from provision.events import HostFinished


def document(name: str, code: int, finished: HostFinished, pulled: Pulled | None) -> dict[str, Any]:
    """Return the JSON document."""
    host: dict[str, Any] = {"outcome": finished.outcome.value, "error": None}
    if finished.failure is not None:
        failure = finished.failure
        hint = None if failure.hint is None else encodable(failure.hint)
        host["error"] = {"kind": failure.kind, "message": encodable(failure.message), "hint": hint}
    if pulled is not None:
        tally = pulled.tally
        host |= {
            "pulled": tally.files + tally.links,
            "skipped": tally.skipped,
            "bytes": tally.bytes,
            "resumed_bytes": tally.resumed_bytes,
            "wire_bytes": tally.wire_bytes,
            "to": encodable(os.path.abspath(pulled.to)),  # noqa: PTH100 - links stay as they were named
            "planned": [path_text(one) for one, _ in pulled.planned or ()],
            "refused": [{"path": path_text(one), "why": encodable(why)} for one, why in pulled.refused.items()],
            "left_out": [{"path": path_text(one), "why": encodable(why)} for one, why in pulled.left_out.items()],
        }
    return {"schema_version": 1, "command": "pull", "exit_code": code, "hosts": {encodable(name): host}}


def summary(pulled: Pulled) -> str:
    """Return what came, in a line."""
    tally = pulled.tally
    came = _amount(pulled.counts)
    where = _where(pulled)
    if pulled.planned is None:
        parts = [f"{came} pulled {where}, {sized(tally.bytes)}"]
    else:
        parts = [f"{came} would come {where}, {sized(sum(length for _, length in pulled.planned))}"]
    if tally.replaced:
        parts.append(f"{tally.replaced} replaced")
    if tally.resumed_bytes:
        parts.append(f"{sized(tally.resumed_bytes)} were here from before")
    if tally.skipped:
        parts.append(f"{tally.skipped} already here")
    if pulled.refused:
        parts.append(f"{len(pulled.refused)} not pulled")
    return ", ".join(parts)


def _amount(counts: tuple[int, int, int]) -> str:
    """Return ``2 files``, ``2 files, 1 link, 3 folders``; without files and links it says so."""
    words = [counted(number, noun) for number, noun in zip(counts, ("file", "link", "new folder"), strict=True)]
    return ", ".join(word for word, number in zip(words, counts, strict=True) if number) or words[0]


def _where(pulled: Pulled) -> str:
    """Return where it went, as DEST was typed."""
    if not pulled.into_folder:
        return f"to {pulled.to}"
    return "into this folder" if str(pulled.to) == "." else f"into {pulled.to}/".replace("//", "/")


def path_text(path: bytes) -> str:
    """Return a host's path as text that can be written anywhere."""
    return encodable(path.decode("utf-8", "surrogateescape"))
