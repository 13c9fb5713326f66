"""Files for a host's cache: downloaded there, or by us and sent; never anything whose checksum is wrong."""

from __future__ import annotations

import hashlib
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from provision.engine.perform import Performer
from provision.engine.stop import Stop
from provision.errors import LinkLostError, StepFailedError
from provision.events import CommandRan, Note, StepOutput
from provision.model.plan import Fetch, Program, Step
from tests.unit.engine.model_host import STATE, ModelHost
from tests.unit.engine.model_link import ModelLink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.events import Event

CONTENT = b"#!/bin/sh\necho an installer\n" * 100
SHA = hashlib.sha256(CONTENT).hexdigest()
NAME = "Installer.sh"
NO_WAY_OUT = {"fetch.sh": (69, "failed with code 7\n")}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class Served(http.server.BaseHTTPRequestHandler):
    """Serves the installer, or an error, and counts."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = CONTENT if self.path == f"/{NAME}" else b"<html>log in</html>"
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Served.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Served) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def bring(
    host: ModelHost, *urls: str, sha256: str | None = SHA, local: str | None = None, link: ModelLink | None = None
) -> tuple[list[Event], list[str]]:
    events: list[Event] = []
    pins: list[str] = []
    performer = Performer(link or ModelLink(host), events.append, Stop(), state_dir=STATE, regain=lambda: None)
    performer.perform(Step("download", "because", Fetch(urls, sha256, NAME, STATE, local=local, pin=pins.append)))
    return events, pins


def test_the_host_downloads_it_itself_where_it_can() -> None:
    host = ModelHost()
    _, pins = bring(host, "https://files.example/x")
    assert host.cache == {SHA}
    assert pins == []
    assert "receive.sh" not in host.ran


def test_the_first_use_of_an_unknown_checksum_is_pinned_by_what_the_host_got() -> None:
    host = ModelHost()
    _, pins = bring(host, "https://files.example/x", sha256=None)
    assert pins == ["ab" * 32]


def test_a_host_without_a_way_out_gets_it_from_us(url: str) -> None:
    host = ModelHost(breaks=dict(NO_WAY_OUT))
    events, _ = bring(host, f"{url}/{NAME}")
    assert host.cache == {SHA}
    assert StepOutput("the host has no way out: fetching it here, and sending it") in events


def test_it_is_fetched_by_us_once_for_all_hosts(url: str) -> None:
    for _ in range(3):
        bring(ModelHost(breaks=dict(NO_WAY_OUT)), f"{url}/{NAME}")
    assert Served.asked == [f"/{NAME}"]


def test_it_is_fetched_by_us_once_for_all_hosts_without_a_checksum_too(url: str) -> None:
    for _ in range(3):
        _, pins = bring(ModelHost(breaks=dict(NO_WAY_OUT)), f"{url}/{NAME}", sha256=None)
        assert pins == [SHA]
    assert Served.asked == [f"/{NAME}"]


def test_what_an_earlier_run_left_is_not_taken_without_a_checksum(url: str, tmp_path: Path) -> None:
    (tmp_path / "cache/provision").mkdir(parents=True)
    (tmp_path / "cache/provision" / NAME).write_bytes(b"#!/bin/sh\nanother\n")
    _, pins = bring(ModelHost(breaks=dict(NO_WAY_OUT)), f"{url}/{NAME}", sha256=None)
    assert pins == [SHA]


def test_the_address_that_served_and_why_the_others_did_not_is_told() -> None:
    said = f"download u\nnot from u: 404\ndownload v\nwrong content from v: sha256 00\ntaken from w\nsha256 {SHA}\n"
    events, _ = bring(ModelHost(breaks={"fetch.sh": (0, said)}), "u", "v", "w")
    assert Note(f"{NAME} came from w (not from u: 404; wrong content from v: sha256 00)") in events
    events, _ = bring(ModelHost(breaks={"fetch.sh": (0, f"taken from u\nsha256 {SHA}\n")}), "u")
    assert not any(isinstance(one, Note) for one in events)


def test_only_the_last_word_on_the_checksum_is_the_scripts() -> None:
    said = f"not from u: 404 \rsha256 {'0' * 64}\ntaken from v\nsha256 {SHA}\n"
    _, pins = bring(ModelHost(breaks={"fetch.sh": (0, said)}), "u", "v", sha256=None)
    assert pins == [SHA]


def test_what_the_host_said_stands_behind_the_error(url: str) -> None:
    with pytest.raises(StepFailedError) as caught:
        bring(ModelHost(breaks={"fetch.sh": (69, "not from x: no trust\n")}), f"{url}/gone")
    assert "404" in caught.value.message
    assert "not from x: no trust" in (caught.value.detail or "")


def test_the_next_address_is_tried_where_one_is_gone_or_answers_something_else(url: str) -> None:
    host = ModelHost(breaks=dict(NO_WAY_OUT))
    bring(host, f"{url}/gone", f"{url}/login", f"{url}/{NAME}")
    assert Served.asked == ["/gone", "/login", f"/{NAME}"]
    assert host.cache == {SHA}


def test_a_wrong_content_is_never_sent_and_does_not_stay(url: str, tmp_path: Path) -> None:
    host = ModelHost(breaks=dict(NO_WAY_OUT))
    with pytest.raises(StepFailedError) as caught:
        bring(host, f"{url}/login")
    assert host.cache == set()
    assert "sha256" in caught.value.message
    assert SHA in caught.value.message
    assert list((tmp_path / "cache").rglob("*.part")) == []


def test_nothing_but_http_is_fetched_by_us() -> None:
    with pytest.raises(StepFailedError, match="not an http"):
        bring(ModelHost(breaks=dict(NO_WAY_OUT)), "file:///etc/passwd")


def test_a_wrong_content_on_the_host_is_explained() -> None:
    said = f"download u\nwrong content from u: sha256 00, expected {SHA}\n"
    with pytest.raises(StepFailedError) as caught:
        bring(ModelHost(breaks={"fetch.sh": (65, said)}), "https://files.example/x")
    assert f"wrong content from u: sha256 00, expected {SHA}" in caught.value.message
    assert caught.value.hint is not None
    assert "login page" in caught.value.hint


def test_a_local_file_is_checked_before_anything_is_sent(tmp_path: Path) -> None:
    mine = tmp_path / "mine.sh"
    mine.write_bytes(CONTENT)
    host = ModelHost()
    bring(host, local=str(mine))
    assert host.cache == {SHA}
    host = ModelHost()
    with pytest.raises(StepFailedError, match="its sha256 is"):
        bring(host, sha256="0" * 64, local=str(mine))
    assert host.ran == []
    with pytest.raises(StepFailedError, match="No such file"):
        bring(host, local=str(tmp_path / "none.sh"))


def test_a_local_file_without_a_checksum_is_pinned_at_its_first_use(tmp_path: Path) -> None:
    mine = tmp_path / "mine.sh"
    mine.write_bytes(CONTENT)
    _, pins = bring(ModelHost(), sha256=None, local=str(mine))
    assert pins == [SHA]


@pytest.mark.parametrize(("losses", "survives"), [(1, True), (2, True), (3, False)])
def test_sending_begins_anew_after_a_lost_link(tmp_path: Path, losses: int, survives: bool) -> None:
    mine = tmp_path / "mine.sh"
    mine.write_bytes(CONTENT)
    host = ModelHost()
    link = ModelLink(host)

    def cut(_number: int, program: Program) -> str | None:
        return "before" if program.script == "receive.sh" and link.commands <= losses else None

    link.cut = cut
    if survives:
        events, _ = bring(host, local=str(mine), link=link)
        assert host.cache == {SHA}
        assert sum(isinstance(one, CommandRan) and one.code is None for one in events) == losses
    else:
        with pytest.raises(LinkLostError):
            bring(host, local=str(mine), link=link)
