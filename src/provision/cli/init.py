"""The command `init`: hosts.yaml, environment.yml, requirements.txt and the venv, none ever over another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import new_inventory, options, written
from provision.cli.questions import answerable
from provision.decode.document import shown_path
from provision.environment.writer import NewEnvironment, new_environment
from provision.errors import InterruptedRunError, UsageError
from provision.inventory import load_inventory
from provision.inventory.location import FILE_NAME
from provision.project import find_root, load_project
from provision.report.display import visible

if TYPE_CHECKING:
    import argparse

    from provision.inventory.schema import HostEntry
    from provision.project import Project

REQUIREMENTS = "requirements.txt"
ENVIRONMENT = "environment.yml"
DESCRIPTION = """\
Write hosts.yaml: from aliases of your ssh_config, from the ssh command that a provider's console shows, or by asking.
Where there is a requirements.txt and no environment.yml, write that too. What is there already is left as it is.

With --venv, --from or --to-requirements it does that alone. The rule: venv for light local work, conda for CUDA and
system libraries; so --from puts CUDA, MKL, compilers and ffmpeg into conda's list and leaves the rest to pip, and
--to-requirements leaves out what only conda has. Comments are kept.
"""
EXAMPLES = """\
  provision init                                            asks, on a terminal
  provision init --from-ssh gpu-box bastion                 hosts of your ~/.ssh/config
  provision init --ssh 'ssh -p 31893 root@connect.example' --name gpu-box
  provision init ~/projects/mymodel --from-ssh gpu-box
  provision init --venv --python 3.11                       .venv, with what requirements.txt asks for
  provision init --from requirements.txt                    environment.yml; beside it where there is one
  provision init --to-requirements --force                  requirements.txt, over the old one; shows the difference
"""
THREE_WAYS = """\
provision init --from-ssh ALIAS...                       hosts of your ~/.ssh/config
     provision init --ssh 'ssh -p 2222 root@203.0.113.10'     the command that the provider shows
     provision init                                           on a terminal: it asks"""


def main(name: str, argv: list[str]) -> int:
    """Write what is missing and say what was written."""
    asked = _parse(name, argv)
    folder = Path(asked.folder or ".").expanduser()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: not a folder")
    if asked.venv or asked.source is not None or asked.to_requirements:
        return _one_thing(asked, folder)
    existing = _existing_inventory(folder, above=asked.folder is None)
    # Everything is read and asked before anything is written: who gives up half-way leaves nothing behind.
    hosts = _wanted(asked, existing)
    text = None if existing else new_inventory.inventory_text(hosts)
    project = load_project(folder)
    environment = _environment(project)

    folder.mkdir(parents=True, exist_ok=True)
    path = existing or folder / FILE_NAME
    if text is not None:
        written.create(path, text)
        _say(f"wrote {shown_path(path)}: {', '.join(hosts)}")
    else:
        _say(f"{shown_path(path)} is there already: left as it is")
    _write_environment(project, folder, environment)
    target = f" {next(iter(hosts))}" if hosts else ""
    _say(f"next: provision plan{target}")
    return 0


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("folder", nargs="?", metavar="DIR", help="the project's folder (default: this one)")
    words.add_argument("--from-ssh", nargs="+", metavar="ALIAS", help="hosts of your ssh_config")
    words.add_argument("--ssh", metavar="COMMAND", help="an ssh command as the provider shows it, in quotes")
    words.add_argument(
        "--name", metavar="NAME", help=f"what --ssh's host is called (default {new_inventory.PLAIN_NAME})"
    )
    words.add_argument("--venv", action="store_true", help="make .venv, or install what it lacks of requirements.txt")
    words.add_argument(
        "--python", metavar="VERSION|PATH", help="the Python of --venv (default: as environment.yml asks)"
    )
    words.add_argument("--from", dest="source", metavar="FILE", help="write environment.yml from a requirements file")
    words.add_argument("--to-requirements", action="store_true", help="write requirements.txt from environment.yml")
    words.add_argument(
        "--force",
        action="store_true",
        help="with those two: write over the file that is there, and show the difference",
    )
    asked = words.parse_args(argv)
    if asked.name is not None and asked.ssh is None:
        raise UsageError("--name is for the host of --ssh", hint="an alias keeps its own name")
    _check(asked)
    return asked


def _check(asked: argparse.Namespace) -> None:
    """Refuse words that do not go together."""
    chosen = {
        "--venv": asked.venv,
        "--from": asked.source is not None,
        "--to-requirements": asked.to_requirements,
        "--from-ssh": bool(asked.from_ssh),
        "--ssh": asked.ssh is not None,
    }
    said = [name for name, given in chosen.items() if given]
    if len(said) > 1 and said[0] not in {"--from-ssh", "--ssh"}:
        raise UsageError(f"{said[0]} does that alone, and {said[1]} is another thing", hint="one after the other")
    if asked.python is not None and not asked.venv:
        raise UsageError("--python is for --venv")
    if asked.force and asked.source is None and not asked.to_requirements:
        raise UsageError("--force is for --from and --to-requirements")


def _one_thing(asked: argparse.Namespace, folder: Path) -> int:
    # Imported here: who wants a hosts.yaml needs none of it.
    if asked.venv:
        from provision.cli.init_venv import make_venv

        return make_venv(folder, asked.python)
    from provision.cli import init_requirements

    if asked.to_requirements:
        return init_requirements.to_requirements(folder, force=asked.force)
    return init_requirements.to_environment(Path(asked.source).expanduser(), folder, force=asked.force)


def _existing_inventory(folder: Path, *, above: bool) -> Path | None:
    """Return the hosts.yaml of the folder, or of the project's folders above it where none was named."""
    here = folder.absolute()
    root = find_root(here) if above else None
    for one in (here, *here.parents):
        candidate = one / FILE_NAME
        if candidate.exists() or candidate.is_symlink():
            return candidate
        if root is None or one == root:
            break
    return None


