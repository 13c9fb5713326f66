"""Known texts of CUDA, NCCL and the frameworks: what they mean, and which of them mean nothing.

Sources: the error codes are those of NVIDIA's "CUDA Runtime API", "Data types", cudaError, and of the "CUDA Driver
API" (CUDA_ERROR_...). Their wording was read off torch 2.5.1+cu124 and jax 0.10.2 with cuda12 plugins, run without a
driver and with a stand-in for libcuda.so.1 that answers cuInit with each code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a framework cannot use a GPU."""

    pattern: str
    meaning: str
    fix: str | None = None
    vague: bool = False
    """It says that nothing works: another text may say why."""


def _code(number: int, name: str, words: str) -> str:
    return rf"(?i)\berror:?\s*\(?{number}\b|CUDA_ERROR_{name}\b|{words}"


CAUSES: tuple[Cause, ...] = (
    Cause(
        _code(802, "SYSTEM_NOT_READY", "system not yet initialized"),
        "error 802: the fabric manager, which joins the GPUs of such a machine, is not ready",
        "sudo systemctl start nvidia-fabricmanager   (exactly the driver's version; just after boot, wait a minute)",
    ),
    Cause(
        _code(803, "SYSTEM_DRIVER_MISMATCH", "unsupported display driver / cuda driver|does not match DSO version"),
        "error 803: libcuda.so is of another version than the loaded driver",
        "sudo reboot   (after a driver update; or unset LD_LIBRARY_PATH where it names another libcuda.so)",
    ),
    Cause(
        _code(804, "COMPAT_NOT_SUPPORTED_ON_DEVICE", "forward compatibility was attempted on non supported HW"),
        "error 804: the package cuda-compat makes CUDA newer than the driver, which works on data-centre GPUs alone",
        "take /usr/local/cuda/compat out of LD_LIBRARY_PATH, and install a newer driver or a build for an older CUDA",
    ),
    Cause(
        r"(?i)driver on your system is too old|CUDA driver version is insufficient|\berror:?\s*\(?35\b",
        "error 35: the driver is too old for the CUDA that it was built for",
        "install a newer driver, or a build for an older CUDA",
    ),
    Cause(
        r"(?i)CUDA driver is a stub library|CUDA_ERROR_STUB_LIBRARY|\berror:?\s*\(?34\b",
        "error 34: the toolkit's stub of libcuda.so is found before the driver's",
        "take .../stubs out of LD_LIBRARY_PATH",
    ),
    Cause(
        r"(?i)Found no NVIDIA driver|CUDA error 303\b|CUDA_ERROR_SHARED_OBJECT_INIT_FAILED|libcuda\.so",
        "the driver's library libcuda.so is not found",
        "sudo ldconfig   (in a container: start it with `--gpus all`, which brings the library)",
    ),
    Cause(
        r"Cannot dlopen some GPU libraries|Could not load dynamic library 'lib(cu|nv)",
        "TensorFlow does not find the libraries of CUDA",
        "pip install 'tensorflow[and-cuda]'   (in environment.yml's pip section)",
    ),
    Cause(
        r"(?i)no CUDA-capable device|CUDA_ERROR_NO_DEVICE|No CUDA GPUs are available|No visible GPU devices"
        r"|\berror:?\s*\(?100\b",
        "error 100: CUDA finds no device",
        "ls -l /dev/nvidia*   (a container may have none of them, and the login must be allowed to open them)",
        vague=True,
    ),
    Cause(
        r"(?i)busy or unavailable|CUDA_ERROR_DEVICE_UNAVAILABLE|\berror:?\s*\(?46\b",
        "error 46: the GPU is in exclusive mode and in use, or MIG has no device",
        "sudo nvidia-smi -c DEFAULT",
    ),
    Cause(
        r"(?i)MPS client failed to connect|\berror:?\s*\(?805\b",
        "error 805: the MPS server does not answer",
        "echo quit | sudo nvidia-cuda-mps-control",
    ),
    Cause(
        r"(?i)no kernel image is available|CUDA_ERROR_NO_BINARY_FOR_GPU|\berror:?\s*\(?209\b",
        "error 209: the build holds no code for this GPU",
        "install a build whose architectures include this GPU",
    ),
    Cause(
        r"(?i)PTX was compiled with an unsupported toolchain|CUDA_ERROR_UNSUPPORTED_PTX_VERSION|\berror:?\s*\(?222\b",
        "error 222: the build's PTX is newer than the driver can compile",
        "install a newer driver, or a build for an older CUDA",
    ),
    Cause(
        r"(?i)uncorrectable ECC|\berror:?\s*\(?214\b",
        "error 214: the GPU's memory has an uncorrectable error",
        "sudo nvidia-smi --gpu-reset   (where it comes back, ask the provider for another machine)",
    ),
    Cause(
        r"(?i)\bout of memory\b|OutOfMemoryError|RESOURCE_EXHAUSTED",
        "its memory is taken by another process",
        "nvidia-smi   (it names the processes)",
    ),
    Cause(
        r"(?i)CUDA unknown error|CUDA_ERROR_UNKNOWN\b|\berror:?\s*\(?999\b",
        "error 999: the driver failed without saying why, often after suspend or without /dev/nvidia-uvm",
        "sudo modprobe nvidia_uvm   (if that does not help: sudo reboot)",
        vague=True,
    ),
    Cause(
        r"(?i)driver initialization failed",
        "the driver could not be initialised",
        "sudo modprobe nvidia_uvm   (if that does not help: sudo reboot)",
        vague=True,
    ),
)
"""The first that matches counts."""

