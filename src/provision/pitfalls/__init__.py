"""Known pitfalls as data: what a failing output says, why, and what to do about it.

Nothing is read, and no pattern compiled, before something failed and `known` is called.
"""

from __future__ import annotations

from provision.pitfalls.known import known, shipped, team_file
from provision.pitfalls.matching import evidence, match
from provision.pitfalls.pitfall import Pitfall

__all__ = ["Pitfall", "evidence", "known", "match", "shipped", "team_file"]
