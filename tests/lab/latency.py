"""A link with a delay: two TUN devices in two namespaces, and this process between them.

Run as `python -m tests.lab.latency SETTINGS`. Standard input is the lifeline: at its end the process ends.
select waits on the kernel's high-resolution timers: delays far below a millisecond are met without spinning.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import sys
import time
from collections import deque
from typing import NamedTuple

from tests.lab.syscalls import CLONE_NEWNET, set_process_name, set_timer_slack, setns

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
LARGEST_PACKET = 65536
BURST = 64
QUEUE_BYTES = 1 << 20


class Settings(NamedTuple):
    """Which namespaces are joined, under which names, and how slow the link is."""

    near: int | None
    near_name: str
    far: int
    far_name: str
    one_way: float
    """Seconds each way."""
    rate: float | None
    """Bytes per second each way."""


class Direction:
    """Packets on their way from one device to the other, each with the time at which it arrives."""

    def __init__(self, source: int, target: int, settings: Settings) -> None:
        self.source = source
        self._target = target
        self._delay = settings.one_way
        self._rate = settings.rate
        self._free_at = 0.0
        self._queued = 0
        self._flying: deque[tuple[float, bytes]] = deque()

    def take(self) -> None:
        """Read what has been sent; a full queue of a slow link drops the rest, as routers do."""
        for _ in range(BURST):
            try:
                packet = os.read(self.source, LARGEST_PACKET)
            except BlockingIOError:
                return
            now = time.monotonic()
            if self._rate is not None:
                if (self._free_at - now) * self._rate > QUEUE_BYTES:
                    continue
                now = self._free_at = max(now, self._free_at) + len(packet) / self._rate
            self._flying.append((now + self._delay, packet))

    def deliver(self) -> float | None:
        """Hand over what has arrived; return the seconds until the next arrival, None if there is none."""
        while self._flying:
            wait = self._flying[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, packet = self._flying.popleft()
            try:
                os.write(self._target, packet)
            except OSError:
                continue  # the device is down or full: the packet is lost, as on any link
        return None


def open_device(name: str) -> int:
    """Make the TUN device `name` in the namespace of this thread."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def open_in(namespace: int | None, name: str) -> int:
    """Make the TUN device `name` in the network namespace of the process `namespace`."""
    if namespace is not None:
        descriptor = os.open(f"/proc/{namespace}/ns/net", os.O_RDONLY)
        setns(descriptor, CLONE_NEWNET)
        os.close(descriptor)
    return open_device(name)


def forward(there: Direction, back: Direction) -> None:
    """Carry packets both ways until the lifeline ends."""
    while True:
        waits = [wait for wait in (there.deliver(), back.deliver()) if wait is not None]
        ready, _, _ = select.select([0, there.source, back.source], [], [], min(waits, default=None))
        if 0 in ready and not os.read(0, 64):
            return
        if there.source in ready:
            there.take()
        if back.source in ready:
            back.take()


def main() -> None:
    """Run one link."""
    settings = Settings(**json.loads(sys.argv[1]))
    set_process_name("lab-latency")
    set_timer_slack(1)
    near = open_in(settings.near, settings.near_name)
    far = open_in(settings.far, settings.far_name)
    print("up", flush=True)
    forward(Direction(near, far, settings), Direction(far, near, settings))


if __name__ == "__main__":
    main()
