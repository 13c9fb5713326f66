"""The project's files on this machine: which ones count, what is in them, and what of them is sent."""
