"""What waits for a schedule's times on this machine: systemd's user manager, cron, launchd, or `schedule serve`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.schedule import cron, launchd, systemd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.schedule.record import Schedule

PATIENCE = 30.0
LOCATING = ("HOME", "XDG_STATE_HOME", "PYTHONPATH")
"""Variables that the scheduler hands over: by these the schedule's file is found, which has all others."""


def choose() -> str:
    """Return the scheduler that this machine has.

    Raises:
        UsageError: it has none.
    """
    if sys.platform == "darwin":
        return "launchd"
    if why_no_systemd() is None:
        return "systemd"
    if why_no_cron() is None:
        return "cron"
    raise UsageError(
        f"nothing here could wait for the time: {why_no_systemd()}; {why_no_cron()}",
        hint="--by serve, and keep `provision schedule serve` running (as in a container)",
    )


def why_no_systemd() -> str | None:
    """Return why systemd's user manager cannot be used; ``None``: it can."""
    if shutil.which("systemctl") is None:
        return "there is no systemd"
    done = _ran(["systemctl", "--user", "show-environment"], environ=_session())
    return None if done.returncode == 0 else "systemd runs no user manager for you"


def why_no_cron() -> str | None:
    """Return why cron cannot be used; ``None``: it can."""
    if shutil.which("crontab") is None:
        return "there is no crontab"
    if not any(_runs(name) for name in ("cron", "crond")):
        return "no cron runs"
    return None


def shown(schedule: Schedule, zone: str) -> list[tuple[str, str]]:
    """Return each file, or part of one, that stands for a schedule: where it goes, and its text."""
    tick = _tick(schedule)
    if schedule.scheduler == "systemd":
        made = systemd.units(schedule, _command(schedule), _locating(schedule), tick)
        where = _units_folder()
        return [
            (str(where / f"{made.name}.service"), made.service),
            (str(where / f"{made.name}.timer"), made.timer),
        ]
    if schedule.scheduler == "cron":
        text = cron.block(schedule, _command(schedule), _locating(schedule), zone, tick).decode()
        return [("crontab", text)]
    if schedule.scheduler == "launchd":
        text = launchd.plist(schedule, _command(schedule), _locating(schedule), zone, tick).decode()
        return [(str(_agent_path(schedule.key)), text)]
    return []


def why_looking(schedule: Schedule, zone: str) -> str | None:
    """Return why the scheduler only looks every few minutes whether something is due; ``None``: it does not."""
    why = None
    if schedule.scheduler == "systemd" and systemd.expressions(schedule, 1) == ["*-*-* *:0/1:00 UTC"]:
        why = "a day is no multiple of it"
    elif schedule.scheduler == "cron":
        why = cron.why_not(schedule.timetable, zone)
    elif schedule.scheduler == "launchd":
        why = launchd.why_not(schedule.timetable, zone)
    return why


def install(schedule: Schedule, zone: str) -> None:
    """Hand a schedule to its scheduler, in place of what stood there.

    Raises:
        UsageError: it does not take it.
    """
    files = shown(schedule, zone)
    if schedule.scheduler == "cron":
        _edit_crontab(schedule.key, files[0][1].encode())
        return
    for path, text in files:
        _put(Path(path), text)
    if schedule.scheduler == "systemd":
        timer = f"{systemd.unit_name(schedule.key)}.timer"
        _must(["systemctl", "--user", "daemon-reload"])
        _must(["systemctl", "--user", "enable", "-q", timer])
        _must(["systemctl", "--user", "restart", timer])
    elif schedule.scheduler == "launchd":
        domain = f"gui/{os.getuid()}"
        _ran(["launchctl", "bootout", f"{domain}/{launchd.label(schedule.key)}"])
        _must(["launchctl", "bootstrap", domain, files[0][0]])


def uninstall(key: str) -> None:
    """Take a schedule out of every scheduler that has it; a run that goes on is not ended.

    Raises:
        UsageError: a scheduler does not let it go.
    """
    name = systemd.unit_name(key)
    units = [_units_folder() / f"{name}.{kind}" for kind in ("timer", "service")]
    if any(one.exists() for one in units):
        _ran(["systemctl", "--user", "disable", "-q", "--now", f"{name}.timer"], environ=_session())
        for one in units:
            one.unlink(missing_ok=True)
        _ran(["systemctl", "--user", "daemon-reload"], environ=_session())
    agent = _agent_path(key)
    if agent.exists():
        _ran(["launchctl", "bootout", f"gui/{os.getuid()}/{launchd.label(key)}"])
        agent.unlink(missing_ok=True)
    if shutil.which("crontab") is not None and cron.marks(key)[0] in _crontab():
        _edit_crontab(key, b"")


def lingers() -> bool | None:
    """Return whether the user's timers run while nobody is logged in; ``None``: nobody can say."""
    done = _ran(["loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value"])
    return {"yes": True, "no": False}.get(done.stdout.strip()) if done.returncode == 0 else None


def _command(schedule: Schedule) -> list[str]:
    return [*schedule.command, "schedule", "run", "--due", "--", schedule.name]


def _locating(schedule: Schedule) -> dict[str, str]:
    return {key: schedule.env[key] for key in LOCATING if key in schedule.env}


def _tick(schedule: Schedule) -> int:
    often = getattr(schedule.timetable, "seconds", 3600) < 300  # noqa: PLR2004 - five minutes
    return 1 if often else 5


def _units_folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(config) if config.startswith("/") else Path.home() / ".config") / "systemd" / "user"


def _agent_path(key: str) -> Path:
    return Path.home() / "Library" / "LaunchAgents" / f"{launchd.label(key)}.plist"


def _put(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(text, "utf-8")
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


def _crontab() -> bytes:
    try:
        done = subprocess.run(
            ["crontab", "-l"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"crontab -l: {error}") from None
    if done.returncode == 0:
        return done.stdout
    if b"no crontab" in done.stderr:
        return b""
    raise UsageError(f"the crontab cannot be read: {done.stderr.decode(errors='replace').strip()}")


def _edit_crontab(key: str, block: bytes) -> None:
    before = _crontab()
    after = cron.with_block(before, key, block)
    if after == before:
        return
    words = ["crontab", "-"] if after else ["crontab", "-r"]
    done = subprocess.run(words, input=after, capture_output=True, timeout=PATIENCE, check=False)
    if done.returncode != 0:
        raise UsageError(f"crontab does not take it: {done.stderr.decode(errors='replace').strip()}")


def _must(words: list[str]) -> None:
    done = _ran(words, environ=_session())
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise UsageError(f"`{' '.join(words)}` failed: {said}", hint="--by cron or --by serve do without it")


def _session() -> Mapping[str, str]:
    """Return our variables, with the way to the user manager where a bare environment has none."""
    runtime = f"/run/user/{os.getuid()}"
    if os.environ.get("XDG_RUNTIME_DIR") or not Path(runtime).is_dir():
        return os.environ
    return {**os.environ, "XDG_RUNTIME_DIR": runtime}


def _runs(name: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == name:
                return True
        except OSError:
            continue
    return False


def _ran(words: list[str], environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            encoding="utf-8",
            errors="replace",
            env=dict(os.environ if environ is None else environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 127, "", str(error))
