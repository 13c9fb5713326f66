"""The list that a build keeps of its own packages, and what a host says of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.drift import Held, held
from provision.environment.drift_baseline import Build, baseline, parse_build
from tests.unit.environment.drift_made import BUILT, printed


def kept(text: str) -> bytes:
    return f"kept|{text}\n".encode()


def test_what_a_build_kept_is_what_it_had() -> None:
    build = parse_build(b"kept|" + baseline(printed(BUILT)))
    assert build.packages == held(BUILT)


def test_the_list_is_one_line_and_small() -> None:
    text = baseline(printed(BUILT))
    assert text.count(b"\n") == 1
    assert len(text) < 400


def test_a_build_that_kept_nothing_has_no_list_which_is_not_an_empty_one() -> None:
    assert parse_build(b"").packages is None
    assert parse_build(kept('{"format":1,"packages":[]}')).packages == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '{"format":2,"packages":[]}',
        '{"format":1}',
        '{"format":1,"packages":7}',
        '{"format":1,"packages":[["conda","a","1","0",""]]}',
        '{"format":1,"packages":[["conda","a","1","0","",3]]}',
        '{"format":1,"packages":["abcdef"]}',
        '{"format":1,"packages":[null]}',
        "[" * 5000,
    ],
)
def test_a_list_that_cannot_be_read_is_none(text: str) -> None:
    assert parse_build(kept(text)).packages is None


def test_a_list_that_is_longer_than_any_environment_is_none() -> None:
    packages = [["pip", f"p{number}", "1", "", "", ""] for number in range(20_001)]
    assert parse_build(kept(json.dumps({"format": 1, "packages": packages}))).packages is None


@pytest.mark.parametrize(
    ("path", "one"),
    [
        ("lib/python3.11/site-packages/flash_attn-2.6.3.dist-info", Held("pip", "flash-attn", "2.6.3")),
        ("lib/python3.11/site-packages/Flask-3.0.dist-info", Held("pip", "flask", "3.0")),
        ("lib/python3.11/site-packages/zope.event-5.0.dist-info", Held("pip", "zope-event", "5.0")),
        ("lib/python3.11/site-packages/old-1.0-py3.11.egg-info", Held("pip", "old", "1.0")),
        ("conda-meta/nvidia-ml-py-12.560.30-pyhd8ed1ab_0.json", Held("conda", "nvidia-ml-py", "12.560.30")),
        ("lib/python3.11/site-packages/torch-2.4.0+cu124.dist-info", Held("pip", "torch", "2.4.0+cu124")),
    ],
)
def test_when_a_package_came_is_known_by_the_name_of_its_record(path: str, one: Held) -> None:
    build = parse_build(f"since|1750000000|{path}\n".encode())
    assert build.since_of(one) == 1_750_000_000
    assert build.since_of(Held(one.by, one.name, "0.0.0")) is None


@pytest.mark.parametrize("at", ["", "-5", "soon", "1e9", "9" * 14, "0" * 15 + "9" * 5000, "٣"])
def test_a_time_that_no_clock_shows_is_unknown(at: str) -> None:
    assert parse_build(f"since|{at}|conda-meta/a-1-0.json\n".encode()) == Build(None)


@given(st.binary(max_size=300), st.sampled_from([b"", b"kept|", b"since|", b"since|17|"]))
def test_whatever_a_host_says_is_read(noise: bytes, head: bytes) -> None:
    build = parse_build(head + noise)
    assert all(isinstance(name, str) and at >= 0 for name, at in build.since)
