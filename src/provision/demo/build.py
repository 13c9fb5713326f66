"""Makes one part of the stand-in: ``python -m provision.demo.build channel|installer FOLDER URL``.

A process of its own, so that both parts are made at once and can be called off; it prints a JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from provision.demo.standin.channel import build_channel
from provision.demo.standin.installer import build_installer
from provision.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def make(what: str, folder: Path, url: str) -> dict[str, Any]:
    """Make the channel, which will be served at ``url``, or the installer, whose base will use it."""
    if what == "channel":
        channel = build_channel(folder)
        return {"python": channel.pythons[0], "numpy": channel.has_real_numpy}
    installer = build_installer(folder, channel_url=f"{url}/channel")
    return {"path": str(installer.path), "sha256": installer.sha256, "size": installer.size}


@contextmanager
def building(folder: Path, url: str, environment: Mapping[str, str], log: Path) -> Iterator[Iterator[dict[str, Any]]]:
    """Make both parts in the background; yields what was made: the channel, then the installer.

    Raises:
        StepFailedError: when a part is asked for and could not be made.
    """
    with log.open("w") as complaints:
        processes = [_start(what, folder, url, environment, complaints) for what in ("channel", "installer")]
    try:
        yield (_result(process, log) for process in processes)
    finally:
        for process in processes:
            if process.returncode is None:
                # pip may be fetching for it.
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def _start(
    what: str, folder: Path, url: str, environment: Mapping[str, str], complaints: IO[str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "provision.demo.build", what, str(folder / what), url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        # Killed in the middle it leaves its own temporary files: they go with the demo's folder.
        env={**environment, "TMPDIR": str(folder)},
        start_new_session=True,
    )


def _result(process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode != 0:
        said = log.read_text(errors="replace").strip()
        last = said.splitlines()[-1] if said else f"exit code {process.returncode}"
        raise StepFailedError(f"the stand-in could not be made: {last}", detail=said)
    made: dict[str, Any] = json.loads(out)
    return made


if __name__ == "__main__":
    print(json.dumps(make(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
