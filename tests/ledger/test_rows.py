"""What is written is read again, by every later version, and not for ever."""

from __future__ import annotations

import dataclasses
import sqlite3
import stat
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.ledger import reading
from provision.ledger.place import file_system, ledger_path, on_network
from provision.ledger.rows import KEPT, FactChanged, HostRun, HostState, JobSeen, Notice, Row, Run, StepRun
from provision.ledger.schema import TABLES, VERSION, columns, select
from provision.ledger.store import Ledger, open_ledger
from tests.ledger.samples import EVERY, NOW, a_finding, a_host, a_run, first_version

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text(st.characters(exclude_categories=[]), max_size=30)
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
TIME = st.floats(min_value=NOW, max_value=NOW * 2)


def kept(row: Any) -> Any:
    """Return a row as it is read again: what no UTF-8 has is spelt out."""

    def plain(value: Any) -> Any:
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value

    return dataclasses.replace(row, **{one: plain(getattr(row, one)) for one in columns(type(row))})


@pytest.mark.parametrize("row", EVERY, ids=lambda one: type(one).__name__)
def test_a_row_of_each_kind_is_read_as_it_was_written(row: Row, environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=True)
    assert ledger.write([row])
    ledger.close()
    again = open_ledger(environ, writing=False)
    assert again.rows(type(row)) == [row]
    assert again.problem is None
    again.close()


def test_every_kind_of_row_has_a_table() -> None:
    assert set(get_args(Row)) == set(TABLES) == {type(one) for one in EVERY}
    assert all(select(kind).endswith(one.name) for kind, one in TABLES.items())


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Run,
        id=NAME,
        command=TEXT,
        argv=st.lists(TEXT, max_size=4).map(tuple),
        project=st.none() | TEXT,
        started=TIME,
        ended=st.none() | TIME,
        exit_code=st.none() | st.integers(-255, 255),
        version=TEXT,
        user=TEXT,
        schedule=st.none() | TEXT,
    ),
    st.builds(
        HostRun,
        run=NAME,
        host=NAME,
        target=TEXT,
        started=TIME,
        ended=st.none() | TIME,
        outcome=TEXT,
        error=st.none() | TEXT,
        verdict=st.none() | TEXT,
        changed=st.booleans(),
    ),
    st.builds(
        HostState,
        host=NAME,
        at=TIME,
        run=NAME,
        facts=st.dictionaries(NAME, st.none() | NAME | st.lists(NAME, max_size=3) | st.integers(0, 9)),
    ),
    st.builds(
        StepRun,
        run=NAME,
        host=NAME,
        number=st.integers(0, 1 << 40),
        task=TEXT,
        title=TEXT,
        started=TIME,
        seconds=st.none() | st.floats(0, 1e6),
        outcome=TEXT,
        reason=st.none() | TEXT,
    ),
    st.builds(
        JobSeen,
        host=NAME,
        id=NAME,
        name=st.none() | TEXT,
        state=TEXT,
        exit_code=st.none() | st.integers(0, 255),
        started=st.none() | TIME,
        ended=st.none() | TIME,
        at=TIME,
        gpus=st.lists(st.integers(-1, 64), max_size=4).map(tuple),
    ),
)
def test_whatever_hosts_and_people_call_things_is_read_again(
    run: Run, host: HostRun, state: HostState, step: StepRun, job: JobSeen
) -> None:
    with TemporaryDirectory() as folder:
        environ = {"HOME": folder}
        ledger = open_ledger(environ, writing=True)
        assert ledger.write([run, host, state, step, job]), ledger.problem
        for one in (host, state, step, job):
            assert ledger.rows(type(one)) == [kept(one)]
        assert dataclasses.replace(ledger.rows(Run)[0], argv=run.argv) == kept(run)
        assert ledger.rows(Run)[0].argv == run.argv
        ledger.close()


