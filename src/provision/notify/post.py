"""One POST, by urllib3: proxies as the environment has them, no redirect, no more of an answer than is needed."""

from __future__ import annotations

import time
import urllib.request
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit

from provision.notify.errors import AgainError, NotSentError
from provision.notify.payloads import check, request
from provision.notify.secret import loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

    from provision.channels import Posted
    from provision.notify.message import Message

CONNECT = 5.0
"""Seconds for a connection to be made."""
MOST_READ = 64 << 10
"""Bytes of an answer."""


def post(  # noqa: PLR0917 - all of them are one POST
    channel: Posted, url: str, secret: str | None, message: Message, environ: Mapping[str, str], seconds: float
) -> None:
    """Post a message within so many seconds for each thing that the receiver does.

    Raises:
        AgainError: it may go better a little later.
        NotSentError: it was not taken.
    """
    try:
        import urllib3
    except ImportError:
        raise NotSentError("urllib3 is not installed", hint="pip install 'provision-gpu[notify]'") from None
    wanted = request(channel, url, secret, message, time.time())
    timeout = urllib3.Timeout(connect=min(CONNECT, seconds), read=seconds)
    try:
        with _pool(url, environ) as pool:
            answer = pool.request(
                "POST",
                wanted.url,
                body=wanted.body,
                headers=wanted.headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                body = answer.read(MOST_READ, decode_content=False)
            finally:
                answer.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # No text of theirs: they hold the URL.
        raise _told(error) from None
    check(channel, answer.status, body, answer.headers.get("Retry-After"))


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the proxy that the environment has for a URL; what is on this machine is asked without one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    low = {key.lower(): value for key, value in environ.items() if key.lower().endswith("_proxy") and value}
    low |= {key: value for key, value in environ.items() if key.endswith("_proxy") and value}
    if loopback(host) or urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined] # typeshed lacks it
        host, {"no": low.get("no_proxy", "")}
    ):
        return None
    return low.get(f"{parts.scheme}_proxy") or low.get("all_proxy")


def _pool(url: str, environ: Mapping[str, str]) -> urllib3.PoolManager:
    import urllib3

    proxy = proxy_for(url, environ)
    if proxy is None:
        return urllib3.PoolManager()
    address = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"}:
        raise NotSentError(f"the proxy is of the kind '{parts.scheme[:10]}', and only http and https are known here")
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return urllib3.ProxyManager(address, proxy_headers=urllib3.make_headers(proxy_basic_auth=login))


_Kinds: TypeAlias = "tuple[tuple[tuple[type[BaseException], ...], type[NotSentError], str], ...]"


def _told(error: BaseException) -> NotSentError:
    import urllib3.exceptions as known

    kinds: _Kinds = (
        ((known.SSLError,), NotSentError, "its certificate is not to be trusted, or it speaks no TLS"),
        ((known.ProxyError,), AgainError, "the proxy does not let us through"),
        ((known.NameResolutionError,), AgainError, "its name is not known"),
        ((known.NewConnectionError, ConnectionRefusedError), AgainError, "no connection"),
        ((known.TimeoutError, TimeoutError), AgainError, "no answer in time"),
        ((known.LocationValueError, ValueError), NotSentError, "its URL cannot be used"),
    )
    for classes, kind, text in kinds:
        if isinstance(error, classes):
            return kind(text)
    return AgainError("the connection broke, or what came back is no HTTP")
