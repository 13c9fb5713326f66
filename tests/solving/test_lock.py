"""Environments are solved on this machine for hosts of another kind, by the real rattler and the real uv."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from provision.environment.spec import load_spec
from provision.errors import StepFailedError, UsageError
from provision.model.host import Mirror
from provision.solving.lock import machine_of, solve
from provision.solving.lock_files import find_locks, lock_path, texts
from provision.solving.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path

    from provision.demo.standin.channel import Channel
    from provision.environment.lock import Lock
    from provision.environment.spec import EnvironmentSpec


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def asked(folder: Path, *dependencies: object, channels: tuple[str, ...] = ("standin",)) -> EnvironmentSpec:
    path = folder / "environment.yml"
    path.write_text(json.dumps({"name": "m", "channels": list(channels), "dependencies": list(dependencies)}))
    return load_spec(path, "m", folder, allow_pip_options=True)


def solved(folder: Path, channel: Channel, spec: EnvironmentSpec, *, kept: Lock | None = None, **machine: Any) -> Lock:
    mirror = Mirror("here", channels=(("standin", channel.url),), pip=channel.simple.as_uri())
    return solve(
        spec,
        None,
        Machine(**{"platform": channel.subdir, **machine}),
        mirror=mirror,
        kept=kept,
        source=lock_path(folder / "environment.yml", channel.subdir, machine.get("cuda", "none")),
        tell=lambda _: None,
    )


def versions(lock: Lock) -> dict[str, str]:
    return {one.name: one.version for one in lock.conda} | {one.name: one.version for one in lock.pip}


def test_all_that_is_needed_is_locked_by_checksum_at_the_channel_s_own_address(
    tmp_path: Path, channel: Channel
) -> None:
    lock = solved(tmp_path, channel, asked(tmp_path, "python", "standin-beta=1"))
    assert versions(lock).keys() == {"python", "standin-alpha", "standin-beta"}
    assert versions(lock)["standin-alpha"] == "1.1"
    for one in lock.conda:
        archive = channel.path / one.subdir / one.file_name
        assert archive.is_file(), one
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == one.sha256
        assert one.channel == "https://conda.anaconda.org/standin", "a mirror is never written down"
    order = [one.name for one in lock.conda]
    assert order.index("python") < order.index("standin-alpha") < order.index("standin-beta")


def test_what_is_written_is_read_as_it_was(tmp_path: Path, channel: Channel) -> None:
    spec = asked(tmp_path, "python", "pip", {"pip": ["standin-plugin"]})
    lock = solved(tmp_path, channel, spec)
    for path, text in texts(tmp_path / "environment.yml", lock).items():
        assert text is not None
        path.write_text(text)
    (read,) = find_locks(tmp_path / "environment.yml")
    assert (read.conda, read.pip, read.content, read.asked) == (lock.conda, lock.pip, lock.content, lock.asked)
    assert machine_of(read) == Machine(channel.subdir)
    assert versions(read)["standin-wheel"] == "1.1", "what the plugin needs is locked too"
    assert all(one.url and one.hashes for one in read.pip)


def test_cuda_builds_are_chosen_for_a_driver_and_none_for_a_machine_without(tmp_path: Path, channel: Channel) -> None:
    spec = asked(tmp_path, "python", "pytorch")
    builds = {}
    for cuda in ("none", "12.4", "12.8"):
        lock = solved(tmp_path, channel, spec, cuda=cuda)
        torch = lock.find("pytorch")
        assert torch is not None
        builds[cuda] = torch.build
    assert builds == {"none": "cpu_standin_0", "12.4": "cuda124_standin_200", "12.8": "cuda128_standin_200"}


def test_what_fits_stays_where_something_else_changes(tmp_path: Path, channel: Channel) -> None:
    before = solved(tmp_path, channel, asked(tmp_path, "python", "standin-alpha=1.0"))
    relaxed = asked(tmp_path, "python", "standin-alpha", "standin-gamma")
    assert versions(solved(tmp_path, channel, relaxed, kept=before))["standin-alpha"] == "1.0"
    assert versions(solved(tmp_path, channel, relaxed))["standin-alpha"] == "1.1"


def test_what_conda_brings_is_not_installed_by_pip_again(tmp_path: Path, channel: Channel) -> None:
    spec = asked(tmp_path, "python", "pip", "numpy", {"pip": ["numpy", "standin-wheel"]})
    lock = solved(tmp_path, channel, spec)
    assert [one.name for one in lock.pip] == ["standin-wheel"]


def test_what_conda_brings_in_another_version_than_pip_s_line_wants_is_a_clash_that_is_told(
    tmp_path: Path, channel: Channel
) -> None:
    spec = asked(tmp_path, "python", "pip", {"pip": ["standin-clash"]})
    with pytest.raises(StepFailedError, match="no solution") as told:
        solved(tmp_path, channel, spec)
    assert "standin-wheel" in (told.value.detail or "")


def test_what_cannot_be_solved_says_why(tmp_path: Path, channel: Channel) -> None:
    with pytest.raises(StepFailedError, match="no set of packages") as told:
        solved(tmp_path, channel, asked(tmp_path, "standin-left", "standin-right"))
    assert "standin-alpha" in (told.value.detail or "")


def test_a_channel_that_is_not_there_is_told(tmp_path: Path, channel: Channel) -> None:
    spec = asked(tmp_path, "python", channels=("http://127.0.0.1:9/nothing",))
    del channel
    with pytest.raises(StepFailedError, match="indexes cannot be read"):
        solve(spec, None, Machine(), mirror=None, kept=None, source=tmp_path / "x.lock", tell=lambda _: None)


def test_a_requirement_from_a_repository_cannot_be_locked(tmp_path: Path, channel: Channel) -> None:
    spec = asked(tmp_path, "python", "pip", {"pip": ["thing @ git+https://127.0.0.1:9/x/thing.git@abc"]})
    with pytest.raises((StepFailedError, UsageError)):
        solved(tmp_path, channel, spec)
