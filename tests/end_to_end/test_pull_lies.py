"""A host whose Python is a liar: nothing outside of DEST, bounded memory, and no escape of its on the terminal."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

MOST_KIB = 300 << 10

LIAR = r"""#!/usr/bin/env python3
import hashlib, json, os, struct, sys
if "-S" in sys.argv:
    sys.exit(0)
out = sys.stdout.buffer
def say(kind, payload):
    out.write(kind + struct.pack(">I", len(payload)) + payload)
def entry(path, kind=1, size=0, target=b""):
    return struct.pack(">BQqHH", kind, size, 1, len(path), len(target)) + path + target
def listing(*entries):
    say(b"N", b"".join(entries))
    say(b"Z", json.dumps({"entries": len(entries)}).encode())
def file(number, data):
    say(b"D", struct.pack(">IQB", number, 0, 0) + data)
    say(b"F", struct.pack(">IBQ32s", number, 0, len(data), hashlib.sha256(data).digest()))
out.write(b"\n" + os.environ["PROVISION_NONCE"].encode() + b" begin\n")
say(b"A", b'{"protocol": 1}')
"""

LIES = {
    "above": 'listing(entry(b"../evil", 1, 4)); file(0, b"evil")',
    "absolute": 'listing(entry(b"/tmp/provision-evil", 1, 4)); file(0, b"evil")',
    "below a link": 'listing(entry(b"d", 4), entry(b"d/l", 3, 0, b".."), entry(b"d/l/evil", 1, 4)); file(2, b"evil")',
    "another file": 'listing(entry(b".bashrc", 1, 4)); file(0, b"evil")',
    "swapped": 'listing(entry(b"d", 3, 0, b"/tmp"), entry(b"d", 4), entry(b"d/evil", 1, 4)); file(2, b"evil")',
    "endless": """
number = 0
say(b"N", entry(b"d", 4))
while True:
    name = "\\u0390" * 60
    say(b"N", b"".join(entry(("d/%s%d" % (name, number + one)).encode()) for one in range(1000)))
    number += 1000
""",
    "long paths": """
say(b"N", entry(b"d", 4))
path, number = b"d", 0
while len(path) < 3500:
    path += b"/" + b"\\xff" * 250
    say(b"N", entry(path, 4))
while True:
    say(b"N", b"".join(entry(path + b"/%d" % (number + one)) for one in range(50)))
    number += 50
""",
    "huge message": r'out.write(b"N\xff\xff\xff\xff" + bytes(1 << 20))',
    "endless content": r"""
listing(entry(b"d", 1, 1 << 40))
""",
    "error": r"""say(b"E", json.dumps({"kind": "\x1b[2J", "message": "\x1b]0;owned\x07\r\x9b2J" * 90}).encode())""",
    "names": r"""listing(entry(b"d", 4), entry(b"d/\x1b]0;owned\x07\r\n\xc2\x9b2J", 6, 0, b"\x1b[2J\xc2\x9b2J"))""",
}


MEASURE = """\
import os, sys
process = os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(process, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A process counts as large as the one that it was forked from, so a small one stands in between."""


def lying(box: LabHost, lie: str) -> None:
    """Put a Python on the host that a pull finds before any other."""
    box.run(
        "mkdir -p ~/miniconda3/bin ~/miniconda3/lib/python3.9/site-packages/zstandard && "
        "cat >~/miniconda3/bin/python && chmod 755 ~/miniconda3/bin/python",
        user=box.user,
        check=True,
        stdin=f"{LIAR}{lie}\nout.flush()\nsys.stdin.buffer.read()\n",
    )


def typed(laptop: Laptop, *words: str) -> tuple[int, bytes, bytes, int]:
    """Type it, and return the exit code, both outputs, and the largest memory that it had, in KiB."""
    outputs = [laptop.home / "stdout", laptop.home / "stderr"]
    measured = laptop.home.parent / "measured"
    with outputs[0].open("wb") as out, outputs[1].open("wb") as err:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(measured), sys.executable, "-m", "provision", *words],
            cwd=laptop.project,
            env=laptop.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            check=False,
        )
    return done.returncode, outputs[0].read_bytes(), outputs[1].read_bytes(), int(measured.read_text())


def below(folder: Path) -> set[str]:
    """Return what is there, but for what is the run's own."""
    return {
        one.relative_to(folder).as_posix()
        for one in folder.rglob("*")
        if not one.is_dir() and not one.is_relative_to(folder / ".local") and one.name not in {"stdout", "stderr"}
    }


@pytest.mark.parametrize("lie", LIES)
def test_a_liar_gets_nothing_written_and_says_nothing_raw(lab: Lab, laptop: Laptop, lie: str) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    lying(box, LIES[lie])
    (laptop.project / "dest").mkdir()
    before = below(laptop.home)
    for words in ((), ("--json",)):
        code, out, err, memory = typed(laptop, "pull", "box:d", "dest", *words)
        assert code == 4, (code, out, err)
        assert b"Traceback" not in err
        assert err.count(b"\n") < 12
        assert memory < MOST_KIB
        # ESC, BEL, CR, and CSI as it is written in UTF-8.
        for raw in (b"\x1b", b"\x07", b"\r", b"\xc2\x9b"):
            assert raw not in out + err
    assert {one for one in below(laptop.home) - before if "known_hosts" not in one} == set()
