"""The laboratory's links are as slow, lossy and broken as a test asks."""

from __future__ import annotations

import select
import socket
import statistics
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.webserver import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def connect_seconds(host: LabHost) -> float:
    start = time.perf_counter()
    socket.create_connection((host.address, host.port), timeout=10).close()
    return time.perf_counter() - start


def banner(host: LabHost, timeout: float = 5) -> socket.socket:
    connection = socket.create_connection((host.address, host.port), timeout=timeout)
    assert connection.recv(8) == b"SSH-2.0-"
    return connection


@pytest.mark.parametrize("asked", [0.5, 20, 100])
def test_connecting_takes_the_round_trip_that_was_asked_for(lab: Lab, asked: float) -> None:
    host = lab.host(latency_ms=asked)
    measured = min(connect_seconds(host) for _ in range(7)) * 1000
    assert asked <= measured < asked * 1.05 + 1.5


def test_without_latency_connecting_takes_less_than_a_millisecond(host: LabHost) -> None:
    assert min(connect_seconds(host) for _ in range(7)) < 0.001


def test_a_slow_link_carries_no_more_than_its_rate(lab: Lab) -> None:
    host = lab.host(rate_mbit=40)
    start = time.perf_counter()
    answer = subprocess.run(host.ssh_command("head -c 4000000 /dev/zero"), capture_output=True, check=True)
    seconds = time.perf_counter() - start
    assert len(answer.stdout) == 4_000_000
    assert 0.8 < seconds < 8


def test_a_lossy_link_delivers_every_byte_by_sending_some_again(lab: Lab) -> None:
    host = lab.host(loss_percent=5)
    answer = subprocess.run(host.ssh_command("head -c 1000000 /dev/zero"), capture_output=True, check=True)
    assert len(answer.stdout) == 1_000_000
    sent_again = int(host.run("nstat -az TcpRetransSegs | awk '/Retrans/ {print $2}'").stdout)
    assert sent_again > 5


def test_a_cut_link_is_silent_and_a_healed_one_answers(host: LabHost) -> None:
    connection = banner(host)
    host.cut()
    with pytest.raises(TimeoutError):
        socket.create_connection((host.address, 22), timeout=0.5)
    host.heal()
    banner(host).close()
    connection.sendall(b"SSH-2.0-test\r\n")
    assert connection.recv(1000)
    connection.close()


def test_a_cut_link_with_latency_is_silent_too(lab: Lab) -> None:
    host = lab.host(latency_ms=2)
    host.cut()
    with pytest.raises(TimeoutError):
        socket.create_connection((host.address, 22), timeout=0.5)
    host.heal()
    banner(host).close()


def test_reset_connections_resets_the_clients_socket(host: LabHost) -> None:
    connection = banner(host)
    connection.recv(1000)
    host.reset_connections()
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    connection.close()
    banner(host).close()


def test_a_frozen_host_is_connected_but_says_nothing_until_it_thaws(host: LabHost) -> None:
    with subprocess.Popen(host.ssh_command("cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"one\n")
        running.stdin.flush()
        assert running.stdout.readline() == b"one\n"
        host.freeze()
        running.stdin.write(b"two\n")
        running.stdin.flush()
        assert select.select([running.stdout], [], [], 0.4) == ([], [], [])
        host.thaw()
        assert running.stdout.readline() == b"two\n"
        running.stdin.close()


def test_a_stopped_sshd_refuses_and_keeps_open_connections(host: LabHost) -> None:
    connection = banner(host)
    host.stop_sshd()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host.address, 22), timeout=2)
    connection.sendall(b"SSH-2.0-test\r\n")
    assert connection.recv(1000)
    host.start_sshd()
    banner(host).close()
    connection.close()


def test_twenty_hosts_start_together_within_seconds(lab: Lab) -> None:
    start = time.perf_counter()
    hosts = lab.fleet([f"box-{number}" for number in range(20)])
    assert time.perf_counter() - start < 15
    answers = [host.ssh("hostname").stdout.strip() for host in hosts]
    assert answers == [host.name for host in hosts]
    assert statistics.mode(len(host.processes()) for host in hosts) == 0


def fetch(host: LabHost, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return host.run(["curl", "-sS", "-m", "2", *options, url])


def test_a_served_file_reaches_the_host_whole_and_in_ranges(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("0123456789")
    web, host = lab.serve(tmp_path), lab.host(latency_ms=1)
    assert fetch(host, f"{web.url}/file").stdout == "0123456789"
    assert fetch(host, f"{web.url}/file", "-r", "4-").stdout == "456789"
    assert fetch(host, f"{web.url}/../passwd", "--path-as-is", "-f").returncode == 22
    assert web.requests["/file"] == 2
    assert web.ranges == ["bytes=4-"]


def test_a_faulty_server_does_what_it_was_told(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("0123456789")
    web, host = lab.serve(tmp_path), lab.host()
    url = f"{web.url}/file"
    web.fault("/file", Fault(status=503, times=1))
    assert fetch(host, url, "-f").returncode == 22
    assert fetch(host, url, "-f").stdout == "0123456789"
    web.fault("/file", Fault(truncate_at=4))
    cut = fetch(host, url)
    assert (cut.returncode, cut.stdout) == (18, "0123")
    web.fault("/file", Fault(stall_at=3))
    stalled = fetch(host, url)
    assert (stalled.returncode, stalled.stdout) == (28, "012")
    web.fault("/file", Fault(flip_at=0))
    assert fetch(host, url).stdout[1:] == "123456789"
    web.fault("/file", Fault(location="/login"))
    assert fetch(host, url, "-w", "%{http_code} %{redirect_url}").stdout == f"302 {web.url}/login"
    web.heal()
    assert fetch(host, url).stdout == "0123456789"
