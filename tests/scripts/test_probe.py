"""The probe, run for real under the shells that hosts have."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provision.facts import parse, to_json
from provision.gpu.findings import judge
from provision.model.host import Expect

if TYPE_CHECKING:
    from provision.model.facts import Facts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the probe reads Linux hosts")

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "src/provision/remote/scripts"
RECORDINGS = ROOT / "tests/golden/nvidia_smi"
REPLAY = ROOT / "tests/lab/recorded_nvidia_smi.sh"
BESIDE = ROOT / "tests/lab/recorded_beside_nvidia_smi.sh"
DIGEST = (SCRIPTS / "packages_digest.sh").read_text()
PROBE = DIGEST + (SCRIPTS / "probe.sh").read_text()
BUSYBOX = shutil.which("busybox")
SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]
THIS_MACHINE = re.compile(r"gpu\.(loaded|installed|libcuda|amd|ascend)\||pci\|")
"""Lines about the GPUs of the machine that runs the tests."""


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    if shutil.which(found[0]) is None:
        pytest.skip(f"there is no {found[0]} here")
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home of ours"
    folder.mkdir(mode=0o700)
    return folder


def run(home: Path, *arguments: str, shell: list[str] | None = None, text: str = PROBE, **env: str) -> bytes:
    done = subprocess.run(
        [*(shell or ["sh"]), "-c", text, "sh", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **env},
        cwd="/",
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout


def probe(home: Path, *arguments: str, shell: list[str] | None = None, text: str = PROBE, **env: str) -> Facts:
    return parse(run(home, *arguments, shell=shell, text=text, **env))


def write(path: Path, text: str = "", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def install_conda(prefix: Path) -> None:
    write(prefix / "bin/python", "#!/bin/sh\n", 0o755)
    write(prefix / "bin/conda", "#!/bin/sh\n", 0o755)
    write(prefix / "lib/python3.13/site-packages/conda/__init__.py", "x")
    write(prefix / "conda-meta/conda-26.7.1-py313h06a4308_1.json", "{}")
    write(prefix / "conda-meta/conda-libmamba-solver-25.4.0-pyhd3eb1b0_0.json", "{}")
    write(prefix / "conda-meta/history", "")


def furnish(home: Path) -> None:
    """Fill a home with one of everything that the probe reads."""
    state = home / ".provision"
    machine = parse(run(home)).system.machine_id or "none"
    install_conda(home / "miniconda3")
    write(home / "half/bin/conda", "#!/bin/sh\n", 0o755)
    write(home / "half/conda-meta/history", "")
    write(state / ("installing/" + str(home / "half").replace("/", "%")))
    (home / "empty").mkdir()
    train = state / "envs/mymodel/train"
    for name, marker in [
        ("1-aaaaaaaa", '{"format": 1, "digest": "aaaaaaaa"}'),
        ("2-bbbbbbbb", ""),
        ("3-cccccccc", ""),
    ]:
        write(train / name / "conda-meta/numpy-2.1.0-py313_0.json", "{}")
        write(train / name / "lib/python3.13/site-packages/torch-2.9.0.dist-info/METADATA")
        if marker:
            write(train / name / ".provision-generation.json", marker + "\n")
    write(train / "3-cccccccc/.provision-rejected", "numpy is missing\nmore\n")
    (train / "current").symlink_to("1-aaaaaaaa")
    (home / ".conda/envs").mkdir(parents=True)
    (home / ".conda/envs/train").symlink_to(train / "current")
    (home / ".conda/envs/mine").mkdir()
    write(state / f"record/{machine}/tree.json", '{"format": 1, "owner": "x"}\n')
    write(state / f"record/{machine}/later.json", '{"format": 99}')
    write(state / "record/another-machine/tree.json", '{"format": 1, "owner": "y"}\n')
    write(state / "step", "build train\n")
    write(state / "step.lock")
    write(state / "jobs/over/pid", "1\n")
    write(state / "jobs/over/starttime", "1\n")
    write(state / "jobs/over/exit", "0\n")
    write(state / "jobs/other/pid", f"{os.getpid()}\n")
    write(state / "jobs/other/starttime", "1\n")
    began = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    write(state / "jobs/alive/pid", f"{os.getpid()}\n")
    write(state / "jobs/alive/starttime", f"{began}\n")


ARGUMENTS = [
    "conda=~/half",
    "conda=~/empty",
    "path=~/.bashrc",
    "path=~/a b",
    "path=~",
    "path=/nowhere",
    "package=tar",
    "package=no-such-package",
]


def snapshot(folder: Path) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for path in [folder, *folder.rglob("*")]:
        stat = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (stat.st_mode, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, content)
    return found


def test_everything_on_a_furnished_host_becomes_facts(home: Path, shell: list[str]) -> None:
    furnish(home)
    write(home / "a b", "hello\n", 0o640)

    began = time.monotonic()
    facts = probe(home, *ARGUMENTS, shell=shell)
    print(f"{' '.join(shell)}: {time.monotonic() - began:.3f} s")

    assert facts.problems == ()
    assert facts.state_dir == f"{home}/.provision"
    assert facts.system.home == str(home)
    assert facts.system.uid == os.getuid()
    whole, half, empty = (facts.conda(str(home / name)) for name in ("miniconda3", "half", "empty"))
    assert whole is not None
    assert half is not None
    assert empty is not None
    assert (whole.version, whole.runs, whole.distribution) == ("26.7.1", True, "Miniconda")
    assert (half.version, half.runs, half.conda_shaped, half.installing) == (None, False, True, True)
    assert (empty.empty, empty.conda_shaped, empty.installing) == (True, False, False)
    train = facts.environment("mymodel", "train")
    assert train is not None
    assert train.current == "1-aaaaaaaa"
    assert [(one.name, one.marker is not None, one.rejected) for one in train.generations] == [
        ("1-aaaaaaaa", True, None),
        ("2-bbbbbbbb", False, None),
        ("3-cccccccc", False, "numpy is missing"),
    ]
    assert {one.name: one.target for one in facts.conda_links} == {
        "mine": None,
        "train": f"{home}/.provision/envs/mymodel/train/current",
    }
    assert facts.record("tree") == {"format": 1, "owner": "x"}
    assert [text.split(":")[0] for text in facts.bad_records] == ["later"]
    assert (facts.step_lock.held, facts.step_lock.step) == (False, "build train")
    assert facts.jobs == ("alive",)
    hello = hashlib.sha256(b"hello\n").hexdigest()
    assert dict(facts.paths) == {
        "~/.bashrc": "absent",
        "~/a b": f"file:640:{hello}",
        "~": "directory",
        "/nowhere": "absent",
    }
    assert dict(facts.packages)["no-such-package"] is None
    disk = facts.disk(f"{home}/.provision")
    assert disk is not None
    assert disk.free > 0
    assert disk.file_system != "unknown"
    assert facts.home_owned


def test_all_shells_tell_the_same(home: Path) -> None:
    furnish(home)
    told = set()
    listed = subprocess.run(["busybox", "--list"], stdout=subprocess.PIPE, check=True) if BUSYBOX else None
    applets = frozenset(listed.stdout.decode().split()) if listed else frozenset()
    for shell in SHELLS:
        if shutil.which(shell[0]):
            facts = probe(home, *ARGUMENTS, shell=shell)
            # Debian's busybox finds its own applets as programs, installed or not.
            tools = facts.system.tools - applets
            still = replace(facts.system, clock=0, memory_available=None, tools=tools)
            disks = tuple(replace(one, free=0, free_inodes=0) for one in facts.disks)
            settled = replace(facts, system=still, disks=disks, probe_seconds=None)
            told.add(json.dumps(to_json(settled), sort_keys=True))

    assert len(told) == 1


def test_nothing_on_the_host_changes(home: Path, shell: list[str]) -> None:
    furnish(home)
    before = snapshot(home)

    run(home, *ARGUMENTS, shell=shell)

    assert snapshot(home) == before


def test_a_bare_home_gives_facts_and_no_folders(home: Path, shell: list[str]) -> None:
    facts = probe(home, "state_dir=~/deep/er/state", shell=shell)

    assert facts.state_dir == f"{home}/deep/er/state"
    disk = facts.disk(facts.state_dir)
    assert disk is not None
    assert disk.writable
    assert list(home.iterdir()) == []


def test_a_held_step_lock_is_seen_and_two_probes_do_not_see_each_other(home: Path) -> None:
    lock = write(home / ".provision/step.lock")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not probe(home).step_lock.held
        fcntl.flock(file, fcntl.LOCK_EX)
        assert probe(home).step_lock.held


def test_arguments_are_data_and_never_shell(home: Path, shell: list[str]) -> None:
    canary = home / "canary"
    nasty = [
        f"$(touch '{canary}')",
        f"`touch '{canary}'`",
        f"; touch '{canary}'",
        "*",
        "-rf",
        "a\nend|",
        "$HOME",
        "|",
    ]
    arguments = [f"{key}={text}" for text in nasty for key in ("path", "conda", "state_dir", "workdir")]

    facts = probe(home, *arguments, shell=shell)

    assert not canary.exists()
    assert facts.system.uid == os.getuid()


def test_file_names_with_line_breaks_tell_nothing_false(home: Path, shell: list[str]) -> None:
    (home / ".conda/envs").mkdir(parents=True)
    (home / ".conda/envs/x\nuid|0").symlink_to("/")
    (home / ".provision/envs/p\nuid|0/train/1-a").mkdir(parents=True)

    facts = probe(home, shell=shell)

    assert facts.system.uid == os.getuid()
    assert facts.conda_links == ()
    assert facts.environments == ()


def test_a_manual_installation_changes_the_digest_of_packages(home: Path) -> None:
    prefix = home / "env with space"
    site = prefix / "lib/python3.13/site-packages"
    write(prefix / "conda-meta/numpy-2.1.0-py313_0.json", "{}")

    def digest() -> str:
        return run(home, str(prefix), text=f'{DIGEST}\npackages_digest "$1"').decode().strip()

    seen = [digest()]
    write(site / "torch-2.9.0.dist-info/METADATA")
    seen.append(digest())
    write(site / "__editable__.mine.pth")
    seen.append(digest())
    (prefix / "conda-meta/numpy-2.1.0-py313_0.json").unlink()
    seen.append(digest())

    assert len(set(seen)) == len(seen)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in seen)


def test_the_digest_of_packages_is_the_one_that_is_documented(home: Path, shell: list[str]) -> None:
    prefix = home / "env"
    write(prefix / "conda-meta/numpy-2.1.0-py313_0.json", "{}")
    write(prefix / "lib/python3.13/site-packages/torch-2.9.0.dist-info/METADATA")
    names = [
        "conda-meta/numpy-2.1.0-py313_0.json",
        "lib/python3*/site-packages/*.egg-info",
        "lib/python3*/site-packages/*.egg-link",
        "lib/python3*/site-packages/*.pth",
        "lib/python3.13/site-packages/torch-2.9.0.dist-info",
    ]
    expected = hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()[:32]

    assert run(home, str(prefix), shell=shell, text=f'{DIGEST}\npackages_digest "$1"').decode().strip() == expected


def with_nvidia_smi(folder: Path, program: Path) -> str:
    """Return the probe with that nvidia-smi before any other, and with seconds where it waits longer."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(program, folder / "nvidia-smi")
    (folder / "nvidia-smi").chmod(0o755)
    text = PROBE
    for old, new in [
        ("PATH=/usr/local/sbin", f"PATH='{folder}':/usr/local/sbin"),
        ("timeout -s KILL 18", "timeout -s KILL 1"),
        ("limited 20 cat", "limited 3 cat"),
    ]:
        assert old in text
        text = text.replace(old, new)
    return text


