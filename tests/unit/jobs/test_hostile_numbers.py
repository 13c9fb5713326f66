"""Numbers that no clock and no driver tells: they are refused or left out, and nothing breaks of them."""

from __future__ import annotations

from typing import Any

import pytest

from provision.jobs.listing import listed_of
from provision.jobs.messages import JobMessageError, object_of


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_json_number_is_refused(number: bytes) -> None:
    with pytest.raises(JobMessageError, match="is no number"):
        object_of(b'{"now": %s}' % number)


@pytest.mark.parametrize("now", [float("inf"), float("nan"), -1.0, 10**400, True, "1", None])
def test_a_time_that_is_none_is_no_list_of_jobs(now: Any) -> None:
    with pytest.raises(JobMessageError, match="list of jobs"):
        listed_of({"now": now, "jobs": []})


def test_a_number_beyond_all_floats_does_not_pass_as_a_time() -> None:
    with pytest.raises(JobMessageError):
        listed_of(object_of(b'{"now": 1e999, "jobs": []}'))
