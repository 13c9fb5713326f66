"""Mail: what arrives, and that no password crosses a connection that others can read."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING

import pytest

from provision.errors import ProvisionError
from provision.notify.sending import notify
from tests.notify.receivers import MailServer, mail_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PASSWORD = "correct-horse-battery"
TO = "from: p@example.org, to: [a@example.org, b@example.org]"


def section(server: MailServer, more: str = "tls: none") -> str:
    return f"  post: {{kind: email, server: 127.0.0.1, port: {server.port}, {TO}, {more}}}\n"


def test_a_mail_arrives_with_its_text_and_no_header_of_a_hosts_making(
    environ: dict[str, str], project: Callable[[str], Path]
) -> None:
    with mail_server(MailServer()) as server:
        hostile = "gpu\r\nBcc: evil@example.org"
        notify(environ, project(section(server)), "failure", hostile, "显存不足\r\n.\r\nQUIT", "k")
    letter = email.message_from_bytes(server.mails[0], policy=email.policy.default)
    assert letter["To"] == "a@example.org, b@example.org"
    assert letter["Bcc"] is None
    assert "failed" in letter["Subject"]
    assert "显存不足" in letter.get_content()
    assert len(server.mails) == 1


def test_a_login_is_made_where_there_is_a_user(environ: dict[str, str], project: Callable[[str], Path]) -> None:
    environ["PROVISION_NOTIFY_MAIL"] = PASSWORD
    with mail_server(MailServer(auth=True)) as server:
        more = "tls: none, user: p, password: '${PROVISION_NOTIFY_MAIL}'"
        notify(environ, project(section(server, more)), "failure", "gpu-box", "x", "k")
    assert [one for one in server.said if one.startswith("AUTH PLAIN")]


def test_a_server_without_starttls_gets_neither_mail_nor_password(
    environ: dict[str, str], project: Callable[[str], Path]
) -> None:
    environ["PROVISION_NOTIFY_MAIL"] = PASSWORD
    with mail_server(MailServer(auth=True)) as server:
        root = project(section(server, "user: p, password: '${PROVISION_NOTIFY_MAIL}'"))
        with pytest.raises(ProvisionError, match="no STARTTLS") as refused:
            notify(environ, root, "failure", "gpu-box", "x", "k")
    assert server.mails == []
    assert not [one for one in server.said if one.startswith("AUTH")]
    assert PASSWORD not in str(refused.value)


def test_tls_none_to_another_machine_is_refused(environ: dict[str, str], project: Callable[[str], Path]) -> None:
    root = project(f"  post: {{kind: email, server: mail.example.org, {TO}, tls: none}}\n")
    with pytest.raises(ProvisionError, match="can be read on its way"):
        notify(environ, root, "failure", "gpu-box", "x", "k")


@pytest.mark.parametrize(("code", "attempts"), [(451, 3), (554, 1)])
def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    environ: dict[str, str], project: Callable[[str], Path], code: int, attempts: int
) -> None:
    with mail_server(MailServer(refuse=code)) as server:
        root = project(section(server))
        with pytest.raises(ProvisionError, match=f"the server says {code}"):
            notify(environ, root, "failure", "gpu-box", "x", "k")
    assert len([one for one in server.said if one.upper() == "DATA"]) == attempts
