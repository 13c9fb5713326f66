"""The engine of sync against real hosts: what is sent, what is not, and what the user is told."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from provision.engine.attempt import Attempt
from provision.engine.past import Past
from provision.engine.stop import Stop
from provision.errors import BusyError, InterruptedRunError, StepFailedError, UnreachableError, UsageError
from provision.events import CommandRan, LinkLost, SyncPlanned, SyncProgress, Waiting
from provision.model.plan import Outcome, Program
from provision.remote.sources import source
from provision.tree import reading
from tests.ssh.reach import link
from tests.sync.desk import Tapped, Work, in_background
from tests.sync.trees import lying

if TYPE_CHECKING:
    from pathlib import Path

    from provision.model.sync import SyncPlan
    from tests.lab.host import LabHost

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

MIB = 1 << 20


@pytest.fixture
def work(tmp_path: Path, host: LabHost) -> Work:
    """A project with a bit of everything."""
    made = Work(tmp_path / "mymodel", host)
    for number in range(60):
        made.write(f"src/part{number % 5}/file{number}.py", f"print({number})\n" * number)
    made.write("notes \udcff.txt", "x")
    made.write("run.sh", "#!/bin/sh\n")
    (made.project / "run.sh").chmod(0o755)
    (made.project / "latest").symlink_to("src/part0")
    made.write("photo.jpg", noise(200_000))
    made.write("weights.bin", noise(5 * MIB))
    return made


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("first", [True, False])
def test_a_first_sync_brings_everything_and_a_second_one_nothing(work: Work, host: LabHost, first: bool) -> None:
    with link(host) as made:
        assert work.sync(made, first=first) is Outcome.CHANGED
        assert work.is_there()
        assert work.plan.files == len(work.plan.sent) == 65
        assert not work.result.up_to_date
        assert work.sync(made) is Outcome.CONVERGED
    assert work.result.up_to_date
    assert work.said(SyncPlanned) == work.said(SyncProgress) == []


def test_a_dry_run_tells_the_plan_and_leaves_the_host_as_it_was(work: Work, host: LabHost) -> None:
    with link(host) as made:
        assert work.sync(made, dry_run=True) is Outcome.PENDING
        assert not os.path.exists(work.there)
        work.sync(made)
        work.write("run.sh", "#!/bin/bash\n")
        (work.project / "photo.jpg").unlink()
        assert work.sync(made, dry_run=True) is Outcome.PENDING
        assert (work.plan.sent, work.plan.removed) == (("run.sh",), ("photo.jpg",))
        assert os.path.exists(work.there + b"/photo.jpg")
        work.sync(made)
        assert work.sync(made, dry_run=True) is Outcome.CONVERGED


def test_only_what_changed_is_sent(work: Work, host: LabHost) -> None:
    with link(host) as made:
        work.sync(made)
        work.write("src/part1/file1.py", "changed\n")
        (work.project / "run.sh").chmod(0o644)
        (work.project / "photo.jpg").rename(work.project / "renamed.jpg")
        assert work.sync(made) is Outcome.CHANGED
    assert work.is_there()
    assert work.plan.sent == ("renamed.jpg", "run.sh", "src/part1/file1.py")
    assert work.plan.removed == ("photo.jpg",)
    assert work.plan.bytes == 8
    assert work.result.wire_bytes < 1000


def test_a_client_that_remembers_nothing_asks_the_host_for_its_list(work: Work, host: LabHost) -> None:
    with link(host) as made:
        work.sync(made)
        work.memory.kept.clear()
        work.write("run.sh", "#!/bin/bash\n")
        assert work.sync(made, first=True) is Outcome.CHANGED
        assert work.plan.sent == ("run.sh",)
        work.memory.kept.clear()
        assert work.sync(made) is Outcome.CONVERGED
    assert work.memory.kept


def test_what_was_changed_on_the_host_is_kept_aside_and_replaced(work: Work, host: LabHost) -> None:
    with link(host) as made:
        work.sync(made)
        with open(work.there + b"/run.sh", "w") as file:
            file.write("precious")
        os.unlink(work.there + b"/photo.jpg")
        assert work.sync(made) is Outcome.CHANGED
    assert work.is_there()
    assert (work.plan.kept, work.plan.missing) == (("run.sh",), ("photo.jpg",))
    ((path, where),) = work.result.kept
    assert path == "run.sh"
    with open(f"{host.root}{where}") as file:
        assert file.read() == "precious"


def test_a_host_without_zstd_gets_gzip(work: Work, host: LabHost) -> None:
    host.run("rm -f /usr/bin/zstd /usr/bin/unzstd /usr/bin/zstdcat")
    with link(host) as made:
        assert work.sync(made, first=True) is Outcome.CHANGED
    assert work.is_there()


def test_a_no_stops_it_before_anything_is_sent_and_is_asked_once(work: Work, host: LabHost) -> None:
    asked: list[SyncPlan] = []

    def refuse(plan: SyncPlan) -> None:
        asked.append(plan)
        raise UsageError("no")

    work.approve = refuse
    with link(host) as made, pytest.raises(UsageError, match="no"):
        work.sync(made)
    assert len(asked) == 1
    assert not os.path.exists(work.there + b"/run.sh")


def test_files_that_no_sync_put_there_are_not_run_over(work: Work, host: LabHost) -> None:
    host.run("mkdir -p ~/work/mymodel && echo mine > ~/work/mymodel/run.sh", user=host.user, check=True)
    with link(host) as made:
        with pytest.raises(StepFailedError, match=r"no sync put there: run\.sh") as refused:
            work.sync(made)
        assert "--take-over" in (refused.value.hint or "")
        assert work.sync(made, take_over=True) is Outcome.CHANGED
    assert work.is_there()
    assert [path for path, _ in work.result.kept] == ["run.sh"]


def test_anothers_tree_is_refused_until_it_is_taken_over(work: Work, host: LabHost) -> None:
    with link(host) as made:
        work.sync(made)
        work.client = "d" * 32
        with pytest.raises(StepFailedError, match="is the tree of dev@laptop") as refused:
            work.sync(made)
        assert "--take-over" in (refused.value.hint or "")
        assert work.sync(made, take_over=True) is Outcome.CHANGED
        assert work.sync(made) is Outcome.CONVERGED


def test_a_disk_that_cannot_hold_it_is_told_before_anything_is_sent(work: Work, host: LabHost) -> None:
    with open(work.project / "huge.bin", "wb") as file:
        file.truncate(1 << 43)
    with link(host) as made, pytest.raises(StepFailedError, match=r"8\.8 TB would come to .*/work/mymodel, and"):
        work.sync(made, first=True)


def test_another_sync_is_waited_for_and_then_named(work: Work, host: LabHost) -> None:
    with link(host) as made, link(host) as other:
        work.sync(made)
        holder = other.converse(_holding(work))
        assert holder.receive(20)
        with pytest.raises(BusyError, match="dev@laptop"):
            work.sync(made, wait=0)
        work.on_event = lambda event: holder.close() if isinstance(event, Waiting) else None
        assert work.sync(made, wait=60) is Outcome.CONVERGED
    assert len(work.said(Waiting)) == 1


@pytest.mark.parametrize("at", [0, 3 * MIB, 20 * MIB])
def test_a_lost_link_takes_up_where_it_was(work: Work, host: LabHost, at: int) -> None:
    work.write("model.bin", noise(30 * MIB, 2))
    lost: list[int] = []

    def cut(sent: int) -> None:
        if sent >= at and not lost:
            time.sleep(0.5)  # until the host has what was sent
            lost.append(sent)
            host.reset_connections()

    with link(host) as made:
        assert work.sync(Tapped(made, cut), first=True) is Outcome.CHANGED
    assert lost
    assert work.said(LinkLost)
    assert work.is_there()
    assert len(work.said(SyncPlanned)) == 1
    assert work.said(CommandRan)[0].code is None
    assert work.result.resumed_bytes >= max(0, at - 2 * MIB)


def test_ctrl_c_leaves_the_old_tree_and_what_has_arrived_is_not_sent_again(work: Work, host: LabHost) -> None:
    with link(host) as made:
        work.sync(made)
        before = lying(work.there)
        for number in range(12):
            work.write(f"data/{number}.bin", noise(3 * MIB, number))
        work.write("model.bin", noise(40 * MIB, 99))

        def press(sent: int) -> None:
            if sent > 44 * MIB and not work.stop.asked:
                work.stop.ask()
                time.sleep(1)

        with pytest.raises(InterruptedRunError, match="the host's tree is as it was"):
            work.sync(Tapped(made, press))
        assert lying(work.there) == before
        work.stop = Stop()
        assert work.sync(made) is Outcome.CHANGED
    assert work.is_there()
    assert work.result.resumed_bytes > 40 * MIB
    assert work.plan.resumed == work.result.resumed_bytes
    assert work.plan.bytes + work.plan.resumed == 76 * MIB
    assert work.plan.travelling + work.plan.staged == 13
    assert max(one.bytes for one in work.said(SyncProgress)) <= work.plan.bytes


def test_of_a_first_sync_of_one_large_file_that_broke_the_rest_alone_counts(tmp_path: Path, host: LabHost) -> None:
    work = Work(tmp_path / "mymodel", host)
    work.write("model.bin", noise(30 * MIB, 5))

    def press(sent: int) -> None:
        if sent > 20 * MIB and not work.stop.asked:
            work.stop.ask()
            time.sleep(1)

    with link(host) as made:
        with pytest.raises(InterruptedRunError):
            work.sync(Tapped(made, press), first=True)
        work.stop = Stop()
        assert work.sync(made, first=True, dry_run=True) is Outcome.PENDING
        foreseen = work.plan
        assert work.sync(made, first=True) is Outcome.CHANGED
    assert work.is_there()
    assert work.plan == foreseen
    assert work.plan.resumed == work.result.resumed_bytes > 15 * MIB
    assert work.plan.bytes == 30 * MIB - work.plan.resumed


def test_a_link_that_breaks_again_and_again_at_the_same_place_is_given_up(work: Work, host: LabHost) -> None:
    with link(host) as made:
        tapped = Tapped(made, lambda _: host.reset_connections())
        with pytest.raises(UnreachableError, match=r"^the link was lost 6 times in a row, and nothing more arrived$"):
            work.sync(tapped)
    assert not os.path.exists(work.there + b"/run.sh")


def test_a_link_that_breaks_after_the_last_byte_is_no_failure(work: Work, host: LabHost) -> None:
    with link(host) as made:
        real = made.converse

        def converse(program: Program) -> object:
            conversation = real(program)

            def finish() -> None:
                time.sleep(2)  # until the host has placed it
                host.reset_connections()

            conversation.finish = finish  # type: ignore[method-assign]
            return conversation

        made.converse = converse  # type: ignore[assignment,method-assign]
        assert work.sync(made) is Outcome.CHANGED
        assert work.said(LinkLost) or work.said(CommandRan)[0].code == 0
        assert work.is_there()
        assert not work.result.up_to_date
        assert work.sync(made) is Outcome.CONVERGED


def test_large_content_that_is_there_twice_is_sent_once(work: Work, host: LabHost) -> None:
    for name in ("one.bin", "two.bin", "three.bin"):
        work.write(name, noise(6 * MIB, 3))
    with link(host) as made:
        assert work.sync(made, first=True) is Outcome.CHANGED
    assert work.is_there()
    assert work.result.wire_bytes < 12 * MIB


def test_a_question_is_asked_again_where_more_would_go_than_was_agreed_to(work: Work, host: LabHost) -> None:
    asked: list[tuple[str, ...]] = []
    work.approve = lambda plan: asked.append(plan.removed)
    with link(host) as made:
        work.sync(made)
        tree = work.source()
        tree.manifest()
        work.write("weights.bin", noise(5 * MIB, 7))
        tree = work.source()
        tree.manifest()
        work.write("weights.bin", noise(5 * MIB, 8))
        (work.project / "run.sh").unlink()
        assert work.sync(made, source=tree) is Outcome.CHANGED
    tree.close()
    assert work.is_there()
    assert asked == [(), (), ("run.sh",)]


def test_a_project_that_changes_on_the_way_arrives_as_it_was_read(work: Work, host: LabHost) -> None:
    tree = work.source()
    tree.manifest()
    work.write("run.sh", "#!/bin/sh\necho later\n")
    (work.project / "photo.jpg").unlink()
    with link(host) as made:
        assert work.sync(made, source=tree) is Outcome.CHANGED
        assert work.is_there()
        assert work.sync(made) is Outcome.CONVERGED
    tree.close()


def test_a_big_file_that_changes_on_the_way_makes_it_look_again(work: Work, host: LabHost) -> None:
    tree = work.source()
    tree.manifest()
    work.write("weights.bin", noise(5 * MIB, 7))
    with link(host) as made:
        assert work.sync(made, source=tree) is Outcome.CHANGED
    assert work.is_there()
    tree.close()


def test_one_tree_goes_to_several_hosts_and_is_read_once(
    work: Work, host: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    real = reading.read

    def counting(scan: object, path: bytes, *rest: object, **more: object) -> object:
        read.append(path)
        return real(scan, path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("provision.tree.packing.read", counting)
    tree = work.source(first=True)
    other = Work(work.project, host, client=work.client)
    with link(host) as made, link(host) as second:
        outcomes = []
        thread = in_background(lambda: outcomes.append(other.sync(second, source=tree, workdir="~/other")))
        assert work.sync(made, source=tree) is Outcome.CHANGED
        thread.join(60)
    assert outcomes == [Outcome.CHANGED]
    assert len(read) == len(set(read)) == 65
    assert work.is_there()
    tree.close()


def _holding(work: Work) -> Program:
    """Return the program of a sync that says nothing and holds the tree."""
    attempt = Attempt(work.goal(), work.source(), Past(), lambda _: None, work.stop)
    return Program("sync_tree.sh", (attempt.request(0), source("sync_tree.py"), "~/.provision"))
