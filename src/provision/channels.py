"""Where notices go, as provision.yaml says it: never with a secret in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from provision.decode import Rule, printable

VARIABLES = "PROVISION_NOTIFY_"
"""How the names of variables begin that a channel may read: a project must not send away what else is set here."""
_REFERENCE = re.compile(r"\$\{(PROVISION_NOTIFY_[A-Z0-9_]{1,100})\}")
_LONG_WORD = re.compile(r"(?=[^/]*[0-9])[A-Za-z0-9_-]{16,}")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_HINT = "write ${PROVISION_NOTIFY_NAME}, and set that variable"

Kind: TypeAlias = Literal["failure", "drift", "recovery", "job", "changed-files"]
"""What there is to tell; a test goes to every channel that is meant."""


def reference(value: str) -> str | None:
    """Return the name of the variable that a value stands for; ``None``: it is none."""
    found = _REFERENCE.fullmatch(value)
    return found[1] if found else None


def _secret(value: str) -> str:
    # Whatever stands there may be the secret itself: it is not shown.
    if reference(value) is None:
        raise ValueError(f"a secret does not stand in a file: {_HINT}, or name a file that holds it")
    return value


def _file(value: str) -> str:
    if not value.startswith(("/", "~/")) or ".." in value.split("/") or "\n" in value:
        raise ValueError(f"'{printable(value)}', expected an absolute path or one that begins with ~/")
    return value


def _secret_url(value: str) -> str:
    if reference(value) is None:
        raise ValueError(f"whoever has this URL can write to the chat: {_HINT}, or name a file with url_file")
    return value


def _url(value: str) -> str:
    if reference(value) is not None:
        return value
    # Here: every command that has a project loads this module.
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        port_known = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_known = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_known or re.search(r"\s", value):
        raise ValueError(f"no https:// URL: write one, or {_HINT.removeprefix('write ')}")
    hidden = parts.query or parts.fragment or "@" in parts.netloc
    if hidden or any(_LONG_WORD.fullmatch(one) for one in parts.path.split("/")):
        raise ValueError(f"this URL seems to hold a token: {_HINT}, or name a file with url_file")
    return value


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"'{printable(value)}' is no mail address, expected name@example.org")
    return value


def _server(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,252}", value):
        raise ValueError(f"'{printable(value)}' is no name of a mail server")
    return value


def _port(value: int) -> int:
    if not 0 < value < 65536:  # noqa: PLR2004 - ports end there
        raise ValueError(f"{value}, expected a port from 1 to 65535")
    return value


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("empty, expected one at least")
    return value


def _complete(value: Any) -> Any:
    if isinstance(value, Email):
        _one(value.password, value.password_file, "password", needed=value.user is not None)
        if value.user is None and (value.password or value.password_file):
            raise ValueError("a password without 'user'")
        return value
    _one(value.url, value.url_file, "url", needed=True)
    _one(getattr(value, "secret", None), getattr(value, "secret_file", None), "secret", needed=False)
    return value


def _one(inline: str | None, file: str | None, name: str, *, needed: bool) -> None:
    if inline and file:
        raise ValueError(f"'{name}' and '{name}_file' stand side by side: write one of the two")
    if needed and not inline and not file:
        raise ValueError(f"'{name}' or '{name}_file' is missing")


_REFERENCE_SCHEMA = {"pattern": r"^\$\{PROVISION_NOTIFY_[A-Z0-9_]+\}$"}
Secret = Annotated[str, Rule(_secret, _REFERENCE_SCHEMA)]
SecretUrl = Annotated[str, Rule(_secret_url, _REFERENCE_SCHEMA)]
SecretFile = Annotated[str, Rule(_file, {"pattern": "^(/|~/)"})]
Kinds = Annotated[tuple[Kind, ...], Rule(_some, {"minItems": 1})]
Address = Annotated[str, Rule(_address)]
Url = Annotated[str, Rule(_url)]
EVERY: tuple[Kind, ...] = ("failure", "drift", "recovery", "job", "changed-files")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Any program that takes a POST with JSON, signed as Standard Webhooks has it."""

    kind: Literal["webhook"]
    url: Annotated[Url | None, "where to: a URL without a token, or ${PROVISION_NOTIFY_...}"] = None
    url_file: Annotated[SecretFile | None, "file that holds the URL"] = None
    secret: Annotated[Secret | None, "${PROVISION_NOTIFY_...} with the key to sign with"] = None
    secret_file: Annotated[SecretFile | None, "file that holds the key"] = None
    insecure: Annotated[bool, "also http to other machines"] = False
    on: Annotated[Kinds, "what to tell; none: everything"] = EVERY


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook of Slack."""

    kind: Literal["slack"]
    url: Annotated[SecretUrl | None, "${PROVISION_NOTIFY_...} with the webhook's URL"] = None
    url_file: Annotated[SecretFile | None, "file that holds the URL"] = None
    insecure: Annotated[bool, "also http to other machines"] = False
    on: Annotated[Kinds, "what to tell; none: everything"] = EVERY


@dataclass(frozen=True, slots=True)
class Feishu:
    """A custom bot of Feishu or Lark, signed where it asks for that."""

    kind: Literal["feishu"]
    url: Annotated[SecretUrl | None, "${PROVISION_NOTIFY_...} with the bot's URL"] = None
    url_file: Annotated[SecretFile | None, "file that holds the URL"] = None
    secret: Annotated[Secret | None, "${PROVISION_NOTIFY_...} with the key to sign with"] = None
    secret_file: Annotated[SecretFile | None, "file that holds the key"] = None
    insecure: Annotated[bool, "also http to other machines"] = False
    on: Annotated[Kinds, "what to tell; none: everything"] = EVERY


@dataclass(frozen=True, slots=True)
class DingTalk:
    """A custom bot of DingTalk, signed where it asks for that."""

    kind: Literal["dingtalk"]
    url: Annotated[SecretUrl | None, "${PROVISION_NOTIFY_...} with the bot's URL"] = None
    url_file: Annotated[SecretFile | None, "file that holds the URL"] = None
    secret: Annotated[Secret | None, "${PROVISION_NOTIFY_...} with the key to sign with"] = None
    secret_file: Annotated[SecretFile | None, "file that holds the key"] = None
    insecure: Annotated[bool, "also http to other machines"] = False
    on: Annotated[Kinds, "what to tell; none: everything"] = EVERY


@dataclass(frozen=True, slots=True)
class WeCom:
    """A group bot of WeCom."""

    kind: Literal["wecom"]
    url: Annotated[SecretUrl | None, "${PROVISION_NOTIFY_...} with the bot's URL"] = None
    url_file: Annotated[SecretFile | None, "file that holds the URL"] = None
    insecure: Annotated[bool, "also http to other machines"] = False
    on: Annotated[Kinds, "what to tell; none: everything"] = EVERY


@dataclass(frozen=True, slots=True)
class Email:
    """A mail server."""

    kind: Literal["email"]
    server: Annotated[str, Rule(_server), "name of the mail server"]
    from_: Annotated[Address, "whom the mail is from"]
    to: Annotated[tuple[Address, ...], Rule(_some, {"minItems": 1}), "whom it goes to"]
    port: Annotated[int | None, Rule(_port), "none: 587, with tls: tls 465, with tls: none 25"] = None
    tls: Annotated[Literal["starttls", "tls", "none"], "how the connection is kept secret"] = "starttls"
    user: Annotated[str | None, "name to log in with; none: no login"] = None
    password: Annotated[Secret | None, "${PROVISION_NOTIFY_...} with the password"] = None
    password_file: Annotated[SecretFile | None, "file that holds the password"] = None
    insecure: Annotated[bool, "also tls: none to other machines"] = False
    on: Annotated[Kinds, "what to tell; none: everything"] = EVERY


Posted: TypeAlias = Webhook | Slack | Feishu | DingTalk | WeCom
Channel: TypeAlias = Posted | Email
OneChannel = Annotated[Webhook | Slack | Feishu | DingTalk | WeCom | Email, Rule(_complete)]
"""What stands below a channel's name."""
