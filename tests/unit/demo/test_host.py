"""The embedded host is a real one: one key, real processes, their streams and codes, and an end of all of it."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
import pytest

from provision.demo.children import descendants
from provision.demo.host import EmbeddedHost
from provision.demo.keys import write_pair
from provision.demo.story import user_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "trainer"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[EmbeddedHost]:
    (tmp_path / "me").mkdir()
    started = EmbeddedHost.start(tmp_path / "host", tmp_path / "me/key", USER, user_environment(tmp_path))
    yield started
    started.end()


def login(host: EmbeddedHost, key: Path | None = None, user: str = USER) -> paramiko.Transport:
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", host.port)))
    transport.start_client(timeout=10)
    try:
        transport.auth_publickey(user, paramiko.Ed25519Key(filename=str(key or host.key)))
    except paramiko.SSHException:
        transport.close()
        raise
    return transport


@pytest.fixture
def client(host: EmbeddedHost) -> Iterator[paramiko.Transport]:
    transport = login(host)
    yield transport
    transport.close()


def run(client: paramiko.Transport, line: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    channel = client.open_session()
    channel.settimeout(30)
    channel.exec_command(line)

    def feed() -> None:
        channel.sendall(stdin)
        channel.shutdown_write()

    feeder = threading.Thread(target=feed)
    feeder.start()
    err: list[bytes] = []
    reader = threading.Thread(target=lambda: err.append(channel.makefile_stderr("rb").read()))
    reader.start()
    out = channel.makefile("rb").read()
    reader.join()
    feeder.join()
    return channel.recv_exit_status(), out, err[0]


def test_another_key_is_refused(host: EmbeddedHost, tmp_path: Path) -> None:
    write_pair(tmp_path / "other")
    with pytest.raises(paramiko.AuthenticationException):
        login(host, tmp_path / "other")


def test_another_user_with_the_right_key_is_refused(host: EmbeddedHost) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        login(host, user="root")


def test_passwords_are_no_way_in(host: EmbeddedHost) -> None:
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", host.port)))
    transport.start_client(timeout=10)
    with pytest.raises(paramiko.BadAuthenticationType) as refused:
        transport.auth_password(USER, "secret")
    transport.close()
    assert refused.value.allowed_types == ["publickey"]


def test_it_listens_on_the_loopback_only(host: EmbeddedHost) -> None:
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", host.port), timeout=2)


def test_a_client_that_is_none_does_not_disturb_the_next(host: EmbeddedHost) -> None:
    with socket.create_connection(("127.0.0.1", host.port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    transport = login(host)
    assert run(transport, "true")[0] == 0
    transport.close()


def test_streams_stay_apart_and_the_exit_code_arrives(client: paramiko.Transport) -> None:
    assert run(client, "cat; echo wrong >&2; exit 7", b"some text") == (7, b"some text", b"wrong\n")


def test_a_killed_command_has_no_exit_code(client: paramiko.Transport) -> None:
    assert run(client, "kill -9 $$")[0] == -1


def test_large_output_and_input_arrive_whole(client: paramiko.Transport) -> None:
    assert run(client, "wc -c", bytes(5_000_000)) == (0, b"5000000\n", b"")
    assert len(run(client, "head -c 5000000 /dev/zero")[1]) == 5_000_000


def test_stdin_that_nobody_reads_does_not_hold_up_the_end(client: paramiko.Transport) -> None:
    assert run(client, "exec 0<&-; sleep 0.3; echo done", bytes(100_000))[1] == b"done\n"


def test_the_environment_is_the_hosts_own(client: paramiko.Transport, tmp_path: Path) -> None:
    names = dict(line.split("=", 1) for line in run(client, "env")[1].decode().splitlines())
    assert names.keys() - {"PWD", "OLDPWD", "SHLVL", "_"} == {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "TMPDIR"}
    assert names["HOME"] == str(tmp_path / "host/home")
    assert names["USER"] == USER
    assert Path(names["TMPDIR"]).is_dir()


def test_many_sessions_run_at_once_on_one_connection(client: paramiko.Transport) -> None:
    begun = time.monotonic()
    codes: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda code=code: codes.update({code: run(client, f"sleep 0.5; exit {code}")[0]}))
        for code in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {code: code for code in range(6)}
    assert time.monotonic() - begun < 2.5


def test_a_sign_of_life_is_answered(client: paramiko.Transport) -> None:
    answered = threading.Event()

    def ask() -> None:
        client.global_request("keepalive@openssh.com", wait=True)
        answered.set()

    threading.Thread(target=ask, daemon=True).start()
    assert answered.wait(5)


def test_nothing_is_forwarded(client: paramiko.Transport) -> None:
    with pytest.raises(paramiko.ChannelException):
        client.open_channel("direct-tcpip", ("127.0.0.1", 1), ("127.0.0.1", 0))


def until(condition: object, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(condition) and condition():
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_a_dropped_connection_leaves_the_command_running_with_closed_pipes(host: EmbeddedHost, tmp_path: Path) -> None:
    transport = login(host)
    channel = transport.open_session()
    channel.exec_command("echo $$; trap '' PIPE; sleep 1; echo late || echo closed >&3; echo lived >../lived")
    pid = int(channel.recv(100))
    transport.close()
    assert alive(pid)
    assert until(lambda: not alive(pid))
    assert (tmp_path / "host/lived").read_text() == "lived\n"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_the_end_takes_daemons_along_and_orphans_are_no_zombies(host: EmbeddedHost, client: paramiko.Transport) -> None:
    line = 'for one in 0.2 600; do setsid sh -c "sleep $one & echo \\$!" </dev/null 2>&1; done'
    short, long = (int(word) for word in run(client, f"({line}) | head -2")[1].split())
    assert until(lambda: not Path(f"/proc/{short}").exists()), "its parent is gone: the host must have waited for it"
    assert alive(long)
    assert long in descendants(host.process.pid)
    host.end()
    assert not alive(long)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_it_ends_by_itself_when_its_demo_is_killed(host: EmbeddedHost, client: paramiko.Transport) -> None:
    sleeper = int(run(client, "sleep 600 >/dev/null 2>&1 & echo $!")[1])
    assert host.process.stdin is not None
    host.process.stdin.close()
    assert host.process.wait(10) == 0
    assert not alive(sleeper)


def test_its_files_are_its_owners_alone(host: EmbeddedHost, tmp_path: Path) -> None:
    assert host.key.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "host").stat().st_mode & 0o777 == 0o700
