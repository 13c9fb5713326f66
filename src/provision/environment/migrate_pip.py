"""pip's lines for another machine: torch with the index that its driver goes with, and what is named for a CUDA."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from provision.environment.cuda_wanted import cuda_wanted
from provision.environment.export_file import Entry
from provision.environment.migrate_target import Change
from provision.environment.requirement import requirements
from provision.gpu.wheels import cuda_of, default_cuda

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.environment.cuda_wanted import CudaDemand
    from provision.environment.migrate_target import Target
    from provision.environment.requirement import PipLine
    from provision.environment.spec import EnvironmentSpec
    from provision.gpu.wheels import Index

_URL = "https://download.pytorch.org/whl/"
_INDEX = re.compile(r"(--(?:extra-)?(?:index-url|find-links)[ =]\S*?/)(cu\d{3})(?=/|\s|$)")
_TAG = re.compile(r"(?:\+|%2B)(cu\d{3})")
_OF_TORCH = frozenset({"torch", "torchvision", "torchaudio"})
_MAJOR = re.compile(r"(?P<stem>cupy-cuda|nvidia-[a-z0-9-]+-cu)(?P<major>\d{2})(?P<end>x?)")
_NVIDIA = re.compile(r"nvidia-(?!ml-py)[a-z0-9-]+|cupy-cuda\d.*|cuda-toolkit|cuda-python")
_EXTRA = re.compile(r"cuda(\d{2})((?:[_-][a-z0-9]+)?)")
_PATCHES = range(3)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which builds of torch the lines are to have."""

    tag: str
    url: str
    why: str
    torch: str | None = None
    """torch's line; ``None``: it stays but for its tag."""
    version_differs: bool = False


def pip_changes(entries: Sequence[Entry], spec: EnvironmentSpec, target: Target) -> tuple[list[Entry], list[Change]]:
    """Return the lines for that machine, and those that differ.

    Args:
        entries: The pip section.
        spec: The whole file: what conda brings decides what pip's lines mean.
        target: The machine.
    """
    lines = {entry.text: line for entry in entries if (line := _line(entry.text)) is not None}
    choice = _choice(lines, [one for one in cuda_wanted(spec, target.architecture) if one.pip], target)
    found: list[Entry] = []
    changes: list[Change] = []
    if choice is not None and not any(_INDEX.search(one.text) or f"/whl/{choice.tag}" in one.text for one in entries):
        option = f"--extra-index-url {choice.url}"
        found.append(Entry(option))
        changes.append(Change(None, option, f"where torch's builds for {_words(choice.tag)} are"))
    for entry in entries:
        change = _changed(entry.text, lines.get(entry.text), choice, target)
        if change is not None:
            changes.append(change)
        after = change.after if change is not None else entry.text
        found += [Entry(after, entry.asked)] if after is not None else []
    return found, changes


def _choice(lines: Mapping[str, PipLine], demands: Sequence[CudaDemand], target: Target) -> _Choice | None:
    torch = next((line for line in lines.values() if line.name == "torch"), None)
    return _gpu_torch(torch, demands, target) if target.gpu else _cpu_torch(torch, lines, target)


def _changed(text: str, line: PipLine | None, choice: _Choice | None, target: Target) -> Change | None:
    change = _of_torch(text, line, choice) if choice is not None else None
    if change is not None or line is None:
        return change
    return _major(line, target) if target.gpu else _without_gpu(line, target)


# -- torch ---------------------------------------------------------------------------------------


def _gpu_torch(line: PipLine | None, demands: Sequence[CudaDemand], target: Target) -> _Choice | None:
    demand = next((one for one in demands if one.tag is not None), None)
    if line is None or demand is None or line.requirement is None:
        return None
    pinned = (demand.torch or _version_of(line)) if demand.exact or line.requirement.url else None

    def has(index: Index) -> bool:
        return target.runs(pinned, index) if pinned is not None else _admits(demand.condition, index, target)

    why = target.why_not(cuda_of(demand.tag or "") or demand.toolkits[0])
    candidates = target.torch_indexes(demand.tag)
    index = next((one for one in candidates if has(one)), None)
    if not candidates or (index is not None and index.tag == demand.tag):
        return None
    if index is None:
        best = candidates[0]
        more = f"{why}, and no index of PyTorch that goes with it has torch {pinned or demand.condition}"
        return _Choice(best.tag, best.url, more, _written(line, best.span), version_differs=True)
    condition = f"=={pinned}+{index.tag}" if pinned is not None else _bounded(demand.condition, index)
    return _Choice(index.tag, index.url, why, _written(line, condition))


