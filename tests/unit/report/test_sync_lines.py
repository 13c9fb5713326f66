"""What a user reads of a sync."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from provision.events import (
    Connected,
    Failure,
    HostEvent,
    HostFinished,
    HostStarted,
    LinkLost,
    Note,
    Synced,
    SyncPlanned,
    SyncProgress,
)
from provision.model.plan import Outcome
from provision.model.sync import SyncPlan, SyncResult
from provision.report.face import Face

if TYPE_CHECKING:
    from provision.events import Event

TARGET = "box (ubuntu@203.0.113.10:22)"
TREE = "/home/ubuntu/work/m"


def plan(sent: tuple[str, ...] = (), removed: tuple[str, ...] = (), **more: Any) -> SyncPlan:
    return SyncPlan(TREE, more.pop("files", 20_000), sent, removed, more.pop("bytes", 12_000), **more)


def shown(*events: Event, outcome: Outcome = Outcome.CHANGED, **how: Any) -> tuple[str, str]:
    """Return what a run of one host prints on stdout and on stderr; a tenth of a second between two events."""
    out, err = io.StringIO(), io.StringIO()
    failure = how.pop("failure", None)
    left_out = how.pop("left_out", ())
    face = Face("sync", ["box"], environ={}, stdout=out, stderr=err, trees={"box": "~/work/m"}, **how)
    every = (HostStarted(TARGET), Connected(0.1), *events, HostFinished(outcome, failure))
    for number, event in enumerate(every):
        face.take(HostEvent("box", 1000 + number / 10, event))
    face.report.left_out = left_out
    face.finish()
    return out.getvalue(), err.getvalue()


def test_the_target_comes_first_and_where_the_project_goes() -> None:
    _, err = shown(outcome=Outcome.CONVERGED)
    assert err == f"{TARGET}: ~/work/m\n"


def test_where_nothing_is_to_be_done_one_line_says_so() -> None:
    out, _ = shown(Synced(SyncResult(plan(bytes=0), up_to_date=True, wire_bytes=0)), outcome=Outcome.CONVERGED)
    assert out == "box: up to date (20,000 files)\n"


def test_what_went_is_counted() -> None:
    done = plan(("a", "b", "c"), ("d",))
    out, _ = shown(SyncPlanned(done), Synced(SyncResult(done, up_to_date=False, wire_bytes=900)))
    assert out == "box: 3 files sent, 1 removed (12 kB in 0.4 s)\n"


def test_a_first_sync_says_how_much_it_was_and_where_it_is() -> None:
    done = plan(("a", "b"), files=2, bytes=118_000_000, first=True)
    out, _ = shown(SyncPlanned(done), Synced(SyncResult(done, up_to_date=False, wire_bytes=45_000_000)))
    assert out == f"box: first sync: 2 files, 118 MB (45 MB over the wire) in 0.4 s -> {TREE}\n"


def test_names_from_disks_are_shown_escaped() -> None:
    done = plan(("a",), kept=("\x1b[2Jx",), missing=("\udcff\n",))
    kept = (("\x1b[2Jx", f"{TREE}/.provision/kept/1-1/\x1b[2Jx"),)
    out, _ = shown(SyncPlanned(done), Synced(SyncResult(done, up_to_date=False, wire_bytes=1, kept=kept)))
    assert "changed on the host since the last sync: \\x1b[2Jx; its version is kept at" in out
    assert "was gone on the host, and sent again: \\udcff\\n\n" in out
    assert "\x1b" not in out


def test_a_very_long_path_is_shown_without_its_middle_and_is_whole_in_the_document() -> None:
    long = "a" * 150 + "/" + "b" * 150
    done = plan((long,), kept=(long,))
    result = SyncResult(done, up_to_date=False, wire_bytes=1, kept=((long, f"/k/{long}"),))
    out, _ = shown(SyncPlanned(done), Synced(result))
    assert long not in out
    assert f"{'a' * 97} ... {'b' * 97}; its version" in out
    whole, _ = shown(SyncPlanned(done), Synced(result), json=True)
    assert json.loads(whole)["hosts"]["box"]["kept"] == [{"path": long, "kept_at": f"/k/{long}"}]


def test_how_far_it_is_is_told_every_few_seconds() -> None:
    done = plan(("a",))
    steps = [SyncProgress(number, 1000, number * 1000, 1_000_000) for number in range(100)]
    _, err = shown(SyncPlanned(done), *steps)
    told = [line for line in err.splitlines() if "sending" in line]
    assert told[0] == "    sending 29 of 1,000 files, 29 kB of 1.0 MB"
    assert len(told) == 3


def test_a_long_list_of_what_would_go_is_cut_unless_asked_for() -> None:
    names = tuple(f"f{number:03}" for number in range(60))
    left = (("runs/", ".gitignore:1:runs/"),)
    out, _ = shown(SyncPlanned(plan(names)), outcome=Outcome.PENDING, dry_run=True, left_out=left)
    assert "  + f049\n" in out
    assert "f050" not in out
    assert "... and 10 more (-v shows all)" in out
    assert "  runs/  (.gitignore:1:runs/)\n" in out
    assert out.endswith("next: provision sync box\n")
    whole, _ = shown(SyncPlanned(plan(names)), outcome=Outcome.PENDING, dry_run=True, verbose=True)
    assert "+ f059" in whole


def test_a_question_without_an_answer_shows_what_it_was_about() -> None:
    failure = Failure("usage", "nothing was sent: 1 file looks like a secret", 2, "provision sync --yes", "  .env  (x)")
    out, _ = shown(outcome=Outcome.FAILED, failure=failure)
    assert out.splitlines()[:2] == ["box: failed", "  nothing was sent: 1 file looks like a secret"]
    assert ".env  (x)" in out


def test_the_document_has_the_fields_of_a_sync() -> None:
    done = plan(("a",), ("b",))
    result = SyncResult(done, up_to_date=False, wire_bytes=7, kept=(("a", "/k/a"),))
    out, _ = shown(SyncPlanned(done), Synced(result), json=True)
    host = json.loads(out)["hosts"]["box"]
    assert {key: host[key] for key in ("sent", "removed", "bytes", "wire_bytes", "up_to_date", "kept", "tree")} == {
        "sent": 1,
        "removed": 1,
        "bytes": 12_000,
        "wire_bytes": 7,
        "up_to_date": False,
        "kept": [{"path": "a", "kept_at": "/k/a"}],
        "tree": TREE,
    }
    assert "files" not in host


def test_a_watched_host_gets_a_line_for_each_sync_and_one_for_a_lost_link() -> None:
    one, several = plan(("train.py",)), plan(("a", "b", "c"), ("d",))
    out, _ = shown(
        Synced(SyncResult(plan(), up_to_date=True, wire_bytes=0)),
        HostStarted(TARGET),
        SyncPlanned(one),
        Synced(SyncResult(one, up_to_date=False, wire_bytes=1)),
        LinkLost("reset"),
        LinkLost("reset"),
        Note("not synced: no room"),
        HostStarted(TARGET),
        Synced(SyncResult(several, up_to_date=False, wire_bytes=1)),
        watch=True,
    )
    assert [line[9:] for line in out.splitlines()] == [
        "box: up to date (20,000 files)",
        "box: train.py sent (0.2 s)",
        "box: the link broke (reset): connecting again",
        "box: not synced: no room",
        "box: 3 files sent, 1 removed (0.1 s)",
    ]
