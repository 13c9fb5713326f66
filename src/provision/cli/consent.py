"""Asks before secrets, large trees and large removals go out: once for all hosts, and remembered for the project."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.report.display import one_line
from provision.sync.guards import Answers, is_large, question_lines, removal_concern, secret_concern, size_concerns

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.model.sync import Question, SyncPlan
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
        agreeing: The command that agrees to everything, as it is to be typed.
    """

    def __init__(self, state: TreeState, ask: Callable[[str], str | None] | None, *, yes: bool, agreeing: str) -> None:
        self._state = state
        self._ask = ask
        self._yes = yes
        self._agreeing = agreeing
        self.refused: dict[str, tuple[Question, ...]] = {}
        """By host: what got no yes."""
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
            answers = self._known()
            lasting, removals = self._concerns(host, plan, scan, answers)
            concerns = [*lasting, *removals]
            self.refused.pop(host, None)
            if not concerns:
                return
            if not self._yes:
                self._settle(host, concerns, removes=bool(removals))
            for one in lasting:
                answers = one.agreed(answers)
            self._answers = answers
            if lasting:
                # Where it cannot be kept it is asked again: nothing worse than that.
                self._state.save_answers(answers.as_json())

    def foresee(self, host: str, plan: SyncPlan, scan: Scan) -> tuple[Question, ...]:
        """Return what `approve` would ask."""
        if self._yes:
            return ()
        with self._one_at_a_time:
            lasting, removals = self._concerns(host, plan, scan, self._known())
        return tuple(one.question() for one in (*lasting, *removals))

    def _concerns(self, host: str, plan: SyncPlan, scan: Scan, answers: Answers) -> tuple[list[Concern], list[Concern]]:
        """Return those whose answer is remembered, and those that are asked about each time."""
        removal = removal_concern(host, plan.removed, plan.files, plan.had)
        return self._lasting(plan, scan, answers), [removal] if removal is not None else []

    def _known(self) -> Answers:
        if self._answers is None:
            self._answers = Answers.of(self._state.answers())
        return self._answers

    @staticmethod
    def _lasting(plan: SyncPlan, scan: Scan, answers: Answers) -> list[Concern]:
        if not plan.sent:
            return []
        # Not before: most syncs send a file or two that need no look.
        import os

        from provision.tree.doubtful import doubtful

        found = []
        secrets = secret_concern(doubtful(scan, plan.sent), answers)
        if secrets is not None:
            found.append(secrets)
        if is_large(len(scan.paths), sum(scan.sizes)):
            sizes = {os.fsdecode(path): size for path, size in zip(scan.paths, scan.sizes, strict=True)}
            found += size_concerns(sizes, answers)
        return found

    def _settle(self, host: str, concerns: list[Concern], *, removes: bool) -> None:
        # Of removals it matters that they did not happen, of the rest that it did not leave this machine.
        what = f"nothing was changed on {host}" if removes else "nothing was sent"
        lines = [one_line(line) for line in question_lines(concerns)]
        text = "\n".join(lines)
        if self._refused == text:
            # Said for another host a moment ago.
            raise self._refusal(host, concerns, what, None)
        if self._ask is None:
            raise self._refusal(host, concerns, f"{what} without a yes", text)
        answer = (self._ask(f"{text}\n{QUESTION}") or "").strip().casefold()
        if answer not in {"y", "yes"}:
            self._refused = text
            raise self._refusal(host, concerns, what, None)

    def _refusal(self, host: str, concerns: list[Concern], what: str, text: str | None) -> UsageError:
        self.refused[host] = tuple(one.question() for one in concerns)
        said = "; ".join(one.says for one in concerns)
        does = {one.yes for one in concerns}
        then = does.pop() if len(does) == 1 else "goes on"
        return UsageError(f"{what}: {said}", hint=f"{self._agreeing}   ({then} all the same)", detail=text)
