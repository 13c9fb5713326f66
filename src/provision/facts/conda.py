"""conda installations, the environments of provision, and the links that make them known to conda."""

from __future__ import annotations

import re

from provision.facts.lines import Lines, document
from provision.model.facts import CondaInstallation, CondaLink, EnvironmentFacts, Generation

_CONDA = re.compile(r"conda-(\d[^-]*)-[^-]+\.json")


def condas(lines: Lines) -> tuple[CondaInstallation, ...]:
    """Return every conda prefix that was found, whole or not."""
    found: dict[str, CondaInstallation] = {}
    for prefix, block in lines.blocks("conda"):
        if prefix in found:
            continue
        has = {text for key, text in block if key == "has"}
        meta = [text for key, text in block if key == "meta"]
        said = {key for key, _ in block}
        versions = [match[1] for name in meta if (match := _CONDA.fullmatch(name))]
        found[prefix] = CondaInstallation(
            prefix=prefix,
            version=versions[0] if versions else None,
            # A package's record is written after all its files: its absence tells a half installation.
            runs=has >= {"python", "conda", "package"} and bool(versions),
            empty="empty" in said,
            conda_shaped="shaped" in said,
            installing="installing" in said,
            distribution=_distribution(meta, [text for key, text in block if key == "rc"]),
        )
    return tuple(found.values())


def _distribution(meta: list[str], condarc: list[str]) -> str | None:
    if any(name.startswith(("anaconda-", "_anaconda_depends-")) for name in meta):
        return "Anaconda"
    if any(name.startswith("conda-anaconda-tos-") for name in meta):
        return "Miniconda"
    if any("conda-forge" in line for line in condarc) or any(name.startswith("mamba-") for name in meta):
        return "Miniforge"
    return "Miniconda" if any(_CONDA.fullmatch(name) and "py3" in name for name in meta) else None


def environments(lines: Lines) -> tuple[EnvironmentFacts, ...]:
    """Return each environment with its generations, the lowest counter first."""
    current = _by_name(lines, "environment.current")
    markers = _by_name(lines, "marker")
    rejected = _by_name(lines, "rejected")
    packages = _by_name(lines, "packages")
    found = []
    for key in dict.fromkeys(lines.all("environment")):
        project, slash, name = key.partition("/")
        if not slash or not project or not name or "/" in name:
            continue
        generations = [
            Generation(
                name=one[len(key) + 1 :],
                marker=_marker(markers.get(one)),
                rejected=rejected.get(one, [None])[0],
                packages=next(iter(packages.get(one, [])), None) or None,
            )
            for one in dict.fromkeys(lines.all("generation"))
            if one.startswith(f"{key}/") and "/" not in one[len(key) + 1 :]
        ]
        target = next(iter(current.get(key, [])), "").rstrip("/").rpartition("/")[2]
        ordered = tuple(sorted(generations, key=lambda one: (one.counter, one.name)))
        found.append(EnvironmentFacts(project, name, target or None, ordered))
    return tuple(found)


def _by_name(lines: Lines, key: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in lines.all(key):
        name, _, rest = text.partition("|")
        found.setdefault(name, []).append(rest)
    return found


def _marker(texts: list[str] | None) -> dict[str, object] | None:
    """A marker that cannot be read is none: the build counts as not complete, and is built again."""
    if not texts:
        return None
    try:
        return document("\n".join(texts))
    except ValueError:
        return None


def conda_links(lines: Lines) -> tuple[CondaLink, ...]:
    """Return what ~/.conda/envs holds."""
    found: dict[str, CondaLink] = {}
    for text in lines.all("link"):
        name, kind, target = [*text.split("|", 2), "", ""][:3]
        found.setdefault(name, CondaLink(name, target if kind == "link" else None))
    return tuple(found.values())
