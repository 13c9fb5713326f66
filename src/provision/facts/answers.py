"""What another maker's tool answered: its lines, its exit code, and the JSON in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.facts.lines import document

if TYPE_CHECKING:
    from provision.facts.lines import Lines
    from provision.model.facts import Gpu, GpuProcess, OtherVendor

HUNG = 124
"""The exit code that stands for a call that had to be ended."""
UNFINISHED = 255
"""The exit code that stands for an answer without its end."""
_KILLED = 137
_EXIT = re.compile(r"exit=([0-9]{1,3})")
_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question."""

    lines: tuple[str, ...]
    code: int | None
    """``None``: it was not asked, or the answer has no end."""

    @property
    def message(self) -> str | None:
        """What was said, for a person; at most a few lines."""
        said = [line.strip() for line in self.lines if line.strip()]
        return "\n".join(said[:10])[:_MESSAGE_LENGTH] or None

    @property
    def failure(self) -> str:
        """How it went wrong, in a few words."""
        if self.code is None:
            return "no answer"
        first = (self.message or "nothing was printed").splitlines()[0]
        return "no answer in time" if self.code == HUNG else f"exit code {self.code}: {first[:160]}"


@dataclass(frozen=True, slots=True)
class Found:
    """What one maker's tool tells of a host."""

    vendor: OtherVendor
    gpus: tuple[Gpu, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    problems: tuple[str, ...] = ()


def answer(lines: Lines, key: str) -> Answer:
    """Return what was printed under a key, without the empty lines."""
    texts = lines.all(key)
    if not texts or not (match := _EXIT.fullmatch(texts[-1])):
        return Answer(tuple(text for text in texts if text.strip()), None)
    code = int(match[1])
    return Answer(tuple(text for text in texts[:-1] if text.strip()), HUNG if code == _KILLED else code)


def main_code(lines: Lines, key: str) -> int:
    """Return the exit code of a tool's main question, with numbers of ours where it has none."""
    code = answer(lines, key).code
    if code is not None:
        return code
    return UNFINISHED if lines.all(key) else HUNG


def document_in(found: Answer) -> dict[str, Any] | None:
    """Return the JSON in an answer, between warnings that were printed around it; ``None``: there is none.

    A list, as amd-smi printed it before ROCm 7, comes below the name that later versions give it.
    """
    opening = [place for place, line in enumerate(found.lines) if line.lstrip().startswith(("{", "["))]
    closing = [place for place, line in enumerate(found.lines) if line.rstrip().endswith(("}", "]"))]
    if not opening or not closing:
        return None
    text = "\n".join(found.lines[opening[0] : closing[-1] + 1]).strip()
    try:
        return document(text if text.startswith("{") else f'{{"gpu_data": {text}}}')
    except ValueError:
        return None
