"""What a playbook may say of each task, as frozen types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

from provision.decode import Rule, printable
from provision.decode.checks import ONE_LINE, OWN_FOLDER, REMOTE_PATH
from provision.project import INNER_PATH, PROJECT_NAME, Variants

if TYPE_CHECKING:
    from collections.abc import Callable


def _like(pattern: str, expected: str) -> Callable[[str], str]:
    """Return a check that a whole text is of a pattern; `expected` says in words what that is."""

    def check(value: str) -> str:
        # Compiled at its first use: most runs ask few of these.
        if not re.fullmatch(pattern, value):
            raise ValueError(f"'{printable(value)}', expected {expected}")
        return value

    return check


_version = _like(
    r"(py\d{2,3}_)?\d{2}\.\d{1,2}(\.\d{1,2}(-\d{1,2})?)?",
    "a Miniconda version such as 25.11.1-1 or py313_25.11.1-1",
)
_minimum = _like(r"\d{1,2}\.\d{1,2}(\.\d{1,2})?", "a conda version such as 24.9")
_python = _like(r"3\.\d{1,2}(\.\d{1,2})?", "a Python version such as 3.11")
_digits = _like(r"[0-9a-fA-F]{64}", "a SHA-256 of 64 hexadecimal digits")
_permissions = _like(r"0?[0-7]{3}", "file permissions such as 0644")


def _sha256(value: str) -> str:
    return _digits(value).lower()


def _mode(value: str) -> str:
    return _permissions(value).rjust(4, "0")


def _installer(value: str) -> str:
    if "://" in value and not value.startswith(("https://", "http://")):
        raise ValueError(f"'{printable(value)}', expected an https:// URL or the path of a local file")
    if re.match(r"[a-z]+://[^/]*@", value):
        raise ValueError("the URL holds a login, which would be stored in logs: remove it")
    if not value or value.startswith("-") or re.search(r"\s", value):
        raise ValueError(f"'{printable(value)}', expected an https:// URL or the path of a local file")
    return value


def _package(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._:=~-]{0,127}", value):
        raise ValueError(f"'{printable(value)}' is not the name of a package")
    return value


def _shell(value: str) -> str:
    if not value.strip():
        raise ValueError("empty, expected a shell command")
    return value


_SHELL = Rule(_shell, {"minLength": 1})
_PACKAGE = Annotated[str, Rule(_package, {"pattern": "^[A-Za-z0-9][A-Za-z0-9+._:=~-]{0,127}$"})]


@dataclass(frozen=True, slots=True)
class MinicondaOptions:
    """Miniconda, or a healthy conda that is already there."""

    prefix: Annotated[str, OWN_FOLDER, "folder of the installation on the host"] = "~/miniconda3"
    version: Annotated[
        str | None,
        Rule(_version),
        "installer to take, such as py313_25.11.1-1; none: the one provision knows best",
    ] = None
    installer: Annotated[str | None, Rule(_installer), "URL or local file to install from, instead of a version"] = None
    sha256: Annotated[str | None, Rule(_sha256, {"pattern": "^[0-9a-fA-F]{64}$"}), "checksum of 'installer'"] = None
    accept_tos: Annotated[bool, "your word that you accept the Terms of Service of Anaconda's channels"] = False
    minimum: Annotated[str, Rule(_minimum), "oldest conda that is adopted where one is already there"] = "24.9"


@dataclass(frozen=True, slots=True)
class EnvironmentOptions:
    """The project's conda environment."""

    file: Annotated[Variants | None, "environment file, or one for gpu and one for cpu; none: the project's"] = None
    name: Annotated[str | None, PROJECT_NAME, "which of the project's environments; with 'file': its name"] = None
    python: Annotated[str | None, Rule(_python), "Python version where only requirements.txt is there"] = None
    allow_pip_options: Annotated[
        bool,
        "allow pip lines that weaken a download or leave the project: http, --trusted-host, git",
    ] = False


@dataclass(frozen=True, slots=True)
class GpuOptions:
    """The GPU and its driver, judged against the host's 'expect'."""


@dataclass(frozen=True, slots=True)
class PackagesOptions:
    """System packages; needs root or sudo on the host."""

    names: Annotated[tuple[_PACKAGE, ...], "packages that have the same name everywhere"] = ()
    apt: Annotated[tuple[_PACKAGE, ...], "packages on Debian and Ubuntu"] = ()
    dnf: Annotated[tuple[_PACKAGE, ...], "packages on Fedora, RHEL and their kin"] = ()
    yum: Annotated[tuple[_PACKAGE, ...], "packages where there is yum but no dnf; none: those of dnf"] = ()


@dataclass(frozen=True, slots=True)
class FileOptions:
    """One file on the host."""

    path: Annotated[str, REMOTE_PATH, "where it goes on the host"]
    content: Annotated[str | None, "its text"] = None
    source: Annotated[str | None, INNER_PATH, "or the file in the project that it is a copy of"] = None
    mode: Annotated[str, Rule(_mode, {"pattern": "^0?[0-7]{3}$"}), "permissions"] = "0644"


@dataclass(frozen=True, slots=True)
class FilesOptions:
    """Files that the host must have."""

    files: tuple[FileOptions, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """A shell command, run unless it is already done."""

    run: Annotated[str, _SHELL, "the command, for sh"]
    name: Annotated[str | None, ONE_LINE, "what to call it"] = None
    unless: Annotated[str | None, _SHELL, "a command that exits 0 where nothing is to be done"] = None
    creates: Annotated[str | None, REMOTE_PATH, "a path that exists where nothing is to be done"] = None
    cwd: Annotated[str | None, REMOTE_PATH, "folder to run in; none: the home folder"] = None


Options: TypeAlias = (
    MinicondaOptions | EnvironmentOptions | GpuOptions | PackagesOptions | FilesOptions | CommandOptions
)

TASKS: dict[str, type[Options]] = {
    "packages": PackagesOptions,
    "miniconda": MinicondaOptions,
    "environment": EnvironmentOptions,
    "gpu": GpuOptions,
    "files": FilesOptions,
    "command": CommandOptions,
}
"""The tasks by the key that a playbook calls them by."""

BARE_TASKS: dict[str, type[MinicondaOptions | EnvironmentOptions | GpuOptions]] = {
    "miniconda": MinicondaOptions,
    "environment": EnvironmentOptions,
    "gpu": GpuOptions,
}
"""The tasks that mean something without any option, so that their name alone may stand in the list."""
