"""Laws of an export: the file says what it was to say, and what is built from it exports the same again."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from provision.environment.export import Built, export
from provision.environment.export_edit import edited
from provision.environment.export_file import Export, Pin
from provision.environment.export_text import written
from provision.environment.listing import CondaPackage, Listing, PipPackage
from provision.environment.matchspec import parse
from provision.environment.requirement import requirements
from provision.environment.spec import load_spec

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}([._-][a-z0-9]{1,4})?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,3}){0,3}(rc1|\.post1|a2)?", fullmatch=True)
BUILDS = st.from_regex(r"(py311|h[0-9a-f]{4}|cuda126)_[0-9]", fullmatch=True)
CHANNELS = st.sampled_from(
    ["https://conda.anaconda.org/conda-forge", "https://repo.anaconda.com/pkgs/main", "https://conda.example.com/team"]
)
VALUES = st.text(st.characters(blacklist_categories=("C", "Z")), max_size=12)
MARKERS = {"python_version": "3.11", "sys_platform": "linux"}


@st.composite
def conda_packages(draw: st.DrawFn) -> tuple[CondaPackage, ...]:
    found = [CondaPackage("python", "3.11.4", "h1_0", asked=("python",)), CondaPackage("pip", "24.0", "h1_0")]
    for name in draw(st.lists(NAMES.filter(lambda one: one not in {"python", "pip"}), max_size=6, unique=True)):
        version = draw(VERSIONS)
        asked = draw(st.sampled_from([(), (name,), (f"{name}=={version}",), (f"{name}>=99",)]))
        found.append(CondaPackage(name, version, draw(BUILDS), asked=asked))
    return tuple(
        replace(one, url=f"{draw(CHANNELS)}/linux-64/{one.name}-{one.version}-{one.build}.conda") for one in found
    )


@st.composite
def pip_packages(draw: st.DrawFn) -> tuple[PipPackage, ...]:
    found = []
    for name in draw(st.lists(NAMES, max_size=5, unique_by=lambda one: re.sub("[._-]", "-", one))):
        origin = draw(
            st.sampled_from(
                [(None, None), ("https://example.com/a.whl", None), ("https://example.com/a.git", "0" * 40)]
            )
        )
        found.append(
            PipPackage(name, draw(VERSIONS), "pip", origin[0], commit=origin[1], requested=draw(st.booleans()))
        )
    return tuple(found)


@st.composite
def builds(draw: st.DrawFn) -> Built:
    conda, pip = draw(conda_packages()), draw(pip_packages())
    wishes = [draw(st.sampled_from([one.name, f"{one.name}=={one.version}", f"{one.name}<0"])) for one in conda[2:]]
    lines = [draw(st.sampled_from([one.name, f"{one.name}>=0", f"{one.name}>99999"])) for one in pip]
    asked: dict[str, Any] = {
        "channels": draw(st.lists(st.sampled_from(["conda-forge", "nvidia", "defaults"]), unique=True)),
        "dependencies": [
            "python",
            "pip",
            *draw(st.lists(st.sampled_from(wishes), unique=True) if wishes else st.just([])),
        ],
        "pip": ["--pre", *(draw(st.lists(st.sampled_from(lines), unique=True) if lines else st.just([])))],
    }
    names = st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True)
    return Built(
        "mymodel",
        Listing(conda, pip, MARKERS),
        draw(st.none() | st.just(asked)),
        draw(st.dictionaries(names, VALUES, max_size=3)),
    )


def built_from(file: Export, before: Built) -> Built:
    """Return the build that brings back what was there, from the file: wishes are recorded as installers do it."""
    conda, pip = ([one.text for one in lines] for lines in (file.dependencies, file.pip))
    wishes = {parse(text).name: text for text in conda}
    named = {one.name for one in requirements(pip)}
    listing = replace(
        before.listing,
        conda=tuple(
            replace(one, asked=(wishes[one.name],) if one.name in wishes else ()) for one in before.listing.conda
        ),
        pip=tuple(replace(one, requested=re.sub("[._-]+", "-", one.name) in named) for one in before.listing.pip),
    )
    asked = {"channels": [one.text for one in file.channels], "dependencies": conda, "pip": pip}
    return Built(before.name, listing, asked, dict(file.variables))


def lines(file: Export) -> tuple[object, ...]:
    parts = (file.channels, file.dependencies, file.pip)
    return (*([one.text for one in part] for part in parts), file.variables)


@given(builds(), st.sampled_from(Pin))
def test_export_build_export_is_a_fixed_point(built: Built, pin: Pin) -> None:
    first = export(built, pin)
    again = export(built_from(first, built), pin)
    assert lines(again) == lines(first)
    assert again.notes == ()
    assert again.withheld == ()
    text = written(first)
    assert edited(text, again, lambda one: (one,)) == text


@given(builds(), st.sampled_from(Pin))
def test_the_written_file_is_read_back_as_what_it_was_to_say(tmp_path_factory: Any, built: Built, pin: Pin) -> None:
    file = export(built, pin)
    folder: Path = tmp_path_factory.mktemp("export")
    path = folder / "environment.yml"
    path.write_text(written(file, ("What a host has.",)))
    spec = load_spec(path, "other", folder)
    assert spec.name == "mymodel"
    assert list(spec.channels) == [one.text for one in file.channels]
    assert list(spec.dependencies) == [one.text for one in file.dependencies]
    assert list(spec.pip) == [one.text for one in file.pip]
    assert spec.variables == file.variables


@given(builds(), st.sampled_from(Pin), st.sampled_from(Pin))
def test_a_file_of_ours_edited_says_what_a_new_one_says(built: Built, first: Pin, second: Pin) -> None:
    text = written(export(built, first), ("Kept.",))
    base = built_from(export(built, first), built)
    wanted = export(base, second)
    result = edited(text, wanted, lambda one: (one,))
    assert result is not None
    assert result.startswith("# Kept.\n")
