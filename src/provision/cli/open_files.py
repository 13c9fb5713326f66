"""As many open files as a run needs: every host takes a few."""

from __future__ import annotations

import contextlib
import resource

OURS = 30
"""Open at any time: streams, the log, modules that are loading."""
PER_HOST = 8
"""A connection, those of its jump hosts, pipes of a proxy command."""


def forks_allowed(forks: int, hosts: int) -> int:
    """Raise the limit of open files as far as it may be, and return how many hosts it allows at once: at least one."""
    wanted = OURS + PER_HOST * min(forks, hosts)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return forks
    return max(1, min(forks, (soft - OURS) // PER_HOST))
