"""Schedules with the real schedulers."""
