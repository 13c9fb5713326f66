"""conda's names of Python distributions: one table, for the solver, the venv and the host alike."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name

from provision.environment.names import FROM_CONDA, distribution_of


@pytest.mark.parametrize(
    ("conda", "distribution"),
    [
        ("pytorch", "torch"),
        ("pytorch-gpu", "torch"),
        ("py-opencv", "opencv-python"),
        ("matplotlib-base", "matplotlib"),
        ("PyTables", "tables"),
        ("numpy", "numpy"),
        ("typing_extensions", "typing-extensions"),
        ("ruamel.yaml", "ruamel-yaml"),
    ],
)
def test_a_package_is_known_by_the_name_that_pip_gives_it(conda: str, distribution: str) -> None:
    assert distribution_of(conda) == distribution


def test_the_table_holds_only_what_differs_in_normal_form() -> None:
    assert [one for one in FROM_CONDA if one != one.lower()] == []
    assert [name for name in FROM_CONDA.values() if name != canonicalize_name(name)] == []
    assert [one for one, name in FROM_CONDA.items() if canonicalize_name(one) == name] == []
    assert not set(FROM_CONDA.values()) & set(FROM_CONDA), "a name of pip's that is another package of conda's"
