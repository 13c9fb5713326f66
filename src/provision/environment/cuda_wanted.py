"""Which CUDA an environment file asks for, as far as its lines say."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from provision.environment.cuda_host import conda_specs, counts, pythons
from provision.environment.requirement import requirements
from provision.gpu.cuda import toolkits
from provision.gpu.versions import parse_version
from provision.gpu.wheels import cuda_of, default_cuda, indexes, oldest_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.requirements import Requirement

    from provision.environment.matchspec import MatchSpec
    from provision.environment.spec import EnvironmentSpec

NAMED_FOR_CUDA = frozenset(
    {
        "cuda-version",
        "pytorch-cuda",
        "cudatoolkit",
        "cuda-toolkit",
        "cuda",
        "cuda-runtime",
        "cuda-libraries",
        "cuda-nvcc",
    }
)
"""Conda packages whose version is that of the CUDA which they bring."""
_COMPILERS = frozenset({"cuda", "cuda-toolkit", "cuda-nvcc"})
"""Those of them that compile: they need no driver, and what they make may run elsewhere."""
_TORCH = frozenset({"pytorch", "pytorch-gpu", "pytorch-cpu"})
"""Conda packages that are `torch` to pip."""
_WITH_TORCH = frozenset({"pytorch-cuda", "torchvision", "torchaudio", "torchmetrics", "lightning", "pytorch-lightning"})
"""Conda packages that come with one, of a version that the file does not say."""
_BUILD = re.compile(r"cuda_?(\d{2})[._]?(\d)")
_INDEX = re.compile(r"--(extra-)?(?:index-url|find-links)[ =]\S*?/(cu\d{3})(?:/|\s|$)")
_OTHER_INDEX = re.compile(r"--(?:extra-)?(?:index-url|find-links)[ =]\S*?/(?:cpu|xpu|rocm[\d.]+)(?:/|\s|$)")
_MAJOR = re.compile(r"(?:nvidia-[a-z0-9-]+-cu|cupy-cuda)(\d{2})x?")
_EXTRA = re.compile(r"cuda(\d{2})(?:[_-].*)?")
_RUNTIME = frozenset({"nvidia-cuda-runtime-cu11", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime"})
_NEVER_SURE = re.compile(r"cuda-toolkit|nvidia-(?:nccl|cuda-nvcc)(?:-cu\d{2})?")
"""Wheels that other things than a framework bring along, and that no program needs to start."""
_PATCHES = range(3)


@dataclass(frozen=True, slots=True)
class CudaDemand:
    """A line that needs a CUDA."""

    text: str
    """The line, as the user wrote it or with what completes it."""
    toolkits: tuple[str, ...]
    """Known toolkits that meet it, the newest first; any of them will do."""
    pip: bool
    """Whether pip installs it; else conda."""
    certain: bool = True
    """Whether the line itself says so; else it is what the installer takes at this time."""
    tag: str | None = None
    """The tag of PyTorch's wheels: cu124."""
    torch: str | None = None
    """The torch version, where one is named or known."""
    exact: bool = False
    """Whether the line itself names that version."""
    condition: str = ""
    """What the line says of torch's version."""
    compat: bool = False
    """Whether the file brings cuda-compat, with which a data-centre card starts a newer CUDA than its driver's."""


def cuda_wanted(spec: EnvironmentSpec, architecture: str | None = None) -> tuple[CudaDemand, ...]:
    """Return what the lines of an environment file need; what only the solver can tell is not among it.

    Args:
        spec: The file.
        architecture: The host's, as ``uname -m`` says; ``None``: not known.
    """
    specs = conda_specs(spec.dependencies)
    compat = any(one.name == "cuda-compat" or one.name.startswith("cuda-compat-") for one in specs)
    found = (*_conda(specs), *_pip(spec.pip, specs, architecture))
    return tuple(replace(one, compat=True) for one in found) if compat else found


