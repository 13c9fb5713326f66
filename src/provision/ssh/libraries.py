"""Imports fabric and paramiko without the one module of theirs that is costly and never used here."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

NEVER_USED = "unittest.mock"
"""invoke.context takes ``Mock`` from it for MockContext, which is for tests of invoke's users; with the event loop and
the TLS that come with it, it is a sixth of what importing fabric takes."""


def load_ssh_libraries() -> None:
    """Import fabric and paramiko, with an empty stand-in for `unittest.mock` where that is not loaded yet.

    The stand-in is taken away again at once: a later ``import unittest.mock`` gets the real module.
    """
    stand_ins = {}
    if NEVER_USED not in sys.modules:
        mock = ModuleType(NEVER_USED)
        mock.Mock = type("Mock", (), {})  # type: ignore[attr-defined]  # a module made by hand declares no names
        stand_ins = {name: one for name, one in (("unittest", mock), (NEVER_USED, mock)) if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        for name in ("fabric", "paramiko"):
            importlib.import_module(name)
    finally:
        for name in stand_ins:
            del sys.modules[name]
