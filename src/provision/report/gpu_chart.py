"""The use of a job's GPUs over its run, drawn in one row of characters for each thing that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.report.style import Style

BARS = " ▁▂▃▄▅▆▇█"
PLAIN_BARS = " .:-=+*#%"
MOSTLY_IDLE = 0.5
"""Share of the samples below 5 % of utilisation from which on a reader is told."""
LARGEST = 1e15
"""No driver tells of more; a number that is not finite could not be drawn."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one GPU did at one time; ``None`` where its driver does not say."""

    at: float
    utilisation: float | None
    """Per cent."""
    memory: float | None
    """MiB."""
    total: float | None
    power: float | None
    """W."""
    temperature: float | None
    """Degrees Celsius."""


def samples_of(value: object) -> dict[str, tuple[Sample, ...]]:
    """Return the samples by GPU that a host tells; what is none of them is left out."""
    found: dict[str, tuple[Sample, ...]] = {}
    if not isinstance(value, dict):
        return found
    for name, rows in value.items():
        if isinstance(rows, list):
            found[str(name)] = tuple(
                Sample(at, *(number_of(one) for one in row[1:6]))
                for row in rows
                if isinstance(row, list) and len(row) >= 6 and (at := number_of(row[0])) is not None  # noqa: PLR2004 - its fields
            )
    return found


def number_of(value: object) -> float | None:
    """Return a number that a host tells; ``None`` where it is none that can be drawn."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # An int of JSON may be larger than any float; nothing that is not finite is in between.
    return float(value) if -LARGEST < value < LARGEST else None


def chart(
    samples: Mapping[str, Sequence[Sample]], idle: Mapping[str, float], style: Style, width: int, *, plain: bool = False
) -> Iterator[str]:
    """Yield the drawing: for each GPU its utilisation and its memory, and what is to be said of it."""
    for name, rows in samples.items():
        if not rows:
            continue
        yield style.bold(one_line(name))
        room = max(10, width - 44)
        use = [row.utilisation for row in rows]
        yield _row("utilisation", use, 100.0, "%", room, plain=plain)
        total = max((row.total for row in rows if row.total), default=0.0)
        memory = [row.memory / 1024 if row.memory is not None else None for row in rows]
        yield _row("memory", memory, total / 1024 or None, "GiB", room, plain=plain)
        rest = [_span("power", [row.power for row in rows], "W"), _span("", [row.temperature for row in rows], "°C")]
        text = ", ".join(one for one in rest if one)
        if text:
            yield f"  {text if not plain else text.replace('°', ' degrees ')}"
        share = idle.get(name, 0.0)
        if share >= MOSTLY_IDLE:
            yield f"  {style.yellow(f'it sat idle for {share:.0%} of the run')} (utilisation below 5 %)"


def _row(title: str, values: Sequence[float | None], most: float | None, unit: str, width: int, *, plain: bool) -> str:
    known = [one for one in values if one is not None]
    if not known:
        return f"  {title:<12}not known"
    top = most or max(known) or 1.0
    bars = PLAIN_BARS if plain else BARS
    drawn = "".join(" " if one is None else bars[_height(one / top, len(bars))] for one in _thinned(values, width))
    mean = sum(known) / len(known)
    return f"  {title:<12}{drawn}  {min(known):.0f} to {max(known):.0f} {unit}, mean {mean:.0f} {unit}"


def _height(share: float, bars: int) -> int:
    """Return which character stands for a share: any use at all is seen."""
    at = round(share * (bars - 1))
    return min(bars - 1, max(1 if share > 0 else 0, at))


def _thinned(values: Sequence[float | None], width: int) -> list[float | None]:
    if len(values) <= width:
        return list(values)
    parts = [values[len(values) * at // width : max(1, len(values) * (at + 1) // width)] for at in range(width)]
    found: list[float | None] = []
    for part in parts:
        known = [one for one in part if one is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def _span(title: str, values: Sequence[float | None], unit: str) -> str:
    known = [one for one in values if one is not None]
    if not known:
        return ""
    return f"{title + ' ' if title else ''}{min(known):.0f} to {max(known):.0f} {unit}"
