"""What a scheduled run tells somebody: each thing once, however many runs meet it."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SENDING = "provision.notify.sending"


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell."""

    kind: str
    """failure, recovery, drift or changed-files."""
    host: str | None
    text: str
    key: str
    """The same for the same thing: whoever sends it may leave out what was told already."""


def announce(notices: Iterable[Told], environ: Mapping[str, str], project: object, say: Callable[[str], None]) -> None:
    """Write notices into the run's log, and send them where notices are set up; that never fails the run."""
    send = _sender()
    for one in notices:
        where = f"{one_line(one.host)}: " if one.host else ""
        say(f"notice: {one.kind}: {where}{one_line(one.text)}")
        if send is None:
            continue
        try:
            send(environ, project, one.kind, one.host, one.text, one.key)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has done its work
            say(f"note: the notice was not sent: {one_line(str(error))}")


def _sender() -> Callable[..., object] | None:
    try:
        if importlib.util.find_spec(SENDING) is None:
            return None
    except ModuleNotFoundError:
        return None
    found: Callable[..., object] = importlib.import_module(SENDING).notify
    return found
