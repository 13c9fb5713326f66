"""A stand-in for PyTorch: it behaves as documented for what the framework check asks, and fails where it is told to.

It is no PyTorch: a tensor is one number, whatever its shape. STAND_IN_TORCH holds JSON: ``cuda``, ``hip``,
``architectures``, ``gpus`` (each with ``name``, ``capability``, ``free``, ``total``), ``refusal`` (why no GPU is seen),
where a package was made of it, built.json beside it says for what, and the GPUs are those that nvidia-smi shows,
and STAND_IN_TORCH_FAULTS holds the faults;
``warning``, ``printed`` (so many ``times``), ``import`` (a fault at import), ``faults`` (by the GPU, ``rank N``
in an all-reduce).
A fault is ``hang``, ``segv``, ``exit``, ``wrong``, ``nan``, ``hoard`` or the text of a RuntimeError.
"""

# It runs with Python 3.6 too, and takes the arguments that PyTorch takes; PyTorch documents what they mean.
# ruff: noqa: ARG001, D101, D102, D103, PTH100, PTH110, PTH118, PTH120, PTH123, UP032

import json
import os
import subprocess
import sys
import time
import warnings
from types import SimpleNamespace as Names
from typing import Any


def built() -> "dict[str, Any]":
    """Return what a package of this stand-in says of itself, with the GPUs that the host's nvidia-smi shows."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "built.json")
    if not os.path.exists(path):
        return {}
    with open(path) as stream:
        said: dict[str, Any] = json.load(stream)
    query = ["nvidia-smi", "--query-gpu=uuid,name,compute_cap,memory.total", "--format=csv,noheader,nounits"]
    try:
        rows = subprocess.check_output(query, stderr=subprocess.DEVNULL).decode().splitlines()
    except (OSError, subprocess.CalledProcessError):
        rows = []
    for row in rows if said.get("cuda") else []:
        uuid, name, capability, total = (cell.strip() for cell in row.split(","))
        memory = int(total) << 20
        card = {"uuid": uuid, "name": name, "total": memory, "free": memory}
        card["capability"] = [int(part) for part in capability.split(".")]
        said.setdefault("gpus", []).append(card)
    said["faults"] = json.loads(os.environ.get("STAND_IN_TORCH_FAULTS", "{}"))
    return said


told: "dict[str, Any]" = json.loads(os.environ.get("STAND_IN_TORCH", "{}")) or built()
float32, bfloat16, uint8, int32 = "float32", "bfloat16", "uint8", "int32"
__version__ = told.get("version", "2.5.1+cu124" if told.get("cuda") else "2.5.1+cpu")
version = Names(cuda=told.get("cuda"), hip=told.get("hip"))
_C = Names(_cuda_getArchFlags=lambda: " ".join(told.get("architectures", [])))


def suffer(fault: "str | None") -> None:
    if fault == "hang":
        child = subprocess.Popen(["sleep", "300"])
        with open(told["marker"], "a") as stream:
            stream.write("{}\n".format(child.pid))
        time.sleep(300)
    elif fault == "segv":
        os.write(2, b"Fatal Python error: Segmentation fault\n")
        os.kill(os.getpid(), 11)
    elif fault == "exit":
        os._exit(9)
    elif fault not in (None, "wrong", "nan", "hoard"):
        raise RuntimeError(fault)


suffer(told.get("import"))
if told.get("printed"):
    print(told["printed"] * told.get("times", 1))
    sys.stderr.write(told["printed"] * told.get("times", 1))


def shown() -> "list[int]":
    """Return the numbers of the GPUs that CUDA_VISIBLE_DEVICES leaves; without a UUID, GPU-N is number N's."""
    everything = list(range(len(told.get("gpus", []))))
    named = {one["uuid"]: number for number, one in enumerate(told.get("gpus", [])) if "uuid" in one}
    chosen = os.environ.get("HIP_VISIBLE_DEVICES" if version.hip else "CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return everything
    numbers = []
    for one in chosen.split(","):
        digits = str(named.get(one, one.replace("GPU-", "")))
        if not digits.isdigit() or int(digits) not in everything:
            break
        numbers.append(int(digits))
    return numbers


class Tensor:
    def __init__(self, value: Any, gpu: "int | None" = None) -> None:
        self.value = value
        self.gpu = gpu

    def to(self, where: str) -> "Tensor":
        if where in (float32, bfloat16):
            return self
        gpu = shown()[int(where.partition(":")[2] or 0)] if where.startswith("cuda") else None
        if gpu is not None and self.gpu is not None and told.get("faults", {}).get("copy") == "wrong":
            return Tensor(self.value + 1, gpu)
        return Tensor(self.value, gpu)

    def __matmul__(self, other: "Tensor") -> "Tensor":
        fault = told.get("faults", {}).get(str(self.gpu))
        suffer(fault)
        product = self.value * other.value
        return Tensor(product * {"wrong": 1.5, "nan": float("nan")}.get(fault, 1.0), self.gpu)

    def __sub__(self, other: "Tensor") -> "Tensor":
        return Tensor(self.value - other.value)

    def __truediv__(self, other: "Tensor") -> "Tensor":
        return Tensor(self.value / other.value)

    def __eq__(self, other: object) -> Any:
        return Names(all=lambda: self.value == other)

    __hash__ = None  # type: ignore[assignment]

    def __float__(self) -> float:
        return float(self.value)

    def double(self) -> "Tensor":
        return self

    def max(self) -> "Tensor":
        return self

    def abs(self) -> "Tensor":
        return Tensor(abs(self.value))

    def cpu(self) -> "Tensor":
        return Tensor(self.value)


class Generator:
    def manual_seed(self, seed: int) -> None:
        pass


held: "list[int]" = []


def randn(*_shape: int, generator: Generator) -> Tensor:
    return Tensor(3.0)


def arange(_count: int, *, dtype: str) -> Tensor:
    return Tensor(7)


def full(_shape: Any, value: float, *, device: str) -> Tensor:
    return Tensor(value)


def equal(one: Tensor, other: Tensor) -> bool:
    return bool(one.value == other.value)


def empty(size: int, *, dtype: str, device: str) -> Tensor:
    number = shown()[0]
    limit = told["gpus"][number]["free"]
    if told.get("faults", {}).get(str(number)) == "hoard":
        limit //= 4
    held.append(size)
    if sum(held) > limit:
        held.pop()
        raise RuntimeError("CUDA out of memory. Tried to allocate {} bytes".format(size))
    return Tensor(0)


class Cuda:
    nccl = Names(version=lambda: (2, 21, 5))

    def is_available(self) -> bool:
        if told.get("refusal") and version.cuda:
            warnings.warn("CUDA initialization: " + told["refusal"], stacklevel=2)
        return self.device_count() > 0

    def device_count(self) -> int:
        return 0 if told.get("refusal") or not (version.cuda or version.hip) else len(shown())

    def init(self) -> None:
        if not version.cuda:
            raise AssertionError("Torch not compiled with CUDA enabled")
        if self.device_count() == 0:
            raise RuntimeError(told.get("refusal") or "No CUDA GPUs are available")

    def get_arch_list(self) -> "list[str]":
        return list(told.get("architectures", [])) if self.device_count() else []

    def get_device_name(self, index: int) -> str:
        if told.get("warning"):
            warnings.warn(told["warning"], stacklevel=2)
        return str(told["gpus"][shown()[index]].get("name", "NVIDIA A100-SXM4-80GB"))

    def get_device_capability(self, index: int) -> "tuple[int, ...]":
        return tuple(told["gpus"][shown()[index]].get("capability", (8, 0)))

    def get_device_properties(self, index: int) -> Any:
        gpu = told["gpus"][shown()[index]]
        integrated = told.get("integrated", 0)
        return Names(total_memory=gpu["total"], is_integrated=integrated, gcnArchName=gpu.get("architecture", ""))

    def mem_get_info(self, index: int) -> "tuple[int, int]":
        gpu = told["gpus"][shown()[index]]
        return gpu["free"], gpu["total"]

    def empty_cache(self) -> None:
        pass

    def set_device(self, index: int) -> None:
        pass


cuda = Cuda()
backends = Names(cudnn=Names(version=lambda: 90100))


def set_float32_matmul_precision(_name: str) -> None:
    pass
