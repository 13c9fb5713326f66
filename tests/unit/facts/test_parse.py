"""From the probe's output to facts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.facts import ProbeError, parse, to_json
from tests.unit.facts.probe_text import LEAST, probe_text

KEYS = [
    "began ended state_dir workdir uname clock os libc user uid home shell home.stat boot_id machine_id",
    "init cpus",
    "sudo tool virtualisation dmi meminfo cgroup locked logind logind.line disk space mount conda",
    "conda.empty",
    "conda.shaped conda.has conda.meta conda.rc conda.installing environment environment.current generation",
    "rejected marker packages link record record.x step step.lock job path package package.dpkg",
    "package.rpm pci",
    "problem gpu.smi gpu.fields gpu.query gpu.header gpu.list gpu.apps gpu.loaded gpu.installed gpu.xid end",
]
LINES = st.builds(
    lambda key, text: key.encode() + b"|" + text,
    st.sampled_from(" ".join(KEYS).split()),
    st.one_of(st.binary(max_size=60), st.text('0123456789.|/, exit=-[]{}":aNEnull%', max_size=60).map(str.encode)),
)


@given(st.lists(LINES, max_size=40))
def test_any_lines_become_facts_that_json_can_hold(lines: list[bytes]) -> None:
    facts = parse(probe_text() + b"\n".join(lines))

    json.dumps(to_json(facts), allow_nan=False)


@given(st.binary(max_size=400))
def test_any_bytes_raise_a_probe_error_and_nothing_else(noise: bytes) -> None:
    with pytest.raises(ProbeError):
        parse(noise.replace(b"uname|", b""))


@given(st.lists(LINES, max_size=30), st.integers(min_value=0))
def test_an_output_cut_anywhere_gives_facts_or_a_probe_error(lines: list[bytes], cut: int) -> None:
    whole = probe_text() + b"\n".join(lines)
    try:
        facts = parse(whole[: cut % len(whole)])
    except ProbeError:
        return
    assert facts.system.home


@pytest.mark.parametrize("key", ["uname", "clock", "uid", "home", "state_dir", "workdir"])
def test_an_output_without_what_everything_needs_names_what_is_missing(key: str) -> None:
    with pytest.raises(ProbeError, match=key):
        parse(probe_text(without=key))


def test_an_output_without_its_last_line_is_called_cut_short() -> None:
    with pytest.raises(ProbeError, match="cut short"):
        parse(probe_text().replace(b"end|", b""))


def test_ten_megabytes_of_one_line_are_taken() -> None:
    facts = parse(probe_text("os|PRETTY_NAME=" + "x" * 10_000_000, "gpu.smi|present", "gpu.query|" + "9" * 10_000_000))

    assert facts.gpu.nvidia_smi == 255


def test_the_system_is_read() -> None:
    facts = parse(
        probe_text(
            'os|PRETTY_NAME="Ubuntu 24.04.1 LTS"',
            "os|ID=ubuntu",
            "os|ID_LIKE=debian",
            "libc|glibc 2.39",
            "shell|/usr/bin/fish",
            "sudo|nopasswd",
            "boot_id|b-1",
            "machine_id|m-1",
            "virtualisation|kvm",
            "dmi|sys_vendor=Alibaba Cloud",
            "init|systemd",
            "cpus|8",
            "meminfo|MemTotal: 1024",
            "meminfo|MemAvailable: 512",
            "tool|curl",
            "tool|git",
            "began|10.00",
            "ended|10.25",
        )
    )

    system = facts.system
    assert (system.kernel, system.architecture, system.hostname, system.system) == (
        "6.8.0-49-generic",
        "x86_64",
        "box",
        "Linux",
    )
    assert (system.os, system.os_id) == ("Ubuntu 24.04.1 LTS", "ubuntu debian")
    assert (system.libc, system.glibc) == ("glibc", "2.39")
    assert (system.user, system.uid, system.home, system.login_shell) == (
        "ubuntu",
        1000,
        "/home/ubuntu",
        "/usr/bin/fish",
    )
    assert (system.cloud, system.virtualisation, system.init) == ("aliyun", "kvm", "systemd")
    assert (system.cpus, system.memory, system.memory_available) == (8, 1024 * 1024, 512 * 1024)
    assert system.tools == {"curl", "git"}
    assert facts.probe_seconds == 0.25


def test_what_was_not_printed_is_absent_and_no_guess() -> None:
    facts = parse(probe_text())

    system = facts.system
    assert (system.os, system.glibc, system.boot_id, system.cloud, system.memory_limit, system.shm) == (None,) * 6
    assert system.kill_user_processes is None
    assert (facts.disks, facts.condas, facts.environments, facts.records, facts.gpu.gpus) == ((),) * 5
    assert facts.gpu.nvidia_smi is None
    assert facts.home_owned


@pytest.mark.parametrize(
    ("line", "libc", "version"),
    [
        ("libc|glibc 2.17", "glibc", "2.17"),
        ("libc|ldd (Ubuntu GLIBC 2.31-0ubuntu9.16) 2.31", "glibc", "2.31"),
        ("libc|ldd (GNU libc) 2.34", "glibc", "2.34"),
        ("libc|musl", "musl", None),
        ("libc|ldd musl libc (x86_64)", "musl", None),
        ("libc|", None, None),
    ],
)
def test_the_c_library_is_told(line: str, libc: str | None, version: str | None) -> None:
    system = parse(probe_text(line)).system

    assert (system.libc, system.glibc) == (libc, version)


@pytest.mark.parametrize(
    ("lines", "cloud"),
    [
        (["dmi|sys_vendor=Amazon EC2"], "aws"),
        (["dmi|hypervisor_uuid=ec2e1916-9099"], "aws"),
        (["dmi|sys_vendor=Google", "dmi|product_name=Google Compute Engine"], "gcp"),
        (["dmi|sys_vendor=Alibaba Cloud", "dmi|product_name=Alibaba Cloud ECS"], "aliyun"),
        (["dmi|sys_vendor=Tencent Cloud", "dmi|product_name=CVM"], "tencent"),
        (
            [
                "dmi|sys_vendor=Microsoft Corporation",
                "dmi|chassis_asset_tag=7783-7084-3265-9085-8269-3286-77",
            ],
            "azure",
        ),
        (["dmi|sys_vendor=Microsoft Corporation", "dmi|chassis_asset_tag=none"], None),
        (["dmi|sys_vendor=QEMU"], None),
        (["dmi|no equals sign"], None),
    ],
)
def test_the_cloud_is_told_by_the_firmware(lines: list[str], cloud: str | None) -> None:
    assert parse(probe_text(*lines)).system.cloud == cloud


def test_the_tightest_control_group_limits_the_memory() -> None:
    facts = parse(probe_text("cgroup|max", "cgroup|9223372036854771712", "cgroup|8589934592", "cgroup|17179869184"))

    assert facts.system.memory_limit == 8 << 30


@pytest.mark.parametrize(
    ("lines", "kills"),
    [
        (["logind|absent"], False),
        (["logind|present"], None),
        (["logind|present", "logind.line|/etc/systemd/logind.conf:#KillUserProcesses=no"], False),
        (["logind|present", "logind.line|/etc/systemd/logind.conf:#KillUserProcesses=yes"], True),
        (
            [
                "logind|present",
                "logind.line|/usr/lib/systemd/logind.conf:#KillUserProcesses=no",
                "logind.line|/etc/systemd/logind.conf:KillUserProcesses=yes",
            ],
            True,
        ),
        (
            [
                "logind|present",
                "logind.line|/etc/systemd/logind.conf:KillUserProcesses=yes",
                "logind.line|/usr/lib/systemd/logind.conf.d/90-keep.conf:KillUserProcesses=no",
                "logind.line|/etc/systemd/logind.conf.d/10-kill.conf:KillUserProcesses=yes",
            ],
            False,
        ),
    ],
)
def test_logind_files_override_each_other_as_systemd_documents(lines: list[str], kills: bool | None) -> None:
    assert parse(probe_text(*lines)).system.kill_user_processes is kills


@pytest.mark.parametrize(
    ("stat", "owned"),
    [
        ("1000 ubuntu 750", True),
        ("1000 ubuntu 775", True),
        ("1000 users 775", False),
        ("1000 ubuntu 757", False),
        ("0 root 755", False),
        ("", True),
    ],
)
def test_a_home_that_others_can_write_is_not_owned(stat: str, owned: bool) -> None:
    assert parse(probe_text(f"home.stat|{stat}")).home_owned is owned


def test_a_disk_is_the_mount_that_lies_nearest_and_was_mounted_last() -> None:
    facts = parse(
        probe_text(
            "disk|/home/ubuntu|/home/ubuntu|writable",
            "disk|/mnt/big data/state|/mnt/big data|writable",
            "disk|/gone|/gone|writable",
            "space|/home/ubuntu|100 4096 50 60 200",
            "space|/mnt/big data|10 1024 0 0 20",
            "space|/dev/shm|1 4096 5 5 16384",
            "mount|/dev/sda1 / ext4 rw,relatime 0 0",
            "mount|auto /home autofs rw 0 0",
            "mount|nas:/home /home nfs4 ro,noexec,relatime 0 0",
            "mount|/dev/sdb /mnt/big\\040data btrfs rw,noexec 0 0",
        )
    )

    home, data = facts.disks
    assert (home.file_system, home.mount, home.free, home.free_inodes) == ("nfs4", "/home", 409600, 50)
    assert (home.noexec, home.writable) == (True, False)
    assert (data.file_system, data.mount, data.free_inodes, data.writable) == (
        "btrfs",
        "/mnt/big data",
        None,
        True,
    )
    assert facts.disk("/home/ubuntu") is home
    assert facts.system.shm == 64 << 20


HEALTHY = [
    "conda.shaped|yes",
    "conda.has|python",
    "conda.has|conda",
    "conda.has|package",
    "conda.meta|conda-26.7.1-py313h06a4308_1.json",
]


def test_a_whole_conda_runs_and_has_a_version() -> None:
    (conda,) = parse(probe_text("conda|/home/ubuntu/miniconda3", *HEALTHY)).condas

    assert (conda.prefix, conda.version, conda.runs, conda.empty) == (
        "/home/ubuntu/miniconda3",
        "26.7.1",
        True,
        False,
    )


@pytest.mark.parametrize("missing", HEALTHY[1:])
def test_a_conda_that_lacks_any_part_does_not_run(missing: str) -> None:
    (conda,) = parse(probe_text("conda|/c", *[line for line in HEALTHY if line != missing])).condas

    assert conda.conda_shaped
    assert not conda.runs


def test_an_empty_folder_left_by_a_full_disk_is_told_apart_from_a_half_installation() -> None:
    empty, half = parse(
        probe_text("conda|/a", "conda.empty|yes", "conda|/b", "conda.shaped|yes", "conda.installing|yes")
    ).condas

    assert (empty.empty, empty.conda_shaped, empty.installing) == (True, False, False)
    assert (half.empty, half.conda_shaped, half.installing) == (False, True, True)


def test_the_names_of_condas_companions_give_no_version() -> None:
    (conda,) = parse(probe_text("conda|/c", "conda.meta|conda-anaconda-tos-0.2.2-py313h06a4308_1.json")).condas

    assert conda.version is None


def test_environments_have_generations_in_the_order_of_their_counters() -> None:
    facts = parse(
        probe_text(
            "environment|mymodel/train",
            "environment.current|mymodel/train|9-aaaaaaaa",
            "generation|mymodel/train/10-bbbbbbbb",
            "generation|mymodel/train/9-aaaaaaaa",
            "generation|mymodel/train/11-cccccccc",
            "packages|mymodel/train/9-aaaaaaaa|0123",
            'marker|mymodel/train/9-aaaaaaaa|{"format": 1}',
            "marker|mymodel/train/10-bbbbbbbb|{half",
            "rejected|mymodel/train/11-cccccccc|numpy is missing",
            "environment|mymodel/train2",
        )
    )

    train = facts.environment("mymodel", "train")
    assert train is not None
    assert [one.name for one in train.generations] == ["9-aaaaaaaa", "10-bbbbbbbb", "11-cccccccc"]
    assert train.current == "9-aaaaaaaa"
    current = train.find(train.current)
    assert current is not None
    assert (current.marker, current.packages) == ({"format": 1}, "0123")
    assert [one.marker for one in train.generations[1:]] == [None, None]
    assert train.generations[2].rejected == "numpy is missing"
    other = facts.environment("mymodel", "train2")
    assert other is not None
    assert other.generations == ()


def test_links_and_foreign_environments_are_told_apart() -> None:
    facts = parse(probe_text("link|train|link|/home/u/.provision/envs/p/train/current", "link|mine|foreign|"))

    assert [(one.name, one.target) for one in facts.conda_links] == [
        ("train", "/home/u/.provision/envs/p/train/current"),
        ("mine", None),
    ]


def test_records_are_read_by_name() -> None:
    facts = parse(probe_text("record|tree", 'record.tree|{"format": 1, "owner": "x"}'))

    assert facts.record("tree") == {"format": 1, "owner": "x"}
    assert facts.bad_records == ()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['record.a|{"format": 2}'], "newer provision"),
        (['record.a|{"format": true}'], "no format"),
        (['record.a|{"format": "1"}'], "no format"),
        (["record.a|{}"], "no format"),
        (["record.a|[1]"], "not a JSON object"),
        (["record.a|{"], "cannot be read"),
        (["record|a"], "cannot be read"),
        (['record.a|{"format": 1}', 'record.a|{"format": 1}'], "cannot be read"),
        (['record.a|{"format": 1, "x": NaN}'], "NaN is not JSON"),
        (['record.a|{"format": 1, "x": 1e999}'], "beyond all bounds"),
        (['record.a|{"format": 1, "x": ' + "9" * 5000 + "}"], "cannot be read"),
        (['record.a|{"format": 1, "x": ' + "[" * 100_000 + "}"], "nested too deeply"),
        (['record.a|{"format": 1, "x": ' + "[" * 50 + "]" * 50 + "}"], "nested too deeply"),
        (['record.a|{"format": 1, "x": "' + "y" * (1 << 20) + '"}'], "too long"),
    ],
)
def test_a_record_that_cannot_be_taken_is_told_and_never_absent(lines: list[str], reason: str) -> None:
    facts = parse(probe_text(*lines))

    assert facts.records == ()
    assert len(facts.bad_records) == 1
    assert facts.bad_records[0].startswith("a: ")
    assert reason in facts.bad_records[0]


def test_paths_packages_locks_and_jobs_are_read() -> None:
    facts = parse(
        probe_text(
            "path|absent|~/a",
            "path|file:644:abc|/x|y",
            "package|git",
            "package|vim",
            "package|gone",
            "package.dpkg|ii |git|1:2.39.5",
            "package.dpkg|rc |gone|1.0",
            "package.dpkg|ii |unasked|1.0",
            "step.lock|held",
            "step|build train",
            "job|j1",
            "locked|/var/lib/dpkg/lock held by apt (pid 7)",
            "problem|there is no flock",
        )
    )

    assert facts.paths == (("~/a", "absent"), ("/x|y", "file:644:abc"))
    assert facts.packages == (("git", "1:2.39.5"), ("vim", None), ("gone", None))
    assert (facts.step_lock.held, facts.step_lock.step) == (True, "build train")
    assert facts.jobs == ("j1",)
    assert facts.system.locked == "/var/lib/dpkg/lock held by apt (pid 7)"
    assert facts.problems == ("there is no flock",)


def test_bytes_that_are_no_text_survive_in_facts_and_are_escaped_in_json() -> None:
    facts = parse(probe_text(f"os|PRETTY_NAME={b'caf' + bytes([0xE9])!r}"[2:]).replace(LEAST["user"].encode(), b"\xe9"))

    assert facts.system.user == "\udce9"
    assert json.loads(json.dumps(to_json(facts)))["system"]["user"] == "\\udce9"
