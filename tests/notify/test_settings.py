"""Secrets come from variables and files that are the user's own, and are shown nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from provision.cli import notify as command
from provision.errors import ProvisionError, UsageError
from provision.notify.sending import notify
from provision.project import load_project
from tests.notify.receivers import receiving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "https://hooks.example.org/services/T0AAAA/B0BBBB/s3cr3ts3cr3ts3cr3t"


@pytest.mark.parametrize(
    "section",
    [
        f"  a: {{kind: slack, url: '{SECRET}'}}\n",
        f"  a: {{kind: webhook, url: '{SECRET}'}}\n",
        f"  a: {{kind: webhook, url: 'https://x.example/in', secret: '{SECRET}'}}\n",
        f"  a: {{kind: email, server: m.example, from: a@b.c, to: [a@b.c], user: u, password: '{SECRET}'}}\n",
        "  a: {kind: slack, url: '${AWS_SECRET_ACCESS_KEY}'}\n",
        "  a: {kind: slack, url: '${PROVISION_SSH_PASSWORD}'}\n",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(project: Callable[[str], Path], section: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_project(project(section))
    said = f"{refused.value.message} {refused.value.hint} {refused.value.detail}"
    assert "s3cr3t" not in said
    assert "PROVISION_NOTIFY_" in said


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "config" / "provision" / "hook"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_url_comes_from_a_file_of_the_users_own(
    environ: dict[str, str], project: Callable[[str], Path], tmp_path: Path
) -> None:
    with receiving() as receiver:
        path = written(tmp_path, receiver.url("/from-a-file") + "\n")
        notify(environ, project(f"  a: {{kind: slack, url_file: {path}}}\n"), "failure", "h", "x", "k")
    assert receiver.got[0].path == "/from-a-file"


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (SECRET, 0o644, "others may read it"),
        ("a\nb", 0o600, "one line"),
        ("", 0o600, "one line"),
        ("x", 0o600, "no URL"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_and_not_shown(  # noqa: PLR0917 - fixtures
    environ: dict[str, str], project: Callable[[str], Path], tmp_path: Path, text: str, mode: int, said: str
) -> None:
    root = project(f"  a: {{kind: slack, url_file: {written(tmp_path, text, mode)}}}\n")
    with pytest.raises(ProvisionError, match=said) as refused:
        notify(environ, root, "failure", "h", "x", "k")
    assert "s3cr3t" not in str(refused.value)


def test_a_project_cannot_have_any_file_sent_as_a_password(
    environ: dict[str, str], project: Callable[[str], Path], tmp_path: Path
) -> None:
    key = tmp_path / "home" / "id_rsa"
    key.parent.mkdir()
    key.write_text("private")
    key.chmod(0o600)
    link = written(tmp_path, "")
    link.unlink()
    link.symlink_to(key)
    for path in (key, link):
        mail = f"kind: email, server: 127.0.0.1, from: a@b.c, to: [a@b.c], user: u, password_file: {path}"
        with pytest.raises(ProvisionError, match="lies neither below"):
            notify(environ, project(f"  a: {{{mail}}}\n"), "failure", "h", "x", "k")


def test_http_to_another_machine_is_refused_unless_it_is_wanted(
    environ: dict[str, str], project: Callable[[str], Path]
) -> None:
    root = project("  a: {kind: webhook, url: 'http://hooks.example/in'}\n")
    with pytest.raises(ProvisionError, match="can be read on its way"):
        notify(environ, root, "failure", "h", "x", "k")


@pytest.mark.parametrize(
    "url", ["", "ftp://x/y", "https://", "https://a b/", "https://[::1", "not a url", "https://é/"]
)
def test_a_variable_without_a_url_is_told_by_its_name(
    environ: dict[str, str], project: Callable[[str], Path], url: str
) -> None:
    environ["PROVISION_NOTIFY_URL"] = url
    root = project("  a: {kind: slack, url: '${PROVISION_NOTIFY_URL}'}\n")
    with pytest.raises(ProvisionError, match=r"notify\.a"):
        notify(environ, root, "failure", "h", "x", "k")


def test_notify_test_reaches_each_channel_and_says_which_took_it(
    project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiving() as receiver:
        section = f"  good: {{kind: webhook, url: '{receiver.url('/')}', on: [drift]}}\n"
        monkeypatch.chdir(project(section + "  bad: {kind: slack, url: '${PROVISION_NOTIFY_ABSENT}'}\n"))
        monkeypatch.delenv("PROVISION_NOTIFY_ABSENT", raising=False)
        assert command.main("notify", ["test", "--to", "good"]) == 0
        assert capsys.readouterr().out == "good (webhook): taken\n"
        assert command.main("notify", ["test", "--json"]) == 3
    shown = json.loads(capsys.readouterr().out)
    assert shown["exit_code"] == 3
    assert shown["channels"]["good"]["error"] is None
    assert "PROVISION_NOTIFY_ABSENT is not set" in shown["channels"]["bad"]["error"]
    assert [json.loads(one.body)["data"]["kind"] for one in receiver.got] == ["test", "test"]


def test_notify_list_says_what_is_missing_and_asks_nobody(
    project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project("  ops: {kind: slack, url: '${PROVISION_NOTIFY_ABSENT}', on: [failure, job]}\n"))
    monkeypatch.delenv("PROVISION_NOTIFY_ABSENT", raising=False)
    assert command.main("notify", ["list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ops: slack, told of failure, job",
        "  cannot be used: notify.ops.url: PROVISION_NOTIFY_ABSENT is not set here",
    ]


def test_a_misspelt_channel_or_action_is_told(project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project("  ops: {kind: webhook, url: 'https://x.example/in'}\n"))
    with pytest.raises(UsageError, match="did you mean 'ops'"):
        command.main("notify", ["test", "--to", "opps"])
    with pytest.raises(UsageError, match="did you mean 'test'"):
        command.main("notify", ["tets"])


def test_a_project_without_channels_says_how_to_add_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no channel is set up"):
        command.main("notify", ["list"])
