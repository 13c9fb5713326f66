"""The variables that a job is started with: typed, from files, and secrets of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.decode import printable
from provision.errors import BadFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.model.host import Host

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LARGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Variables:
    """What a job's environment has besides the host's own."""

    plain: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]
    """Secrets that the project names and this machine does not have."""


def own_variables(host: Host, job: Variables) -> tuple[tuple[str, str], ...]:
    """Return the host's variables; a job with a token for Hugging Face gets no mirror of it: that would see it."""
    token = any(name == "HF_TOKEN" for name, _ in (*job.plain, *job.secrets))
    mirrored = host.mirror.hf if host.mirror is not None and token else None
    return tuple(one for one in host.env if one != ("HF_ENDPOINT", mirrored))


def variables(
    typed: Iterable[str],
    files: Iterable[str],
    asked: Iterable[str],
    project: Iterable[str],
    environ: Mapping[str, str],
) -> Variables:
    """Return the variables of a job.

    Args:
        typed: ``K=V``, or ``K`` alone for its value here.
        files: Files of such lines; what is typed comes after them, and wins.
        asked: Names of secrets from the command line, which must be here.
        project: Names of secrets from provision.yaml, which may be missing.
        environ: This machine's variables.

    Raises:
        UsageError: a name or a file cannot be taken.
    """
    plain: dict[str, str] = {}
    for file in files:
        plain |= dict(_read(file))
    plain |= dict(_pair(one, environ) for one in typed)
    wanted = list(dict.fromkeys(asked))
    for name in wanted:
        if name not in environ:
            raise UsageError(f"--secret {printable(_checked(name))}: it is not set here", hint=f"export {name}=...")
    named = [one for one in dict.fromkeys(project) if one not in wanted and one not in plain]
    secrets = {name: environ[name] for name in (*wanted, *named) if name in environ}
    # What was typed for this job wins over what the project has for all, and a secret stays one.
    secrets |= {name: plain.pop(name) for name in (*wanted, *project) if name in plain}
    absent = tuple(one for one in named if one not in environ)
    return Variables(tuple(plain.items()), tuple(secrets.items()), absent)


def _pair(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    _checked(name)
    if equals:
        return name, value
    if name not in environ:
        raise UsageError(f"--env {name}: it is not set here", hint=f"--env {name}=VALUE")
    return name, environ[name]


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UsageError(f"'{printable(name[:60])}' is not the name of a variable", hint="--env NAME=VALUE")
    return name


def _read(file: str) -> Iterable[tuple[str, str]]:
    """Yield the pairs of a file: blank lines and comments are left out, ``export`` and quotes around taken off."""
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint="--env-file FILE has lines NAME=VALUE") from error
    if len(data) > LARGEST_FILE:
        raise BadFileError(f"{file}: larger than {LARGEST_FILE >> 20} MiB, that is no file of variables")
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not NAME.fullmatch(name) or "\0" in value:
            # The value may be a secret: it is not shown.
            raise BadFileError(f"{file}:{number}: expected NAME=VALUE")
        yield name, _unquoted(value.strip())


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
