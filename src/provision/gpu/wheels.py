"""Which CUDA PyTorch's wheels are built with, and for which cards; sources in data/wheels.json."""

from __future__ import annotations

from dataclasses import dataclass

from provision.gpu.code import Code, code_for
from provision.gpu.tables import rows, table
from provision.gpu.versions import parse_version


@dataclass(frozen=True, slots=True)
class Wheel:
    """One build of torch, such as 2.9 with the tag cu128."""

    torch: str
    tag: str
    architectures: tuple[str, ...]
    """Compute capabilities that it has machine code for."""
    ptx: str | None
    """The compute capability of the PTX that it carries, which a driver compiles for newer cards."""


@dataclass(frozen=True, slots=True)
class Index:
    """One of PyTorch's own indexes, and which releases of torch it has."""

    tag: str
    first: str
    last: str | None
    """``None``: the newest known release is there."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://download.pytorch.org/whl/{self.tag}"

    @property
    def span(self) -> str:
        """What it has, as a condition: ``>=2.4,<2.7``."""
        return f">={self.first}" + (f",<{_after(self.last)}" if self.last else "")

    def has(self, torch: str) -> bool:
        """Whether it has a version of torch, such as ``2.5`` or ``2.5.1``; one that is none counts as not there."""
        try:
            wanted = (*parse_version(torch), 0)[:2]
        except ValueError:
            return False
        return parse_version(self.first) <= wanted and (self.last is None or wanted < parse_version(_after(self.last)))


def indexes() -> tuple[Index, ...]:
    """Return PyTorch's indexes, that of the newest CUDA first."""
    return tuple(Index(row["tag"], row["first"], row["last"]) for row in table("wheels")["indexes"])


def wheels() -> tuple[Wheel, ...]:
    """Return the builds whose architectures are known."""
    return tuple(Wheel(row["torch"], row["tag"], tuple(row["architectures"]), row["ptx"]) for row in rows("wheels"))


def default_cuda() -> tuple[tuple[str, str], ...]:
    """Return (torch, CUDA) of the wheels on PyPI, the oldest torch first."""
    return tuple((row["torch"], row["cuda"]) for row in table("wheels")["defaults"])


def oldest_python(torch: str) -> str | None:
    """Return the oldest Python, such as ``3.9``, that PyPI has wheels of a release for; ``None``: not known."""
    return next((row["min_python"] for row in table("wheels")["defaults"] if row["torch"] == torch), None)


def find(torch: str, tag: str) -> Wheel | None:
    """Return the build of a torch version, such as ``2.9.1``, with a tag, where it is known."""
    return next((one for one in wheels() if one.tag == tag and f"{torch}.".startswith(f"{one.torch}.")), None)


def cuda_of(tag: str) -> str | None:
    """Return the CUDA that a tag names: cu124 is 12.4, cu118 is 11.8; ``None`` for no such tag."""
    digits = tag.removeprefix("cu")
    if not tag.startswith("cu") or not digits.isascii() or not digits.isdigit() or len(digits) != 3:  # noqa: PLR2004 - cu124
        return None
    return f"{digits[:2]}.{digits[2]}"


def has_code_for(architectures: tuple[str, ...], capability: str) -> bool:
    """Return whether machine code for one of these capabilities, such as ``8.6``, runs on a card."""
    return code_for((f"sm_{one.replace('.', '')}" for one in architectures), capability) is Code.MACHINE


def _after(release: str) -> str:
    major, _, minor = release.partition(".")
    return f"{major}.{int(minor) + 1}"
