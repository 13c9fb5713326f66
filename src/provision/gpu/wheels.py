"""Which CUDA PyTorch's wheels are built with, and for which cards; sources in data/wheels.json."""

from __future__ import annotations

from dataclasses import dataclass

from provision.gpu.tables import rows, table


@dataclass(frozen=True, slots=True)
class Wheel:
    """One build of torch, such as 2.9 with the tag cu128."""

    torch: str
    tag: str
    architectures: tuple[str, ...]
    """Compute capabilities that it has machine code for."""
    ptx: str | None
    """The compute capability of the PTX that it carries, which a driver compiles for newer cards."""


def wheels() -> tuple[Wheel, ...]:
    """Return the builds whose architectures are known."""
    return tuple(Wheel(row["torch"], row["tag"], tuple(row["architectures"]), row["ptx"]) for row in rows("wheels"))


def default_cuda() -> tuple[tuple[str, str], ...]:
    """Return (torch, CUDA) of the wheels on PyPI, the oldest torch first."""
    return tuple((row["torch"], row["cuda"]) for row in table("wheels")["defaults"])


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
    """Return whether machine code for one of these runs on a card: same major, equal or lower minor capability."""
    major, _, minor = capability.partition(".")
    for one in architectures:
        built_major, _, built_minor = one.partition(".")
        if built_major == major and int(built_minor) <= int(minor):
            return True
    return False
