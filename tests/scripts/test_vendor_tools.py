"""The probe asks amd-smi, rocm-smi and npu-smi; recordings stand in for them, under the shells that hosts have."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.facts import parse
from tests.unit.gpu.recorded_vendors import GOLDEN, SITUATIONS, named, probed

if TYPE_CHECKING:
    from provision.model.facts import Facts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the probe reads Linux hosts")

SCRIPTS = Path(__file__).parents[2] / "src/provision/remote/scripts"
PROBE = "".join((SCRIPTS / name).read_text() for name in ("packages_digest.sh", "own_folder.sh", "probe.sh"))
SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]
ANSWERING = [folder for folder in SITUATIONS if list(folder.glob("*.out")) and folder.name != "hangs"]
REPLAY = """#!/bin/sh
for word in "$@"; do
    case $word in -l) name=list ;; static | list | metric | bad-pages | process | info) name=$word ;; esac
done
[ "${0##*/}" != rocm-smi ] || name=rocm-smi
[ "$2" != -t ] || name=$3.$5
cat "$RECORDING/$name.out" || exit 3
code=0
if [ -f "$RECORDING/$name.rc" ]; then read -r code <"$RECORDING/$name.rc"; fi
[ "$code" != 137 ] || kill -KILL $$
exit "$code"
"""


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    if shutil.which(found[0]) is None:
        pytest.skip(f"there is no {found[0]} here")
    return found


def probe(home: Path, tools: dict[str, str], shell: list[str], **env: str) -> tuple[Facts, bytes]:
    """Probe this machine with these programs, and none other of AMD's or Huawei's."""
    programs = home / "programs"
    programs.mkdir(parents=True)
    for name, text in tools.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    text = PROBE
    for old, new in [
        ("PATH=/usr/local/sbin", f"PATH='{programs}':/usr/local/sbin"),
        ("timeout -s KILL 18", "timeout -s KILL 2"),
        ("limited 20 cat", "limited 6 cat"),
    ]:
        assert old in text
        text = text.replace(old, new)
    done = subprocess.run(
        [*shell, "-c", text, "sh"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **env},
        cwd="/",
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return parse(done.stdout), done.stdout


def tool(folder: Path) -> str:
    if folder.parent.name == "npu_smi":
        return "npu-smi"
    return "rocm-smi" if (folder / "rocm-smi.out").exists() else "amd-smi"


@pytest.mark.parametrize("folder", ANSWERING, ids=named)
def test_what_the_tools_print_arrives_as_it_was_printed(folder: Path, tmp_path: Path) -> None:
    facts, _ = probe(tmp_path, {tool(folder): REPLAY}, ["sh"], RECORDING=str(folder))
    wanted = parse(probed(folder)).gpu

    assert facts.gpu.gpus == wanted.gpus
    assert [one for one in facts.gpu.processes if one.gpu_uuid in {gpu.uuid for gpu in wanted.gpus}] == (
        list(wanted.processes)
    )
    (seen,), (expected,) = (
        [one for one in gpu.others if one.vendor == wanted.others[0].vendor] for gpu in (facts.gpu, wanted)
    )
    assert (seen.tool, seen.code, seen.message, seen.rejected) == (
        expected.tool,
        expected.code,
        expected.message,
        expected.rejected,
    )


@pytest.mark.parametrize("situation", ["amd_smi/mi300x-eight", "npu_smi/910b3-eight", "npu_smi/310p3-two-chips-each"])
def test_every_shell_asks_the_same(situation: str, shell: list[str], tmp_path: Path) -> None:
    folder = GOLDEN / situation

    facts, _ = probe(tmp_path, {tool(folder): REPLAY}, shell, RECORDING=str(folder))

    assert facts.gpu.gpus == parse(probed(folder)).gpu.gpus


@pytest.mark.parametrize(("name", "vendor"), [("amd-smi", "amd"), ("rocm-smi", "amd"), ("npu-smi", "ascend")])
def test_a_tool_that_never_answers_is_ended_and_the_rest_of_the_probe_arrives(
    name: str, vendor: str, shell: list[str], tmp_path: Path
) -> None:
    left = tmp_path / "left"
    hangs = f"#!/bin/sh\ntrap '' TERM\nsleep 60 &\necho $! >>'{left}'\nwait\n"
    began = time.monotonic()

    try:
        facts, _ = probe(tmp_path / "home", {name: hangs}, shell)
    finally:
        for pid in left.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    assert time.monotonic() - began < 40  # the sleep is longer
    (seen,) = [one for one in facts.gpu.others if one.vendor == vendor]
    assert (seen.tool, seen.code) == (name, 124)


def test_a_host_without_these_tools_is_asked_nothing(shell: list[str], tmp_path: Path) -> None:
    if any(shutil.which(name) for name in ("amd-smi", "rocm-smi", "npu-smi")):
        pytest.skip("this machine has one")

    _, output = probe(tmp_path, {}, shell)

    assert not [line for line in output.splitlines() if line.startswith((b"gpu.amd.", b"gpu.npu."))]


def test_a_flood_is_cut_and_counts_as_no_answer(tmp_path: Path) -> None:
    flood = "#!/bin/sh\nyes '| 0     910B3               | OK            | 1 |' | head -n 100000\n"

    facts, _ = probe(tmp_path, {"npu-smi": flood}, ["sh"])

    (seen,) = [one for one in facts.gpu.others if one.vendor == "ascend"]
    assert (seen.code, [one for one in facts.gpu.gpus if one.vendor == "ascend"]) == (255, [])
