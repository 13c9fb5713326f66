"""Files that are odd, that change under the reader, or that cannot be read; and a place that cannot take them."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from provision.engine import pull_fetch, pull_stream
from provision.engine.pull_stream import Stream
from provision.engine.stop import Stop
from provision.errors import InterruptedRunError, LinkLostError, StepFailedError, UnreachableError
from provision.sync.pulling import alike
from tests.pull.near import Made, NearLink, entry, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.engine.pull import Pulled
    from provision.events import Event
    from tests.pull.near import Desk

BIG = 8 << 20
NAMES = (b"-rf", b"a\nb", b"\xff\xfe", b"n" * 255, b"*", b"$(x)", b" ", b"..a")


def test_odd_names_arrive_as_they_are(desk: Desk) -> None:
    there = desk.there / "out"
    there.mkdir()
    for name in NAMES:
        (there / os.fsdecode(name)).write_bytes(name)
    assert desk.pull("out").tally.files == len(NAMES)
    found = {os.fsencode(one.name): one.read_bytes() for one in (desk.here / "out").iterdir()}
    assert found == {name: name for name in NAMES}


def test_a_path_that_begins_with_a_dash_is_a_path(desk: Desk) -> None:
    (desk.there / "-rf").write_text("x")
    assert desk.pull("-rf").tally.files == 1
    assert (desk.here / "-rf").read_text() == "x"


def test_an_empty_folder_and_an_empty_file_arrive(desk: Desk) -> None:
    (desk.there / "none").mkdir()
    (desk.there / "void").touch()
    desk.pull("none")
    assert desk.pull("void").tally.files == 1
    assert list((desk.here / "none").iterdir()) == []
    assert (desk.here / "void").read_bytes() == b""


class Acts(NearLink):
    """A host on which something happens once the listing is on its way: each ask goes out after it."""

    def converse(self, program):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - as the one above
        found = super().converse(program)
        send, self.act = found.send, getattr(self, "act", None)

        def acting(data: bytes) -> None:
            if self.act is not None:
                act, self.act = self.act, None
                act()
            send(data)

        found.send = acting  # type: ignore[method-assign]
        return found


def acts(desk: Desk, act) -> Acts:  # type: ignore[no-untyped-def]  # noqa: ANN001 - any function
    link = Acts(desk.there)
    link.act = act
    return link


def test_a_file_that_is_rewritten_after_the_listing_comes_as_it_is_now(desk: Desk) -> None:
    file = desk.there / "log"
    file.write_text("old")
    assert desk.pull("log", link=acts(desk, lambda: file.write_text("newer and longer"))).tally.files == 1
    assert (desk.here / "log").read_text() == "newer and longer"


def test_a_file_that_vanishes_after_the_listing_is_told_and_the_others_come(desk: Desk) -> None:
    (desk.there / "d").mkdir()
    for name in "ab":
        (desk.there / "d" / name).write_text(name)
    done = desk.pull("d", link=acts(desk, (desk.there / "d" / "a").unlink))
    assert "No such file" in done.refused[b"d/a"]
    assert (desk.here / "d" / "b").read_text() == "b"
    assert [one.name for one in (desk.here / "d").iterdir()] == ["b"]


def test_a_file_that_becomes_a_link_after_the_listing_is_not_followed_there(desk: Desk) -> None:
    (desk.there / "d").mkdir()
    (desk.there / "d" / "a").write_text("a")
    (desk.there / "secret").write_text("secret")

    def swap() -> None:
        (desk.there / "d" / "a").unlink()
        (desk.there / "d" / "a").symlink_to(desk.there / "secret")

    assert list(desk.pull("d", link=acts(desk, swap)).refused) == [b"d/a"]
    assert not (desk.here / "d" / "a").exists()


def test_a_link_here_that_takes_a_folder_s_place_during_the_pull_is_not_followed(desk: Desk) -> None:
    for name in ("d/one", "d/two"):
        (desk.there / name).mkdir(parents=True)
        (desk.there / name / "a").write_text("a")
    outside = desk.folder / "outside"
    outside.mkdir()

    def swap() -> None:
        for name in ("one", "two"):
            (desk.here / "d" / name).rmdir()
            (desk.here / "d" / name).symlink_to(outside)

    done = desk.pull("d", link=acts(desk, swap))
    assert done.refused
    assert list(outside.iterdir()) == []


def test_a_file_here_that_is_made_during_the_pull_stays(desk: Desk) -> None:
    (desk.there / "a").write_text("theirs")
    done = desk.pull("a", link=acts(desk, lambda: (desk.here / "a").write_text("mine")))
    assert list(done.refused) == [b"a"]
    assert (desk.here / "a").read_text() == "mine"
    assert [one.name for one in desk.here.iterdir()] == ["a"]


def test_of_two_pulls_at_once_one_leaves_the_file_to_the_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_fetch, "EVERY", 0.0)
    (desk.there / "w.pt").write_bytes(os.urandom(BIG))
    second: list[Pulled | None] = []

    def once(event: Event) -> None:
        desk.events.append(event)
        if not second and (desk.here / ".w.pt.provision-part").exists():
            second.append(None)
            worker = threading.Thread(target=lambda: second.append(desk.pull("w.pt")))
            worker.start()
            worker.join()

    desk.emit = once
    first = desk.pull("w.pt")
    assert first.tally.files == 1
    other = second[1]
    assert other is not None
    assert "another pull" in other.refused[b"w.pt"]
    assert (desk.here / "w.pt").read_bytes() == (desk.there / "w.pt").read_bytes()


def test_after_a_stop_the_part_stays_and_the_next_pull_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_fetch, "EVERY", 0.0)
    (desk.there / "w.pt").write_bytes(os.urandom(BIG))
    part = desk.here / ".w.pt.provision-part"

    def halfway(event: Event) -> None:
        del event
        if part.exists() and part.stat().st_size > BIG // 4:
            desk.stop.ask()

    desk.emit = halfway
    with pytest.raises(InterruptedRunError):
        desk.pull("w.pt")
    assert part.exists()
    desk.emit, desk.stop = desk.events.append, Stop()
    assert desk.pull("w.pt").tally.resumed_bytes > BIG // 4
    assert (desk.here / "w.pt").read_bytes() == (desk.there / "w.pt").read_bytes()


@pytest.fixture
def small(desk: Desk) -> Iterator[Path]:
    """Only so much room for what comes."""
    if os.geteuid():
        pytest.skip("mounts a file system: needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", desk.here], check=True)
    yield desk.here
    subprocess.run(["umount", desk.here], check=True)


def test_what_does_not_fit_here_is_seen_before_it_is_sent(desk: Desk, small: Path) -> None:
    (desk.there / "w.pt").write_bytes(bytes(BIG))
    with pytest.raises(StepFailedError, match="no room"):
        desk.pull("w.pt")
    assert list(small.iterdir()) == []


def test_a_disk_that_fills_up_here_is_one_clear_error(desk: Desk, small: Path) -> None:
    (desk.there / "w.pt").write_bytes(os.urandom(3 << 20))
    fill = small / "fill"
    with pytest.raises(StepFailedError, match="no room"):
        desk.pull("w.pt", link=acts(desk, lambda: fill.write_bytes(bytes(2 << 20))))
    assert not (small / "w.pt").exists()
    fill.unlink()
    desk.pull("w.pt")
    assert (small / "w.pt").read_bytes() == (desk.there / "w.pt").read_bytes()


class Quiet(Made):
    """Says nothing, or a byte of a sign of life now and then."""

    def __init__(self, drip: bytes = b"") -> None:
        super().__init__(b"")
        self.drip = drip

    def receive(self, seconds: float) -> bytes:
        threading.Event().wait(seconds)
        return self.drip


def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WAIT", 0.01), ("SILENCE", 0.1), ("STALL", 0.3)):
        monkeypatch.setattr(pull_stream, name, value)


def listen(stream: Stream) -> None:
    for _ in range(10_000):
        stream.next()


def test_a_host_that_says_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch)
    with pytest.raises(LinkLostError, match="nothing"):
        listen(Stream(Quiet(), Stop()))


def test_a_host_that_only_gives_signs_of_life_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch)
    with pytest.raises(UnreachableError, match="hardly anything"):
        listen(Stream(Quiet(message(b"H", bytes(8))), Stop()))


def test_time_that_we_spent_elsewhere_is_no_silence_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch)
    stream = Stream(Quiet(message(b"Z", b"{}")), Stop())
    for _ in range(5):
        threading.Event().wait(0.2)  # more than either limit: a large file of ours is hashed
        assert stream.next() == (b"Z", b"{}")


def test_a_listing_that_never_comes_whole_says_what_to_do(desk: Desk) -> None:
    (desk.there / "a").touch()
    with pytest.raises(UnreachableError) as error:
        desk.pull("a", link=NearLink(desk.there, cuts=[0] * 20))
    assert "one folder" in (error.value.hint or "")


def test_after_a_lie_in_the_middle_what_came_whole_stays_and_is_told(desk: Desk) -> None:
    said = message(b"A", b'{"protocol": 1}') + message(b"N", entry(b"a", size=1)) + message(b"Q", b"")
    with pytest.raises(StepFailedError) as error:
        desk.pull("a", link=NearLink(desk.there, made=said))
    assert "came whole stay" in (error.value.hint or "")


def test_names_that_differ_in_case_alone_are_found() -> None:
    from provision.sync.pulling import Listed

    entries = [Listed(number, 1, 0, 0, path, b"") for number, path in enumerate((b"a", b"A", b"b", b"\xff"))]
    assert alike(entries) == {b"A"}
