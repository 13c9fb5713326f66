"""Compute with each framework of an environment on each GPU, and say what came of it; from Python 3.6.

Argument: a nonce. Stdin: ``{"frameworks": [name], "gpus": [id], "busy": [id], "accelerator": bool, "timeout": s,
"total": s}``; an id is what CUDA_VISIBLE_DEVICES takes (``GPU-...``, ``MIG-...``), the memory of a busy GPU is left
alone, ``accelerator`` is true where there is a GPU of any maker. The last line of stdout is the nonce, a space, and
the report in JSON; what the frameworks print is part of it.

Every framework is imported in children only, each in a process group of its own that ends with it, and with the check,
however that ends; the check ends when nobody reads its answer any more. One user's checks on a host work one after the
other, in one folder of their own, since each takes nearly all memory of a GPU. The paths of AMD
(torch.version.hip) and Ascend (torch_npu) follow their documentation and were not run on hardware.
"""

# Text for the environment's interpreter, given with -c: no module of the package.
# ruff: noqa: B905, BLE001, ICN001, PLR2004, PTH102, PTH108, PTH110, PTH112, PTH114, PTH118, PTH208, RUF005

import contextlib
import datetime
import fcntl
import importlib
import importlib.util
import json
import math
import os
import pkgutil
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
import warnings

KEPT = []
"""Descriptors that no child may hold open; the first is that of the answer."""
GUARD = []
"""The descriptor that the guard reads, while there is one."""
RUNNING = set()
"""Children that were started and not yet reaped."""
LONGEST = 600
MOST_LINES = 40
MOST_WARNINGS = 20
MOST_OUTPUT = 16384
MOST_ANSWER = 1 << 18
MOST_DEVICES = 64
SIDE = 1024
GIB = 1 << 30
GRACE = 5.0
VISIBLE = {
    "cuda": "CUDA_VISIBLE_DEVICES",
    "hip": "HIP_VISIBLE_DEVICES",
    "npu": "ASCEND_RT_VISIBLE_DEVICES",
}


def main(nonce):
    report = os.dup(1)
    KEPT.append(report)
    null = os.open(os.devnull, os.O_RDWR)
    with os.fdopen(os.dup(0), "rb") as stream:
        question = json.loads(stream.read().decode("utf-8") or "{}")
    os.dup2(null, 0)
    os.dup2(2, 1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, leave)
    began = time.monotonic()
    deadline = began + float(question.get("total", 900))
    names = [name for name in question.get("frameworks", []) if name in DESCRIBE and installed(name)]
    folder, lock = workplace(deadline)
    if folder is None:
        error = "another check on this host computes, and did not end in time"
        nothing = dict(unstarted(), error=error, output=[])
        found = [{"name": name, "describe": nothing, "compute": [], "exchange": []} for name in names]
    else:
        found = work_in(folder, lock, lambda: [examine(name, question, deadline, folder) for name in names])
    answer = {
        "format": 1,
        "python": ".".join(str(number) for number in sys.version_info[:3]),
        "prefix": sys.prefix,
        "frameworks": found,
        "seconds": round(time.monotonic() - began, 3),
    }
    # A newline first: a child may have left an unfinished line in the same pipe.
    text = "\n" + nonce + " " + json.dumps(answer, sort_keys=True) + "\n"
    remaining = text.encode("utf-8")
    while remaining:
        remaining = remaining[os.write(report, remaining) :]


def leave(number, _frame):
    sys.exit(128 + number)


# --- one check at a time, of which nothing stays ---


def workplace(deadline):
    """Return a folder for this check alone and the descriptor that locks it, both None where another check keeps it.

    What a check that was killed left in it is removed.
    """
    path = os.path.join(tempfile.gettempdir(), "provision-check-{}".format(os.getuid()))
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        held = lock_of(path)
        if held is False:
            # The name is somebody else's, or the file system has no locks: then without.
            return tempfile.mkdtemp(prefix="provision-check-"), None
        if held is not None:
            for name in os.listdir(path):
                inside = os.path.join(path, name)
                if os.path.isdir(inside) and not os.path.islink(inside):
                    shutil.rmtree(inside, ignore_errors=True)
                else:
                    tried(os.unlink, inside)
            return path, held
        if time.monotonic() >= deadline:
            return None, None
        leave_unread()
        time.sleep(0.1)


