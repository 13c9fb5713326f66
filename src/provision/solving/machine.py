"""The kind of host that a solution is for, as conda's virtual packages tell it."""

from __future__ import annotations

import re
from dataclasses import dataclass

NO_CUDA = "none"
PLATFORMS = {"linux-64": ("x86_64", "x86_64"), "linux-aarch64": ("aarch64", "aarch64")}
"""conda's name of a platform, and the kernel's and archspec's of its processors."""
GLIBC = "2.28"
"""Where nobody says: what Miniconda itself needs."""
KERNEL = "4.18"
"""The kernel of the oldest distributions with that glibc (RHEL 8)."""
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,2}")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the solver may take for granted on every host that the solution is for."""

    platform: str = "linux-64"
    cuda: str = NO_CUDA
    """Version of ``__cuda``; ``none``: there is no GPU."""
    glibc: str = GLIBC
    archspec: str = ""
    """Processor by archspec's name; empty: any of the platform."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them is none; the message is one line.
        """
        if self.platform not in PLATFORMS:
            raise ValueError(f"'{self.platform[:40]}' is not a platform, expected {' or '.join(PLATFORMS)}")
        if self.cuda != NO_CUDA and not _VERSION.fullmatch(self.cuda):
            raise ValueError(f"'{self.cuda[:40]}' is not a CUDA version, expected one such as 12.4, or none")
        if not _VERSION.fullmatch(self.glibc):
            raise ValueError(f"'{self.glibc[:40]}' is not a glibc version, expected one such as 2.28")
        if not re.fullmatch(r"[a-z0-9_.-]{0,40}", self.archspec):
            raise ValueError(f"'{self.archspec[:40]}' is not a processor's name, expected one such as x86_64_v3")

    @property
    def processor(self) -> str:
        """The processor by archspec's name."""
        return self.archspec or PLATFORMS[self.platform][1]

    @property
    def shown(self) -> str:
        """The machine as a person reads it."""
        cuda = "no GPU" if self.cuda == NO_CUDA else f"CUDA {self.cuda}"
        return f"{self.platform}, {cuda}, glibc {self.glibc}"

    def virtual_packages(self) -> tuple[tuple[str, str, str], ...]:
        """Return name, version and build of each virtual package."""
        found = [
            ("__archspec", "1", self.processor),
            ("__glibc", self.glibc, "0"),
            ("__linux", KERNEL, "0"),
            ("__unix", "0", "0"),
        ]
        if self.cuda != NO_CUDA:
            found.append(("__cuda", self.cuda, "0"))
        return tuple(found)
