"""The stand-in's channel and wheels, for solvers that run in this process."""

from __future__ import annotations

from tests.standin.conftest import channel, shared

__all__ = ["channel", "shared"]
