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
    Waiting,
)
from provision.model.plan import Outcome
from provision.model.sync import Question, SyncPlan, SyncResult
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
    assert json.loads(whole)["hosts"]["box"]["kept"] == [{"path": long, "kept_at": f"/k/{long}", "synced_before": True}]


def test_how_far_it_is_is_told_every_few_seconds() -> None:
    done = plan(("a",))
    steps = [SyncProgress(number, 1000, number * 1000, 1_000_000) for number in range(100)]
    _, err = shown(SyncPlanned(done), *steps)
    told = [line for line in err.splitlines() if line.endswith(" sent")]
    assert told[0] == "    29 kB of 1.0 MB, 29 of 1,000 files sent"
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
    result = SyncResult(done, False, 7, (("a", "/k/a"), ("b", "/k/b")), frozenset("b"), (("c", "/k/c"),))
    out, _ = shown(SyncPlanned(done), Synced(result), json=True)
    host = json.loads(out)["hosts"]["box"]
    assert {key: host[key] for key in ("sent", "removed", "bytes", "wire_bytes", "up_to_date", "kept", "tree")} == {
        "sent": 1,
        "removed": 1,
        "bytes": 12_000,
        "wire_bytes": 7,
        "up_to_date": False,
        "kept": [
            {"path": "a", "kept_at": "/k/a", "synced_before": True},
            {"path": "b", "kept_at": "/k/b", "synced_before": False},
            {"path": "c", "kept_at": "/k/c", "synced_before": None},
        ],
        "tree": TREE,
    }
    assert "files" not in host


def test_what_no_sync_had_put_there_is_told_apart_from_what_was_changed() -> None:
    done = plan(("a", "b"), kept=("a",))
    kept = (("a", "/k/a"), ("b", "/k/b"))
    result = SyncResult(done, False, 1, kept, frozenset("b"), earlier=(("c", "/k/c"),))
    out, _ = shown(SyncPlanned(done), Synced(result))
    assert out.splitlines()[1:] == [
        "  changed on the host since the last sync: a; its version is kept at /k/a",
        "  stood there, and no sync had put it there: b; kept at /k/b",
        "  had to make way when a sync that broke was brought to its end: c; kept at /k/c",
    ]


def test_a_resumed_sync_counts_what_went_and_says_what_was_there() -> None:
    done = plan(("a", "b", "c"), bytes=103_000_000, staged=1, resumed=197_000_000)
    result = SyncResult(done, up_to_date=False, wire_bytes=90_000_000)
    out, _ = shown(SyncPlanned(done), Synced(result))
    assert out == "box: 2 files sent (103 MB in 0.4 s; 197 MB were there from a sync that broke)\n"
    out, _ = shown(SyncPlanned(done), Synced(result), json=True)
    host = json.loads(out)["hosts"]["box"]
    assert [host[one] for one in ("sent", "bytes", "resumed_bytes")] == [2, 103_000_000, 197_000_000]
    first = plan(("a", "b", "c"), bytes=103_000_000, staged=1, resumed=197_000_000, first=True)
    out, _ = shown(SyncPlanned(first), Synced(SyncResult(first, up_to_date=False, wire_bytes=90_000_000)))
    assert out.startswith(
        "box: first sync: 2 files, 103 MB (90 MB over the wire; 197 MB were there from a sync that broke) in 0.4 s -> "
    )


def test_what_is_foreseen_to_stand_in_the_way_is_marked() -> None:
    told = plan(("a", "b", "c/d"), kept=("a",), standing=("b", "c"), owner="ann@desk, from /x")
    out, _ = shown(SyncPlanned(told), outcome=Outcome.PENDING, dry_run=True)
    assert out.splitlines()[1:] == [
        "  it is the tree of ann@desk, from /x; --take-over makes it yours",
        "  stands there where a folder must go, and no sync had put it there: it would be kept aside: c",
        "  + a  (changed on the host: its version would be kept aside)",
        "  + b  (stands there, and no sync had put it there: it would be kept aside)",
        "  + c/d",
        "next: provision sync box",
    ]


def test_what_would_be_asked_stands_first_and_names_no_path_twice() -> None:
    secret = Question("1 file looks like a secret", (".env",), ("1 file looks like a secret:", "  .env  (by its name)"))
    removal = Question("every file would be removed", ("b",), ("every file would be removed:", "  b"))
    told = plan((".env",), ("b",), questions=(secret, removal))
    out, _ = shown(SyncPlanned(told), outcome=Outcome.PENDING, dry_run=True)
    assert out.splitlines()[1:-1] == [
        "  would ask first: 1 file looks like a secret:",
        "    .env  (by its name)",
        "  would ask first: every file would be removed",
        "  + .env",
        "  - b",
    ]
    document, _ = shown(SyncPlanned(told), outcome=Outcome.PENDING, dry_run=True, json=True)
    questions = json.loads(document)["hosts"]["box"]["files"]["questions"]
    assert [(one["message"], one["paths"]) for one in questions] == [(secret.says, [".env"]), (removal.says, ["b"])]


def test_the_link_is_said_to_be_lost_once_and_to_which_host() -> None:
    _, err = shown(LinkLost("the link was lost while data was sent"), LinkLost("silent for 60 s"))
    assert err.splitlines()[1:] == [
        "the link to box was lost while data was sent: connecting again",
        "the link to box broke (silent for 60 s): connecting again",
    ]


def test_that_it_waits_is_said_once() -> None:
    _, err = shown(Waiting("ann syncs to it since 3 s"))
    assert err.splitlines()[1:] == ["waiting: ann syncs to it since 3 s"]


def test_a_note_on_the_project_is_told_and_stands_in_the_document() -> None:
    out, err = io.StringIO(), io.StringIO()
    face = Face("sync", ["box"], environ={}, stdout=out, stderr=err, json=True)
    face.tell("include: \x1b matches no file")
    face.finish()
    assert err.getvalue() == "note: include: \\x1b matches no file\n"
    assert json.loads(out.getvalue())["notes"] == ["include: \x1b matches no file"]


def test_a_watched_host_is_up_to_date_once_and_again_after_a_lost_link() -> None:
    same = Synced(SyncResult(plan(), up_to_date=True, wire_bytes=0))
    said = Note("not synced: nothing was sent without a yes", ("1 file to send looks like a secret:", "  .env"))
    out, _ = shown(
        same, HostStarted(TARGET), same, same, LinkLost("reset"), HostStarted(TARGET), same, said, watch=True
    )
    assert [line[9:] for line in out.splitlines()] == [
        "box: up to date (20,000 files)",
        "box: the link broke (reset): connecting again",
        "box: up to date (20,000 files)",
        "box: not synced: nothing was sent without a yes",
        "1 file to send looks like a secret:",
        "  .env",
    ]


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
