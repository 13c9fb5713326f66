"""The machine under an environment: exchanged parts, a restart that is due, updates that come by themselves."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.drift_machine import conda_findings, machine_findings, system_findings
from provision.environment.drift_system import Exchanged, Told, parse_told

if TYPE_CHECKING:
    from provision.model.plan import Finding

THEN = {
    "clock": 1_750_000_000,
    "driver": "550.127.05",
    "kernel": "6.8.0-49-generic",
    "glibc": "2.35",
    "os": "Ubuntu 22.04.5 LTS",
}
APT = 'apt|APT::Periodic::Enable "1";\napt|APT::Periodic::Unattended-Upgrade "1";\ntimer|apt-daily-upgrade.timer\n'
DRIVER = "driver|ii |nvidia-driver-550|550.127.05-0ubuntu1\n"


def told(text: str) -> Told:
    return parse_told(text.encode())


def one(findings: Any) -> Finding:
    (found,) = findings
    return found  # type: ignore[no-any-return]


def test_a_machine_that_is_as_it_was_has_nothing_to_say() -> None:
    assert list(machine_findings(THEN, dict(THEN), Told())) == []


def test_another_driver_is_named_with_the_one_before_and_when_that_was_proven() -> None:
    found = one(machine_findings(THEN, {**THEN, "driver": "580.65.06"}, Told()))
    assert found.code == "SYSTEM-DRIFT"
    assert found.message.startswith("the GPU driver is 580.65.06, and was 550.127.05 when the last `up` proved the")
    assert found.message.endswith("(2025-06-15 15:06 UTC)")


def test_a_driver_that_is_gone_and_one_that_came_are_told_as_such() -> None:
    assert (
        "the GPU driver is not there, and was 550.127.05"
        in one(machine_findings(THEN, {**THEN, "driver": None}, Told())).message
    )
    assert (
        "the GPU driver is 580.65.06, and was not there"
        in one(machine_findings({**THEN, "driver": None}, {**THEN, "driver": "580.65.06"}, Told())).message
    )


def test_every_part_is_told_by_itself() -> None:
    now = {**THEN, "kernel": "6.8.0-50-generic", "glibc": "2.39", "os": "Ubuntu 24.04 LTS"}
    texts = [found.message.partition(" is ")[0] for found in machine_findings(THEN, now, Told())]
    assert texts == ["the kernel", "glibc", "the system"]


def test_a_part_that_the_record_does_not_say_has_not_changed() -> None:
    assert list(machine_findings({}, THEN, Told())) == []
    assert list(machine_findings({"driver": 5, "kernel": ["x"]}, THEN, Told())) == []


@pytest.mark.parametrize("clock", [None, "yesterday", -(10**30), 10**30, True])
def test_a_record_without_a_moment_that_can_be_told_is_told_without_one(clock: object) -> None:
    found = one(machine_findings({**THEN, "clock": clock}, {**THEN, "driver": "580"}, Told()))
    assert found.message.startswith("the GPU driver is 580, and was 550.127.05")


def test_the_package_managers_log_says_when_a_part_was_exchanged() -> None:
    log = (
        "log|2025-06-10 06:10:00 upgrade nvidia-driver-550:amd64 535 550\n"
        "log|2025-06-20 06:12:33 upgrade nvidia-driver-580:amd64 550.127.05 580.65.06\n"
        "log|2025-06-21 06:12:33 upgrade linux-image-6.8:amd64 49 50\n"
    )
    found = one(machine_findings(THEN, {**THEN, "driver": "580.65.06"}, told(log)))
    assert found.message.endswith(
        "the package manager's log: 2025-06-20 06:12:33 nvidia-driver-580:amd64 550.127.05 -> 580.65.06"
    )


def test_what_the_log_says_of_before_the_record_explains_nothing() -> None:
    early = told("log|2025-06-10 06:10:00 upgrade nvidia-driver-550:amd64 535 550\n")
    assert "log" not in one(machine_findings(THEN, {**THEN, "driver": "580.65.06"}, early)).message


def test_a_conda_that_was_updated_by_hand_is_named_with_what_is_newer() -> None:
    newer = told(
        "conda|1750000300|/x/conda-meta/conda-26.9.0-py311_0.json\nconda|1750000200|/x/conda-meta/zstd-1-0.json\n"
    )
    found = one(conda_findings("26.9.0", "26.7.1", "/home/ubuntu/miniconda3", newer))
    assert found.code == "SYSTEM-DRIFT"
    assert found.message.startswith(
        "conda at /home/ubuntu/miniconda3 is 26.9.0, and was 26.7.1 when provision last ran it"
    )
    assert "newer there: conda-26.9.0-py311_0, zstd-1-0, the last on 2025-06-15 15:11 UTC" in found.message


def test_many_newer_packages_of_conda_are_counted() -> None:
    newer = told("".join(f"conda|17500{n:05d}|m/p{n:02d}-1-0.json\n" for n in range(11)))
    assert "p07-1-0 and 3 more, the last on" in one(conda_findings("2", "1", "/c", newer)).message


@pytest.mark.parametrize(("version", "recorded"), [("26.7.1", "26.7.1"), (None, "26.7.1"), ("26.7.1", None), ("2", 2)])
def test_a_conda_of_which_nobody_knows_more_is_as_it_was(version: str | None, recorded: object) -> None:
    assert list(conda_findings(version, recorded, "/c", Told())) == []


def test_nothing_said_is_nothing_found() -> None:
    assert told("") == Told(apt=False)
    assert list(system_findings(told(""))) == []


def test_a_restart_that_is_due_names_since_when_and_for_what() -> None:
    found = one(system_findings(told("restart|1750000000\nrestart.for|linux-image-6.8\nrestart.for|libc6\n")))
    assert (found.code, found.message) == (
        "REBOOT-PENDING",
        "a restart is due since 2025-06-15 15:06 UTC: linux-image-6.8, libc6",
    )


def test_a_restart_of_which_nobody_knows_more_is_due_all_the_same() -> None:
    assert one(system_findings(told("restart|\n"))).message == "a restart is due"
    assert one(system_findings(told("restart|soon\n"))).message == "a restart is due"


def test_updates_that_come_by_themselves_are_told_with_the_command_that_keeps_the_driver() -> None:
    found = one(system_findings(told(APT + DRIVER)))
    assert found.code == "UPGRADES-ARMED"
    assert found.message == (
        "apt-daily-upgrade.timer installs updates by itself, and nothing keeps the GPU driver as it is:"
        " nvidia-driver-550 550.127.05-0ubuntu1"
    )
    assert found.fix == "sudo apt-mark hold nvidia-driver-550"


@pytest.mark.parametrize(
    "text",
    [
        APT,
        DRIVER,
        APT.replace("timer|", "nothing|") + DRIVER,
        APT.replace('Unattended-Upgrade "1"', 'Unattended-Upgrade "0"') + DRIVER,
        APT.replace('Enable "1"', 'Enable "0"') + DRIVER,
        APT + DRIVER.replace("ii ", "hi "),
        APT + DRIVER.replace("ii ", "rc "),
        APT + DRIVER + 'apt|Unattended-Upgrade::Package-Blacklist:: "nvidia-";\n',
        APT + DRIVER + 'apt|Unattended-Upgrade::Package-Blacklist:: "^nvidia-driver-.*$";\n',
    ],
    ids=["no driver", "not armed", "no timer", "off", "disabled", "held", "removed", "blacklisted", "by pattern"],
)
def test_a_driver_that_stays_is_nothing_to_tell(text: str) -> None:
    assert list(system_findings(told(text))) == []


def test_a_blacklist_of_something_else_keeps_no_driver() -> None:
    for value in ("libc6", "", ".*x", "^$"):
        blacklist = f'apt|Unattended-Upgrade::Package-Blacklist:: "{value}";\n'
        assert one(system_findings(told(APT + DRIVER + blacklist))).code == "UPGRADES-ARMED", value


@pytest.mark.parametrize(
    "armed", ["dnf|apply_updates=yes\ntimer|dnf-automatic.timer\n", "dnf|x\ntimer|dnf-automatic-install.timer\n"]
)
def test_dnf_that_installs_by_itself_is_told_with_its_own_command(armed: str) -> None:
    driver = "driver|ii |kmod-nvidia-open-dkms|550.127.05-1.el9\n"
    found = one(system_findings(told(armed + driver)))
    assert found.fix is not None
    assert "dnf versionlock" in found.fix
    assert list(system_findings(told(armed + driver + "dnf.kept|exclude=nvidia*\n"))) == []


def test_dnf_that_only_downloads_is_nothing_to_tell() -> None:
    quiet = "dnf|apply_updates=no\ntimer|dnf-automatic.timer\ndriver|ii |kmod-nvidia|550-1\n"
    assert list(system_findings(told(quiet))) == []


@pytest.mark.parametrize("name", ["x;reboot", "$(reboot)", "a b", "-o", "nvidia\x1b[2J", "`id`", ""])
def test_no_name_of_a_hosts_becomes_a_command_to_copy(name: str) -> None:
    found = list(system_findings(told(APT + DRIVER + f"driver|ii |{name}|1.0\n")))
    assert [shlex.split(each.fix or "") for each in found] == [["sudo", "apt-mark", "hold", "nvidia-driver-550"]]


def test_a_log_line_that_is_none_says_nothing() -> None:
    assert told("log|yesterday upgrade a b c\nlog|2025-06-20 06:12:33 remove a b c\nlog|\n").exchanged == ()
    good = told("log|2025-06-20 06:12:33 install libc6:amd64 <none> 2.35\n")
    assert good.exchanged == (Exchanged("2025-06-20 06:12:33", "libc6:amd64", "<none>", "2.35"),)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["restart", "restart.for", "apt", "timer", "driver", "dnf", "dnf.kept", "log", "conda"]),
            st.text(max_size=60),
        ),
        max_size=12,
    ),
    st.binary(max_size=40),
)
def test_whatever_a_host_says_is_told_in_words(said: list[tuple[str, str]], noise: bytes) -> None:
    output = "".join(f"{key}|{text}\n" for key, text in said).encode("utf-8", "replace") + noise
    found = [*system_findings(parse_told(output)), *conda_findings("2", "1", "/c", parse_told(output))]
    assert all(each.code in {"REBOOT-PENDING", "UPGRADES-ARMED", "SYSTEM-DRIFT"} for each in found)
