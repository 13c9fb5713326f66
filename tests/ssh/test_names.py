"""Names that resolve slowly, not at all, or to addresses of which some are dead."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from provision.errors import UnreachableError
from provision.ssh import names, profile
from provision.ssh.dial import SilentError, UnknownNameError, dial
from tests.ssh.reach import inventory
from tests.unit.cli.typed import Answer, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.unit.cli.typed import Desk


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Let every name resolve to these addresses, in their order."""
    real = socket.getaddrinfo

    def answer(name: str, port: int, *, type: int, flags: int) -> list[Any]:  # noqa: A002 - the name it has
        if flags & socket.AI_NUMERICHOST:
            return real(name, port, type=type, flags=flags)
        return [one for host, at in addresses for one in real(host, at, type=type)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@contextmanager
def answering(host: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        yield host, listening.getsockname()[1]


@contextmanager
def swallowing(host: str) -> Iterator[tuple[str, int]]:
    """Yield an address that answers nothing: its queue is full, so the system drops what comes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.bind((host, 0))
        listening.listen(0)
        where = listening.getsockname()[:2]
        fillers = []
        for _ in range(4):
            filler = socket.socket(family)
            filler.setblocking(False)
            filler.connect_ex(where)
            fillers.append(filler)
        time.sleep(0.1)
        yield where
        for one in fillers:
            one.close()


def closed() -> tuple[str, int]:
    with answering() as where:
        return where


def reached(name: str = "gpu.example") -> tuple[str, int]:
    with dial(name, 22) as sock:
        host, port, *_ = sock.getpeername()
        return str(host), int(port)


@pytest.mark.parametrize("dead", ["::1", "127.0.0.1"])
def test_a_silent_first_address_is_passed_by(dead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with swallowing(dead) as silent, answering() as good:
        resolving(monkeypatch, silent, good)
        assert reached() == good


def test_of_many_silent_addresses_of_a_family_the_other_family_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(profile, "CONNECT", 4.0)
    with swallowing("::1") as silent, answering() as good:
        real = socket.getaddrinfo(*silent, type=socket.SOCK_STREAM)[0]
        v4 = socket.getaddrinfo(*good, type=socket.SOCK_STREAM)[0]
        many = [(*real[:4], ("::1", silent[1], 0, scope)) for scope in range(6)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, flags, **__: _only_named(flags, [*many, v4]))
        assert reached() == good


def _only_named(flags: int, answer: list[Any]) -> list[Any]:
    if flags & socket.AI_NUMERICHOST:
        raise socket.gaierror(socket.EAI_NONAME, "not a number")
    return answer


def test_a_first_address_that_refuses_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as good:
        resolving(monkeypatch, closed(), good)
        assert reached() == good


def test_where_every_address_refuses_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, closed(), ("127.0.0.2", 1))
    with pytest.raises(UnreachableError, match="Connection refused") as caught:
        reached()
    assert "at any of its addresses 127.0.0.1, 127.0.0.2" in caught.value.message


def test_where_one_is_silent_and_the_others_refuse_the_limit_is_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "CONNECT", 1.5)
    with swallowing("127.0.0.1") as silent:
        resolving(monkeypatch, closed(), silent)
        with pytest.raises(SilentError, match="no answer within"):
            reached()


def test_an_ipv6_address_needs_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering("::1") as (host, port):
        monkeypatch.setattr(names, "RESOLVE", 0.0)
        with dial(host, port) as sock:
            assert sock.getpeername()[:2] == ("::1", port)


@pytest.mark.parametrize(
    ("code", "error"),
    [(socket.EAI_NONAME, UnknownNameError), (socket.EAI_AGAIN, SilentError), (socket.EAI_FAIL, SilentError)],
)
def test_only_an_answer_that_there_is_no_such_name_is_final(
    code: int, error: type[UnreachableError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "so it is")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(UnreachableError, match=r"gpu.example: the name cannot be resolved") as caught:
        dial("gpu.example", 22)
    assert caught.type is error


def test_a_name_that_cannot_be_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "RESOLVE", 20.0)
    with pytest.raises(UnreachableError, match="cannot be resolved"):
        dial("a..b", 22)


def test_network_errors_of_the_first_address_do_not_hide_the_refusal_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from provision.ssh import dial as module

    begin = module._begun

    def begun(family: int, where: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return begin(family, where)

    monkeypatch.setattr(module, "_begun", begun)
    resolving(monkeypatch, closed(), ("::1", 1))
    with pytest.raises(UnreachableError, match="Connection refused"):
        reached()


# -- as a user sees it, with a resolver of its own -----------------------------------------------------


def with_names(desk: Desk, folder: Path, files: dict[str, str], *words: str) -> Answer:
    """Type a command where these files stand below /etc."""
    binds = ""
    for name, text in files.items():
        (folder / name).write_text(text)
        binds += f"mount --bind {folder / name} /etc/{name}; "
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", f'{binds} exec "$@"', "sh", sys.executable, "-m", "provision", *words],
        cwd=desk.project,
        env=desk.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@contextmanager
def silent_name_server() -> Iterator[str]:
    """Yield a resolv.conf whose only server takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.53", 53))
        yield "nameserver 127.0.0.53\noptions timeout:30 attempts:3\n"


@pytest.mark.lab
@pytest.mark.timeout(120)
def test_a_name_server_that_never_answers_costs_its_host_ten_seconds_and_no_other(
    host: LabHost, desk: Desk, tmp_path: Path
) -> None:
    inventory(desk, host)
    document = json.loads((desk.project / "hosts.yaml").read_text())
    document["hosts"]["slow"] = {"address": "gpu.slow.example", "user": "x"}
    (desk.project / "hosts.yaml").write_text(json.dumps(document))
    with silent_name_server() as resolv:
        files = {"resolv.conf": resolv, "nsswitch.conf": "hosts: files dns\n"}
        began = time.monotonic()
        answer = with_names(desk, tmp_path, files, "exec", "all", "--json", "--", "hostname")
        assert time.monotonic() - began < 25
    hosts = decoded(answer.out)["hosts"]
    assert hosts["box"]["stdout"] == ["box"], answer
    assert "gpu.slow.example: the lookup of the name gave no answer within 10 s" in hosts["slow"]["error"]["message"]
    assert answer.code == 3


@pytest.mark.lab
def test_a_name_with_a_dead_address_before_the_good_one_is_reached(lab: Lab, desk: Desk, tmp_path: Path) -> None:
    gone, here = lab.fleet(["gone", "here"])
    gone.cut()
    inventory(desk, here, settings={"here": {"address": "gpu.example"}})
    files = {
        "hosts": f"{gone.address} gpu.example\n{here.address} gpu.example\n",
        "nsswitch.conf": "hosts: files\n",
        # Else the one in the nearer network comes first.
        "gai.conf": "sortv4 no\n",
    }
    answer = with_names(desk, tmp_path, files, "exec", "here", "--", "hostname")
    assert (answer.code, answer.out) == (0, "here\n"), answer