COLLECTIVE_CAUSES: tuple[Cause, ...] = (
    Cause(
        r"(?i)Bootstrap : no socket interface|no socket interface found",
        "NCCL finds no network interface to meet on",
        "export NCCL_SOCKET_IFNAME=lo",
    ),
    Cause(
        r"(?i)/dev/shm|shared memory|No space left on device|Bus error|SIGBUS",
        "the shared memory /dev/shm is too small for NCCL",
        "docker run --shm-size=8g ...   (or --ipc=host)",
    ),
    Cause(
        r"(?i)nvls|multicast|fabric",
        "NVLink SHARP needs the fabric manager",
        "sudo systemctl restart nvidia-fabricmanager   (or: export NCCL_NVLS_ENABLE=0)",
    ),
    Cause(
        r"(?i)peer access|\bP2P\b",
        "the GPUs cannot reach each other's memory",
        "export NCCL_P2P_DISABLE=1   (slower; the cause is often the IOMMU or PCIe ACS)",
    ),
)
"""What NCCL says where GPUs do not come together."""


@dataclass(frozen=True, slots=True)
class Noise:
    """A text that a framework prints on healthy machines."""

    pattern: str
    reason: str
    only_without_gpu: bool = False


NOISE: tuple[Noise, ...] = (
    Noise(r"^I\d{4} |^\d{4}-\d\d-\d\d [\d:.]+: I ", "information of Abseil's and TensorFlow's logs"),
    Noise(r"^WARNING: All log messages before absl::InitializeLog", "how Abseil begins, whatever it then says"),
    Noise(r"NCCL version \d|NCCL INFO\b", "NCCL's greeting"),
    Noise(r"Failed to initialize NumPy: No module named 'numpy'", "an environment without NumPy was asked for"),
    Noise(r"oneDNN custom operations are on|rebuild TensorFlow with the appropriate compiler flags", "advice on speed"),
    Noise(r"To enable the following instructions:", "advice on speed"),
    Noise(r"Unable to register cu\w+ factory|computation placer already registered", "TensorFlow with CUDA, harmless"),
    Noise(r"TF-TRT Warning: Could not find TensorRT", "TensorRT is an extra that was not asked for"),
    Noise(r"successful NUMA node read from SysFS had negative value", "virtual machines have no NUMA node"),
    Noise(r"Created device /|Your CPU supports instructions", "information"),
    Noise(r"(?i)using GPU \d+ .*as device used by this process|barrier\(\): using the device", "advice on speed"),
    Noise(r"An NVIDIA GPU may be present on this machine", "there is none", only_without_gpu=True),
    Noise(
        r"(?i)cuInit|CUDA initialization|Jax plugin configuration error|libcuda\.so", "no GPU", only_without_gpu=True
    ),
    Noise(r"(?i)could not find cuda drivers|CUDA_ERROR_NO_DEVICE|no CUDA-capable", "no GPU", only_without_gpu=True),
    Noise(r"(?i)kernel driver does not appear to be running", "no GPU", only_without_gpu=True),
)
"""Each with the reason why it is left out."""


def cause(text: str, table: tuple[Cause, ...] = CAUSES) -> Cause | None:
    """Return the known cause of an error's text."""
    return next((one for one in table if re.search(one.pattern, text)), None)


def is_noise(text: str, *, gpu: bool) -> bool:
    """Whether a line or warning says nothing about this machine."""
    return any(re.search(one.pattern, text) for one in NOISE if not (gpu and one.only_without_gpu))
