"""The task `packages`: system packages by apt, dnf or yum; the only task that needs root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.model.plan import Detached, Finding, Step
from provision.playbook.room import error
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import Facts
    from provision.playbook.options import PackagesOptions

MANAGERS = ("apt-get", "dnf", "yum")
_NO_MANAGER = error(
    "PACKAGES-NO-MANAGER", "the host has none of apt-get, dnf and yum", "install by hand, or by `command`"
)


@dataclass(frozen=True, slots=True)
class PackagesTask:
    """Packages of the host's distribution."""

    options: PackagesOptions
    mirror: str | None = None
    """Serves apt's archives."""

    def asks(self) -> Iterable[str]:
        """Every name that some manager may be asked for, and whether we may be root."""
        options = self.options
        names = dict.fromkeys((*options.names, *options.apt, *options.dnf, *options.yum))
        return ("sudo=1", *(f"package={name}" for name in names))

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Install what is absent."""
        manager = _manager(facts)
        missing = self._missing(facts, manager)
        if manager is None or not missing:
            return
        yield Step(
            f"install {', '.join(missing)}",
            "not installed" + (f"; {facts.system.locked}, which is waited for" if facts.system.locked else ""),
            Detached(
                catalogue.install_packages(manager, missing, sudo=facts.system.sudo != "root", mirror=self.mirror),
                explain=_explain,
            ),
            details=tuple(f"+ {one}" for one in missing),
        )

    def objections(self, facts: Facts) -> Iterable[Finding]:
        """No manager, or no way to be root."""
        manager = _manager(facts)
        missing = self._missing(facts, manager)
        if manager is None:
            yield from self.judge(facts)
        elif missing and facts.system.sudo not in {"root", "nopasswd"}:
            line = f"{manager} install {' '.join(missing)}"
            needed = f"{', '.join(missing)} must be installed as root, and "
            if facts.system.sudo == "none":
                yield error("SUDO-NEEDED", f"{needed}the host has no sudo", f"type it there as root: {line}")
            else:
                why = f"{facts.system.user} may not use sudo without a password"
                yield error("SUDO-NEEDED", needed + why, f"type it there: sudo {line}")

    def judge(self, facts: Facts) -> Iterable[Finding]:
        """Say what no step can cure; what is missing is in the plan."""
        if _manager(facts) is None and self._missing(facts, None):
            yield _NO_MANAGER

    def checks(self, facts: Facts) -> Iterable[Step]:  # noqa: ARG002 - the probe's answer is the check
        """Nothing more than what the probe asked."""
        return ()

    def _missing(self, facts: Facts, manager: str | None) -> tuple[str, ...]:
        options = self.options
        own = {"apt-get": options.apt, "dnf": options.dnf, "yum": options.yum or options.dnf}.get(manager or "", ())
        have = dict(facts.packages)
        return tuple(one for one in dict.fromkeys((*options.names, *own)) if have.get(one) is None)


def _manager(facts: Facts) -> str | None:
    return next((one for one in MANAGERS if one in facts.system.tools), None)


def _explain(output: str) -> tuple[str, str | None] | None:
    if "Unable to locate package" in output or "No match for argument" in output:
        line = next(one for one in reversed(output.splitlines()) if "locate package" in one or "No match" in one)
        return f"there is no such package: {line.strip()}", "check its name on this distribution"
    if "Could not get lock" in output:
        return (
            "the package manager was busy for more than ten minutes",
            "wait for the machine's own updates to end",
        )
    return None
