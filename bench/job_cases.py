"""What `run` and `logs` are compared with, and how much slower than the bare connection they may be."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.cases import DISTANCE_MS, Match, held
from bench.contestants import openssh, ssh
from bench.timing import CommandFailedError, Contestant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.cases import Case
    from bench.stage import Fleet, Stage

LARGE_LOG = 1 << 30
TAIL = 20
"""Lines."""
RUN_TARGETS = {0: None, DISTANCE_MS: 2.0}
TAIL_TARGETS = {0: None, DISTANCE_MS: 1.2}
_ID = re.compile(r"^[a-z][a-z2-7]{5}$", re.MULTILINE)


def job_cases(stage: Stage, hosts: dict[int, Fleet], pairs: int, tell: Callable[[str], None]) -> Iterator[Case]:
    """Run every comparison and yield it when it is done."""
    for rtt, host in hosts.items():
        bare = openssh(stage, host)
        detached = _ours(stage, host, "provision run --detach", "run", "--detach", host.hosts[0].name, "--", "true")
        detached = replace(detached, proves=lambda text: _ID.search(text) is not None)
        yield held(Match("a job is launched", rtt, detached, bare, pairs, RUN_TARGETS[rtt]), tell)
        tell("writing a log of 1 GiB")
        job, log = _large_log(stage, host)
        tailed = _ours(stage, host, f"provision logs --tail {TAIL}", "logs", job, "--tail", str(TAIL))
        tailed = replace(tailed, proves=lambda text: text.count("\n") == TAIL)
        target = f"{host.hosts[0].user}@{host.hosts[0].address}"
        theirs = Contestant(
            f"ssh host tail -n {TAIL}",
            (*ssh(host), target, "tail", "-n", str(TAIL), log),
            stage.env,
            stage.laptop.project,
            lambda text: text.count("\n") == TAIL,
        )
        yield held(Match("the end of a log of 1 GiB", rtt, tailed, theirs, pairs, TAIL_TARGETS[rtt]), tell)
        host.hosts[0].run(["rm", log], check=True)


def _ours(stage: Stage, host: Fleet, name: str, command: str, *words: str) -> Contestant:
    argv = (stage.ours.program("provision"), command, "-i", str(host.inventory), *words)
    return Contestant(name, argv, stage.env, stage.laptop.project)


def _large_log(stage: Stage, host: Fleet) -> tuple[str, str]:
    """Return the id of a job that has written so much, and where its log is."""
    name = host.hosts[0].name
    text = f"yes 'step 12345  loss 0.1234  after 12.3 s' | head -c {LARGE_LOG}; echo"
    words = ("run", "-i", str(host.inventory), "--no-sync", "--name", "large", name, "--", "sh", "-c", text)
    done = subprocess.run(
        [stage.ours.program("provision"), *words],
        env=dict(stage.env),
        cwd=stage.laptop.project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = re.search(r"job ([a-z][a-z2-7]{5})", done.stderr)
    if done.returncode or found is None:
        raise CommandFailedError(f"writing a large log: exit {done.returncode}\n{done.stderr}")
    return found[1], f"{host.hosts[0].home}/.provision/jobs/{found[1]}/log"
