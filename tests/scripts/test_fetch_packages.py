"""fetch_packages.py against web servers with the faults of real mirrors, under every Python of this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from provision.remote.sources import source
from tests.lab.webserver import Fault, WebServer
from tests.scripts.test_list_packages import pythons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPT = source("fetch_packages.py")
CONTENT = {f"noarch/standin-{number}-1.0-0.conda": os.urandom(300_000 + number) for number in range(5)}
FIRST = next(iter(CONTENT))
NOBODY = "http://127.0.0.1:9"


@dataclass
class Place:
    """A mirror, the original, and the folder of a host."""

    mirror: WebServer
    original: WebServer
    folder: Path

    def fetch(self, *servers: str, python: str = sys.executable, patience: float = 1.5) -> tuple[int, str]:
        roots = servers or (self.mirror.url, self.original.url)
        packages = [
            {
                "path": f"conda-forge/{path}",
                "sha256": hashlib.sha256(content).hexdigest(),
                "urls": [f"{root}/{path}" for root in roots],
            }
            for path, content in CONTENT.items()
        ]
        listed = self.folder.parent / "lock.json"
        listed.write_text(json.dumps({"packages": packages}))
        done = subprocess.run(
            [python, "-I", "-c", SCRIPT, str(listed), str(self.folder), str(self.explicit), str(patience)],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
            check=False,
        )
        return done.returncode, done.stdout

    @property
    def explicit(self) -> Path:
        return self.folder.parent / "explicit.txt"

    def has(self) -> dict[str, bytes]:
        return {
            str(one.relative_to(self.folder / "conda-forge")): one.read_bytes()
            for one in (self.folder / "conda-forge").rglob("*")
            if one.is_file()
        }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    served = tmp_path / "served"
    for path, content in CONTENT.items():
        (served / path).parent.mkdir(parents=True, exist_ok=True)
        (served / path).write_bytes(content)
    servers = WebServer(served, "127.0.0.1"), WebServer(served, "127.0.0.1")
    yield Place(*servers, tmp_path / "a folder with blanks")
    for one in servers:
        one.close()


@pytest.mark.parametrize("python", pythons())
def test_every_archive_is_there_and_conda_gets_its_addresses(place: Place, python: str) -> None:
    code, said = place.fetch(python=python)
    assert code == 0, said
    assert place.has() == CONTENT
    lines = place.explicit.read_text().splitlines()
    assert lines[0] == "@EXPLICIT"
    assert lines[1] == f"file://{place.folder}/conda-forge/{FIRST}".replace(" ", "%20")
    assert len(lines) == 1 + len(CONTENT)
    assert f"taken from {place.mirror.url}: 5 packages" in said
    assert not place.original.requests


def test_what_is_there_is_not_asked_for_again(place: Place) -> None:
    assert place.fetch()[0] == 0
    before = sum(place.mirror.requests.values())
    (place.folder / "conda-forge" / FIRST).write_bytes(b"damaged since")
    code, said = place.fetch()
    assert code == 0, said
    assert place.has() == CONTENT
    assert sum(place.mirror.requests.values()) == before + 1, "only the damaged one"


@pytest.mark.parametrize(
    ("fault", "said_of_it"),
    [
        pytest.param(Fault(status=403), "HTTP 403", id="refuses"),
        pytest.param(Fault(status=404), "HTTP 404", id="has it not"),
        pytest.param(Fault(status=503), "HTTP 503", id="is overloaded"),
        pytest.param(Fault(flip_at=1000), "other content", id="sends something else"),
        pytest.param(Fault(body=b"<html>please log in</html>"), "other content", id="login page"),
        pytest.param(Fault(truncate_at=1000), "ended after 1000 of", id="ends early"),
        pytest.param(Fault(stall_at=1000), "timed out", id="stalls"),
        pytest.param(Fault(drip=0.05), "hardly sends", id="drips"),
    ],
)
def test_a_bad_mirror_is_passed_over_and_named(place: Place, fault: Fault, said_of_it: str) -> None:
    for path in CONTENT:
        place.mirror.fault(f"/{path}", fault)
    code, said = place.fetch()
    assert code == 0, said
    assert place.has() == CONTENT
    (named,) = [line for line in said.splitlines() if line.startswith(f"not from {place.mirror.url}")]
    assert said_of_it in named
    assert f"taken from {place.original.url}: 5 packages" in said


def test_a_mirror_that_is_down_is_passed_over_and_named(place: Place) -> None:
    code, said = place.fetch(NOBODY, place.original.url)
    assert code == 0, said
    assert place.has() == CONTENT
    assert f"not from {NOBODY}: " in said


def test_a_mirror_that_lacks_one_archive_gives_all_the_others(place: Place) -> None:
    place.mirror.fault(f"/{FIRST}", Fault(status=404))
    code, said = place.fetch()
    assert code == 0, said
    assert sum(place.original.requests.values()) <= 2
    assert place.original.requests[f"/{FIRST}"] == 1


def test_what_arrived_is_taken_up_by_another_server(place: Place) -> None:
    place.mirror.fault(f"/{FIRST}", Fault(truncate_at=100_000))
    code, said = place.fetch()
    assert code == 0, said
    assert place.original.ranges == ["bytes=100000-"]
    assert place.has() == CONTENT


def test_a_passing_trouble_of_the_only_server_is_waited_for(place: Place) -> None:
    place.original.fault(f"/{FIRST}", Fault(status=503, times=2))
    code, said = place.fetch(place.original.url)
    assert code == 0, said
    assert place.original.requests[f"/{FIRST}"] == 3


def test_what_nobody_has_is_named_with_what_each_server_said(place: Place) -> None:
    place.mirror.fault(f"/{FIRST}", Fault(status=404))
    place.original.fault(f"/{FIRST}", Fault(flip_at=5))
    code, said = place.fetch()
    assert code == 14, said
    assert "1 of 5 packages could not be had" in said
    (line,) = [one for one in said.splitlines() if one.startswith("not had: ")]
    assert FIRST in line
    assert "HTTP 404" in line
    assert "other content" in line
    assert not place.explicit.exists()
    assert FIRST not in place.has()


def test_a_folder_that_cannot_be_written_is_told_at_once(place: Place) -> None:
    place.folder.write_text("a file")
    code, said = place.fetch()
    assert code == 73, said
    assert "cannot write" in said
