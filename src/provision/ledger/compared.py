"""What is another on a host than at the run before: its facts, and its generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.ledger.rows import BUILT, CURRENT, KEPT, REMOVED, ROLLED_BACK, FactChanged, GenerationSeen
from provision.ledger.summary import COMPARED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provision.model.facts import EnvironmentFacts

VERDICT = "verdict"


def changed_facts(
    run: str, host: str, at: float, before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[FactChanged]:
    """Yield each fact that is another; of the verdict only whether the host is fit."""
    for name in COMPARED:
        old, new = before.get(name), after.get(name)
        # Another generation has other packages: said once.
        follows = name == "packages_digest" and before.get("generation") != after.get("generation")
        if old != new and not follows:
            yield FactChanged(run, host, at, name, _text(old), _text(new))
    old_word, new_word = (_word(one.get(VERDICT)) for one in (before, after))
    if old_word and new_word and old_word != new_word:
        yield FactChanged(run, host, at, VERDICT, old_word, new_word)


def seen_generations(
    run: str, host: str, at: float, known: Sequence[GenerationSeen], environments: Iterable[EnvironmentFacts]
) -> Iterator[GenerationSeen]:
    """Yield what became of a host's generations.

    Args:
        run: The run that looked.
        host: Where.
        at: When.
        known: What the ledger has of the host, the oldest first.
        environments: What is there now; of an environment that is gone altogether, nothing is said.
    """
    for environment in environments:
        name = f"{environment.project}/{environment.name}"
        before = [one for one in known if one.environment == name]
        there = {one.generation for one in before if one.event == BUILT}
        there -= {one.generation for one in before if one.event == REMOVED and not _built_since(one, before)}
        now = {one.name: one for one in environment.generations if one.marker is not None}
        for each in now.values():
            if each.name not in there:
                yield GenerationSeen(run, host, _built(each.marker, at), name, each.name, each.packages, BUILT)
        for gone in sorted(there - set(now)):
            yield GenerationSeen(run, host, at, name, gone, None, REMOVED)
        current = environment.find(environment.current)
        last = next((one for one in reversed(before) if one.event in {CURRENT, ROLLED_BACK}), None)
        if current is not None and (last is None or last.generation != current.name):
            back = last is not None and last.generation in now and current.counter < now[last.generation].counter
            event = ROLLED_BACK if back else CURRENT
            yield GenerationSeen(run, host, at, name, current.name, current.packages, event)


def _built_since(gone: GenerationSeen, known: Sequence[GenerationSeen]) -> bool:
    return any(one.event == BUILT and one.generation == gone.generation and one.at > gone.at for one in known)


def _built(marker: Mapping[str, object] | None, at: float) -> float:
    """Return when it was built, by the host's clock; what is too old to be kept, and what is to come, is of now."""
    built = (marker or {}).get("built")
    return float(built) if isinstance(built, (int, float)) and at - KEPT < built <= at else at


def _word(verdict: object) -> str:
    return verdict.partition(":")[0] if isinstance(verdict, str) else ""


def _text(value: object) -> str | None:
    return None if value is None else str(value)
