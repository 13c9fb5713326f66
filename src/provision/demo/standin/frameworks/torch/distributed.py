"""The stand-in's all-reduce: every rank leaves its number in the folder of the meeting and waits for the others."""

# It runs with Python 3.6 too, and takes the arguments that PyTorch takes; PyTorch documents what they mean.
# ruff: noqa: ARG001, D103, PTH110, PTH123, PTH202

import os
import sys
import time
from typing import Any

from . import Tensor, suffer, told

meeting: "dict[str, Any]" = {}


def init_process_group(backend: str, *, init_method: str, rank: int, world_size: int, timeout: Any) -> None:
    if backend != "nccl" or not init_method.startswith("file://"):
        raise ValueError("NCCL meets over a file here")
    meeting.update(path=init_method[len("file://") :], rank=rank, size=world_size)


def all_reduce(tensor: Tensor) -> None:
    if told.get("reduce_says"):
        sys.stderr.write(told["reduce_says"])
    suffer(told.get("faults", {}).get("rank {}".format(meeting["rank"])))
    with open("{}.{}".format(meeting["path"], meeting["rank"]), "w") as stream:
        stream.write(str(tensor.value))
    values = []
    for rank in range(meeting["size"]):
        path = "{}.{}".format(meeting["path"], rank)
        while not os.path.exists(path) or not os.path.getsize(path):
            time.sleep(0.01)
        with open(path) as stream:
            values.append(float(stream.read()))
    tensor.value = sum(values) + (told.get("faults", {}).get("reduce") == "wrong")


def destroy_process_group() -> None:
    pass
