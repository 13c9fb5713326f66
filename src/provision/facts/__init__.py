"""The probe's output becomes `Facts`: pure, and total on any input."""

from provision.facts.document import to_json
from provision.facts.lines import ProbeError
from provision.facts.parse import parse

__all__ = ["ProbeError", "parse", "to_json"]
