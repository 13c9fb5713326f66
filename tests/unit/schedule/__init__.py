"""Tests of when a schedule is due, and of what schedulers are told."""
