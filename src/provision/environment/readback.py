"""Judges what is installed against what environment.yml asked for: conda's exit code 0 proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from provision.environment.builds import asks_for_cpu, cpu_builds, pip_asks_for_cpu
from provision.environment.listing import CondaPackage, Listing, PipPackage, parse_listing
from provision.environment.matchspec import MatchSpec, parse
from provision.environment.requirement import PipLine, requirements
from provision.gpu.wheels import indexes
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.environment.lock import Lock

__all__ = ["CondaPackage", "Listing", "PipPackage", "judge", "judge_output", "parse_listing"]

_SHOWN = 5
_SHOWN_PROBLEM = 200
_COMMON = ("cu126", "cu124", "cu121", "cu118")
"""Indexes whose CUDA many drivers serve."""
_URL = "https://download.pytorch.org/whl/cu126"


def judge_output(
    spec_dependencies: Sequence[str],
    pip_requirements: Sequence[str],
    output: bytes,
    *,
    cuda_expected: bool,
    lock: Lock | None = None,
) -> tuple[Finding, ...]:
    """Judge the script's output; one that cannot be read is a finding too, ENV-LISTING.

    With a lock, what is installed must be all of it and nothing else.
    """
    try:
        listing = parse_listing(output)
    except ValueError as error:
        return (Finding("ENV-LISTING", Severity.ERROR, f"what is installed could not be read: {error}"),)
    more: tuple[Finding, ...] = ()
    if lock is not None:
        from provision.environment.locked import judge_locked, with_channels

        listing = with_channels(listing, lock)
        more = judge_locked(listing, lock)
    return (*judge(spec_dependencies, pip_requirements, listing, cuda_expected=cuda_expected), *more)


def judge(
    spec_dependencies: Sequence[str],
    pip_requirements: Sequence[str],
    listing: Listing,
    *,
    cuda_expected: bool,
) -> tuple[Finding, ...]:
    """Return everything that is not as it was asked for; nothing when all is met.

    Args:
        spec_dependencies: The conda dependencies, as written in environment.yml.
        pip_requirements: The lines of its pip section, option lines and comments included.
        listing: What the host has.
        cuda_expected: Whether the environment is meant to use a GPU.
    """
    specs, bad = _specs(spec_dependencies)
    return (
        *bad,
        *_unmet(specs, listing),
        *_pip(pip_requirements, listing),
        *_files(listing),
        *(_cpu(specs, pip_requirements, listing) if cuda_expected else ()),
        *_unread(listing),
    )


def _specs(dependencies: Sequence[str]) -> tuple[list[MatchSpec], list[Finding]]:
    specs, bad = [], []
    for text in dependencies:
        try:
            specs.append(parse(text))
        except ValueError as error:
            bad.append(Finding("ENV-SPEC-BAD", Severity.ERROR, str(error), "correct it in environment.yml"))
    return specs, bad


def _unmet(specs: Sequence[MatchSpec], listing: Listing) -> Iterator[Finding]:
    installed = {one.name.lower(): one for one in listing.conda}
    for spec in specs:
        package = installed.get(spec.name)
        if spec.virtual or (package is not None and _satisfies(spec, package)):
            continue
        there = f"there is {package.shown}" if package is not None else "there is no package of that name"
        yield Finding(
            "ENV-SPEC-UNMET",
            Severity.ERROR,
            f"environment.yml asks for {spec.text!r}, {there}",
            "check spelling, version and channels of this line; a lock is made anew by `provision env lock`",
        )


def _satisfies(spec: MatchSpec, package: CondaPackage) -> bool:
    return spec.matches(
        package.name, package.version, package.build, package.channel, build_number=package.build_number
    )


def _pip(lines: Sequence[str], listing: Listing) -> Iterator[Finding]:
    wanted: list[PipLine] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        try:
            wanted += requirements([line])
        except ValueError as error:
            yield Finding("ENV-PIP-BAD", Severity.ERROR, str(error), "correct it in the pip section")
    if not wanted:
        return
    names = {canonicalize_name(one.name) for one in listing.pip} | {one.name for one in listing.conda}
    if listing.markers is None or "pip" not in names:
        what = "pip" if listing.markers is not None else "Python"
        yield Finding(
            "ENV-PIP-ABSENT",
            Severity.ERROR,
            f"environment.yml has a pip section, but the environment has no {what}",
            f"add {what.lower()} to the dependencies",
        )
    for line_ in wanted:
        if listing.markers is not None and not line_.applies(listing.markers):
            continue
        if not line_.met_by(listing.pip):
            yield Finding(
                "ENV-PIP-UNMET",
                Severity.ERROR,
                f"the pip section asks for {line_.text!r}, {_found(line_, listing.pip)}",
                "two lines, or a conda package and a line, may ask for different versions",
            )


def _found(line: PipLine, packages: Sequence[PipPackage]) -> str:
    there = [one for one in packages if canonicalize_name(one.name) == line.name]
    if not there:
        return "nothing of that name is installed" if line.name else "nothing was installed from there"
    return "there is " + " and ".join(f"{one.name} {one.version} ({one.installer or 'unknown'})" for one in there)


def _files(listing: Listing) -> Iterator[Finding]:
    owners = {canonicalize_name(one.name): one.installer for one in listing.pip}
    broken: list[CondaPackage] = []
    replaced: list[CondaPackage] = []
    for package in listing.conda:
        if package.missing:
            by_pip = [one for one in package.distributions if owners.get(canonicalize_name(one)) in {"pip", "uv"}]
            (replaced if by_pip else broken).append(package)
    if broken:
        yield Finding(
            "ENV-FILES-MISSING",
            Severity.ERROR,
            "files of installed packages are missing: " + _listed(broken),
            "the package cache or the disk is damaged: build the environment anew",
        )
    if replaced:
        # pip removes conda's files before it puts its own: it works, but conda no longer knows what is there.
        yield Finding(
            "ENV-PIP-REPLACED",
            Severity.WARNING,
            "pip replaced packages that conda had installed: " + _listed(replaced),
            "name each of them once, as a dependency or in the pip section",
        )
    unseen = sum(one.missing is None for one in listing.conda)
    if unseen:
        text = f"the files of {unseen} packages were not looked at for lack of time"
        yield Finding("ENV-FILES-UNSEEN", Severity.INFO, text)


def _listed(packages: Sequence[CondaPackage]) -> str:
    shown = ", ".join(
        f"{one.name} ({one.missing} of {one.files}" + (f", {one.missing_examples[0]})" if one.missing_examples else ")")
        for one in packages[:_SHOWN]
    )
    return shown + (f", and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else "")


def _cpu(specs: Sequence[MatchSpec], pip: Sequence[str], listing: Listing) -> Iterator[Finding]:
    builds = list(cpu_builds(listing))
    if not builds:
        return
    shown = ", ".join(text for _, text in builds)
    if any(asks_for_cpu(spec) for spec in specs) or pip_asks_for_cpu(pip):
        yield Finding(
            "ENV-CPU-BUILD",
            Severity.WARNING,
            f"built for the CPU, as environment.yml asks, on a host whose GPU is meant to be used: {shown}",
            "if this host is to compute on its CPU, say `playbook: cpu` for it in hosts.yaml; if not, leave the CPU"
            " out of environment.yml",
        )
        return
    # What a pinned CUDA leaves out, the solver replaces by a build for the CPU, without a word.
    pin = next((spec.text for spec in specs if spec.name == "cuda-version" and spec.version is not None), None)
    conda = not builds[0][1].endswith("(pip)")
    yield Finding(
        "ENV-CPU-BUILD",
        Severity.ERROR,
        f"built for the CPU, on a host whose GPU is meant to be used: {shown}"
        + (f"; perhaps `{pin}` of environment.yml leaves no CUDA build of it" if pin and conda else ""),
        f"write `{builds[0][0]}=*=*cuda*`, with which conda says what is in its way, and another version than `{pin}`"
        if pin and conda
        else _cuda_build(*builds[0]),
    )


def _cuda_build(name: str, shown: str) -> str:
    if not shown.endswith("(pip)"):
        return f"write `{name}=*=*cuda*` in environment.yml"
    version = shown.removesuffix("(pip)").split()[-1].partition("+")[0]
    have = next((one for one in indexes() if name == "torch" and one.tag in _COMMON and one.has(version)), None)
    if have is not None:
        return f"write `torch=={version}+{have.tag}` and `--extra-index-url {have.url}` in the pip section"
    return (
        f"write {name} without `+cpu`, and an index of PyTorch such as `--extra-index-url {_URL}`, in the pip section"
    )


def _unread(listing: Listing) -> Iterator[Finding]:
    if listing.problems:
        shown = "; ".join(one[:_SHOWN_PROBLEM] for one in listing.problems[:3])
        more = f" and {len(listing.problems) - 3} more" if len(listing.problems) > 3 else ""  # noqa: PLR2004 - as many
        text = f"records of installed packages cannot be read: {shown}{more}"
        yield Finding(
            "ENV-LISTING", Severity.WARNING, text, "`provision up` builds it anew where packages were changed"
        )
