"""What systemd and cron are handed means what was asked, with any name, and they take it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.errors import UsageError
from provision.schedule import cron, launchd, systemd
from provision.schedule.names import is_key, key_of
from provision.schedule.timetable import parse_every
from tests.unit.schedule.made import ODD, schedule

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = ("/usr/bin/env", "schedule", "run", "--due", "--", ODD)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("jitter", [0, 1200])
def test_systemd_finds_nothing_wrong_with_units_of_odd_names(tmp_path: Path, jitter: int) -> None:
    made = systemd.units(schedule(name=ODD, jitter=jitter), COMMAND, {"HOME": f"/home/{ODD}"}, 5)
    paths = [tmp_path / f"{made.name}.service", tmp_path / f"{made.name}.timer"]
    for path, text in zip(paths, (made.service, made.timer), strict=True):
        path.write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if made.name in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.skipif(shutil.which("crontab") is None, reason="no cron here")
def test_cron_takes_lines_of_odd_names(tmp_path: Path) -> None:
    lines = cron.block(schedule("Mon..Fri 3:05", name=ODD), COMMAND, {"HOME": f"/home/{ODD}"}, "UTC", 5)
    path = tmp_path / "crontab"
    path.write_bytes(lines)
    # The dry run is called -T or -n, as the cron's maker likes it.
    for option in ("-T", "-n"):
        done = subprocess.run(["crontab", option, path], capture_output=True, text=True, check=False)
        if "invalid option" not in done.stderr:
            break
    assert done.returncode == 0, done
    assert b"5 3 * * 1,2,3,4,5 " in lines


def test_a_line_of_cron_gives_the_command_its_words_back(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    command = ("/bin/sh", "-c", 'printf "%s|" "$ODD" "$@" > "$0"', str(seen), ODD, "a  b")
    line = cron.command_line(command, {"ODD": ODD}).replace("\\%", "%")
    subprocess.run(["/bin/sh", "-c", line], check=True)
    assert seen.read_text("utf-8") == f"{ODD}|{ODD}|a  b|"


def test_a_percent_sign_is_never_bare_in_a_crontab() -> None:
    line = cron.command_line(("/a%b", "%%"), {})
    assert line.count("%") == line.count("\\%") == 3


@given(st.binary().filter(lambda text: b"provision schedule" not in text))
def test_the_rest_of_a_crontab_is_kept_to_the_byte(crontab: bytes) -> None:
    new = cron.block(schedule(), ("/bin/true",), {}, "UTC", 5)
    ended = crontab if crontab.endswith(b"\n") or not crontab else crontab + b"\n"
    with_it = cron.with_block(crontab, "nightly", new)
    assert with_it == ended + new
    assert cron.with_block(with_it, "nightly", new) == with_it
    assert cron.with_block(with_it + b"# after", "nightly", b"") == ended + b"# after"


def test_a_block_that_was_cut_by_hand_is_not_guessed_at() -> None:
    begin, end = cron.marks("nightly")
    for crontab in (begin + b"\n0 0 * * * true\n", b"0 0 * * * true\n" + end + b"\n"):
        with pytest.raises(UsageError):
            cron.with_block(crontab, "nightly", b"")


def test_what_cron_cannot_say_is_looked_for_every_few_minutes() -> None:
    odd = schedule(timetable=parse_every("7h", 0.0))
    assert cron.times(odd, "UTC", 5) == ["*/5 * * * *", "@reboot"]
    assert cron.why_not(schedule(zone="Asia/Tokyo").timetable, "Europe/Paris") is not None


def test_a_control_character_is_refused_and_not_written() -> None:
    with pytest.raises(UsageError):
        systemd.quoted("a\nExecStart=b")
    with pytest.raises(UsageError):
        cron.command_line(("a\nb",), {})


def test_launchd_is_asked_for_each_day_and_time() -> None:
    assert launchd.intervals(schedule("Mon,Sun 3,4:30").timetable) == [  # type: ignore[arg-type]
        {"Weekday": day, "Hour": hour, "Minute": 30} for day in (0, 1) for hour in (3, 4)
    ]


@given(st.text(min_size=1), st.text(min_size=1))
def test_every_name_has_a_key_of_its_own(one: str, other: str) -> None:
    try:
        keys = key_of(one), key_of(other)
    except UnicodeEncodeError:
        return
    assert is_key(keys[0])
    assert (keys[0] == keys[1]) == (one == other)
