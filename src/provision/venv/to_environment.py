"""environment.yml made from requirements.txt: system libraries in conda's list, everything else left to pip."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from provision.environment.matchspec import parse
from provision.environment.requirement import PipLine, requirements
from provision.environment.writer import HEAD, NewEnvironment, PythonChoice, new_environment
from provision.venv.belonging import CONDA_ONLY, RULE, belongs_to_conda, wheel_of_cuda
from provision.venv.versions import to_conda

if TYPE_CHECKING:
    from pathlib import Path

_ITEM = "      - "
_LINE = re.compile(r'      - (?P<text>"(?:[^"\\]|\\.)*"|\S+)(?P<comment>  # .*)?')
_HOST = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "sys_platform": "linux",
}
"""What a host is, for the condition behind a line's semicolon."""


class _Moved(NamedTuple):
    line: str
    note: str


def environment_from(path: Path, name: str) -> NewEnvironment:
    """Return the environment.yml that stands for a requirements file, its system libraries in conda's list.

    Raises:
        BadFileError: the file cannot be read, or asks for nothing.
    """
    made = new_environment(path, name)
    lines = made.text.removeprefix(HEAD).splitlines()
    begin = lines.index("  - pip:")
    # Who wrote an earlier version of it is no comment to keep.
    body = [one for one in lines[begin + 1 :] if not one.startswith("      # Written by `provision init`")]
    head, before = lines[: begin - 2], lines[begin - 2]
    torch = any(_name(one) == "torch" for one in body)
    conda, pip, notes = [before], [], list(made.notes)
    for line in body:
        kept = _kept(line)
        moved = None if kept else _moved(line, made.python.version, torch=torch)
        if kept is not None:
            # The Python that hosts had is the one that they keep.
            conda = [kept, *conda[1:]] if _is_python(kept) else [*conda, kept]
        elif moved is None:
            pip.append(line)
        else:
            (conda if moved.line.startswith("  - ") else pip).append(moved.line)
            notes.append(moved.note)
    while pip and not pip[0]:
        pip.pop(0)
    if any(one.startswith(_ITEM) for one in pip):
        rest = [*lines[begin - 1 : begin + 1], *pip]
    else:
        # Comments may stay alone: nothing asks for pip any more.
        rest = [one[4:] for one in pip if one.strip()]
    first = f"# Written by `provision init` from {path.name}. {RULE[0].upper()}{RULE[1:]}.\n\n"
    python = made.python if conda[0] == before else PythonChoice(_version(conda[0]), path.name)
    return NewEnvironment(first + "\n".join((*head, *conda, *rest)) + "\n", python, tuple(notes))


def _kept(line: str) -> str | None:
    """Return the dependency of conda's that a comment of a requirements.txt of ours keeps."""
    found = re.fullmatch(rf"      # {CONDA_ONLY}(?P<spec>[^#]*?)(?P<comment>\s+#.*)?", line)
    if found is None:
        return None
    try:
        parse(found["spec"])
    except ValueError:
        return None
    comment = " ".join((found["comment"] or "").split())
    return f"  - {_scalar(found['spec'])}" + (f"  {comment}" if comment else "")


def _is_python(line: str) -> bool:
    return re.match(r'  - "?python\b(?![\w-])', line) is not None


def _version(line: str) -> str:
    found = re.search(r"3\.\d+", line)
    return found[0] if found else "3"


def _requirement(line: str) -> tuple[PipLine | None, str]:
    """Return the requirement that a line of the pip section is, and the comment behind it."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None, ""
    text = found["text"]
    try:
        one = requirements([json.loads(text) if text.startswith('"') else text])
    except ValueError:
        return None, ""
    return (one[0] if one else None), found["comment"] or ""


def _name(line: str) -> str | None:
    one, _ = _requirement(line)
    return one.name if one is not None else None


def _moved(line: str, python: str, *, torch: bool) -> _Moved | None:
    """Return what becomes of a line that belongs to conda; ``None``: it stays with pip."""
    one, comment = _requirement(line)
    belonging = belongs_to_conda(one.name) if one is not None and one.name is not None else None
    if one is None or one.name is None or belonging is None or one.requirement is None or one.requirement.url:
        return None
    said = comment.removeprefix("  # ")
    behind = f": {said}" if said else ""
    if torch and wheel_of_cuda(one.name):
        why = "torch brings the CUDA libraries that it was built for"
        return _Moved(f"      # left out, {why}: {one.text}{behind}", f"{one.text}: left out: {why}")
    if belonging.conda is None:
        return _Moved(
            f"      # left out, {belonging.reason}: {one.text}{behind}",
            f"{one.text}: left out, without a package of conda's that is known",
        )
    if not one.applies(
        {
            **_HOST,
            "python_version": python,
            "python_full_version": f"{python}.0",
            "implementation_version": f"{python}.0",
        }
    ):
        return _Moved(
            f"      # left out, not for Linux hosts: {one.text}{behind}", f"{one.text}: left out: not for Linux hosts"
        )
    spec = to_conda(belonging.conda, one.requirement.specifier)
    what = "" if canonicalize_name(belonging.conda) == one.name else f" as {belonging.conda}"
    return _Moved(f"  - {_scalar(spec)}{comment}", f"{one.text}: moved to conda{what}: {belonging.reason}")


def _scalar(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z][\w.-]*([=<>!~]+[\w.*]+)?", text) else json.dumps(text)
