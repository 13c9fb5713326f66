"""Writes this process's run: from a thread of its own, while the hosts talk, and never in the run's way."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from provision.ledger.rows import Row, Run
    from provision.ledger.store import Ledger
    from provision.report.fold import Report

LATEST_START = 0.5
"""Seconds after which the beginning is written though no host has answered yet."""
OPEN = 10.0
"""Seconds that the file is kept open while the run goes on."""
LONGEST_WAIT = 1.0
"""Seconds that a run waits for its ledger in all."""
NOT_RECORDED = frozenset({"history", "report", "demo"})
"""Commands that only read what is here, or are about hosts of their own."""
PARTS: dict[str, re.Pattern[str]] = {
    "env": re.compile(r"[a-z]+"),
    "power": re.compile(r"on|off"),
    "schedule": re.compile(r"[a-z]+"),
    "notify": re.compile(r"[a-z]+"),
    "jobs": re.compile(r"show|rm"),
    "hosts": re.compile(r"add|install-key|import|export|list"),
}
"""Commands whose next word says which part of it is meant."""
_HELP = frozenset({"-h", "--help"})
_LONGEST_WORD, _MOST_WORDS = 1000, 1000
_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/@\s]+@")


class Recorder:
    """One run: hosts and jobs are told to it while it goes on, from any thread."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        part = PARTS.get(argv[0])
        named = part is not None and len(argv) > 1 and part.fullmatch(argv[1]) is not None
        self._command = " ".join(argv[:2] if named else argv[:1])
        self._argv = tuple(argv[2 if named else 1 :])
        self._environ = environ
        self._started = time.time()
        self.id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(self._started))}-{os.urandom(3).hex()}"
        self._secrets: tuple[str, ...] = ()
        self._told_secrets = False
        self._reports: list[Report] = []
        self._more: list[Callable[[], Iterable[Row]]] = []
        self._code: int | None = None
        self._ended: float | None = None
        self._left = False
        self._project: str | None = None
        self._begin = threading.Event()
        self._end = threading.Event()
        self._done = threading.Event()
        self._problem: str | None = None
        self._written: Ledger | None = None
        """Kept from being closed: the process ends."""
        threading.Thread(target=self._work, name="provision-ledger", daemon=True).start()

    def begin(self) -> None:
        """Write the beginning now: a host is at work, and nobody waits for us."""
        self._begin.set()

    def hide(self, secrets: Iterable[str]) -> None:
        """Keep these texts out of what is written; before this is called, no word of the command line is."""
        self._secrets = (*self._secrets, *secrets)
        self._told_secrets = True

    def take(self, report: Report) -> None:
        """Write what this report says when the run ends."""
        self._reports.append(report)

    def add(self, rows: Callable[[], Iterable[Row]]) -> None:
        """Write more rows when the run ends; they are made only then."""
        self._more.append(rows)

    def leave(self) -> None:
        """Write nothing: it was no run."""
        self._left = True
        self._begin.set()
        self._end.set()

    def end(self, code: int) -> str | None:
        """Write how it ended; return what went wrong with that, after a second at the latest."""
        self._code, self._ended = code, time.time()
        self._end.set()
        self._begin.set()
        if not self._done.wait(LONGEST_WAIT):
            return "the ledger does not answer"
        return self._problem

    # -- in its thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._begin.wait(LATEST_START)
            if not self._left:
                self._problem = self._write()
        except Exception as error:  # noqa: BLE001 - the run stands as it is: the ledger may lack it
            self._problem = f"the ledger: {error}"
        self._done.set()

    def _write(self) -> str | None:
        """Write the beginning, unless the run is over already, and the end; return what went wrong with the end."""
        from provision.ledger.store import open_ledger

        ledger = open_ledger(self._environ, writing=True)
        if not self._end.is_set():
            ledger.write([self._run()])
            # Loaded while the hosts are at work: at the end somebody waits.
            import provision.ledger.told
            import provision.report.met  # noqa: F401

            if ledger.problem is not None or not self._end.wait(OPEN):
                # Whoever has it for hours hinders others, and would not see that it was moved.
                ledger.close()
                self._end.wait()
                ledger = open_ledger(self._environ, writing=True)
        if self._left:
            ledger.close()
            return None
        rows, compare = self._rows()
        ledger.write(rows, lambda opened: [one for each in compare for one in each(opened)])
        # It stands there now. What closing does besides, somebody else does as well, who has more time.
        self._written = ledger
        return ledger.problem

    def _rows(self) -> tuple[list[Row], list[Callable[..., Iterable[Row]]]]:
        from provision.report.met import hiding

        rows: list[Row] = [self._run()]
        compare: list[Callable[..., Iterable[Row]]] = []
        if self._reports:
            from provision.ledger.told import Told

            drift = "--drift" in self._argv
            step = 1
            for report in self._reports:
                told = Told(self.id, report, looked_for_drift=drift, hide=hiding(self._secrets))
                rows += told.rows(step)
                compare.append(told.compared)
                step += max((len(one.steps) for one in report.hosts.values()), default=0)
        for more in self._more:
            rows += more()
        return rows, compare

    def _run(self) -> Run:
        from provision import __version__
        from provision.ledger.rows import Run

        if self._project is None:
            self._project = _project()
        known = self._told_secrets or self._ended is not None
        return Run(
            id=self.id,
            command=self._command,
            argv=tuple(self._words()) if known else (),
            project=self._project,
            started=self._started,
            ended=self._ended,
            exit_code=self._code,
            version=__version__,
            user=self._environ.get("USER") or self._environ.get("LOGNAME") or str(os.getuid()),
            schedule=self._environ.get("PROVISION_SCHEDULE") or None,
        )

    def _words(self) -> Iterator[str]:
        """Yield the words of the command line without values of variables, passwords and secrets."""
        from provision.report.hidden import hidden_texts

        password = self._environ.get("PROVISION_SSH_PASSWORD")
        hidden = hidden_texts((*self._secrets, *([password] if password else [])))
        before = ""
        theirs = False
        for word in self._argv[:_MOST_WORDS]:
            text = word
            if not theirs and before in {"--env", "--secret"}:
                text = _name_of(word)
            elif not theirs and word.startswith(("--env=", "--secret=")):
                option, _, value = word.partition("=")
                text = f"{option}={_name_of(value)}"
            for secret in hidden:
                text = text.replace(secret, "***")
            yield _PASSWORD.sub(r"\1:***@", text)[:_LONGEST_WORD]
            theirs = theirs or word == "--"
            before = word


