"""The exec protocol over real hosts: whatever the login shell and its rc files do, bytes and codes arrive."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.errors import LinkLostError, UnsupportedHostError
from provision.model.plan import Program
from tests.lab.controller import enter_laboratory, why_not
from tests.lab.lab import Lab
from tests.ssh.reach import inventory, link, ran, shell
from tests.unit.cli.typed import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from provision.ssh.link import SshLink
    from tests.lab.host import LabHost
    from tests.lab.knobs import LoginShell
    from tests.unit.cli.typed import Desk

pytestmark = pytest.mark.lab

SHELLS: tuple[LoginShell, ...] = ("bash", "dash", "busybox", "fish", "tcsh", "zsh")
SOAK = bool(os.environ.get("PROVISION_SOAK"))
MIB = 1 << 20

RUDE = {
    # What users really have in their rc files, and what they should not have.
    ".bashrc": "echo out; echo err >&2; set -u; alias sh=false printf=false; umask 077; cd /tmp\n",
    ".cshrc": "echo out; alias sh false; cd /tmp\n",
    ".zshenv": "echo out; echo err >&2; setopt ERR_EXIT; cd /tmp\n",
    ".config/fish/config.fish": "echo out; echo err >&2; cd /tmp\n",
}


@pytest.fixture(scope="module")
def shells() -> Iterator[dict[str, LabHost]]:
    """One host for each login shell, its rc files noisy and rude."""
    if why_not():
        pytest.skip(str(why_not()))
    with Lab(enter_laboratory()) as lab:
        files = tuple((f"/home/ubuntu/{name}", text, 0o644) for name, text in RUDE.items())
        yield {name: lab.host(name, login_shell=name, files=files) for name in SHELLS}


@pytest.fixture(scope="module")
def links(shells: dict[str, LabHost], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SshLink]]:
    """A connection to each."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("XDG_STATE_HOME", raising=False)
        yield {name: stack.enter_context(link(host)) for name, host in shells.items()}


WORDS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
        st.text("'\"\\!$`*?[]{}()<>|&;#~% \t\n\r-=^", max_size=20),
        st.binary(max_size=20).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
        st.sampled_from(["", "-n", "--", "-e", "\\", "'", "!!", "~", "\n", "\\n", "\x7f", "\x1b[0m", "é" * 300]),
    ),
    min_size=1,
    max_size=8,
)
PACE = settings(
    max_examples=300 if SOAK else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("name", SHELLS)
@PACE
@given(words=WORDS, code=st.integers(0, 255))
def test_any_words_arrive_byte_for_byte(links: dict[str, SshLink], name: str, words: list[str], code: int) -> None:
    program = Program("exec.sh", ("sh", "-c", 'printf "%s\\0" "$@"; exit ' + str(code), "sh", *words))
    done = links[name].run(program)
    expected = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)
    assert (done.stdout, done.stderr, done.code) == (expected, b"", code)


@pytest.mark.parametrize("name", SHELLS)
@PACE
@given(data=st.binary(max_size=3000), out=st.binary(max_size=200), err=st.binary(max_size=200))
def test_any_data_comes_back_and_the_two_streams_stay_apart(
    links: dict[str, SshLink], name: str, data: bytes, out: bytes, err: bytes
) -> None:
    # Not by head: busybox's reads ahead.
    text = f"exec 3>&2; dd bs=1 count={len(out)} 2>/dev/null; dd bs=1 count={len(err)} 2>/dev/null >&3; cat"
    done = ran(links[name], text, data=out + err + data)
    assert (done.stdout, done.stderr, done.code) == (out + data, err, 0)


@pytest.mark.parametrize("name", SHELLS)
def test_every_exit_code_is_told(links: dict[str, SshLink], name: str) -> None:
    for code in range(256) if SOAK else (0, 1, 2, 5, 64, 100, 126, 127, 128, 141, 200, 255):
        assert ran(links[name], f"exit {code}").code == code


@pytest.mark.parametrize("name", SHELLS)
def test_a_script_of_300_kilobytes_and_large_data_pass(links: dict[str, SshLink], name: str) -> None:
    data = secrets.token_bytes(3 * MIB)
    # A kernel takes 128 KiB in one word: the script is long by its many words.
    program = Program("exec.sh", ("sh", "-c", "sha256sum; echo $#", *("x" * 100_000,) * 3), data=data)
    done = links[name].run(program)
    assert done.stdout.decode().split() == [hashlib.sha256(data).hexdigest(), "-", "2"]


