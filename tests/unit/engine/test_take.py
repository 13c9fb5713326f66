"""Downloads to this machine: resumed where a checksum will judge, given up where nothing comes, never led off https."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.engine import take as module
from provision.engine.take import take
from provision.errors import InterruptedRunError
from tests.lab.authority import Authority
from tests.lab.webserver import Fault, WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 800
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)
    return folder


@pytest.fixture
def plain(folder: Path) -> Iterator[WebServer]:
    server = WebServer(folder, "127.0.0.1")
    yield server
    server.close()


@pytest.fixture
def secure(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    authority = Authority.make(tmp_path / "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    server = WebServer(folder, "127.0.0.1", authority.serve_as("127.0.0.1"))
    yield server
    server.close()


def bring(url: str, path: Path, *, resume: bool = True) -> bytes:
    take(url, path, resume=resume, pulse=lambda: None)
    return path.read_bytes()


def test_a_redirect_from_https_is_followed_to_https_alone(secure: WebServer, plain: WebServer, tmp_path: Path) -> None:
    secure.fault("/moved", Fault(location=f"{secure.url}/file"))
    assert bring(f"{secure.url}/moved", tmp_path / "part") == CONTENT
    secure.fault("/moved", Fault(location=f"{plain.url}/back"))
    plain.fault("/back", Fault(location=f"{secure.url}/file"))
    with pytest.raises(ValueError, match="not https"):
        bring(f"{secure.url}/moved", tmp_path / "part")
    assert plain.requests.total() == 0


def test_a_redirect_from_http_to_http_is_followed(plain: WebServer, tmp_path: Path) -> None:
    plain.fault("/moved", Fault(location=f"{plain.url}/file"))
    assert bring(f"{plain.url}/moved", tmp_path / "part") == CONTENT


def test_a_server_that_is_not_trusted_is_refused(
    secure: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority.make(tmp_path / "other").path))
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        bring(f"{secure.url}/file", tmp_path / "part")
    assert secure.requests.total() == 0


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_transfer_is_taken_up(plain: WebServer, tmp_path: Path, ranges: bool) -> None:
    plain.fault("/file", Fault(truncate_at=HALF, ranges=ranges, times=1))
    assert bring(f"{plain.url}/file", tmp_path / "part") == CONTENT
    assert plain.ranges == [f"bytes={HALF}-"]


def test_a_server_without_ranges_sends_it_anew(plain: WebServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT[:HALF])
    plain.fault("/file", Fault(ranges=False))
    assert bring(f"{plain.url}/file", tmp_path / "part") == CONTENT


def test_what_came_beyond_the_end_is_replaced(plain: WebServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT + b"more")
    assert bring(f"{plain.url}/file", tmp_path / "part") == CONTENT


def test_nothing_is_put_together_where_no_checksum_would_judge(plain: WebServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT[:HALF])
    plain.fault("/file", Fault(truncate_at=HALF, times=1))
    assert bring(f"{plain.url}/file", tmp_path / "part", resume=False) == CONTENT
    assert plain.ranges == []


def test_a_server_that_always_cuts_is_left_after_three_attempts(plain: WebServer, tmp_path: Path) -> None:
    plain.fault("/file", Fault(truncate_at=10))
    with pytest.raises(ValueError, match="cut short"):
        bring(f"{plain.url}/file", tmp_path / "part")
    assert plain.requests["/file"] == 3


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (503, 3), (429, 3)])
def test_a_refusal_is_final_and_a_busy_server_is_asked_again(
    plain: WebServer, tmp_path: Path, status: int, asked: int
) -> None:
    plain.fault("/file", Fault(status=status))
    with pytest.raises((OSError, ValueError), match=str(status)):
        bring(f"{plain.url}/file", tmp_path / "part")
    assert plain.requests["/file"] == asked


@pytest.mark.parametrize(
    ("fault", "words"), [(Fault(stall_at=10), "timed out"), (Fault(drip=0.02), "less than 2048 bytes a second")]
)
def test_a_server_that_hardly_sends_is_given_up(
    plain: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, words: str
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    plain.fault("/file", fault)
    with pytest.raises((OSError, ValueError), match=words):
        bring(f"{plain.url}/file", tmp_path / "part")


def test_a_run_that_must_end_now_ends_in_the_middle_of_a_transfer(plain: WebServer, tmp_path: Path) -> None:
    def pulse() -> None:
        raise InterruptedRunError("stopped")

    with pytest.raises(InterruptedRunError):
        take(f"{plain.url}/file", tmp_path / "part", resume=True, pulse=pulse)
    assert plain.requests["/file"] == 1
