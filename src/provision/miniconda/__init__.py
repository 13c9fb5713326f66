"""Conda installers: which versions exist, and the checksum that each must have."""
