"""The scripts that write: by rename, with their modes whatever the umask, under awkward names, and all or nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from provision.model.plan import Program
from provision.remote import catalogue
from tests.scripts.shells import mode, names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scripts.shells import HostOfOneShell

AWKWARD = ["plain", "with space", "it's", "$HOME `id`", "-rf", "new\nline", "*", "中文 é", "back\\slash", '"quoted"']
BYTES = bytes(range(256)) * 40 + b"no newline"
FULL = "echo 'No space left on device' >&2; exit 1"


# -- write_file.sh -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AWKWARD)
def test_a_file_is_written_byte_for_byte_under_any_name(host: HostOfOneShell, name: str) -> None:
    path = host.home / "deep" / name / name
    assert host.run(catalogue.write_file(str(path), "0644", BYTES)).code == 0
    assert path.read_bytes() == BYTES
    assert names(path.parent) == {name}


@pytest.mark.parametrize("wanted", ["0600", "0644", "0755", "0400", "0000"])
def test_a_file_has_its_mode_and_new_folders_are_the_users_alone(host: HostOfOneShell, wanted: str) -> None:
    path = host.home / "new" / "file"
    assert host.run(catalogue.write_file(str(path), wanted, b"x")).code == 0
    assert mode(path) == int(wanted, 8)
    assert mode(path.parent) == 0o700


def test_a_file_is_replaced_whole_and_an_earlier_attempt_is_swept_away(host: HostOfOneShell) -> None:
    path = host.home / "file"
    path.write_text("before, and longer than what follows")
    (host.home / "file.provision-new").symlink_to("/dev/full")
    assert host.run(catalogue.write_file(str(path), "0644", b"")).code == 0
    assert path.read_bytes() == b""
    assert names(host.home) == {"file"}


def test_a_full_disk_leaves_the_file_as_it_was(host: HostOfOneShell) -> None:
    path = host.home / "file"
    path.write_text("before")
    host.stand_in("cat", FULL)
    assert host.run(catalogue.write_file(str(path), "0644", b"after")).code == 73
    assert path.read_text() == "before"


def test_a_file_in_the_place_of_its_folder_is_told(host: HostOfOneShell) -> None:
    (host.home / "file").write_text("mine")
    ended = host.run(catalogue.write_file(str(host.home / "file" / "below"), "0644", b"x"))
    assert ended.code == 73
    assert ended.err
    assert (host.home / "file").read_text() == "mine"


# -- write_record.sh ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [one for one in AWKWARD if one != "*"])
def test_a_record_is_written_by_rename_for_the_user_alone(host: HostOfOneShell, name: str) -> None:
    text = '{"format":1,"text":"it\'s $HOME \\\\n %s"}'
    for _ in range(2):
        assert host.run(catalogue.write_record(str(host.state), "machine", name, text)).code == 0
    folder = host.state / "record" / "machine"
    assert (folder / f"{name}.json").read_text() == f"{text}\n"
    assert names(folder) == {f"{name}.json"}
    assert (mode(folder / f"{name}.json"), mode(folder), mode(host.state)) == (0o600, 0o700, 0o700)


def test_a_record_that_cannot_be_written_is_told(host: HostOfOneShell) -> None:
    host.state.write_text("a file is in its place")
    assert host.run(catalogue.write_record(str(host.state), "m", "r", "{}")).code == 73


def test_a_record_whose_rename_fails_leaves_the_former_one(host: HostOfOneShell) -> None:
    host.run(catalogue.write_record(str(host.state), "m", "r", "before"))
    host.stand_in("mv", FULL)
    assert host.run(catalogue.write_record(str(host.state), "m", "r", "after")).code != 0
    assert (host.state / "record/m/r.json").read_text() == "before\n"


# -- receive.sh --------------------------------------------------------------------------------------

SHA = hashlib.sha256(BYTES).hexdigest()


def receive(host: HostOfOneShell, sent: bytes, sha256: str = SHA, size: int = len(BYTES)) -> tuple[int, bytes]:
    ended = host.run(catalogue.receive(str(host.state), sha256, size), sent)
    return ended.code, ended.err


def test_a_file_that_arrives_whole_is_kept_under_its_checksum(host: HostOfOneShell) -> None:
    assert receive(host, BYTES) == (0, b"")
    cache = host.state / "cache"
    assert (cache / SHA).read_bytes() == BYTES
    assert names(cache) == {SHA}
    assert (mode(cache / SHA), mode(cache)) == (0o600, 0o700)


@pytest.mark.parametrize("sent", [b"", BYTES[:-1], b"X" + BYTES[1:]], ids=["nothing", "short", "damaged"])
def test_a_file_that_arrives_damaged_is_not_kept(host: HostOfOneShell, sent: bytes) -> None:
    code, said = receive(host, sent)
    assert code == 65
    assert SHA.encode() in said
    assert names(host.state / "cache") == set()


def test_what_an_earlier_transfer_left_is_swept_away_and_whole_files_stay(host: HostOfOneShell) -> None:
    cache = host.state / "cache"
    cache.mkdir(parents=True)
    (cache / "old.part").write_text("half")
    (cache / ("0" * 64)).write_text("whole")
    assert receive(host, BYTES)[0] == 0
    assert names(cache) == {SHA, "0" * 64}


def test_a_full_disk_leaves_nothing_in_the_cache(host: HostOfOneShell) -> None:
    host.stand_in("mv", FULL)
    assert receive(host, BYTES)[0] == 73
    assert not (host.state / "cache" / SHA).exists()


# -- switch_environment.sh and reject_generation.sh ---------------------------------------------------


def environment(host: HostOfOneShell, *generations: str) -> Path:
    base = host.state / "envs" / "my project" / "mymodel"
    for one in generations:
        (base / one).mkdir(parents=True)
        (base / one / ".provision-generation.json").write_text("{}\n")
    return base


def switch(host: HostOfOneShell, base: Path, generation: str, link: Path | None) -> tuple[int, bytes]:
    ended = host.run(catalogue.switch_environment(str(base), generation, str(link) if link else ""))
    return ended.code, ended.err


def test_a_generation_becomes_current_and_the_link_leads_to_it(host: HostOfOneShell) -> None:
    base = environment(host, "1-aaaa", "2-bbbb")
    link = host.home / ".conda" / "envs" / "mymodel"
    for one in ("1-aaaa", "2-bbbb", "2-bbbb", "1-aaaa"):
        assert switch(host, base, one, link) == (0, b"")
        assert (base / "current").readlink().name == one
        assert link.resolve() == (base / one).resolve()
    assert names(base) == {"1-aaaa", "2-bbbb", "current"}
    assert names(link.parent) == {"mymodel"}


@pytest.mark.parametrize("generation", ["2-bbbb", "9-gone"])
def test_a_generation_that_is_not_complete_never_becomes_current(host: HostOfOneShell, generation: str) -> None:
    base = environment(host, "1-aaaa")
    (base / "2-bbbb").mkdir()
    switch(host, base, "1-aaaa", None)
    code, said = switch(host, base, generation, None)
    assert code == 1
    assert b"is not complete" in said
    assert (base / "current").readlink().name == "1-aaaa"


def test_a_folder_of_the_users_in_the_links_place_is_left_alone(host: HostOfOneShell) -> None:
    base = environment(host, "1-aaaa")
    link = host.home / ".conda" / "envs" / "mymodel"
    (link / "bin").mkdir(parents=True)
    code, said = switch(host, base, "1-aaaa", link)
    assert code == 1
    assert b"not a link of ours" in said
    assert names(link) == {"bin"}


def test_a_dangling_link_and_what_a_kill_left_are_replaced(host: HostOfOneShell) -> None:
    base = environment(host, "1-aaaa")
    link = host.home / ".conda" / "envs" / "mymodel"
    link.parent.mkdir(parents=True)
    link.symlink_to("/gone")
    (base / "current").symlink_to("9-gone")
    (base / "current.new").symlink_to("8-gone")
    (link.parent / "mymodel.new").mkdir()
    assert switch(host, base, "1-aaaa", link) == (0, b"")
    assert link.resolve() == (base / "1-aaaa").resolve()
    assert names(base) == {"1-aaaa", "current"}


def test_a_rejected_generation_says_why(host: HostOfOneShell) -> None:
    base = environment(host, "1-aaaa")
    reason = "it's not what was asked for: 50% $HOME"
    assert host.run(catalogue.reject_generation(str(base / "1-aaaa"), reason)).code == 0
    assert (base / "1-aaaa" / ".provision-rejected").read_text() == f"{reason}\n"
    assert host.run(catalogue.reject_generation(str(base / "none"), reason)).code != 0


def test_a_script_gets_nothing_of_the_data_of_another(host: HostOfOneShell) -> None:
    # A program without data runs its children with /dev/null: nothing that follows on stdin may reach them.
    ended = host.run(Program("exec.sh", ("cat",)), b"not for you")
    assert (ended.code, ended.out) == (0, b"")
