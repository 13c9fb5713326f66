"""A bundle in place of the internet: read into our cache before any host is asked, if it is the right one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from provision.cli.bundle_file import read_bundle
from provision.errors import UsageError
from provision.report.display import visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from provision.playbook.bind import Binder


def use_bundle(path: Path, binders: Iterable[Binder]) -> None:
    """Read a bundle.

    Raises:
        UsageError: it is none, is damaged, or was made from other locks than the project has.
    """
    bundle = read_bundle(path, lambda text: print(visible(text), file=sys.stderr, flush=True))
    locks = [lock for binder in binders for _, found in binder.variants.values() for lock in found]
    if locks and not any(one.content in bundle.locks for one in locks):
        raise UsageError(
            f"{path}: it was made from another lock than {locks[0].source}",
            hint="provision env bundle    writes it anew, where there is internet",
        )
