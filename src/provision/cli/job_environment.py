"""The environment that a job runs in, by the name that it has on the host, and whether its file changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.cli.workspace import Workspace
    from provision.model.host import Host
    from provision.playbook.tasks.environment import EnvironmentTask


def environment_of(workspace: Workspace, host: Host, name: str | None) -> EnvironmentTask | None:
    """Return the environment that the host's playbook has for the project; ``None`` where it has none.

    Raises:
        UsageError: there is none of that name, or a file cannot be taken.
    """
    from provision.cli.pins import PinFile
    from provision.playbook.bind import Binder
    from provision.playbook.files import load_playbook
    from provision.playbook.tasks.environment import EnvironmentTask

    project = workspace.project
    if not project.environments:
        if name is not None:
            project.environment(name)
        return None
    tasks = Binder(load_playbook(host.playbook, project.root), project, PinFile(project.root)).bind(host)
    found = [one for one in tasks if isinstance(one, EnvironmentTask)]
    if name is None:
        return found[0] if found else None
    for one in found:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in found) or "none"
    raise UsageError(
        f"the playbook '{host.playbook}' of {host.name} builds no environment '{name}' (it builds: {names})",
        hint="give its task `environment:` that `name:`",
    )


def age(task: EnvironmentTask, marker: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the digests of what was built and of what the file asks for now; ``None`` where they are the same."""
    from provision.environment.digest import digest
    from provision.playbook.tasks.environment.request import NO_CUDA, PLATFORMS

    built, kind = marker.get("asked", marker.get("digest")), marker.get("variant")
    variant = next((one for one in task.variants if one.kind == kind), None)
    if not isinstance(built, str) or variant is None:
        return None
    cuda = marker.get("cuda") != NO_CUDA
    now = [digest(variant.spec, platform, kind, cuda=cuda) for platform in PLATFORMS.values()]
    return None if built in now else (built[:8], now[0][:8])
