"""conda's order of versions, by the documented list and against rattler."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from provision.environment.version import Version

rattler = pytest.importorskip("rattler")

# The ascending list of conda's VersionOrder documentation; equal ones stand together.
ASCENDING = [
    ["0.4", "0.4.0"],
    ["0.4.1.rc", "0.4.1.RC"],
    ["0.4.1"],
    ["0.5a1"],
    ["0.5b3"],
    ["0.5C1"],
    ["0.5"],
    ["0.9.6"],
    ["0.960923"],
    ["1.0"],
    ["1.1dev1"],
    ["1.1_"],
    ["1.1a1"],
    ["1.1.0dev1", "1.1.dev1"],
    ["1.1.a1"],
    ["1.1.0rc1"],
    ["1.1.0", "1.1"],
    ["1.1.0post1", "1.1.post1"],
    ["1.1post1"],
    ["1996.07.12"],
    ["1!0.4.1"],
    ["1!3.1.1.6"],
    ["2!0.4.1"],
]

parts = st.sampled_from(
    [
        "0",
        "1",
        "2",
        "10",
        "007",
        "a",
        "b1",
        "rc2",
        "0a1",
        "1b",
        "dev",
        "post",
        "1post1",
        "dev3",
        "1rc",
        "2024",
    ]
)
separators = st.sampled_from([".", "_", "-"])


@st.composite
def versions(draw: st.DrawFn) -> str:
    count = draw(st.integers(1, 4))
    text = draw(parts)
    for _ in range(count - 1):
        text += draw(separators) + draw(parts)
    return (
        draw(st.sampled_from(["", "", "", "1!", "0!"]))
        + text
        + draw(st.sampled_from(["", "", "", "_"]))
        + draw(st.sampled_from(["", "", "", "+cu121", "+1.2"]))
    )


def components(text: str) -> list[str]:
    return re.split(r"[._-]", text.partition("!")[2] or text)


def both(text: str) -> tuple[Version, object]:
    try:
        mine = Version.parse(text)
    except ValueError:
        assume(False)
        raise
    return mine, rattler.Version(text)


@pytest.mark.parametrize(("lower", "higher"), list(pairwise(ASCENDING)))
def test_the_documented_order_holds(lower: list[str], higher: list[str]) -> None:
    for small in map(Version.parse, lower):
        for large in map(Version.parse, higher):
            assert small < large
            assert large > small
            assert small != large


@pytest.mark.parametrize("equal", ASCENDING)
def test_documented_equals_are_equal_and_hash_alike(equal: list[str]) -> None:
    assert len({Version.parse(text) for text in equal}) == 1


@given(versions(), versions())
def test_two_versions_compare_as_rattler_compares_them(left: str, right: str) -> None:
    # Documented exception: conda reads a last `_` after letters as one of them, rattler as a part of its own.
    assume(not any(re.search(r"[a-z]_(\+|$)", text) for text in (left, right)))
    one, their_one = both(left)
    other, their_other = both(right)
    assert (one < other, one == other) == (their_one < their_other, their_one == their_other)  # type: ignore[operator]
    if one == other:
        assert hash(one) == hash(other)


@given(versions(), versions())
def test_below_a_prefix_means_what_rattler_means(text: str, prefix: str) -> None:
    # Documented exceptions: conda lets `=1.0a` match 1.0ab, rattler wants the same letters; rattler overlooks
    # letters before the last component of a prefix: 1.2rc1 is below 1.2.0 for it, and not for conda.
    assume(prefix[-1].isdigit() and "+" not in prefix)
    before = components(text)[: len(components(prefix)) - 1]
    assume(all(part.isdigit() for part in before) and not text.partition("+")[0].endswith("_"))
    one, theirs = both(text)
    other, their_prefix = both(prefix)
    assert one.starts_with(other) == theirs.starts_with(their_prefix)  # type: ignore[attr-defined]


@given(versions())
def test_every_version_is_below_itself_and_its_longer_forms(text: str) -> None:
    version, _ = both(text)
    assert version.starts_with(version)
    if "+" not in text and not text.endswith("_"):
        assert Version.parse(f"{text}.1").starts_with(version)


@pytest.mark.parametrize(
    "text",
    ["", " ", "1..2", ".1", "1.", "1-2_3", "a!1", "1!2!3", "1+", "1+a+b", "1 2", "1.*", "é", "1" * 300],
)
def test_what_is_no_version_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Version.parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "bound", "holds"),
    [
        ("1.4.5", "1.4.2", True),
        ("1.4.1", "1.4.2", False),
        ("1.5", "1.4.2", False),
        ("2.9", "2.1", True),
        ("3", "2.1", False),
    ],
)
def test_a_compatible_release_stays_in_its_series(version: str, bound: str, holds: bool) -> None:
    assert Version.parse(version).compatible_with(Version.parse(bound)) is holds
