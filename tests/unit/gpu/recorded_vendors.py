"""The recordings of amd-smi and npu-smi, as the lines that the probe makes of them."""

from __future__ import annotations

from pathlib import Path

from tests.unit.facts.probe_text import probe_text

GOLDEN = Path(__file__).parents[2] / "golden"
SITUATIONS = sorted(
    folder for tool in ("amd_smi", "npu_smi") for folder in (GOLDEN / tool).iterdir() if folder.is_dir()
)
_KEYS = {
    "amd_smi": {
        "static": "gpu.amd.static",
        "list": "gpu.amd.list",
        "metric": "gpu.amd.metric",
        "bad-pages": "gpu.amd.pages",
        "process": "gpu.amd.process",
        "rocm-smi": "gpu.amd.rocm",
    },
    "npu_smi": {},
}


def named(folder: Path) -> str:
    return f"{folder.parent.name}-{folder.name}"


def answers(folder: Path) -> list[str]:
    """Return what the tool's answers become: a line each below its key, the exit code as the last."""
    lines = []
    for file in sorted(folder.glob("*.out")):
        key = _KEYS[folder.parent.name].get(file.stem, f"gpu.npu.{file.stem}")
        code = file.with_suffix(".rc")
        lines += [f"{key}|{line}" for line in file.read_text(encoding="utf-8").splitlines()]
        lines += [f"{key}|", f"{key}|exit={code.read_text().strip() if code.exists() else 0}"]
    return lines


def probed(folder: Path) -> bytes:
    """Return a whole probe of a host that is in this situation."""
    host = (folder / "host.txt").read_text(encoding="utf-8").splitlines()
    return probe_text("gpu.smi|absent", *host, *answers(folder))
