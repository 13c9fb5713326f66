"""Asks before secrets, large trees and large removals go out: once for all hosts, and remembered for the project."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.report.display import one_line
from provision.sync.guards import Answers, question_lines, removal_concern, secret_concern, size_concerns

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.model.sync import SyncPlan
    from provision.sync.guards import Concern
    from provision.tree.listing import Scan
    from provision.tree.state import TreeState

QUESTION = "go on all the same? [y/N] "


class Consent:
    """The answers of one run.

    Args:
        state: Remembers what was agreed to.
        ask: Asks at the terminal; ``None`` where nobody can be asked.
        yes: Everything is agreed to, for this run.
    """

    def __init__(self, state: TreeState, ask: Callable[[str], str | None] | None, *, yes: bool) -> None:
        self._state = state
        self._ask = ask
        self._yes = yes
        self._one_at_a_time = threading.Lock()
        self._answers: Answers | None = None
        self._refused: str | None = None

    def approve(self, host: str, plan: SyncPlan, scan: Scan) -> None:
        """Return where the plan may be carried out.

        Raises:
            UsageError: the user said no, or nobody can be asked.
            InterruptedRunError: the run was stopped instead.
        """
        with self._one_at_a_time:
            if self._answers is None:
                self._answers = Answers.of(self._state.answers())
            lasting = self._lasting(plan, scan)
            removal = removal_concern(host, plan.removed, plan.files, plan.had)
            concerns = [*lasting, *([removal] if removal is not None else [])]
            if not concerns:
                return
            if not self._yes:
                self._settle(concerns)
            for one in lasting:
                self._answers = one.agreed(self._answers)
            if lasting:
                # Where it cannot be kept it is asked again: nothing worse than that.
                self._state.save_answers(self._answers.as_json())

    def _lasting(self, plan: SyncPlan, scan: Scan) -> list[Concern]:
        assert self._answers is not None  # noqa: S101 - read by who calls
        if not plan.sent:
            return []
        # Not before: most syncs send a file or two that need no look.
        import os

        from provision.tree.doubtful import doubtful

        found = []
        secrets = secret_concern(doubtful(scan, plan.sent), self._answers)
        if secrets is not None:
            found.append(secrets)
        sizes = {os.fsdecode(path): size for path, size in zip(scan.paths, scan.sizes, strict=True)}
        return [*found, *size_concerns(sizes, self._answers)]

    def _settle(self, concerns: list[Concern]) -> None:
        lines = [one_line(line) for line in question_lines(concerns)]
        text = "\n".join(lines)
        if self._refused == text:
            # Said for another host a moment ago.
            raise _refusal(concerns, "nothing was sent", None)
        if self._ask is None:
            raise _refusal(concerns, "nothing was sent without a yes", text)
        answer = (self._ask(f"{text}\n{QUESTION}") or "").strip().casefold()
        if answer not in {"y", "yes"}:
            self._refused = text
            raise _refusal(concerns, "nothing was sent", None)


def _refusal(concerns: list[Concern], what: str, text: str | None) -> UsageError:
    said = "; ".join(one.says for one in concerns)
    return UsageError(f"{what}: {said}", hint="provision sync --yes   (sends them all the same)", detail=text)
