"""Folds over events: the report, its renderings, the log file and the exit code."""
