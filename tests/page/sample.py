"""A fleet of any size, of the kind that a team has; the same one each time."""

from __future__ import annotations

import random

from provision.page.fleet import Event, FindingNow, Fleet, HostNow, JobNow, Outcome, RunSeen, StepTime

NOW = 1_790_000_000.0
DAY = 86400.0
_TASKS = ("connect", "miniconda", "environment", "packages", "verify", "limits")
_KINDS = (
    ("aws", "1x NVIDIA A10 (22.5 GiB)", "580.95.05", "13.0"),
    ("aliyun", "8x NVIDIA A100-SXM4-80GB", "550.127.08", "12.4"),
    ("gcp", "1x NVIDIA L4 (22.5 GiB)", "570.172.08", "12.8"),
    (None, "2x NVIDIA GeForce RTX 4090 (24.0 GiB)", "535.261.03", "12.2"),
)


def fleet(count: int, *, weeks: int = 6) -> Fleet:
    """Return a fleet of so many hosts that was looked after for so many weeks."""
    dice = random.Random(7)
    hosts, runs, steps, findings, jobs, events = [], [], [], [], [], []
    names = [f"{('aws', 'ali', 'gcp', 'lab')[at % 4]}-{at:03d}" for at in range(count)]
    for week in range(weeks, -1, -1):
        begun = NOW - week * 7 * DAY - 3600
        run = f"run-{week}"
        outcomes = []
        for name in names:
            changed = dice.random() < 0.4
            spent = 0.0
            for task in _TASKS:
                seconds = round(
                    dice.uniform(0.1, 3) * (40 if changed and task in {"environment", "packages"} else 1), 2
                )
                steps.append(StepTime(run, name, begun + spent, task, f"{task} of mymodel", seconds, "done"))
                spent += seconds
            outcomes.append(Outcome(name, "changed" if changed else "converged", round(spent, 1), changed=changed))
        runs.append(
            RunSeen(
                run, "up", "provision up all", begun, begun + 300, 0, "nightly" if week % 2 else None, tuple(outcomes)
            )
        )
    for at, name in enumerate(names):
        cloud, gpus, driver, cuda = _KINDS[at % 4]
        word = "unfit" if at % 17 == 5 else "unproven" if at % 23 == 7 else "fit"
        verdict = {"fit": f"fit: {gpus}, driver {driver}", "unfit": "unfit: the driver is older than this CUDA needs"}
        hosts.append(
            HostNow(
                name,
                NOW - at * 60,
                f"root@198.51.100.{at % 250}",
                cloud,
                gpus,
                driver,
                cuda,
                "mymodel",
                f"1-{dice.getrandbits(32):08x}",
                NOW - 3600 - at * 97,
                2 if at % 11 == 3 else 0,
                verdict.get(word, "unproven: nothing was computed there yet"),
                (("miniconda", "25.7.0-2"),),
            )
        )
        if word == "unfit":
            findings.append(
                FindingNow(
                    name,
                    "GPU-DRIVER-OLD",
                    "error",
                    f"driver {driver} is too old for CUDA 12.8",
                    "install driver 570 or newer, or ask for `cuda: 12.2`",
                    "GPU 0",
                    NOW - 9 * DAY,
                    NOW - 3600,
                    open=True,
                )
            )
        if at % 11 == 3:
            findings.append(
                FindingNow(
                    name,
                    "ENV-DRIFT",
                    "warning",
                    "2 packages differ from the build",
                    "`provision up " + name + "`",
                    "mymodel",
                    NOW - 2 * DAY,
                    NOW - 3600,
                    open=at % 2 == 0,
                )
            )
            events.append(Event(NOW - 2 * DAY, name, "drift", "numpy 2.1.0 became 1.26.4"))
        events.append(Event(NOW - (at % 40) * DAY, name, "generation", "mymodel: built 1-3f2a91bc"))
        for number in range(at % 3):
            begun = NOW - dice.uniform(0.2, 30) * DAY
            live = number == 1 and at % 5 == 0
            jobs.append(
                JobNow(
                    name,
                    f"{at:04x}{number}",
                    f"train-{number}",
                    "running" if live else "succeeded",
                    None if live else 0,
                    begun,
                    None if live else min(NOW, begun + dice.uniform(1, 30) * 3600),
                    tuple(range(1 + at % 2)),
                )
            )
    runs.reverse()
    events.sort(key=lambda one: -one.at)
    return Fleet(NOW, "mymodel", tuple(hosts), tuple(runs), tuple(steps), tuple(findings), tuple(jobs), tuple(events))
