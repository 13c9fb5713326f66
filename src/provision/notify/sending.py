"""Sends notices through the project's channels: all at once, within fifteen seconds in all, each thing once."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.channels import Email
from provision.errors import ProvisionError
from provision.notify.errors import AgainError, NotSentError
from provision.notify.message import Notice, clean, folded
from provision.notify.secret import secret, secrets, url
from provision.notify.told import Key, Told
from provision.report.display import one_line
from provision.report.met import hiding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tenacity import RetryCallState

    from provision.channels import Channel
    from provision.notify.message import Message
    from provision.project import Project

DEADLINE = 15.0
"""Seconds that all channels together may take."""
ATTEMPTS = 3
FIRST_WAIT, LONGEST_WAIT = 0.5, 4.0
"""Seconds between two attempts: doubled each time, up to the second."""
AT_ONCE = 5
"""Notices of a kind that are told one by one; more become one: chats refuse whoever sends many."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one channel."""

    name: str
    kind: str
    error: str | None
    """Why it did not take everything, in one line without any secret; ``None``: it did."""
    took: frozenset[str] = frozenset()
    """Kinds of which it took every message."""


def notify(  # noqa: PLR0917 - the parts of one notice
    environ: Mapping[str, str], project: Project | Path | None, kind: str, host: str | None, text: str, key: str
) -> None:
    """Tell one thing, unless it was told before.

    Args:
        environ: Where secrets, proxies and the state folder are found.
        project: Whose channels are meant, or its root; ``None``: that of the working folder.
        kind: One of `provision.channels.Kind`.
        host: What it is about; ``None``: the project.
        text: What happened.
        key: The same for the same thing.

    Raises:
        ProvisionError: some channel did not take it, or provision.yaml cannot be taken.
    """
    trouble = tell(environ, project, [Notice(kind, host, text, key)])
    if trouble:
        raise NotSentError("; ".join(trouble))


def tell(
    environ: Mapping[str, str],
    project: Project | Path | None,
    notices: Iterable[Notice],
    *,
    hidden: Sequence[str] = (),
) -> list[str]:
    """Tell what was not told before, all of it within `DEADLINE`; return a line for each channel that failed.

    Args:
        environ: As for `notify`.
        project: As for `notify`.
        notices: What to tell; many of a kind become one message.
        hidden: Texts that must not be sent.

    Raises:
        BadFileError: provision.yaml cannot be taken.
    """
    whose = _project(project)
    if not whose.notify:
        return []
    told, root = Told(environ), str(whose.root.resolve())
    every = list(notices)
    wanted = {
        Key(root, one.key, one.kind, one.host): one
        for one in every
        if any(one.kind in channel.on for channel in whose.notify.values())
    }
    ours = told.claim(list(wanted)) if wanted else []
    for one in every:
        if one.kind == "recovery":
            told.forget(root, "failure", one.host)
    if not ours:
        return []
    hide = hiding(hidden)
    messages = [
        clean(one.kind, one.host, hide(one.text[:100_000]), whose.name) for one in _few([wanted[key] for key in ours])
    ]
    results: list[Sent] = []
    try:
        results = send(whose.notify, messages, environ)
    finally:
        # What one channel has taken is not told again because of another.
        took = {kind for one in results for kind in one.took}
        told.settle({key: key.kind in took for key in ours})
    _record([wanted[key] for key in ours if key.kind in took])
    return [f"notify.{one.name} ({one.kind}): {one.error}" for one in results if one.error is not None]


