"""What is typed: every help, every bad command line with its one line, and how little is imported for both."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from provision.cli.main import COMMANDS, run
from provision.errors import ProvisionError, UsageError

if TYPE_CHECKING:
    from tests.unit.cli.typed import Desk

HOSTS = """\
version: 1
hosts:
  gpu-box: {address: 127.0.0.1, port: PORT, user: root}
  cpu-box: {address: 192.0.2.11, user: root}
groups: {train: [gpu-box]}
"""
HEAVY = ("fabric", "paramiko", "invoke", "rich", "tenacity", "cryptography", "rattler")
PASSWORD = "correct horse battery"


@pytest.fixture
def here(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A project with two hosts, and this process standing in it."""
    (desk.project / "hosts.yaml").write_text(HOSTS.replace("PORT", "22"))
    monkeypatch.chdir(desk.project)
    for name in ("PROVISION_INVENTORY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(desk.home))
    monkeypatch.setattr("provision.cli.convergence._binders", {})
    return desk


BAD: dict[str, tuple[str, str | None]] = {
    "upp": ("there is no command 'upp', did you mean 'up'?", "provision --help"),
    "verfy gpu-box": ("there is no command 'verfy', did you mean 'verify'?", "provision --help"),
    "sync --watch --dry-run": ("--watch and --dry-run do not go together", "provision sync --dry-run"),
    "schedule lst": ("there is no `provision schedule lst`, did you mean 'list'?", "provision schedule --help"),
    "zzz": ("there is no command 'zzz'", "provision --help"),
    "\x1b[31mup": ("there is no command '\\x1b[31mup'", "provision --help"),
    "--json up": ("unknown option --json", "options stand after the command: provision --help"),
    "-v": ("unknown option -v", "options stand after the command: provision --help"),
    "up": (
        "which host? hosts.yaml has 2: gpu-box, cpu-box",
        "name one, or write 'default: NAME' in the inventory",
    ),
    "up gpu-bx": ("'gpu-bx' is neither a host nor a group of hosts.yaml, did you mean 'gpu-box'?", None),
    "up trian": ("'trian' is neither a host nor a group of hosts.yaml, did you mean 'train'?", None),
    "plan root@203.0.113.9": (
        "'root@203.0.113.9' is not in hosts.yaml",
        "add it once: provision hosts add 203 'ssh root@203.0.113.9'",
    ),
    "plan x*": ("no host in hosts.yaml matches 'x*': it has gpu-box, cpu-box", None),
    "plan all !*-box": ("all !*-box: no host is left", None),
    "up --frobnicate gpu-box": ("unknown option --frobnicate", "provision up --help"),
    "up --fork 3 all": ("unknown option --fork, did you mean '--forks'?", "provision up --help"),
    "verify --wait gpu-box": ("unknown option --wait", "provision verify --help"),
    "up --forks 0 all": ("'0' is not a number of hosts, expected 1 to 1000", None),
    "up --forks -1 all": ("'-1' is not a number of hosts, expected 1 to 1000", None),
    "up --forks 1001 all": ("'1001' is not a number of hosts, expected 1 to 1000", None),
    "up --forks many all": ("'many' is not a number of hosts, expected 1 to 1000", None),
    "up --forks ٣ all": ("'٣' is not a number of hosts, expected 1 to 1000", None),
    "exec gpu-box,cpu-box -- hostname": ("'gpu-box,cpu-box': separate hosts by blanks", "gpu-box cpu-box"),
    "plan gpu-*,cpu-box": ("'gpu-*,cpu-box': separate hosts by blanks", "gpu-* cpu-box"),
    "plan gpu-box --jsn": ("unknown option --jsn, did you mean '--json'?", "provision plan --help"),
    "trust gpu-box --fngerprint x": (
        "unknown option --fngerprint, did you mean '--fingerprint'?",
        "provision trust --help",
    ),
    "hosts add --inventry x": ("unknown option --inventry, did you mean '--inventory'?", "provision hosts add --help"),
    "exec gpu-box nvidia-smi": ("no command: it follows --", "provision exec HOSTS -- COMMAND"),
    "exec gpu-box --": ("no command: it follows --", "provision exec HOSTS -- COMMAND"),
    "ssh gpu-box nvidia-smi -l": ("unknown option -l", "provision ssh --help"),
    "ssh gpu-box ls": ("'ls' follows the host", "provision ssh gpu-box -- ls"),
    "ssh all": ("`ssh` opens one session, and 'all' means 2 hosts", None),
    "ssh gpu-box --": ("nothing follows --", "provision ssh HOST -- COMMAND"),
    "trust gpu-box": ("the following arguments are required: --fingerprint", "provision trust --help"),
    "up gpu-box -p nonsense": ("'nonsense' is no playbook, expected a path or one of cpu, gpu", None),
    "up gpu-box -p gpuu": ("'gpuu' is no playbook, did you mean 'gpu'?", None),
    "up gpu-box -p ./none.yaml": ("./none.yaml: no such playbook", None),
    "plan gpu-box -i /none.yaml": ("/none.yaml: no such file (named by -i)", None),
    "plan gpu-box -i list.yaml": ("list.yaml:1: a list, expected a mapping (key: value)", None),
    "plan gpu-box -i text.yaml": ("text.yaml:1: 'hello', expected a mapping (key: value)", None),
}


@pytest.mark.parametrize("typed", BAD)
def test_a_bad_command_line_is_told_in_one_line_before_anything_else(here: Desk, typed: str) -> None:
    (here.project / "list.yaml").write_text("- gpu-box\n")
    (here.project / "text.yaml").write_text("hello\n")
    with pytest.raises(UsageError) as caught:
        run(typed.split())
    assert (caught.value.message, caught.value.hint) == BAD[typed]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("trust gpu-box --fingerprint x", ("'x'", "SHA256:")),
        ("up --host-keys maybe gpu-box", ("--host-keys", "'maybe'")),
        ("up --json=1 gpu-box", ("--json", "'1'")),
        ("up gpu-box", ("environment.yml", "requirements.txt")),
        ("hosts add", ("NAME",)),
        ("hosts ad x", ("ad",)),
    ],
)
def test_another_bad_command_line_names_what_is_wrong(here: Desk, typed: str, words: tuple[str, ...]) -> None:
    assert here.project.is_dir()
    with pytest.raises(ProvisionError) as caught:
        run(typed.split())
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    for word in words:
        assert word in caught.value.message


