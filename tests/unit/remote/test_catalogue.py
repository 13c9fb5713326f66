"""The catalogue: each program's arguments stand in the order in which its script reads them."""

from __future__ import annotations

import hashlib

import pytest

from provision.model.plan import LONG, Program
from provision.remote import catalogue
from provision.remote.command import script_text
from provision.remote.sources import source

S = "/state"
PROGRAMS: dict[str, tuple[Program, str, tuple[str, ...]]] = {
    "probe": (catalogue.probe(iter(["a=b"])), "probe.sh", ("a=b",)),
    "lease": (catalogue.lease(S, "me"), "lease.sh", (S, "me", "60")),
    "follow": (catalogue.follow(S, "step", 7), "follow.sh", (S, "step", "7")),
    "stop_step": (catalogue.stop_step(S, "step"), "stop_step.sh", (S, "step")),
    "fetch": (catalogue.fetch(S, "x.sh", "ab", iter(["u", "v"])), "fetch.sh", (f"{S}/cache", "x.sh", "ab", "u", "v")),
    "fetch, unknown": (catalogue.fetch(S, "x.sh", None, ["u"]), "fetch.sh", (f"{S}/cache", "x.sh", "", "u")),
    "receive": (catalogue.receive(S, "ab", 9), "receive.sh", (f"{S}/cache", "ab", "9")),
    "install_miniconda": (
        catalogue.install_miniconda(S, "ab", "/opt/conda", repair=False),
        "install_miniconda.sh",
        (S, "ab", "/opt/conda", f"{S}/installing/%opt%conda", "fresh"),
    ),
    "repair": (
        catalogue.install_miniconda(S, "ab", "/c", repair=True),
        "install_miniconda.sh",
        (S, "ab", "/c", f"{S}/installing/%c", "repair"),
    ),
    "check_conda": (catalogue.check_conda("/c"), "check_conda.sh", ("/c",)),
    "build_environment": (
        catalogue.build_environment(
            state_dir=S,
            conda="/c/bin/conda",
            base="/b",
            generation="1-aa",
            channels=iter([("x", "y"), ["z"]]),
            specs=iter(["python", "numpy"]),
            requirements="r",
            constraints="c",
            variables="v",
            marker="{",
            cuda="12.4",
            accept_tos=True,
            pip_indexes=(("i", "t"), ("", "")),
        ),
        "build_environment.sh",
        (
            S,
            "/c/bin/conda",
            "/b",
            "1-aa",
            "x\ny\n\nz",
            "python\nnumpy",
            "r",
            "c",
            "v",
            "{",
            "12.4",
            "yes",
            "i t\n- -",
            "",
            "",
        ),
    ),
    "build_environment from a lock, offline": (
        catalogue.build_environment(
            state_dir=S,
            conda="/c/bin/conda",
            base="/b",
            generation="1-aa",
            channels=[["x"]],
            specs=[],
            requirements="",
            constraints="",
            variables="",
            marker="{",
            cuda="none",
            accept_tos=False,
            pip_indexes=(("", ""),),
            locked=b"{}",
            offline=True,
        ),
        "build_environment.sh",
        (
            S,
            "/c/bin/conda",
            "/b",
            "1-aa",
            "x",
            "",
            "",
            "",
            "",
            "{",
            "none",
            "",
            "- -",
            source("fetch_packages.py"),
            "yes",
        ),
    ),
    "probe_mirrors": (
        catalogue.probe_mirrors(6, 4096, ["https://a", "https://b"]),
        "probe_mirrors.sh",
        ("6", "4096", "0", "https://a", "1", "https://b"),
    ),
    "receive_packages": (
        catalogue.receive_packages("/c/bin/python", f"{S}/cache", "missing", b"[]"),
        "python.sh",
        ("/c/bin/python", "", source("receive_packages.py"), f"{S}/cache", "missing"),
    ),
    "switch": (catalogue.switch_environment("/b", "1-aa", "/l"), "switch_environment.sh", ("/b", "1-aa", "/l")),
    "reject": (catalogue.reject_generation("/b/1", "bad"), "reject_generation.sh", ("/b/1", "bad")),
    "write_record": (catalogue.write_record(S, "m", "n", "{}"), "write_record.sh", (S, "m", "n", "{}")),
    "packages": (
        catalogue.install_packages("dnf", ["git"], sudo=True),
        "install_packages.sh",
        ("dnf", "sudo", "", "git"),
    ),
    "packages from a mirror": (
        catalogue.install_packages("apt-get", ["git"], sudo=False, mirror="https://m"),
        "install_packages.sh",
        ("apt-get", "", "https://m", "git"),
    ),
    "packages as root": (
        catalogue.install_packages("dnf", ["git"], sudo=False),
        "install_packages.sh",
        ("dnf", "", "", "git"),
    ),
    "write_file": (catalogue.write_file("/p", "0644", b"x"), "write_file.sh", ("/p", "0644")),
    "run_command": (catalogue.run_command("/f", "make"), "run_command.sh", ("/f", "make")),
    "a user's words": (catalogue.user_command(["ls", "-l"], timeout=9), "exec.sh", ("ls", "-l")),
    "a user's line": (catalogue.user_command(["ls | wc"], timeout=9), "exec.sh", ("sh", "-c", "ls | wc")),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_its_script_and_its_arguments_in_order(name: str) -> None:
    program, script, arguments = PROGRAMS[name]
    assert (program.script, program.arguments) == (script, arguments)
    assert program.timeout > 0
    source(script)


def test_a_detached_program_carries_its_whole_script_and_then_its_data() -> None:
    inner = Program("write_file.sh", ("/é\udcff", "0644"), data=b"\0data", secrets=("s3cret",))
    program = catalogue.detach(S, "step", inner)
    script = script_text(source("write_file.sh"), inner.arguments).encode("utf-8", "surrogateescape")
    assert program.arguments == (S, "step", str(len(script)))
    assert program.data == script + b"\0data"
    assert program.secrets == ("s3cret",)


def test_only_programs_that_read_stdin_get_one() -> None:
    with_data = {one.script for one, _, _ in PROGRAMS.values() if one.data is not None}
    assert with_data == {"receive.sh", "write_file.sh", "python.sh", "build_environment.sh"}


def test_python_runs_the_source_itself_and_a_record_names_its_digest() -> None:
    program = catalogue.python("/c/bin/python", "deep_check.py", ["nonce"], prefix="/e", data=b"q", timeout=5)
    assert program.arguments == ("/c/bin/python", "/e", source("deep_check.py"), "nonce")
    assert catalogue.script_digest("deep_check.py") == hashlib.sha256(source("deep_check.py").encode()).hexdigest()


def test_a_log_shows_no_secret_no_data_and_long_arguments_by_their_size() -> None:
    program = Program("exec.sh", ("token=hunter22", "x" * (LONG + 1), "a\nb"), data=b"hidden", secrets=("hunter22",))
    assert program.shown == f"exec.sh token=*** <{LONG + 1} characters> a\\nb"
