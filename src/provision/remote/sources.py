"""The text of the constant scripts that travel with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"

INCLUDES: dict[str, tuple[str, ...]] = {
    "probe.sh": ("packages_digest.sh", "own_folder.sh"),
    "build_environment.sh": ("packages_digest.sh", "conda_isolated.sh"),
    "check_conda.sh": ("conda_isolated.sh",),
    "lease.sh": ("own_folder.sh",),
    "python.sh": ("own_folder.sh",),
    "converse.sh": ("run_python.sh",),
    "supervise_job.py": (
        "job_folder.py",
        "job_supervise_end.py",
        "job_supervise_signals.py",
        "job_supervise_output.py",
        "job_supervise_tree.py",
        "job_supervise_child.py",
        "job_supervise_cards.py",
        "job_supervise_queue.py",
        "job_supervise_samples.py",
    ),
    "send_files.sh": ("run_python.sh",),
    "sync_tree.sh": ("run_python.sh",),
    "launch_job.py": (
        "job_folder.py",
        "job_launch_request.py",
        "job_launch_environment.py",
        "job_launch_tree.py",
        "job_launch_copy.py",
        "job_launch_snapshot.py",
        "job_launch_cards.py",
        "job_launch_way.py",
        "job_launch_begin.py",
        "job_launch_prune.py",
    ),
    "tell_jobs.py": (
        "job_folder.py",
        "job_tell_state.py",
        "job_follow_log.py",
        "job_tell_samples.py",
        "job_stop_processes.py",
        "job_tell_removal.py",
    ),
    "tell_environments.py": ("job_folder.py", "job_tell_state.py", "environments_seen.py"),
    "collect_environments.py": ("job_folder.py", "job_tell_state.py", "environments_seen.py"),
    "follow_job.py": ("job_folder.py", "job_tell_state.py", "job_follow_log.py"),
    "stop_job.py": ("job_folder.py", "job_tell_state.py", "job_stop_processes.py"),
    "sync_tree.py": (
        "sync_tree_folders.py",
        "sync_tree_stream.py",
        "sync_tree_delta.py",
        "sync_tree_keeping.py",
        "sync_tree_placing.py",
        "sync_tree_staging.py",
        "sync_tree_receive.py",
        "sync_tree_trial.py",
        "sync_tree_client.py",
        "sync_tree_own.py",
        "sync_tree_way.py",
        "sync_tree_walk.py",
    ),
}
"""Scripts of functions alone that go in front of a script that calls them, in this order."""


@cache
def source(name: str) -> str:
    """Return the text of a script with the function files that it needs in front."""
    parts = (*INCLUDES.get(name, ()), name)
    return "\n".join((FOLDER / one).read_text(encoding="utf-8") for one in parts)
