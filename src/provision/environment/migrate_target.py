"""The machine that an environment file is fitted to, and one line of the difference."""

from __future__ import annotations

from dataclasses import dataclass

from provision.gpu.cuda import Fit, compiles_for, fit, newest_cuda, span, toolkits
from provision.gpu.versions import parse_version
from provision.gpu.wheels import Index, cuda_of, find, has_code_for, indexes, wheels

NO_CUDA = "none"


@dataclass(frozen=True, slots=True)
class Change:
    """A line that is another one there."""

    before: str | None
    """``None``: it is new."""
    after: str | None
    """``None``: it is left out."""
    why: str
    wants_version: bool = False
    """Whether the new line leaves open which CUDA."""


@dataclass(frozen=True, slots=True)
class Target:
    """A machine, as far as CUDA is concerned."""

    name: str
    architecture: str
    """As ``uname -m`` says."""
    cuda: str
    """The newest CUDA that it serves; ``none``: it has no GPU of NVIDIA's."""
    driver: str | None = None
    cards: tuple[str, ...] = ()
    """Compute capabilities."""

    @property
    def gpu(self) -> bool:
        """Whether the environment is to use a GPU."""
        return self.cuda != NO_CUDA

    @property
    def fitting(self) -> tuple[str, ...]:
        """Toolkits that go with driver and cards, the newest first; with limits only where none goes in full."""
        for wanted in (Fit.FULL, Fit.LIMITED):
            found = tuple(one for one, _ in toolkits() if self._fit(one) is wanted and self._compiles(one))
            if found:
                return found
        return ()

    @property
    def condition(self) -> str | None:
        """What conda's packages named for CUDA may have here: ``>=12.0,<12.3``; ``None``: nothing is known to go."""
        fitting = self.fitting
        if not fitting:
            return None
        major, _, minor = fitting[0].partition(".")
        oldest = [one for one in fitting if one.partition(".")[0] == major][-1]
        return f">={oldest},<{major}.{int(minor) + 1}"

    @property
    def why_at_most(self) -> str:
        """Why there is an upper bound."""
        if self.driver is None:
            return f"{self.name} is expected to serve CUDA {self.cuda}"
        serves = newest_cuda(self.driver)
        return f"{self.name}'s driver {self.driver} serves CUDA {serves or 'below 11.0'}"

    def why_not(self, toolkit: str) -> str:
        """Why a toolkit does not go with this machine."""
        if self._fit(toolkit) is not Fit.FULL:
            return self.why_at_most
        for card in self.cards:
            limits = span(card)
            if compiles_for(toolkit, card) is False and limits is not None:
                first, last = limits
                known = (
                    f"needs CUDA {first} or newer" if _key(toolkit) < _key(first) else f"has its last in CUDA {last}"
                )
                return f"{self.name}'s GPU, of compute capability {card}, {known}"
        return f"the build has no code for {self.name}'s GPU, of compute capability {', '.join(self.cards)}"

    def torch_indexes(self, present: str | None = None) -> tuple[Index, ...]:
        """PyTorch's indexes for driver and cards: those that go in full first, then those that start with limits.

        Of the latter the one that is asked for at ``present`` is the first: none of them is better.
        """
        named = [(one, cuda) for one in indexes() if (cuda := cuda_of(one.tag)) is not None and self._compiles(cuda)]
        full = [one for one, cuda in named if self._fit(cuda) is Fit.FULL]
        limited = [one for one, cuda in named if self._fit(cuda) is Fit.LIMITED]
        return (*full, *sorted(limited, key=lambda one: one.tag != present))

    def runs(self, torch: str, index: Index) -> bool:
        """Whether that index has a release of torch, with code for the cards as far as that is known."""
        if not index.has(torch):
            return False
        known = find(torch, index.tag)
        # An unknown build is trusted for what all known ones of its tag have.
        kin = [known] if known is not None else [one for one in wheels() if one.tag == index.tag]
        return all(has_code_for(one.architectures, card) for one in kin for card in self.cards)

    def _fit(self, toolkit: str) -> Fit:
        if self.driver is not None:
            try:
                return fit(toolkit, self.driver)
            except ValueError:
                return Fit.UNKNOWN
        return Fit.FULL if self.gpu and _key(toolkit) <= _key(self.cuda) else Fit.NONE

    def _compiles(self, toolkit: str) -> bool:
        return all(compiles_for(toolkit, card) is not False for card in self.cards)


def _key(version: str) -> tuple[int, ...]:
    try:
        return parse_version(version)[:2]
    except ValueError:
        return ()
