"""hosts.example.yaml is the manual: it loads, and it leaves no setting out."""

from __future__ import annotations

import dataclasses
import re
import typing
from pathlib import Path
from typing import Any

from provision.decode.convert import fields_of
from provision.inventory import parse_inventory
from provision.inventory.mirrors import HELP, SHIPPED, SOURCES
from provision.inventory.schema import InventoryFile

EXAMPLE = Path(__file__).parents[3] / "hosts.example.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")


def keys_of(kind: Any) -> set[str]:
    """Return every key that an annotation allows, at any depth."""
    found: set[str] = set()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        for key, (_, annotation) in fields_of(kind).items():
            found |= {key} | keys_of(annotation)
    for one in typing.get_args(kind):
        found |= keys_of(one)
    return found


def test_the_example_loads() -> None:
    inventory = parse_inventory(TEXT)
    assert inventory.select([]) == ("gpu-box",)
    assert inventory.resolve("gpu-box").mirror == SHIPPED["china"]


def test_the_example_loads_with_its_sources_too() -> None:
    with_sources = re.sub(r"^# (?=sources:|  - \{cloud)", "", TEXT, flags=re.MULTILINE)
    assert len(parse_inventory(with_sources).file.sources) == 3


def test_the_example_mentions_every_setting() -> None:
    keys = keys_of(InventoryFile)
    assert len(keys) > 35
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}:", TEXT)] == []


def test_the_first_line_names_a_schema_that_is_there() -> None:
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", TEXT)
    assert found is not None
    assert (EXAMPLE.parent / found[1]).is_file()


def test_every_shipped_mirror_is_https_and_says_where_to_look_it_up() -> None:
    assert set(SHIPPED) == {*HELP, "china"}
    assert SHIPPED["china"].channels == SHIPPED["tuna"].channels
    assert {"layout", "nvidia"} <= set(SOURCES)
    for mirror in SHIPPED.values():
        urls = [mirror.installer, mirror.pip, *(url for _, url in mirror.channels)]
        assert all(url and url.startswith("https://") and not url.endswith("/") for url in urls)
        assert {"defaults", "conda-forge", "pytorch", "nvidia"} <= {name for name, _ in mirror.channels}
