"""Runs the benchmark: writes bench/results.json and bench/RESULTS.md, and exits with 1 when a target is missed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.controller import why_not

from bench.measure import Wanted, measure
from bench.record import PARTS, Part, merged
from bench.report import Results, markdown
from bench.sync_cases import why_not_sync
from bench.timing import CommandFailedError

HERE = Path(__file__).parent
PAIRS = 7
QUICK_PAIRS = 3


@dataclass
class Asked(argparse.Namespace):
    """The options of a run."""

    quick: bool = False
    pairs: int = 0
    only: Part | None = None
    into: Path = field(default=HERE)

    @property
    def wanted(self) -> Wanted:
        """What they mean."""
        parts = PARTS if self.only is None else (self.only,)
        return Wanted(parts, self.pairs or (QUICK_PAIRS if self.quick else PAIRS), not self.quick)


def main() -> int:
    """Measure, print, write, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    quick = f"{QUICK_PAIRS} pairs, one host, without the peers of `up` and the largest tree of `sync`"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--pairs", type=int, default=0, metavar="N", help=f"pairs of each comparison (default {PAIRS})")
    parser.add_argument("--only", choices=PARTS, help="one part; the files keep what they say of the other")
    parser.add_argument("--into", type=Path, default=HERE, metavar="FOLDER", help="for results.json and RESULTS.md")
    asked = parser.parse_args(namespace=Asked())
    wanted = asked.wanted
    reason = why_not() or (why_not_sync() if "sync" in wanted.parts else None)
    if reason is not None:
        print(f"bench: {reason}", file=sys.stderr)
        return 2
    missed: list[str] = []
    try:
        for part, results in measure(wanted):
            keep(asked.into, part, results)
            missed += results.missed
    except CommandFailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print((asked.into / "RESULTS.md").read_text())
    for line in missed:
        print(f"bench: target missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def keep(folder: Path, part: Part, results: Results) -> None:
    """Write both files; a part that fails later takes nothing from this one."""
    path = folder / "results.json"
    records = merged(path, part, results)
    path.write_text(json.dumps(records, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(markdown(records))


if __name__ == "__main__":
    # What slows Python down in a developer's shell must not reach what is timed, nor what is installed.
    for name in [name for name in os.environ if name in {"PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS"}]:
        del os.environ[name]
    sys.exit(main())
