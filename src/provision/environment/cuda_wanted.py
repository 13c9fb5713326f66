"""Which CUDA an environment file asks for, as far as its lines say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from provision.environment.matchspec import parse
from provision.environment.requirement import requirements
from provision.gpu.cuda import toolkits
from provision.gpu.wheels import cuda_of, default_cuda, indexes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.requirements import Requirement

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
_BUILD = re.compile(r"cuda_?(\d{2})[._]?(\d)")
_INDEX = re.compile(r"--(extra-)?(?:index-url|find-links)[ =]\S*?/(cu\d{3})(?:/|\s|$)")
_TORCH = frozenset({"torch", "torchvision", "torchaudio"})
_MAJOR = re.compile(r"(?:nvidia-[a-z0-9-]+-cu|cupy-cuda)(\d{2})x?")
_EXTRA = re.compile(r"cuda(\d{2})(?:[_-].*)?")
_RUNTIME = frozenset({"nvidia-cuda-runtime-cu11", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime"})


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


def cuda_wanted(spec: EnvironmentSpec) -> tuple[CudaDemand, ...]:
    """Return what the lines of an environment file need; what only the solver can tell is not among it."""
    return (*_conda(spec.dependencies), *_pip(spec.pip))


def _conda(dependencies: Sequence[str]) -> Iterator[CudaDemand]:
    known = [toolkit for toolkit, _ in toolkits()]
    for text in dependencies:
        try:
            wanted = parse(text)
        except ValueError:
            continue
        if wanted.name in NAMED_FOR_CUDA and wanted.version is not None:
            # A package of a toolkit has more numbers: 12.4.127 is of 12.4.
            meets = [one for one in known if wanted.accepts_version(one) or wanted.accepts_version(f"{one}.999")]
            if not meets:
                meets = [one for one in known if any(f"{one}." in part for part in re.split(r"[^0-9.]+", text))]
            if meets:
                yield CudaDemand(text, tuple(meets), pip=False)
        elif wanted.build is not None and (match := _BUILD.search(wanted.build)):
            named = f"{match[1]}.{match[2]}"
            if named in known:
                yield CudaDemand(text, (named,), pip=False)


def _pip(lines: Sequence[str]) -> Iterator[CudaDemand]:
    index = next((match for line in lines if (match := _INDEX.search(line))), None)
    try:
        found = requirements(lines)
    except ValueError:
        return
    for line in found:
        if line.requirement is None or line.name is None:
            tag = re.search(r"(?:\+|%2B)(cu\d{3})", line.text)
            if tag and (cuda := cuda_of(tag[1])):
                yield CudaDemand(line.text, (cuda,), pip=True, tag=tag[1])
        elif line.name == "torch":
            yield from _torch(line.text, line.requirement, index)
        else:
            yield from _other(line.text, line.name, line.requirement)


def _torch(text: str, wanted: Requirement, index: re.Match[str] | None) -> Iterator[CudaDemand]:
    pinned = next((one.version.partition("+")[0] for one in wanted.specifier if one.operator in {"==", "==="}), None)
    exact = pinned is not None and not pinned.endswith(".*")
    condition = "" if exact else str(wanted.specifier)
    local = re.search(r"\+(cu\d{3})", str(wanted.specifier) + (wanted.url or "").replace("%2B", "+"))
    admitted = [(torch, cuda) for torch, cuda in default_cuda() if _admits(wanted, torch)]
    tag = local[1] if local else index[2] if index and not _pypi_wins(index, admitted) else None
    if tag is not None:
        cuda = cuda_of(tag)
        if cuda is not None:
            shown = text if local else f"{text} from the index of {tag}"
            yield CudaDemand(shown, (cuda,), pip=True, tag=tag, torch=pinned, exact=exact, condition=condition)
        return
    if wanted.url is not None or "+cpu" in str(wanted.specifier):
        return
    if not admitted:
        return
    torch, cuda = admitted[-1]
    newest = torch == default_cuda()[-1][0]
    yield CudaDemand(
        text if pinned else f"{text} (torch {torch} from PyPI)",
        (cuda,),
        pip=True,
        # An open end takes what is newest on the day, less what the environment's Python excludes.
        certain=not newest or pinned is not None,
        tag=f"cu{cuda.replace('.', '')}",
        torch=pinned or torch,
        exact=exact,
        condition=condition,
    )


def _pypi_wins(index: re.Match[str], admitted: Sequence[tuple[str, str]]) -> bool:
    """Whether PyPI, which stands beside an extra index, has a newer torch for the line than that index."""
    known = next((one for one in indexes() if one.tag == index[2]), None)
    return index[1] is not None and known is not None and bool(admitted) and not known.has(admitted[-1][0])


def _admits(wanted: Requirement, torch: str) -> bool:
    try:
        return any(wanted.specifier.contains(Version(f"{torch}.{patch}")) for patch in range(3))
    except InvalidVersion:
        return False


def _other(text: str, name: str, wanted: Requirement) -> Iterator[CudaDemand]:
    known = [toolkit for toolkit, _ in toolkits()]
    if name in _RUNTIME or name == "cuda-toolkit":
        meets = [one for one in known if any(wanted.specifier.contains(f"{one}.{last}") for last in ("0", "999"))]
        exact = next((one.version for one in wanted.specifier if one.operator == "=="), None)
        if exact is not None:
            meets = [one for one in known if f"{exact}.".startswith(f"{one}.")]
        if wanted.specifier and meets:
            yield CudaDemand(text, tuple(meets), pip=True)
            return
    majors = [match[1]] if (match := _MAJOR.fullmatch(name)) else []
    majors += [match[1] for extra in wanted.extras if (match := _EXTRA.fullmatch(extra))]
    for major in majors:
        meets = [one for one in known if one.startswith(f"{major}.")]
        if meets:
            yield CudaDemand(text, tuple(meets), pip=True)
