"""What a scheduled run tells somebody: each thing once, however many runs meet it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from provision.project import Project


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell."""

    kind: str
    """failure, recovery, drift or changed-files."""
    host: str | None
    text: str
    key: str
    """The same for the same thing: whoever sends it may leave out what was told already."""


def announce(
    notices: Iterable[Told],
    environ: Mapping[str, str],
    project: Project | None,
    say: Callable[[str], None],
    hidden: Sequence[str] = (),
) -> None:
    """Write notices into the run's log, and send them where channels are set up; that never fails the run.

    Args:
        notices: What to tell.
        environ: The variables of the run.
        project: Whose provision.yaml names the channels.
        say: Writes a line into the log.
        hidden: Texts that must not be sent.
    """
    told = list(notices)
    for one in told:
        where = f"{one_line(one.host)}: " if one.host else ""
        say(f"notice: {one.kind}: {where}{one_line(one.text)}")
    if not told or project is None or not project.notify:
        return
    from provision.notify.message import Notice
    from provision.notify.sending import tell

    try:
        failed = tell(environ, project, [Notice(one.kind, one.host, one.text, one.key) for one in told], hidden=hidden)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run has done its work
        failed = [str(error)]
    for line in failed:
        say(f"note: not told: {one_line(line)}")
