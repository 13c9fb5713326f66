"""The page from its own server: who is answered, with what, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provision.ledger.rows import HostState
from provision.page.server import Served
from tests.page.ledgers import environ, on, run, write
from tests.page.sample import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.page.fleet import Fleet
    from tests.page.browser import Browser

__all__ = ["environ"]
REPOSITORY = Path(__file__).parents[2]
TOKEN = "T0ken-of_this-test"
HOST = "127.0.0.1:8000"


class Desk:
    """An application, and what it is asked."""

    def __init__(self, one: Fleet) -> None:
        self.fleet, self.version, self.reads = one, "1", 0
        self.app = Served(self._read, lambda: self.version, TOKEN, frozenset({HOST}))

    def _read(self) -> Fleet:
        self.reads += 1
        return self.fleet

    def ask(
        self, path: str, host: str | None = HOST, method: str = "GET", **more: str
    ) -> tuple[str, dict[str, str], bytes]:
        told: list[Any] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            **({"HTTP_HOST": host} if host is not None else {}),
            **more,
        }
        body = b"".join(self.app(environ, lambda *values: told.extend(values)))
        return told[0], dict(told[1]), body


@pytest.fixture
def desk() -> Desk:
    return Desk(replace(fleet(3), runs=(), steps=(), jobs=()))


def test_who_has_the_token_gets_the_page_and_its_data(desk: Desk) -> None:
    status, headers, body = desk.ask(f"/{TOKEN}/")
    assert (status, headers["Content-Type"]) == ("200 OK", "text/html; charset=utf-8")
    assert b'"live":true' in body
    status, headers, body = desk.ask(f"/{TOKEN}/data.json")
    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    assert [one["name"] for one in json.loads(body)["hosts"]] == ["aws-000", "ali-001", "gcp-002"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        f"/{TOKEN}",
        f"/{TOKEN[:-1]}/",
        f"/{TOKEN}x/data.json",
        f"//{TOKEN}/",
        f"/{TOKEN}/other",
        f"/{TOKEN}/../{TOKEN}/",
        "/é/",
    ],
)
def test_who_has_not_gets_nothing(desk: Desk, path: str) -> None:
    status, _, body = desk.ask(path)
    assert (status, body) == ("404 Not Found", b"not found\n")
    assert desk.reads == 0


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "", None])
def test_a_name_that_somebody_else_points_here_gets_nothing(desk: Desk, host: str | None) -> None:
    assert desk.ask(f"/{TOKEN}/", host)[0].startswith("421")
    assert desk.reads == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(desk: Desk, method: str) -> None:
    status, headers, _ = desk.ask(f"/{TOKEN}/", method=method)
    assert (status, headers["Allow"]) == ("405 Method Not Allowed", "GET, HEAD")


def test_a_head_has_the_headers_alone(desk: Desk) -> None:
    status, headers, body = desk.ask(f"/{TOKEN}/", method="HEAD")
    assert (status, body) == ("200 OK", b"")
    assert int(headers["Content-Length"]) > 1000


def test_every_answer_keeps_the_address_secret_and_the_page_to_itself(desk: Desk) -> None:
    for path in (f"/{TOKEN}/", f"/{TOKEN}/data.json", "/"):
        headers = desk.ask(path)[1]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_data_is_sent_and_read_again_only_when_something_was_written(desk: Desk) -> None:
    _, headers, _ = desk.ask(f"/{TOKEN}/data.json")
    again = {"HTTP_IF_NONE_MATCH": headers["ETag"]}
    assert desk.ask(f"/{TOKEN}/data.json", **again)[0] == "304 Not Modified"
    assert desk.reads == 1
    desk.version = "2"
    assert desk.ask(f"/{TOKEN}/data.json", **again)[0] == "200 OK"
    assert desk.reads == 2


@pytest.mark.xdist_group("browser")
@pytest.mark.timeout(120)
def test_an_open_page_shows_by_itself_what_a_run_brings(
    browser: Browser, served: subprocess.Popen[str], environ: dict[str, str]
) -> None:
    assert served.stdout is not None
    address = served.stdout.readline().strip()
    rows = "document.querySelectorAll('#fleet-table tbody tr').length"
    browser.open(address)
    assert browser.run(rows) == 0
    browser.run("document.getElementById('fleet-search').focus()")
    browser.send("Input.insertText", text="box")
    for number, name in enumerate(("box-1", "other", "box-2"), 1):
        write(environ, run(name, time.time(), "page"), on(name, time.time(), name), HostState(name, time.time(), name))
        if name != "other":
            browser.wait(f"{rows} === {(number + 1) // 2}")
    assert browser.run("document.activeElement.id + document.activeElement.value") == "fleet-searchbox"
    assert browser.console == []
    assert {one for one in browser.requests if not one.startswith("data:")} == {address, f"{address}data.json"}
    served.send_signal(signal.SIGINT)
    assert served.wait(30) == 0, "an open page keeps it from nothing"
    browser.wait("document.getElementById('as-of').textContent.startsWith('The server has ended')")
    assert browser.run(rows) == 2


@pytest.fixture
def served(tmp_path: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "environment.yml").write_text("name: page\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "provision", "report", "--serve"],
        cwd=folder,
        env={**environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_on_this_machine_alone_and_ends_well_when_interrupted(
    served: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert served.stdout is not None
    address = served.stdout.readline().strip()
    scheme, _, rest = address.partition("://")
    here, _, path = rest.partition("/")
    name, _, port = here.partition(":")
    assert (scheme, name) == ("http", "127.0.0.1")
    assert len(path) > 30
    connection = http.client.HTTPConnection(name, int(port), timeout=20)
    connection.request("GET", f"/{path}data.json")
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["hosts"] == []
    assert answer.getheader("Server") is None
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.2", int(port), timeout=20).request("GET", "/")
    served.send_signal(number)
    out, err = served.communicate(timeout=30)
    assert (served.returncode, out) == (0, "")
    assert "Traceback" not in err
