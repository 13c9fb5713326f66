"""The engine's link to one host: runs programs, holds the lease, notices a frozen peer, reconnects."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

import paramiko

from provision.errors import (
    AuthenticationError,
    HostKeyError,
    LinkLostError,
    StoppedError,
    UnreachableError,
    UnsupportedHostError,
)
from provision.remote.command import CANNOT_UNPACK, compose, script_text
from provision.remote.sources import source
from provision.ssh import profile
from provision.ssh.calls import LOST, closed
from provision.ssh.connection import Connection, DroppedError
from provision.ssh.converse import SshConversation
from provision.ssh.dial import SilentError, UnknownNameError
from provision.ssh.execute import Drain, request_exec, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.model.link import Completed, OnOutput
    from provision.model.plan import Program
    from provision.remote.command import Command
    from provision.ssh.route import Route, Settings

FIRST_TRIES = 3
"""For a host that refuses or does not answer: more only makes the user wait."""
DROPPED_TRIES = 8
HELD = {b"held.": "", b"held again.": "again"}
"""What the lease program says once it holds the host."""
LONGEST_HOLDER = 200
"""Characters of the name that a host gives for who holds it."""
HOLD_SECONDS = 60.0
"""For the lease to be answered: rc files of slow hosts take their time."""
AWAY = {"gone", "stopped", "stopping"}
"""States of a rented machine that nobody waits for."""
RECONNECT_SECONDS = 120.0
"""After a lost link the host is given so long to come back."""


class SshLink:
    """One host over SSH; used by one worker, but `close` may be called from any thread."""

    def __init__(self, route: Route, settings: Settings) -> None:
        self._route = route
        self._settings = settings
        self._connections: list[Connection] = []
        self._heartbeat: Heartbeat | None = None
        self._closed = threading.Event()
        self._proven = False
        self.notes: list[str] = []
        self._connect(patient=False)

    def run(
        self,
        program: Program,
        *,
        on_output: OnOutput | None = None,
        capture: bool = True,
        stream: BinaryIO | None = None,
    ) -> Completed:
        """Run one program and return how it ended (see `Link.run`)."""
        channel = self._session()
        try:
            done = run_command(
                channel,
                _composed(program, stream is not None),
                timeout=program.timeout,
                on_output=on_output,
                capture=capture,
                stream=stream,
                alive=self._alive,
            )
            if program.gathered and done.code == CANNOT_UNPACK:
                return self.run(replace(program, gathered=False), on_output=on_output, capture=capture, stream=stream)
        except UnsupportedHostError as error:
            if self._proven:
                # It ran commands before: it was killed before its first word, by a shutdown or for want of memory.
                raise LinkLostError("a command was cut off on the host before it began") from error
            raise
        self._proven = True
        return done

    def hold(self, program: Program) -> tuple[SshLease | None, str]:
        """Start the lease program; return the lease, or ``None`` with its holder's name.

        Beside the lease stands ``again`` where nobody else held it since this holder did.
        """
        channel = self._session()
        command = _composed(program, with_stdin=True)
        drain = Drain(channel, command.nonce, None, capture=True)
        request_exec(channel, command.line)
        try:
            # A server that opens no window would otherwise hold us for ever.
            channel.settimeout(HOLD_SECONDS)
            channel.sendall(command.stdin)
        except LOST as error:
            raise LinkLostError(f"the link was lost: {error or 'it was closed'}") from error
        deadline = time.monotonic() + HOLD_SECONDS
        # The frame keeps a last newline back, as it could begin the end line: the word alone must do.
        while bytes(drain.stdout).strip() not in HELD:
            ended = drain.step(0.2)
            if ended or drain.over or time.monotonic() > deadline:
                break
            self._alive()
        line = bytes(drain.stdout).decode("utf-8", "replace").strip()
        if line.encode() in HELD:
            lease = SshLease(channel)
            self._beating().lease = lease
            return lease, HELD[line.encode()]
        closed(channel)
        if line.startswith("busy"):
            return None, line[5:].strip()[:LONGEST_HOLDER]
        if drain.out.exit_code is None:
            raise LinkLostError("the link was lost while the host was being reserved")
        return (
            None,
            f"nobody: {bytes(drain.stderr).decode('utf-8', 'replace').strip() or 'cannot lock there'}",
        )

    def converse(self, program: Program) -> SshConversation:
        """Start a program that speaks for itself (see `Link.converse`)."""
        return SshConversation(
            self._session,
            script_text(source(program.script), program.arguments, program.env),
            nonce=secrets.token_hex(16),
            alive=self._alive,
            first=program.data or b"",
        )

    def reconnect(self) -> None:
        """Drop what is left of the connection and make a new one, patiently."""
        self._drop()
        self._connect(patient=True)

    def close(self) -> None:
        """End the connection; safe to call twice, and from another thread."""
        self._closed.set()
        self._drop()

    def open_session(self) -> tuple[paramiko.Channel, Callable[[], None]]:
        """Return a session for a person, and what raises LinkLostError once the peer has been silent for too long."""
        return self._session(), self._alive

    def _drop(self) -> None:
        beating, self._heartbeat = self._heartbeat, None
        if beating is not None:
            beating.stop()
        while self._connections:
            self._connections.pop().close()

    def _connect(self, *, patient: bool) -> None:
        try:
            self._add_connection()
        except (AuthenticationError, HostKeyError, UnsupportedHostError, UnknownNameError):
            raise
        except UnreachableError as error:
            if isinstance(error, SilentError) and not patient:
                raise
            self._connect_again(error, patient=patient)

    def _connect_again(self, first: UnreachableError, *, patient: bool) -> None:
        """Try again with growing, jittered pauses; tenacity is imported only when something failed."""
        import tenacity

        if patient:
            self._see_whether_it_stands()
        dropped = isinstance(first, DroppedError)
        stop = (
            tenacity.stop_after_delay(RECONNECT_SECONDS)
            if patient
            else tenacity.stop_after_attempt((DROPPED_TRIES if dropped else FIRST_TRIES) - 1)
        )
        pause = tenacity.wait_exponential(multiplier=0.5, max=10 if patient else 4) + tenacity.wait_random(0, 1)
        final = (AuthenticationError, HostKeyError, UnsupportedHostError, UnknownNameError, StoppedError)
        retrying = tenacity.Retrying(
            stop=stop,
            wait=pause,
            retry=tenacity.retry_if_exception(
                lambda e: isinstance(e, UnreachableError) and not isinstance(e, final) and not self._closed.is_set()
            ),
            sleep=self._pause,
            reraise=True,
        )
        self._pause(0.2 + secrets.randbelow(1000) / 1000)
        retrying(self._add_again if patient else self._add_connection)

    def _add_again(self) -> None:
        try:
            self._add_connection()
        except UnreachableError:
            self._see_whether_it_stands()
            raise

    def _see_whether_it_stands(self) -> None:
        """Ask a rented machine's cloud whether there is any sense in waiting for it.

        Raises:
            StoppedError: it was stopped, or taken away.
        """
        host, ask = self._route.target.host, self._settings.stands
        if ask is None or host.provider is None or not host.provider.instance:
            return
        state = ask(host)
        if state in AWAY:
            where = f"{host.provider.cloud} {host.provider.region or ''} {host.provider.instance}".replace("  ", " ")
            what = "is gone" if state == "gone" else f"is {state}"
            spot = "; it was a spot machine" if host.provider.spot else ""
            raise StoppedError(
                f"{host.name} {what}, its cloud says: {where}{spot}",
                hint="provision hosts --refresh" if state == "gone" else f"provision power on {host.name}",
            )

    def _pause(self, seconds: float) -> None:
        """Sleep, until closed at most."""
        self._closed.wait(seconds)

    def _add_connection(self) -> None:
        if self._closed.is_set():
            raise UnreachableError("the run was stopped")
        connection = Connection(self._route, self._settings)
        self.notes.extend(note for note in connection.notes if note not in self.notes)
        self._connections.append(connection)

    def _session(self) -> paramiko.Channel:
        """Open a session; where the server allows one a connection (MaxSessions 1), on a second connection."""
        deadline = time.monotonic() + profile.CHANNEL
        while True:
            if not self._connections:
                raise LinkLostError("there is no connection")
            for connection in reversed(self._connections):
                try:
                    return self._open_session(connection)
                except paramiko.ChannelException as error:
                    refusal = error
            if len(self._connections) == 1:
                self._add_connection()
            elif time.monotonic() < deadline:
                # A session that we closed counts until its last process has ended.
                self._pause(0.1)
            else:
                raise UnreachableError(f"the server refuses a session: {refusal.text}") from refusal

    @staticmethod
    def _open_session(connection: Connection) -> paramiko.Channel:
        try:
            return connection.transport.open_session(
                window_size=profile.WINDOW, max_packet_size=profile.PACKET, timeout=profile.CHANNEL
            )
        except paramiko.ChannelException:
            raise
        except LOST as error:
            raise LinkLostError("the link was lost", detail=str(error) or None) from error

    def _alive(self) -> None:
        """Raise when the peer has been silent for too long; called while waiting for output."""
        if self._closed.is_set():
            raise LinkLostError("the run was stopped")
        if self._beating().silent_seconds() > profile.SILENCE:
            for connection in self._connections:
                connection.transport.close()
            raise LinkLostError(f"the host has been silent for {profile.SILENCE:.0f} s")

    def _beating(self) -> Heartbeat:
        if self._heartbeat is None:
            self._heartbeat = Heartbeat(self._connections)
            self._heartbeat.start()
        return self._heartbeat


class SshLease:
    """A lease: a channel whose far end holds the lock while bytes keep coming."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    @property
    def held(self) -> bool:
        """Whether the far end is still there."""
        channel = self._channel
        return not (channel.closed or channel.eof_received) and channel.get_transport().is_active()

    def beat(self) -> None:
        """Send one sign of life."""
        if self.held:
            self._channel.sendall(b".")

    def release(self) -> None:
        """Give the host free: the holder sees the end of its input."""
        try:
            if self.held:
                self._channel.shutdown_write()
                # The holder's last act is to close: waited for, so that a next run finds the host free.
                deadline = time.monotonic() + 2
                while self.held and time.monotonic() < deadline:
                    time.sleep(0.005)
            self._channel.close()
        except LOST:
            # The link is gone, and the lease ends with it.
            return


