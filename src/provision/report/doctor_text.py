"""What the doctor found, as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.report.amounts import counted
from provision.report.display import one_line
from provision.venv.remark import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.report.style import Style
    from provision.venv.remark import Section

_WIDTH = max(len(one.value) for one in Level)


def section_lines(section: Section, style: Style) -> Iterator[str]:
    """Yield a heading and a line for each remark, what to do below it; nothing where nothing was found."""
    if not section.remarks:
        return
    yield style.bold(one_line(section.title))
    for one in section.remarks:
        word = one.level.value.ljust(_WIDTH)
        coloured = {Level.OK: style.green, Level.ADVICE: style.yellow, Level.PROBLEM: style.red}[one.level](word)
        yield f"  {coloured}  {one_line(one.text)}"
        if one.fix:
            yield f"  {' ' * _WIDTH}  -> {one_line(one.fix)}"


def total(sections: Iterable[Section]) -> str:
    """Return how much was found."""
    levels = [one.level for section in sections for one in section.remarks]
    problems, advice = levels.count(Level.PROBLEM), levels.count(Level.ADVICE)
    if not problems and not advice:
        return "all is well"
    return f"{counted(problems, 'problem')}, {counted(advice, 'suggestion')}"
