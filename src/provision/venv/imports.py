"""What the project's own source imports, by its syntax alone: nothing is imported or run."""

from __future__ import annotations

import ast
import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path, PurePath

MOST_FILES = 20_000
_LARGEST = 4 << 20
_PROBLEMS = 20
_ASIDE = frozenset(
    {"test", "tests", "testing", "doc", "docs", "example", "examples", "bench", "benchmarks", "notebooks"}
)
_ASIDE_FILES = frozenset({"setup.py", "conftest.py", "noxfile.py", "tasks.py", "dodo.py"})


@dataclass(frozen=True, slots=True)
class Import:
    """A module that the source needs, by its first name."""

    module: str
    where: str
    """``train.py:3``, the first place."""
    aside: bool
    """Only tests, documentation or tools import it: jobs do without."""


@dataclass(frozen=True, slots=True)
class Source:
    """What all files of a project import."""

    imports: tuple[Import, ...] = ()
    """Neither the standard library's modules nor the project's own; one for each module, by name."""
    files: int = 0
    problems: tuple[str, ...] = ()
    """Files that could not be read or are no Python, a line each."""


@dataclass
class _Found:
    places: dict[str, tuple[str, bool]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_source(root: Path, files: Iterable[PurePath]) -> Source:
    """Return what Python files of a project import; those below root that are named, relative to it."""
    paths = sorted(files)[:MOST_FILES]
    own = _own_modules(paths)
    found = _Found()
    for path in paths:
        tree = _parsed(root, path, found.problems)
        if tree is None:
            continue
        near = {str(one) for one in (*path.parents,)}
        for module, line in sorted(_needed(tree), key=lambda one: one[1]):
            if module in sys.stdlib_module_names or own.get(module, frozenset()) & near:
                continue
            aside = _is_aside(path)
            known = found.places.get(module)
            if known is None or (known[1] and not aside):
                found.places[module] = (f"{path}:{line}", aside)
    imports = (Import(name, where, aside) for name, (where, aside) in sorted(found.places.items()))
    return Source(tuple(imports), len(paths), tuple(found.problems[:_PROBLEMS]))


def _own_modules(paths: Iterable[PurePath]) -> dict[str, frozenset[str]]:
    """Return each module or package of the project with the folders from which it is found.

    A script finds what lies beside it; packages are found from the root and from below src/.
    """
    found: dict[str, set[str]] = {}
    for path in paths:
        found.setdefault(path.stem, set()).add(str(path.parent))
        for folder in path.parents:
            if folder.name:
                found.setdefault(folder.name, set()).add(str(folder.parent))
    for places in found.values():
        if any(one == "src" or one.endswith("/src") for one in places):
            places.add(".")
    return {name: frozenset(places) for name, places in found.items()}


def _is_aside(path: PurePath) -> bool:
    return (
        bool(_ASIDE & set(path.parts[:-1])) or path.name in _ASIDE_FILES or path.name.startswith(("test_", "conftest"))
    )


def _parsed(root: Path, path: PurePath, problems: list[str]) -> ast.Module | None:
    try:
        with (root / path).open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            problems.append(f"{path}: larger than {_LARGEST >> 20} MiB, it is not looked at")
            return None
        with warnings.catch_warnings():
            # A doubtful escape in somebody's string is not what is asked here.
            warnings.simplefilter("ignore")
            return ast.parse(content, str(path))
    except SyntaxError as error:
        problems.append(f"{path}:{error.lineno or 1}: {error.msg}: it is not looked at")
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        problems.append(f"{path}: {error or type(error).__name__}: it is not looked at")
    return None


def _needed(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield first name and line of each import that must succeed.

    One whose failure is caught, or that only a type checker sees, is not needed.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((one.name.partition(".")[0], node.lineno) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield node.module.partition(".")[0], node.lineno
        elif isinstance(node, ast.Try) and any(_catches(one) for one in node.handlers):
            # What stands in for it is tried because it may be missing too.
            waiting.extend((*node.orelse, *node.finalbody))
        elif isinstance(node, ast.If) and _for_types(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {getattr(one, "id", None) or getattr(one, "attr", None) for one in kinds}
    return handler.type is None or bool(names & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def _for_types(test: ast.expr) -> bool:
    return (getattr(test, "id", None) or getattr(test, "attr", None)) == "TYPE_CHECKING"
