"""The values that everything else speaks of: what they answer about themselves."""

from __future__ import annotations

import pytest

from provision.model.facts import Generation
from provision.model.host import Host
from provision.model.plan import Finding, Later, Plan, Severity, Step
from tests.facts_builder import PREFIX, STATE, conda, conda_record, environment, facts, generation

WARNING = Finding("W", Severity.WARNING, "odd")
ERROR = Finding("E", Severity.ERROR, "bad")


@pytest.mark.parametrize(
    ("findings", "blocked"),
    [((), False), ((WARNING,), False), ((WARNING, ERROR), True)],
    ids=["none", "warning", "error"],
)
def test_only_an_error_forbids_to_begin(findings: tuple[Finding, ...], blocked: bool) -> None:
    assert Plan((Step("s", "r", Later()),), findings).blocked is blocked


@pytest.mark.parametrize(("name", "counter"), [("1-aa", 1), ("12-aa-bb", 12), ("x-aa", 0), ("", 0), ("7", 7)])
def test_a_generation_counts_by_what_stands_before_its_dash(name: str, counter: int) -> None:
    assert Generation(name, None, None, None).counter == counter


def test_facts_answer_by_whole_names_and_with_nothing_for_what_is_absent() -> None:
    seen = facts(
        condas=(conda(),),
        environments=(environment(generation("1-aa", "aa"), current="1-aa"),),
        records=(conda_record(),),
    )
    assert seen.conda(PREFIX) == conda()
    assert seen.conda(f"{PREFIX}/") is None
    assert seen.environment("mymodel", "mymodel") == seen.environments[0]
    assert seen.environment("mymodel", "other") is None
    assert seen.record("none") is None
    assert seen.disk(STATE) is not None
    assert seen.environments[0].find(None) is None
    assert seen.environments[0].find("1-aa") == generation("1-aa", "aa")


@pytest.mark.parametrize(
    ("address", "user", "shown"),
    [
        ("192.0.2.1", "ubuntu", "box (ubuntu@192.0.2.1:22)"),
        ("2001:db8::1", None, "box ([2001:db8::1]:22)"),
    ],
)
def test_a_host_is_shown_with_its_login_and_address(address: str, user: str | None, shown: str) -> None:
    assert Host("box", address, user=user).target == shown
