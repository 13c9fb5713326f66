r"""What each kind of receiver wants to be sent, how it is signed, and what its answer means.

Sources, as they stood in November 2026:

- Webhook: the Standard Webhooks specification 1.0.0: headers ``webhook-id``, ``webhook-timestamp`` (seconds) and
  ``webhook-signature``: ``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``. A key that begins with ``whsec_``
  is base64 behind that.
- Slack: "Sending messages using incoming webhooks" and "Formatting text": ``&``, ``<`` and ``>`` are escaped; an answer
  of 200 is success, any other has a word such as ``no_service``.
- Feishu and Lark: "Custom bot usage guide": base64 of HMAC-SHA256 over nothing, with ``timestamp\nsecret`` (seconds)
  as the key; ``code`` 0 is success. The clocks may differ by an hour.
- DingTalk: "Custom robot security settings": base64 of HMAC-SHA256 over ``timestamp\nsecret`` (milliseconds) with the
  secret as the key, both in the query; ``errcode`` 0 is success. The clocks may differ by an hour.
- WeCom: "Group robot": a text of 2048 bytes at most; the key in the URL is all that it asks for; ``errcode`` 0 is
  success, 45009: too many messages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from provision import __version__
from provision.channels import DingTalk, Feishu, Slack, Webhook
from provision.notify.errors import AgainError, NotSentError

if TYPE_CHECKING:
    from provision.channels import Posted
    from provision.notify.message import Message

TOO_MANY = frozenset({45009, 130101, 11232, 9499})
"""Codes that ask us to come again later: WeCom's, DingTalk's, Feishu's."""
LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Request:
    """One POST."""

    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def request(channel: Posted, url: str, secret: str | None, message: Message, now: float) -> Request:
    """Return what to post, signed for this moment.

    Args:
        channel: What kind of receiver it is.
        url: Where to.
        secret: The key to sign with; ``None``: it is not signed.
        message: What to tell.
        now: Seconds since the epoch.
    """
    signed: dict[str, str] = {}
    if isinstance(channel, Webhook):
        body = _json(_told(message))
        if secret is not None:
            signed = webhook_headers(secret, message.id, int(now), body)
    elif isinstance(channel, Slack):
        body = _json({"text": _escaped(message.words)})
    elif isinstance(channel, Feishu):
        body = _json({**_feishu(secret, int(now)), "msg_type": "text", "content": {"text": _plain(message.words)}})
    else:
        body = _json({"msgtype": "text", "text": {"content": _plain(message.words)}})
        if isinstance(channel, DingTalk) and secret is not None:
            url = _with_query(url, dingtalk_query(secret, int(now * 1000)))
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"provision/{__version__}", **signed}
    return Request(url, body, headers)


def check(channel: Posted, status: int, body: bytes, after: str | None = None) -> None:
    """Return where the receiver took it.

    Args:
        channel: What kind of receiver it is.
        status: Of HTTP.
        body: The beginning of the answer.
        after: The header Retry-After.

    Raises:
        AgainError: it may take it later.
        NotSentError: it did not.
    """
    words = body[:200].decode("utf-8", "replace").strip()
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        raise NotSentError(f"HTTP {status}: it sends us elsewhere, and no redirect is followed")
    if status in LATER:
        seconds = float(after) if after and after.isascii() and after.isdigit() and len(after) < 6 else None  # noqa: PLR2004 - a day
        raise AgainError(f"HTTP {status}{_said(words)}", after=seconds)
    if not 200 <= status < 300:  # noqa: PLR2004 - success
        raise NotSentError(f"HTTP {status}{_said(words)}")
    if isinstance(channel, (Webhook, Slack)):
        return
    answer = _answer(body)
    code = next((answer[one] for one in ("errcode", "code", "StatusCode") if one in answer), None)
    if code == 0 and not isinstance(code, bool):
        return
    if code is None:
        raise NotSentError(f"its answer is none of {channel.kind}'s{_said(words)}")
    text = next((str(answer[one]) for one in ("errmsg", "msg", "StatusMessage") if one in answer), "")
    kind = AgainError if isinstance(code, int) and code in TOO_MANY else NotSentError
    raise kind(f"it says {str(code)[:20]}{_said(text[:200])}")


def webhook_headers(secret: str, message: str, now: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks; `now` is in seconds."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise NotSentError(f"the secret begins with {_PREFIX}, and what follows is not base64") from None
    seal = hmac.new(key, f"{message}.{now}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(seal).decode()}",
    }


def dingtalk_query(secret: str, now: int) -> dict[str, str]:
    """Return what is added to the query; `now` is in milliseconds."""
    seal = hmac.new(secret.encode(), f"{now}\n{secret}".encode(), hashlib.sha256).digest()
    return {"timestamp": str(now), "sign": base64.b64encode(seal).decode()}


def _feishu(secret: str | None, now: int) -> dict[str, str]:
    if secret is None:
        return {}
    seal = hmac.new(f"{now}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": str(now), "sign": base64.b64encode(seal).decode()}


def _told(message: Message) -> dict[str, Any]:
    return {
        "type": f"provision.{message.kind}",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(message.at)),
        "data": {
            "kind": message.kind,
            "host": message.host,
            "project": message.project,
            "title": message.title,
            "text": message.text,
        },
    }


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """Return a text that calls nobody: `<at user_id="all">` and `<@all>` would ring at everybody's."""
    return text.replace("<", "＜").replace("@", "＠")


def _with_query(url: str, more: dict[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(one for one in (parts.query, urlencode(more)) if one)))


def _answer(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _said(words: str) -> str:
    return f": {words}" if words else ""
