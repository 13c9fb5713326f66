"""Connecting: servers that say nothing, too much or nonsense, crowds, proxies, dialling ahead."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from provision.errors import UnreachableError
from provision.ssh import early
from provision.ssh.connection import Connection
from provision.ssh.link import SshLink
from provision.ssh.route import Route, Settings
from tests.ssh.reach import hop, inventory, link, ran, route
from tests.unit.cli.typed import Answer, decoded
from tests.unit.ssh.keys import keygen
from tests.unit.ssh.servers import Rules, server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.unit.cli.typed import Desk

pytestmark = pytest.mark.lab

SOAK = bool(os.environ.get("PROVISION_SOAK"))


@contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection on loopback by `answer`, in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def speak(peer: socket.socket) -> None:
        try:
            answer(peer)
        except OSError:
            return

    def serve() -> None:
        while True:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            peers.append(peer)
            threading.Thread(target=speak, args=(peer,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for peer in peers:
            peer.close()


def silent(peer: socket.socket) -> None:
    peer.recv(1000)
    time.sleep(100)


def endless_line(peer: socket.socket) -> None:
    while True:
        peer.sendall(b"x" * 65536)


def endless_lines(peer: socket.socket) -> None:
    while True:
        peer.sendall(b"welcome\r\n" * 5000)


def drip(peer: socket.socket) -> None:
    while True:
        peer.sendall(b"S")
        time.sleep(0.4)


def stops_in_the_handshake(peer: socket.socket) -> None:
    peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    time.sleep(100)


def nonsense(peer: socket.socket) -> None:
    peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes([0, 0, 0, 44, 10, 20]) + b"\xff" * 400)
    time.sleep(100)


def web(peer: socket.socket) -> None:
    peer.recv(1000)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>\xff</html>")
    peer.close()


MEASURING = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stdout, done.stderr, peak]))
"""


def with_peak(desk: Desk, *words: str) -> tuple[Answer, int]:
    """Type a command and return its answer and the most memory it had, in KiB.

    By way of a small process: what a child of this one is told to have had counts this one's own memory.
    """
    typed = subprocess.run(
        [sys.executable, "-c", MEASURING, sys.executable, "-m", "provision", *words],
        cwd=desk.project,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    code, out, err, peak = json.loads(typed.stdout)
    return Answer(code, out, err), peak


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        endless_line,
        endless_lines,
        pytest.param(drip, marks=pytest.mark.soak),
        pytest.param(stops_in_the_handshake, marks=pytest.mark.soak),
        nonsense,
        web,
    ],
    ids=lambda f: f.__name__,
)
@pytest.mark.timeout(150)
def test_a_tarpit_costs_the_time_limit_once_and_no_memory(
    lab: Lab, desk: Desk, answer: Callable[[socket.socket], None]
) -> None:
    del lab
    key = keygen(desk.home / ".ssh/id_ed25519")
    with listener(answer) as port:
        entry = {"address": "127.0.0.1", "port": port, "user": "x", "identity_file": str(key)}
        (desk.project / "hosts.yaml").write_text(json.dumps({"version": 1, "hosts": {"pit": entry}}))
        began = time.monotonic()
        done, peak = with_peak(desk, "exec", "pit", "--json", "--", "true")
        seconds = time.monotonic() - began
    assert done.code == 3, done
    assert decoded(done.out)["hosts"]["pit"]["error"]["kind"] == "network"
    assert "bug" not in done.err
    assert seconds < (60 if answer in {web, nonsense} else 19)
    assert peak < 400 << 10


def test_a_closed_port_and_an_absent_name_are_told_without_a_storm(lab: Lab, desk: Desk) -> None:
    closed = lab.host("closed")
    closed.stop_sshd()
    inventory(desk, closed, settings={"closed": {}})
    began = time.monotonic()
    answer = desk.type("exec", "closed", "--", "true")
    assert answer.code == 3
    assert "Connection refused" in answer.err
    assert "is sshd running there" in answer.err
    inventory(desk, closed, settings={"closed": {"address": "no-such-name.invalid"}})
    answer = desk.type("exec", "closed", "--", "true")
    assert answer.code == 3
    assert "cannot be resolved" in answer.err
    assert time.monotonic() - began < 20


def test_a_host_that_swallows_packets_costs_ten_seconds_and_stops_nobody_else(lab: Lab, desk: Desk) -> None:
    gone, here = lab.fleet(["gone", "here"])
    gone.cut()
    inventory(desk, gone, here)
    began = time.monotonic()
    answer = desk.type("exec", "all", "--", "hostname")
    assert time.monotonic() - began < 14
    assert (answer.code, answer.out) == (3, "here | here\n"), answer
    assert "no answer within 10 s" in answer.err


@pytest.mark.timeout(240)
def test_a_crowd_gets_in_whatever_max_startups_says(lab: Lab) -> None:
    host = lab.host("box", max_startups="4:60:10")
    count = 60 if SOAK else 24

    def one(number: int) -> bytes:
        with link(host) as made:
            return ran(made, f"echo {number}").stdout

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(one, range(count)))
    assert answers == [f"{number}\n".encode() for number in range(count)]