def lock_of(path):
    """Return a descriptor that locks the folder, None where another holds it, False where it cannot be locked."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        # Its owner has just removed it.
        return None
    if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.getuid() or there.st_mode & 0o077:
        return False
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # One that waited may hold a folder that was removed since.
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            return descriptor
        os.close(descriptor)
    except (BlockingIOError, FileNotFoundError):
        if descriptor is not None:
            os.close(descriptor)
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return False
    return None


def work_in(folder, lock, examined):
    """Do the work; then, or when it is ended, end the children and remove the folder."""
    if lock is not None:
        KEPT.append(lock)
    guard = start_guard(folder)
    try:
        return examined()
    finally:
        for child in list(RUNNING):
            end(child)
        shutil.rmtree(folder, ignore_errors=True)
        note("done")
        os.close(GUARD.pop())
        os.waitpid(guard, 0)
        if lock is not None:
            KEPT.remove(lock)
            os.close(lock)


def start_guard(folder):
    """Start the process that clears up where this one is killed and cannot; return its id."""
    reader, writer = os.pipe()
    guard = os.fork()
    if guard == 0:
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.close(writer)
            # It keeps the lock, until it is through.
            os.close(KEPT[0])
            for descriptor in (1, 2):
                os.dup2(0, descriptor)
            stand_guard(reader, folder)
        finally:
            os._exit(0)
    os.close(reader)
    GUARD.append(writer)
    KEPT.append(writer)
    return guard


def stand_guard(reader, folder):
    """Follow which children there are; when the check is gone without a word, kill them and remove its folder."""
    there = set()
    with os.fdopen(reader) as stream:
        for line in stream:
            word, _, child = line.strip().partition(" ")
            if word == "done":
                return
            (there.add if word == "began" else there.discard)(int(child))
    for child in there:
        for stop in (os.killpg, os.kill):
            tried(stop, child, signal.SIGKILL)
    # What is being killed may still write there.
    time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


def note(text):
    if GUARD:
        tried(os.write, GUARD[0], (text + "\n").encode("ascii"))


def leave_unread():
    """End this check where nobody can read its answer any more: the link was cut, and it is asked again elsewhere."""
    reader = select.poll()
    reader.register(KEPT[0], 0)
    if reader.poll(0):
        sys.exit(128 + signal.SIGPIPE)


def die_with(parent):
    """Let the kernel end this child with its parent; what the child starts is the guard's."""
    ctypes = importlib.import_module("ctypes")
    # PR_SET_PDEATHSIG of linux/prctl.h.
    ctypes.CDLL(None).prctl(1, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def installed(name):
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    # A folder without __init__.py is what an uninstalled package leaves behind.
    return spec is not None and spec.origin not in (None, "namespace")


# --- what is asked of one framework ---


def examine(name, question, deadline, folder):
    gpus = [str(one) for one in question.get("gpus", [])][:MOST_DEVICES]
    accelerated = bool(gpus) or question.get("accelerator") is True
    timeout = float(question.get("timeout", 120))
    common = surroundings(folder)
    without = dict(common, CUDA_VISIBLE_DEVICES="", HIP_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")
    # Where there is no GPU, jax's CUDA plugin prints a traceback about it unless it is told not to look.
    asking = common if accelerated else dict(common, JAX_PLATFORMS="cpu")
    described = run([(DESCRIBE[name], (accelerated,), asking)], timeout, deadline)[0]
    answer = {"name": name, "describe": described, "compute": [], "exchange": []}
    if not described["ok"]:
        return answer
    kind, count = described["values"]["kind"], min(described["values"]["count"], MOST_DEVICES)
    if kind == "cpu" or (count == 0 and not accelerated):
        job = (COMPUTE[name], ("cpu", False), without)
        answer["compute"] = [dict(run([job], timeout, deadline)[0], id="cpu", kind="cpu")]
    if count == 0 or kind == "cpu":
        return answer
    ids = identities(kind, count, gpus)
    busy = question.get("busy", [])
    at_once = max(1, min(8, os.cpu_count() or 1))
    for first in range(0, len(ids), at_once):
        some = ids[first : first + at_once]
        jobs = [(COMPUTE[name], (kind, one not in busy), dict(common, **{VISIBLE[kind]: one})) for one in some]
        done = run(jobs, timeout, deadline)
        answer["compute"] += [dict(result, id=one, kind=kind) for one, result in zip(some, done)]
    if name in EXCHANGE and len(ids) > 1 and not any(one.startswith("MIG-") for one in ids):
        seen = dict(common, **{VISIBLE[kind]: ",".join(ids)})
        answer["exchange"] = EXCHANGE[name](kind, len(ids), seen, timeout, deadline)
    return answer


def identities(kind, count, gpus):
    """Return what the variable of visible devices is set to for each GPU."""
    if kind == "cuda" and gpus:
        return gpus
    chosen = [one.strip() for one in os.environ.get(VISIBLE[kind], "").split(",") if one.strip()]
    return chosen[:count] or [str(index) for index in range(count)]


def surroundings(folder):
    """Return the variables for children: nothing is written elsewhere, nothing fetched, errors are seen."""
    return {
        "TMPDIR": folder,
        "XDG_CACHE_HOME": folder,
        "CUDA_CACHE_PATH": folder,
        "TRITON_CACHE_DIR": folder,
        "TORCHINDUCTOR_CACHE_DIR": folder,
        "MIOPEN_USER_DB_PATH": folder,
        "MIOPEN_CUSTOM_CACHE_DIR": folder,
        "ASCEND_PROCESS_LOG_PATH": folder,
        "MPLCONFIGDIR": folder,
        "KERAS_HOME": folder,
        # The order of nvidia-smi.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        # NVIDIA's libraries then compute float32 as float32.
        "NVIDIA_TF32_OVERRIDE": "0",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "0",
        "NCCL_DEBUG": "WARN",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        # libtpu would ask a cloud's metadata server.
        "TPU_SKIP_MDS_QUERY": "1",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        # Warnings and errors, no information.
        "TF_CPP_MIN_LOG_LEVEL": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }


# --- torch ---


def import_torch():
    import torch

    if importlib.util.find_spec("torch_npu") is not None:
        importlib.import_module("torch_npu")
    return torch


def kind_of_torch(torch):
    if importlib.util.find_spec("torch_npu") is not None:
        return "npu"
    if getattr(torch.version, "hip", None):
        return "hip"
    return "cuda" if torch.version.cuda else "cpu"


def describe_torch(accelerated):
    torch = import_torch()
    kind = kind_of_torch(torch)
    values = {
        "version": torch.__version__,
        "kind": kind,
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "visible": os.environ.get(VISIBLE.get(kind, "")),
        "available": False,
        "count": 0,
        "devices": [],
    }
    if kind == "cpu":
        return values
    device = torch.npu if kind == "npu" else torch.cuda
    values["available"] = bool(device.is_available())
    values["count"] = int(device.device_count()) if values["available"] else 0
    values["architectures"] = tried(architectures, torch) if kind != "npu" else None
    values["cudnn"] = tried(torch.backends.cudnn.version)
    values["nccl"] = dotted(tried(lambda: torch.cuda.nccl.version()))  # noqa: PLW0108 - there may be no nccl
    if accelerated and not values["available"]:
        try:
            device.init()
        except Exception as error:
            values["error"] = told(error)
    values["devices"] = [torch_device(device, index) for index in range(min(values["count"], MOST_DEVICES))]
    return values


def architectures(torch):
    # get_arch_list() is empty where no GPU is available; the build's own flags stand in the library.
    listed = list(torch.cuda.get_arch_list())
    return listed or (torch._C._cuda_getArchFlags() or "").split()  # noqa: SLF001 - there is no public name for it


def torch_device(device, index):
    properties = device.get_device_properties(index)
    return {
        "name": device.get_device_name(index),
        "capability": dotted(tried(device.get_device_capability, index)),
        "architecture": str(getattr(properties, "gcnArchName", "") or "").split(":")[0] or None,
        "memory": getattr(properties, "total_memory", None),
    }


def compute_torch(kind, fill):
    torch = import_torch()
    where = {"cpu": "cpu", "npu": "npu:0"}.get(kind, "cuda:0")
    tried(lambda: torch.set_float32_matmul_precision("highest"))
    source = torch.Generator()
    source.manual_seed(20)
    left, right = (torch.randn(SIDE, SIDE, generator=source) for _ in range(2))
    wanted = left.double() @ right.double()

    def once(kind_of_number):
        result = left.to(where).to(kind_of_number) @ right.to(where).to(kind_of_number)
        # Bringing the result back waits for it.
        return result.cpu().double()

    def difference(result):
        return float((result - wanted).abs().max() / wanted.abs().max())

    values = measured(lambda: once(torch.float32), difference)
    if kind != "cpu":
        device = torch.npu if kind == "npu" else torch.cuda
        if kind != "cuda" or tuple(device.get_device_capability(0)) >= (8, 0):
            values["bfloat16"] = finite(difference(once(torch.bfloat16)))
        values["memory"] = torch_memory(torch, device, where, fill)
    return values


def torch_memory(torch, device, where, fill):
    """Allocate most of what is free, in pieces, and free it."""
    if not hasattr(device, "mem_get_info"):
        return None
    device.empty_cache()
    free, total = device.mem_get_info(0)
    memory = {"free": free, "total": total, "allocated": None}
    properties = device.get_device_properties(0)
    # Memory that the machine shares with its GPU is the memory of its other programs; and on a GPU in use,
    # taking the rest for a moment could end somebody's training.
    if getattr(properties, "is_integrated", 0):
        memory["reason"] = "shared"
    elif not fill or total - free > max(2 * GIB, total // 20):
        memory["reason"] = "busy"
    else:
        memory["allocated"] = allocated(
            int(free * 0.9), lambda size: torch.empty(size, dtype=torch.uint8, device=where)
        )
        device.empty_cache()
    return memory


def exchange_torch(kind, count, environment, timeout, deadline):
    copied = run([(copy_torch, (kind, count), environment)], timeout, deadline)[0]
    meeting = os.path.join(environment["TMPDIR"], "meeting")
    if os.path.exists(meeting):
        os.unlink(meeting)
    ranks = [(reduce_torch, (kind, rank, count, meeting, timeout), environment) for rank in range(count)]
    results = run(ranks, timeout, deadline, linked=True)
    failed = [one for one in results if not one["ok"]]
    # The first to fail says why; the others were ended for it.
    reduced = min(failed, key=lambda one: (one["linked"], one["slow"])) if failed else results[0]
    for one in results:
        if one is not reduced:
            reduced["output"] = (reduced["output"] + one["output"])[:MOST_LINES]
    return [dict(copied, what="copy"), dict(reduced, what="all-reduce")]


def copy_torch(kind, count):
    torch = import_torch()
    prefix = "npu" if kind == "npu" else "cuda"
    original = torch.arange(1 << 22, dtype=torch.int32)
    wrong = []
    for source in range(count):
        target = (source + 1) % count
        there = original.to("{}:{}".format(prefix, source))
        if not torch.equal(there.to("{}:{}".format(prefix, target)).cpu(), original):
            wrong.append([source, target])
    return {"wrong": wrong}


def reduce_torch(kind, rank, count, meeting, timeout):
    torch = import_torch()
    distributed = importlib.import_module("torch.distributed")
    device = torch.npu if kind == "npu" else torch.cuda
    device.set_device(rank)
    distributed.init_process_group(
        "hccl" if kind == "npu" else "nccl",
        init_method="file://" + meeting,
        rank=rank,
        world_size=count,
        timeout=datetime.timedelta(seconds=timeout),
    )
    numbers = torch.full((1 << 20,), float(rank + 1), device="{}:{}".format("npu" if kind == "npu" else "cuda", rank))
    distributed.all_reduce(numbers)
    numbers = numbers.cpu()
    distributed.destroy_process_group()
    right = bool((numbers == count * (count + 1) / 2.0).all())
    return {"wrong": [] if right else [[rank, rank]]}


# --- jax ---

JAX_GPUS = ("gpu", "cuda", "rocm")


def jax_build():
    """Return the kind, CUDA and cuDNN that jax was built for, without touching a GPU."""
    for name in ("jax_cuda13_plugin", "jax_cuda12_plugin", "jax_cuda11_plugin", "jaxlib.cuda"):
        try:
            versions = importlib.import_module(name + "._versions")
            return "cuda", cuda_text(versions.cuda_runtime_build_version()), versions.cudnn_build_version()
        except Exception:  # noqa: S112 - another name may do
            continue
    try:
        plugins = importlib.import_module("jax_plugins")
        names = " ".join(one.name for one in pkgutil.iter_modules(plugins.__path__))
    except Exception:
        names = ""
    return "cuda" if "cuda" in names else "hip" if "rocm" in names else "cpu", None, None


def cuda_text(number):
    return "{}.{}".format(number // 1000, number % 1000 // 10)


def describe_jax(accelerated):
    import jax

    kind, cuda, cudnn = jax_build()
    devices, error = [], None
    try:
        devices = [one for one in jax.devices() if one.platform in JAX_GPUS]
        if accelerated and not devices and kind != "cpu":
            jax.devices("gpu")
    except Exception as failure:
        # Without a backend for the GPU some versions fall back to the CPU in silence, some refuse to go on.
        error = told(failure)
    if devices and kind == "cpu":
        kind = "hip" if "rocm" in str(getattr(devices[0].client, "platform_version", "")).lower() else "cuda"
    return {
        "version": jax.__version__,
        "kind": kind,
        "cuda": cuda,
        "cudnn": cudnn,
        "error": error,
        "visible": os.environ.get(VISIBLE.get(kind, "")),
        "available": bool(devices),
        "count": len(devices),
        "devices": [
            {"name": one.device_kind, "capability": getattr(one, "compute_capability", None)}
            for one in devices[:MOST_DEVICES]
        ],
    }


def compute_jax(kind, fill):
    import jax
    import numpy

    device = jax.devices()[0] if kind == "cpu" else jax_gpus(1)[0]
    multiply = jax.jit(lambda one, other: jax.numpy.matmul(one, other, precision="highest"))
    once, difference = matmul_with(numpy, lambda one, other: multiply(*jax.device_put((one, other), device)))
    values = measured(lambda: once("float32"), difference)
    if kind != "cpu":
        major = str(getattr(device, "compute_capability", "0.0")).partition(".")[0]
        if kind != "cuda" or int(major) >= 8:
            values["bfloat16"] = finite(difference(once(jax.numpy.bfloat16)))
        limit = (device.memory_stats() or {}).get("bytes_limit")
        if limit and fill and kind == "cuda":
            # jax says what it would take for itself, not what is free: others' use is known from nvidia-smi alone.
            pieces = allocated(
                int(limit * 0.9),
                lambda size: jax.block_until_ready(jax.device_put(jax.numpy.zeros(size, "uint8"), device)),
            )
            values["memory"] = {"free": limit, "total": None, "allocated": pieces}
    return values


def exchange_jax(kind, count, environment, timeout, deadline):
    return [
        dict(run([(copy_jax, (kind, count), environment)], timeout, deadline)[0], what="copy"),
        dict(run([(reduce_jax, (kind, count), environment)], timeout, deadline)[0], what="all-reduce"),
    ]


def jax_gpus(count):
    """Return so many GPUs; where jax has fewer it went on with the processor, or without some."""
    import jax

    devices = [one for one in jax.devices() if one.platform in JAX_GPUS][:count]
    if len(devices) < count:
        raise RuntimeError("jax found {} of {} GPUs when it was to use them".format(len(devices), count))
    return devices


def copy_jax(_kind, count):
    import jax
    import numpy

    devices = jax_gpus(count)
    original = numpy.arange(1 << 22, dtype=numpy.int32)
    wrong = []
    for source in range(len(devices)):
        target = (source + 1) % len(devices)
        there = jax.block_until_ready(jax.device_put(original, devices[source]))
        if not numpy.array_equal(numpy.asarray(jax.device_put(there, devices[target])), original):
            wrong.append([source, target])
    return {"wrong": wrong}


def reduce_jax(_kind, count):
    import jax
    import numpy

    devices = jax_gpus(count)
    numbers = numpy.ones((len(devices), 1 << 20), numpy.float32) * numpy.arange(1, len(devices) + 1)[:, None]
    add = jax.pmap(lambda one: jax.lax.psum(one, "gpus"), axis_name="gpus", devices=devices)
    result = numpy.asarray(add(numbers.astype(numpy.float32)))
    right = bool((result == len(devices) * (len(devices) + 1) / 2.0).all())
    return {"wrong": [] if right else [[0, 0]]}


# --- tensorflow ---


def import_tensorflow():
    import tensorflow

    for device in tensorflow_gpus(tensorflow):
        tensorflow.config.experimental.set_memory_growth(device, True)
    return tensorflow


def tensorflow_gpus(tensorflow):
    # Before 2.1 it was experimental.
    config = tensorflow.config
    listed = getattr(config, "list_physical_devices", None) or config.experimental.list_physical_devices
    return listed("GPU")


def tensorflow_kind(tensorflow, build, devices):
    """Return what it was built for; before 2.3 there is no build info, and later not in every build."""
    for kind, key, asked in (
        ("cuda", "is_cuda_build", "is_built_with_cuda"),
        ("hip", "is_rocm_build", "is_built_with_rocm"),
    ):
        if build.get(key) or (key not in build and tried(lambda name=asked: getattr(tensorflow.test, name)())):
            return kind
    return "cuda" if devices else "cpu"


def tensorflow_details(tensorflow, device):
    return tried(lambda: tensorflow.config.experimental.get_device_details(device)) or {}


def describe_tensorflow(_accelerated):
    tensorflow = import_tensorflow()
    build = tried(lambda: dict(tensorflow.sysconfig.get_build_info())) or {}
    devices = tensorflow_gpus(tensorflow)
    kind = tensorflow_kind(tensorflow, build, devices)
    details = [tensorflow_details(tensorflow, one) for one in devices[:MOST_DEVICES]]
    return {
        "version": tensorflow.__version__,
        "kind": kind,
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "architectures": list(build.get("cuda_compute_capabilities") or []),
        "visible": os.environ.get(VISIBLE.get(kind, "")),
        "available": bool(devices),
        "count": len(devices),
        "devices": [
            {"name": one.get("device_name"), "capability": dotted(one.get("compute_capability"))} for one in details
        ],
    }


def compute_tensorflow(kind, _fill):
    # TensorFlow has no documented way to ask what is free, so its memory is not measured.
    tensorflow = import_tensorflow()
    import numpy

    tried(lambda: tensorflow.config.experimental.enable_tensor_float_32_execution(False))
    where = "/CPU:0" if kind == "cpu" else "/GPU:0"

    def multiply(one, other):
        # Without this an operation is moved to the CPU where it cannot be done on the GPU.
        tensorflow.config.set_soft_device_placement(False)
        with tensorflow.device(where):
            return tensorflow.linalg.matmul(tensorflow.identity(one), tensorflow.identity(other)).numpy()

    once, difference = matmul_with(numpy, multiply)
    values = measured(lambda: once("float32"), difference)
    if kind != "cpu":
        details = tensorflow_details(tensorflow, tensorflow_gpus(tensorflow)[0])
        if kind != "cuda" or tuple(details.get("compute_capability") or (0, 0)) >= (8, 0):
            values["bfloat16"] = finite(difference(once(tensorflow.bfloat16.as_numpy_dtype)))
    return values


# --- what the frameworks share ---


def matmul_with(numpy, multiply):
    """Return a function that multiplies in one type of number, and one that says how far off the result is."""
    source = numpy.random.RandomState(20)
    left, right = (source.standard_normal((SIDE, SIDE)).astype("float32") for _ in range(2))
    wanted = left.astype("float64") @ right.astype("float64")

    def once(number):
        return numpy.asarray(multiply(left.astype(number), right.astype(number))).astype("float64")

    def difference(result):
        return float(numpy.abs(result - wanted).max() / numpy.abs(wanted).max())

    return once, difference


def measured(once, difference):
    """Return the error of the first product, and the seconds of the first (which loads libraries) and the second."""
    began = time.monotonic()
    result = once()
    between = time.monotonic()
    once()
    ended = time.monotonic()
    return {
        "float32": finite(difference(result)),
        "first_seconds": round(between - began, 4),
        "again_seconds": round(ended - between, 4),
    }


def allocated(target, allocate):
    """Return how many bytes could be allocated, up to the target; all are freed again."""
    pieces, size, done = [], max(1 << 20, min(GIB, target // 8)), 0
    while done < target:
        step = min(size, target - done)
        try:
            pieces.append(allocate(step))
            done += step
        except Exception:
            # Large pieces first: what is left may still hold small ones.
            size //= 4
            if size < 1 << 24:
                break
    return done


def finite(number):
    return number if math.isfinite(number) else None


def tried(ask, *arguments):
    """Return the answer, or None where this version cannot answer."""
    try:
        return ask(*arguments)
    except Exception:
        return None


def dotted(version):
    if isinstance(version, (tuple, list)):
        return ".".join(str(one) for one in version)
    return None if version is None else str(version)


DESCRIBE = {"torch": describe_torch, "jax": describe_jax, "tensorflow": describe_tensorflow}
COMPUTE = {"torch": compute_torch, "jax": compute_jax, "tensorflow": compute_tensorflow}
EXCHANGE = {"torch": exchange_torch, "jax": exchange_jax}


# --- children ---


class Child:
    """One function at work in a process of its own, and what it has said so far."""

    def __init__(self, job):
        function, arguments, environment = job
        self.began = time.monotonic()
        self.answer = b""
        self.head = self.tail = b""
        self.why = None
        self.linked = False
        self.reader, writer = os.pipe()
        self.noise, noise_writer = os.pipe()
        self.open = [self.reader, self.noise]
        check = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                tried(die_with, check)
                for descriptor in [self.reader, self.noise] + KEPT:
                    os.close(descriptor)
                os.dup2(noise_writer, 1)
                os.dup2(noise_writer, 2)
                os.close(noise_writer)
                work(function, arguments, environment, writer)
            finally:
                os._exit(0)
        RUNNING.add(self.pid)
        note("began {}".format(self.pid))
        KEPT.extend(self.open)
        os.close(writer)
        os.close(noise_writer)
        for descriptor in self.open:
            os.set_blocking(descriptor, False)

    def hear(self, descriptor):
        """Take in what is there; return whether there may be more."""
        try:
            piece = os.read(descriptor, 65536)
        except BlockingIOError:
            return False
        if not piece:
            self.open.remove(descriptor)
        elif descriptor == self.reader:
            self.answer = (self.answer + piece)[:MOST_ANSWER]
        else:
            room = MOST_OUTPUT - len(self.head)
            self.head += piece[:room]
            self.tail = (self.tail + piece[room:])[-MOST_OUTPUT:]
        return bool(piece)

    def over(self):
        return self.answer.endswith(b"\n") or self.reader not in self.open or self.why is not None

    def result(self):
        """End the child with all that it started, and return what came of it."""
        status = end(self.pid)
        for descriptor in (self.reader, self.noise):
            while descriptor in self.open and self.hear(descriptor):
                pass
            KEPT.remove(descriptor)
            os.close(descriptor)
        result = {"ok": False, "error": None, "values": None, "warnings": []}
        if self.answer.endswith(b"\n"):
            result.update(json.loads(self.answer.decode("utf-8")))
        else:
            result["error"] = self.why or death(status)
        result["slow"] = self.why is not None
        result["linked"] = self.linked
        result["seconds"] = round(time.monotonic() - self.began, 3)
        result["output"] = lines(self.head, self.tail)
        return result


def run(jobs, timeout, deadline, linked=False):
    """Do all jobs at once, each in a child; linked ones have little time left when one of them fails."""
    if time.monotonic() >= deadline:
        return [dict(unstarted(), output=[]) for _ in jobs]
    children = [Child(job) for job in jobs]
    limit = min(time.monotonic() + timeout, deadline)
    results = {}
    failed = False
    while len(results) < len(children):
        now = time.monotonic()
        waiting = [one for number, one in enumerate(children) if number not in results]
        if now >= limit:
            for one in waiting:
                one.linked = failed
                one.why = late(failed, limit < deadline, timeout)
        else:
            watched = {descriptor: one for one in waiting for descriptor in one.open}
            for descriptor in select.select(list(watched), [], [], min(limit - now, 1.0))[0]:
                watched[descriptor].hear(descriptor)
            leave_unread()
        for number, one in enumerate(children):
            if number not in results and one.over():
                results[number] = one.result()
                if linked and not failed and not results[number]["ok"]:
                    failed = True
                    limit = min(limit, time.monotonic() + GRACE)
    return [results[number] for number in range(len(children))]


def late(failed, in_time, timeout):
    if failed:
        return "it waited for a process that had failed"
    return "it took more than {:g} s".format(timeout) if in_time else "no time was left for it"


def unstarted():
    error = "no time was left for it"
    return {"ok": False, "error": error, "slow": True, "linked": False, "values": None, "warnings": [], "seconds": 0.0}


def work(function, arguments, environment, writer):
    """Run in the child: call the function and write its result."""
    os.environ.update(environment)
    os.chdir(environment["TMPDIR"])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    told_warnings = []

    def show(message, category, *_place, **_more):
        if len(told_warnings) < MOST_WARNINGS:
            told_warnings.append({"category": category.__name__, "text": one_line(str(message))[:LONGEST]})

    warnings.showwarning = show
    result = {"ok": True, "error": None, "values": None, "warnings": told_warnings}
    try:
        result["values"] = function(*arguments)
    except BaseException as error:
        # SystemExit and KeyboardInterrupt are failures too.
        result["ok"] = False
        result["error"] = told(error)
    for stream in (sys.stdout, sys.stderr):
        tried(stream.flush)
    text = (json.dumps(result, default=str) + "\n").encode("utf-8")
    while text:
        text = text[os.write(writer, text) :]


def told(error):
    return "{}: {}".format(type(error).__name__, one_line(str(error))[:LONGEST])


def end(child):
    """Kill a child and its group; return its status, None where not even that ends it."""
    # Between fork and setsid it is no leader yet.
    for stop in (os.killpg, os.kill):
        tried(stop, child, signal.SIGKILL)
    limit = time.monotonic() + GRACE
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid or time.monotonic() > limit:
            break
        time.sleep(0.005)
    RUNNING.discard(child)
    note("ended {}".format(child))
    return status if pid else None


def death(status):
    if status is None:
        return "it cannot even be killed: it hangs in the driver"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "signal {}".format(number)
        return "the interpreter was killed by " + name
    return "the interpreter ended with exit code {}".format(os.WEXITSTATUS(status))


def lines(head, tail):
    """Return the lines of what was printed, the first and the last of them."""
    listed = [one.rstrip()[:LONGEST] for one in (head + tail).decode("utf-8", "replace").splitlines() if one.strip()]
    half = MOST_LINES // 2
    return listed if len(listed) <= MOST_LINES else listed[:half] + listed[-half:]


def one_line(text):
    return " ".join(text.split())


main(sys.argv[1])
