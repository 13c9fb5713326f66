"""Tells people what happened: failure, drift, recovery, the end of a job. Nothing here ever fails a run."""
