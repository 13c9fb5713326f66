"""The task `environment`: what environment.yml asks for is built beside the current generation, proven, then used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.environment.digest import digest
from provision.environment.estimate import disk_needed
from provision.environment.failures import explain
from provision.gpu import newest_cuda
from provision.model.plan import Detached, Finding, Later, Run, Severity, Step
from provision.playbook.paths import expand
from provision.playbook.room import error, room
from provision.remote import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.environment.spec import EnvironmentSpec
    from provision.model.facts import EnvironmentFacts, Facts, Generation
    from provision.model.host import Host

PLATFORMS = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}
TERMS = ("defaults", "main", "r", "pkgs/main", "pkgs/r")
"""Channels of Anaconda that serve Terms of Service (terms.json at repo.anaconda.com/pkgs/main and pkgs/r)."""
NONE = "none"
REPEATED = "`verify` repeats every check"


@dataclass(frozen=True, slots=True)
class Variant:
    """One environment file, and the kind of host that it is for."""

    kind: str | None
    """``gpu``, ``cpu``, or ``None`` for both."""
    spec: EnvironmentSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """The environment that one host must have, worked out from its facts."""

    variant: Variant
    digest: str
    cuda: str
    """Version for ``__cuda``; ``none`` on a host without a GPU."""
    base: str
    """Folder of the environment's generations on the host."""
    link: str

    @property
    def spec(self) -> EnvironmentSpec:
        """What is asked for."""
        return self.variant.spec


