"""`env bundle`: all that locks install, and conda's installer, in one file to carry to where there is no internet."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.cli import options
from provision.cli.bundle_file import write_bundle
from provision.cli.env_lock import mirror_for
from provision.cli.json_failure import failing
from provision.cli.pins import PinFile
from provision.engine.our_packages import bring
from provision.environment.lock import NO_CUDA
from provision.environment.spec import load_spec
from provision.errors import UsageError
from provision.inventory import find_inventory, load_inventory
from provision.inventory.inventory import EMPTY
from provision.model.host import Host
from provision.model.plan import Archive
from provision.playbook.files import load_playbook
from provision.playbook.options import MinicondaOptions
from provision.playbook.tasks.environment.build import archives
from provision.playbook.tasks.miniconda import MinicondaTask
from provision.project import find_root, load_project
from provision.report.amounts import counted
from provision.report.display import visible
from provision.solving.lock_files import find_locks, is_fresh

if TYPE_CHECKING:
    import argparse

    from provision.environment.lock import Lock
    from provision.model.host import Mirror
    from provision.playbook.files import Playbook
    from provision.project import Project

DESCRIPTION = """\
Write one file with every archive that the project's locks install, and conda's installer, all checked. Carry it to a
machine that reaches the hosts but not the internet, and build from it there:

  provision up HOST --bundle FILE
"""
EXAMPLES = """\
  provision env bundle                            all locks of the project
  provision env bundle --cuda 12.4 -o usb.bundle  the one for that CUDA
"""
ARCHITECTURES = {"linux-64": "x86_64", "linux-aarch64": "aarch64"}


def main(name: str, argv: list[str]) -> int:
    """Run `env bundle`.

    Raises:
        UsageError: there is no lock, or it is stale, or the file cannot be written.
        StepFailedError: an archive is nowhere to be had.
    """
    asked = _parse(name, argv)
    with failing(name, document=asked.json):
        return _bundle(name, asked)


def _bundle(name: str, asked: argparse.Namespace) -> int:
    project = load_project(Path.cwd())
    path = Path(asked.output) if asked.output else Path(f"{project.name}.bundle")
    _writable(path)
    locks = _locks(project, asked)
    mirror = mirror_for(asked.mirror, asked.inventory)
    wanted: dict[str, Archive] = {}
    for lock in locks:
        for one in archives(lock, mirror):
            wanted.setdefault(one.sha256, one)
        for missing in (one for one in lock.pip if one.url is None):
            raise UsageError(f"{lock.source} does not say where {missing.name} is", hint="provision env lock")
    installers = {
        one: digest
        for name_of in _playbooks(asked)
        for platform in sorted({one.platform for one in locks})
        for one, digest in _installers(load_playbook(name_of, project.root), project, platform, mirror)
    }
    files = bring([*wanted.values(), *installers], _tell, lambda: None)
    bundle = write_bundle(
        path,
        [one.content for one in locks],
        {digest: files[digest] for digest in wanted},
        {one.path: (files[one.sha256], digest) for one, digest in installers.items()},
    )
    if asked.json:
        print(
            json.dumps(
                {
                    "schema_version": 1,
                    "command": name,
                    "exit_code": 0,
                    "path": str(path),
                    "packages": bundle.count,
                    "bytes": path.stat().st_size,
                    "locks": [one.source for one in locks],
                    "installers": [name for name, _ in bundle.installers],
                },
                indent=2,
            )
        )
    else:
        held = f"{counted(bundle.count, 'package')} and {counted(len(installers), 'installer')}"
        print(f"{path}: {held}, {path.stat().st_size / 1e6:,.0f} MB")
        _tell(f"there: provision up HOST --bundle {path.name}")
    return 0


def _locks(project: Project, asked: argparse.Namespace) -> list[Lock]:
    environment = project.environment(asked.environment)
    found: list[Lock] = []
    for variant, file in environment.files:
        spec = load_spec(file, project.name, project.root)
        for lock in find_locks(file):
            if not is_fresh(lock, spec, variant):
                raise UsageError(
                    f"{lock.source} is stale: {spec.source} changed since it was locked", hint="provision env lock"
                )
            found.append(lock)
    if not found:
        raise UsageError("the project has no lock", hint="provision env lock    writes one")
    chosen = found if asked.cuda is None else [one for one in found if one.cuda == asked.cuda]
    if not chosen:
        there = ", ".join(dict.fromkeys(_for(one.cuda) for one in found))
        raise UsageError(
            f"the project has no lock for {_for(asked.cuda)}, only for {there}",
            hint=f"provision env lock --cuda {visible(asked.cuda)}",
        )
    return chosen


def _for(cuda: str) -> str:
    return "hosts without a GPU" if cuda == NO_CUDA else f"CUDA {visible(cuda)}"


def _writable(path: Path) -> None:
    """Refuse before gigabytes are fetched what could not be written after it.

    Raises:
        UsageError: there is no such folder, or it is not to be written to.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(
            f"{visible(str(path))}: there is no folder {visible(str(folder))}", hint="make it, or give another -o"
        )
    if path.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{visible(str(path))} cannot be written", hint="give another -o")


def _playbooks(asked: argparse.Namespace) -> list[str]:
    """Return the playbooks whose installers are taken along: the one that is named, else those of all hosts."""
    if asked.playbook is not None:
        return [asked.playbook]
    here = Path.cwd()
    path = find_inventory(here, asked.inventory, os.environ, find_root(here))
    inventory = load_inventory(path) if path is not None else EMPTY
    used = dict.fromkeys(inventory.resolve(one).playbook for one in inventory.hosts)
    return list(used) or ["gpu"]


def _installers(
    playbook: Playbook, project: Project, platform: str, mirror: Mirror | None
) -> list[tuple[Archive, str]]:
    """Return the installer of conda for a platform, by its name, where the playbook installs one."""
    chosen = next((one.options for one in playbook.tasks if isinstance(one.options, MinicondaOptions)), None)
    if chosen is None:
        return []
    task = MinicondaTask(chosen, Host("bundle", "", mirror=mirror), PinFile(project.root))
    installer = task.installer(ARCHITECTURES[platform])
    if installer is None:
        raise UsageError(f"there is no installer of conda for {platform}")
    urls, local = task.origins(installer)
    if local is not None:
        # It is a file of this machine already: it is carried like the bundle itself.
        return []
    if installer.sha256 is None:
        raise UsageError(
            f"{installer.file_name} has no known checksum, so it cannot be checked there",
            hint="give `sha256:` beside it in the playbook",
        )
    return [(Archive(installer.file_name, installer.sha256, urls), installer.sha256)]


def _tell(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTION, EXAMPLES)
    words.add_argument("-i", "--inventory", metavar="FILE", help="hosts.yaml to use (default: found upwards from here)")
    words.add_argument("-p", "--playbook", metavar="NAME|FILE", help="whose installer (default: those of all hosts)")
    words.add_argument("--environment", metavar="NAME", help="one of the project's environments (default: the first)")
    words.add_argument("--cuda", metavar="VERSION", help="only the lock for it; none: for hosts without a GPU")
    words.add_argument("--mirror", metavar="NAME", help="download from there")
    words.add_argument("-o", "--output", metavar="FILE", help="where to (default: PROJECT.bundle)")
    words.add_argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else there")
    return words.parse_args(argv)
