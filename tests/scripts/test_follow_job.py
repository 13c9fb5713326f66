"""What a job prints is told from any place on, to its last byte, and nothing is told twice."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts.job_folders import AT, RUN, Jobs, Talk, end, hold, printed, write
from tests.scripts.launch_client import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

FOLLOW = "follow_job.py"


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "home")


def follow(jobs: Jobs, **more: Any) -> Talk:
    asked = {"id": "abcdef", "offset": None, "tail": None, "since": None, "follow": True, **more}
    return jobs.start(FOLLOW, asked)


def to_the_end(talk: Talk) -> tuple[list[Any], list[tuple[int, int, bytes]], Any]:
    """Return the states, what was printed, and the last word."""
    states, found = [], []
    while True:
        kind, payload = talk.message()
        if kind == b"O":
            offset, stream = AT.unpack_from(payload)
            found.append((offset, stream, payload[AT.size :]))
        elif kind == b"S":
            states.append(json.loads(payload))
        else:
            assert kind == b"X", payload
            return states, found, json.loads(payload)


def test_a_job_that_has_ended_is_told_whole(jobs: Jobs) -> None:
    folder = jobs.make_ended(code=3)
    printed(folder, (0, b"out\0\n"), (1, b"err\xff\n"), (2, b"a gap\n"), (0, b"x" * 600_000), (0, b"y"))
    with follow(jobs) as talk:
        states, found, last = to_the_end(talk)
        assert talk.process.wait(PATIENCE) == 0
    assert states[0]["job"]["id"] == "abcdef"
    assert states[0]["state"]["exit_code"] == last["state"]["exit_code"] == 3
    assert len(states) == 1
    assert states[0]["size"] == last["size"] == 600_017
    assert [(stream, data) for _, stream, data in found[:3]] == [(0, b"out\0\n"), (1, b"err\xff\n"), (2, b"a gap\n")]
    assert b"".join(data for _, _, data in found) == (folder / "log").read_bytes()
    assert max(len(data) for _, _, data in found) <= 256 << 10
    position = 0
    for offset, _, data in found:
        assert offset == position
        position += len(data)


def test_no_message_mixes_streams_however_often_they_change(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    parts = [(number % 2, b"%d" % (number % 2) * (number % 7 + 1)) for number in range(50_000)]
    printed(folder, *parts)
    with follow(jobs) as talk:
        _, found, last = to_the_end(talk)
    assert b"".join(data for _, _, data in found) == b"".join(data for _, data in parts)
    assert all(set(data) == {48 + stream} for _, stream, data in found)
    assert last["read"] < last["size"] + 2 * 16 * len(parts)


def test_it_goes_on_at_the_exact_byte(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    printed(folder, (0, b"0123456789"), (1, b"abcdefghij"))
    for offset, told in ((0, 20), (7, 13), (10, 10), (15, 5), (20, 0)):
        with follow(jobs, offset=offset) as talk:
            _, found, _ = to_the_end(talk)
        assert b"".join(data for _, _, data in found) == b"0123456789abcdefghij"[offset:]
        assert sum(len(data) for _, _, data in found) == told
        assert all(stream == (at >= 10) for at, stream, _ in found)


def test_what_is_printed_is_told_as_it_comes_until_the_job_ends(jobs: Jobs) -> None:
    folder = jobs.make(uptime=1e12)
    with follow(jobs) as talk:
        kind, payload = talk.message()
        assert (kind, json.loads(payload)["state"]["state"]) == (b"S", "queued")
        lock = hold(folder)
        write(folder, "state.json", {"state": "running", "started": 5.0, "gpus": ["GPU-1"]})
        kind, payload = talk.message()
        assert (kind, json.loads(payload)["state"]["gpus"]) == (b"S", ["GPU-1"])
        printed(folder, (0, b"one\n"))
        assert talk.until_printed(4) == [(0, 0, b"one\n")]
        printed(folder, (1, b"two\n"))
        assert talk.until_printed(4) == [(4, 1, b"two\n")]
        printed(folder, (0, b"three\n"))
        end(folder, 7)
        lock.close()
        states, found, last = to_the_end(talk)
    assert found == [(8, 0, b"three\n")]
    assert states[-1]["state"]["exit_code"] == last["state"]["exit_code"] == 7
    assert last["size"] == 14


def test_the_last_bytes_are_told_however_close_to_the_end_they_come(jobs: Jobs) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    # All is printed, and the end written, between the look at the state and the next at the size.
    late = """
