"""Faults on request: a JSON file says where the stand-in dies, waits or fails."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

WELL_KNOWN = Path("/etc/standin-faults.json")


class Faults:
    """The knobs of one faults file; without one, nothing ever happens.

    Keys: ``kill_at``, ``sleep_at`` and ``fail_at`` name a point (``extract:3``, ``link:5``, ``pip``...);
    ``signal`` (default KILL) and ``seconds`` (default 5) say what happens there; ``fail`` names a failure;
    ``times`` limits how often the file counts (kept in FILE.count); ``http_backoff`` is the first wait
    between tries in seconds.
    """

    def __init__(self, path: Path | None, knobs: dict[str, Any]) -> None:
        self.path = path
        self.knobs = knobs

    @classmethod
    def find(cls, root: Path) -> Faults:
        """Read what STANDIN_FAULTS names, else PREFIX/standin-faults.json, else /etc/standin-faults.json."""
        named = os.environ.get("STANDIN_FAULTS")
        for path in [Path(named)] if named else [root / "standin-faults.json", WELL_KNOWN]:
            try:
                return cls(path, json.loads(path.read_text()))
            except FileNotFoundError:
                continue
        return cls(None, {})

    def at(self, point: str) -> bool:
        """Wait or die here when asked to; return whether the caller must fail here."""
        if self._matches("sleep_at", point):
            time.sleep(float(self.knobs.get("seconds", 5)))
        if self.kills(point):
            self.die()
        return self._matches("fail_at", point)

    def kills(self, point: str) -> bool:
        """Return whether the process must die at this point; counts as one use of the file."""
        return self._matches("kill_at", point)

    def die(self) -> None:
        """Send this process the signal that the file names, SIGKILL when it names none."""
        os.kill(os.getpid(), signal.Signals[f"SIG{self.knobs.get('signal', 'KILL')}"])

    def fails(self, kind: str) -> bool:
        """Return whether the failure of this kind was asked for."""
        return self.knobs.get("fail") == kind and self._spend()

    def http_backoff(self) -> float:
        """Return the seconds before the second try of a request; each further wait is twice as long."""
        return float(self.knobs.get("http_backoff", 1.9))

    def _matches(self, knob: str, point: str) -> bool:
        return self.knobs.get(knob) == point and self._spend()

    def _spend(self) -> bool:
        times = self.knobs.get("times")
        if times is None or self.path is None:
            return True
        counter = Path(f"{self.path}.count")
        used = int(counter.read_text()) if counter.exists() else 0
        if used >= int(times):
            return False
        counter.write_text(str(used + 1))
        return True
