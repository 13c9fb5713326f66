"""What the doctor found, as a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.decode.surrogates import encodable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.events import HostFinished
    from provision.venv.place import Venv
    from provision.venv.remark import Remark, Section


def document(
    venv: Venv | None,
    sections: Sequence[Section],
    hosts: Mapping[str, tuple[str | None, Section]],
    failed: Mapping[str, HostFinished],
    code: int,
) -> dict[str, Any]:
    """Return the document; `hosts` has the generation and the remarks of each host that answered."""
    return {
        "schema_version": 1,
        "command": "doctor",
        "exit_code": code,
        "venv": None if venv is None else {"path": encodable(str(venv.path)), "python": venv.version},
        "sections": [{"title": one.title, "remarks": _remarks(one)} for one in sections],
        "hosts": {
            **{
                encodable(name): {"error": None, "generation": generation, "remarks": _remarks(section)}
                for name, (generation, section) in hosts.items()
            },
            **{
                encodable(name): {"error": _error(finished), "generation": None, "remarks": []}
                for name, finished in failed.items()
            },
        },
    }


def _remarks(section: Section) -> list[dict[str, Any]]:
    return [_remark(one) for one in section.remarks]


def _remark(one: Remark) -> dict[str, Any]:
    return {
        "check": one.check,
        "level": one.level.value,
        "text": encodable(one.text),
        "fix": None if one.fix is None else encodable(one.fix),
        "names": [encodable(name) for name in one.names],
    }


def _error(finished: HostFinished) -> dict[str, Any] | None:
    failure = finished.failure
    if failure is None:
        return None
    return {
        "kind": failure.kind,
        "message": encodable(failure.message),
        "hint": None if failure.hint is None else encodable(failure.hint),
    }