class Heartbeat(threading.Thread):
    """Asks every connection for a sign of life, and gives one for the lease.

    paramiko's own keep-alive asks for no answer, so a frozen peer would never be noticed.
    """

    def __init__(self, connections: list[Connection]) -> None:
        super().__init__(name="provision-heartbeat", daemon=True)
        self._connections = connections
        self._stopped = threading.Event()
        self._answered = time.monotonic()
        self.lease: SshLease | None = None

    def silent_seconds(self) -> float:
        """Return the seconds since every connection last answered, less the pause between two questions."""
        return time.monotonic() - self._answered

    def stop(self) -> None:
        """End the thread after its present question."""
        self._stopped.set()

    def run(self) -> None:
        """Ask, until stopped or until a connection is gone."""
        while not self._stopped.is_set():
            try:
                if self.lease is not None:
                    self.lease.beat()
                for connection in tuple(self._connections):
                    connection.transport.global_request("keepalive@openssh.com", wait=True)
                    if not connection.transport.is_active():
                        return
            except (paramiko.SSHException, OSError, EOFError, IndexError):
                return
            self._answered = time.monotonic()
            self._stopped.wait(profile.HEARTBEAT)


def _composed(program: Program, with_stdin: bool) -> Command:
    data = program.data if program.data is not None else (b"" if with_stdin else None)
    return compose(
        source(program.script),
        program.arguments,
        nonce=secrets.token_hex(16),
        data=data,
        env=program.env,
        gathered=program.gathered,
    )
