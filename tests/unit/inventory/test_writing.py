"""The ssh command of a cloud's console becomes a host of hosts.yaml."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.errors import UsageError
from provision.inventory import parse_inventory
from provision.inventory.schema import HostEntry
from provision.inventory.writing import add_host_text, new_inventory_text, parse_ssh_command


@pytest.mark.parametrize(
    ("command", "entry"),
    [
        ("ssh -p 31893 root@connect.example", HostEntry(address="connect.example", port=31893, user="root")),
        (
            "ssh root@203.0.113.5 -p 12345 -i ~/.ssh/id_ed25519",
            HostEntry(address="203.0.113.5", port=12345, user="root", identity_file="~/.ssh/id_ed25519"),
        ),
        ("ssh my-alias", HostEntry(ssh="my-alias")),
        ("root@gpu.example", HostEntry(address="gpu.example", user="root")),
        (
            "ssh -J bastion,inner -l me [2001:db8::1]",
            HostEntry(address="2001:db8::1", user="me", jump=("bastion", "inner")),
        ),
        (
            "ssh -oPort=23 -o 'User ubuntu' -o IdentityFile=~/k a.b",
            HostEntry(address="a.b", port=23, user="ubuntu", identity_file="~/k"),
        ),
        ("ssh -o ProxyCommand='nc %h %p' a.b", HostEntry(address="a.b", proxy_command="nc %h %p")),
        ("ssh ssh://me@a.b:2200", HostEntry(address="a.b", port=2200, user="me")),
        ("ssh://me@a.b:2200/", HostEntry(address="a.b", port=2200, user="me")),
        ("ssh ssh://me@[2001:db8::1]:2200", HostEntry(address="2001:db8::1", port=2200, user="me")),
        (
            "ssh root@a.b -p 41022 -i 'my key.pem'",
            HostEntry(address="a.b", port=41022, user="root", identity_file="my key.pem"),
        ),
    ],
)
def test_a_pasted_command_is_understood(command: str, entry: HostEntry) -> None:
    assert parse_ssh_command(command) == entry


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ssh -w 0:0 a.b", "'-w' is not taken here (-p, -i, -J, -l and -o are): leave it out"),
        ("ssh a.b rm -rf /", "'rm' follows the destination: leave the remote command out"),
        ("ssh -o StrictHostKeyCheking=no a.b", "not taken here, did you mean 'StrictHostKeyChecking'?"),
        ("ssh -o Tunnel=yes a.b", "'-o Tunnel' is not taken here"),
        ("ssh -F ~/other a.b", "'-F' is not taken here"),
        ("ssh -p 0 a.b", "'0' is not a port"),
        ("ssh -p 99999 a.b", "99999, expected a port from 1 to 65535"),
        ("ssh -p", "'-p' needs a value"),
        ("ssh a.b -L", "'-L' needs a value"),
        ("sshh -p 22 root@h", "'sshh -p 22 root@h' is not an ssh command: it begins with 'sshh'"),
        ("ssh 'a b", "no closing quotation"),
        ("", "names no machine"),
        ("ssh 'a;id.x'", "is not an address"),
        ("ssh '$(id)'", "is not a name"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(command: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_ssh_command(command)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("command", "left_out"),
    [
        ("ssh -p 31893 root@h.example -L 8080:localhost:8080", "-L 8080:localhost:8080"),
        ("ssh -CNg -L6006:127.0.0.1:6006 root@h.example -p 31893", "-C, -N, -g, -L 6006:127.0.0.1:6006"),
        (
            "ssh -N -T -q -t -A -X -vv -D 1080 -R 1:a:2 -p31893 root@h.example",
            "-N, -T, -q, -t, -A, -X, -v, -v, -D 1080",
        ),
        ("ssh -Np 31893 root@h.example", "-N"),
    ],
)
def test_what_does_not_say_which_machine_it_is_is_left_out_with_a_note(command: str, left_out: str) -> None:
    notes: list[str] = []
    assert parse_ssh_command(command, note=notes.append) == HostEntry(address="h.example", port=31893, user="root")
    assert len(notes) == 1
    assert notes[0].startswith(f"left out of the ssh command: {left_out}")
    assert parse_ssh_command(command).port == 31893


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ("-o StrictHostKeyChecking=no", "-o StrictHostKeyChecking=no"),
        ("-oStrictHostKeyChecking=accept-new", "-o StrictHostKeyChecking=accept-new"),
        ("-o 'stricthostkeychecking no'", "-o StrictHostKeyChecking=no"),
        (
            "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "-o StrictHostKeyChecking=no, -o UserKnownHostsFile=/dev/null",
        ),
    ],
)
def test_switching_the_checking_of_host_keys_off_is_not_taken_over_and_said_in_one_line(
    options: str, left_out: str
) -> None:
    for command in (f"ssh {options} -p 31893 root@h.example", f"ssh root@h.example -p 31893 {options}"):
        notes: list[str] = []
        assert parse_ssh_command(command, note=notes.append) == HostEntry(address="h.example", port=31893, user="root")
        assert notes == [f"left out of the ssh command: {left_out} (host keys are always checked)"]


@pytest.mark.parametrize(
    "option",
    [
        "ServerAliveInterval=30",
        "ServerAliveCountMax=3",
        "IdentitiesOnly=yes",
        "ConnectTimeout=10",
        "LogLevel=ERROR",
        "ForwardAgent=yes",
        "LocalForward=8080 localhost:8080",
        "PubkeyAcceptedKeyTypes=+ssh-rsa",
    ],
)
def test_options_that_consoles_show_are_left_out(option: str) -> None:
    notes: list[str] = []
    entry = parse_ssh_command(f"ssh -o '{option}' root@h.example", note=notes.append)
    assert entry == HostEntry(address="h.example", user="root")
    assert notes == [f"left out of the ssh command: -o {option}"]


def test_a_command_that_says_only_what_is_needed_has_no_note() -> None:
    notes: list[str] = []
    parse_ssh_command("ssh -p 31893 root@h.example", note=notes.append)
    assert notes == []


ENTRY = HostEntry(address="203.0.113.5", port=31893, user="root", jump=("hop-1", "hop-2"))


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\n",
        "version: 1\nhosts:\n",
        "version: 1\nhosts: {}  # none yet\ngroups: {}\n",
        "version: 1\nhosts: {q: {ssh: q}}  # comment\n",
        "version: 1\nhosts:\n    q: {ssh: q}   # one\n    # two\n\n# three\ngroups: {g: [q]}\n",
        "hosts:\n  q:\n    ssh: q\n\nversion: 1\n",
        "version: 1\r\nhosts:\r\n  q:\r\n    ssh: q\r\n",
        "version: 1\nhosts:\n  q:\n    ssh: q",
    ],
)
def test_a_host_is_added_and_every_other_line_stays(text: str) -> None:
    after = add_host_text(text, "new-box", ENTRY)
    inventory = parse_inventory(after)
    assert inventory.file.hosts["new-box"] == ENTRY
    assert set(inventory.hosts) - {"new-box"} == set(parse_inventory(text).hosts)
    for line in text.splitlines():
        comment = line.partition("#")[2]
        assert comment in after
        if "{" not in line:
            assert line in after.splitlines()


@pytest.mark.parametrize("text", ["{version: 1, hosts: {a: {ssh: x}}}", "version: 1\nhosts: {\n  a: {ssh: x}\n}\n"])
def test_where_no_place_is_safe_the_lines_to_add_are_shown(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        add_host_text(text, "b", ENTRY)
    assert "    address: 203.0.113.5" in (refused.value.hint or "")


def test_a_name_that_is_taken_or_none_is_refused() -> None:
    text = new_inventory_text({"a": ENTRY})
    for name in ("a", "A"):
        with pytest.raises(UsageError, match="has 'a' already"):
            add_host_text(text, name, ENTRY)
    with pytest.raises(UsageError, match="is not a name"):
        add_host_text(text, "x: {}", ENTRY)
    with pytest.raises(UsageError, match="choose another name"):
        add_host_text(text, "all", ENTRY)


def test_a_new_file_has_its_default() -> None:
    text = new_inventory_text({"no": ENTRY, "b": HostEntry(ssh="b")}, default="no")
    assert text.startswith("version: 1\ndefault: ")
    assert parse_inventory(text).default == "no"


NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}", fullmatch=True).filter(
    lambda name: name.lower() not in {"all", "none"}
)
ENTRIES = st.builds(
    HostEntry,
    address=st.just("a.example"),
    port=st.none() | st.integers(1, 65535),
    user=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,9}", fullmatch=True),
    proxy_command=st.none() | st.sampled_from(["nc %h %p", "a: b # c", "{x}", "'q' \"r\"", "no", "a\\b"]),
)


@given(name=NAMES, entry=ENTRIES)
def test_what_is_written_is_what_is_read(name: str, entry: HostEntry) -> None:
    assert parse_inventory(new_inventory_text({name: entry})).file.hosts == {name: entry}
