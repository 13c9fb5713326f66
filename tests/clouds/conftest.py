"""No test here may reach anything but loopback; credentials are those of stand-ins."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.clouds.stand_ins import KEY, SECRET

if TYPE_CHECKING:
    from pathlib import Path


class OutsideError(AssertionError):
    """A test tried to reach a machine that is not this one."""


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.connect
    looking = socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1"}:
            raise OutsideError(f"a connection to {address}")
        return real(self, address)

    def look(host: Any, *arguments: Any, **words: Any) -> Any:
        if host not in {"127.0.0.1", "::1", "localhost", None, ""}:
            raise OutsideError(f"a look-up of {host}")
        return looking(host, *arguments, **words)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", look)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "ALIBABA_CLOUD_PROFILE", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTANDIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
