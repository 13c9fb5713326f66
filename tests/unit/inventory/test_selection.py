"""Which hosts the words of a command line mean."""

from __future__ import annotations

import pytest

from provision.errors import UsageError
from provision.inventory import parse_inventory
from provision.inventory.inventory import EMPTY

INVENTORY = parse_inventory(
    "version: 1\nhosts: {gpu-1: {address: a}, gpu-2: {address: b}, cpu: {address: c}}\ngroups: {train: [gpu-2, gpu-1]}"
)


@pytest.mark.parametrize(
    ("words", "hosts"),
    [
        (["gpu-2", "gpu-1"], ("gpu-1", "gpu-2")),
        (["train"], ("gpu-1", "gpu-2")),
        (["gpu-*"], ("gpu-1", "gpu-2")),
        (["all"], ("gpu-1", "gpu-2", "cpu")),
        (["all", "!cpu"], ("gpu-1", "gpu-2")),
        (["!train"], ("cpu",)),
        (["gpu-1", "train", "gpu-1"], ("gpu-1", "gpu-2")),
        (["[gc]pu*", "!gpu-2"], ("gpu-1", "cpu")),
    ],
)
def test_words_mean_hosts_in_the_order_of_the_file(words: list[str], hosts: tuple[str, ...]) -> None:
    assert INVENTORY.select(words) == hosts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gpu-3"], "'gpu-3' is neither a host nor a group of the inventory, did you mean 'gpu-2'?"),
        (["tpu-*"], "no host in the inventory matches 'tpu-*': it has gpu-1, gpu-2, cpu"),
        (["cpu", "!cpu"], "cpu !cpu: no host is left"),
        ([], "which host? the inventory has 3: gpu-1, gpu-2, cpu"),
        (["gpu-1", "\x1b31m"], "'\\x1b31m' is neither a host nor a group of the inventory: it has gpu-1, gpu-2, cpu"),
    ],
)
def test_a_word_without_a_host_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        INVENTORY.select(words)
    assert refused.value.message == said


def test_an_ssh_target_is_refused_with_the_line_to_type() -> None:
    with pytest.raises(UsageError) as refused:
        INVENTORY.select(["root@connect.example"])
    assert refused.value.hint == "add it once: provision hosts add connect 'ssh root@connect.example'"
    with pytest.raises(UsageError) as refused:
        INVENTORY.select(["my-alias-of-ssh"])
    assert refused.value.hint == "add it once: provision hosts add NAME 'ssh my-alias-of-ssh'"


def test_without_words_the_default_or_the_only_host_is_meant() -> None:
    assert INVENTORY.select([], project_default="cpu") == ("cpu",)
    assert parse_inventory("version: 1\nhosts: {a: {address: a}}").select([]) == ("a",)
    assert parse_inventory("version: 1\ndefault: b\nhosts: {a: {address: a}, b: {address: b}}").select([]) == ("b",)
    with pytest.raises(UsageError, match="the default host 'x' is not in"):
        INVENTORY.select([], project_default="x")


def test_an_empty_inventory_says_how_to_add_a_host() -> None:
    with pytest.raises(UsageError) as refused:
        EMPTY.select(["all"])
    assert "provision hosts add" in (refused.value.hint or "")


def test_sources_add_no_host_by_themselves() -> None:
    inventory = parse_inventory("version: 1\nhosts: {a: {address: a}}\nsources: [{cloud: aws, regions: [us-east-1]}]")
    assert inventory.has_sources
    assert inventory.select(["all"]) == ("a",)
