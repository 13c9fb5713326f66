"""The made-up packages of the channel, named so that nobody takes them for real, and the torch look-alike."""

from __future__ import annotations

import json
from pathlib import Path

from .archive import Entry, Package
from .wheels import Made, pure_package

CUDA_VERSIONS = ("11.8", "12.1", "12.4", "12.6", "12.8", "13.0")
TORCH_VERSIONS = ("2.5.1", "2.6.0")
TORCH_CUDA = ("12.4", "12.8")

_TORCH = Path(__file__).parent / "frameworks" / "torch"
_ARCHITECTURES = {
    "12.4": ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"),
    "12.8": ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"),
}

ALPHA = ("1.0", "1.1", "2.0")
BROKEN = Made("standin-broken", "1.0", {"standin_broken.py": 'raise ImportError("libbroken.so.1: no such file")\n'})
PURE = (
    *((Made("standin-alpha", version, {"standin_alpha.py": f'__version__ = "{version}"\n'}), ()) for version in ALPHA),
    (Made("standin-beta", "1.0", {"standin_beta.py": '__version__ = "1.0"\n'}), ("standin-alpha >=1.0,<2",)),
    (Made("standin-beta", "2.0", {"standin_beta.py": '__version__ = "2.0"\n'}), ("standin-alpha >=2.0",)),
    (Made("standin-gamma", "1.0", {"standin_gamma.py": '__version__ = "1.0"\n'}), ("standin-alpha <2",)),
    # two releases of which each wants what the other forbids: asking for both can never be solved
    (Made("standin-left", "1.0", {"standin_left.py": ""}), ("standin-alpha 1.0",)),
    (Made("standin-right", "1.0", {"standin_right.py": ""}), ("standin-alpha 2.0",)),
    # installs well, and then does not import
    (BROKEN, ()),
)

WHEELS = (
    Made("standin-wheel", "1.0", {"standin_wheel.py": '__version__ = "1.0"\n'}),
    Made("standin-wheel", "1.1", {"standin_wheel.py": '__version__ = "1.1"\n'}),
    Made("standin-wheel", "2.0", {"standin_wheel.py": '__version__ = "2.0"\n'}),
    Made("standin-plugin", "0.3", {"standin_plugin/__init__.py": ""}, ("standin-wheel>=1.0,<2",)),
    Made(
        "cupy-cuda13x",
        "13.0.0",
        {"cupy/__init__.py": '"""A stand-in for CuPy, not CuPy: it computes nothing."""\n'},
        summary="stand-in: not CuPy, only its name",
    ),
    Made("standin-clash", "1.0", {"standin_clash.py": ""}, ("standin-wheel==9.9",)),
    BROKEN,
)

NUMPY = Made(
    "numpy",
    "2.0.0",
    {"numpy/__init__.py": '"""A tiny stand-in for numpy, not numpy."""\n\n__version__ = "2.0.0"\n'},
    summary="stand-in: not numpy, only its name",
)


def packages() -> list[Package]:
    """Return every made-up noarch package."""
    made = [pure_package(one, depends=needs) for one, needs in PURE]
    for version in CUDA_VERSIONS:
        marker = Entry(f"share/cuda-version/{version}", b"made by the stand-in\n")
        # a driver that serves less than a toolkit's version keeps that toolkit's builds away
        needs = (f"__cuda >={version}",)
        made.append(Package("cuda-version", version, "standin_0", (marker,), constrains=needs, noarch="generic"))
    return made


def torch() -> list[Package]:
    """Return the torch look-alikes: CUDA builds that need ``__cuda``, and a CPU build that needs nothing."""
    made = []
    for version in TORCH_VERSIONS:
        for cuda in TORCH_CUDA:
            digits = cuda.replace(".", "")
            needs = ("__cuda", f"cuda-version {cuda}.*")
            made.append(_torch(version, cuda, f"cuda{digits}_standin_200", 200 + int(digits), needs))
        made.append(_torch(version, None, "cpu_standin_0", 0, ()))
    return made


def _torch(version: str, cuda: str | None, build: str, number: int, needs: tuple[str, ...]) -> Package:
    local = f"{version}+cu{cuda.replace('.', '')}" if cuda else f"{version}+cpu"
    modules = {f"torch/{one.name}": one.read_text(encoding="utf-8") for one in sorted(_TORCH.glob("*.py"))}
    built = {"version": local, "cuda": cuda, "architectures": list(_ARCHITECTURES.get(cuda or "", ()))}
    modules["torch/built.json"] = json.dumps(built) + "\n"
    made = Made("torch", version, modules, summary="stand-in: not PyTorch, only what it says of itself")
    package = pure_package(made, depends=needs, build=build, number=number)
    return Package(
        "pytorch", version, build, package.entries, package.depends, build_number=number, noarch="python",
        summary=made.summary,
    )  # fmt: skip
