"""What arrives on a host equals what git would track, by hash, mode and link: generated trees and edit sequences."""

from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings

from provision.errors import StepFailedError
from provision.model.plan import Outcome
from tests.ssh.reach import link
from tests.sync.edits import edit, happen, sequences
from tests.sync.syncing import Developer
from tests.sync.trees import git, lying, tracked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.lab import Lab
    from tests.sync.edits import Edit
    from tests.sync.trees import Listing

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]

SOAK = bool(os.environ.get("PROVISION_SOAK"))
TREES = 1000 if SOAK else 40


def test_what_arrives_is_what_git_would_track_and_nothing_of_the_hosts_own_is_ever_gone(
    lab: Lab, tmp_path: Path
) -> None:
    host = lab.host("box")
    owner = int(host.run("id -u", user=host.user).stdout)
    numbers = itertools.count()
    with link(host) as made:

        @settings(
            max_examples=TREES,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not SOAK,
            database=None,
        )
        @given(sequences)
        def check(sequence: list[tuple[list[Edit], list[Edit]]]) -> None:
            name = f"tree{next(numbers)}"
            project = tmp_path / name
            project.mkdir()
            git(project, "init", "-q")
            developer = Developer(project, tmp_path / "state", host, made)
            try:
                _live(developer, tmp_path / "scratch-index", owner, sequence)
            finally:
                shutil.rmtree(project)
                shutil.rmtree(developer.there, ignore_errors=True)

        check()


def _live(developer: Developer, scratch: Path, owner: int, sequence: list[tuple[list[Edit], list[Edit]]]) -> None:
    """Edit, let things happen on the host, sync, look; again and again."""
    root = os.fsencode(developer.project)
    precious: set[str] = set()
    ours: set[bytes] = set()
    last: Listing = {}
    for edits, happenings in sequence:
        for one in edits:
            edit(root, one)
        if os.path.isdir(developer.there):
            for one in happenings:
                happen(developer.there, one, owner)
            # Whatever lies there now that no sync put there, changed or new, must never be gone by a sync.
            precious &= {content for _, content in lying(developer.there, reserved=True).values()}
            precious |= {what[1] for path, what in lying(developer.there).items() if last.get(path) != what}
        wanted = tracked(developer.project, scratch)
        before = lying(developer.there, reserved=False)
        try:
            outcome = developer.sync(take_over=True)
        except StepFailedError:
            # Only this stops a sync: a folder of the host's own stands where a file must go. Nothing may have moved.
            assert _in_the_way(developer.there, wanted)
            event("conflict")
            assert lying(developer.there) == before
            _nothing_is_lost(developer, precious)
            return
        assert outcome in {Outcome.CHANGED, Outcome.CONVERGED}
        there = lying(developer.there)
        assert {path: there.get(path) for path in wanted} == wanted
        foreign = {path: what for path, what in there.items() if path not in wanted}
        assert not ours & set(foreign), "deleted here, and still there"
        assert all(before.get(path) == what for path, what in foreign.items()), "a file of nobody's"
        _nothing_is_lost(developer, precious)
        last = there
        ours = {path for path, what in wanted.items() if there[path] == what}
        assert developer.sync() is Outcome.CONVERGED, "a second sync found something to do"
        event(f"{len(wanted) // 5 * 5}+ files")


def _in_the_way(there: bytes, wanted: Listing) -> bool:
    return any(os.path.isdir(place) and not os.path.islink(place) for place in (there + b"/" + one for one in wanted))


def _nothing_is_lost(developer: Developer, precious: set[str]) -> None:
    assert precious <= {content for _, content in lying(developer.there, reserved=True).values()}
