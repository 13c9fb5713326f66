"""What `--help` prints, for each command, as the reference shows it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from provision.cli.env import ACTIONS
from provision.cli.hosts import MODULES
from provision.cli.main import COMMANDS
from provision.cli.notify import ACTIONS as NOTIFY_ACTIONS
from provision.cli.schedule import ACTIONS as SCHEDULE_ACTIONS
from tests.unit.docs.pages import REFERENCE, REPOSITORY

PAGE = REFERENCE / "command-line.md"
WIDTH = "100"


def commands() -> list[str]:
    """Return the words before `--help`, each command's own and those of `hosts`, `jobs` and `env`."""
    below = {
        "hosts": [f"hosts {one}" for one in MODULES if one != "list"],
        "jobs": ["jobs show", "jobs rm"],
        "env": [f"env {one}" for one in ACTIONS],
        "schedule": [f"schedule {one}" for one in SCHEDULE_ACTIONS],
        "notify": [f"notify {one}" for one in NOTIFY_ACTIONS],
    }
    return ["", *(one for name in COMMANDS for one in [name, *below.get(name, ())])]


@cache
def all_help() -> dict[str, str]:
    """Return what each command's `--help` prints."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(commands(), pool.map(_help, commands()), strict=True))


def _help(command: str) -> str:
    environment = {
        **{key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG"}},
        "COLUMNS": WIDTH,
        "NO_COLOR": "1",
        "PYTHONPATH": str(REPOSITORY / "src"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "provision", *command.split(), "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def heading(command: str) -> str:
    """Return the heading of a command in the reference."""
    return f"provision {command}".strip()


def words_of(text: str) -> list[str]:
    """Return a help text's words, spelt as the oldest supported argparse does, so that wrapping does not count."""
    options = re.sub(r"(-\w), (--[\w-]+) ([A-Z|]+)", r"\1 \3, \2 \3", text)
    return options.split()


def page_with(helps: dict[str, str], page: str) -> str:
    """Return the reference page with the block below each command's heading replaced."""
    for command, text in helps.items():
        pattern = re.compile(
            rf"(^## `{re.escape(heading(command))}`\n.*?^```text\n).*?(^```$)", re.MULTILINE | re.DOTALL
        )
        assert pattern.search(page), f"docs/reference/command-line.md has no block for `{heading(command)}`"
        page = pattern.sub(lambda found, text=text: f"{found[1]}{text}{found[2]}", page, count=1)  # type: ignore[misc]
    return page
