"""Whatever bytes are typed arrive: words, variables, names of files; and secrets arrive nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Size
    from tests.jobs.place import Place
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

TOKEN = "hf_Zq8sentinel7token"
REPORT = """
import os, sys
words = sys.argv[1:]
names = sorted(os.listdir(os.fsencode(".")))
env = {key: value for key, value in os.environb.items() if key.startswith(b"V_")}
sys.stdout.buffer.write(repr((list(map(os.fsencode, words)), names, sorted(env.items()))).encode())
"""

words = st.binary(min_size=0, max_size=40).map(lambda one: one.replace(b"\0", b"0"))
names = st.binary(min_size=1, max_size=30).map(
    lambda one: one.replace(b"\0", b"0").replace(b"/", b"1").replace(b"\n", b"2")
)
AWKWARD = [
    b"",
    b" ",
    b"'",
    b'"',
    b"$HOME",
    b"`id`",
    b"\\",
    b"a\nb",
    b"\r",
    b"\x1b[31m",
    b"--",
    b"-x",
    b"*",
    b"~",
    b"!",
    b"%s",
    b"\xff\xfe",
    "é中".encode(),
    bytes(range(1, 256)),
]


def told(place: Place, arguments: list[bytes], variables: dict[bytes, bytes]) -> tuple[object, ...]:
    options = [b"--env=" + name + b"=" + value for name, value in variables.items()]
    command = [*options, b"--yes", b"--", b"python3", b".report.py", *arguments]
    done = subprocess.run(
        [*map(os.fsencode, place.typed("run")), *command],
        cwd=place.project,
        env=place.desk.environment,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said: tuple[object, ...] = eval(done.stdout)  # noqa: S307 - our own program printed it
    return said


def test_awkward_words_variables_and_names_arrive_exactly(place: Place) -> None:
    (place.project / ".report.py").write_text(REPORT)
    folder = os.fsencode(place.project)
    for number, one in enumerate(AWKWARD):
        name = b"%02d" % number + one.replace(b"/", b"-").replace(b"\n", b"_")[:200]
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"x")
    variables = {b"V_%d" % number: one for number, one in enumerate(AWKWARD)}
    got, there, env = told(place, AWKWARD, variables)
    assert got == AWKWARD
    ours = {one for one in os.listdir(folder) if one not in {b".git", b"hosts.yaml"}}  # noqa: PTH208 - names are bytes
    assert {one for one in there if one != b".provision"} == ours  # type: ignore[attr-defined]
    assert dict(env) == variables  # type: ignore[call-overload]


def test_any_words_and_variables_arrive_exactly(place: Place, size: Size) -> None:
    (place.project / ".report.py").write_text(REPORT)

    @settings(max_examples=size(6, 60), deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.lists(words, max_size=6), st.lists(words, max_size=3))
    def exact(arguments: list[bytes], values: list[bytes]) -> None:
        variables = {b"V_%d" % number: value for number, value in enumerate(values)}
        got, _, env = told(place, arguments, variables)
        assert got == arguments
        assert dict(env) == variables  # type: ignore[call-overload]

    exact()


def files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def holding(folder: Path, token: bytes) -> list[str]:
    return [str(path) for path in files(folder) if token in path.read_bytes()]


def test_a_secret_is_nowhere_but_in_the_job(place: Place) -> None:
    (place.project / "provision.yaml").write_text("secrets: [HF_TOKEN]\n")
    seen = 'test "$HF_TOKEN" = "$1" && echo same; sleep 4'
    process = subprocess.Popen(
        # The job is told half of it, so that its own words do not have it.
        [
            *place.typed("run"),
            "-v",
            "--json",
            "--",
            "sh",
            "-c",
            seen.replace("$1", "$PROBE"),
            "x",
        ],
        cwd=place.project,
        env={**place.desk.environment, "HF_TOKEN": TOKEN},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    token = TOKEN.encode()
    while process.poll() is None:
        for one in place.host.processes():
            assert TOKEN not in one.command
        for pid in Path("/proc").iterdir():
            if pid.name.isdigit():
                try:
                    assert token not in (pid / "cmdline").read_bytes()
                except OSError:
                    continue
    out, err = process.communicate()
    assert token not in out
    assert token not in err
    assert json.loads(out)["hosts"]["box"]["state"] == "exited"
    assert holding(place.desk.home, token) == []
    for folder in (place.host.home, "/tmp", "/run", "/var/log", "/dev/shm"):
        assert holding(place.host.root / folder.lstrip("/"), token) == []
    assert len(place.jobs()) == 1


def test_a_secret_does_reach_the_job_and_its_file_is_gone_when_it_runs(place: Place) -> None:
    answer = place.desk.type(
        *(
            "run",
            "--secret",
            "HF_TOKEN",
            "--",
            "sh",
            "-c",
            'printf %s "$HF_TOKEN" | tr a-z A-Z; ls ~/.provision/jobs/*',
        ),
        HF_TOKEN=TOKEN,
    )
    assert answer.code == 0, answer
    assert TOKEN.upper() in answer.out
    assert "\nenv\n" not in answer.out


def test_a_waiting_job_s_secret_lies_in_no_file(lab: Lab, place: Place) -> None:
    del lab
    job = place.detached("sleep 1000", "--env", f"PLAIN={TOKEN}")
    place.until_state(job, "running")
    assert holding(place.host.root / place.host.home.lstrip("/"), TOKEN.encode()) == []
    assert place.desk.type("stop", job).code == 0
