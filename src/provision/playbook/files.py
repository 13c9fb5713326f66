"""Playbooks: where they are found, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provision.decode import Document, load, parse, printable
from provision.decode.document import shown_path
from provision.decode.near import near_match, suggestion
from provision.decode.nodes import Mapping, Node, Scalar, Sequence
from provision.errors import BadFileError, UsageError
from provision.playbook.options import (
    BARE_TASKS,
    TASKS,
    FileOptions,
    FilesOptions,
    MinicondaOptions,
    Options,
    PackagesOptions,
)

_MOST_TASKS = 200


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One task as the playbook says it."""

    kind: str
    """``miniconda``, ``environment``, ``gpu``, ``packages``, ``files`` or ``command``."""
    options: Options
    line: int


@dataclass(frozen=True, slots=True)
class Playbook:
    """An ordered list of tasks: what a host should be."""

    name: str
    tasks: tuple[TaskEntry, ...]
    path: Path | None = None
    origin: str = "shipped"
    """``path`` (given as one), ``project`` or ``shipped``."""

    @property
    def shown(self) -> str:
        """The playbook as a person reads it: ``gpu (shipped)``."""
        where = shown_path(self.path) if self.path is not None and self.origin != "shipped" else self.origin
        return f"{self.name} ({where})"


def shipped_folder() -> Path:
    """Return the folder of the playbooks that come with provision: in the wheel, or in the repository."""
    package = Path(__file__).parent.parent
    inside = package / "playbooks"
    return inside if inside.is_dir() else package.parent.parent / "playbooks"


