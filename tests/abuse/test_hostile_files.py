"""A project that a stranger wrote: what it names stays inside, and what waits in it leads nowhere."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from provision.cli.pins import NAME, PinFile
from provision.engine.fetch import fetch
from provision.engine.perform import Performer
from provision.engine.stop import Stop
from provision.environment.deepcheck import judge_deep_check
from provision.errors import BadFileError, StepFailedError
from provision.model.plan import Fetch, Step
from tests.abuse.hostile import furnish
from tests.unit.cli.typed import Desk
from tests.unit.engine.model_host import HOME, STATE, Built, Environment, ModelHost, Prefix
from tests.unit.engine.model_link import ModelLink
from tests.unit.engine.situations import Run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_link_where_pins_are_written_first_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "installers.pinned.new").symlink_to(precious)
    PinFile(tmp_path).remember("x.sh", "0" * 64)
    assert precious.read_text() == "mine"
    assert json.loads((tmp_path / NAME).read_text()) == {"x.sh": "0" * 64}


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"[" * 200_000, b'{"a": "\xff"}', b"[]", b'{"a": 1}'])
def test_pins_that_cannot_be_read_are_told(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / NAME).write_bytes(junk)
    with pytest.raises(BadFileError):
        PinFile(tmp_path).find("x.sh")


def test_pins_that_are_a_device_or_a_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/dev/zero")
    with pytest.raises(BadFileError, match="not a regular file"):
        PinFile(tmp_path).find("x.sh")
    (tmp_path / NAME).unlink()
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(BadFileError, match="not a regular file"):
        PinFile(tmp_path).find("x.sh")


@pytest.mark.parametrize("what", ["key", "/dev/zero"])
def test_only_an_installer_is_sent_as_one(tmp_path: Path, what: str) -> None:
    key = tmp_path / "id_ed25519"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    local = str(key) if what == "key" else what
    host = ModelHost()
    performer = Performer(ModelLink(host), lambda _event: None, Stop(), state_dir=STATE, regain=lambda: None)
    action = Fetch((), None, "x.sh", STATE, local=local)
    with pytest.raises(StepFailedError):
        fetch(performer, Step("download", "because", action), action)
    assert host.ran == []


def test_a_file_of_the_playbook_that_is_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    furnish(desk, 1)
    (desk.project / "data").symlink_to("/etc/passwd")
    (desk.project / "playbooks").mkdir()
    tasks = [{"files": [{"path": "~/x", "source": "data"}]}]
    (desk.project / "playbooks" / "gpu.yaml").write_text(json.dumps({"name": "gpu", "tasks": tasks}))
    answer = desk.type("up", "box")
    assert answer.code == 2
    assert "leads out of the project" in answer.err


@pytest.mark.parametrize("version", ["0;x", "9\u0663", "9" * 5000])
def test_a_conda_whose_version_is_none_crashes_nothing(version: str) -> None:
    host = ModelHost(prefixes={f"{HOME}/miniconda3": Prefix({"python", "conda", "package"}, version, shaped=True)})
    assert Run(host, mode="plan").go().outcome is not None


@pytest.mark.parametrize("spec", ["5", "[]", '{"dependencies": 5}', '{"pip": {"a": 1}}', '"x"', "null"])
@pytest.mark.parametrize("name", ["1-x", "\u00b2-x", "9" * 5000 + "-x"])
def test_a_marker_that_was_tampered_with_crashes_nothing(spec: str, name: str) -> None:
    marker = f'{{"format": 1, "digest": [], "packages": {{}}, "spec": {spec}}}'
    host = ModelHost(environments={"mymodel/mymodel": Environment(name, {name: Built(marker, "p")})})
    assert Run(host, mode="plan").go().outcome is not None


@pytest.mark.parametrize("value", ["[]", "5", '{"a": 1}', "true", "NaN"])
def test_a_deep_check_with_reasons_of_other_types_is_judged(value: str) -> None:
    nonce = "n" * 32
    module = (
        f'{{"module": "x", "package": {value}, "kind": "conda", "ok": false, "error": {value}, "together": {value}}}'
    )
    report = f'{{"format": 1, "python": "p", "prefix": "q", "modules": [{module}]}}'
    assert judge_deep_check(f"{nonce} {report}\n".encode(), nonce)
