"""One exec request: a real process, its three streams on a channel, and its exit status."""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import TYPE_CHECKING

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from provision.demo.children import Children

PIECE = 32768
LOOK_MS = 200
"""Between two looks at whether the client is still there."""


class Execution:
    """Runs one command line as sshd would: by the login shell, its streams apart."""

    def __init__(self, channel: paramiko.Channel, line: bytes, children: Children) -> None:
        self._channel = channel
        self._line = line
        self._children = children

    def start(self, environment: dict[str, str], home: Path) -> None:
        """Begin in a thread: the transport's own must answer the request first."""
        threading.Thread(target=self._run, args=(environment, home), name="demo-exec", daemon=True).start()

    def _run(self, environment: dict[str, str], home: Path) -> None:
        try:
            process = self._children.start(["/bin/sh", "-c", self._line], environment, home)
        except OSError:
            # As sshd does when it cannot fork: the session ends without a word.
            self._channel.close()
            return
        threading.Thread(target=self._feed, args=(process,), name="demo-stdin", daemon=True).start()
        try:
            self._drain(process)
        except OSError:
            # The client is gone. Its process is not ended: it finds its pipes closed, as with any sshd.
            pass
        finally:
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            self._channel.close()

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        pipe = process.stdin
        if pipe is None:
            return
        taken = True
        while piece := self._channel.recv(PIECE):
            rest = memoryview(piece)
            while taken and rest:
                try:
                    rest = rest[os.write(pipe.fileno(), rest) :]
                except BrokenPipeError:
                    # Nobody reads any more: the rest is taken off the wire and dropped.
                    taken = False
        pipe.close()

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        senders = {
            pipe.fileno(): send
            for pipe, send in (
                (process.stdout, self._channel.sendall),
                (process.stderr, self._channel.sendall_stderr),
            )
            if pipe is not None
        }
        poll = select.poll()
        for number in senders:
            poll.register(number, select.POLLIN)
        code = None
        while senders:
            for number, _ in poll.poll(LOOK_MS):
                piece = os.read(number, PIECE)
                if piece:
                    senders[number](piece)
                else:
                    poll.unregister(number)
                    del senders[number]
            if self._channel.closed:
                raise ConnectionResetError
            if code is None and senders:
                # It may be over while something that it left in the background still holds its pipes.
                code = self._children.code(process, wait=False)
                self._report(code)
        if code is None:
            self._report(self._children.code(process, wait=True))
        self._channel.shutdown_write()

    def _report(self, code: int | None) -> None:
        if code is None:
            return
        if code >= 0:
            self._channel.send_exit_status(code)
            return
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(self._channel.remote_chanid)
        message.add_string("exit-signal")
        message.add_boolean(False)
        message.add_string(signal.Signals(-code).name.removeprefix("SIG"))
        message.add_boolean(False)
        message.add_string("")
        message.add_string("")
        self._channel.get_transport()._send_user_message(message)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way
