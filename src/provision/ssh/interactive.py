"""Starts a shell or a command on a session for a person."""

from __future__ import annotations

import shutil

import paramiko

from provision.errors import LinkLostError, UnsupportedHostError
from provision.remote.command import terminal_line


def begin(channel: paramiko.Channel, command: tuple[str, ...], terminal: str | None) -> None:
    """Start the login shell, or a command, on a terminal of that type where there is one.

    Raises:
        LinkLostError: the link broke.
        UnsupportedHostError: the server opens no terminal, or runs no command.
    """
    try:
        if terminal is not None:
            size = shutil.get_terminal_size()
            channel.get_pty(terminal, size.columns, size.lines)
        if command:
            channel.exec_command(terminal_line(command))
        else:
            channel.invoke_shell()
    except paramiko.SSHException as error:
        if not channel.get_transport().is_active():
            raise LinkLostError("the link was lost") from error
        raise UnsupportedHostError(
            "the server refuses a terminal" if terminal is not None else "the server refuses the command",
            hint="does its sshd_config allow it (PermitTTY, ForceCommand)?",
        ) from error
