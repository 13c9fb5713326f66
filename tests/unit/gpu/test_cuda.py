"""Which CUDA a driver serves, and how versions compare."""

from __future__ import annotations

import pytest

from provision.gpu.cuda import Fit, fit, newest_cuda, toolkits
from provision.gpu.names import is_model
from provision.gpu.tables import table
from provision.gpu.versions import check_condition, parse_version, satisfies


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("550.54.14", "12.4"),
        ("550.54.13", "12.3"),
        ("550.127.05", "12.4"),
        ("610.43.02", "13.2"),
        ("455.23", "11.1"),
        ("440.33.01", None),
        ("", None),
        ("N/A", None),
    ],
)
def test_the_newest_cuda_is_that_of_the_last_row_the_driver_reaches(driver: str, cuda: str | None) -> None:
    assert newest_cuda(driver) == cuda


@pytest.mark.parametrize(
    ("toolkit", "driver", "fits"),
    [
        ("12.4", "550.54.14", Fit.FULL),
        ("12.4", "535.129.03", Fit.LIMITED),
        ("12.4", "525.60.13", Fit.LIMITED),
        ("12.4", "525.60.12", Fit.NONE),
        ("13.0", "575.51.03", Fit.NONE),
        ("11.8", "450.80.02", Fit.LIMITED),
        ("12.4.1", "550.54.14", Fit.FULL),
        ("10.2", "550.54.14", Fit.UNKNOWN),
        ("newest", "550.54.14", Fit.UNKNOWN),
    ],
)
def test_a_toolkit_fits_a_driver_in_full_in_part_or_not(toolkit: str, driver: str, fits: Fit) -> None:
    assert fit(toolkit, driver) is fits


def test_the_tables_go_down_and_every_toolkit_has_a_floor() -> None:
    drivers = [parse_version(driver) for _, driver in toolkits()]
    assert drivers == sorted(drivers, reverse=True)
    assert {parse_version(toolkit)[0] for toolkit, _ in toolkits()} == {int(one) for one in table("toolkits")["floors"]}


@pytest.mark.parametrize(
    ("version", "condition", "met"),
    [
        ("550.54.14", ">=550", True),
        ("550.54.14", ">=550.54,<580", True),
        ("550.54", ">=550.9", True),
        ("1000.1", ">=999", True),
        ("550.0", "==550", True),
        ("550.54", "==550", False),
        ("550.54.14", "550", True),
        ("550.54.14", "550.54", True),
        ("550.54.14", "==550.*", True),
        ("560.1", "!=550.*", True),
        ("580.65.06", "<580", False),
    ],
)
def test_versions_are_compared_whole(version: str, condition: str, met: bool) -> None:
    assert satisfies(version, condition) is met


@pytest.mark.parametrize("condition", ["", "new", ">=", ">=550,", ">=550.*", "=>550", "~=550", "550 560"])
def test_a_condition_that_cannot_be_read_is_refused(condition: str) -> None:
    with pytest.raises(ValueError, match="not a comparison"):
        check_condition(condition)


@pytest.mark.parametrize(
    ("name", "wanted", "same"),
    [
        ("NVIDIA A100-SXM4-80GB", "A10", False),
        ("NVIDIA A100-SXM4-80GB", "a100", True),
        ("NVIDIA A100 80GB PCIe", "A100 80GB", True),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB", True),
        ("NVIDIA GeForce RTX 4090", "rtx4090", True),
        ("NVIDIA L40S", "L40", False),
        ("NVIDIA A10", "", False),
        ("", "A10", False),
    ],
)
def test_a_model_is_compared_by_whole_words(name: str, wanted: str, same: bool) -> None:
    assert is_model(name, wanted) is same
