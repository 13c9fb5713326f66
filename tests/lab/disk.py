"""A host's disk: what it wrote above the machine's own root file system."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.lab.syscalls import mount, unmount

KEPT = frozenset({"bin", "boot", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "var"})
FRESH = {"dev": 0o755, "proc": 0o555, "sys": 0o555, "run": 0o755, "tmp": 0o1777, "home": 0o755, "root": 0o700}
EMPTY = {"usr/local": 0o755, "etc/profile.d": 0o755, "var/tmp": 0o1777}
LOCAL_FOLDERS = ("bin", "sbin", "lib", "share")
PROGRAM_FOLDERS = ("usr/bin", "usr/sbin", "bin", "sbin")


@dataclass(frozen=True, slots=True)
class Disk:
    """A tmpfs with the upper layer of the host's root and, where asked for, a separate home."""

    folder: Path

    @property
    def upper(self) -> Path:
        """The layer that holds everything that differs from the machine's root."""
        return self.folder / "disk" / "upper"

    @property
    def home(self) -> Path:
        """The home's own file system, if the host has one."""
        return self.folder / "home"

    def create(self, size: int) -> None:
        """Make the layers: the machine's programs and settings show through, its people's files do not."""
        for name in ("disk", "root"):
            (self.folder / name).mkdir(parents=True)
        mount("lab-disk", self.folder / "disk", "tmpfs", options=f"size={size},mode=755")
        self.upper.mkdir()
        (self.folder / "disk" / "work").mkdir()
        for entry in os.scandir("/"):
            if entry.name not in KEPT and entry.name not in FRESH:
                whiteout(self.upper / entry.name)
        for name, mode in FRESH.items():
            opaque(self.upper / name, mode)
        for name, mode in EMPTY.items():
            opaque(self.upper / name, mode)
        for name in LOCAL_FOLDERS:
            (self.upper / "usr/local" / name).mkdir()

    def create_home(self, size: int, owner: int) -> None:
        """Make a file system of `size` bytes for the home of the user with the id `owner`."""
        self.home.mkdir()
        options = f"size={size},mode=750,uid={owner},gid={owner}"
        mount("lab-home", self.home, "tmpfs", options=options)

    def write(self, path: str, text: str, mode: int = 0o644, owner: int = 0) -> Path:
        """Write a file at the absolute `path` of the host and return where it lies here."""
        target = self.place(path)
        with suppress(FileNotFoundError):
            target.unlink()
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)
        os.chown(target, owner, owner)
        return target

    def place(self, path: str) -> Path:
        """Return where the host's absolute `path` lies in the layer, with its parent folders made."""
        parts = Path(path).parts[1:]
        folder = self.upper
        for part, below in zip(parts[:-1], _lowers(parts[:-1]), strict=True):
            folder = folder / part
            if not folder.exists():
                folder.mkdir(mode=0o755)
                if below.is_dir():
                    shutil.copystat(below, folder)
                    owner = below.stat()
                    os.chown(folder, owner.st_uid, owner.st_gid)
        return folder / parts[-1]

    def hide(self, program: str) -> None:
        """Make `program` absent from every folder where the machine has it."""
        for folder in PROGRAM_FOLDERS:
            real = Path("/") / folder
            if not real.is_symlink() and os.path.lexists(real / program):
                whiteout(self.place(f"/{folder}/{program}"))

    def discard(self) -> None:
        """Give the memory back."""
        for name in ("disk", "home"):
            with suppress(OSError):
                unmount(self.folder / name)
        shutil.rmtree(self.folder, ignore_errors=True)


def _lowers(parts: tuple[str, ...]) -> list[Path]:
    return [Path("/", *parts[: count + 1]) for count in range(len(parts))]


def whiteout(path: Path) -> None:
    """Make the overlay show nothing at `path`."""
    if not os.path.lexists(path):
        os.mknod(path, 0o600 | 0o020000, os.makedev(0, 0))


def opaque(path: Path, mode: int) -> None:
    """Make the overlay show `path` as a folder without the lower layer's files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir()
    path.chmod(mode)
    os.setxattr(path, "trusted.overlay.opaque", b"y")