def _wanted(asked: argparse.Namespace, existing: Path | None) -> dict[str, HostEntry]:
    hosts: dict[str, HostEntry] = {}
    if asked.from_ssh:
        hosts.update(new_inventory.from_aliases(asked.from_ssh))
    if asked.ssh is not None:
        described = new_inventory.from_command(asked.ssh, asked.name)
        taken = next((one for one in described if one in hosts), None)
        if taken is not None:
            raise UsageError(f"two hosts are called '{taken}'", hint="--name gives the one of --ssh another name")
        hosts.update(described)
    if existing is not None:
        _require(existing, hosts, asked.ssh)
        return hosts
    if hosts:
        return hosts
    if not answerable():
        raise UsageError("there is no terminal to ask at: say which machine it is", hint=THREE_WAYS)
    try:
        return new_inventory.from_questions()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        raise InterruptedRunError("interrupted: nothing was written") from None


def _require(existing: Path, hosts: dict[str, HostEntry], command: str | None) -> None:
    """Refuse hosts that the file does not have, for it is not touched."""
    if not hosts:
        return
    there = load_inventory(existing).file.hosts
    missing = next((one for one, entry in hosts.items() if there.get(one) != entry), None)
    if missing is not None:
        how = command if hosts[missing].ssh is None and command else missing
        raise UsageError(
            f"{shown_path(existing)} is there already, without this '{missing}', and is never written over",
            hint=f"provision hosts add {missing} '{how}'",
        )


def _environment(project: Project) -> NewEnvironment | None:
    """Return the environment.yml to write; none where the project has one, or nothing to make it from."""
    source = project.root / REQUIREMENTS
    # A project without files of its own falls back to its requirements.txt: then environment.yml is missing.
    files = [path for one in project.environments for _, path in one.files]
    if files != [source] or (project.root / ENVIRONMENT).is_symlink():
        return None
    return new_environment(source, project.name)


def _write_environment(project: Project, folder: Path, environment: NewEnvironment | None) -> None:
    path = project.root / ENVIRONMENT
    if environment is not None:
        written.create(path, environment.text)
        python = environment.python
        _say(f"wrote {shown_path(path)} from {REQUIREMENTS}: Python {python.version} from {python.origin}")
        for note in environment.notes:
            _say(f"  {note}")
    elif project.environments:
        names = ", ".join(shown_path(path) for _, path in project.environments[0].files)
        _say(f"{names} is there already: left as it is")
    elif (folder / REQUIREMENTS).exists():
        _say(f"{shown_path(folder / REQUIREMENTS)} is not in the project's root, {project.root}: it is not used")
    else:
        _say(f"no {REQUIREMENTS} here: write {shown_path(path)} yourself for the task `environment`")


def _say(text: str) -> None:
    print(visible(text))
