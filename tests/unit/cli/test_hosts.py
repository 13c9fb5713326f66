"""`provision hosts` without a host: the table, `add`, and which key `install-key` takes."""

from __future__ import annotations

import io
import itertools
import os
import stat
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provision.cli.fleet_table import CLOUD_COLUMNS, COLUMNS, DROPPED, Row, fitting, plain_lines, rows_of, show
from provision.cli.hosts_key import Answers
from provision.cli.hosts_list import _document
from provision.errors import UsageError
from provision.events import Failure, HostEvent, HostFinished, Judged, Probed
from provision.facts import parse
from provision.inventory import load_inventory
from provision.model.facts import Gpu, GpuFacts, OtherVendor
from provision.model.host import Host
from provision.model.plan import Finding, Outcome, Severity
from provision.report.fold import Report, fold
from provision.ssh.own_keys import find_pair, make_pair, parse_public
from tests.facts_builder import a10, conda, environment, facts, generation, system
from tests.unit.cli.typed import decoded
from tests.unit.facts.probe_text import probe_text

if TYPE_CHECKING:
    from pathlib import Path

    from provision.events import Event
    from provision.model.facts import Facts
    from tests.unit.cli.typed import Desk

HOSTS = """\
version: 1
default: gpu-box   # mine

hosts:
  # rented by the hour
  gpu-box: {address: 203.0.113.10, user: root}

groups:
  train: ["gpu-*"]
"""
UNPROVEN = Finding("GPU-UNPROVEN", Severity.ERROR, "no GPU now")
UNFIT = Finding("GPU-COUNT", Severity.ERROR, "one GPU is lost")


def report_of(name: str, *events: Event) -> Report:
    return fold("hosts", [name], [HostEvent(name, 1.0, event) for event in events])


def seen(found: Facts, *findings: Finding) -> Row:
    events = (Probed(found, 0.1), Judged(findings), HostFinished(Outcome.CONVERGED))
    return rows_of([Host("a", "h")], report_of("a", *events))[0]


def proven_host(kind: str, **changes: Any) -> Facts:
    """A host whose environment passed a check, or that was changed since."""
    built = generation("1-aa", "d")
    found = facts(gpu=a10() if kind == "compute" else GpuFacts(), environments=(environment(built, current="1-aa"),))
    passed = {
        "boot": found.system.boot_id,
        "driver": found.gpu.driver_loaded,
        "gpus": [one.uuid for one in found.gpu.gpus],
        "generation": "1-aa",
        "packages": built.packages,
    }
    return replace(found, records=((f"{kind}-mymodel-mymodel", {"depends": passed}),), **changes)


