"""One package that can be linked: what the channel's index says about it, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dist:
    """A package of one channel and platform; ``record`` is its entry of repodata.json."""

    fn: str
    channel: str
    subdir: str
    record: dict[str, Any] = field(compare=False, hash=False)

    @property
    def name(self) -> str:
        """Return the package's name."""
        return str(self.record["name"])

    @property
    def version(self) -> str:
        """Return the package's version."""
        return str(self.record["version"])

    @property
    def build(self) -> str:
        """Return the build string."""
        return str(self.record["build"])

    @property
    def url(self) -> str:
        """Return the address of the archive."""
        return f"{self.channel}/{self.subdir}/{self.fn}"

    @property
    def stem(self) -> str:
        """Return NAME-VERSION-BUILD, the name of the extracted folder."""
        return self.fn.removesuffix(".conda").removesuffix(".tar.bz2")

    @property
    def depends(self) -> list[str]:
        """Return the names of what this package needs, virtual packages left out."""
        names = [str(spec).split(" ")[0] for spec in self.record.get("depends", ())]
        return [name for name in names if not name.startswith("__")]


def sorted_by_need(dists: list[Dist]) -> list[Dist]:
    """Return the packages so that each follows what it depends on, python as early as can be."""
    by_name = {dist.name: dist for dist in dists}
    order: list[Dist] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or name not in by_name:
            return
        seen.add(name)
        for need in by_name[name].depends:
            visit(need)
        order.append(by_name[name])

    for name in sorted(by_name, key=lambda name: (name != "python", name)):
        visit(name)
    return order