@dataclass(frozen=True, slots=True)
class EnvironmentTask:
    """One conda environment of a project."""

    project: str
    name: str
    variants: tuple[Variant, ...]
    prefix: str
    """The conda that builds it, as the playbook says."""
    host: Host
    accept_tos: bool

    # -- the questions that every task answers ---------------------------------------------------

    def asks(self) -> Iterable[str]:
        """Whether base has an environment of that name of its own: it would shadow ours."""
        return (f"conda={self.prefix}", f"path={self.prefix}/envs/{self._link_name}")

    def plan(self, facts: Facts) -> Iterable[Step]:
        """Build where the wanted generation is absent; prove and switch where it is not in use; check what was not."""
        wanted = self._wanted(facts)
        if wanted is None:
            return
        have = facts.environment(self.project, self.name)
        complete = _complete(have, wanted.digest)
        if complete is None:
            yield from self._build(facts, wanted, have)
            return
        prefix = f"{wanted.base}/{complete.name}"
        in_use = have is not None and have.current == complete.name
        if not in_use:
            yield self._read_back(facts, wanted, prefix, reject=True)
        if not in_use or not self._proven(facts, complete):
            yield self._deep_check(facts, wanted, complete, reject=not in_use)
        if not in_use or not _linked(facts, wanted):
            previous = f", after {have.current}" if have is not None and have.current and not in_use else ""
            yield Step(
                f"make {complete.name} the current {self.name}",
                f"it is what {wanted.spec.source} asks for{previous}" if not in_use else "the link to it is missing",
                Run(catalogue.switch_environment(wanted.base, complete.name, wanted.link)),
                details=(f"{wanted.link} -> {wanted.base}/current",),
            )

    def objections(self, facts: Facts) -> Iterable[Finding]:
        """What would make the build fail or do harm, before anything is downloaded."""
        wanted = self._wanted(facts)
        if wanted is None:
            yield self._no_variant(facts)
            return
        yield from self._foreign(facts, wanted)
        if _complete(facts.environment(self.project, self.name), wanted.digest) is not None:
            return
        yield from self._terms(wanted)
        need = disk_needed(wanted.spec.dependencies, wanted.spec.pip, gpu=wanted.cuda != NONE)
        yield from room(facts, facts.state_dir, need, f"environment {self.name}")

    def judge(self, facts: Facts) -> Iterable[Finding]:
        """Say what the environment file itself has to say."""
        wanted = self._wanted(facts)
        if wanted is None:
            # Nothing can be planned for such a host: that must not look as if nothing were to be done.
            yield self._no_variant(facts)
            return
        yield from self._foreign(facts, wanted)
        for note in wanted.spec.notes:
            yield Finding("ENV-NOTE", Severity.INFO, note)

    def checks(self, facts: Facts) -> Iterable[Step]:
        """Read back and import, whatever the record says."""
        wanted = self._wanted(facts)
        have = facts.environment(self.project, self.name)
        current = have.find(have.current) if have is not None else None
        if wanted is None or current is None or current.marker is None:
            return
        # Where the file has changed since, the build is judged by what it was asked for: the change is in the plan.
        spec = wanted.spec if current.marker.get("digest") == wanted.digest else _own_spec(current.marker, wanted.spec)
        wanted = replace(wanted, variant=replace(wanted.variant, spec=spec))
        yield self._read_back(facts, wanted, f"{wanted.base}/{current.name}", reject=False)
        yield self._deep_check(facts, wanted, current, reject=False, record=False)

    # -- what is wanted --------------------------------------------------------------------------

    @property
    def _link_name(self) -> str:
        return self.variants[0].spec.name

    def _has_gpu(self, facts: Facts) -> bool:
        expect = self.host.expect
        if facts.gpu.gpus or facts.gpu.driver:
            return True
        return bool(expect.gpus) or expect.cuda is not None

    def _wanted(self, facts: Facts) -> Wanted | None:
        kind = "gpu" if self._has_gpu(facts) else "cpu"
        variant = next((one for one in self.variants if one.kind in (None, kind)), None)
        platform = PLATFORMS.get(facts.system.architecture)
        if variant is None or platform is None:
            return None
        cuda = self._cuda(facts) if kind == "gpu" else NONE
        found = digest(variant.spec, platform, variant.kind, cuda=cuda != NONE)
        return Wanted(
            variant,
            found,
            cuda,
            f"{facts.state_dir}/envs/{self.project}/{self.name}",
            f"{facts.system.home}/.conda/envs/{self._link_name}",
        )

    def _cuda(self, facts: Facts) -> str:
        """Return the version for ``__cuda``: what the driver serves, or what is expected of a box without its GPU."""
        if facts.gpu.cuda:
            return facts.gpu.cuda
        driver = facts.gpu.driver or facts.gpu.driver_loaded
        served = newest_cuda(driver) if driver else None
        return served or self.host.expect.cuda or NONE

    # -- steps -----------------------------------------------------------------------------------

    def _build(self, facts: Facts, wanted: Wanted, have: EnvironmentFacts | None) -> Iterable[Step]:
        counter = max((one.counter for one in have.generations), default=0) + 1 if have is not None else 1
        generation = f"{counter}-{wanted.digest[:8]}"
        spec = wanted.spec
        variables = {"env_vars": dict(spec.variables)} if spec.variables else None
        reason, details = self._why(wanted, have)
        yield Step(
            f"build {self.name} {generation}",
            reason,
            Detached(
                catalogue.build_environment(
                    state_dir=facts.state_dir,
                    conda=f"{expand(self.prefix, facts.system.home)}/bin/conda",
                    base=wanted.base,
                    generation=generation,
                    channels=self._channels(spec),
                    specs=spec.dependencies,
                    requirements=spec.pip_text,
                    constraints=spec.constraints_text,
                    variables=json.dumps(variables) if variables else "",
                    marker=_marker(wanted),
                    cuda=wanted.cuda,
                    accept_tos=self.accept_tos,
                    pip_index=(self.host.mirror.pip or "") if self.host.mirror else "",
                ),
                explain=explain,
            ),
            details=details,
        )
        yield Step(
            f"prove {self.name} {generation}", "what is installed is read back and imported before it is used", Later()
        )
        yield Step(f"make {generation} the current {self.name}", "once it is proven", Later())

    def _why(self, wanted: Wanted, have: EnvironmentFacts | None) -> tuple[str, tuple[str, ...]]:
        """Return the reason for a build, and the difference to the current generation."""
        current = have.find(have.current) if have is not None else None
        asked = {"dependencies": list(wanted.spec.dependencies), "pip": list(wanted.spec.pip)}
        if current is None or current.marker is None:
            added = (*asked["dependencies"], *(f"pip: {line}" for line in asked["pip"]))
            return ("there is no such environment yet", tuple(f"+ {one}" for one in added))
        spec = current.marker.get("spec")
        before = spec if isinstance(spec, dict) else {}
        if current.marker.get("digest") == wanted.digest:
            return (
                "its packages are no longer those of the build: something was installed or removed by hand",
                (),
            )
        lines: list[str] = []
        for key, prefix in (("channels", "channel "), ("dependencies", ""), ("pip", "pip: ")):
            listed = before.get(key)
            had = [str(one) for one in listed] if isinstance(listed, list) else []
            has = list(wanted.spec.channels) if key == "channels" else asked[key]
            lines += [f"- {prefix}{one}" for one in had if one not in has]
            lines += [f"+ {prefix}{one}" for one in has if one not in had]
        was = str(current.marker.get("digest"))[:8]
        return (f"{wanted.spec.source} changed: {was} -> {wanted.digest[:8]}", tuple(lines))

    def _read_back(self, facts: Facts, wanted: Wanted, prefix: str, *, reject: bool) -> Step:
        spec = wanted.spec
        interpreter = f"{expand(self.prefix, facts.system.home)}/bin/python"
        gpu = wanted.cuda != NONE

        def judge(output: bytes) -> tuple[Finding, ...]:
            from provision.environment.readback import judge_output

            found = judge_output(spec.dependencies, spec.pip, output, cuda_expected=gpu)
            if reject:
                return found
            # In use and damaged below what the probe can see: `up` trusts its record until somebody says so.
            fix = f"`echo damaged >{prefix}/.provision-rejected` there, then `provision up` builds it anew"
            return tuple(replace(one, fix=fix) if one.severity is Severity.ERROR else one for one in found)

        return Step(
            f"read back {self.name} {prefix.rsplit('/', 1)[-1]}",
            "conda's exit code does not say what was installed" if reject else REPEATED,
            Run(
                catalogue.python(interpreter, "list_packages.py", (prefix,), timeout=300),
                judge=judge,
                on_fail=catalogue.reject_generation(prefix, "not what was asked for") if reject else None,
            ),
            changed=False,
        )

    def _deep_check(
        self, facts: Facts, wanted: Wanted, generation: Generation, *, reject: bool, record: bool = True
    ) -> Step:
        prefix = f"{wanted.base}/{generation.name}"
        nonce = hashlib.sha256(prefix.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        machine = facts.system.machine_id or NONE
        text = json.dumps({"format": 1, "depends": self._depends(facts, generation)}, separators=(",", ":"))

        # Imported late: a converged host needs neither the question nor the judge.
        from provision.environment.deepcheck import judge_deep_check, question

        spec = wanted.spec

        def judge(output: bytes) -> tuple[Finding, ...]:
            return judge_deep_check(output, nonce, spec.dependencies, spec.pip)

        return Step(
            f"import what {self.name} {generation.name} is for",
            "it was not proven on this boot, with this driver and these packages" if record else REPEATED,
            Run(
                catalogue.python(
                    f"{prefix}/bin/python",
                    "deep_check.py",
                    (nonce,),
                    prefix=prefix,
                    data=question(wanted.spec.dependencies, wanted.spec.pip),
                    timeout=1200,
                ),
                judge=judge,
                on_pass=catalogue.write_record(facts.state_dir, machine, self._record, text) if record else None,
                on_fail=catalogue.reject_generation(prefix, "it does not import") if reject else None,
            ),
            changed=False,
        )

    # -- what was proven -------------------------------------------------------------------------

    @property
    def _record(self) -> str:
        return f"deep-{self.project}-{self.name}"

    def _depends(self, facts: Facts, generation: Generation) -> dict[str, Any]:
        """Return everything that a passed check holds for: when any of it changes, it is repeated."""
        return {
            "boot": facts.system.boot_id,
            "driver": facts.gpu.driver_loaded or facts.gpu.driver,
            "gpus": [one.uuid for one in facts.gpu.gpus],
            "generation": generation.name,
            "packages": generation.packages,
            "script": catalogue.script_digest("deep_check.py"),
        }

    def _proven(self, facts: Facts, generation: Generation) -> bool:
        record = facts.record(self._record)
        return record is not None and record.get("depends") == self._depends(facts, generation)

    def _no_variant(self, facts: Facts) -> Finding:
        kind = "gpu" if self._has_gpu(facts) else "cpu"
        return error(
            "ENV-NO-VARIANT",
            f"there is no environment file for a {kind} host of architecture {facts.system.architecture}",
            f"add `environment: {{{kind}: FILE}}` to provision.yaml",
        )

    # -- objections ------------------------------------------------------------------------------

    def _foreign(self, facts: Facts, wanted: Wanted) -> Iterable[Finding]:
        for link in facts.conda_links:
            # A link into another state folder is ours too: `state_dir:` was changed since.
            ours = (link.target or "").endswith(f"/envs/{self.project}/{self.name}/current")
            if link.name == self._link_name and not ours:
                what = f"points to {link.target}" if link.target else "is an environment of its own"
                yield error(
                    "ENV-NAME-FOREIGN",
                    f"{wanted.link} exists and {what}: it is not ours to replace",
                    "move it away, or give the environment another `name:` in environment.yml",
                )
        shadow = f"{self.prefix}/envs/{self._link_name}"
        if dict(facts.paths).get(shadow, "absent") != "absent":
            yield error(
                "ENV-NAME-SHADOWED",
                f"{shadow} exists: `conda activate {self._link_name}` would find it instead of ours",
                "move it away, or give the environment another `name:` in environment.yml",
            )

    def _terms(self, wanted: Wanted) -> Iterable[Finding]:
        if self.accept_tos:
            return
        concerned = [one for one in self._channels(wanted.spec) if one in TERMS or "//repo.anaconda.com/pkgs/" in one]
        if concerned:
            yield error(
                "CONDA-TERMS",
                f"the channels {', '.join(concerned)} have Terms of Service, which nobody accepted",
                "two ways out: `accept_tos: true` under miniconda in the playbook, which is your word that you accept "
                "them, or `channels: [conda-forge]` (or a mirror without them) in environment.yml",
            )

    def _channels(self, spec: EnvironmentSpec) -> tuple[str, ...]:
        """Return the channels by the URLs that this host's mirror serves them from."""
        served: dict[str, list[str]] = {}
        for name, url in self.host.mirror.channels if self.host.mirror else ():
            served.setdefault(name, []).append(url)
        return tuple(dict.fromkeys(url for one in spec.channels for url in served.get(one, [one])))


def _complete(have: EnvironmentFacts | None, wanted: str) -> Generation | None:
    """Return the newest generation that is what is wanted, complete, not rejected and not changed since its build."""
    if have is None:
        return None
    usable = [
        one
        for one in have.generations
        if one.marker is not None
        and one.rejected is None
        and one.marker.get("digest") == wanted
        and one.marker.get("packages") == one.packages
    ]
    return max(usable, key=lambda one: (one.name == have.current, one.counter), default=None)


def _own_spec(marker: dict[str, Any], spec: EnvironmentSpec) -> EnvironmentSpec:
    """Return what a build was asked for, as its marker says; a host wrote it, so no type is taken for granted."""
    asked = marker.get("spec")
    asked = asked if isinstance(asked, dict) else {}
    dependencies, pip = (
        tuple(one for one in lines if isinstance(one, str)) if isinstance(lines, list) else ()
        for lines in (asked.get("dependencies"), asked.get("pip"))
    )
    return replace(spec, dependencies=dependencies, pip=pip)


def _linked(facts: Facts, wanted: Wanted) -> bool:
    name = wanted.link.rsplit("/", 1)[-1]
    return any(one.name == name and one.target == f"{wanted.base}/current" for one in facts.conda_links)


def _marker(wanted: Wanted) -> str:
    """Return the marker's JSON without its closing brace: the script adds what only it knows."""
    spec = wanted.spec
    marker = {
        "format": 1,
        "digest": wanted.digest,
        "variant": wanted.variant.kind,
        "cuda": wanted.cuda,
        "spec": {
            "channels": list(spec.channels),
            "dependencies": list(spec.dependencies),
            "pip": list(spec.pip),
            "variables": sorted(key for key, _ in spec.variables),
        },
    }
    return json.dumps(marker, separators=(",", ":"))[:-1]
