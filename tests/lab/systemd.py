"""What a host's disk needs so that the real systemd boots on it quickly and quietly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.disk import opaque

if TYPE_CHECKING:
    from tests.lab.disk import Disk
    from tests.lab.knobs import Knobs

MASKED = (
    "console-getty.service",
    "getty.target",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "systemd-firstboot.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "man-db.timer",
)
SSH_SERVICE = """[Service]
ExecStartPre=
ExecStart=
ExecStart=/usr/sbin/sshd -D -E /run/sshd.log
"""


def prepare_systemd(disk: Disk, knobs: Knobs) -> None:
    """Enable sshd alone, mask what a container cannot run, and set logind's rule."""
    opaque(disk.place("/etc/systemd/system"), 0o755)
    disk.place("/etc/systemd/system/multi-user.target.wants/ssh.service").symlink_to("/lib/systemd/system/ssh.service")
    for unit in MASKED:
        disk.place(f"/etc/systemd/system/{unit}").symlink_to("/dev/null")
    disk.write("/etc/systemd/system/ssh.service.d/lab.conf", SSH_SERVICE)
    for level in "0123456S":
        opaque(disk.place(f"/etc/rc{level}.d"), 0o755)
    kill = "yes" if knobs.kill_user_processes else "no"
    disk.write("/etc/systemd/logind.conf.d/lab.conf", f"[Login]\nKillUserProcesses={kill}\n")
    disk.write("/etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\n")
