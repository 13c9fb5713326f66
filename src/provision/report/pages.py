"""The page of a finding's code: what it means, why it matters, what to do; in English and in Chinese."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("en", "zh")
_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*")
_WHY = {"en": "Why it matters", "zh": "为什么重要"}
_SENTENCE = {"en": re.compile(r"(.+?[.!?])(?:\s|\Z)", re.DOTALL), "zh": re.compile(r"(.+?[。！？])", re.DOTALL)}


@dataclass(frozen=True, slots=True)
class Page:
    """What is written of one code."""

    code: str
    title: str
    """What is wrong, in one line."""
    why: str
    """What it means for a training run, in one sentence."""
    text: str
    """The whole page, in Markdown."""


def pages_folder() -> Path:
    """Return the folder of the pages that come with provision: in the wheel, or in the repository."""
    package = Path(__file__).parent.parent
    inside = package / "findings"
    return inside if inside.is_dir() else package.parent.parent / "docs" / "findings"


def known_codes() -> tuple[str, ...]:
    """Return every code that has a page."""
    return tuple(sorted(one.stem for one in (pages_folder() / "en").glob("*.md") if _CODE.fullmatch(one.stem)))


def chosen_language(environ: Mapping[str, str]) -> str:
    """Return the language that the user's locale asks for: Chinese, or English for any other."""
    locale = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def explain(code: str, language: str) -> Page:
    """Return the page of a code, however it was typed.

    Raises:
        UsageError: there is no such code.
    """
    wanted = code.strip().upper().replace("_", "-")
    found = _page(wanted, language) if _CODE.fullmatch(wanted) else None
    if found is None:
        from provision.decode.near import suggestion
        from provision.report.display import visible

        raise UsageError(
            f"there is no finding '{visible(code[:60])}'{suggestion(wanted, known_codes())}",
            hint="codes stand at the beginning of each finding, such as GPU-DRIVER-OLD",
        )
    return found


def why(code: str) -> str | None:
    """Return why a finding matters, in one English sentence; ``None`` where the code has no page."""
    found = _page(code, "en") if _CODE.fullmatch(code) else None
    return found.why if found is not None else None


@lru_cache
def _page(code: str, language: str) -> Page | None:
    try:
        text = (pages_folder() / language / f"{code}.md").read_text(encoding="utf-8")
    except OSError:
        return None
    title = text.partition("\n")[0].lstrip("# ").partition(":")[2].strip()
    section = text.partition(f"## {_WHY[language]}")[2].partition("\n## ")[0].strip()
    sentence = _SENTENCE[language].match(section)
    return Page(code, title, " ".join((sentence[1] if sentence else section).split()), text)
