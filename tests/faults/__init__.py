"""Faults on the way: whatever breaks, the next run gets there, and nothing is left behind."""
