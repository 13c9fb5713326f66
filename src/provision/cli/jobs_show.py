"""`jobs show`: one job's record, the use of its GPUs as a drawing, the end of its log."""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.job_named import find_job
from provision.cli.log_screen import Harmless
from provision.cli.workspace import Workspace
from provision.engine.job_ask import ask
from provision.engine.job_talk import understood
from provision.jobs.answers import job_of
from provision.report.gpu_chart import chart, number_of, samples_of
from provision.report.job_page import page
from provision.report.job_table import job_fields
from provision.report.stream import write
from provision.report.style import style_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.job import Job
    from provision.model.link import Link
    from provision.report.style import Style

DESCRIPTION = "Show one job: what it is, what its GPUs did (a drawing), and the end of its log."
EXAMPLES = "  provision jobs show last\n  provision jobs show baseline --lines 40\n"
LINES = 10
POINTS = 400


def main(name: str, argv: list[str]) -> int:
    """Run `jobs show`."""
    asked = _parse(name, argv)
    workspace = Workspace.open(asked.inventory)
    named = find_job("jobs", asked.job, workspace, asked)
    hosts: AskedHosts[tuple[Job, dict[str, Any]]] = AskedHosts("jobs", argv, asked, workspace)
    request = {"what": "show", "id": named.id, "lines": asked.lines, "points": POINTS}

    def work(link: Link, host: Host, emit: Emit) -> tuple[Job, dict[str, Any]]:
        answer = ask(link, host, request, emit, hosts.stop)
        with understood():
            return job_of(answer), answer

    answers = hosts.ask((named.host,), work)
    hosts.complain()
    code = hosts.exit_code()
    for job, answer in answers.values():
        if asked.json:
            samples = answer.get("samples")
            shown = {**job_fields(named.host.name, job), "samples": samples, "idle": answer.get("idle")}
            sizes = answer.get("sizes")
            print(
                json.dumps(
                    {"schema_version": 1, "command": "jobs show", "exit_code": code, "job": shown, "sizes": sizes}
                )
            )
        else:
            style = style_for(sys.stdout, os.environ)
            write(sys.stdout, "".join(f"{line}\n" for line in _shown(named.host.name, job, answer, style)))
    return code


def _shown(host: str, job: Job, answer: dict[str, Any], style: Style) -> Iterator[str]:
    yield from page(host, job, answer.get("sizes"), number_of(answer.get("now")), style)
    idle = answer.get("idle")
    told = {str(key): number_of(one) for key, one in idle.items()} if isinstance(idle, dict) else {}
    shares = {key: one for key, one in told.items() if one is not None}
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    width = shutil.get_terminal_size((100, 24)).columns
    drawn = list(chart(samples_of(answer.get("samples")), shares, style, width, plain=plain))
    if drawn:
        yield ""
        yield from drawn
    lines = list(_tail(answer.get("tail")))
    if lines:
        yield ""
        yield style.dim("the end of its log:")
        yield from lines


def _tail(value: object) -> Iterator[str]:
    """Yield the last lines as a terminal would show them: of a progress bar what stood there last."""
    if not isinstance(value, list):
        return
    harmless, text = Harmless(), ""
    for one in value:
        try:
            text += harmless.feed(base64.b64decode(one[1], validate=True))
        except (binascii.Error, ValueError, TypeError, IndexError, KeyError):
            continue
    text += harmless.feed(b"", last=True)
    for line in text.removesuffix("\n").split("\n") if text else ():
        yield line.rstrip("\r").rpartition("\r")[2]


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("job", metavar="JOB", help="its id, the beginning of one, its name, or `last`")
    words.add_argument("--lines", type=_lines, default=LINES, metavar="N", help=f"of its log (default {LINES})")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)


def _lines(text: str) -> int:
    from provision.errors import UsageError

    if not (text.isascii() and text.isdigit() and int(text) <= 10_000):  # noqa: PLR2004 - `logs` shows more
        raise UsageError(f"'{text[:20]}' is no number of lines", hint="--lines 40")
    return int(text)
