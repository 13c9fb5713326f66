"""What git says of a project: which files are its, what it ignores and why, and at which commit it is."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

from provision.errors import UsageError

_KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "GIT_EXEC_PATH")
_KEPT_FAMILIES = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
"""The user's settings stay; what a hook or a script says of another repository does not."""

_AT_ONCE = 20
"""Paths on one command line: 4 KiB each at most, 128 KiB in all."""


class GitState(NamedTuple):
    """Where a work tree is."""

    commit: str | None
    """``None`` before the first one, and outside git."""
    branch: str | None
    """``None`` when detached."""
    dirty: bool | None
    """Whether the project differs from the commit, new files included."""


class Listing(subprocess.Popen[bytes]):
    """A git that runs while we do something else."""


def in_work_tree(root: bytes) -> bool:
    """Return whether a folder is in a git work tree: whether it or one above has a .git that is no empty folder."""
    folder = root
    while True:
        place = os.path.join(folder, b".git")
        if os.path.isfile(place):
            return True
        try:
            if os.listdir(place):
                return True
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            return True
        if folder in (b"/", b""):
            return False
        folder = os.path.dirname(folder)


def start_listing(root: bytes) -> Listing:
    """Start to list what git tracks, and what it neither tracks nor ignores, below a folder."""
    return _started(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")


def listed(git: Listing, root: bytes, stdin: bytes | None = None, *, notes: list[str] | None = None) -> bytes:
    """Return what a started git answered.

    Args:
        git: The running program.
        root: Where it runs.
        stdin: What it reads.
        notes: Takes what it warned of: it leaves out a folder that it cannot read.

    Raises:
        UsageError: git could not, and why.
    """
    out, errors = git.communicate(stdin)
    text = errors.decode(errors="surrogateescape").strip()
    # check-ignore ends with 1 where nothing is ignored.
    if git.returncode not in (0, 1) or (git.returncode == 1 and stdin is None):
        raise _refusal(os.fsdecode(root), text, git.returncode)
    if notes is not None:
        warning = "warning: "
        notes += [f"git: {line.removeprefix(warning)}" for line in text.splitlines() if line.startswith(warning)]
    return out


def ignored(root: bytes) -> list[tuple[bytes, str]]:
    """Return what git ignores below a folder, folders as one (a slash behind), each with ``file:line:pattern``."""
    listing = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard")
    paths = _split(listed(_started(root, *listing, "--directory"), root))
    rules = _rules(root, paths)
    # A folder in which everything is ignored is listed as one, although no line names it.
    loose = [path for path in paths if path not in rules]
    for start in range(0, len(loose), _AT_ONCE):
        some = loose[start : start + _AT_ONCE]
        inner = _split(listed(_started(root, "--literal-pathspecs", *listing, "--", *some), root))
        rules.update(_rules(root, inner))
    return sorted(rules.items())


def untracked(root: bytes) -> frozenset[bytes] | None:
    """Return the files that git neither tracks nor ignores; ``None`` outside git, or where git cannot tell."""
    if not in_work_tree(root):
        return None
    try:
        out = listed(_started(root, "ls-files", "-z", "--others", "--exclude-standard"), root)
    except UsageError:
        return None
    return frozenset(_split(out))


def git_state(root: str | os.PathLike[str]) -> GitState:
    """Return where the work tree of a project is; all ``None`` outside git, or where git cannot tell."""
    place = os.fsencode(root)
    if not in_work_tree(place):
        return GitState(None, None, None)
    try:
        out = listed(_started(place, "status", "--porcelain=v2", "--branch", "-z", "--", "."), place)
    except UsageError:
        return GitState(None, None, None)
    commit, branch, dirty = None, None, False
    for line in _split(out):
        if line.startswith(b"# branch.oid "):
            oid = line[13:].decode("ascii", "replace")
            commit = None if oid.startswith("(") else oid
        elif line.startswith(b"# branch.head "):
            name = os.fsdecode(line[14:])
            branch = None if name == "(detached)" else name
        elif not line.startswith(b"# "):
            dirty = True
    return GitState(commit, branch, dirty)


def difference(root: str | os.PathLike[str], most: int) -> str | None:
    """Return what differs from the commit below a project, as `git diff` prints it, at most so many bytes of it.

    Files that git does not know yet are named at the end. ``None`` outside git, or where git cannot tell.
    """
    place = os.fsencode(root)
    if not in_work_tree(place):
        return None
    words = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--", ".")
    try:
        out = listed(_started(place, *words), place)
    except UsageError:
        # No commit yet.
        return None
    new = sorted(untracked(place) or ())
    text = out + b"".join(b"# not in git: " + path + b"\n" for path in new)
    if len(text) > most:
        text = text[:most].rpartition(b"\n")[0] + b"\n# cut here: it is longer\n"
    return text.decode("utf-8", "surrogateescape")


def _rules(root: bytes, paths: list[bytes]) -> dict[bytes, str]:
    if not paths:
        return {}
    git = _started(root, "check-ignore", "--verbose", "-z", "--stdin")
    fields = _split(listed(git, root, b"".join(path + b"\0" for path in paths)))
    quads = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=True)
    return {path: os.fsdecode(b":".join(rule)) for *rule, path in quads}


def _split(out: bytes) -> list[bytes]:
    return out.split(b"\0")[:-1]


def _started(root: bytes, *arguments: str | bytes) -> Listing:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT or name.startswith(_KEPT_FAMILIES)
    }
    # No locks and no daemons: looking at a project changes nothing in it.
    env |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    env |= {"LC_ALL": "C", "LANGUAGE": "C"}
    command = ["git", "-C", os.fsdecode(root), "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *arguments]
    pipe = subprocess.PIPE
    try:
        return Listing(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env)
    except FileNotFoundError:
        raise UsageError(
            f"{os.fsdecode(root)} is in a git work tree, and there is no git here to ask which files count",
            hint="install git",
        ) from None
    except OSError as error:
        raise UsageError(f"git cannot be run: {error.strerror}", hint="which git; git --version") from None


def _refusal(root: str, errors: str, code: int) -> UsageError:
    lines = errors.splitlines()
    said = next(
        (line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else f"exit {code}"
    )
    hint = f"see what `git -C {root} status` says"
    if "dubious ownership" in errors:
        hint = f"if you trust it: git config --global --add safe.directory {root}"
    elif "not a git repository" in errors:
        hint = "its .git is damaged, or points to a repository that is gone: mend or remove it"
    elif "index file" in errors or "bad signature" in errors or "index" in said:
        hint = "its index is damaged; `rm .git/index && git reset` makes it anew from the last commit"
    return UsageError(f"git cannot list the files of {root}: {said}", hint=hint, detail=errors or None)
