"""The receiver and its stream: codecs, breaks and what is left of them, and clients that lie."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts.sync_client import (
    BIG,
    NONCE,
    EndedError,
    Laptop,
    Receiver,
    coded,
    copy,
    delete,
    end,
    file,
    link,
    manifest,
    on_disk,
    own_names,
    put,
    short,
    use,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the receiver runs on Linux hosts")

NOISE = random.Random(1).randbytes(BIG + 300_000)
SOME = {
    b"a": file("first"),
    b"big/weights": file(NOISE),
    b"d/b": file(b"second " * 40_000),
    b"d/c": file(NOISE[:700_000], executable=True),
    b"l": link("a"),
}


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path / "tree", dict(SOME))


def with_the_module() -> str:
    """Return a Python that has zstandard, which is the one of these tests."""
    pytest.importorskip("zstandard")
    return sys.executable


def without_modules() -> str:
    if not shutil.which("zstd"):
        pytest.skip("there is no program zstd here")
    return "/usr/bin/python3"


@pytest.mark.parametrize("codec", ["none", "gzip", "zstd", "raw"])
@pytest.mark.parametrize("piece", [1 << 18, 1000])
@pytest.mark.parametrize("python", [with_the_module, without_modules])
def test_every_codec_brings_the_same(laptop: Laptop, codec: str, piece: int, python: object) -> None:
    assert callable(python)
    laptop.options = {"python": python()}
    if codec == "zstd" and not shutil.which("zstd"):
        pytest.skip("there is no program zstd here")
    records = b"".join([put(path, SOME[path]) for path in sorted(SOME)]) + end(manifest(SOME))
    with laptop.start() as receiver:
        assert receiver.until(b"A").value["codecs"] == ["zstd", "gzip"]
        receiver.stream(records, codec, piece=piece)
        receiver.finish()
        receiver.until(b"R")

    assert on_disk(laptop.tree) == SOME


@pytest.mark.parametrize("codec", ["none", "gzip", "raw"])
@pytest.mark.parametrize("python", [with_the_module, without_modules])
def test_an_empty_piece_ends_a_stream_that_stays_open(laptop: Laptop, codec: str, python: object) -> None:
    assert callable(python)
    laptop.options = {"python": python()}
    records = b"".join([put(path, SOME[path]) for path in sorted(SOME)]) + end(manifest(SOME))
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(records, codec)
        receiver.send(b"H")
        receiver.send(b"D")
        receiver.until(b"R")

    assert on_disk(laptop.tree) == SOME


def test_bytes_that_drip_one_by_one_make_the_same_tree(laptop: Laptop) -> None:
    laptop.items = {b"a": file("first"), b"d/b": file("second"), b"l": link("a")}
    records = b"".join([put(path, laptop.items[path]) for path in sorted(laptop.items)]) + end(manifest(laptop.items))
    stream = struct.pack(">cI", b"J", 16) + b'{"codec":"none"}'
    stream += b"".join(struct.pack(">cI", b"D", 1) + records[at : at + 1] for at in range(len(records)))
    with laptop.start() as receiver:
        receiver.until(b"A")
        assert receiver.process.stdin is not None
        for at in range(len(stream)):
            receiver.process.stdin.write(stream[at : at + 1])
        receiver.finish()
        receiver.until(b"R")

    assert on_disk(laptop.tree) == laptop.items


def cut(laptop: Laptop, records: bytes, *, how: str = "end") -> int:
    """Send part of a delta, and let the link break."""
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(records)
        if how == "end":
            receiver.finish()
        else:
            # What was sent is taken before the signal comes.
            receiver.send(b"H")
            receiver.message()
            receiver.process.send_signal(getattr(signal, how))
        return receiver.ended()


def test_a_stream_cut_anywhere_leaves_the_old_tree_and_is_resumed(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "tree", {b"a": file("old"), b"gone": file("old")})
    laptop.sync()
    old, laptop.items = dict(laptop.items), dict(SOME)
    records = [put(path, SOME[path]) for path in sorted(SOME)]
    whole = b"".join([*records, delete(b"gone"), end(manifest(SOME))])
    cuts = [0, 1, 5, len(records[0]), len(records[0]) + 100, len(whole) - 700_100, len(whole) - 40, len(whole) - 1]
    cuts += [len(whole) * number // 16 for number in range(1, 16)]
    for at in sorted(cuts):
        assert cut(laptop, whole[:at]) == 0
        assert on_disk(laptop.tree) == old
        answer = laptop.ask()
        assert answer["staged"] == sum(len(b"".join(records[: number + 1])) <= at for number in range(len(records))), at
        shutil.rmtree(laptop.tree / ".provision/staging", ignore_errors=True)
        shutil.rmtree(laptop.tree / ".provision/partial", ignore_errors=True)

    cut(laptop, whole[: len(whole) - 40])
    result = laptop.sync()

    assert result["resumed"] == sum(len(content) for kind, content in SOME.values() if kind != 3) + 1
    assert on_disk(laptop.tree) == SOME
    assert own_names(laptop.tree) == set()


@pytest.mark.parametrize("codec", ["gzip", "zstd", "raw"])
@pytest.mark.parametrize("python", [with_the_module, without_modules])
def test_a_coded_stream_that_is_cut_leaves_what_was_whole(laptop: Laptop, codec: str, python: object) -> None:
    assert callable(python)
    if codec == "zstd" and not shutil.which("zstd"):
        pytest.skip("there is no program zstd here")
    laptop.options = {"python": python()}
    laptop.items = {b"%d" % number: file(NOISE[number * 200_000 :][:200_000]) for number in range(20)}
    records = b"".join(put(path, item) for path, item in sorted(laptop.items.items()))
    with laptop.start() as receiver:
        receiver.until(b"A")
        data = coded(codec, records + end(manifest(laptop.items)))
        receiver.send(b"J", json.dumps({"codec": "zstd" if codec == "raw" else codec}).encode())
        for at in range(0, len(data) - 500_000, 1 << 17):
            receiver.send(b"D", data[at : at + (1 << 17)])
        receiver.finish()
        receiver.ended()

    assert 10 < laptop.ask()["staged"] < 20
    assert laptop.sync()["resumed"] > 10 * 200_000
    assert on_disk(laptop.tree) == laptop.items


def test_a_big_file_goes_on_where_it_broke(laptop: Laptop) -> None:
    laptop.items = {b"weights": file(NOISE)}
    record = put(b"weights", file(NOISE))
    for at in (1_000_000, 1_000_001, 2_500_000):
        has = laptop.ask()["partial"].get(hashlib.sha256(NOISE).hexdigest(), 0)
        cut(laptop, put(b"weights", file(NOISE), has)[: at - has])
    assert laptop.ask()["partial"] == {hashlib.sha256(NOISE).hexdigest(): 2_500_000 - (len(record) - len(NOISE))}

    result = laptop.sync()

    assert result["resumed"] == 2_500_000 - (len(record) - len(NOISE))
    assert on_disk(laptop.tree) == laptop.items


def damage(laptop: Laptop, sizes: dict[bytes, int]) -> None:
    """Leave parts of files there as a power cut does: so many bytes of nothing."""
    laptop.ask()
    parts = laptop.tree / ".provision/partial"
    parts.mkdir()
    for content, size in sizes.items():
        (parts / hashlib.sha256(content).hexdigest()).write_bytes(bytes(size))


@pytest.mark.parametrize("size", [1, 1_000_000, len(NOISE), len(NOISE) + 1])
def test_all_damaged_parts_are_found_in_one_sync_and_sent_whole_in_the_next(laptop: Laptop, size: int) -> None:
    contents = [bytes([number]) + NOISE for number in (1, 2, 3)]
    laptop.items = {b"%d.bin" % number: file(content) for number, content in enumerate(contents)}
    laptop.items[b"good"] = file(b"good" + NOISE)
    laptop.items[b"small"] = file("small")
    damage(laptop, dict.fromkeys(contents, size))
    with laptop.start() as receiver:
        answer, staged = laptop.opened(receiver)
        answer["partial"] = {name: min(there, len(contents[0])) for name, there in answer["partial"].items()}
        receiver.stream(b"".join(laptop.records(answer, staged)))
        receiver.finish()
        error = receiver.until(b"E").value
    assert error["kind"] == "damaged"
    assert "3 files" in error["message"]
    assert not laptop.ask()["partial"]

    assert laptop.sync()["resumed"] == len(NOISE) + len("goodsmall")

    assert on_disk(laptop.tree) == laptop.items


def test_a_twin_of_a_file_with_a_damaged_part_is_no_other_error(laptop: Laptop) -> None:
    laptop.items = {b"one": file(NOISE), b"two": file(NOISE)}
    damage(laptop, {NOISE: 1000})
    with laptop.start() as receiver:
        receiver.until(b"A")
        records = put(b"one", file(NOISE), 1000) + copy(b"two", file(NOISE), b"one")
        receiver.stream(records + end(manifest(laptop.items)))
        receiver.finish()
        assert receiver.until(b"E").value["kind"] == "damaged"
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(put(b"one", file(NOISE)) + copy(b"two", file(NOISE), b"one") + end(manifest(laptop.items)))
        receiver.finish()
        receiver.until(b"R")

    assert on_disk(laptop.tree) == laptop.items


@pytest.mark.parametrize("codec", ["none", "gzip", "raw"])
@pytest.mark.parametrize("python", [with_the_module, without_modules])
def test_a_client_that_leaves_in_the_middle_is_told_of_no_broken_stream(
    laptop: Laptop, codec: str, python: object
) -> None:
    assert callable(python)
    laptop.options = {"python": python()}
    data = coded(codec, put(b"d/c", SOME[b"d/c"]) + put(b"a", SOME[b"a"]))
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.send(b"J", json.dumps({"codec": "zstd" if codec == "raw" else codec}).encode())
        receiver.send(b"D", data[: len(data) * 2 // 3])
        receiver.send(b"Q")
        with pytest.raises(EndedError):
            receiver.until(b"E")


def test_what_was_staged_and_is_not_wanted_any_more_does_not_arrive(laptop: Laptop) -> None:
    records = b"".join([put(path, SOME[path]) for path in sorted(SOME)])
    cut(laptop, records)
    laptop.items = {b"a/folder/now": file("1"), b"d": file("a file now"), b"l": link("a")}

    laptop.sync()

    assert on_disk(laptop.tree) == laptop.items


def test_damaged_staged_files_are_not_used(laptop: Laptop) -> None:
    cut(laptop, put(b"a", SOME[b"a"]) + put(b"d/b", SOME[b"d/b"]))
    staged = laptop.tree / ".provision/staging/t"
    (staged / "a").write_text("FIRST")
    (staged / "d/b").unlink()
    (staged / "unlisted").touch()
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(use(b"a", 1) + use(b"d/b", 1) + end(manifest(SOME)))
        error = receiver.until(b"E").value
        assert error["kind"] == "damaged"
        assert "2 files" in error["message"]

    laptop.sync()

    assert on_disk(laptop.tree) == SOME


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_and_leaves_what_was_received(laptop: Laptop, how: str) -> None:
    records = b"".join(put(b"f%d" % number, file(b"x")) for number in range(64))

    assert cut(laptop, records, how=how) == 0

    assert laptop.ask()["staged"] == 64


def test_a_killed_receiver_leaves_no_list_and_nothing_of_it_is_used(laptop: Laptop) -> None:
    records = b"".join(put(b"f%d" % number, file(b"x")) for number in range(64))

    assert cut(laptop, records, how="SIGKILL") == -signal.SIGKILL

    assert laptop.ask()["staged"] == 0
    laptop.sync()
    assert on_disk(laptop.tree) == SOME


def test_a_client_that_quits_or_leaves_ends_it(laptop: Laptop) -> None:
    for last in (b"Q", b""):
        with laptop.start() as receiver:
            receiver.until(b"A")
            if last:
                receiver.send(last)
            else:
                receiver.finish()
            assert receiver.ended() == 0
    assert laptop.ask()["id"] == ""


@pytest.mark.parametrize("python", [with_the_module, without_modules])
def test_a_silent_client_does_not_hold_the_tree(laptop: Laptop, python: object) -> None:
    assert callable(python)
    laptop.options = {"python": python()}
    for begun in (False, True):
        with laptop.start(silence=0.3) as receiver:
            receiver.until(b"A")
            if begun:
                receiver.send(b"J", b'{"codec":"zstd"}')
            assert receiver.ended() == 0


def test_a_heartbeat_keeps_it_waiting(laptop: Laptop) -> None:
    with laptop.start(silence=1) as receiver:
        receiver.until(b"A")
        for _ in range(6):
            receiver.send(b"H")
            with pytest.raises(subprocess.TimeoutExpired):
                receiver.ended(0.3)


def test_progress_is_told_while_it_comes(laptop: Laptop) -> None:
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(b"".join(put(b"f%d" % number, file(b"x" * 1000)) for number in range(200)))

        assert receiver.message().value["phase"] == "receiving"


BAD_PATHS = [
    b"/etc/x", b"../x", b"a/../../x", b"", b"a//b", b"a/", b"./a", b"a\0b", b".provision/owner.json", b".provision",
    b"a/.", b"n" * 256, b"/".join([b"d" * 250] * 17),
]  # fmt: skip


RECORDS = [b"F", b"L", b"B", b"K", b"M", b"D", b"U", b"source"]
EVERY = list(itertools.product(BAD_PATHS, RECORDS))
# Reduced: each path in one kind of record, and one path in each kind.
PAIRS = (
    EVERY
    if os.environ.get("PROVISION_SOAK")
    else list(dict.fromkeys([*zip(BAD_PATHS, itertools.cycle(RECORDS)), *((BAD_PATHS[1], one) for one in RECORDS)]))
)


@pytest.mark.parametrize(("path", "record"), PAIRS)
def test_a_path_that_leaves_the_tree_is_refused(laptop: Laptop, path: bytes, record: bytes) -> None:
    laptop.sync()
    whole = struct.pack(">Q", 1) + hashlib.sha256(b"x").digest()
    records = {
        b"F": put(path, file("x")),
        b"L": put(path, link("x")),
        b"B": b"B\x01" + short(path) + whole + struct.pack(">Q", 0) + b"x",
        b"K": b"K\x01" + short(path) + short(b"a") + struct.pack(">Q", 5) + hashlib.sha256(b"first").digest(),
        b"M": b"M\x02" + short(path),
        b"D": delete(path),
        b"U": use(path, 1),
        b"source": b"K\x01" + short(b"n") + short(path) + whole,
    }
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(records[record] + end(manifest(SOME)))

        assert receiver.until(b"E").value["kind"] == "protocol"
    assert on_disk(laptop.tree) == SOME
    assert own_names(laptop.tree) <= {"partial"}


LIES = {
    "a file through a link": put(b"x", link("/tmp")) + put(b"x/y", file("1")),
    "a link and a file of one name": put(b"x", link("/tmp")) + put(b"x", file("1")),
    "a folder and a file of one name": put(b"x/y", file("1")) + put(b"x", file("1")),
    "a file of more than can come in one piece": b"F\x01" + short(b"x") + b"\xff\xff\xff\xff",
    "a kind that is none": b"F\x09" + short(b"x") + b"\0\0\0\0",
    "a record that is none": b"?",
    "an unknown path to delete": delete(b"never"),
    "a link to nowhere": b"L" + short(b"x") + short(b""),
    "a file below a file of the tree": put(b"a/x", file("1")) + end(manifest({**SOME, b"a/x": file("1")})),
    "deleted and sent": delete(b"a") + put(b"a", file("1")) + end(manifest({**SOME, b"a": file("1")})),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_delta_that_is_none_is_refused(laptop: Laptop, lie: str) -> None:
    laptop.sync()
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(LIES[lie])

        assert receiver.until(b"E").value["kind"] == "protocol"
        assert receiver.ended() == 0
    assert on_disk(laptop.tree) == SOME


@pytest.mark.parametrize(
    "records",
    [
        put(b"a", file("other")) + end(manifest(SOME)),
        b"B\x01" + short(b"x") + struct.pack(">Q32sQ", 3, b"\1" * 32, 0) + b"abc",
        b"K\x01" + short(b"x") + short(b"a") + struct.pack(">Q", 5) + hashlib.sha256(b"FIRST").digest(),
        b"K\x01" + short(b"x") + short(b"none") + struct.pack(">Q", 5) + hashlib.sha256(b"first").digest(),
    ],
)
def test_content_that_is_not_what_was_announced_leaves_the_tree(laptop: Laptop, records: bytes) -> None:
    laptop.sync()
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.stream(records)

        assert receiver.until(b"E").value["kind"] == "changed"
    assert on_disk(laptop.tree) == SOME
    laptop.items[b"a"] = file("other")
    laptop.sync()
    assert on_disk(laptop.tree) == laptop.items


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("python", [with_the_module, without_modules])
def test_a_broken_coded_stream_is_refused(laptop: Laptop, codec: str, python: object) -> None:
    assert callable(python)
    laptop.options = {"python": python()}
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.send(b"J", json.dumps({"codec": codec}).encode())
        receiver.send(b"D", b"this was never coded " * 10)
        receiver.send(b"D")
        receiver.finish()

        assert receiver.until(b"E").value["kind"] == "protocol"


@pytest.mark.parametrize("python", [with_the_module, without_modules])
def test_a_small_stream_that_decodes_to_very_much_takes_little_memory(laptop: Laptop, python: object) -> None:
    assert callable(python)
    if not shutil.which("zstd"):
        pytest.skip("there is no program zstd here")
    head = b"B\x01" + short(b"x") + struct.pack(">Q32sQ", 400 << 20, b"\1" * 32, 0)
    bomb = head + bytes(400 << 20)
    laptop.options = {"python": python(), "wrap": ["sh", "-c", 'ulimit -v 400000; exec "$@"', "sh"]}
    stream = subprocess.run(["zstd", "-1cq"], input=bomb, stdout=subprocess.PIPE, check=True).stdout
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.send(b"J", b'{"codec":"zstd"}')
        for at in range(0, len(stream), 1 << 18):
            receiver.send(b"D", stream[at : at + (1 << 18)])
        receiver.finish()

        assert receiver.until(b"E").value["kind"] == "changed"


def test_a_block_that_is_too_long_is_refused(laptop: Laptop) -> None:
    with laptop.start() as receiver:
        receiver.until(b"A")
        assert receiver.process.stdin is not None
        receiver.process.stdin.write(b"D\xff\xff\xff\xff")

        assert receiver.until(b"E").value["kind"] == "protocol"


@pytest.mark.parametrize("request_text", ["", "[]", "{}", '{"protocol":2}', '{"protocol":1,"tree":3}'])
def test_a_request_that_is_none_is_answered(request_text: str, tmp_path: Path) -> None:
    receiver = Receiver({}, wrap=["sh", "-c", f'cd {tmp_path}; exec "$1" -I -B -c "$5" \'{request_text}\'', "sh"])
    with receiver:
        assert receiver.until(b"E").value["message"]
        assert receiver.ended() in (0, 1)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_shell_part_finds_a_python_and_starts_the_receiver(laptop: Laptop, shell: str) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"there is no {shell} here")
    laptop.options = {"through": found, "env": {"HOME": "/nonexistent"}}
    if shell == "busybox":
        laptop.options["wrap"] = ["sh", "-c", 'shift; exec busybox sh "$@"', "sh"]

    assert laptop.sync()["placed"] == len(SOME)
    assert laptop.ask()["changed"] == {}
    assert on_disk(laptop.tree) == SOME


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_host_without_python_says_so(laptop: Laptop, shell: str) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"there is no {shell} here")
    laptop.options = {"through": found, "env": {"HOME": "/nonexistent", "PATH": "/nonexistent"}}
    if os.path.exists("/usr/libexec/platform-python"):  # noqa: PTH110 - a path of the system
        pytest.skip("there is a Python outside of the PATH")

    error = laptop.ask()

    assert error["kind"] == "python"
    assert "3.6" in error["message"]


def test_an_old_python_does_it_all(laptop: Laptop) -> None:
    found = [str(one) for one in Path.home().glob(".pyenv/versions/3.[678].*/bin/python3")]
    found += filter(None, map(shutil.which, ("python3.6", "python3.7", "python3.8")))
    works = [
        one for one in found if not subprocess.run([one, "-c", ""], check=False, stderr=subprocess.DEVNULL).returncode
    ]
    if not works:
        pytest.skip("there is no old Python here")
    laptop.options = {"python": min(works)}
    laptop.codec = "gzip"
    laptop.sync()
    (laptop.tree / "a").write_text("FIRST")
    laptop.items = {b"a": file("new"), os.fsencode("\udcff"): file("odd"), b"d": link("a")}

    assert laptop.ask()["changed"] == {"a": "content"}
    assert len(laptop.sync()["kept"]) == 1
    assert on_disk(laptop.tree) == laptop.items


def test_the_nonce_is_out_of_the_environment_of_what_it_starts(laptop: Laptop) -> None:
    prologue = (
        "import atexit, os, sys\natexit.register(lambda: sys.stderr.write(os.environ.get('PROVISION_NONCE', 'none')))\n"
    )
    laptop.options = {"prologue": prologue}
    with laptop.start() as receiver:
        receiver.until(b"A")
        receiver.finish()
        said = receiver.errors()

    assert said == "none"
    assert NONCE not in said


def test_coded_streams_of_these_tests_are_what_they_say() -> None:
    if not shutil.which("zstd"):
        pytest.skip("there is no program zstd here")
    out = subprocess.run(["zstd", "-dcq"], input=coded("raw", NOISE), stdout=subprocess.PIPE, check=True).stdout
    assert out == NOISE
    assert issubclass(EndedError, Exception)
