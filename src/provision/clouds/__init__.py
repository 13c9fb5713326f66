"""Hosts that clouds know: asked in parallel, in pages, kept for a while, and merged with those that a file lists."""