def _conda(specs: Sequence[MatchSpec]) -> Iterator[CudaDemand]:
    known = [toolkit for toolkit, _ in toolkits()]
    for wanted in specs:
        text = wanted.text
        if wanted.name in NAMED_FOR_CUDA and wanted.version is not None:
            # A package of a toolkit has more numbers: 12.4.127 is of 12.4.
            meets = [one for one in known if wanted.accepts_version(one) or wanted.accepts_version(f"{one}.999")]
            if not meets:
                meets = [one for one in known if any(f"{one}." in part for part in re.split(r"[^0-9.]+", text))]
            if meets:
                yield CudaDemand(text, tuple(meets), pip=False, certain=wanted.name not in _COMPILERS)
        elif wanted.build is not None and (match := _BUILD.search(wanted.build)):
            named = f"{match[1]}.{match[2]}"
            if named in known:
                yield CudaDemand(text, (named,), pip=False)


def _pip(lines: Sequence[str], specs: Sequence[MatchSpec], architecture: str | None) -> Iterator[CudaDemand]:
    try:
        found = requirements(lines)
    except ValueError:
        return
    admitted = pythons(specs)
    counting = [(line, holds) for line in found if (holds := counts(line, admitted, architecture)) is not False]
    # The CUDA of a torch is its own line's matter: what stands beside it does not decide whether it starts.
    beside = any(line.name == "torch" for line, _ in counting) or any(one.name in _TORCH for one in specs)
    brought = any(one.name in _WITH_TORCH for one in specs)
    for line, holds in counting:
        if line.requirement is None or line.name is None:
            tag = re.search(r"(?:\+|%2B)(cu\d{3})", line.text)
            demands = [CudaDemand(line.text, (cuda,), pip=True, tag=tag[1]) for cuda in _cudas(tag)] if tag else []
        elif line.name == "torch":
            demands = list(_torch(line.text, line.requirement, lines, specs, architecture))
        else:
            demands = list(_other(line.text, line.name, line.requirement, beside=beside))
        doubt = not holds or (line.name == "torch" and brought and "+cu" not in line.text.replace("%2B", "+"))
        for demand in demands:
            yield replace(demand, certain=False) if doubt else demand


def _cudas(tag: re.Match[str]) -> Iterator[str]:
    cuda = cuda_of(tag[1])
    if cuda is not None:
        yield cuda


def _torch(
    text: str, wanted: Requirement, lines: Sequence[str], specs: Sequence[MatchSpec], architecture: str | None
) -> Iterator[CudaDemand]:
    written = str(wanted.specifier) + (wanted.url or "").replace("%2B", "+")
    local = re.search(r"\+(cu\d{3})", written)
    if local is None and (re.search(r"\+[a-z]", written) or _met_by_conda(wanted, specs)):
        return
    pinned = next((one.version.partition("+")[0] for one in wanted.specifier if one.operator in {"==", "==="}), None)
    exact = pinned is not None and not pinned.endswith(".*")
    condition = "" if exact else str(wanted.specifier)
    taken = _taken(wanted, pythons(specs))
    index = next((match for line in lines if (match := _INDEX.search(line))), None)
    tag = local[1] if local else index[2] if index and not _pypi_wins(index, taken) else None
    if tag is not None:
        cuda = cuda_of(tag)
        if cuda is not None:
            shown = text if local else f"{text} from the index of {tag}"
            yield CudaDemand(shown, (cuda,), pip=True, tag=tag, torch=pinned, exact=exact, condition=condition)
        return
    # A build for something else has a local version, which counts as newer than PyPI's.
    other = any(_OTHER_INDEX.search(line) for line in lines)
    # The wheels of PyPI are known for one architecture.
    if wanted.url is not None or other or not taken or architecture not in {None, "x86_64"}:
        return
    torch, cuda = taken[-1]
    yield CudaDemand(
        text if exact else f"{text} (torch {torch} from PyPI)",
        (cuda,),
        pip=True,
        certain=_sure(wanted, specs, exact=exact),
        tag=f"cu{cuda.replace('.', '')}",
        torch=pinned if exact else torch,
        exact=exact,
        condition=condition,
    )


