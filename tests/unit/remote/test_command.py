"""Quoting and the exec line, run for real: what goes in as words comes out as the same bytes, under every shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.facts import parse
from provision.remote import catalogue
from provision.remote.command import CANNOT_UNPACK, compose, quote, script_text
from provision.remote.frame import Frame
from provision.remote.sources import FOLDER, INCLUDES, source

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scripts run on Linux hosts")

SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]
NONCE = "0123456789abcdef" * 2
SHOW = """printf '%s\\0' "$#" "$@"\n"""
EXAMPLES = settings(max_examples=2000 if os.environ.get("PROVISION_SOAK") else 12, deadline=None)
# No byte but NUL is forbidden in an argument; what is not UTF-8 travels as surrogates, as Python's own argv does.
WORDS = st.lists(
    st.one_of(
        st.binary(max_size=30).map(lambda one: one.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
        st.text(st.sampled_from("'\"\\$`!\n\r\t *?[]{}()<>|&;#~=%^-éa"), max_size=20),
    ),
    max_size=6,
)


@pytest.fixture(params=SHELLS, ids=" ".join, scope="module")
def shell(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    if shutil.which(found[0]) is None:
        pytest.skip(f"there is no {found[0]} here")
    return found


def run(words: list[str], stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        words, input=stdin, capture_output=True, check=False, timeout=30, env={"PATH": os.environ["PATH"], **env}
    )


def shown(words: list[str]) -> bytes:
    return b"".join(one.encode("utf-8", "surrogateescape") + b"\0" for one in (str(len(words)), *words))


def taken(stream: bytes) -> tuple[bytes, int | None]:
    frame = Frame(NONCE)
    return frame.feed(stream), frame.exit_code


@EXAMPLES
@given(words=WORDS)
def test_arguments_are_byte_exact_under_every_shell(shell: list[str], words: list[str]) -> None:
    text = script_text(SHOW, tuple(words)).encode("utf-8", "surrogateescape")
    assert run([*shell, "-c", os.fsdecode(text), "sh"]).stdout == shown(words)


@EXAMPLES
@given(words=WORDS, data=st.binary(max_size=9000))
def test_the_exec_line_brings_arguments_and_data_byte_for_byte(shell: list[str], words: list[str], data: bytes) -> None:
    command = compose(f"{SHOW}cat\n", tuple(words), nonce=NONCE, data=data)
    ended = run([*shell, "-c", command.line], command.stdin)
    assert taken(ended.stdout) == (shown(words) + data, 0)


@EXAMPLES
@given(words=WORDS)
def test_without_data_the_exec_line_serves_every_shell(shell: list[str], words: list[str]) -> None:
    command = compose(f"{SHOW}cat\n", tuple(words), nonce=NONCE)
    ended = run([*shell, "-c", command.line], command.stdin)
    assert taken(ended.stdout) == (shown(words), 0)


@EXAMPLES
@given(words=WORDS, code=st.integers(0, 255), text=st.text(st.sampled_from("a0 9\n\té%"), max_size=40))
def test_a_gathered_command_answers_in_one_piece_what_a_streamed_one_says(
    shell: list[str], words: list[str], code: int, text: str
) -> None:
    script = f"{SHOW.replace(chr(92) + '0', '|')}printf '%s' {quote(text)}\nexit {code}\n"
    answers = []
    for gathered in (True, False):
        command = compose(script, tuple(words), nonce=NONCE, gathered=gathered)
        ended = run([*shell, "-c", command.line], command.stdin)
        assert ended.returncode == code
        answers.append(taken(ended.stdout))
    assert answers[0] == answers[1]
    assert answers[0][1] == code


@pytest.mark.parametrize("missing", ["base64", "gzip"])
def test_a_host_that_cannot_unpack_says_so(tmp_path: Path, missing: str) -> None:
    for name in {"sh", "base64", "gzip"} - {missing}:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    command = compose("echo never\n", (), nonce=NONCE, gathered=True)
    ended = subprocess.run(
        [shutil.which("sh") or "sh", "-c", command.line],
        env={"PATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert taken(ended.stdout) == (b"", CANNOT_UNPACK)


@given(st.text().filter(lambda text: "\0" not in text))
def test_a_quoted_word_is_one_word_of_single_quotes(text: str) -> None:
    quoted = quote(text)
    assert quoted[0] == quoted[-1] == "'"
    assert quoted[1:-1].replace("'\\''", "").count("'") == 0


def test_a_nul_is_refused_for_no_argument_can_carry_it() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize("code", [0, 1, 42, 126, 127, 255])
def test_the_exit_code_is_told_on_both_streams_and_to_the_caller(shell: list[str], code: int) -> None:
    command = compose(f"printf out; printf err >&2; exit {code}\n", (), nonce=NONCE)
    ended = run([*shell, "-c", command.line], command.stdin)
    assert (taken(ended.stdout), taken(ended.stderr)) == ((b"out", code), (b"err", code))
    assert ended.returncode == code


def test_a_child_killed_by_a_signal_is_told_as_its_shell_tells_it(shell: list[str]) -> None:
    command = compose("sh -c 'kill -9 $$'\n", (), nonce=NONCE)
    ended = run([*shell, "-c", command.line], command.stdin)
    assert taken(ended.stdout)[1] == 137


def test_a_script_that_ends_its_own_shell_is_framed_all_the_same(shell: list[str]) -> None:
    for text in ("set -e; false; echo no\n", "exit 3\n", "set -u; echo $none\n", "exec false\n"):
        ended = run([*shell, "-c", compose(text, (), nonce=NONCE).line], compose(text, (), nonce=NONCE).stdin)
        assert taken(ended.stdout)[1] == ended.returncode != 0


def test_settings_of_the_login_do_not_reach_the_script(shell: list[str]) -> None:
    command = compose(
        'printf "%s|" "$LC_ALL" "${BASH_ENV-}" "${LD_PRELOAD-}" "${PYTHONPATH-}" "${CDPATH-}"\n', (), nonce=NONCE
    )
    env = {"LC_ALL": "tr_TR.UTF-8", "PYTHONPATH": "/x", "CDPATH": "/x", "GREP_OPTIONS": "-v"}
    ended = run([*shell, "-c", command.line], command.stdin, **env)
    assert taken(ended.stdout)[0] == b"C|||||"


def test_noise_of_rc_files_stays_outside_the_frame(shell: list[str]) -> None:
    command = compose("printf answer\n", (), nonce=NONCE)
    ended = run([*shell, "-c", f"echo welcome; printf 'no newline'; {command.line}"], command.stdin)
    frame = Frame(NONCE)
    assert frame.feed(ended.stdout) == b"answer"
    assert frame.noise.strip() == b"welcome\nno newline"


SCRIPTS = sorted(path.name for path in FOLDER.glob("*.sh"))
PARTS = {part for parts in INCLUDES.values() for part in parts}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_parses_with_what_goes_in_front_of_it(shell: list[str], name: str) -> None:
    ended = run([*shell, "-n"], script_text(source(name), ("a", "b")).encode())
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_begins_with_what_it_is_for_and_ends_with_its_call(name: str) -> None:
    lines = (FOLDER / name).read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#!")).startswith("# ")
    assert (lines[-1] in {'main "$@"', 'main "$@" </dev/null'}) is (name not in PARTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_function_that_a_script_takes_from_another_file_is_in_front_of_it(name: str) -> None:
    functions = {
        line.split("(")[0]: path.name
        for path in map(FOLDER.joinpath, sorted(PARTS))
        for line in path.read_text().splitlines()
        if line.endswith("() {")
    }
    text = source(name)
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for function in functions:
        if function in code.split() or f"$({function} " in code:
            assert f"{function}() {{" in text, (name, function)


def test_every_script_is_reached_by_the_catalogue_or_goes_in_front_of_another() -> None:
    from provision.remote import keys

    text = "".join(Path(one.__file__ or "").read_text(encoding="utf-8") for one in (catalogue, keys))
    assert {name for name in SCRIPTS if f'"{name}"' not in text} == {name for name in PARTS if name.endswith(".sh")}


@EXAMPLES
@given(values=WORDS)
def test_the_users_variables_are_byte_exact_and_reach_children(shell: list[str], values: list[str]) -> None:
    env = tuple((f"NAME_{number}", value) for number, value in enumerate(values))
    look = "".join(f"print(end='', file=sys.stderr) or out(os.environb[b'{name}'] + b'\\0');" for name, _ in env)
    program = f"import os, sys; out = sys.stdout.buffer.write; {look}"
    command = compose('"$1" -I -c "$2"\n', (sys.executable, program), nonce=NONCE, env=env)
    ended = run([*shell, "-c", command.line], command.stdin)
    assert taken(ended.stdout) == (shown(values).partition(b"\0")[2], 0)


VOLATILE = ("clock|", "began|", "ended|", "space|", "meminfo|", "locked|", "problem|")


def test_the_probe_says_the_same_packed_and_streamed(shell: list[str], tmp_path: Path) -> None:
    for name in ("nvidia-smi", "amd-smi", "npu-smi"):  # this machine's own may take seconds
        (tmp_path / name).write_text("#!/bin/sh\nexit 9\n")
        (tmp_path / name).chmod(0o755)
    text = source("probe.sh").replace("    PATH=/usr/local/sbin", f"    PATH={tmp_path}:/usr/local/sbin", 1)
    answers = []
    for gathered in (True, False):
        words = (f"state_dir={tmp_path}/s", "path=~/none", "unless=abc test -d /", "conda=~/miniconda3")
        command = compose(text, words, nonce=NONCE, gathered=gathered)
        ended = run([*shell, "-c", command.line], command.stdin, HOME=str(tmp_path))
        output, code = taken(ended.stdout)
        assert code == 0
        parse(output)
        answers.append([line for line in output.decode().splitlines() if not line.startswith(VOLATILE)])
    assert answers[0] == answers[1]
    assert "unless|abc|0" in answers[0]
