"""Each receiver gets the message in its own words, and signed as its vendor's pages say.

The seals are made by the openssl program, not by the library that the product uses.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from provision.notify.sending import notify
from tests.notify.receivers import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "SEC0f1e2d3c4b5a69788796a5b4c3d2e1f0"
TOKEN = "7e6d5c4b3a29181706f5e4d3c2b1a090"
OK = {"slack": b"ok", "webhook": b"", "feishu": b'{"code":0,"msg":"success"}'}
FINE = b'{"errcode":0,"errmsg":"ok"}'


def seal(key: bytes, text: bytes) -> str:
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"],
        input=text,
        capture_output=True,
        check=True,
    )
    return base64.b64encode(done.stdout).decode()


@pytest.fixture
def told(environ: dict[str, str], project: Callable[[str], Path]) -> Callable[..., Receiver]:
    def tell(kind: str, text: str = "out of memory", *, secret: str | None = KEY, host: str = "gpu-box") -> Receiver:
        with receiving(Receiver(answers=[(200, OK.get(kind, FINE))])) as receiver:
            signed = ", secret: '${PROVISION_NOTIFY_KEY}'" if secret else ""
            root = project(f"  ops: {{kind: {kind}, url: '${{PROVISION_NOTIFY_URL}}'{signed}}}\n")
            where = receiver.url(f"/send?access_token={TOKEN}")
            environ.update(PROVISION_NOTIFY_URL=where, PROVISION_NOTIFY_KEY=secret or "")
            notify(environ, root, "failure", host, text, "k")
        return receiver

    return tell


def test_a_webhook_is_signed_as_standard_webhooks_says(told: Callable[..., Receiver]) -> None:
    (got,) = told("webhook").got
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    assert got.headers["webhook-signature"] == f"v1,{seal(KEY.encode(), signed)}"
    assert abs(time.time() - int(got.headers["webhook-timestamp"])) < 60
    told_there = json.loads(got.body)
    assert told_there["type"] == "provision.failure"
    assert told_there["data"]["host"] == "gpu-box"
    assert told_there["data"]["project"] == "mymodel"
    assert told_there["data"]["text"] == "out of memory"


def test_a_key_that_begins_with_whsec_is_base64_behind_that(told: Callable[..., Receiver]) -> None:
    raw = bytes(range(32))
    (got,) = told("webhook", secret=f"whsec_{base64.b64encode(raw).decode()}").got
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    assert got.headers["webhook-signature"] == f"v1,{seal(raw, signed)}"


def test_a_webhook_without_a_key_is_not_signed(told: Callable[..., Receiver]) -> None:
    (got,) = told("webhook", secret=None).got
    assert not [one for one in got.headers if one.startswith("webhook-")]


def test_feishu_gets_the_seal_of_nothing_with_the_moment_and_the_secret_as_key(told: Callable[..., Receiver]) -> None:
    (got,) = told("feishu").got
    body = json.loads(got.body)
    assert body["sign"] == seal(f"{body['timestamp']}\n{KEY}".encode(), b"")
    assert abs(time.time() - int(body["timestamp"])) < 60
    assert body["msg_type"] == "text"
    assert "out of memory" in body["content"]["text"]


def test_dingtalk_gets_moment_and_seal_in_the_query(told: Callable[..., Receiver]) -> None:
    (got,) = told("dingtalk").got
    query = {key: value[0] for key, value in parse_qs(urlsplit(got.path).query).items()}
    assert query["access_token"] == TOKEN
    assert query["sign"] == seal(KEY.encode(), f"{query['timestamp']}\n{KEY}".encode())
    assert abs(time.time() * 1000 - int(query["timestamp"])) < 60_000
    assert "out of memory" in json.loads(got.body)["text"]["content"]


@pytest.mark.parametrize("kind", ["slack", "wecom"])
def test_slack_and_wecom_get_text_and_no_seal(told: Callable[..., Receiver], kind: str) -> None:
    (got,) = told(kind, secret=None).got
    body = json.loads(got.body)
    assert "out of memory" in (body["text"] if kind == "slack" else body["text"]["content"])
    assert "sign" not in got.path


@pytest.mark.parametrize("kind", ["slack", "feishu", "dingtalk", "wecom", "webhook"])
def test_hostile_text_is_cut_and_shown_escaped_and_calls_nobody(told: Callable[..., Receiver], kind: str) -> None:
    hostile = '\x1b]0;pwned\x07<!channel> <at user_id="all">all</at> <@all> @all \u202e\n' + "x" * 1_000_000
    (got,) = told(kind, hostile, secret=None, host="a\x1b[2J\n\ud800").got
    assert len(got.body) < 8000
    text = json.dumps(json.loads(got.body), ensure_ascii=False)
    assert "\x1b" not in text
    assert "\\\\x1b" in text
    assert "\u202e" not in text
    if kind == "wecom":
        assert len(json.loads(got.body)["text"]["content"].encode()) <= 2048
    if kind != "webhook":
        assert "<" not in text
    if kind not in {"webhook", "slack"}:
        assert "@" not in text
