from __future__ import annotations

import hashlib

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from provision.sync.delta import COPY, between, room
from provision.sync.manifest import EMPTY, EXECUTABLE, FILE, LINK, Entry, Manifest
from tests.unit.sync.trees import manifests, records


def entry(content: bytes, kind: int = FILE, size: int | None = None) -> Entry:
    return Entry(kind, len(content) if size is None else size, hashlib.sha256(content).digest())


@st.composite
def situations(draw: st.DrawFn) -> tuple[Manifest, dict[bytes, str], Manifest, Manifest]:
    host, target, staged = draw(manifests), draw(manifests), draw(manifests)
    if draw(st.booleans()):
        target = Manifest.of({**target.entries, **dict(list(host.entries.items())[:4])})
    changed = draw(st.dictionaries(st.sampled_from(sorted(host.entries)), CHANGES)) if host.entries else {}
    return host, changed, target, staged


CHANGES = st.sampled_from(["content", "missing", "mode", "type"])


@given(situations())
def test_what_a_host_has_and_the_delta_make_the_tree_that_is_meant(
    situation: tuple[Manifest, dict[bytes, str], Manifest, Manifest],
) -> None:
    host, changed, target, staged = situation
    delta = between(host, changed, target, staged)
    right = {path: one for path, one in host.entries.items() if path not in changed}
    content_there = {path: one for path, one in host.entries.items() if changed.get(path) in (None, "mode")}
    result = dict(right)
    for what, *rest in records(delta.records(target)):
        event(what.decode())
        if what == b"D":
            assert rest[0] in host.entries
            result.pop(rest[0], None)
        elif what == b"M":
            kind, path = rest
            assert content_there[path].kind != LINK
            result[path] = Entry(kind[0], *content_there[path][1:])
        elif what == b"U":
            kind, path = rest
            assert staged.entries[path].kind == kind[0]
            result[path] = staged.entries[path]
        else:
            assert what == b"K"
            kind, path, source, size, digest = rest
            there = content_there[source]
            assert (there.size, there.sha256) == (int.from_bytes(size, "big"), digest)
            assert there.size >= COPY
            result[path] = Entry(kind[0], there.size, there.sha256)
    for path in delta.send:
        result[path] = target.entries[path]
    assert result == target.entries


@given(manifests)
def test_nothing_is_to_be_done_where_nothing_differs(tree: Manifest) -> None:
    assert between(tree, {}, tree).empty
    assert not between(tree, dict.fromkeys(list(tree.entries)[:1], "missing"), tree).empty or not tree.entries


def test_content_that_the_host_has_is_copied_there_when_it_is_large_and_sent_when_it_is_small() -> None:
    large, small = entry(b"model", size=COPY), entry(b"x")
    host = Manifest.of({b"old/model": large, b"old/x": small})
    target = Manifest.of({b"new/model": large, b"new/x": small})
    delta = between(host, {}, target)
    assert delta.copied == ((b"new/model", b"old/model"),)
    assert delta.send == (b"new/x",)
    assert delta.removed == (b"old/model", b"old/x")


def test_content_is_not_copied_from_a_file_that_somebody_changed_there() -> None:
    large = entry(b"model", size=COPY)
    delta = between(Manifest.of({b"old": large}), {b"old": "content"}, Manifest.of({b"new": large}))
    assert delta.copied == ()
    assert delta.send == (b"new",)
    assert delta.kept == (b"old",)


def test_a_mode_alone_sends_no_content_and_a_link_is_never_given_a_mode() -> None:
    host = Manifest.of({b"run.sh": entry(b"x"), b"link": entry(b"x", LINK)})
    target = Manifest.of({b"run.sh": entry(b"x", EXECUTABLE), b"link": entry(b"x")})
    delta = between(host, {}, target)
    assert delta.modes == (b"run.sh",)
    assert delta.send == (b"link",)


def test_the_plan_names_what_was_changed_and_what_was_removed_on_the_host() -> None:
    tree = Manifest.of({b"a": entry(b"a"), b"b": entry(b"b"), b"\xff": entry(b"c")})
    delta = between(tree, {b"a": "content", b"b": "missing"}, tree)
    plan = delta.plan("/home/me/work/p", 3, 2)
    assert (plan.sent, plan.kept, plan.missing) == (("a", "b"), ("a",), ("b",))
    assert between(tree, {}, EMPTY).plan("/t", 0, 0).removed == ("a", "b", "\udcff")


def test_a_change_of_what_the_host_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the host's"):
        between(EMPTY, {b"a": "content"}, EMPTY)


def test_room_is_counted_as_disks_give_it_out() -> None:
    assert room([0, 1, 4096, 4097]) == 4 * 4096
