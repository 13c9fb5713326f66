"""What nvidia-smi means when it fails as a whole: its exit code, and what it printed.

Source: the exit codes are those of NVIDIA's manual of nvidia-smi; 255 stands for an error that it does not list, which
its message tells (NVML's texts of its errors).
"""

from __future__ import annotations

from provision.model.plan import Finding, Severity

_REBOOT = "sudo reboot   (if it comes back: ask the provider for another machine)"
_IN_A_CONTAINER = "docker run --gpus all ...   (in a container, with the NVIDIA container toolkit on the machine below"

_CODES = {
    2: (
        "it did not understand the question",
        "nvidia-smi --help-query-gpu   (the questions that it knows; a driver that is too old cannot be judged)",
    ),
    3: ("the device does not support the question", "nvidia-smi -q   (which shows what it does tell)"),
    4: (
        "it may not do that as this user",
        (
            'ls -l /dev/nvidia*   (join the group that owns them: sudo usermod -aG GROUP "$USER", then log in again;'
            " or log in as root; a container must be given the right to use its devices)"
        ),
    ),
    8: (
        "a GPU's power cable is not attached",
        "ask the provider to attach the card's power cable, or for another machine",
    ),
    10: ("the kernel found a problem with the GPU's interrupts", _REBOOT),
    12: (
        "the library NVML is missing",
        f"{_IN_A_CONTAINER}; else install the driver's libraries again, of the loaded driver's version)",
    ),
    13: (
        "the library NVML is too old for it",
        "install nvidia-smi and libnvidia-ml.so of one driver version, then `provision verify`",
    ),
    15: ("a GPU fell off the bus, or cannot be reached", _REBOOT),
}
_MESSAGES = (
    (
        "GPU access blocked by the operating system",
        "Windows keeps the GPU from WSL",
        "wsl --shutdown   (in Windows, after an update of its NVIDIA driver; then start WSL again)",
    ),
    (
        "NVML: Insufficient Permissions",
        *_CODES[4],
    ),
    (
        "NVML: Unknown Error",
        "a container lost its devices, as after `systemctl daemon-reload` on the machine below",
        "docker restart CONTAINER   (on the machine below, or in the provider's console; else: sudo reboot)",
    ),
)
"""What a message says beyond its exit code, each with the way out."""


def failed_whole(code: int | None, message: str | None) -> Finding:
    """Return the finding for an exit code other than 0."""
    cause, fix = _CODES.get(code or 0, ("the cause is not known", _REBOOT))
    for words, meaning, way in _MESSAGES:
        if code not in _CODES and words in (message or ""):
            cause, fix = meaning, way
            break
    said = f" ({message.splitlines()[0]})" if message else ""
    return Finding(
        "GPU-READING-FAILED", Severity.ERROR, f"nvidia-smi failed with exit code {code}: {cause}{said}", fix=fix
    )