def send(
    channels: Mapping[str, Channel],
    messages: Sequence[Message],
    environ: Mapping[str, str],
    *,
    everything: bool = False,
) -> list[Sent]:
    """Send messages through channels, at the same time, and return what came of each after `DEADLINE` at the latest.

    Args:
        channels: By their names.
        messages: Each goes to those that want its kind.
        environ: Where secrets and proxies are found.
        everything: Also what a channel does not want.
    """
    until = time.monotonic() + DEADLINE
    results: dict[str, Sent] = {}
    left = {name: [one.kind for one in messages if everything or one.kind in channels[name].on] for name in channels}
    threads = []

    def taken(name: str, wanted: list[Message]) -> frozenset[str]:
        return frozenset(one.kind for one in wanted) - frozenset(left[name])

    def work(name: str, channel: Channel, wanted: list[Message]) -> None:
        error: str | None = None
        try:
            for one in wanted:
                _send(name, channel, one, environ, until)
                left[name].remove(one.kind)
        except Exception as failure:  # noqa: BLE001 - whatever a receiver does to us, the run goes on
            error = _hidden(name, channel, environ, failure)
        results[name] = Sent(name, channel.kind, error, taken(name, wanted))

    for name, channel in channels.items():
        wanted = [one for one in messages if everything or one.kind in channel.on]
        if wanted:
            thread = threading.Thread(target=work, args=(name, channel, wanted), name="provision-notify", daemon=True)
            thread.start()
            threads.append((name, channel, wanted, thread))
    for name, channel, wanted, thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
        results.setdefault(name, Sent(name, channel.kind, f"no answer within {DEADLINE:g} s", taken(name, wanted)))
    return [results[name] for name, *_ in threads]


def check_channel(name: str, channel: Channel, environ: Mapping[str, str]) -> None:
    """Refuse a channel that could not send, without asking anybody.

    Raises:
        ChannelError: a secret is missing, or others could read what is sent.
    """
    secrets(name, channel, environ)
    if isinstance(channel, Email):
        from provision.notify.mail import check_channel as check

        check(name, channel)


def _send(name: str, channel: Channel, message: Message, environ: Mapping[str, str], until: float) -> None:
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    check_channel(name, channel, environ)
    doubled = wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.after if isinstance(error, AgainError) else None
        return max(doubled(state), asked or 0.0)

    def stop(state: RetryCallState) -> bool:
        late = time.monotonic() + state.upcoming_sleep >= until
        return late or stop_after_attempt(ATTEMPTS)(state)

    for attempt in Retrying(stop=stop, wait=wait, retry=retry_if_exception_type(AgainError), reraise=True):
        with attempt:
            _once(name, channel, message, environ, max(0.1, until - time.monotonic()))


def _once(name: str, channel: Channel, message: Message, environ: Mapping[str, str], seconds: float) -> None:
    if isinstance(channel, Email):
        from provision.notify.mail import mail

        password = secret(name, "password", channel.password, channel.password_file, environ)
        mail(channel, password, message, seconds)
        return
    from provision.notify.post import post

    key = secret(name, "secret", getattr(channel, "secret", None), getattr(channel, "secret_file", None), environ)
    post(channel, url(name, channel, environ), key, message, environ, seconds)


def _hidden(name: str, channel: Channel, environ: Mapping[str, str], failure: Exception) -> str:
    """Return what went wrong without what is secret, which a receiver may send back to us."""
    try:
        hide = hiding(secrets(name, channel, environ))
    except Exception:  # noqa: BLE001 - the same trouble again: what it says has no secret in it
        hide = hiding(())
    if isinstance(failure, ProvisionError):
        return one_line(hide(f"{failure.message}{f' ({failure.hint})' if failure.hint else ''}"))[:400]
    return f"a {type(failure).__name__}"


def _few(notices: list[Notice]) -> list[Notice]:
    found: list[Notice] = []
    for kind in dict.fromkeys(one.kind for one in notices):
        same = [one for one in notices if one.kind == kind]
        found += same if len(same) <= AT_ONCE else [folded(same)]
    return found


def _project(project: Project | Path | None) -> Project:
    from provision.project import Project, load_project

    return project if isinstance(project, Project) else load_project(project or Path(os.curdir))


def _record(notices: list[Notice]) -> None:
    """Let the ledger have what was told."""
    from provision.ledger.recorder import current
    from provision.ledger.rows import Notice as Row

    recorded, now = current(), time.time()
    if recorded is not None and notices:
        rows = [Row(one.key, now, one.kind, one.host, clean(one.kind, one.host, one.text, "").text) for one in notices]
        recorded.add(lambda: rows)