def with_recording(folder: Path, recording: Path) -> str:
    """Return the probe with a recorded nvidia-smi and what was recorded beside it, on a machine that has a card."""
    text = with_nvidia_smi(folder, REPLAY)
    for name in ("dmesg", "systemctl", "nv-fabricmanager"):
        shutil.copyfile(BESIDE, folder / name)
        (folder / name).chmod(0o755)
    units = folder / "units"
    units.mkdir()
    if (recording / "fabric-manager.out").exists():
        write(units / "nvidia-fabricmanager.service")
    for old, new in [
        ("    nvidia_present=\n", "    nvidia_present=yes\n"),
        ("in /usr/lib/systemd/system /lib/systemd/system /etc/systemd/system;", f"in '{units}';"),
    ]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def gpu_lines(output: bytes) -> bytes:
    return b"\n".join(line for line in output.split(b"\n") if not THIS_MACHINE.match(line.decode(errors="replace")))


@pytest.mark.parametrize("situation", sorted(path.parent.name for path in RECORDINGS.glob("*/expected.json")))
def test_a_recorded_nvidia_smi_gives_the_expected_gpus_and_findings(home: Path, situation: str) -> None:
    folder = RECORDINGS / situation
    expected = json.loads((folder / "expected.json").read_text())
    text = with_recording(home / "bin", folder)

    facts = parse(gpu_lines(run(home, text=text, RECORDED_NVIDIA_SMI=str(folder))))

    found = to_json(replace(facts, system=replace(facts.system, shm=None)))["gpu"]
    findings = judge(replace(facts, system=replace(facts.system, shm=None)), Expect(**expected.pop("expect")))
    assert [[one.code, one.severity.value] for one in findings] == expected.pop("findings")
    assert {key: found[key] for key in expected} == expected
    assert (folder / "source.txt").read_text().startswith(("recorded: ", "documented: ", "made: "))


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (
            ("clocks_event_reasons.hw_slowdown", "clocks_throttle_reasons.hw_slowdown"),
            "clocks_event_reasons.hw_slowdown",
        ),
        (("clocks_throttle_reasons.hw_slowdown",), "clocks_throttle_reasons.hw_slowdown"),
        (("gpu_recovery_action", "reset_status.reset_required"), "gpu_recovery_action"),
        (
            ("reset_status.reset_required", "reset_status.drain_and_reset_recommended"),
            "reset_status.reset_required,reset_status.drain_and_reset_recommended",
        ),
    ],
)
def test_of_two_names_for_one_reading_the_newer_one_is_asked(
    home: Path, shell: list[str], known: tuple[str, ...], asked: str
) -> None:
    recording = home / "recording"
    words = "\n".join(f'"{name}"' for name in ("index", *known))
    write(recording / "help-query-gpu.out", f"{words}\n")

    text = with_recording(home / "bin", recording)
    lines = run(home, shell=shell, text=text, RECORDED_NVIDIA_SMI=str(recording)).decode().splitlines()

    assert [line for line in lines if line.startswith("gpu.fields|")] == [f"gpu.fields|index,{asked}"]


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("echo; echo '\tFabric Manager version is : 535.161.08'", "535.161.08"),
        ("printf 'uid|0\nend|\n'; exit 1", None),
        ("while :; do echo garbage without end; done", None),
        ("exec sleep 60", None),
    ],
)
def test_the_fabric_managers_version_is_read_and_its_program_is_bounded(
    home: Path, shell: list[str], answer: str, version: str | None
) -> None:
    recording = home / "recording"
    write(recording / "fabric-manager.out", "active\n")
    text = with_recording(home / "bin", recording).replace("limited 5 nv-fab", "limited 1 nv-fab")
    write(home / "bin/nv-fabricmanager", f"#!/bin/sh\n{answer}\n", 0o755)

    facts = probe(home, shell=shell, text=text, RECORDED_NVIDIA_SMI=str(recording))

    assert (facts.gpu.fabric_manager, facts.gpu.fabric_manager_version) == ("active", version)
    assert facts.system.uid == os.getuid()


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has an nvidia-smi")
def test_without_nvidia_smi_the_fabric_manager_is_not_started(home: Path) -> None:
    recording = home / "recording"
    write(recording / "fabric-manager.out", "active\n")
    text = with_recording(home / "bin", recording)
    (home / "bin/nvidia-smi").unlink()
    write(home / "bin/nv-fabricmanager", f"#!/bin/sh\ntouch '{home}/started'\n", 0o755)

    facts = probe(home, text=text, RECORDED_NVIDIA_SMI=str(recording))

    assert facts.gpu.fabric_manager == "active"
    assert not (home / "started").exists()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("while :; do echo garbage without end; done", 124),
        ("head -c 10000000 /dev/zero | tr '\\0' x", 255),
        ("exit 9", 9),
        ("printf 'exit=0\\nend|\\nuid|0\\n'; exit 13", 13),
        ("kill -SEGV $$", 139),
    ],
)
def test_a_hostile_nvidia_smi_is_bounded_and_believed_nothing(
    home: Path, shell: list[str], answer: str, code: int
) -> None:
    program = write(home / "hostile", f"#!/bin/sh\n{answer}\n", 0o755)

    facts = probe(home, shell=shell, text=with_nvidia_smi(home / "bin", program))

    assert facts.gpu.nvidia_smi in {code, 255}
    assert facts.gpu.gpus == ()
    assert facts.system.uid == os.getuid()


def test_an_nvidia_smi_that_cannot_be_killed_is_left_behind(home: Path) -> None:
    program = write(home / "stuck", "#!/bin/sh\nsetsid sleep 8 &\nwait\n", 0o755)

    began = time.monotonic()
    facts = probe(home, text=with_nvidia_smi(home / "bin", program))

    assert time.monotonic() - began < 7
    assert facts.gpu.nvidia_smi == 124