def test_a_second_session_is_had_where_the_server_allows_one_a_connection(lab: Lab) -> None:
    host = lab.host("box", max_sessions=1)
    with link(host) as made:
        first = made._session()
        assert ran(made, "echo second").stdout == b"second\n"
        assert host.connections() == 2
        first.close()


def test_a_proxy_command_that_fails_is_named_and_its_words_are_expanded(host: LabHost, desk: Desk) -> None:
    note = desk.home / "seen"
    for command, code in ((f"echo %h:%p:%r:%% >{note}; exit 9", 9), ("/no/such/program %h", 127)):
        inventory(desk, host, settings={"box": {"proxy_command": f"sh -c '{command}'" if code == 9 else command}})
        answer = desk.type("exec", "box", "--", "true")
        assert answer.code == 3, answer
        assert f"proxy_command ended with exit code {code}" in answer.err
    assert note.read_text() == f"{host.address}:22:ubuntu:%\n"


CARRY = """\
import os, socket, sys, threading
far = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while piece := os.read(0, 65536): far.sendall(piece)
threading.Thread(target=up, daemon=True).start()
while piece := far.recv(65536): os.write(1, piece)
"""


def test_a_proxy_command_carries_commands_and_ends_with_the_connection(host: LabHost, tmp_path: Path) -> None:
    (tmp_path / "carry.py").write_text(CARRY)
    way = Route((hop(host, proxy_command=f"{sys.executable} {tmp_path}/carry.py %h %p"),))
    made = SshLink(way, Settings())
    try:
        assert ran(made, "cat", data=bytes(3 << 20)).stdout == bytes(3 << 20)
        sock: object = made._connections[0].transport.sock
        process = sock.process  # type: ignore[attr-defined]
        assert process.poll() is None
    finally:
        made.close()
    deadline = time.monotonic() + 5
    while process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_jump_host_that_cannot_reach_the_target_or_forbids_it_is_named(lab: Lab, desk: Desk) -> None:
    gate = lab.host("gate", sshd_config=("AllowTcpForwarding no",))
    inner = lab.host("inner", jump=gate)
    inventory(desk, gate, inner)
    answer = desk.type("exec", "inner", "--", "true")
    assert answer.code == 3, answer
    assert f"the jump host {gate.address} cannot reach it" in answer.err


# -- dialling ahead -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_dialled() -> Iterator[None]:
    early._calls.clear()
    yield
    early._calls.clear()


def test_a_socket_that_was_dialled_ahead_is_used_once(host: LabHost) -> None:
    early.dial_early([route(host)], 8)
    with link(host) as made:
        assert ran(made, "echo one").stdout == b"one\n"
    assert host.connections() == 1
    with link(host) as made:
        assert ran(made, "echo two").stdout == b"two\n"
    assert host.connections() == 2


def test_dialling_ahead_goes_to_the_first_hop_and_leaves_proxies_alone(lab: Lab) -> None:
    gate = lab.host("gate")
    inner = lab.host("inner", jump=gate)
    early.dial_early([route(gate, inner), Route((hop(gate, port=1, proxy_command="false"),))], 8)
    assert list(early._calls) == [(gate.address, 22)]
    with link(gate, inner) as made:
        assert ran(made, "hostname").stdout == b"inner\n"
    assert gate.connections() == 1


def test_no_more_are_dialled_ahead_than_were_asked_for() -> None:
    from provision.model.host import Host
    from provision.ssh.route import Hop

    routes = [Route((Hop(Host(name=f"h{n}", address="127.0.0.1", port=n), "x"),)) for n in range(1, 9)]
    early.dial_early(routes, 3)
    assert len(early._calls) == 3


def test_a_host_that_is_down_is_told_by_the_early_call_too(host: LabHost) -> None:
    host.stop_sshd()
    early.dial_early([route(host)], 8)
    with pytest.raises(UnreachableError, match="Connection refused"):
        early.take(host.address, 22)
    assert early.take(host.address, 22) is None


def test_a_socket_that_waited_too_long_is_dialled_anew(host: LabHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "STALE", 0.0)
    early.dial_early([route(host)], 8)
    early._calls[(host.address, 22)].join()
    time.sleep(0.05)
    with link(host) as made:
        assert ran(made, "echo one").stdout == b"one\n"
    assert host.connections() == 2


def test_a_socket_that_was_reset_meanwhile_costs_one_more_try(host: LabHost) -> None:
    early.dial_early([route(host)], 8)
    early._calls[(host.address, 22)].join()
    time.sleep(0.2)
    host.reset_connections()
    with link(host) as made:
        assert ran(made, "echo one").stdout == b"one\n"


def test_an_embedded_server_takes_an_early_client_with_each_kind_of_key(own_home: Path) -> None:
    import paramiko

    from provision.model.host import Host
    from provision.ssh.route import Hop

    host_key = paramiko.RSAKey.generate(2048)
    for kind in ("ed25519", "ecdsa", "rsa"):
        key = keygen(own_home / ".ssh" / f"id_{kind}", kind)
        public = key.with_name(key.name + ".pub").read_text().split()[1]
        with server(Rules({public}, set()), host_key) as port:
            way = Route((Hop(Host(name=kind, address="127.0.0.1", port=port), "dev"),))
            early.dial_early([way], 8)
            made = Connection(way, Settings())
            assert made.transport.is_authenticated()
            made.close()
