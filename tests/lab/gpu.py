"""A recorded nvidia-smi on a host, what other programs said beside it, and the driver's file under /proc."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.disk import Disk
    from tests.lab.knobs import Knobs

PROGRAM = Path(__file__).with_name("recorded_nvidia_smi.sh")
BESIDE = Path(__file__).with_name("recorded_beside_nvidia_smi.sh")
PROGRAMS = {
    "dmesg.out": "dmesg",
    "fabric-manager.out": "systemctl",
    "fabric-manager-version.out": "nv-fabricmanager",
}
"""What of a recording which program prints: it stands before the machine's own on the PATH, where that was recorded."""
UNIT = "/etc/systemd/system/nvidia-fabricmanager.service"
RECORDING = "/usr/share/recorded-nvidia-smi"
DRIVER_FILE = "proc-driver-version"


def install_recorded(disk: Disk, knobs: Knobs) -> None:
    """Put the recording and the program that replays it on the host's disk."""
    if knobs.gpu is None:
        return
    folder = disk.place(RECORDING)
    folder.mkdir()
    folder.chmod(0o755)
    for recorded in sorted(knobs.gpu.iterdir()):
        shutil.copyfile(recorded, folder / recorded.name)
    mode = f"hang={'yes' if knobs.gpu_hang else ''}\nexit={'' if knobs.gpu_exit is None else knobs.gpu_exit}\n"
    disk.write(f"{RECORDING}/mode", mode)
    disk.write("/usr/bin/nvidia-smi", PROGRAM.read_text(), 0o755)
    for name, program in PROGRAMS.items():
        if (knobs.gpu / name).is_file() and program not in knobs.without:
            disk.write(f"/usr/local/bin/{program}", BESIDE.read_text(), 0o755)
    if (knobs.gpu / "fabric-manager.out").is_file():
        disk.write(UNIT, "[Service]\nExecStart=/bin/false\n")


def show_driver(init: int, recording: Path) -> None:
    """Make the host's /proc/driver/nvidia/version say what was recorded, if it was.

    What a driver logged or a fabric manager said shows that there was one: then the file is there, and says nothing.
    """
    version = recording / DRIVER_FILE
    if not any((recording / name).is_file() for name in (DRIVER_FILE, *PROGRAMS)):
        return
    script = (
        "mount -t tmpfs -o mode=555 driver /proc/driver && mkdir /proc/driver/nvidia && "
        "cat >/proc/driver/nvidia/version"
    )
    enter = ["nsenter", f"--target={init}", "--mount", "--root", "--wd=/"]
    subprocess.run([*enter, "sh", "-c", script], input=version.read_bytes() if version.is_file() else b"", check=True)