@pytest.mark.parametrize("name", SHELLS)
def test_output_without_a_newline_and_no_output_are_what_they_are(links: dict[str, SshLink], name: str) -> None:
    assert ran(links[name], "printf x").stdout == b"x"
    assert ran(links[name], "printf '\\n'; printf '\\n\\n' >&2").stdout == b"\n"
    done = ran(links[name], ":")
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("name", SHELLS)
def test_a_command_typed_at_a_terminal_reads_its_words_alike(shells: dict[str, LabHost], desk: Desk, name: str) -> None:
    host = shells[name]
    inventory(desk, host)
    words = ["a b", "$HOME", "'", '"', "\\", "\\'", "!x", "line\nbreak", "%d", "é", "x" * 5000]
    answer = desk.type("ssh", host.name, "--", "printf", "[%s]\\n", *words)
    assert answer.code == 0, answer
    assert answer.out.endswith("".join(f"[{word}]\n" for word in words)), answer


def test_a_line_is_told_as_soon_as_it_is_written(host: LabHost) -> None:
    pieces: list[bytes] = []

    class SeenError(Exception):
        pass

    def take(name: str, piece: bytes) -> None:
        del name
        pieces.append(piece)
        if b"".join(pieces) == b"one\n":
            raise SeenError

    with link(host) as made, pytest.raises(SeenError):
        made.run(shell("echo one; sleep 30"), on_output=take)


def test_a_program_that_leaves_the_shell_early_still_has_an_end(host: LabHost) -> None:
    with link(host) as made:
        for text, code in (("exec true", 0), ("kill -9 $$", 137), ("set -e; false; echo no", 1), ("exit 300", 44)):
            done = ran(made, text)
            assert (done.code, done.stdout) == (code, b"")


def test_a_command_whose_shell_is_killed_is_unknown_and_neither_done_nor_failed(host: LabHost) -> None:
    with link(host) as made:
        ran(made, "true")
        # The shell that would write the end line is the parent of the program's.
        with pytest.raises(LinkLostError):
            ran(made, "echo part; kill -9 $PPID; sleep 5")
        assert ran(made, "echo again").stdout == b"again\n"


@pytest.mark.parametrize(
    ("rc", "works"),
    [("set -e\n", True), ("set -eu; false_is_unset=1\n", True), ("exit 0\n", False), ("exec true\n", False)],
)
def test_an_rc_file_that_sets_options_is_harmless_and_one_that_leaves_is_explained(
    lab: Lab, rc: str, works: bool
) -> None:
    host = lab.host("box", files=(("/home/ubuntu/.bashrc", rc, 0o644),))
    with link(host) as made:
        if works:
            assert ran(made, "false; echo $unset; echo on").stdout == b"\non\n"
        else:
            with pytest.raises(UnsupportedHostError, match="does not run commands"):
                ran(made, "true")


@pytest.mark.parametrize(
    "knobs",
    [
        {"login_shell": "nologin"},
        {"sshd_config": ("ForceCommand echo only backups here",)},
        {"sshd_config": ("ForceCommand internal-sftp",)},
        {"exec_refused": True},
    ],
    ids=["nologin", "forced command", "sftp only", "gateway"],
)
def test_a_host_that_runs_no_commands_says_so_at_once(lab: Lab, knobs: dict[str, Any]) -> None:
    host = lab.host("box", **knobs)
    with link(host) as made, pytest.raises(UnsupportedHostError, match="does not run commands") as told:
        ran(made, "true")
    assert told.value.exit_code == 3
    assert told.value.kind == "unsupported"


def test_four_megabytes_on_stderr_before_anything_on_stdout_stop_nothing(host: LabHost) -> None:
    with link(host) as made:
        done = ran(made, f"head -c {4 * MIB} /dev/zero >&2; echo out")
    assert (done.code, done.stdout) == (0, b"out\n")
    assert 0 < len(done.stderr) <= 64 << 10


def test_input_that_nobody_reads_stops_nothing(host: LabHost) -> None:
    with link(host) as made:
        done = ran(made, "echo out", data=bytes(40 * MIB))
        assert (done.code, done.stdout) == (0, b"out\n")
        assert ran(made, "echo next").stdout == b"next\n"


def test_a_background_process_that_keeps_the_output_open_does_not_keep_us(host: LabHost) -> None:
    with link(host) as made:
        done = ran(made, "sleep 45 & echo out")
    assert (done.code, done.stdout) == (0, b"out\n")
    assert done.seconds < 10


def test_the_facts_are_read_alike_under_every_login_shell(shells: dict[str, LabHost], desk: Desk) -> None:
    inventory(desk, *shells.values())
    answer = desk.type("hosts", "--json")
    hosts = decoded(answer.out)["hosts"]
    assert all(one["error"] is None for one in hosts.values()), answer
    assert {name: one["facts"]["system"]["user"] for name, one in hosts.items()} == dict.fromkeys(SHELLS, "ubuntu")
