"""The values that everything else speaks of: frozen, and without any I/O."""
