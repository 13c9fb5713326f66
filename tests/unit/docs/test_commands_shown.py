"""Every command that a page shows can be typed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from provision.cli.main import COMMANDS
from tests.unit.docs.help_text import all_help, commands
from tests.unit.docs.pages import REPOSITORY, blocks, name, pages, prose

if TYPE_CHECKING:
    from pathlib import Path

_SHELL = ("console", "sh")


def _typed(page: Path) -> list[str]:
    lines = [line for kind in _SHELL for text in blocks(page, kind) for line in text.splitlines()]
    return [line.removeprefix("$ ").strip() for line in lines if not line.lstrip().startswith("#")]


def _words(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        del words[0]
    return words


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_provision_command_in_a_block_has_such_words_and_options(page: Path) -> None:
    for line in _typed(page):
        words = _words(line)
        if words[:1] != ["provision"] or len(words) < 2 or words[1] in {"--help", "--version"}:
            continue
        command = " ".join(words[1:3]) if " ".join(words[1:3]) in commands() else words[1]
        assert command in commands(), f"{name(page)}: {line}"
        own = words[: words.index("--")] if "--" in words else words
        options = [re.split("=", one)[0] for one in own if re.match(r"--?[a-z]", one)]
        for option in options:
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", all_help()[command]), f"{name(page)}: {line}"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_command_in_a_sentence_is_one(page: Path) -> None:
    for word in re.findall(r"`provision\s+([a-z][a-z-]*)", prose(page)):
        assert word in COMMANDS, f"{name(page)}: provision {word}"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_make_target_that_is_shown_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = {words[1] for line in _typed(page) if len(words := _words(line)) > 1 and words[0] == "make"}
    shown |= set(re.findall(r"`make ([a-z]+)`", prose(page)))
    assert shown <= targets


def test_the_readmes_set_up_is_two_commands() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        text = "\n".join(blocks(REPOSITORY / readme, "sh"))
        assert re.search(r"^make demo\b", text, re.MULTILINE)
        assert re.search(r"^make test\b", text, re.MULTILINE)
