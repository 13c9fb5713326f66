"""Which known pitfalls a failing output shows: pure, in a time that has a bound."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from provision.pitfalls.pattern import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.pitfalls.pitfall import Pitfall

TAIL = 128 * 1024
"""Characters at the end of an output that are searched: what failed speaks last."""
_OVERLAP = 200
_LONGEST_EVIDENCE = 300
_TRIED_AGAIN = re.compile(r"^WARNING: Retrying \(Retry\(total=[1-9].*$", re.MULTILINE)
"""pip's word on an attempt that it repeats; the last one, after which it gives up, has a total of 0."""
_COLOUR = re.compile(r"\x1b\[[0-9;?]{0,30}[A-Za-z]")
_LONG = re.compile(rf"[^\n]{{{LONGEST_LINE + 1},}}")


def match(text: str, known: Sequence[Pitfall], step: str = "") -> tuple[Pitfall, ...]:
    """Return the pitfalls that an output shows, in the order in which they are known: the most telling first.

    A pitfall that another one stands ``before`` is left out where that one is met as well.

    Args:
        text: The output; colours and carriage returns in it do not count.
        known: The pitfalls, the specific ones before the general ones.
        step: The name of the step that failed, where ``also`` is looked for too.
    """
    shown = _shown(text)
    met = [one for one in known if _is_met(one, shown, step)]
    covered = {below for one in met for below in one.before}
    return tuple(one for one in met if one.id not in covered)


def evidence(text: str, pitfall: Pitfall) -> str | None:
    """Return the last line that shows a pitfall, or ``None`` where no signature is found."""
    shown = _shown(text)
    last = max((end for one in pitfall.signatures if (end := _last(one, shown)) is not None), default=None)
    if last is None:
        return None
    return shown[shown.rfind("\n", 0, last) + 1 :].split("\n", 1)[0].strip()[:_LONGEST_EVIDENCE]


def _last(signature: str, shown: str) -> int | None:
    return max((found.start() for found in _compiled(signature).finditer(shown)), default=None)


def _is_met(pitfall: Pitfall, shown: str, step: str) -> bool:
    if not any(_compiled(one).search(shown) for one in pitfall.signatures):
        return False
    return pitfall.also is None or any(_compiled(pitfall.also).search(one) for one in (shown, step))


@lru_cache(maxsize=2048)
def _compiled(signature: str) -> re.Pattern[str]:
    return re.compile(signature, re.MULTILINE)


def _shown(text: str) -> str:
    """Return the end of an output as it stands on a screen, its long lines in overlapping pieces."""
    plain = _COLOUR.sub("", text[-TAIL:]).replace("\r\n", "\n").replace("\r", "\n")
    return _LONG.sub(_pieces, _TRIED_AGAIN.sub("", plain))


def _pieces(line: re.Match[str]) -> str:
    whole = line.group()
    stride = LONGEST_LINE - _OVERLAP
    return "\n".join(whole[start : start + LONGEST_LINE] for start in range(0, len(whole) - _OVERLAP, stride))
