"""The environments that a run is about, among all that a host holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.model.facts import EnvironmentFacts, Facts


@dataclass(frozen=True, slots=True)
class Asked:
    """One environment that a playbook asks for on a host."""

    project: str
    name: str
    link: str
    """The name that `conda activate` takes."""
    prefix: str
    """The conda that builds it, as the playbook says: it may begin with ``~/``."""

    def folder(self, facts: Facts) -> str:
        """Return the absolute folder of its generations."""
        return f"{facts.state_dir}/envs/{self.project}/{self.name}"


def in_use(facts: Facts, asked: tuple[Asked, ...] | None) -> list[EnvironmentFacts]:
    """Return the environments that are in use and asked for; where nobody said what is asked for: all in use."""
    wanted = None if asked is None else {(one.project, one.name) for one in asked}
    return [one for one in facts.environments if one.current and (wanted is None or (one.project, one.name) in wanted)]


def activated(facts: Facts, asked: tuple[Asked, ...] | None) -> tuple[str, str] | None:
    """Return the conda's prefix and the name to activate, of the first environment asked for; ``None``: there is none.

    Where nobody said what is asked for, it is the first of ours.
    """
    for one in asked or ():
        targets = [link.target or "" for link in facts.conda_links if link.name == one.link]
        if any(target.startswith(f"{one.folder(facts)}/") for target in targets):
            return one.prefix, one.link
    if asked is not None:
        return None
    ours = f"{facts.state_dir}/envs/"
    name = next((one.name for one in facts.conda_links if (one.target or "").startswith(ours)), None)
    prefix = next((one.prefix for one in facts.condas if one.runs), "~/miniconda3")
    return None if name is None else (prefix, name)
