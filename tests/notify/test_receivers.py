"""Receivers that are slow, broken or hostile: a line says so, without a secret, and nothing waits for long."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from provision.errors import ProvisionError
from provision.notify import sending
from provision.notify.post import proxy_for
from provision.notify.sending import notify
from tests.notify.receivers import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "7e6d5c4b3a29181706f5e4d3c2b1a090"


@pytest.fixture
def send(environ: dict[str, str], project: Callable[[str], Path]) -> Callable[..., str | None]:
    """Send one notice; return what went wrong."""

    def tell(receiver: Receiver, kind: str = "slack", scheme: str = "http") -> str | None:
        root = project(f"  ops: {{kind: {kind}, url: '${{PROVISION_NOTIFY_URL}}'}}\n")
        environ["PROVISION_NOTIFY_URL"] = receiver.url(f"/services/{TOKEN}?key={TOKEN}").replace("http", scheme, 1)
        try:
            notify(environ, root, "failure", "gpu-box", "it failed", f"{time.monotonic()}")
        except ProvisionError as error:
            said = f"{error.message} {error.hint} {error.detail}"
            assert TOKEN not in said
            assert TOKEN[:8] not in said
            return error.message
        return None

    return tell


def test_a_receiver_that_comes_back_gets_it_with_the_same_id(send: Callable[..., str | None]) -> None:
    with receiving(Receiver(answers=[(500, b""), (429, b""), (200, b"")])) as receiver:
        assert send(receiver, "webhook") is None
    assert len(receiver.got) == 3


def test_a_receiver_that_stays_broken_is_given_up_after_three_attempts(send: Callable[..., str | None]) -> None:
    with receiving(Receiver(answers=[(503, b"down")])) as receiver:
        assert send(receiver) == "notify.ops (slack): HTTP 503: down"
    assert len(receiver.got) == 3


def test_a_receiver_that_refuses_is_asked_once(send: Callable[..., str | None]) -> None:
    with receiving(Receiver(answers=[(404, b"no_service")])) as receiver:
        assert send(receiver) == "notify.ops (slack): HTTP 404: no_service"
    assert len(receiver.got) == 1


def test_no_redirect_is_followed(send: Callable[..., str | None]) -> None:
    with receiving() as other, receiving(Receiver(answers=[(307, b"")], headers={"Location": other.url("/x")})) as one:
        said = send(one)
    assert said is not None
    assert "redirect" in said
    assert len(one.got) == 1
    assert other.got == []


@pytest.mark.parametrize("kind", ["feishu", "dingtalk", "wecom"])
@pytest.mark.parametrize("answer", [b"", b"<html>", b"[1]", b"{}", b"[" * 60_000, b"\xff\xfe", b'{"code":false}'])
def test_an_answer_that_is_no_yes_is_a_failure(send: Callable[..., str | None], kind: str, answer: bytes) -> None:
    with receiving(Receiver(answers=[(200, answer)])) as receiver:
        assert send(receiver, kind) is not None


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("feishu", b'{"code":19021,"msg":"sign match fail"}', "it says 19021: sign match fail"),
        (
            "dingtalk",
            b'{"errcode":310000,"errmsg":"keywords not in content"}',
            "it says 310000: keywords not in content",
        ),
        ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}', "it says 93000: invalid webhook url"),
    ],
)
def test_a_refusal_below_http_200_is_a_failure(
    send: Callable[..., str | None], kind: str, answer: bytes, said: str
) -> None:
    with receiving(Receiver(answers=[(200, answer)])) as receiver:
        assert send(receiver, kind) == f"notify.ops ({kind}): {said}"


def test_what_a_receiver_sends_back_shows_no_secret_and_no_escape(send: Callable[..., str | None]) -> None:
    echo = f"\x1b[31mno /services/{TOKEN}?key={TOKEN}".encode()
    with receiving(Receiver(answers=[(400, echo)])) as receiver:
        said = send(receiver)
    assert said is not None
    assert "\x1b" not in said
    assert "***" in said


@pytest.mark.parametrize(
    "raw", [b"", b"\x00garbage", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_garbage_in_the_place_of_http_is_a_failure(send: Callable[..., str | None], raw: bytes) -> None:
    with receiving(Receiver(raw=raw)) as receiver:
        assert send(receiver, "wecom") is not None


def test_an_answer_that_would_unfold_to_a_gigabyte_is_not_unfolded(send: Callable[..., str | None]) -> None:
    packed = gzip.compress(b"0" * 50_000_000)
    with receiving(Receiver(answers=[(200, packed)], headers={"Content-Encoding": "gzip"})) as receiver:
        assert send(receiver, "wecom") is not None


def test_nobody_there_is_a_line(send: Callable[..., str | None]) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        said = send(Receiver(port=reserved.getsockname()[1]))
    assert said == "notify.ops (slack): no connection"


def test_a_slow_receiver_is_left_at_the_deadline(
    send: Callable[..., str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "DEADLINE", 0.5)
    with receiving(Receiver(seconds=5)) as receiver:
        said = send(receiver)
    assert said in {"notify.ops (slack): no answer in time", "notify.ops (slack): no answer within 0.5 s"}


def test_a_receiver_that_asks_for_an_hour_is_given_up(send: Callable[..., str | None]) -> None:
    with receiving(Receiver(answers=[(429, b"")], headers={"Retry-After": "3600"})) as receiver:
        assert send(receiver) == "notify.ops (slack): HTTP 429"
    assert len(receiver.got) == 1


def test_a_certificate_that_nobody_signed_is_not_trusted(send: Callable[..., str | None], tmp_path: Path) -> None:
    import subprocess

    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"]
    subprocess.run([*words, *made, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with receiving(context=context) as receiver:
        said = send(receiver, scheme="https")
    assert said == "notify.ops (slack): its certificate is not to be trusted, or it speaks no TLS"
    assert receiver.got == []


def test_a_dead_channel_does_not_keep_a_good_one_from_its_message(
    environ: dict[str, str], project: Callable[[str], Path]
) -> None:
    with receiving(Receiver(answers=[(404, b"")])) as dead, receiving() as good:
        root = project(
            f"  a: {{kind: webhook, url: '{dead.url('/')}'}}\n  b: {{kind: webhook, url: '{good.url('/')}'}}\n"
        )
        with pytest.raises(ProvisionError, match=r"notify\.a \(webhook\): HTTP 404"):
            notify(environ, root, "drift", "gpu-box", "pip install", "k")
        notify(environ, root, "drift", "gpu-box", "pip install", "k")
    assert len(good.got) == len(dead.got) == 1


def test_the_proxy_of_the_environment_is_asked_but_for_this_machine_and_no_proxy() -> None:
    environ = {"HTTPS_PROXY": "http://198.18.0.9:3128", "no_proxy": "inner.example"}
    assert proxy_for("https://hooks.example/x", environ) == "http://198.18.0.9:3128"
    assert proxy_for("https://a.inner.example/x", environ) is None
    assert proxy_for("https://127.0.0.1/x", environ) is None
    assert proxy_for("http://hooks.example/x", environ) is None
    assert proxy_for("http://hooks.example/x", {"all_proxy": "p:1"}) == "p:1"


def test_a_request_goes_through_the_proxy(environ: dict[str, str], project: Callable[[str], Path]) -> None:
    with receiving() as proxy:
        environ["http_proxy"] = proxy.url("")
        root = project("  ops: {kind: webhook, url: 'http://hooks.example/in', insecure: true}\n")
        notify(environ, root, "job", "gpu-box", "ended well", "k")
    assert proxy.got[0].path == "http://hooks.example/in"
    assert json.loads(proxy.got[0].body)["data"]["kind"] == "job"
