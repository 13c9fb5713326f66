"""Files brought from a host."""
