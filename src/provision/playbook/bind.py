"""Binds a playbook to a host and a project: its entries become tasks that know all they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.spec import EnvironmentSpec, load_spec
from provision.errors import UsageError
from provision.model.host import Expect
from provision.playbook.options import (
    CommandOptions,
    EnvironmentOptions,
    FilesOptions,
    GpuOptions,
    MinicondaOptions,
    PackagesOptions,
)
from provision.playbook.tasks.command import CommandTask
from provision.playbook.tasks.environment import EnvironmentTask, Variant
from provision.playbook.tasks.files import FilesTask, WantedFile
from provision.playbook.tasks.gpu import GpuTask
from provision.playbook.tasks.miniconda import MinicondaTask, Pins
from provision.playbook.tasks.packages import PackagesTask
from provision.solving.lock_files import find_locks, is_fresh

if TYPE_CHECKING:
    from pathlib import Path

    from provision.environment.lock import Lock
    from provision.model.host import Host
    from provision.playbook.files import Playbook
    from provision.playbook.task import Task
    from provision.project import Project, ProjectEnvironment


class Binder:
    """Reads each environment file once, for all hosts of a run."""

    def __init__(
        self, playbook: Playbook, project: Project, pins: Pins, *, build_anyway: bool = False, frozen: bool = False
    ) -> None:
        self._build_anyway = build_anyway
        self._frozen = frozen
        self.variants: dict[tuple[Path, str | None], tuple[EnvironmentSpec, tuple[Lock, ...]]] = {}
        """What was read: for each file and kind of host what it asks for, and every lock beside it, stale ones too."""
        self.has_stale_lock = False
        """Whether a lock was made from another text of its file."""
        self._playbook = playbook
        self._project = project
        self._pins = pins
        self._specs: dict[tuple[Path, str | None, bool], EnvironmentSpec] = {}

    def bind(self, host: Host) -> tuple[Task, ...]:
        """Return the tasks for one host.

        Raises:
            UsageError: the project lacks what the playbook needs.
        """
        tasks = [self._task(entry.options, host) for entry in self._playbook.tasks]
        # What the user expects of a host is judged whatever the playbook does there.
        if host.expect != Expect() and not any(isinstance(one, GpuTask) for one in tasks):
            tasks.append(GpuTask(host.expect))
        return tuple(tasks)

    def _task(self, options: object, host: Host) -> Task:
        if isinstance(options, MinicondaOptions):
            return MinicondaTask(options, host, self._pins)
        if isinstance(options, EnvironmentOptions):
            return self._environment(options, host)
        if isinstance(options, GpuOptions):
            return GpuTask(host.expect)
        if isinstance(options, PackagesOptions):
            return PackagesTask(options, host.mirror.apt if host.mirror else None)
        if isinstance(options, FilesOptions):
            return FilesTask(tuple(self._file(one.path, one.mode, one.content, one.source) for one in options.files))
        if isinstance(options, CommandOptions):
            return CommandTask(options)
        raise AssertionError(options)

    def _environment(self, options: EnvironmentOptions, host: Host) -> EnvironmentTask:
        miniconda = next(
            (one.options for one in self._playbook.tasks if isinstance(one.options, MinicondaOptions)),
            MinicondaOptions(),
        )
        files = self._files(options)
        variants = tuple(self._variant(kind, path, options) for kind, path in files)
        chosen = self._chosen(options)
        return EnvironmentTask(
            self._project.name,
            options.name or (chosen.name if chosen else None) or variants[0].spec.name,
            variants,
            miniconda.prefix,
            host,
            miniconda.accept_tos,
            self._build_anyway,
            self._frozen,
        )

    def _variant(self, kind: str | None, path: Path, options: EnvironmentOptions) -> Variant:
        spec = self._spec(path, options)
        key = (path, kind)
        if key not in self.variants:
            self.variants[key] = (spec, find_locks(path))
        fresh = tuple(one for one in self.variants[key][1] if is_fresh(one, spec, kind))
        self.has_stale_lock |= len(fresh) < len(self.variants[key][1])
        return Variant(kind, spec, fresh)

    def _chosen(self, options: EnvironmentOptions) -> ProjectEnvironment | None:
        return None if options.file is not None else self._project.environment(options.name)

    def _files(self, options: EnvironmentOptions) -> tuple[tuple[str | None, Path], ...]:
        if isinstance(options.file, str):
            return ((None, self._project.root / options.file),)
        if options.file is not None:
            return tuple((kind, self._project.root / path) for kind, path in options.file.items())
        return self._project.environment(options.name).files

    def _spec(self, path: Path, options: EnvironmentOptions) -> EnvironmentSpec:
        key = (path, options.python, options.allow_pip_options)
        if key not in self._specs:
            self._specs[key] = load_spec(
                path,
                self._project.name,
                self._project.root,
                python=options.python,
                allow_pip_options=options.allow_pip_options,
            )
        return self._specs[key]

    def _file(self, path: str, mode: str, content: str | None, source: str | None) -> WantedFile:
        if source is None:
            return WantedFile(path, mode, (content or "").encode())
        file = self._project.root / source
        try:
            # The project may be a stranger's: a link in it must not send what lies elsewhere on this machine.
            if not file.resolve().is_relative_to(self._project.root.resolve()):
                raise UsageError(f"{source}: it leads out of the project", hint="put a copy of the file there")
            if file.exists() and not file.is_file():
                raise UsageError(f"{source}: not a regular file", hint="`source:` is seen from the project's root")
            return WantedFile(path, mode, file.read_bytes())
        except OSError as error:
            raise UsageError(f"{source}: {error.strerror}", hint="`source:` is seen from the project's root") from error
