"""Which value a host has where several levels say one."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.errors import BadFileError, UsageError
from provision.inventory import AliasValues, hop_name, parse_inventory
from provision.model.host import Expect, Provider

TEXT = """
version: 1
defaults: {user: everyone, port: 1000, workdir: ~/all, mirrors: tuna, env: {A: defaults, B: defaults}}
hosts:
  own: {address: own.example, user: mine, port: 2222, workdir: ~/own, mirrors: none, env: {A: host}, expect: {gpus: 2}}
  grouped: {address: grouped.example}
  aliased: {ssh: work, port: 2022}
  lonely: {address: "[2001:db8::1]", jump: none, provider: {cloud: aws, instance: i-1}}
groups:
  first:
    hosts: ["own", "grouped", "aliased"]
    user: first
    workdir: ~/first
    expect: {gpus: 1, model: A10}
    mirrors: ustc
  second: {hosts: [grouped, "al*"], user: second, port: 22222, env: {B: second, C: second}, jump: [hop, hop2]}
  plain: ["*"]
"""
INVENTORY = parse_inventory(TEXT)


def test_the_host_wins_over_everything() -> None:
    host = INVENTORY.resolve("own", AliasValues(user="alias", port=1))
    assert (host.user, host.port, host.workdir, host.mirror) == ("mine", 2222, "~/own", None)
    assert host.expect == Expect(gpus=2, model="A10")
    assert host.env == (("A", "host"), ("B", "defaults"))


def test_later_groups_win_over_earlier_ones_and_these_over_defaults() -> None:
    host = INVENTORY.resolve("grouped")
    assert (host.user, host.port, host.workdir) == ("second", 22222, "~/first")
    hub = ("HF_ENDPOINT", "https://hf-mirror.com")
    assert host.env == (("A", "defaults"), ("B", "second"), ("C", "second"), hub)
    assert host.groups == ("first", "second", "plain")
    assert host.jump == ("hop", "hop2")
    assert host.mirror is not None
    assert host.mirror.name == "ustc"


def test_the_alias_stands_between_the_host_and_its_groups() -> None:
    alias = AliasValues(hostname="203.0.113.7", user="from-ssh", port=22, identity_files=("~/.ssh/a", "~/.ssh/b"))
    host = INVENTORY.resolve("aliased", alias)
    assert (host.address, host.user, host.port) == ("203.0.113.7", "from-ssh", 2022)
    assert host.identity_file == str(Path("~/.ssh/a").expanduser())
    assert (host.ssh, INVENTORY.alias_of("aliased"), INVENTORY.alias_of("own")) == ("work", "work", None)


def test_the_way_to_a_host_is_taken_from_one_level_as_a_whole() -> None:
    host = INVENTORY.resolve("aliased", AliasValues(proxy_command="nc %h %p"))
    assert (host.jump, host.proxy_command) == ((), "nc %h %p")
    assert INVENTORY.resolve("aliased", AliasValues(proxy_jump=("x",))).jump == ("x",)
    assert INVENTORY.resolve("lonely").jump == ()


def test_an_alias_that_says_nothing_leaves_the_address_to_its_name() -> None:
    assert INVENTORY.resolve("aliased", AliasValues()).address == "work"


def test_brackets_of_an_ipv6_address_are_dropped() -> None:
    host = INVENTORY.resolve("lonely")
    assert (host.address, host.port, host.user) == ("2001:db8::1", 1000, "everyone")
    assert host.provider == Provider("aws", None, "i-1")


def test_what_nobody_says_has_a_default() -> None:
    host = parse_inventory("version: 1\nhosts: {a: {address: a}}").resolve("a")
    assert (host.user, host.port, host.state_dir, host.workdir, host.playbook) == (
        None, 22, "~/.provision", "~/work", "gpu"
    )  # fmt: skip
    assert host.target == "a (a:22)"


def test_a_relative_key_is_seen_from_the_inventory() -> None:
    path = Path("/srv/team/hosts.yaml")
    inventory = parse_inventory("version: 1\nhosts: {a: {address: a, identity_file: keys/a}}", path=path)
    assert inventory.resolve("a").identity_file == "/srv/team/keys/a"


def test_a_jump_host_is_a_host_of_the_inventory_or_an_alias() -> None:
    assert INVENTORY.resolve_hop("own").port == 2222
    hop = INVENTORY.resolve_hop("bastion", AliasValues(hostname="b.example", port=23, proxy_jump=("z",)))
    assert (hop.name, hop.address, hop.port, hop.jump, hop.ssh) == ("bastion", "b.example", 23, ("z",), "bastion")


@pytest.mark.parametrize(
    ("hop", "user", "name", "port"),
    [
        ("bastion", None, "bastion", 22),
        ("me@bastion.example:2222", "me", "bastion.example", 2222),
        ("ssh://me@bastion:2222", "me", "bastion", 2222),
        ("[2001:db8::1]:2222", None, "2001:db8::1", 2222),
        ("2001:db8::1", None, "2001:db8::1", 22),
        ("other@own", "other", "own", 2222),
    ],
)
def test_a_hop_is_understood_as_ssh_config_writes_it(hop: str, user: str | None, name: str, port: int) -> None:
    host = INVENTORY.resolve_hop(hop)
    assert (host.user, host.name, host.port, hop_name(hop)) == (user, name, port, name)


def test_an_unknown_host_is_refused_with_a_near_match() -> None:
    with pytest.raises(UsageError, match=r"no host 'gruoped', did you mean 'grouped'\?"):
        INVENTORY.resolve("gruoped")


def test_jump_hosts_set_by_a_group_may_not_lead_back() -> None:
    text = "version: 1\nhosts: {a: {address: a}, b: {address: b}}\ngroups: {g: {hosts: ['*'], jump: b}}"
    with pytest.raises(UsageError, match="b -> b"):
        parse_inventory(text)


def test_own_mirrors_win_over_shipped_ones() -> None:
    text = (
        "version: 1\nhosts: {a: {address: a, mirrors: china}}\n"
        "mirrors: {china: {pip: 'http://m.example/simple/', channels: {defaults: ['https://m/main', 'https://m/r']}}}"
    )
    mirror = parse_inventory(text).resolve("a").mirror
    assert mirror is not None
    assert (mirror.pip, mirror.installer) == ("http://m.example/simple", None)
    assert mirror.channels == (("defaults", "https://m/main"), ("defaults", "https://m/r"))


def test_a_fleet_of_five_thousand_hosts_is_taken() -> None:
    fields = "{address: 203.0.113.5, port: 2222, user: ubuntu, identity_file: ~/.ssh/id_ed25519}"
    names = [f"gpu-{number:04}" for number in range(5000)]
    text = "version: 1\nhosts:\n" + "".join(f"  {name}: {fields}\n" for name in names)
    text += "groups:\n  train:\n    port: 23\n    hosts:\n" + "".join(f"    - {name}\n" for name in names)
    inventory = parse_inventory(text + "  odd: ['gpu-*1', gpu-0002]\n")
    assert inventory.select(["train"]) == tuple(names)
    assert inventory.groups_of("gpu-0001") == ("train", "odd")
    assert inventory.groups_of("gpu-0002") == ("train", "odd")
    assert inventory.groups_of("gpu-4000") == ("train",)
    assert inventory.resolve("gpu-4999").port == 2222


def test_of_very_many_problems_the_first_ones_are_told() -> None:
    text = "version: 1\nhosts:\n" + "".join(f"  h{number}: {{adress: x}}\n" for number in range(5000))
    with pytest.raises(BadFileError) as refused:
        parse_inventory(text)
    assert refused.value.message.endswith("did you mean 'address'? (and at least 199 more problems)")
    assert (refused.value.detail or "").count("\n") == 199


@pytest.mark.parametrize(
    ("env", "hub"),
    [
        ("{}", "https://hub.example"),
        ("{HF_ENDPOINT: 'https://ours.example'}", "https://ours.example"),
        ("{HF_TOKEN: x}", None),
    ],
)
def test_a_mirror_names_the_hub_of_models_unless_a_token_would_be_sent_to_it(env: str, hub: str | None) -> None:
    text = f"version: 1\nhosts: {{a: {{address: a, mirrors: m, env: {env}}}}}\nmirrors: {{m: {{hf: 'https://hub.example'}}}}"
    assert dict(parse_inventory(text).resolve("a").env).get("HF_ENDPOINT") == hub
