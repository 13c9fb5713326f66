"""One function for each program that runs on a host: its arguments by name, in the order that the script reads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from provision.model.plan import Program
from provision.remote.command import script_text
from provision.remote.sources import source

if TYPE_CHECKING:
    from collections.abc import Iterable

LEASE_SILENCE = 60
"""Seconds after which a lease ends itself without a sign of life from its client."""
DAY = 86400.0


def probe(arguments: Iterable[str]) -> Program:
    """Read the host's facts; `arguments` are ``key=value`` words."""
    return Program("probe.sh", tuple(arguments), timeout=90, gathered=True)


def lease(state_dir: str, holder: str) -> Program:
    """Hold the host."""
    return Program("lease.sh", (state_dir, holder, str(LEASE_SILENCE)))


def detach(state_dir: str, step: str, program: Program) -> Program:
    """Start `program` apart from the connection."""
    script = script_text(source(program.script), program.arguments, program.env).encode("utf-8", "surrogateescape")
    return Program(
        "detach.sh",
        (state_dir, step, str(len(script))),
        data=script + (program.data or b""),
        secrets=program.secrets,
    )


def follow(state_dir: str, step: str, offset: int) -> Program:
    """Follow a detached step's output from a byte offset on."""
    return Program("follow.sh", (state_dir, step, str(offset)), timeout=DAY)


def stop_step(state_dir: str, step: str) -> Program:
    """End a detached step."""
    return Program("stop_step.sh", (state_dir, step))


def fetch(state_dir: str, name: str, sha256: str | None, urls: Iterable[str]) -> Program:
    """Download a file on the host into its cache."""
    return Program("fetch.sh", (f"{state_dir}/cache", name, sha256 or "", *urls), timeout=DAY)


def receive(state_dir: str, sha256: str, size: int) -> Program:
    """Take a file from us into the host's cache; its bytes follow on stdin."""
    return Program("receive.sh", (f"{state_dir}/cache", sha256, str(size)), data=b"", timeout=DAY)


def receive_packages(interpreter: str, folder: str, what: str, data: bytes) -> Program:
    """Say which archives are ``missing``, or ``take`` them from stdin (see receive_packages.py)."""
    arguments = (interpreter, "", source("receive_packages.py"), folder, what)
    return Program("python.sh", arguments, data=data, timeout=DAY)


def probe_mirrors(seconds: int, most: int, urls: Iterable[str]) -> Program:
    """Ask servers for the first `most` bytes of a file each, all at once, for so many seconds; numbered from 0."""
    questions = (word for number, url in enumerate(urls) for word in (str(number), url))
    return Program("probe_mirrors.sh", (str(seconds), str(most), *questions), timeout=seconds * 4)


def install_miniconda(state_dir: str, sha256: str, prefix: str, *, repair: bool) -> Program:
    """Install Miniconda from the cached installer."""
    mark = f"{state_dir}/installing/{prefix.replace('/', '%')}"
    return Program(
        "install_miniconda.sh",
        (state_dir, sha256, prefix, mark, "repair" if repair else "fresh"),
        timeout=DAY,
    )


def check_conda(prefix: str) -> Program:
    """Run a conda once, apart from the user's configuration."""
    return Program("check_conda.sh", (prefix,), timeout=90)


def build_environment(
    *,
    state_dir: str,
    conda: str,
    base: str,
    generation: str,
    channels: Iterable[Iterable[str]],
    specs: Iterable[str],
    requirements: str,
    constraints: str,
    variables: str,
    marker: str,
    cuda: str,
    accept_tos: bool,
    pip_indexes: Iterable[tuple[str, str]],
    locked: bytes | None = None,
    offline: bool = False,
    secrets: tuple[str, ...] = (),
) -> Program:
    """Build one generation of an environment; `locked` is the list for fetch_packages.py, where there is a lock.

    `channels`, `pip_indexes`: the first of each is asked; where it does not serve, the next. An index is pip's, and who
    serves PyTorch's wheels; empty ones are the originals.
    `offline`: everything is in the host's cache, and nobody else is to be asked.
    """
    arguments = (
        state_dir,
        conda,
        base,
        generation,
        "\n\n".join("\n".join(one) for one in channels),
        "\n".join(specs),
        requirements,
        constraints,
        variables,
        marker,
        cuda,
        "yes" if accept_tos else "",
        "\n".join(f"{index or '-'} {torch or '-'}" for index, torch in pip_indexes),
        source("fetch_packages.py") if locked is not None else "",
        "yes" if offline else "",
    )
    return Program("build_environment.sh", arguments, data=locked, timeout=DAY, secrets=secrets)


