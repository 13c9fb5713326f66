"""hosts.yaml becomes an `Inventory`: which hosts there are, and what is set for each."""

from __future__ import annotations

from provision.inventory.alias import AliasValues, hop_name
from provision.inventory.inventory import Inventory, load_inventory, parse_inventory
from provision.inventory.location import find_inventory

__all__ = ["AliasValues", "Inventory", "find_inventory", "hop_name", "load_inventory", "parse_inventory"]
