"""The text of a code's page, and of the index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.report.amounts import counted
from provision.report.display import one_line, shortened
from provision.report.entries import FINDING
from provision.report.markdown import code, fence, prose
from provision.report.pages import explain, why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provision.report.entries import Met, Sighting

_TITLE = 90
_NAMED = 8
_COMMAND = re.compile(r"(?:sudo|docker|nvidia-smi|npu-smi|rocm-smi|amd-smi|conda|pip|provision) \S")
"""How the fix of a finding begins that is to be typed; three spaces divide it from a remark."""
_REMARK = re.compile(r"   +\((.+)\)\Z", re.DOTALL)


def title(met: Met) -> str:
    """Return what a code is about, in one line."""
    if met.kind == FINDING:
        try:
            return explain(met.code, "en").title
        except UsageError:
            # Met by another version than this one.
            return shortened(one_line(met.message), _TITLE)
    return shortened(one_line(met.cause or met.message), _TITLE)


def page_text(every: Sequence[Sighting]) -> list[str]:
    """Return the lines of a code's page; `every` is what each host has of it."""
    last = max((one.met for one in every), key=lambda met: met.at)
    names = _names(every)
    return [
        f"# {last.code}: {prose(title(last))}",
        "",
        f"{_state(every, names)} Severity: {last.severity}. [All that was met](README.md)",
        "",
        "## What was seen",
        "",
        *_seen(every, names),
        "## Why",
        "",
        prose(_sentence(why(last.code) or title(last) if last.kind == FINDING else last.cause or last.message)),
        "",
        "## What to do",
        "",
        *_fixes(last),
        "## How it was solved",
        "",
        *(_solution(one, names) for one in every),
        "",
    ]


def index_text(found: Sequence[Sequence[Sighting]], files: Mapping[str, str]) -> list[str]:
    """Return the lines of the index: what is open first, then what was met last."""
    rows = sorted(found, key=lambda every: max(one.met.at for one in every), reverse=True)
    rows.sort(key=lambda every: all(one.solved is not None for one in every))
    return [
        "# What was met",
        "",
        "What went wrong on our machines, why, and how it was solved. `provision report --notes` with this folder",
        "brings it up to date.",
        "",
        "| code | what it is | hosts | first met | last met | now |",
        "|---|---|---|---|---|---|",
        *(_row(every, files) for every in rows),
        "",
    ]


def _row(every: Sequence[Sighting], files: Mapping[str, str]) -> str:
    met = every[-1].met
    names = _names(every)
    unsolved = [names[one.key] for one in every if one.solved is None]
    now = f"**open** on {_several(unsolved, cell=True)}" if unsolved else "solved"
    cells = (
        f"[{code(met.code)}]({files[met.code]})",
        prose(title(met), cell=True),
        _several([names[one.key] for one in every], cell=True),
        min(one.first for one in every)[:10],
        max(one.met.at for one in every)[:10],
        now,
    )
    return f"| {' | '.join(cells)} |"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def _state(every: Sequence[Sighting], names: Mapping[tuple[str, str, str], str]) -> str:
    unsolved = [names[one.key] for one in every if one.solved is None]
    return f"**Open** on {_several(unsolved)}." if unsolved else "**Solved** on every host where it was met."


def _seen(every: Sequence[Sighting], names: Mapping[tuple[str, str, str], str]) -> Iterator[str]:
    alike: dict[str, list[Sighting]] = {}
    for one in every:
        alike.setdefault(one.met.message, []).append(one)
    for message, where in alike.items():
        for one in where:
            often = "" if one.times == 1 else f"; {counted(one.times, 'time')} since {_day(one.first)}"
            yield f"- on {code(names[one.key])}, {_day(one.met.at)}, by {code(f'provision {one.met.command}')}{often}"
        yield from ("", *fence(message.split("\n")), "")


def _fixes(met: Met) -> Iterator[str]:
    lines = [part for line in met.fix for part in (_parted(line) if met.kind == FINDING else (line,))]
    commands: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            commands.append(line.removeprefix("$ "))
            continue
        yield from _block(commands)
        commands.clear()
        yield from (f"- {prose(line)}", "")
    yield from _block(commands)
    if met.kind == FINDING:
        yield from (f"The whole page of this finding: {code(f'provision verify --explain {met.code}')}", "")
    elif not met.fix:
        yield from ("Nothing is known.", "")


def _parted(fix: str) -> Iterator[str]:
    """Yield what a finding's fix says as lines, commands marked as those of a pitfall are."""
    if not _COMMAND.match(fix):
        yield fix
        return
    remark = _REMARK.search(fix)
    yield f"$ {fix[: remark.start()] if remark else fix}"
    if remark:
        yield remark[1]


def _block(commands: Sequence[str]) -> Iterator[str]:
    if commands:
        yield from (*fence(commands, "sh"), "")


def _solution(one: Sighting, names: Mapping[tuple[str, str, str], str]) -> str:
    name = code(names[one.key])
    if one.solved is None:
        return f"- on {name}: not yet"
    by = f"- on {name}, {_day(one.solved.at)}: {code(f'provision {one.solved.command}')} ended well"
    if not one.solved.steps:
        return f"{by}, and had nothing to change"
    return f"{by}, after it changed: {', '.join(code(step) for step in one.solved.steps)}"


def _names(every: Iterable[Sighting]) -> dict[tuple[str, str, str], str]:
    """Return what to call each host, with its project where there are several."""
    keys = [one.key for one in every]
    several = len({project for project, _, _ in keys}) > 1
    return {key: f"{key[1]} ({key[0]})" if several else key[1] for key in keys}


def _several(names: Sequence[str], *, cell: bool = False) -> str:
    unique = list(dict.fromkeys(names))
    shown = ", ".join(code(one, cell=cell) for one in unique[:_NAMED])
    return shown if len(unique) <= _NAMED else f"{shown} and {len(unique) - _NAMED} more"


def _day(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"
