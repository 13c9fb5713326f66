"""Secrets of channels, from variables and files of this machine; none is ever shown."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from provision.channels import Email, reference
from provision.notify.errors import ChannelError
from provision.report.display import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.channels import Channel, Posted

LARGEST = 4096
SHORTEST = 4
"""A shorter value, blotted out, would blot out half of a message."""
_TOKEN = re.compile(r"(?=.*[0-9]).{8,}|.{16,}")
_LOOPBACK = re.compile(r"localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1")


def secret(name: str, what: str, inline: str | None, file: str | None, environ: Mapping[str, str]) -> str | None:
    """Return a secret of a channel; ``None``: none is set up.

    Raises:
        ChannelError: its variable is not set, or its file cannot be taken.
    """
    variable = reference(inline) if inline else None
    if variable is not None:
        value = environ.get(variable, "")
        if not value:
            raise ChannelError(f"notify.{name}.{what}: {variable} is not set here", hint=f"export {variable}=...")
        return _one_line(f"notify.{name}.{what}: {variable}", value)
    if file is not None:
        return _from_file(f"notify.{name}.{what}_file: {one_line(file)}", file, environ)
    return inline


def url(name: str, channel: Posted, environ: Mapping[str, str]) -> str:
    """Return where to post to.

    Raises:
        ChannelError: there is no such URL, or what is sent could be read on its way.
    """
    value = secret(name, "url", channel.url, channel.url_file, environ) or ""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not value.isascii() or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ChannelError(f"notify.{name}.url: what is there is no URL", hint="https://...")
    if parts.scheme == "http" and not channel.insecure and not loopback(parts.hostname or ""):
        raise ChannelError(
            f"notify.{name}.url: http to another machine can be read on its way",
            hint="use https, or say 'insecure: true'",
        )
    return value


def loopback(host: str) -> bool:
    """Return whether a name means this machine whatever a name server says."""
    return _LOOPBACK.fullmatch(host.lower().strip("[]")) is not None


def parts_of(value: str) -> tuple[str, ...]:
    """Return a URL and the parts of it that let somebody in, for hiding."""
    try:
        split = urlsplit(value)
    except ValueError:
        return (value,)
    queries = [text for _, text in parse_qsl(split.query)]
    # Other words, such as "services", stand in messages of no secret too.
    words = [one for one in split.path.split("/") if _TOKEN.fullmatch(one)]
    found = (value, split.path, split.query, split.username or "", split.password or "", *queries, *words)
    return tuple(one for one in found if len(one) >= SHORTEST)


def secrets(name: str, channel: Channel, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return every text of a channel that no error may hold.

    Raises:
        ChannelError: as `secret`.
    """
    if isinstance(channel, Email):
        value = secret(name, "password", channel.password, channel.password_file, environ)
        return (value,) if value else ()
    key = secret(name, "secret", getattr(channel, "secret", None), getattr(channel, "secret_file", None), environ)
    return (*parts_of(url(name, channel, environ)), *((key,) if key else ()))


def _from_file(where: str, file: str, environ: Mapping[str, str]) -> str:
    path = Path(file.replace("~", environ.get("HOME") or str(Path.home()), 1) if file.startswith("~/") else file)
    allowed = (_config(environ), Path("/run/secrets"))
    try:
        real = path.resolve()
        if not any(folder.resolve() in real.parents for folder in allowed):
            # A project could name any file, and have its content sent away as a password.
            raise ChannelError(f"{where}: lies neither below {allowed[0]} nor below {allowed[1]}", hint="move it there")
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as stream:
            seen = os.fstat(stream.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise ChannelError(f"{where}: is not a file")
            if allowed[1] not in real.parents and seen.st_mode & 0o077:
                raise ChannelError(f"{where}: others may read it", hint=f"chmod 600 {one_line(file)}")
            data = stream.read(LARGEST + 1)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ChannelError(f"{where}: {(reason or 'cannot be read').lower()}") from None
    return _one_line(where, data.decode("utf-8", "replace"))


def _config(environ: Mapping[str, str]) -> Path:
    config = environ.get("XDG_CONFIG_HOME", "")
    home = Path(environ.get("HOME") or Path.home())
    return (Path(config) if config.startswith("/") else home / ".config") / "provision"


def _one_line(where: str, value: str) -> str:
    text = value.strip()
    if not text or len(text) > LARGEST or not text.isprintable():
        raise ChannelError(f"{where}: expected one line of text, and no more than {LARGEST} characters")
    return text
