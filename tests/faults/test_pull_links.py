"""A large file over a real link that is cut three times arrives whole, and is gone on with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from provision.engine.pull import Puller
from provision.engine.pull_choice import Wish
from provision.engine.stop import Stop
from provision.events import LinkLost, SyncProgress
from provision.model.host import Host
from provision.ssh.link import SshLink
from provision.ssh.route import Hop, Route, Settings
from provision.sync.pulling import MOST_ENTRIES, MOST_LISTED

if TYPE_CHECKING:
    from pathlib import Path

    from provision.events import Event
    from tests.faults.conftest import Size
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("own_home"), pytest.mark.timeout(500)]


def test_a_large_file_over_a_link_that_is_reset_three_times_arrives_whole(lab: Lab, tmp_path: Path, size: Size) -> None:
    box = lab.host("box", rate_mbit=size(80, None))
    length = size(24 << 20, 2 << 30)
    box.run(f"head -c {length} /dev/urandom >{box.home}/w.pt; chmod 644 {box.home}/w.pt", check=True)
    link = SshLink(Route((Hop(Host(box.name, box.address, identity_file=str(box.key_path)), box.user),)), Settings())
    marks = [length // 4, length // 2, length * 3 // 4]
    lost: list[str] = []

    def take(event: Event) -> None:
        if isinstance(event, LinkLost):
            lost.append(event.reason)
        if isinstance(event, SyncProgress) and marks and event.bytes > marks[0]:
            marks.pop(0)
            box.reset_connections()

    here = tmp_path / "here"
    here.mkdir()
    wish = Wish("box", "~", "w.pt", "~/.provision", str(here), most=MOST_ENTRIES, most_bytes=MOST_LISTED)
    done = Puller(wish, link, take, Stop(), environ={"XDG_STATE_HOME": str(tmp_path)}, umask=0o022).run()
    link.close()
    with (here / "w.pt").open("rb") as file:
        digest = hashlib.sha256()
        while data := file.read(1 << 20):
            digest.update(data)
    assert digest.hexdigest() == box.run(f"sha256sum {box.home}/w.pt").stdout.split()[0]
    assert len(lost) == 3
    # Begun anew, each loss would cost at least a quarter of the file.
    assert done.tally.wire_bytes < length * 5 // 4 + (8 << 20)
    assert [one.name for one in here.iterdir()] == ["w.pt"]
