"""fetch.sh with the download tools that hosts have: resumed, checked, in place by one rename."""

from __future__ import annotations

import hashlib
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from provision.remote import catalogue
from tests.scripts.shells import WITHOUT_TOOLS, mode, names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scripts.shells import Ended, HostOfOneShell

CONTENT = bytes(range(256)) * 2000
SHA = hashlib.sha256(CONTENT).hexdigest()
NAME = "Installer.sh"
NEEDED = ("sh", "mkdir", "rm", "mv", "cut", "sha256sum", "df", "tail", "tr", "sync", "head", "cat")


class Server(http.server.ThreadingHTTPServer):
    """Remembers what was asked."""

    asked: list[tuple[str, str | None]]


class Served(http.server.BaseHTTPRequestHandler):
    """Serves the file, whole or from an offset."""

    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        body = CONTENT if self.path == "/good" else b"<html>log in</html>"
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.path == "/gone" or start > len(body):
            self.send_response(404 if self.path == "/gone" else 416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Served) as found:
        found.asked = []
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_waiting(host: HostOfOneShell) -> None:
    host.stand_in("sleep", "exit 0")


def fetch(host: HostOfOneShell, server: Server, *paths: str, sha256: str | None = SHA) -> Ended:
    urls = [one if "://" in one else f"http://127.0.0.1:{server.server_port}{one}" for one in paths]
    return host.run(catalogue.fetch(str(host.state), NAME, sha256, urls))


def kept(host: HostOfOneShell) -> set[str]:
    return names(host.state / "cache")


def part(host: HostOfOneShell, content: bytes, name: str = NAME) -> None:
    cache = host.state / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"{name}.part").write_bytes(content)


def test_the_file_is_kept_under_its_checksum_for_the_user_alone(host: HostOfOneShell, server: Server) -> None:
    ended = fetch(host, server, "/good")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"sha256 {SHA}".encode())
    assert kept(host) == {SHA}
    assert (mode(host.state / "cache"), mode(host.state / "cache" / SHA)) == (0o700, 0o600)


def test_what_is_there_and_whole_is_not_downloaded_again(host: HostOfOneShell, server: Server) -> None:
    fetch(host, server, "/good")
    server.asked.clear()
    assert fetch(host, server, "/good").code == 0
    assert server.asked == []
    (host.state / "cache" / SHA).write_bytes(b"damaged since")
    assert fetch(host, server, "/good").code == 0
    assert (host.state / "cache" / SHA).read_bytes() == CONTENT


def test_a_download_is_resumed_where_it_stopped(host: HostOfOneShell, server: Server) -> None:
    part(host, CONTENT[:1000])
    assert fetch(host, server, "/good").code == 0
    assert server.asked == [("/good", "bytes=1000-")]


@pytest.mark.parametrize("left", [b"X" * 1000, CONTENT + b"longer"], ids=["of another file", "longer than the whole"])
def test_a_partial_file_that_does_not_fit_is_replaced(host: HostOfOneShell, server: Server, left: bytes) -> None:
    part(host, left)
    assert fetch(host, server, "/good").code == 0
    assert (host.state / "cache" / SHA).read_bytes() == CONTENT


def test_partial_files_of_other_names_are_swept_away(host: HostOfOneShell, server: Server) -> None:
    part(host, b"old", "Older.sh")
    fetch(host, server, "/good")
    assert kept(host) == {SHA}


def test_a_wrong_content_is_told_and_never_kept(host: HostOfOneShell, server: Server) -> None:
    ended = fetch(host, server, "/login")
    assert ended.code == 65
    assert f"expected {SHA}".encode() in ended.out
    assert kept(host) == set()


def test_the_next_address_is_tried(host: HostOfOneShell, server: Server) -> None:
    assert fetch(host, server, "/gone", "/login", "/good").code == 0
    assert kept(host) == {SHA}


def test_no_server_is_no_way_out(host: HostOfOneShell, server: Server) -> None:
    assert fetch(host, server, "http://127.0.0.1:9/x", "/gone").code == 69


def test_without_a_checksum_the_first_use_tells_it_and_nothing_is_resumed(host: HostOfOneShell, server: Server) -> None:
    part(host, CONTENT[:1000])
    ended = fetch(host, server, "/good", sha256=None)
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"sha256 {SHA}".encode())
    assert server.asked == [("/good", None)]


def test_a_full_disk_is_told_and_nothing_is_left(host: HostOfOneShell, server: Server) -> None:
    host.stand_in("curl", "exit 23")
    host.stand_in("df", "printf 'F 1024-blocks U A C M\\n/dev/x 9 9 17 99%% /\\n'")
    part(host, b"half")
    ended = fetch(host, server, "/good")
    assert ended.code == 73
    assert b"No space left on device" in ended.out
    assert kept(host) == set()


@pytest.mark.parametrize("host", WITHOUT_TOOLS, indirect=True)
@pytest.mark.parametrize("tool", ["curl", "wget", "python3", None])
def test_any_of_the_tools_serves(host: HostOfOneShell, server: Server, tool: str | None) -> None:
    host.only(*NEEDED)
    if tool == "python3":
        import sys

        (host.tools / "python3").symlink_to(sys.executable)
    elif tool:
        host.only(tool)
    assert fetch(host, server, "/good").code == (0 if tool else 69)
    part(host, CONTENT[:5000])
    (host.state / "cache" / SHA).unlink(missing_ok=True)
    assert fetch(host, server, "/good").code == (0 if tool else 69)
    if tool:
        assert (host.state / "cache" / SHA).read_bytes() == CONTENT
        assert server.asked[-1] == ("/good", "bytes=5000-")


@pytest.mark.parametrize("host", WITHOUT_TOOLS, indirect=True)
@pytest.mark.parametrize("said", ["GNU Wget2 2.1.0 - multithreaded metalink/file/website downloader", ""])
def test_a_wget_of_another_kind_is_not_asked(host: HostOfOneShell, server: Server, said: str) -> None:
    host.only(*NEEDED)
    host.stand_in("wget", f"[ \"$1\" = --version ] || exit 0\n[ -n '{said}' ] || exit 1\necho '{said}'")
    ended = fetch(host, server, "/good")
    assert (ended.code, server.asked) == (69, [])
    assert b"no curl, wget or python3" in ended.out


def test_an_empty_partial_file_is_not_left(host: HostOfOneShell, server: Server) -> None:
    host.stand_in("curl", "exit 7")
    part(host, b"")
    assert fetch(host, server, "/good").code == 69
    assert kept(host) == set()
