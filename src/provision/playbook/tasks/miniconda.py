"""The task `miniconda`: a healthy conda at the playbook's prefix, adopted where there is one, else installed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from provision.environment.failures import explain
from provision.environment.version import Version
from provision.miniconda.table import Installer, find, newest
from provision.model.plan import Detached, Fetch, Finding, Later, Run, Severity, Step
from provision.playbook.paths import expand
from provision.playbook.room import error, room
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.model.facts import CondaInstallation, Facts
    from provision.model.host import Host
    from provision.playbook.options import MinicondaOptions

SIZE = 700 << 20
"""Bytes that an installation takes, its installer included (300-400 MB and 150 MB, measured)."""
ARCHITECTURES = ("x86_64", "aarch64")
NEEDED = ("bash", "flock", "timeout", "setsid", "sha256sum", "tar")


class Pins(Protocol):
    """Checksums of installers that were first used here; kept beside the playbook."""

    def find(self, file_name: str) -> str | None:
        """Return the checksum that the first use found."""

    def remember(self, file_name: str, sha256: str) -> None:
        """Keep it."""


@dataclass(frozen=True, slots=True)
class MinicondaTask:
    """Miniconda at one prefix."""

    options: MinicondaOptions
    host: Host
    pins: Pins

    def asks(self) -> Iterable[str]:
        """The prefix."""
        return (f"conda={self.options.prefix}",)

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Adopt what is healthy, repair what was not finished, install what is absent."""
        prefix = expand(self.options.prefix, facts.system.home)
        conda = facts.conda(prefix)
        if conda is not None and conda.runs and not conda.installing:
            if not self._recorded(facts, conda):
                yield self._adopt(facts, conda)
            return
        if conda is not None and not conda.empty and not conda.conda_shaped and not conda.installing:
            return
        repair = conda is not None and not conda.empty
        installer = self.installer(facts.system.architecture)
        if installer is None:
            return
        if installer.sha256 is None:
            yield self._fetch(facts, installer, "pin and download")
            yield Step(f"install Miniconda at {prefix}", "it is installed once its checksum is known", Later())
            return
        reason = "an installation there was not finished" if repair else f"there is no conda at {prefix}"
        yield self._fetch(facts, installer, "download")
        yield Step(
            f"{'repair' if repair else 'install'} Miniconda {installer.version} at {prefix}",
            reason,
            Detached(
                catalogue.install_miniconda(facts.state_dir, installer.sha256, prefix, repair=repair),
                explain=explain,
            ),
            details=(f"sha256 {installer.sha256}", f"pinned by {installer.source}"),
        )

    def objections(self, facts: Facts) -> Iterable[Finding]:
        """What would make the installation fail, before anything is downloaded."""
        system = facts.system
        missing = [one for one in NEEDED if one not in system.tools]
        if missing:
            yield error(
                "TOOL-MISSING",
                f"the host has no {', '.join(missing)}",
                "install util-linux, coreutils, tar and bash there",
            )
        if not facts.home_owned:
            yield error(
                "HOME-WRITABLE",
                f"others own or can write {system.home}, so they could replace what is installed there",
                f"chmod go-w {system.home}   (and chown it to {system.user})",
            )
        prefix = expand(self.options.prefix, system.home)
        conda = facts.conda(prefix)
        if conda is not None and conda.runs and not conda.installing:
            yield from self._too_old(conda)
            return
        yield from self._cannot_install(facts, prefix, conda)

    def _too_old(self, conda: CondaInstallation) -> Iterable[Finding]:
        if conda.version is None:
            return
        if _older(conda.version, self.options.minimum):
            yield error(
                "CONDA-OLD",
                f"conda {conda.version} at {conda.prefix} is older than {self.options.minimum}",
                f"update it there ({conda.prefix}/bin/conda update -n base conda), or give another `prefix:`",
            )

    def _hopeless(self, facts: Facts, prefix: str, conda: CondaInstallation | None) -> Iterable[Finding]:
        """Yield why not even a step can be planned: asked of a plan, and of a host where there is no plan."""
        system = facts.system
        if conda is not None and not (conda.empty or conda.conda_shaped or conda.installing):
            yield error(
                "CONDA-PREFIX-FOREIGN",
                f"{prefix} exists and is not a conda installation",
                "move it away, or give another `prefix:` in the playbook",
            )
        if system.architecture not in ARCHITECTURES:
            yield error(
                "ARCHITECTURE",
                f"there is no Miniconda for {system.architecture}",
                "x86_64 and aarch64 are served",
            )
        elif self.installer(system.architecture) is None:
            yield error(
                "CONDA-VERSION",
                f"no installer is known for `version: {self.options.version}`",
                "write it in full, as the file is named (py313_26.7.1-1), or leave it out for the newest known one",
            )

    def _cannot_install(self, facts: Facts, prefix: str, conda: CondaInstallation | None) -> Iterable[Finding]:
        yield from self._hopeless(facts, prefix, conda)
        system = facts.system
        installer = self.installer(system.architecture)
        if installer is not None and installer.sha256 is None and not self._trusted_source():
            yield error(
                "INSTALLER-UNPINNED",
                f"{installer.file_name} would come over http, and no checksum says what it must be",
                "give its `sha256:` beside `installer:`; without one, only https or a local file is taken",
            )
        if system.libc == "musl":
            yield error("LIBC-MUSL", "the host has musl; conda needs the GNU C library", "use an image with glibc")
        elif installer is not None and system.glibc and installer.glibc and _older(system.glibc, installer.glibc):
            yield error(
                "GLIBC-OLD",
                f"glibc {system.glibc} is too old for Miniconda {installer.version}, which needs {installer.glibc}",
                "use a newer image (Ubuntu 20.04, Debian 11, RHEL 8 or later), or an older `version:`",
            )
        yield from room(facts, prefix, SIZE, "Miniconda")

    def judge(self, facts: Facts) -> Iterable[Finding]:
        """Say what no step can cure; another conda than ours is worth a word."""
        prefix = expand(self.options.prefix, facts.system.home)
        conda = facts.conda(prefix)
        if conda is not None and conda.runs and not conda.installing:
            yield from self._too_old(conda)
            return
        yield from self._hopeless(facts, prefix, conda)
        if conda is not None:
            return
        for other in facts.condas:
            if other.runs:
                yield Finding(
                    "CONDA-ELSEWHERE",
                    Severity.INFO,
                    f"{other.distribution or 'conda'} {other.version or ''} stands at {other.prefix}",
                    f"`prefix: {other.prefix}` in the playbook would adopt it",
                )

    def checks(self, facts: Facts) -> Iterable[Step]:
        """Run conda once."""
        conda = facts.conda(expand(self.options.prefix, facts.system.home))
        if conda is not None:
            yield self._adopt(facts, conda, record=False)

    def _trusted_source(self) -> bool:
        """Whether what is pinned at first use comes from our own disk or by TLS from every address."""
        given = self.options.installer
        asked = (given,) if given else self._mirrors()
        return all("://" not in one or one.startswith("https://") for one in asked)

    def _fetch(self, facts: Facts, installer: Installer, verb: str) -> Step:
        urls, local = self.origins(installer)
        origin = local or urls[0]

        def pin(sha256: str) -> None:
            self.pins.remember(installer.file_name, sha256)

        return Step(
            f"{verb} {installer.file_name}",
            f"from {origin}",
            Fetch(urls, installer.sha256, installer.file_name, facts.state_dir, local, pin, self.host.offline),
        )

    def origins(self, installer: Installer) -> tuple[tuple[str, ...], str | None]:
        """Return the addresses of an installer, the best first, or its path on this machine."""
        if self.options.installer and "://" not in self.options.installer:
            return (), self.options.installer
        if self.options.installer:
            return (installer.url,), None
        mirrored = (f"{one.rstrip('/')}/{installer.file_name}" for one in self._mirrors())
        return tuple(dict.fromkeys((*mirrored, installer.url))), None

    def _mirrors(self) -> tuple[str, ...]:
        chain = self.host.mirror.chain if self.host.mirror else ()
        return tuple(one.installer for one in chain if one.installer)

    def installer(self, architecture: str) -> Installer | None:
        """Return what to install, with the checksum that the user, the table or the first use gave."""
        if architecture not in ARCHITECTURES:
            return None
        given = self.options.installer
        if given is not None:
            name = given.rstrip("/").rsplit("/", 1)[-1]
            sha256 = self.options.sha256 or self.pins.find(name)
            return Installer(
                file_name=name,
                version=f"from {name}",
                architecture=architecture,
                sha256=sha256,
                source="the playbook" if self.options.sha256 else "its first use",
                url=given,
                also=(),
                glibc=None,
            )
        found = find(self.options.version, architecture) if self.options.version else newest(architecture)
        if found is None or found.sha256 is not None:
            return found
        sha256 = self.options.sha256 or self.pins.find(found.file_name)
        return replace(found, sha256=sha256, source="its first use")

    def _adopt(self, facts: Facts, conda: CondaInstallation, *, record: bool = True) -> Step:
        name = _record_name(conda.prefix)
        text = json.dumps({"format": 1, "prefix": conda.prefix, "version": conda.version}, separators=(",", ":"))
        machine = facts.system.machine_id or "none"
        return Step(
            f"check {conda.distribution or 'conda'} {conda.version or ''} at {conda.prefix}".replace("  ", " "),
            "it was never run by provision, or was changed since" if record else "`verify` repeats every check",
            Run(
                catalogue.check_conda(conda.prefix),
                judge=_judge_version,
                on_pass=catalogue.write_record(facts.state_dir, machine, name, text) if record else None,
            ),
            changed=False,
        )

    @staticmethod
    def _recorded(facts: Facts, conda: CondaInstallation) -> bool:
        record = facts.record(_record_name(conda.prefix))
        return record is not None and record.get("version") == conda.version and record.get("prefix") == conda.prefix


def _record_name(prefix: str) -> str:
    return "conda" + prefix.replace("/", "%")


def _older(version: str, than: str) -> bool:
    """Whether it is surely older: what a host says may be no version at all."""
    try:
        return Version.parse(version) < Version.parse(than)
    except ValueError:
        return False


def _judge_version(output: bytes) -> tuple[Finding, ...]:
    text = output.decode("utf-8", "replace").strip()
    if "conda" in text:
        return ()
    return (error("CONDA-BROKEN", "the conda that is there does not run", "move it away, or give another `prefix:`"),)
