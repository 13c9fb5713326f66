"""results.json: what each part of the benchmark found when it last ran."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from pathlib import Path

    from bench.report import Results
    from bench.timing import Series

Part = Literal["up", "sync", "jobs", "builds"]
PARTS: tuple[Part, ...] = get_args(Part)
Record: TypeAlias = "dict[str, Any]"
"""A part's figures as JSON has them."""


def merged(path: Path, part: Part, results: Results) -> dict[Part, Record]:
    """Return all parts: the file's, and the one just measured in place of what the file says of it."""
    records = json.loads(path.read_text()) if path.exists() else {}
    records[part] = document(results)
    return {one: records[one] for one in PARTS if one in records}


def document(results: Results) -> Record:
    """Return one part's figures as JSON."""
    return {
        "machine": dict(results.machine),
        "load_average": {"before": results.load[0], "after": results.load[1], "busy": results.busy},
        "cases": [
            {
                "title": one.title,
                "rtt_ms": one.rtt_ms,
                "ours": _series(one.duel.ours),
                "theirs": _series(one.duel.theirs),
                "ratios": list(one.duel.ratios),
                "ratio": one.duel.ratio,
                "target": one.target,
                "missed": one.missed,
            }
            for one in results.cases
        ],
        "round_trips": dict(results.round_trips),
        "wire_bytes": {name: dict(counts) for name, counts in results.wire.items()},
        "import_seconds": dict(results.imports),
        "builds": [asdict(one) for one in results.builds],
    }


def _series(series: Series) -> Record:
    return {
        "name": series.name,
        "wall_seconds": [one.wall for one in series.samples],
        "median_seconds": series.wall,
        "cpu_seconds": series.cpu,
    }
