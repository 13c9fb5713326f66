"""The command `doctor`: this machine and the project's venv, judged against the project's files and the hosts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options
from provision.cli.asked_hosts import AskedHosts
from provision.cli.doctor_host import There, ask_environment, host_section
from provision.cli.doctor_local import Local, look, sections
from provision.cli.doctor_machine import judge_machine
from provision.cli.workspace import Workspace
from provision.errors import UsageError
from provision.inventory import find_inventory
from provision.project import find_root, load_project
from provision.report.doctor_document import document
from provision.report.doctor_text import section_lines, total
from provision.report.style import style_for
from provision.venv.remark import Level, Section, advice

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from provision.events import Emit
    from provision.model.host import Host
    from provision.model.link import Link
    from provision.playbook.tasks.environment import EnvironmentTask
    from provision.report.style import Style

DESCRIPTION = """\
Judge the project's venv: against requirements.txt, environment.yml, what the code imports, and what the default host
(or the hosts that are named) has in its environment; and this machine itself: ssh, keys, git, room. The venv is read,
nothing of it is run or imported; nothing is changed here or there.
The rule: venv for light local work, conda for CUDA and system libraries.
"""
EXAMPLES = """\
  provision doctor                       this machine, the project's venv, the default host
  provision doctor gpu-box --json
  provision doctor --no-host             connect to nothing
  provision doctor --venv ~/venvs/mymodel
"""
PROBLEMS = 5
"""Exit code where something does not work."""


def main(name: str, argv: list[str]) -> int:
    """Look at everything, say what was found, and return 5 where there are problems."""
    asked = _parse(name, argv)
    workspace = None if asked.no_host else _workspace(asked)
    chosen = None if asked.venv is None else Path(asked.venv).expanduser().absolute()
    hosts, why_none = _hosts(asked, workspace)
    project = workspace.project if workspace is not None else load_project(Path.cwd())
    local = look(project, chosen, os.environ)
    found = [*sections(local), Section("this machine", tuple(judge_machine(os.environ, _keys(workspace))))]
    if why_none is not None:
        fix = "provision init    writes one" if workspace is None else "provision doctor HOST"
        found.append(Section("hosts", (advice("hosts", f"no host was asked: {why_none}", fix),)))
    style = style_for(sys.stdout, os.environ)
    if not asked.json:
        _print(found, style)
    if workspace is None or not hosts:
        return _end(asked, local, found, {}, None)
    asking: AskedHosts[There] = AskedHosts(name, argv, asked, workspace)
    tasks = {host.name: task for host in hosts if (task := _task(workspace, host, found)) is not None}

    def work(link: Link, host: Host, emit: Emit) -> There:
        return ask_environment(link, host, tasks[host.name], emit, asking.stop)

    answers = asking.ask([host for host in hosts if host.name in tasks], work) if tasks else {}
    there = {host: (one.generation, host_section(host, one, local)) for host, one in answers.items()}
    if not asked.json:
        _print([section for _, section in there.values()], style)
    asking.complain()
    return _end(asked, local, found, there, asking)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument(
        "hosts", nargs="*", metavar="HOST", help="hosts to compare with: names, groups, globs; none: the default host"
    )
    words.add_argument("--venv", metavar="PATH", help="the venv (default: .venv, venv or env of the project)")
    words.add_argument("--no-host", action="store_true", help="compare with no host: nothing is connected to")
    options.add_inventory(words)
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    asked: argparse.Namespace = words.parse_args(argv)
    if asked.no_host and asked.hosts:
        raise UsageError("--no-host compares with no host, and hosts are named", hint="leave out one of the two")
    return asked


def _workspace(asked: argparse.Namespace) -> Workspace | None:
    """Return the inventory with the project; None where there is no hosts.yaml and nobody asks for a host."""
    here = Path.cwd()
    if not asked.hosts and find_inventory(here, asked.inventory, os.environ, find_root(here)) is None:
        return None
    return Workspace.open(asked.inventory)


def _hosts(asked: argparse.Namespace, workspace: Workspace | None) -> tuple[tuple[Host, ...], str | None]:
    """Return the hosts to compare with, or why there is none."""
    if asked.no_host:
        return (), None
    if workspace is None:
        return (), "there is no hosts.yaml"
    if asked.hosts:
        return workspace.select(asked.hosts), None
    try:
        return workspace.select([]), None
    except UsageError as error:
        return (), error.message


def _task(workspace: Workspace, host: Host, found: list[Section]) -> EnvironmentTask | None:
    from provision.cli.job_environment import environment_of

    try:
        task = environment_of(workspace, host, None)
    except UsageError as error:
        # A file that cannot be taken was told already; what is on the host cannot be found without it.
        found.append(Section(host.name, (advice("host-skipped", f"not compared: {error.message}", error.hint),)))
        return None
    if task is None:
        text = f"not compared: the project or the playbook '{host.playbook}' has no environment"
        found.append(Section(host.name, (advice("host-skipped", text),)))
    return task


def _keys(workspace: Workspace | None) -> tuple[Path, ...]:
    """Return the private keys that hosts.yaml names."""
    if workspace is None:
        return ()
    file = workspace.inventory.file
    named = [file.defaults.identity_file, *(one.identity_file for one in file.hosts.values())]
    return tuple(dict.fromkeys(Path(one).expanduser() for one in named if one))


def _print(found: Sequence[Section], style: Style) -> None:
    for section in found:
        for line in section_lines(section, style):
            print(line)
    sys.stdout.flush()


def _end(
    asked: argparse.Namespace,
    local: Local,
    found: list[Section],
    there: dict[str, tuple[str | None, Section]],
    asking: AskedHosts[There] | None,
) -> int:
    every = [*found, *(section for _, section in there.values())]
    troubled = any(one.level is Level.PROBLEM for section in every for one in section.remarks)
    code = (asking.exit_code() if asking is not None else 0) or (PROBLEMS if troubled else 0)
    if asked.json:
        failed = asking.failed if asking is not None else {}
        print(json.dumps(document(local.venv, found, there, failed, code), indent=2))
    else:
        print(total(every))
    return code
