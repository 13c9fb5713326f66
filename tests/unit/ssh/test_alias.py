from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from provision.errors import UsageError
from provision.inventory.alias import AliasValues
from provision.ssh.alias import check_name, expand_proxy_command, list_aliases, resolve

if TYPE_CHECKING:
    from pathlib import Path

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh client here")
HAVE = [pytest.param("ssh", marks=needs_ssh), "no-such-ssh-client"]


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config"
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("client", HAVE)
def test_values_that_the_configuration_sets_are_taken(tmp_path: Path, client: str) -> None:
    path = config(
        tmp_path,
        """
Host box
  HostName 203.0.113.10
  Port 2222
  User ubuntu
  IdentityFile ~/.ssh/key_%h_%n
  IdentityFile "/keys/with space"
  IdentitiesOnly yes
  ProxyJump bastion,me@second:23
  HostKeyAlias box-alias
  UserKnownHostsFile "/files/with space/known" /other
Host *
  User nobody
""",
    )
    values = resolve("box", config=path, client=client)
    assert (values.hostname, values.port, values.user) == ("203.0.113.10", 2222, "ubuntu")
    assert values.identity_files == ("~/.ssh/key_203.0.113.10_box", "/keys/with space")
    assert values.identities_only
    assert values.proxy_jump == ("bastion", "me@second:23")
    assert values.host_key_alias == "box-alias"
    assert values.known_hosts_files == ("/files/with space/known", "/other")
    assert values.unsupported == ()


@pytest.mark.parametrize("client", HAVE)
def test_what_the_configuration_does_not_say_stays_unsaid(tmp_path: Path, client: str) -> None:
    path = config(tmp_path, "Host other\n  User ubuntu\n")
    values = resolve("box", config=path, client=client)
    assert values == AliasValues(notes=values.notes)


@pytest.mark.parametrize("client", HAVE)
def test_a_proxy_command_is_taken_as_it_is_written(tmp_path: Path, client: str) -> None:
    path = config(tmp_path, 'Host box\n  ProxyCommand sh -c "aws ssm --target %h --port %p"\n')
    assert resolve("box", config=path, client=client).proxy_command == 'sh -c "aws ssm --target %h --port %p"'


@pytest.mark.parametrize("client", HAVE)
def test_directives_that_are_not_honoured_are_said(tmp_path: Path, client: str) -> None:
    path = config(
        tmp_path,
        "Host box\n ForwardAgent yes\n LocalForward 8080 localhost:80\n"
        " RevokedHostKeys /keys\n ServerAliveInterval 5\n",
    )
    values = resolve("box", config=path, client=client)
    assert values.unsupported == ("ForwardAgent", "LocalForward", "RevokedHostKeys")
    assert "ForwardAgent, LocalForward, RevokedHostKeys" in values.notes[-1]


@pytest.mark.parametrize("client", HAVE)
def test_the_first_value_wins_and_negated_patterns_exclude(tmp_path: Path, client: str) -> None:
    path = config(tmp_path, "Host !box *\n  User wrong\nHost b?x\n  User=right # comment\nHost *\n  User late\n")
    assert resolve("box", config=path, client=client).user == "right"


@pytest.mark.parametrize("client", HAVE)
def test_includes_are_followed(tmp_path: Path, client: str) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("Host box\n  Port 2222\n")
    (tmp_path / "conf.d" / "b.conf").write_text("Host *\n  User ubuntu\n")
    path = config(tmp_path, f"Host box\n  Include {tmp_path}/conf.d/*.conf\n  HostName 203.0.113.10\n")
    values = resolve("box", config=path, client=client)
    assert (values.hostname, values.port, values.user) == ("203.0.113.10", 2222, "ubuntu")


NAMES = ["a;touch X;#", "-oProxyCommand=x", "$(id)", "`id`", "a b", "", ".hidden", "a\nb", "a/b", "a" * 254, "ünïcode"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_could_be_anything_else_is_never_handed_to_ssh(tmp_path: Path, name: str) -> None:
    path = config(tmp_path, f'Match exec "touch {tmp_path}/touched-%n"\n  User x\n')
    for attempt in (lambda: check_name(name), lambda: resolve(name, config=path)):
        with pytest.raises(UsageError):
            attempt()
    assert [one.name for one in tmp_path.iterdir()] == ["config"]


def test_match_is_never_evaluated_without_a_client(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        f'Match exec "touch {tmp_path}/touched"\n  User wrong\nMatch tagged x\n  User wrong\n'
        "Match !localnetwork 10.0.0.0/8\n  ProxyCommand wrong\nMatch all\n  Port 2222\n",
    )
    values = resolve("box", config=path, client="no-such-ssh-client")
    assert (values.user, values.proxy_command, values.port) == (None, None, 2222)
    assert sum("is not evaluated" in note for note in values.notes) == 3
    assert not (tmp_path / "touched").exists()


@needs_ssh
def test_a_configuration_that_ssh_refuses_is_explained_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(?i)ssh -G box: .*nonsense"):
        resolve("box", config=config(tmp_path, "Host *\n  Nonsense yes\n"))


def test_a_client_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.ssh.alias._SECONDS", 0.2)
    slow = tmp_path / "ssh"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    start = time.monotonic()
    with pytest.raises(UsageError, match="no answer"):
        resolve("box", client=str(slow))
    assert time.monotonic() - start < 5


def test_aliases_are_listed_without_patterns_and_through_includes(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host inner\nInclude config\n")
    path = config(
        tmp_path, 'Host gpu-1 gpu-2 *.corp !x\nInclude more absent\nhost = "cpu"\nMatch host z\nHost a;b gpu-1 # no\n'
    )
    assert list_aliases(path) == ["gpu-1", "gpu-2", "inner", "cpu"]


def test_no_configuration_has_no_aliases(tmp_path: Path) -> None:
    assert list_aliases(tmp_path / "none") == []
    assert list_aliases(tmp_path) == []


def test_tokens_of_a_proxy_command_are_replaced_as_ssh_does() -> None:
    line = expand_proxy_command("nc %h %p %r %n 100%%", host="203.0.113.10", port=2222, user="me", alias="box")
    assert line == "nc 203.0.113.10 2222 me box 100%"


@pytest.mark.parametrize(
    ("host", "user", "command"),
    [
        ("a;id", "me", "%h"),
        ("$(id)", "me", "%h"),
        ("a", "me;id", "%r"),
        ("-x", "me", "%h"),
        ("a", "me", "%C"),
        ("a", "me", "%"),
    ],
)
def test_nothing_that_a_shell_could_read_otherwise_gets_into_a_proxy_command(
    host: str, user: str, command: str
) -> None:
    with pytest.raises(UsageError):
        expand_proxy_command(command, host=host, port=22, user=user)