seen = []


def state_late(*words):
    state = state_now_before(*words)
    if len(seen) == 3:
        with open(os.path.join(words[0], "log"), "ab") as stream:
            stream.write(b"last words")
        write_json(words[0], "end.json", {"state": "exited", "exit_code": 0})
    seen.append(state)
    return state


state_now_before, state_now = state_now, state_late
"""
    with hold(folder), jobs.start(FOLLOW, {"id": "abcdef", "follow": True}, late) as talk:
        _, found, last = to_the_end(talk)
    assert b"".join(data for _, _, data in found) == b"last words"
    assert (last["size"], last["state"]["state"]) == (10, "exited")


def test_without_following_it_ends_where_the_log_ends_now(jobs: Jobs) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    printed(folder, (0, b"so far"))
    with hold(folder), follow(jobs, follow=False) as talk:
        _, found, last = to_the_end(talk)
    assert found == [(0, 0, b"so far")]
    assert last["state"]["state"] == "running"


def test_the_last_lines_come_first_and_then_all_that_follows(jobs: Jobs) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    printed(folder, (0, b"1\n2\n3\n4"))
    with hold(folder), follow(jobs, tail=2) as talk:
        assert talk.until_printed(3) == [(4, 0, b"3\n4")]
        printed(folder, (0, b"4\n"))
        assert talk.until_printed(2) == [(7, 0, b"4\n")]
    with hold(folder), follow(jobs, tail=0, follow=False) as talk:
        assert to_the_end(talk)[1] == []


def test_a_time_is_found_by_bisecting(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    now, line = time.time(), b"x" * 99 + b"\n"
    (folder / "log").write_bytes(line * 200_000)
    records = (RUN.pack(int((now - 200_000 + n) * 1000), n * 100 << 2) for n in range(200_000))
    (folder / "log.index").write_bytes(b"".join(records))
    with follow(jobs, since=1000.5) as talk:
        _, found, last = to_the_end(talk)
    assert 198_990 * 100 < found[0][0] <= 199_000 * 100
    assert found[0][0] % 100 == 0
    # What is told, and little more.
    assert last["read"] < 20 * 65536
    with follow(jobs, since=0) as talk:
        assert to_the_end(talk)[1] == []
    with follow(jobs, since=1e9, tail=3) as talk:
        assert [len(data) for _, _, data in to_the_end(talk)[1]] == [100] * 3


def test_a_damaged_index_makes_all_of_it_stdout_and_loses_nothing(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    (folder / "log").write_bytes(b"0123456789" * 1000)
    good = [RUN.pack(n, n * 10 << 2 | 1) for n in range(1000)]
    for index in (good[500:], [*good[:3], b"\xff" * 16, *good[4:]], [b"", good[0][:9]], [b"\0" * 160]):
        (folder / "log.index").write_bytes(b"".join(index))
        with follow(jobs, since=1e10) as talk:
            _, found, _ = to_the_end(talk)
        assert b"".join(data for _, _, data in found) == b"0123456789" * 1000
        assert found[-1][1] == 0


def test_records_beyond_the_log_are_ignored(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    printed(folder, (1, b"error"))
    with (folder / "log.index").open("ab") as index:
        index.write(RUN.pack(1, 5 << 2) + RUN.pack(1, 900 << 2 | 2))
    with follow(jobs) as talk:
        assert to_the_end(talk)[1] == [(0, 1, b"error")]


@pytest.mark.parametrize("how", ["shrunk", "another", "removed"])
def test_a_log_that_is_not_what_it_was_is_told(jobs: Jobs, how: str) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    printed(folder, (0, b"0123456789"))
    with hold(folder), follow(jobs) as talk:
        talk.until_printed(10)
        if how == "another":
            (folder / "new").write_bytes(b"x" * 100)
            (folder / "new").rename(folder / "log")
        elif how == "shrunk":
            (folder / "log").write_bytes(b"01")
        else:
            (folder / "log").unlink()
        kind, said = talk.last()
    assert (kind, said["kind"]) == (b"E", "replaced")


def test_an_offset_past_the_end_is_of_another_log(jobs: Jobs) -> None:
    folder = jobs.make_ended()
    printed(folder, (0, b"0123456789"))
    with follow(jobs, offset=11) as talk:
        assert talk.last()[1]["kind"] == "replaced"
    (folder / "log").unlink()
    (folder / "pruned").touch()
    with follow(jobs, offset=5) as talk:
        assert "make room" in talk.last()[1]["message"]
    with follow(jobs) as talk:
        states, found, _ = to_the_end(talk)
    assert (states[0]["pruned"], found) == (True, [])


@pytest.mark.parametrize("boot", ["this", "another"])
def test_following_ends_with_a_job_that_is_lost(jobs: Jobs, boot: str) -> None:
    folder = jobs.make(**({} if boot == "this" else {"boot_id": "another"}))
    write(folder, "state.json", {"state": "running"})
    printed(folder, (0, b"and then"))
    with follow(jobs) as talk:
        _, found, last = to_the_end(talk)
    assert found == [(0, 0, b"and then")]
    assert last["state"]["state"] == "lost"
    assert last["state"]["reason"] == ("killed" if boot == "this" else "reboot")


def test_a_job_that_is_lost_now_has_time_to_say_how(jobs: Jobs) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    lock = hold(folder)
    with follow(jobs) as talk:
        talk.message()
        lock.close()
        kind, payload = talk.message()
        assert (kind, json.loads(payload)["state"]["reason"]) == (b"S", "killed")
        write(folder, "end.json", {"state": "lost", "reason": "oom", "ended": 9.0})
        assert to_the_end(talk)[2]["state"]["reason"] == "oom"


def test_a_job_that_is_removed_meanwhile_is_told(jobs: Jobs) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    with hold(folder), follow(jobs) as talk:
        talk.message()
        folder.rename(jobs.jobs / "elsewhere")
        assert talk.last()[1]["kind"] == "unknown"


@pytest.mark.parametrize("cut", ["stdin", "stdout"])
def test_it_ends_with_the_client(jobs: Jobs, cut: str) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    with hold(folder), follow(jobs) as talk:
        talk.message()
        stream = talk.process.stdin if cut == "stdin" else talk.process.stdout
        assert stream is not None
        stream.close()
        if cut == "stdout":
            printed(folder, (0, b"nobody reads this"))
        assert talk.process.wait(PATIENCE) == 0


def test_it_ends_with_a_client_that_reads_no_more(jobs: Jobs) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    printed(folder, (0, b"x" * (8 << 20)))
    with hold(folder), follow(jobs) as talk:
        talk.message()
        assert talk.process.stdin is not None
        talk.process.stdin.close()
        assert talk.process.wait(PATIENCE) == 0


def test_several_follow_at_once(jobs: Jobs) -> None:
    folder = jobs.make()
    write(folder, "state.json", {"state": "running"})
    lock = hold(folder)
    talks = [follow(jobs, offset=0) for _ in range(4)]
    for one in talks:
        assert one.message()[0] == b"S"
    text = b""
    for number in range(20):
        text += b"line %d\n" % number
        printed(folder, (number % 3, b"line %d\n" % number))
    end(folder)
    lock.close()
    for one in talks:
        with one:
            assert b"".join(data for _, _, data in to_the_end(one)[1]) == text


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_every_shell_of_a_host_starts_it(tmp_path: Path, shell: str) -> None:
    jobs = Jobs(tmp_path / "home", shell)
    printed(jobs.make_ended(), (0, b"x"))
    with follow(jobs) as talk:
        assert to_the_end(talk)[1] == [(0, 0, b"x")]
