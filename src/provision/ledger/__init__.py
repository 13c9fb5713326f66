"""The record of every run on this machine: what was done where, what came of it, and what changed."""
