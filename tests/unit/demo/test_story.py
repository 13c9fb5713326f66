from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from provision.cli.demo import document
from provision.demo import limits, story
from provision.demo.story import Told, reachable, tell, user_environment
from provision.demo.terminal import Terminal, Typed
from provision.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def typed(*codes: int) -> list[Typed]:
    return [Typed(f"provision step-{place}", code, 0.1, "") for place, code in enumerate(codes)]


def test_the_exit_code_is_the_first_failing_commands() -> None:
    assert Told(typed(0, 5, 4)).exit_code == 5
    assert Told(typed(0, 0)).exit_code == 0


def test_a_plan_for_a_host_that_can_be_none_is_no_failure_but_a_failing_init_is() -> None:
    assert Told(typed(0, 5), plan_only="this Mac").exit_code == 0
    assert Told(typed(2, 5), plan_only="this Mac").exit_code == 2


def test_the_demos_user_has_nothing_of_the_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("PROVISION_INVENTORY", "/etc/hosts.yaml")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/0")
    own = user_environment(tmp_path)
    assert not {"SSH_AUTH_SOCK", "PROVISION_INVENTORY", "XDG_RUNTIME_DIR"} & own.keys()
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        assert own[name].startswith(str(tmp_path))


def test_without_py_rattler_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "why_plan_only", lambda: None)
    monkeypatch.setattr(limits, "has_rattler", lambda: False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(UsageError) as raised:
        tell(Told(), real=False, keep=False, shows=False)
    assert raised.value.hint == "in the clone: pip install '.[demo]'"
    assert list(tmp_path.iterdir()) == []


def test_the_real_miniconda_out_of_reach_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "why_plan_only", lambda: None)
    monkeypatch.setattr(story, "SOURCE", "https://127.0.0.1:1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(UnreachableError, match="does not answer"):
        tell(Told(), real=True, keep=False, shows=False)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_where_nothing_can_be_installed_it_stops_after_the_plan_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(limits, "why_plan_only", lambda: "the host is this Mac")
    monkeypatch.setattr(limits, "has_rattler", lambda: False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    told = Told()
    tell(told, real=False, keep=False, shows=True)
    shown = capfd.readouterr().out
    assert [one.command.split()[1] for one in told.typed] == ["init", "plan"]
    assert "The demo stops after the plan: the host is this Mac." in shown
    assert "demo-box" in shown
    assert told.exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_command_is_shown_with_its_exit_code_and_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(tmp_path, user_environment(tmp_path), shows=True)
    assert terminal.provision("--version") == 0
    assert terminal.provision("wash") == 2
    shown = capfd.readouterr()
    assert "$ provision --version\nprovision " in shown.out
    assert "[exit code 2, 0." in shown.out
    assert "no command 'wash'" in shown.err


def test_what_is_not_shown_is_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(tmp_path, user_environment(tmp_path), shows=False)
    terminal.provision("--version")
    assert terminal.typed[0].output.startswith("provision ")
    assert capfd.readouterr().out == ""


def test_the_document_has_the_error_and_its_exit_code() -> None:
    told = Told(typed(0), miniconda="stand-in")
    made = document(told, UsageError("wrong", hint="right"))
    assert made["exit_code"] == 2
    assert made["error"] == {"kind": "usage", "message": "wrong", "hint": "right"}
    assert made["steps"][0] == {"command": "provision step-0", "exit_code": 0, "seconds": 0.1, "output": ""}
