"""From the probe's output to `Facts`."""

from __future__ import annotations

import re
from typing import Any

from provision.facts.conda import conda_links, condas, environments
from provision.facts.disks import disks
from provision.facts.gpus import gpu_facts
from provision.facts.lines import Lines, ProbeError, document, number
from provision.facts.system import home_owned, system
from provision.model.facts import Facts, StepLock

_UPTIME = re.compile(r"([0-9]{1,12})\.([0-9]{2})")
RECORD_FORMAT = 1
"""The newest format of a record that this version writes and reads."""

_EXIT_CODE = re.compile(r"[0-9]{1,3}")


def parse(output: bytes) -> Facts:
    """Return the facts that a probe printed.

    Raises:
        ProbeError: The output is cut short, or lacks what nothing can be judged without; nothing else is
            raised, whatever the input.
    """
    lines = Lines(output)
    if not lines.all("end"):
        raise ProbeError("the probe's answer is cut short", hint="run again; if it repeats, use -v to see the answer")
    records, bad_records = _records(lines)
    gpu, gpu_problems = gpu_facts(lines)
    return Facts(
        system=system(lines),
        state_dir=lines.needed("state_dir"),
        workdir=lines.needed("workdir"),
        disks=disks(lines),
        condas=condas(lines),
        environments=environments(lines),
        conda_links=conda_links(lines),
        gpu=gpu,
        records=records,
        bad_records=bad_records,
        step_lock=StepLock(held=lines.first("step.lock") == "held", step=lines.first("step")),
        jobs=tuple(dict.fromkeys(lines.all("job"))),
        paths=_paths(lines),
        unless=_unless(lines),
        packages=_packages(lines),
        home_owned=home_owned(lines),
        state_danger=lines.first("state.danger"),
        probe_seconds=_seconds(lines),
        problems=(*dict.fromkeys(lines.all("problem")), *gpu_problems),
    )


def _records(lines: Lines) -> tuple[tuple[tuple[str, dict[str, Any]], ...], tuple[str, ...]]:
    good: list[tuple[str, dict[str, Any]]] = []
    bad: list[str] = []
    names = [*lines.all("record"), *(key[len("record.") :] for key in lines.keys("record."))]
    for name in dict.fromkeys(names):
        try:
            record = document("\n".join(lines.all(f"record.{name}")))
        except ValueError as error:
            bad.append(f"{name}: cannot be read ({error})")
            continue
        written = record.get("format")
        if isinstance(written, bool) or not isinstance(written, int) or written < 1:
            bad.append(f"{name}: has no format")
        elif written > RECORD_FORMAT:
            bad.append(f"{name}: format {written} was written by a newer provision; this one reads {RECORD_FORMAT}")
        else:
            good.append((name, record))
    return tuple(good), tuple(bad)


def _paths(lines: Lines) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for text in lines.all("path"):
        answer, bar, path = text.partition("|")
        if bar:
            found.setdefault(path, answer)
    return tuple(found.items())


def _unless(lines: Lines) -> tuple[tuple[str, int], ...]:
    answers = (text.partition("|") for text in lines.all("unless"))
    return tuple((name, code) for name, _, text in answers if (code := number(text)) is not None)


def _packages(lines: Lines) -> tuple[tuple[str, str | None], ...]:
    found: dict[str, str | None] = dict.fromkeys(lines.all("package"))
    for text in lines.all("package.dpkg"):
        status, name, version = [*text.split("|"), "", "", ""][:3]
        # The second letter is the state: only a package that is wholly installed counts.
        if name in found and status[1:2] == "i":
            found[name] = version or None
    for text in lines.all("package.rpm"):
        name, _, version = text.partition("|")
        if name in found:
            found[name] = version or None
    return tuple(found.items())


def _seconds(lines: Lines) -> float | None:
    began, ended = (_hundredths(lines.first(key)) for key in ("began", "ended"))
    if began is None or ended is None or ended < began:
        return None
    return (ended - began) / 100


def _hundredths(uptime: str | None) -> int | None:
    match = _UPTIME.fullmatch(uptime or "")
    return int(match[1]) * 100 + int(match[2]) if match else None