def test_a_row_takes_the_place_of_the_one_with_its_key(environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=True)
    begun = a_run(ended=None, exit_code=None)
    ledger.write([begun])
    assert reading.runs(ledger) == [begun]
    ended = a_run()
    ledger.write([ended, Notice("k", NOW, "a", None, "x")])
    ledger.write([Notice("k", NOW + 1, "a", None, "y")])
    assert reading.runs(ledger) == [ended]
    assert [one.text for one in reading.notices(ledger)] == ["y"]
    ledger.close()


def test_rows_that_are_made_within_a_transaction_see_what_it_wrote(environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=True)
    seen: list[Run] = []

    def more(opened: Ledger) -> list[Row]:
        seen.extend(reading.runs(opened))
        return [a_host(seen[0].id)]

    assert ledger.write([a_run()], more)
    assert seen == [a_run()]
    assert len(reading.hosts_of(ledger, a_run())) == 1
    ledger.close()


def test_a_transaction_that_fails_leaves_nothing_of_itself(environ: dict[str, str]) -> None:
    def fails(_: Ledger) -> list[Row]:
        raise ValueError("no such thing")

    ledger = open_ledger(environ, writing=True)
    assert not ledger.write([a_run()], fails)
    assert ledger.problem is not None
    assert not ledger.write([a_run()])
    again = open_ledger(environ, writing=False)
    assert reading.runs(again) == []
    again.close()


def test_a_ledger_of_the_first_version_is_read_and_goes_on(environ: dict[str, str]) -> None:
    first_version(ledger_path(environ))
    ledger = open_ledger(environ, writing=False)
    (old,) = reading.runs(ledger)
    assert (old.argv, old.schedule, old.exit_code) == (("old",), None, 0)
    ledger.close()
    ledger = open_ledger(environ, writing=True)
    assert ledger.write([a_run(schedule="nightly"), Notice("k", NOW, "a", None, "x")])
    assert [one.schedule for one in reading.runs(ledger)] == [None, "nightly"]
    ledger.close()


def test_a_ledger_of_a_newer_version_is_left_as_it_is(environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=True)
    ledger.write([a_run()])
    ledger.close()
    path = ledger_path(environ)
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA user_version = {VERSION + 1}")
    file.close()
    before = path.read_bytes()
    for writing in (True, False):
        newer = open_ledger(environ, writing=writing)
        assert "newer provision" in (newer.problem or "")
        assert not newer.write([a_run("20960101T000000Z-000002")])
        assert reading.runs(newer) == []
    assert path.read_bytes() == before


def test_the_file_and_those_beside_it_are_the_users_alone(environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=True)
    ledger.write([a_run()])
    folder = ledger_path(environ).parent
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}
    assert "ledger.sqlite-wal" in modes
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    ledger.close()


def test_one_that_others_may_read_is_closed_to_them(environ: dict[str, str]) -> None:
    open_ledger(environ, writing=True).close()
    ledger_path(environ).chmod(0o664)
    open_ledger(environ, writing=True).close()
    assert stat.S_IMODE(ledger_path(environ).stat().st_mode) == 0o600


def test_reading_where_there_is_none_makes_none(environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=False)
    assert ledger.problem is None
    assert reading.runs(ledger) == []
    assert not ledger_path(environ).parent.exists()


def test_what_is_older_than_a_year_is_removed_once_a_day(environ: dict[str, str]) -> None:
    old = time.time() - KEPT - 60
    young = time.time() - KEPT + 86400
    ledger = open_ledger(environ, writing=True)
    ledger.write([a_run("young", started=young), a_host("young", at=young)])
    # Pruned a moment ago: what is written now stays until tomorrow.
    ledger.write([a_run("old", started=old), a_host("old", at=old), a_finding("old", at=old)])
    assert [one.id for one in reading.runs(ledger)] == ["young", "old"]
    ledger.close()
    with sqlite3.connect(ledger_path(environ)) as file:
        file.execute("UPDATE kept SET value = ?", (str(time.time() - 90000),))
    file.close()
    ledger = open_ledger(environ, writing=True)
    ledger.write([FactChanged("young", "h", young, "driver", "1", "2")])
    assert [one.id for one in reading.runs(ledger)] == ["young"]
    assert [one.run for one in reading.host_runs(ledger)] == ["young"]
    assert reading.findings(ledger) == []
    ledger.close()


