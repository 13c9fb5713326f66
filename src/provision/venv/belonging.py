"""Which packages are system libraries: conda brings them to the hosts, pip cannot or should not.

Sources: NVIDIA's pages on installing CUDA by conda and by pip (which name the parts); conda-forge's package index;
conda-forge's "Compilers and runtimes".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from packaging.utils import canonicalize_name

RULE = "venv for light local work, conda for CUDA and system libraries"
"""How a team divides its packages."""

CONDA_ONLY = "conda only: "
"""How a comment of a requirements.txt that provision wrote begins, where it keeps what environment.yml had."""


class Belonging(NamedTuple):
    """Where a package of requirements.txt belongs."""

    conda: str | None
    """conda-forge's package of the same thing; ``None``: it is in conda's packages of the frameworks anyway."""
    reason: str


_NVIDIA = {
    "cublas": "libcublas",
    "cuda-cupti": "cuda-cupti",
    "cuda-nvcc": "cuda-nvcc",
    "cuda-nvrtc": "cuda-nvrtc",
    "cuda-runtime": "cuda-cudart",
    "cudnn": "cudnn",
    "cufft": "libcufft",
    "cufile": "libcufile",
    "curand": "libcurand",
    "cusolver": "libcusolver",
    "cusparse": "libcusparse",
    "cusparselt": "cusparselt",
    "nccl": "nccl",
    "npp": "libnpp",
    "nvjitlink": "libnvjitlink",
    "nvjpeg": "libnvjpeg",
    "nvtx": "cuda-nvtx",
}
_WHEEL = re.compile(r"nvidia-(?P<part>[a-z0-9-]+?)(?:-cu\d+)?")
_PYTHON_OF_NVIDIA = frozenset({"nvidia-ml-py", "nvidia-ml-py3", "nvidia-smi", "nvidia-pyindex", "nvidia-modelopt"})
"""Python packages under NVIDIA's name that bring no library."""

_LIBRARY = {
    "cudatoolkit": ("cudatoolkit", "CUDA"),
    "cuda-toolkit": ("cuda-toolkit", "CUDA"),
    "cuda-nvcc": ("cuda-nvcc", "CUDA's compiler"),
    "cudnn": ("cudnn", "cuDNN"),
    "nccl": ("nccl", "NCCL"),
    "mkl": ("mkl", "MKL"),
    "mkl-devel": ("mkl-devel", "MKL"),
    "mkl-include": ("mkl-include", "MKL"),
    "mkl-service": ("mkl-service", "MKL"),
    "intel-openmp": ("intel-openmp", "a runtime of Intel's compilers"),
    "tbb": ("tbb", "a runtime of Intel's compilers"),
    "openblas": ("openblas", "a BLAS library"),
    "gcc": ("gcc", "a compiler"),
    "gxx": ("gxx", "a compiler"),
    "gfortran": ("gfortran", "a compiler"),
    "compilers": ("compilers", "compilers"),
    "cxx-compiler": ("cxx-compiler", "a compiler"),
    "c-compiler": ("c-compiler", "a compiler"),
    "ffmpeg": ("ffmpeg", "a program with its libraries; the distribution of that name is another thing"),
    "openmpi": ("openmpi", "MPI"),
    "mpich": ("mpich", "MPI"),
    "mpi4py": ("mpi4py", "bindings that need MPI's libraries and compiler"),
    "openssl": ("openssl", "a system library"),
    "liblzma": ("xz", "a system library"),
    "xz": ("xz", "a system library"),
    "zlib": ("zlib", "a system library"),
    "libstdcxx-ng": ("libstdcxx-ng", "a compiler's runtime"),
    "libgcc-ng": ("libgcc-ng", "a compiler's runtime"),
    "gdal": ("gdal", "bindings that need GDAL's libraries"),
    "pycuda": ("pycuda", "built with CUDA's compiler"),
    "hdf5": ("hdf5", "a system library"),
    "graphviz-dev": ("graphviz", "a program with its libraries"),
}
_SYSTEM = re.compile(
    r"_.*|lib.*|cuda-.*|cuda|cudnn.*|cudatoolkit.*|nccl.*|mkl.*|blas.*|.*blas|gcc.*|gxx.*|gfortran.*|binutils.*|clang.*"
    r"|llvm.*|sysroot.*|.*-compiler|compilers|cpuonly|pytorch-cuda|pytorch-mutex|openssl|sqlite|zlib|zstd|xz|bzip2"
    r"|readline|ncurses|tk|ffmpeg|git|git-lfs|curl|wget|make|pkg-config|openmpi|mpich|mpi|hdf5|htop|tmux|vim|rsync|nodejs"
    r"|openjdk|r-.*|perl|ca-certificates|x264|x265|freetype|jpeg|libpng|glib|icu|boost.*|eigen|protobuf-compiler|swig"
    r"|intel-openmp|tbb|openh264|lame|sox|parallel|aria2|pigz|unzip|zip|p7zip|jq|tree|bash|zsh|gh|cutensor|cusparselt"
)
_NO_DISTRIBUTION = frozenset({"python", "pip", "setuptools", "wheel", "conda", "nomkl", "python_abi", "tzdata"})


def belongs_to_conda(name: str) -> Belonging | None:
    """Return where a distribution of requirements.txt belongs; ``None``: pip is right for it."""
    normal = canonicalize_name(name)
    found = _LIBRARY.get(normal)
    if found is not None:
        return Belonging(*found)
    toolchain = re.fullmatch(r"(gcc|gxx|gfortran|binutils|sysroot)-(linux-.+)", normal)
    if toolchain is not None:
        return Belonging(f"{toolchain[1]}_{toolchain[2]}", "a compiler")
    wheel = _WHEEL.fullmatch(normal)
    if wheel is None or normal in _PYTHON_OF_NVIDIA or not (wheel["part"] in _NVIDIA or re.search(r"-cu\d+$", normal)):
        return None
    return Belonging(_NVIDIA.get(wheel["part"]), "a library of CUDA")


def wheel_of_cuda(name: str) -> bool:
    """Whether it is one of the wheels that PyTorch's own wheel asks for by itself."""
    return canonicalize_name(name).startswith("nvidia-") and belongs_to_conda(name) is not None


def is_system(conda: str) -> bool:
    """Whether a package of environment.yml is no Python distribution, as far as its name tells."""
    return conda in _NO_DISTRIBUTION or _SYSTEM.fullmatch(conda.lower()) is not None
