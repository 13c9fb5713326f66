"""The variables of a job: typed ones win over files, secrets stay secrets, bad ones get one clear line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.cli.job_variables import Variables, own_variables, variables
from provision.errors import BadFileError, UsageError
from provision.model.host import Host, Mirror

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_typed_wins_over_a_file_and_the_last_one_over_the_first(tmp_path: Path) -> None:
    file = tmp_path / "job.env"
    file.write_text("\n# a comment\nexport A=1\nB = 'two words' \nC=\"x=y\"\nD=it's\n")
    found = variables(["A=2", "E=", "A=3", "F=a=b"], [str(file)], [], [], {})
    assert dict(found.plain) == {"A": "3", "B": "two words", "C": "x=y", "D": "it's", "E": "", "F": "a=b"}


def test_a_name_alone_takes_its_value_from_here() -> None:
    assert variables(["HERE"], [], [], [], {"HERE": "there"}).plain == (("HERE", "there"),)
    with pytest.raises(UsageError, match="HERE: it is not set here"):
        variables(["HERE"], [], [], [], {})


def test_secrets_come_from_here_and_those_of_the_project_may_be_absent() -> None:
    found = variables([], [], ["TOKEN"], ["KEY", "ABSENT"], {"TOKEN": "t", "KEY": "k", "OTHER": "o"})
    assert found.secrets == (("TOKEN", "t"), ("KEY", "k"))
    assert found.absent == ("ABSENT",)
    assert found.plain == ()


def test_a_secret_that_is_typed_for_one_job_stays_a_secret() -> None:
    found = variables(["KEY=typed"], [], [], ["KEY"], {"KEY": "of this machine"})
    assert found.plain == ()
    assert found.secrets == (("KEY", "typed"),)
    assert found.absent == ()


def test_a_secret_that_was_asked_for_and_is_not_here_is_refused() -> None:
    with pytest.raises(UsageError, match="--secret TOKEN: it is not set here"):
        variables([], [], ["TOKEN"], [], {})


@pytest.mark.parametrize("typed", ["=1", "A B=1", "1A=1", "A-B", "", "\x1b[31m=1"])
def test_what_is_no_name_is_refused_and_shown_harmlessly(typed: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a variable") as caught:
        variables([typed], [], [], [], {})
    assert "\x1b" not in caught.value.message


def test_a_bad_line_of_a_file_is_named_and_its_value_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "job.env"
    file.write_text("A=1\nhidden-value\n")
    with pytest.raises(BadFileError) as caught:
        variables([], [str(file)], [], [], {})
    assert caught.value.message == f"{file}:2: expected NAME=VALUE"


def test_a_file_that_is_not_there_or_far_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        variables([], [str(tmp_path / "none")], [], [], {})
    (tmp_path / "large").write_bytes(b"A=1\n" * 300_000)
    with pytest.raises(BadFileError, match="larger than 1 MiB"):
        variables([], [str(tmp_path / "large")], [], [], {})


@pytest.mark.parametrize(
    ("plain", "secrets", "hub"),
    [
        ((), (), ("HF_ENDPOINT", "https://hub.example")),
        ((("HF_TOKEN", "x"),), (), None),
        ((), (("HF_TOKEN", "x"),), None),
    ],
)
def test_a_job_with_a_token_gets_no_mirror_of_the_hub(
    plain: tuple[tuple[str, str], ...], secrets: tuple[tuple[str, str], ...], hub: tuple[str, str] | None
) -> None:
    env = (("A", "1"), ("HF_ENDPOINT", "https://hub.example"))
    host = Host("a", "a", mirror=Mirror("m", hf="https://hub.example"), env=env)
    found = own_variables(host, Variables(plain, secrets, ()))
    assert found == (env if hub else env[:1])


def test_a_hub_that_the_user_names_stays() -> None:
    env = (("HF_ENDPOINT", "https://ours.example"),)
    host = Host("a", "a", mirror=Mirror("m", hf="https://hub.example"), env=env)
    assert own_variables(host, Variables((("HF_TOKEN", "x"),), (), ())) == env