@pytest.mark.parametrize("value", ["never", "nan", "1e300", ""])
def test_a_time_of_pruning_that_cannot_be_is_none(value: str, environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=True)
    ledger.write([a_run()])
    ledger.close()
    with sqlite3.connect(ledger_path(environ)) as file:
        file.execute("UPDATE kept SET value = ?", (value,))
    file.close()
    ledger = open_ledger(environ, writing=True)
    assert ledger.write([a_run("20960101T000000Z-000002", started=1.0)])
    assert [one.id for one in reading.runs(ledger)] == [a_run().id]
    ledger.close()


def test_runs_are_found_by_command_host_and_time(environ: dict[str, str]) -> None:
    ledger = open_ledger(environ, writing=True)
    ledger.write(
        [
            a_run("a", command="up"),
            a_run("b", command="env lock", started=NOW + 1),
            a_run("c", command="environment", started=NOW + 2),
            a_run("d", command="up", started=NOW + 3),
            a_host("a"),
            a_host("d", "other"),
        ]
    )

    def found(**asked: Any) -> str:
        return "".join(one.id for one in reading.runs(ledger, **asked))

    assert found() == "dcba"
    assert found(limit=2) == "dc"
    assert found(command="up") == "da"
    assert found(command="env") == "b"
    assert found(command="env lock") == "b"
    assert found(host="gpu-box") == "a"
    assert found(since=NOW + 2) == "dc"
    assert found(command="%") == ""
    assert [one.id for one in reading.run_named(ledger, "last")] == ["d"]
    assert reading.run_named(ledger, "") == reading.runs(ledger)
    assert [one.host for one in reading.hosts_of_all(ledger, reading.runs(ledger))["d"]] == ["other"]
    ledger.close()


MOUNTS = r"""22 1 254:1 / / rw - ext4 /dev/vda1 rw
30 22 0:26 / /home rw - nfs4 server:/home rw
31 30 254:2 / /home/me/disk rw master:1 - xfs /dev/vdb rw
32 22 0:27 / /mnt/with\040space rw - fuse.sshfs me@box: rw
33 22 0:28 / /over rw - ext4 /dev/vdc rw
34 22 0:29 / /over rw - cifs //server/x rw
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/root", "ext4"),
        ("/home/me", "nfs4"),
        ("/home", "nfs4"),
        ("/homes", "ext4"),
        ("/home/me/disk/x", "xfs"),
        ("/mnt/with space/x", "fuse.sshfs"),
        ("/over/x", "cifs"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_longest_mount_point(path: str, kind: str) -> None:
    assert file_system(path, MOUNTS) == kind


def test_where_nobody_tells_the_folder_is_taken_for_a_local_one(tmp_path: Path) -> None:
    assert not on_network(tmp_path, str(tmp_path / "no-mounts"))
    mounts = tmp_path / "mounts"
    mounts.write_text("22 1 0:1 / / rw - nfs server:/ rw\n")
    assert on_network(tmp_path, str(mounts))


@pytest.mark.parametrize(("network", "mode"), [(True, "delete"), (False, "wal")])
def test_the_journal_is_one_that_the_file_system_can_share(
    network: bool, mode: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ledger(environ, writing=True).close()
    monkeypatch.setattr("provision.ledger.store.on_network", lambda _: network)
    ledger = open_ledger(environ, writing=True)
    ledger.write([a_run()])
    ledger.close()
    with sqlite3.connect(ledger_path(environ)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == (mode,)
    file.close()


def test_a_state_folder_that_is_not_absolute_counts_for_nothing(tmp_path: Path) -> None:
    for state in ("", "state", "./x"):
        where = ledger_path({"HOME": str(tmp_path), "XDG_STATE_HOME": state})
        assert where == tmp_path / ".local/state/provision/ledger.sqlite"
