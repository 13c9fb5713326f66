"""What to write instead: the CUDA, and the index of PyTorch, that a host's driver and cards go with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from provision.gpu.cuda import Fit, compiles_for, fit, nearest, oldest_driver
from provision.gpu.versions import parse_version
from provision.gpu.wheels import Index, cuda_of, default_cuda, find, has_code_for, indexes, wheels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.environment.cuda_wanted import CudaDemand

_NARROW_FROM = (12, 8)
"""CUDA from which on PyTorch's builds leave out older cards, in some releases more of them than in others."""
_PATCHES = range(3)


def pin(demand: CudaDemand, driver: str, cards: Sequence[str], *, full: bool = False) -> str | None:
    """Return what to write in environment.yml; ``None``: nothing of our tables goes with driver and cards.

    Args:
        demand: The line that does not go with them.
        driver: The host's driver.
        cards: The compute capabilities of its cards.
        full: Leave out what starts by minor-version compatibility alone.
    """
    if demand.pip and demand.tag is not None:
        return _torch(demand, driver, cards, full=full)
    toolkit = nearest(driver, cards)
    if toolkit is None:
        return None
    if not demand.pip:
        return f"write `cuda-version={toolkit}` in environment.yml"
    return f"name a build for CUDA {toolkit} in the pip section"


def _torch(demand: CudaDemand, driver: str, cards: Sequence[str], *, full: bool) -> str | None:
    wanted = (Fit.FULL,) if full else (Fit.FULL, Fit.LIMITED)
    fitting = [one for how in wanted for one in indexes() if _fits(one, driver, how) and _releases(one, cards)]
    have = next((one for one in fitting if _admitted(demand, one, cards)), None)
    if have is not None:
        return _written(demand, have)
    if not fitting:
        return None
    best = fitting[0]
    asked = f"torch {demand.torch}" if demand.torch else "such a torch"
    return (
        f"write `torch{best.span}` and `--extra-index-url {best.url}` in the pip section:"
        f" no index of PyTorch that {'this driver serves in full' if full else 'fits this host'} has {asked}"
    )


def pin_with_newer_driver(demand: CudaDemand, cards: Sequence[str]) -> tuple[str, str] | None:
    """Return what to write for these cards, and the oldest driver on which that starts, whatever the present one."""
    if not demand.pip or demand.tag is None:
        return None
    for index in indexes():
        driver = oldest_driver(cuda_of(index.tag) or "")
        if driver is not None and _admitted(demand, index, cards):
            return _written(demand, index), driver
    return None


def _written(demand: CudaDemand, index: Index) -> str:
    # PyPI stands beside an extra index, and its torch would win if it were newer: the line must not admit that.
    line = f"=={demand.torch}+{index.tag}" if demand.exact else _narrowed(demand, index)
    return f"write `torch{line}` and `--extra-index-url {index.url}` in the pip section"


def _fits(index: Index, driver: str, how: Fit) -> bool:
    cuda = cuda_of(index.tag)
    try:
        return cuda is not None and fit(cuda, driver) is how
    except ValueError:
        return False


def _releases(index: Index, cards: Sequence[str]) -> list[str]:
    """Return the releases that an index has for these cards."""
    return [torch for torch, _ in default_cuda() if index.has(torch) and _runs(torch, index, cards)]


def _runs(torch: str, index: Index, cards: Sequence[str]) -> bool:
    """Whether that build has code for the cards; one that is not known is trusted for what its kin have in common."""
    cuda = cuda_of(index.tag)
    if cuda is None or not all(compiles_for(cuda, card) is not False for card in cards):
        return False
    exact = find(torch, index.tag)
    narrow = [one for one in wheels() if parse_version(cuda_of(one.tag) or "0") >= _NARROW_FROM]
    kin = narrow if parse_version(cuda) >= _NARROW_FROM else [one for one in wheels() if one.tag == index.tag]
    known = [exact] if exact is not None else kin
    return all(has_code_for(one.architectures, card) for one in known for card in cards)


def _admitted(demand: CudaDemand, index: Index, cards: Sequence[str]) -> bool:
    """Whether the line admits a torch that the index has for these cards."""
    if demand.exact:
        return demand.torch is not None and index.has(demand.torch) and _runs(demand.torch, index, cards)
    return any(_allows(demand, torch) for torch in _releases(index, cards))


def _narrowed(demand: CudaDemand, index: Index) -> str:
    """Return a condition for what the line admits and the index has."""
    parts = [demand.condition] if demand.condition else []
    outside = [torch for torch, _ in default_cuda() if _allows(demand, torch) and not index.has(torch)]
    bounds = [
        bound for bound in index.span.split(",") if not all(SpecifierSet(bound).contains(torch) for torch in outside)
    ]
    return ",".join((*parts, *bounds))


def _allows(demand: CudaDemand, torch: str) -> bool:
    return any(SpecifierSet(demand.condition).contains(f"{torch}.{patch}") for patch in _PATCHES)
