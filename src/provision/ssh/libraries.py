"""Imports fabric and paramiko without the modules that are costly and of no use to them here.

Each has a stand-in while they are imported, which is taken away again at once: a later import gets the real module.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

MOCK = "unittest.mock"
"""invoke.context takes ``Mock`` from it for MockContext, which is for tests of invoke's users; with the event loop and
the TLS that come with it, it is a sixth of what importing fabric takes."""
METADATA = "importlib.metadata"
"""paramiko asks it for its own version; reading mail and zip archives, which come with it, are a tenth."""
YAML = "invoke.vendor.yaml"
"""invoke's own copy of PyYAML, in whose place it takes PyYAML itself where there is no copy."""


def load_ssh_libraries() -> None:
    """Import fabric and paramiko, with stand-ins for what is not loaded yet."""
    stand_ins: dict[str, ModuleType] = {YAML: yaml}
    if MOCK not in sys.modules:
        stand_ins |= {"unittest": _mock(), MOCK: _mock()}
    version = _version("paramiko")
    if version is not None:
        stand_ins[METADATA] = _metadata({"paramiko": version})
    stand_ins = {name: one for name, one in stand_ins.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    metadata = stand_ins.get(METADATA)
    if metadata is not None:
        # Another thread that imports it meanwhile finds it there.
        importlib.metadata = metadata
    try:
        for name in ("fabric", "paramiko"):
            importlib.import_module(name)
    finally:
        for name, one in stand_ins.items():
            if sys.modules.get(name) is one:
                del sys.modules[name]
        if metadata is not None and vars(importlib).get("metadata") is metadata:
            del importlib.metadata


def _mock() -> ModuleType:
    module = ModuleType(MOCK)
    module.Mock = type("Mock", (), {})  # type: ignore[attr-defined]  # a module made by hand declares no names
    return module


def _metadata(versions: dict[str, str]) -> ModuleType:
    """Return a module that knows these versions, and becomes the real one as soon as it is asked for anything else."""
    module = ModuleType(METADATA)

    def version(name: str) -> str:
        return versions[name] if name in versions else real("version")(name)

    def real(name: str) -> Any:
        if sys.modules.get(METADATA) is module:
            del sys.modules[METADATA]
        return getattr(importlib.import_module(METADATA), name)

    module.version = version  # type: ignore[attr-defined]  # see above
    module.__getattr__ = real  # type: ignore[method-assign]  # see above
    return module


def _version(package: str) -> str | None:
    """Return the version of an installed package from the name of its metadata's folder; ``None`` where not sure."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    start, end = f"{package}-", ".dist-info"
    names = [one.name for one in Path(spec.origin).parents[1].iterdir()]
    versions = [one[len(start) : -len(end)] for one in names if one.startswith(start) and one.endswith(end)]
    return versions[0] if len(versions) == 1 else None
