"""One mail, by smtplib: a password goes over no connection that others can read."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING

from provision.notify.errors import AgainError, ChannelError, NotSentError
from provision.notify.secret import loopback

if TYPE_CHECKING:
    from provision.channels import Email
    from provision.notify.message import Message

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 6409 and RFC 8314: submission with STARTTLS and with TLS from the start; and that of servers among themselves."""
LATER = range(400, 500)


def check_channel(name: str, channel: Email) -> None:
    """Refuse a connection that others could read.

    Raises:
        ChannelError: it is one.
    """
    if channel.tls == "none" and not channel.insecure and not loopback(channel.server):
        raise ChannelError(
            f"notify.{name}.tls: none to another machine can be read on its way",
            hint="use starttls or tls, or say 'insecure: true'",
        )


def mail(channel: Email, password: str | None, message: Message, seconds: float) -> None:
    """Hand a message to the mail server, within so many seconds for each thing that it does.

    Raises:
        AgainError: it may take it a little later.
        NotSentError: it did not take it.
    """
    letter = EmailMessage()
    letter["From"], letter["To"] = channel.from_, ", ".join(channel.to)
    letter["Subject"] = f"[provision] {message.title}".replace("\n", " ")
    letter["Date"], letter["Message-ID"] = formatdate(message.at), f"<{message.id}@provision.invalid>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(f"{message.words}\n", cte="base64")
    port = channel.port or PORTS[channel.tls]
    # Not the full name: a dead name server would hold us up.
    ours = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()) or "localhost"
    trusted = ssl.create_default_context()
    try:
        if channel.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(channel.server, port, ours, timeout=seconds, context=trusted)
        else:
            server = smtplib.SMTP(channel.server, port, ours, timeout=seconds)
        with server:
            if channel.tls == "starttls":
                server.starttls(context=trusted)
            if channel.user is not None:
                server.login(channel.user, password or "")
            refused = server.send_message(letter, channel.from_, list(channel.to))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # What the server said may repeat what we sent.
        raise _told(error) from None
    if refused:
        raise NotSentError(f"the server took it, but not for {len(refused)} of {len(channel.to)} addresses")


def _told(error: BaseException) -> NotSentError:  # noqa: PLR0911 - a line for each thing that can be wrong
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return NotSentError(f"the server does not take the login ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return NotSentError("the server offers no STARTTLS, or no login: nothing was sent")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return NotSentError("the server takes mail for none of the addresses")
    if isinstance(error, smtplib.SMTPResponseException):
        kind = AgainError if error.smtp_code in LATER else NotSentError
        return kind(f"the server says {error.smtp_code}")
    if isinstance(error, ssl.SSLError):
        return NotSentError("its certificate is not to be trusted, or it speaks no TLS")
    if isinstance(error, TimeoutError):
        return AgainError("no answer in time")
    if isinstance(error, socket.gaierror):
        return AgainError("its name is not known")
    if isinstance(error, (smtplib.SMTPServerDisconnected, ConnectionError)):
        return AgainError("no connection, or it broke")
    return NotSentError("what came back is no mail server's")