def _met_by_conda(wanted: Requirement, specs: Sequence[MatchSpec]) -> bool:
    """Whether pip may find a torch of conda that will do, which it then leaves alone."""
    if wanted.url is not None:
        return False
    known = [f"{torch}.{patch}" for torch, _ in default_cuda() for patch in _PATCHES]
    for one in specs:
        if one.name in _TORCH:
            versions = [*known, *re.findall(r"\d+(?:\.\d+)+", one.text)]
            if any(one.accepts_version(version) and wanted.specifier.contains(version) for version in versions):
                return True
    return False


def _taken(wanted: Requirement, admitted: Sequence[str]) -> list[tuple[str, str]]:
    """Return (torch, CUDA) of what the line admits on PyPI, the last of which pip takes with the newest Python."""
    found = [one for one in default_cuda() if _admits(wanted, one[0])]
    if not admitted:
        return found
    # Where the Python has none of them pip fails, and says so; what the line means is still to be judged.
    return [one for one in found if _runs(one[0], admitted[-1])] or found


def _sure(wanted: Requirement, specs: Sequence[MatchSpec], *, exact: bool) -> bool:
    """Whether pip takes a wheel of that CUDA from PyPI, whatever may be released later, on every Python admitted."""
    admitted = pythons(specs)
    found = [one for one in default_cuda() if _admits(wanted, one[0])]
    if exact:
        return all(_runs(found[-1][0], python) for python in admitted)
    cudas = set()
    for python in admitted:
        # An open end takes what is newest on the day, unless the Python is too old for that.
        runs = [one for one in found if _runs(one[0], python)]
        newest = default_cuda()[-1][0]
        cudas.add(runs[-1][1] if runs and (runs[-1][0] != newest or _bounded(wanted, newest)) else None)
    return len(cudas) == 1 and None not in cudas


def _bounded(wanted: Requirement, newest: str) -> bool:
    """Whether the line leaves out what comes after the newest release that is known."""
    major, _, minor = newest.partition(".")
    return not wanted.specifier.contains(f"{major}.{int(minor) + 1}.0")


def _runs(torch: str, python: str) -> bool:
    oldest = oldest_python(torch)
    return oldest is None or parse_version(oldest) <= parse_version(python)


def _pypi_wins(index: re.Match[str], admitted: Sequence[tuple[str, str]]) -> bool:
    """Whether PyPI, which stands beside an extra index, has a newer torch for the line than that index."""
    known = next((one for one in indexes() if one.tag == index[2]), None)
    return index[1] is not None and known is not None and bool(admitted) and not known.has(admitted[-1][0])


def _admits(wanted: Requirement, torch: str) -> bool:
    try:
        return any(wanted.specifier.contains(Version(f"{torch}.{patch}")) for patch in _PATCHES)
    except InvalidVersion:
        return False


def _other(text: str, name: str, wanted: Requirement, *, beside: bool) -> Iterator[CudaDemand]:
    known = [toolkit for toolkit, _ in toolkits()]
    certain = _NEVER_SURE.fullmatch(name) is None and not (beside and name.startswith("nvidia-"))
    if name in _RUNTIME or name == "cuda-toolkit":
        meets = [one for one in known if any(wanted.specifier.contains(f"{one}.{last}") for last in ("0", "999"))]
        exact = next((one.version for one in wanted.specifier if one.operator == "=="), None)
        if exact is not None:
            meets = [one for one in known if f"{exact}.".startswith(f"{one}.")]
        if wanted.specifier and meets:
            yield CudaDemand(text, tuple(meets), pip=True, certain=certain)
            return
    majors = [match[1]] if (match := _MAJOR.fullmatch(name)) else []
    majors += [match[1] for extra in wanted.extras if (match := _EXTRA.fullmatch(extra))]
    for major in majors:
        meets = [one for one in known if one.startswith(f"{major}.")]
        if meets:
            yield CudaDemand(text, tuple(meets), pip=True, certain=certain)
