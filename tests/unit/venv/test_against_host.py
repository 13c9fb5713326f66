"""The venv beside the environment of a host."""

from __future__ import annotations

from dataclasses import replace

from provision.environment.listing import CondaPackage, Listing, PipPackage
from provision.venv.against_host import judge_host, judge_pythons
from provision.venv.imports import Import, Source
from provision.venv.modules import Modules
from provision.venv.remark import Level, Remark
from tests.unit.venv.made import MARKERS, listing


def judged(here: Listing, there: Listing, *imports: str, declared: frozenset[str] = frozenset()) -> dict[str, Remark]:
    source = Source(tuple(Import(one, f"{one}.py:1", aside=False) for one in imports), 1)
    return {one.check: one for one in judge_host(here, there, source, Modules(), declared)}


def test_the_same_on_both_sides_is_well() -> None:
    found = judged(listing("numpy==2.1", "pip==24"), listing("NumPy==2.1", "pip==25"))
    assert [(one.check, one.level) for one in found.values()] == [("host", Level.OK)]


def test_an_import_that_is_not_there_is_a_problem() -> None:
    found = judged(listing("pyyaml==6"), listing("numpy==2"), "yaml", "numpy")
    assert found["host-imports"].names == ("yaml (yaml.py:1)",)
    assert found["host-imports"].level is Level.PROBLEM


def test_versions_that_the_project_asked_for_are_advice_and_others_are_only_told() -> None:
    found = judged(
        listing("numpy==2.1", "urllib3==2.2", "einops==0.7"),
        listing("numpy==1.26", "urllib3==2.3", "einops==0.8"),
        "einops",
        declared=frozenset({"numpy"}),
    )
    assert found["host-versions"].names == ("einops 0.7 here, 0.8 there", "numpy 2.1 here, 1.26 there")
    assert found["host-versions-others"].level is Level.OK
    assert found["host-versions-others"].names == ("urllib3 2.2 here, 2.3 there",)


def test_a_build_for_the_cpu_here_and_for_cuda_there_is_no_difference() -> None:
    found = judged(listing("torch==2.4.0+cpu"), listing("torch==2.4.0"), declared=frozenset({"torch"}))
    assert "host-versions" not in found


def test_what_only_one_side_has_is_told() -> None:
    found = judged(listing("wandb==1", "x==1"), listing("cuda-python==12"), declared=frozenset({"wandb"}))
    assert found["host-lacks"].names == ("wandb",)
    assert found["host-only"].names == ("x", "cuda-python")


def test_a_conda_package_without_metadata_counts_by_its_name() -> None:
    there = Listing(conda=(CondaPackage("pytorch", "2.4.0", "cuda_0"), CondaPackage("libcublas", "12", "0")))
    found = judged(listing("torch==2.4.0"), there, "torch")
    assert "host-imports" not in found
    assert "host-only" not in found


def test_the_project_itself_installed_where_it_stands_is_not_compared() -> None:
    here = Listing(pip=(PipPackage("mymodel", "0.1", editable=True),), markers=MARKERS)
    assert "host-only" not in judged(here, listing())


def test_another_series_of_python_is_advice_and_another_patch_is_not() -> None:
    here = listing()
    there = replace(here, markers={**MARKERS, "python_full_version": "3.12.1"})
    (found,) = judge_pythons(here, there)
    assert (found.level, found.text) == (Level.ADVICE, "Python 3.11.7 here, 3.12.1 there")
    (found,) = judge_pythons(here, replace(here, markers={**MARKERS, "python_full_version": "3.11.9"}))
    assert found.level is Level.OK
    assert list(judge_pythons(here, Listing())) == []