def find_playbook(name: str, root: Path | None, folder: Path | None = None) -> tuple[Path, str]:
    """Return the file of a playbook, and where it was found: ``path``, ``project`` or ``shipped``.

    A name with a slash or an ending is a path, seen from ``folder`` (the working folder without one); any
    other name is looked for in the project's ``playbooks/`` first.

    Raises:
        UsageError: there is no such playbook.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        path = (folder or Path.cwd()) / Path(name).expanduser()
        if not path.exists():
            raise UsageError(f"{printable(name)}: no such playbook")
        return path, "path"
    shipped = shipped_folder()
    places = [(root / "playbooks", "project")] if root is not None else []
    known: list[str] = []
    for place, origin in [*places, (shipped, "shipped")]:
        for ending in (".yaml", ".yml"):
            if (place / (name + ending)).is_file():
                return place / (name + ending), origin
        known += sorted(one.stem for one in place.glob("*.y*ml")) if place.is_dir() else []
    near = near_match(name, known)
    hint = f", did you mean '{near}'?" if near else f", expected a path or one of {', '.join(dict.fromkeys(known))}"
    raise UsageError(f"'{printable(name)}' is no playbook{hint}")


def load_playbook(name: str, root: Path | None, folder: Path | None = None) -> Playbook:
    """Return the playbook of that name or path; see `find_playbook`.

    Raises:
        UsageError: there is no such playbook.
        BadFileError: its file cannot be taken.
    """
    path, origin = find_playbook(name, root, folder)
    return _playbook(load(path), path, origin)


def parse_playbook(text: str | bytes, source: str = "playbook.yaml") -> Playbook:
    """Return the playbook that a text holds; ``source`` names it in errors.

    Raises:
        BadFileError: the text cannot be taken.
    """
    return _playbook(parse(text, source), None, "path")


def _playbook(document: Document, path: Path | None, origin: str) -> Playbook:
    root = document.root
    if not isinstance(root, Mapping):
        raise BadFileError(f"{document.source}:{root.line}: expected a playbook: a mapping with 'name' and 'tasks'")
    for key, _ in root.items:
        if key.text not in ("name", "tasks"):
            document.problem(
                (key.text,),
                f"unknown key{suggestion(key.text, ('name', 'tasks')) or ', expected name or tasks'}",
            )
    name = document.attempt(str, ("name",)) if root.get("name") is not None else None
    tasks = root.get("tasks")
    entries: list[TaskEntry] = []
    if not isinstance(tasks, Sequence) or not tasks.items:
        place: tuple[str, ...] = ("tasks",) if tasks is not None else ()
        document.problem(
            place,
            "expected a list of tasks" if tasks is not None else "'tasks' is missing, expected a list of tasks",
        )
    elif len(tasks.items) > _MOST_TASKS:
        document.problem(("tasks",), f"{len(tasks.items)} tasks, expected {_MOST_TASKS} at most")
    else:
        for index, _ in enumerate(tasks.items):
            entry = _task(document, ("tasks", index))
            if entry is not None:
                entries.append(entry)
        _check_order(document, entries)
    document.check()
    return Playbook(name or (path.stem if path else "playbook"), tuple(entries), path, origin)


def _task(document: Document, place: tuple[str | int, ...]) -> TaskEntry | None:
    node = document.find(place)
    known = ", ".join(TASKS)
    if isinstance(node, Scalar) and not node.empty:
        kind, below = node.text, place
    elif isinstance(node, Mapping) and len(node.items) == 1:
        kind = node.items[0][0].text
        below = (*place, kind)
    else:
        document.problem(place, _instead(node, known))
        return None
    if kind not in TASKS:
        document.problem(
            below, f"'{printable(kind)}' is no task{suggestion(kind, TASKS) or ', expected one of ' + known}"
        )
        return None
    options = _options(document, kind, below, bare=isinstance(node, Scalar))
    if options is None or not _judge(document, below, options):
        return None
    return TaskEntry(kind, options, node.line)


def _options(document: Document, kind: str, place: tuple[str | int, ...], *, bare: bool) -> Options | None:
    if bare:
        if kind in BARE_TASKS:
            return BARE_TASKS[kind]()
        document.problem(place, f"'{kind}' says nothing about what to do, expected '{kind}: ...'")
        return None
    if kind == "files":
        files = document.attempt(tuple[FileOptions, ...], place)
        return None if files is None else FilesOptions(files)
    return document.attempt(TASKS[kind], place)


def _instead(node: Node, known: str) -> str:
    """Say what stands where one task is expected."""
    if isinstance(node, Mapping) and len(node.items) > 1:
        inner = node.items[1][0].text
        if inner in TASKS:
            return f"two tasks in one list item: '{inner}' needs a '-' of its own"
        return f"'{printable(inner)}' stands beside the task's name, expected below it: indent it further"
    seen = "nothing" if isinstance(node, Scalar) or not node.items else "a list"
    return f"{seen}, expected a task: one of {known}"


def _judge(document: Document, place: tuple[str | int, ...], options: Options) -> bool:
    """Note what is wrong between the options of one task."""
    before = len(document.problems)
    if isinstance(options, MinicondaOptions):
        if options.installer is not None and options.version is not None:
            document.problem((*place, "installer"), "stands beside 'version': an installer has one already, remove one")
        if options.sha256 is not None and options.installer is None and options.version is None:
            document.problem((*place, "sha256"), "is of no file: name it with 'installer' or 'version'")
        if options.installer is not None and options.installer.startswith("http://") and options.sha256 is None:
            document.problem((*place, "installer"), "comes over http: give its 'sha256' too")
    elif isinstance(options, PackagesOptions):
        if not (options.names or options.apt or options.dnf or options.yum):
            document.problem(place, "names no packages, expected 'names', 'apt' or 'dnf' with a list")
    elif isinstance(options, FilesOptions):
        _judge_files(document, place, options)
    return len(document.problems) == before


def _judge_files(document: Document, place: tuple[str | int, ...], options: FilesOptions) -> None:
    if not options.files:
        document.problem(place, "empty, expected a list of files")
    seen: set[str] = set()
    for index, one in enumerate(options.files):
        if (one.content is None) == (one.source is None):
            document.problem((*place, index), "expected either 'content' or 'source'")
        if one.path in seen:
            document.problem((*place, index, "path"), f"'{printable(one.path)}' stands twice in this list")
        seen.add(one.path)


def _check_order(document: Document, entries: list[TaskEntry]) -> None:
    """Note tasks that stand twice, or before what they need."""
    first: dict[str, TaskEntry] = {}
    for entry in entries:
        again = first.get(entry.kind)
        if again is not None and entry.kind in ("miniconda", "gpu"):
            document.note(
                entry.line, ("tasks",), f"'{entry.kind}' stands twice, first in line {again.line}: remove one"
            )
        if entry.kind == "environment" and "miniconda" not in first and any(one.kind == "miniconda" for one in entries):
            document.note(entry.line, ("tasks",), "'environment' stands before 'miniconda', which it needs: swap them")
        first.setdefault(entry.kind, entry)
