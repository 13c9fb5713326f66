"""Trees and repositories on the disk, with nothing of the developer's own git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, *paths: str | bytes, content: bytes = b"x") -> None:
    """Make files, with the folders that they need."""
    for path in paths:
        place = os.path.join(os.fsencode(root), os.fsencode(path))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as stream:
            stream.write(content)


def git(root: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Run git as somebody with no settings of their own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    who: tuple[str, ...] = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")
    who += ("-c", "advice.addEmbeddedRepo=false", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], cwd=root, env=env, input=stdin, capture_output=True, check=True)
    return done.stdout


def repository(root: Path, *paths: str | bytes) -> Path:
    """Make a repository with these files, committed."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q")
    write(root, *paths)
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "--allow-empty", "-m", "first")
    return root
