"""The project's imports judged against what its files ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from provision.venv.names import same_thing
from provision.venv.remark import Remark, advice, ok, problem, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.environment.listing import Listing
    from provision.venv.imports import Import, Source
    from provision.venv.modules import Modules


@dataclass(frozen=True, slots=True)
class Files:
    """What the project's files ask for: a name such as requirements.txt, and its distributions."""

    asked: Mapping[str, frozenset[str]]

    def all(self) -> frozenset[str]:
        """Return every distribution that any of them names."""
        return frozenset(name for names in self.asked.values() for name in names)


def judge_source(source: Source, files: Files, modules: Modules, listing: Listing | None) -> Iterator[Remark]:
    """Yield the imports that no file asks for, and those that only one of the files knows."""
    if not source.files:
        return
    yield from (advice("source-unread", one) for one in source.problems)
    declared = {same_thing(one) for one in files.all()}
    brought = {same_thing(one) for one in modules.needed_by(files.all())}
    here: set[str] = {canonicalize_name(one.name) for one in listing.pip} if listing is not None else set()
    lone: list[str] = []
    indirect: list[str] = []
    aside: list[str] = []
    for one in source.imports:
        names = modules.brought_by(one.module)
        things = {same_thing(name) for name in names}
        if things & declared:
            continue
        if things & brought:
            indirect.append(_shown(one, names, here))
        else:
            (aside if one.aside else lone).append(_shown(one, names, here))
    where = " or ".join(files.asked) or "requirements.txt"
    if lone:
        text = f"imported, and nothing asks for it: {some(lone)}"
        yield problem("imports-undeclared", text, f"name it in {where}: on a host it will not be there", tuple(lone))
    if indirect:
        text = f"imported, and there only because another package needs it: {some(indirect)}"
        yield advice("imports-indirect", text, f"name it in {where}", tuple(indirect))
    if aside:
        text = f"imported by tests or tools, and nothing asks for it: {some(aside)}"
        yield advice("imports-aside", text, names=tuple(aside))
    yield from _known_to_one(source, files, modules)
    if not lone and not indirect:
        yield ok("imports", f"everything that {source.files} Python files import is asked for")


def _known_to_one(source: Source, files: Files, modules: Modules) -> Iterator[Remark]:
    """Yield imports that one file asks for and another does not."""
    if len(files.asked) < 2:  # noqa: PLR2004 - two to differ
        return
    every = {same_thing(one) for one in files.all()}
    for name, asked in files.asked.items():
        known = {same_thing(one) for one in modules.needed_by(asked)}
        lacking = tuple(
            f"{one.module} ({one.where})"
            for one in source.imports
            if not one.aside
            and (things := {same_thing(one) for one in modules.brought_by(one.module)}) & every
            and not things & known
        )
        if lacking:
            text = f"imported, and not asked for by {name}: {some(lacking)}"
            yield advice("imports-one-sided", text, f"add it to {name}, where it is to run with it", lacking)


def _shown(one: Import, names: tuple[str, ...], here: set[str]) -> str:
    installed = [name for name in names if name in here]
    name = installed[0] if installed else names[0]
    called = "" if name.replace("-", "_") == one.module else f", of {name}"
    return f"{one.module} ({one.where}{called})"
