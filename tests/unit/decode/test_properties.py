"""Laws of reading: nothing but `BadFileError` comes out, and what was written is what is read."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from provision.decode import parse, printable
from provision.environment.spec import load_spec
from provision.errors import BadFileError
from provision.inventory import parse_inventory
from provision.playbook.files import parse_playbook

if TYPE_CHECKING:
    from collections.abc import Callable

YAMLISH = st.text(alphabet=st.sampled_from(list("abz01:-[]{}#&*!|>%@`'\",? \n\t\r~<=.\\\u202e\x00é")), max_size=80)
STARTS = st.sampled_from(["", "version: 1\nhosts:\n  a: ", "tasks:\n  - ", "dependencies:\n  - ", "hosts: {a: {port: "])
SAFE = st.text(st.characters(blacklist_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")), max_size=30)


def refusal(read: Callable[[], object]) -> str:
    """Return why a reader refuses, or nothing; any other exception is a failure of the test."""
    try:
        read()
    except BadFileError as error:
        return error.message
    return ""


@given(start=STARTS, text=YAMLISH)
@example(start="", text="a: 'b\n")
@example(start="", text="%YAML 3.0\n---\n")
@example(start="", text="? a\n: b\n")
@example(start="", text='"\\x')
def test_no_text_makes_a_reader_do_anything_but_refuse(start: str, text: str) -> None:
    for read in (parse_inventory, parse_playbook):
        said = refusal(partial(read, start + text, "x.yaml"))
        assert said.startswith("x.yaml" if said else "")
        assert said.isprintable()


@given(data=st.binary(max_size=60))
def test_no_bytes_make_a_reader_do_anything_but_refuse(data: bytes) -> None:
    assert refusal(partial(parse, data, "x.yaml")).isprintable()


@given(start=st.sampled_from(["", "dependencies:\n  - ", "dependencies:\n  - pip:\n    - "]), text=YAMLISH)
def test_no_environment_file_makes_its_reader_do_anything_but_refuse(start: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("environment.yml", "requirements.txt"):
            path = Path(folder) / name
            path.write_bytes((start + text).encode())
            assert refusal(partial(load_spec, path, "demo", Path(folder))).isprintable()


@given(values=st.dictionaries(SAFE, SAFE | st.lists(SAFE, max_size=3), max_size=5))
def test_json_is_read_as_it_was_written(values: dict[str, str | list[str]]) -> None:
    document = parse(json.dumps(values, ensure_ascii=False), "x.json")
    read = document.decode(dict[str, str | tuple[str, ...]])
    assert read == {key: value if isinstance(value, str) else tuple(value) for key, value in values.items()}


@given(text=st.text(max_size=200), limit=st.integers(10, 100))
def test_whatever_is_shown_is_printable_and_within_its_limit(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert not any(character in shown for character in "\x00\x1b\n\r\t\u202e\u200b\u2028")