_recorder: Recorder | None = None


def current() -> Recorder | None:
    """Return the run that this process is recorded as; ``None``: it is not."""
    return _recorder


def recorded(argv: Sequence[str], work: Callable[[], int]) -> int:
    """Do the work of a command line and return its exit code, and write into the ledger that it was done."""
    global _recorder  # noqa: PLW0603 - a process is one run
    ours = argv[: argv.index("--")] if "--" in argv else argv
    if argv[0] in NOT_RECORDED or not _HELP.isdisjoint(ours):
        return work()
    _recorder = Recorder(argv, os.environ)
    try:
        code = work()
    except SystemExit:
        # What argparse answers itself.
        _recorder.leave()
        raise
    except BaseException:
        _recorder.end(1)
        raise
    try:
        _tell(_recorder.end(code))
    except KeyboardInterrupt:
        pass  # somebody is impatient: the run ended before
    return code


def _tell(problem: str | None) -> None:
    if problem is None:
        return
    from provision.report.display import one_line
    from provision.report.style import style_for

    text = f"note: {one_line(problem)}; `provision history` lacks this run"
    try:
        print(style_for(sys.stderr, os.environ).yellow(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # nobody reads it


def _name_of(value: str) -> str:
    name, equals, _ = value.partition("=")
    return f"{name}=..." if equals else name


def _project() -> str | None:
    """Return the name of the project that the working folder belongs to; ``None``: to none, or it cannot be read."""
    from pathlib import Path

    from provision.errors import ProvisionError
    from provision.project import find_root, load_project

    try:
        here = Path.cwd()
        return load_project(here).name if find_root(here) is not None else None
    except (ProvisionError, OSError):
        return None