def switch_environment(base: str, generation: str, link: str) -> Program:
    """Make a generation the current one."""
    return Program("switch_environment.sh", (base, generation, link))


def reject_generation(prefix: str, reason: str) -> Program:
    """Note that a generation must never be used."""
    return Program("reject_generation.sh", (prefix, reason))


def tell_build(prefix: str) -> Program:
    """Read what a generation's build kept of its packages, and what came after it."""
    return Program("tell_build.sh", (prefix,), timeout=60, gathered=True)


def tell_system(conda: str, record: str) -> Program:
    """Read what may exchange parts of the system, or waits for a restart; `record` is of the conda's last check."""
    return Program("tell_system.sh", (conda, record), timeout=90, gathered=True)


def write_record(state_dir: str, machine: str, name: str, text: str) -> Program:
    """Write one record."""
    return Program("write_record.sh", (state_dir, machine, name, text))


def python(
    interpreter: str,
    script: str,
    arguments: Iterable[str],
    *,
    prefix: str = "",
    data: bytes | None = None,
    timeout: float,
) -> Program:
    """Run one of our Python scripts with an interpreter of the host."""
    return Program("python.sh", (interpreter, prefix, source(script), *arguments), data=data, timeout=timeout)


def script_digest(name: str) -> str:
    """Return the sha256 of a script's text: a record that depends on a script names it."""
    return hashlib.sha256(source(name).encode()).hexdigest()


def sync_tree(request: str, state_dir: str, env: tuple[tuple[str, str], ...]) -> Program:
    """Converse with the receiver of a tree (see sync_tree.py)."""
    return Program("sync_tree.sh", (request, source("sync_tree.py"), state_dir), env=env)


def send_files(state_dir: str, request: str, env: tuple[tuple[str, str], ...]) -> Program:
    """Converse with the sender of files (see send_files.py)."""
    return Program("send_files.sh", (state_dir, request, source("send_files.py")), env=env)


def job_program(name: str, state_dir: str, request: bytes, env: tuple[tuple[str, str], ...]) -> Program:
    """Converse with a program that launches, tells of, follows or stops jobs; the request goes to its stdin."""
    return Program("converse.sh", (state_dir, source(name)), data=request, env=env)


def install_packages(manager: str, packages: Iterable[str], *, sudo: bool, mirror: str | None = None) -> Program:
    """Install system packages; apt's from a mirror with the folders ``ubuntu`` and ``debian``, where there is one."""
    return Program("install_packages.sh", (manager, "sudo" if sudo else "", mirror or "", *packages), timeout=DAY)


def idle_stop(state_dir: str, seconds: int, *, sudo: bool, pause: float) -> Program:
    """Arm a machine to shut itself down after so many seconds without work, looking every `pause`; 0 disarms it."""
    arguments = (state_dir, str(seconds), "sudo" if sudo else "", str(round(pause)), source("idle_watch.sh"))
    return Program("idle_stop.sh", arguments, timeout=60.0)


def write_file(path: str, mode: str, content: bytes) -> Program:
    """Write one file."""
    return Program("write_file.sh", (path, mode), data=content)


def run_command(folder: str, command: str) -> Program:
    """Run a playbook's shell command."""
    return Program("run_command.sh", (folder, command), timeout=DAY)


def user_command(words: Iterable[str], *, timeout: float) -> Program:
    """Run a command line that the user typed: its words as they are, or one word as shell text."""
    given = tuple(words)
    return Program("exec.sh", ("sh", "-c", given[0]) if len(given) == 1 else given, timeout=timeout)