def test_offline_the_table_says_what_the_file_says_and_connects_to_nothing(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    answer = desk.type("hosts", "--offline")
    assert answer.code == 0, answer
    head, line = answer.out.splitlines()
    assert head.split() == [one for one in COLUMNS if one not in CLOUD_COLUMNS]
    assert line.split()[:5] == ["gpu-box", "203.0.113.10:22", "root", "train", "-"]
    document = decoded(desk.type("hosts", "--offline", "--json").out)
    assert document["exit_code"] == 0
    assert document["hosts"]["gpu-box"] == {
        "outcome": "skipped",
        "steps": [],
        "findings": [],
        "facts": None,
        "cloud": None,
        "error": None,
        "address": "203.0.113.10",
        "port": 22,
        "user": "root",
        "groups": ["train"],
        "playbook": "gpu",
        "verdict": None,
    }


def test_a_host_that_does_not_exist_is_a_usage_error(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    answer = desk.type("hosts", "gpubox", "--offline")
    assert answer.code == 2
    assert "gpu-box" in answer.err


def test_an_inventory_without_hosts_says_how_to_add_one(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text("version: 1\nhosts: {}\n")
    answer = desk.type("hosts")
    assert answer.code == 2
    assert "provision hosts add" in answer.err


@pytest.mark.parametrize("words", [["hosts"], ["hosts", "list"], ["hosts", "add"], ["hosts", "install-key"], ["init"]])
def test_every_form_explains_itself_with_examples(desk: Desk, words: list[str]) -> None:
    answer = desk.type(*words, "--help")
    assert answer.code == 0
    assert "examples:" in answer.out


@pytest.mark.parametrize(
    "words", [["hosts", "--offline"], ["hosts", "--help"], ["init"], ["hosts", "add", "second", "root@h.example"]]
)
def test_what_connects_to_nothing_never_loads_what_connects_or_draws(desk: Desk, words: list[str]) -> None:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    program = (
        "import sys\nfrom provision.cli.main import run\n"
        "try:\n    run(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'fabric', 'paramiko', 'rich', 'tenacity', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=desk.project,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done


@pytest.mark.parametrize("kind", ["compute", "deep"])
def test_the_verdict_is_one_word(kind: str) -> None:
    found = proven_host(kind)
    assert seen(found).verdict == "fit"
    assert seen(found, Finding("X", Severity.WARNING, "odd")).verdict == "fit"
    assert seen(found, UNPROVEN).verdict == "unproven"
    assert seen(found, UNPROVEN, UNFIT).verdict == "unfit"
    assert [seen(found, *one).unfit for one in ((), (UNPROVEN,), (UNFIT,))] == [False, True, True]


def test_nothing_that_was_not_seen_to_work_is_called_fit() -> None:
    assert seen(facts(gpu=a10())).verdict == "unproven"
    # Proven to import alone, while there is a GPU to compute on.
    assert seen(replace(proven_host("deep"), gpu=a10())).verdict == "unproven"
    assert seen(proven_host("compute", system=system(boot_id="boot-2"))).verdict == "unproven"
    assert seen(proven_host("compute", gpu=a10(driver_loaded="560.1"))).verdict == "unproven"
    other = environment(generation("2-bb", "e"), current="2-bb")
    assert seen(proven_host("compute", environments=(other,))).verdict == "unproven"


def test_as_json_an_unfit_host_is_unfit_and_the_list_itself_has_not_failed() -> None:
    for findings, outcome in (((), "converged"), ((UNPROVEN,), "unfit"), ((UNFIT,), "unfit")):
        report = report_of("a", Probed(facts(), 0.1), Judged(findings), HostFinished(Outcome.CONVERGED))
        found = _document("hosts", rows_of([Host("a", "h")], report), report, fail_fast=False)
        assert (found["exit_code"], found["hosts"]["a"]["outcome"]) == (0, outcome)


def test_gpus_that_nobody_could_count_are_not_told_to_be_none() -> None:
    at = COLUMNS.index("GPUs")
    assert seen(facts()).cells[at] == "none"
    assert seen(facts(gpu=GpuFacts(nvidia_smi=124))).cells[at] == "?"
    assert seen(facts(gpu=GpuFacts(others=(OtherVendor("amd", "amd-smi", 124),)))).cells[at] == "?"


def test_the_conda_is_the_one_that_the_playbook_names_with_its_prefix() -> None:
    ours, system_wide = conda(), conda(prefix="/opt/conda", version="24.1.0", distribution="Anaconda")
    row = seen(facts(condas=(system_wide, ours)))
    at = COLUMNS.index("conda")
    assert row.cells[at] == "Anaconda 24.1.0 /opt/conda, Miniconda 26.7.1 ~/miniconda3"
    assert replace(row, prefix="~/miniconda3").cells[at] == "Miniconda 26.7.1 ~/miniconda3"
    assert replace(row, prefix="/opt/conda").cells[at] == "Anaconda 24.1.0 /opt/conda"


@pytest.mark.parametrize(
    ("kind", "word"), [("network", "no"), ("authentication", "login"), ("host_key", "host key"), ("link", "lost")]
)
def test_a_host_that_is_not_reached_says_why_in_a_word(kind: str, word: str) -> None:
    failure = HostFinished(Outcome.UNREACHABLE, Failure(kind, "why", 3))
    row = rows_of([Host("a", "h")], report_of("a", failure))[0]
    assert (row.reached, row.verdict, row.facts) == (word, "unknown", None)
    assert len(row.cells) == len(COLUMNS)


def test_what_a_host_says_of_itself_cannot_move_the_cursor() -> None:
    found = parse(probe_text())
    hostile = replace(
        found,
        system=replace(found.system, os="Ub\x1b[2Juntu\nfake  row"),
        gpu=replace(found.gpu, gpus=(Gpu(0, "GPU-1", "A10\x1b]0;x\x07"),)),
    )
    rows = rows_of([Host("a", "h")], report_of("a", Probed(hostile, 0.1), HostFinished(Outcome.CONVERGED)))
    lines = plain_lines(rows)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert r"Ub\x1b[2Juntu\nfake" in lines[1]


def test_columns_are_aligned_and_a_pipe_gets_no_colours() -> None:
    rows = rows_of([Host("a", "h"), Host("a-longer-name", "203.0.113.1", 31893)], None)
    stream = io.StringIO()
    show(rows, stream, {"TERM": "xterm"})
    lines = stream.getvalue().splitlines()
    assert len({line.index(word) for line, word in zip(lines, ("address", "h:22", "203."), strict=True)}) == 1
    assert "\x1b" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("term", ["xterm", "dumb"])
@pytest.mark.parametrize("width", [60, 80, 100, 130])
def test_a_narrow_terminal_gets_every_host_on_one_line(width: int, term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    hosts = [Host(name, "198.18.0.5", 31893, user="root") for name in ("a", "train-box-of-ann-7")]
    probed = [HostEvent(one.name, 1.0, Probed(parse(probe_text()), 0.1)) for one in hosts]
    ends = [HostEvent(one.name, 1.0, HostFinished(Outcome.CONVERGED)) for one in hosts]
    stream = Terminal()
    show(rows_of(hosts, fold("hosts", [one.name for one in hosts], [*probed, *ends])), stream, {"TERM": term})
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    shown = [line for line in lines if line.strip() and "─" not in line]
    assert len(shown) == 1 + len(hosts)
    assert "train-box-of-ann-7" in shown[2]
    assert all("unproven" in line and len(line) <= width + len("\x1b[32m\x1b[0m") for line in shown[1:])


def test_columns_go_in_their_order_where_there_is_no_room() -> None:
    probed = Probed(parse(probe_text()), 0.1)
    host = Host("a", "198.18.0.5", user="root", groups=("train",))
    rows = rows_of([host], report_of("a", probed, HostFinished(Outcome.CONVERGED)))
    kept = [[COLUMNS[at] for at in fitting(rows, width)] for width in range(300, 0, -1)]
    gone = [one for wide, narrow in itertools.pairwise(kept) for one in wide if one not in narrow]
    assert set(DROPPED[:5]) < set(CLOUD_COLUMNS)
    assert DROPPED[5:9] == ("user", "groups", "free", "environments")
    assert gone == [one for one in DROPPED if one in kept[0]]
    assert kept[-1] == ["host", "GPUs", "verdict"]


@pytest.mark.parametrize(
    ("os_name", "shown"),
    [
        ("Debian GNU/Linux 12 (bookworm)", "Debian 12"),
        ("Ubuntu 22.04.4 LTS", "Ubuntu 22.04"),
        ("Rocky Linux 9.3 (Blue Onyx)", "Rocky Linux 9.3"),
        ("Arch Linux", "Arch Linux"),
    ],
)
def test_the_system_is_its_name_and_release(os_name: str, shown: str) -> None:
    found = parse(probe_text())
    named = Probed(replace(found, system=replace(found.system, os=os_name)), 0.1)
    row = rows_of([Host("a", "h")], report_of("a", named, HostFinished(Outcome.CONVERGED)))[0]
    assert row.cells[COLUMNS.index("system")] == shown


def test_a_terminal_gets_a_drawn_table(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    with desk.sit("hosts", "--offline", TERM="xterm", COLUMNS="120") as terminal:
        assert terminal.end() == 0
    assert "gpu-box" in terminal.said
    assert "─" in terminal.said
    assert "conda" not in terminal.said


# -- add ----------------------------------------------------------------------------------------------


def test_a_host_is_added_and_every_other_line_stays(desk: Desk) -> None:
    path = desk.project / "hosts.yaml"
    path.write_text(HOSTS)
    path.chmod(0o600)
    answer = desk.type("hosts", "add", "second", "ssh -p 31893 root@connect.example")
    assert answer.code == 0, answer
    assert answer.out.splitlines()[:5] == [
        "hosts.yaml: added",
        "    second:",
        "      address: connect.example",
        "      port: 31893",
        "      user: root",
    ]
    assert "provision plan second" in answer.out
    kept = [line for line in path.read_text().splitlines() if line in HOSTS.splitlines()]
    assert kept == HOSTS.splitlines()
    assert load_inventory(path).resolve("second").port == 31893
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_name_that_is_taken_is_refused_and_the_file_stays(desk: Desk) -> None:
    path = desk.project / "hosts.yaml"
    path.write_text(HOSTS)
    for name in ("gpu-box", "GPU-Box", "train"):
        answer = desk.type("hosts", "add", name, "root@h.example")
        assert answer.code == 2, answer
        assert "already" in answer.err
    assert path.read_text() == HOSTS


def test_adding_writes_through_a_link_and_keeps_it(desk: Desk) -> None:
    real = desk.home / "fleet.yaml"
    real.write_text(HOSTS)
    (desk.project / "hosts.yaml").symlink_to(real)
    assert desk.type("hosts", "add", "second", "root@h.example").code == 0
    assert (desk.project / "hosts.yaml").is_symlink()
    assert "second" in real.read_text()


def test_without_a_hosts_yaml_adding_makes_one(desk: Desk) -> None:
    answer = desk.type("hosts", "add", "gpu-box", "root@h.example")
    assert answer.code == 0, answer
    assert load_inventory(desk.project / "hosts.yaml").default == "gpu-box"
    named = desk.type("hosts", "add", "gpu-box", "root@h.example", "-i", str(desk.home / "other.yaml"))
    assert named.code == 0, named
    assert (desk.home / "other.yaml").exists()


def test_an_unquoted_ssh_command_is_told_to_be_quoted(desk: Desk) -> None:
    answer = desk.type("hosts", "add", "gpu-box", "ssh", "-p", "22", "root@h.example")
    assert answer.code == 2
    assert "quotes" in answer.err
    assert not (desk.project / "hosts.yaml").exists()


def test_a_broken_hosts_yaml_is_told_by_its_line_and_left(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text("version: 1\nhots: {}\n")
    answer = desk.type("hosts", "add", "gpu-box", "root@h.example")
    assert answer.code == 2
    assert "hosts.yaml:2" in answer.err


def test_many_additions_at_once_lose_nothing(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(HOSTS)
    names = [f"h{number}" for number in range(8)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "provision", "hosts", "add", name, "root@h.example"],
            cwd=desk.project,
            env=desk.environment,
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    assert [one.wait(timeout=60) for one in running] == [0] * len(names)
    assert set(names) <= set(load_inventory(desk.project / "hosts.yaml").hosts)
    assert sorted(one.name for one in desk.project.iterdir()) == [".git", "hosts.yaml"]


# -- the key ------------------------------------------------------------------------------------------


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "me@here", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path.with_name(path.name + ".pub").read_text().strip()


def test_a_made_key_is_one_that_ssh_keygen_reads(tmp_path: Path) -> None:
    path = tmp_path / ".ssh" / "id_ed25519"
    pair = make_pair(path)
    read = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    assert read.split()[:2] == [pair.public.type, pair.public.blob]
    assert (tmp_path / ".ssh/id_ed25519.pub").read_text().split()[:2] == read.split()[:2]
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path)]
    assert modes == [0o700, 0o600]


def test_a_key_is_never_made_over_another(tmp_path: Path) -> None:
    path = tmp_path / "id_ed25519"
    path.write_text("mine")
    with pytest.raises(UsageError, match="cannot be written"):
        make_pair(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("passphrase", ["", "secret"])
def test_the_public_half_is_read_from_the_private_file_where_there_is_no_pub_file(
    tmp_path: Path, passphrase: str
) -> None:
    line = keygen(tmp_path / "id_rental", passphrase=passphrase)
    (tmp_path / "id_rental.pub").unlink()
    pair = find_pair(str(tmp_path / "id_rental"))
    assert pair is not None
    assert line.split()[:2] == [pair.public.type, pair.public.blob]


def test_of_the_default_keys_one_with_a_private_half_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_pair(None) is None
    (tmp_path / ".ssh").mkdir()
    keygen(tmp_path / ".ssh/id_ed25519")
    (tmp_path / ".ssh/id_ed25519").unlink()
    keygen(tmp_path / ".ssh/id_rsa", "rsa")
    pair = find_pair(None)
    assert pair is not None
    assert pair.path.name == "id_rsa"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-dss AAAAB3NzaC1kc3M=",
        'command="rm -rf /" ssh-ed25519 AAAA',
        "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_is_no_public_key_never_reaches_a_host(text: str) -> None:
    with pytest.raises(UsageError):
        parse_public(text, "id.pub")


def test_a_comment_cannot_smuggle_a_second_line(tmp_path: Path) -> None:
    line = keygen(tmp_path / "id")
    key = parse_public(line.replace("me@here", "me\x1b[2J\x85here"), "id.pub")
    assert key.comment == "me[2Jhere"


def test_the_password_of_the_environment_is_for_the_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISION_SSH_PASSWORD", "hunter2")
    answers = Answers(Host("gpu-box", "h"))
    assert "PROVISION_SSH_PASSWORD" not in os.environ
    ask = answers.settings("accept-new").ask_password
    assert ask is not None
    assert ask("Password of root on gpu-box: ") == "hunter2"
    assert ask("Password of root on bastion: ") is None
    answers.without_password = True
    assert ask("Password of root on gpu-box: ") is None