def test_without_an_inventory_the_way_to_one_is_told(here: Desk) -> None:
    (here.project / "hosts.yaml").unlink()
    with pytest.raises(UsageError) as caught:
        run(["up", "gpu-box"])
    assert caught.value.message.startswith("there is no hosts.yaml here")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("provision init")


def test_the_complaint_is_one_line_and_its_hint_on_stderr_and_the_code_is_2(here: Desk) -> None:
    answer = here.type("upp")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "provision: there is no command 'upp', did you mean 'up'?\n  -> provision --help\n"


def test_no_word_at_all_shows_the_help_and_is_a_mistake(here: Desk) -> None:
    nothing, asked, version = here.type(), here.type("--help"), here.type("--version")
    assert (nothing.code, asked.code, version.code) == (2, 0, 0)
    assert nothing.out == asked.out
    assert version.out.startswith("provision ")


HELPS = [[name] for name in COMMANDS] + [["hosts", "add"], ["hosts", "install-key"]]


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_every_commands_help_has_its_name_its_options_and_examples(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run([*words, "--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert f"usage: provision {' '.join(words)}" in text
    assert "-h, --help" in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_main_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for name, (_, line) in COMMANDS.items():
        assert f"  {name:<10}{line}" in text


PROBE = """
import json, sys
from provision.cli.main import run
from provision.errors import ProvisionError
sys.stdout, kept = sys.stderr, sys.stdout
found = {}
for words in json.loads(sys.argv[1]):
    try:
        code = run(words)
    except ProvisionError as error:
        code = error.exit_code
    except SystemExit as end:
        code = end.code
    found[" ".join(words)] = [code, sorted({one.partition(".")[0] for one in sys.modules} & set(sys.argv[2:]))]
print(json.dumps(found), file=kept)
"""


def imported(desk: Desk, *lines: list[str]) -> dict[str, list[object]]:
    """Return the exit code of each line, and what is imported by then: all of them in one process."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(lines), *HEAVY],
        cwd=desk.project,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def test_the_other_problems_of_a_file_are_shown_below_the_first(here: Desk) -> None:
    keys = "".join(f"    wrong{number}: 1\n" for number in range(8))
    (here.project / "hosts.yaml").write_text(f"version: 1\nhosts:\n  a:\n    address: 192.0.2.1\n{keys}")
    lines = here.type("plan").err.splitlines()
    assert lines[0].startswith("provision: hosts.yaml:5: hosts.a.wrong0: unknown key")
    assert lines[0].endswith("(and 7 more problems)")
    assert [one.split(":")[1] for one in lines[1:]] == ["6", "7", "8", "9", "10"]
    assert all(one.startswith("  hosts.yaml:") for one in lines[1:])


def test_a_trusted_fingerprint_is_said_to_be_checked_at_the_next_connection(here: Desk) -> None:
    answer = here.type("trust", "gpu-box", "--fingerprint", "SHA256:3c9Jw0pQm2yN1v7bX5tK8rL4eG6hU0aZsD9fYcVqWnE")
    assert answer.code == 0, answer
    assert "at the next connection" in answer.out


def test_help_imports_nothing_that_takes_time(here: Desk) -> None:
    lines = [
        ["--help"],
        *([name, "--help"] for name in COMMANDS if name in {"plan", "up", "verify", "exec", "trust", "init"}),
    ]
    assert imported(here, *lines) == {" ".join(one): [0, []] for one in lines}


def test_bad_input_imports_nothing_that_takes_time(here: Desk) -> None:
    (here.project / "bad.yaml").write_text("version: 1\nhosts: {a: {adress: 192.0.2.1}}\n")
    lines = [
        ["upp"],
        ["up", "--forks", "0"],
        ["up", "gpu-bx"],
        ["plan", "gpu-box", "-i", "bad.yaml"],
        ["up", "gpu-box"],
        ["up", "gpu-box", "-p", "none"],
        ["exec", "gpu-box"],
    ]
    assert imported(here, *lines) == {" ".join(one): [2, []] for one in lines}


def test_a_bad_environment_file_is_told_before_anything_of_ssh_is_imported(here: Desk) -> None:
    (here.project / "environment.yml").write_text("dependancies: [python]\n")
    assert imported(here, ["up", "gpu-box"]) == {"up gpu-box": [2, []]}


def test_the_password_is_in_no_file_of_a_run(here: Desk) -> None:
    (here.project / "environment.yml").write_text("dependencies: [python=3.11]\n")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and never listening: every connection is refused at once
        (here.project / "hosts.yaml").write_text(HOSTS.replace("PORT", str(closed.getsockname()[1])))
        answer = here.type("plan", "gpu-box", "-p", "cpu", PROVISION_SSH_PASSWORD=PASSWORD)
    assert answer.code == 3
    assert PASSWORD not in answer.out + answer.err
    logs = list(here.home.rglob("*.log"))
    assert len(logs) == 1
    for path in here.home.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