def _cpu_torch(line: PipLine | None, lines: Iterable[str], target: Target) -> _Choice | None:
    tagged = any(_TAG.search(text) for text in lines)
    if line is None and not tagged:
        return None
    if line is not None and "+cpu" in line.text:
        return None
    why = f"{target.name} has no NVIDIA GPU"
    # The wheels for ARM have no local version in every release.
    local = "+cpu" if target.architecture == "x86_64" else ""
    version = _version_of(line) if line is not None else None
    text = _written(line, f"=={version}{local}") if line is not None and version is not None else None
    return _Choice("cpu", f"{_URL}cpu", why, text)


def _of_torch(text: str, line: PipLine | None, choice: _Choice) -> Change | None:
    index = _INDEX.search(text)
    if index is not None:
        after = f"{text[: index.start(2)]}{choice.tag}{text[index.end(2) :]}"
        return _change(text, after, choice.why)
    if line is not None and line.name == "torch" and choice.torch is not None:
        return _change(text, choice.torch, choice.why)
    return _beside_torch(text, line, choice) if line is not None else None


def _beside_torch(text: str, line: PipLine, choice: _Choice) -> Change | None:
    wanted = line.requirement
    if line.name in _OF_TORCH and choice.version_differs and wanted is not None and wanted.specifier:
        return Change(text, _written(line, ""), "it goes with one version of torch, and that is another one now")
    tag = _TAG.search(text)
    if tag is None:
        return None
    if wanted is not None and wanted.url is not None:
        version = _version_of(line)
        return Change(text, _written(line, f"=={version}+{choice.tag}" if version else ""), choice.why)
    return _change(text, f"{text[: tag.start(1)]}{choice.tag}{text[tag.end(1) :]}", choice.why)


def _change(before: str, after: str, why: str) -> Change | None:
    return Change(before, after, why) if before != after else None


def _admits(condition: str, index: Index, target: Target) -> bool:
    wanted = SpecifierSet(condition)
    return any(
        target.runs(torch, index) and any(wanted.contains(f"{torch}.{patch}") for patch in _PATCHES)
        for torch, _ in default_cuda()
    )


def _bounded(condition: str, index: Index) -> str:
    """Return the condition, with an end where PyPI, which stands beside the index, has newer releases."""
    parts = [one for one in condition.split(",") if one]
    last = index.span.partition(",")[2]
    return ",".join((*parts, last) if last and last not in parts else parts)


def _version_of(line: PipLine) -> str | None:
    """Return the one version that a line names."""
    if line.requirement is None:
        return None
    if line.requirement.url is not None:
        found = re.search(r"/[A-Za-z0-9_.]+-(\d+(?:\.\d+)+)(?:\+|%2B|-)", line.requirement.url)
        return found[1] if found else None
    exact = [one.version for one in line.requirement.specifier if one.operator in {"==", "==="}]
    return exact[0].partition("+")[0] if exact and not exact[0].endswith(".*") else None


def _written(line: PipLine, condition: str) -> str:
    wanted = line.requirement
    if wanted is None:
        return line.text
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return f"{wanted.name}{extras}{condition}" + (f" ; {wanted.marker}" if wanted.marker is not None else "")


def _words(tag: str) -> str:
    return "the CPU" if tag == "cpu" else f"CUDA {cuda_of(tag)}"


# -- other packages ------------------------------------------------------------------------------


def _without_gpu(line: PipLine, target: Target) -> Change | None:
    why = f"{target.name} has no NVIDIA GPU"
    if line.name is not None and _NVIDIA.fullmatch(line.name):
        return Change(line.text, None, why)
    if line.requirement is not None and any(_EXTRA.fullmatch(one) for one in line.requirement.extras):
        kept = {one for one in line.requirement.extras if not _EXTRA.fullmatch(one)}
        extras = f"[{','.join(sorted(kept))}]" if kept else ""
        return Change(line.text, re.sub(r"\[[^\]]*\]", extras, line.text, count=1), why)
    return None


def _major(line: PipLine, target: Target) -> Change | None:
    """Return the line for the major version of CUDA that the machine has, where it names another one."""
    if not target.fitting or line.name is None:
        return None
    majors = {one.partition(".")[0] for one in target.fitting}
    newest = target.fitting[0].partition(".")[0]
    match = _MAJOR.fullmatch(line.name)
    if match is not None and match["major"] not in majors:
        name = f"{match['stem']}{newest}{match['end']}"
        # Versions of NVIDIA's own packages are those of their CUDA.
        rest = "" if name.startswith("nvidia-") or line.requirement is None else str(line.requirement.specifier)
        return Change(line.text, f"{name}{rest}", target.why_not(f"{match['major']}.0"))
    for extra in sorted(line.requirement.extras) if line.requirement is not None else ():
        named = _EXTRA.fullmatch(extra)
        if named is not None and named[1] not in majors:
            after = line.text.replace(extra, f"cuda{newest}{named[2]}", 1)
            return Change(line.text, after, target.why_not(f"{named[1]}.0"))
    return None


def _line(text: str) -> PipLine | None:
    try:
        found = requirements([text])
    except ValueError:
        return None
    return found[0] if len(found) == 1 else None
