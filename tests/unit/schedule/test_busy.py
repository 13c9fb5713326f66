"""A host at work is known by its jobs and by what holds its GPUs."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from provision.cli import schedule_store
from provision.cli.schedule_busy import busy_hosts
from provision.cli.schedule_run import main
from provision.errors import BusyError
from tests.unit.schedule.made import schedule

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = '#!/bin/sh\nfor word; do [ "$word" = hosts ] || [ "$word" = jobs ] && exec cat "{folder}/$word.json"; done\n'


def asked(folder: Path, processes: list[str], jobs: list[dict[str, Any]]) -> dict[str, str]:
    listed = [{"name": name} for name in processes]
    (folder / "hosts.json").write_text(json.dumps({"hosts": {"box": {"facts": {"gpu": {"processes": listed}}}}}))
    (folder / "jobs.json").write_text(json.dumps({"jobs": jobs}))
    script = folder / "provision"
    script.write_text(SCRIPT.format(folder=folder))
    script.chmod(0o755)
    return busy_hosts([str(script)], ["box"], [], str(folder), dict(os.environ))


def test_a_job_and_a_strangers_process_make_a_host_busy_and_a_desktop_does_not(tmp_path: Path) -> None:
    assert asked(tmp_path, [], []) == {}
    assert asked(tmp_path, ["/usr/lib/xorg/Xorg", "/usr/bin/gnome-shell"], []) == {}
    assert asked(tmp_path, ["/opt/bin/python"], []) == {"box": "python holds a GPU"}
    assert asked(tmp_path, [], [{"host": "box", "id": "k3x7qa", "state": "exited"}]) == {}
    running = [{"host": "box", "id": "k3x7qa", "state": "running"}]
    assert asked(tmp_path, [], running) == {"box": "job k3x7qa is running"}


def test_a_second_run_of_the_same_schedule_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = schedule(folder=str(tmp_path))
    schedule_store.save(kept)
    with (schedule_store.folder() / f"{kept.key}.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another run"):
            main("schedule run", ["nightly"])
        assert main("schedule run", ["--due", "nightly"]) == 0
    assert not list(schedule_store.runs_folder(kept.key).glob("*"))
