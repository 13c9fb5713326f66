"""A file of ours is edited line by line: what a person wrote around the lines stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.environment.export_edit import edited
from provision.environment.export_file import Entry, Export

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = """\
# What the team trains with.
name: mymodel
channels:
  - conda-forge  # the only one
dependencies:
  # the language
  - python=3.11   # not 3.12: apex
  - "numpy<2"

  - pip
  - pip:
      # wheels
      - -i https://example.com/simple
      - rich>=13  # pretty
variables:
  OMP_NUM_THREADS: '8'  # as many as cores
"""


def lines_of(text: str) -> tuple[str, ...]:
    included = {"-r more.txt": ("rich>=13", "tqdm"), "-c limits.txt": ()}
    return included.get(text, (text.replace("-i ", "--index-url "),))


def entries(*texts: str | tuple[str, str]) -> tuple[Entry, ...]:
    return tuple(Entry(one, one) if isinstance(one, str) else Entry(one[1], one[0] or None) for one in texts)


def wanted(
    dependencies: Iterable[str | tuple[str, str]] = ("python=3.11", "numpy<2", "pip"),
    pip: Iterable[str | tuple[str, str]] = ("--index-url https://example.com/simple", "rich>=13"),
    channels: Iterable[str | tuple[str, str]] = ("conda-forge",),
    variables: tuple[tuple[str, str], ...] = (("OMP_NUM_THREADS", "8"),),
    withheld: tuple[str, ...] = (),
) -> Export:
    return Export("mymodel", entries(*channels), entries(*dependencies), entries(*pip), variables, withheld)


def test_a_file_that_says_it_already_stays_as_it_is_to_the_byte() -> None:
    assert edited(FILE, wanted(), lines_of) == FILE


def test_changed_lines_keep_their_comments_and_new_ones_follow_at_the_end_of_their_list() -> None:
    export = wanted(
        dependencies=(("python=3.11", "python==3.11.4"), ("numpy<2", "numpy==2.0.1"), "pip", ("", "scipy==1.14")),
        pip=("--index-url https://example.com/simple", ("rich>=13", "rich==13.7"), ("", "tqdm==4.66")),
        channels=("conda-forge", ("", "nvidia")),
        variables=(("NCCL_DEBUG", "WARN"), ("OMP_NUM_THREADS", "16")),
    )
    assert (
        edited(FILE, export, lines_of)
        == """\
# What the team trains with.
name: mymodel
channels:
  - conda-forge  # the only one
  - nvidia
dependencies:
  # the language
  - python==3.11.4   # not 3.12: apex
  - numpy==2.0.1

  - pip
  - scipy==1.14
  - pip:
      # wheels
      - -i https://example.com/simple
      - rich==13.7  # pretty
      - tqdm==4.66
variables:
  OMP_NUM_THREADS: "16"  # as many as cores
  NCCL_DEBUG: "WARN"
"""
    )


def test_lines_that_stand_for_nothing_go_with_their_lists_where_those_become_empty() -> None:
    export = wanted(dependencies=("python=3.11", "pip"), pip=(), variables=())
    text = edited(FILE, export, lines_of)
    assert text is not None
    assert "numpy" not in text
    assert "- pip:" not in text
    assert "variables:" not in text
    assert "# the language" in text


def test_a_prefix_goes_and_the_name_of_condas_own_environment_becomes_ours() -> None:
    text = edited(FILE.replace("name: mymodel", "name: base") + "prefix: /home/u/miniconda3\n", wanted(), lines_of)
    assert text == FILE


def test_a_secret_becomes_a_comment() -> None:
    text = edited(FILE + "  HF_TOKEN: abc\n", wanted(withheld=("HF_TOKEN",)), lines_of)
    assert text == FILE + "  # HF_TOKEN: left out, as it looks secret\n"
    assert edited(FILE, wanted(withheld=("HF_TOKEN",)), lines_of) == FILE + "# HF_TOKEN: left out, as it looks secret\n"


def test_an_included_file_is_not_there_elsewhere_so_its_lines_take_its_place() -> None:
    before = FILE.replace("rich>=13  # pretty", "-r more.txt  # shared\n      - -c limits.txt")
    export = wanted(pip=("--index-url https://example.com/simple", "rich>=13", "tqdm"))
    text = edited(before, export, lines_of)
    assert text == FILE.replace("rich>=13  # pretty", "rich>=13  # shared\n      - tqdm\n      - -c limits.txt")


def test_what_a_file_does_not_have_yet_gets_its_own_list() -> None:
    text = edited("dependencies:\n- python\n- pip\n", wanted(("python", "pip"), ("rich",), ("nvidia",)), lines_of)
    assert text == (
        "channels:\n  - nvidia\ndependencies:\n- python\n- pip\n- pip:\n    - rich\n"
        'variables:\n  OMP_NUM_THREADS: "8"\n'
    )


def test_channels_in_brackets_stay_in_brackets() -> None:
    before = FILE.replace("\n  - conda-forge  # the only one", " [conda-forge, nodefaults]  # the only one")
    text = edited(before, wanted(channels=("conda-forge", ("", "nvidia"))), lines_of)
    assert text == before.replace("[conda-forge, nodefaults]", "[nodefaults, conda-forge, nvidia]")


@pytest.mark.parametrize(
    "text",
    [
        '{"dependencies": ["python=3.11", "numpy<2", "pip", {"pip": ["rich"]}]}',
        "dependencies: [python=3.11, numpy<2]\n",
        "dependencies:\n  - >-\n    python=3.11\n  - numpy<2\n",
        "dependencies: []\n",
        "dependencies:\n  - python=3.11\n variables: x: y\n",
        "- python\n",
    ],
)
def test_another_layout_is_not_edited(text: str) -> None:
    export = wanted(dependencies=(("python=3.11", "python=3.12"), "numpy<2"), pip=(), variables=())
    assert edited(text, export, lines_of) is None
