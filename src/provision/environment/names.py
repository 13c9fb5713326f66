"""Names that differ between conda's package and the Python distribution of the same thing.

Source: conda-forge's own mapping of its packages to the Python package index (regro/cf-graph-countyfair, folder
mappings/pypi), and the recipes of those that are not in it (pytorch, faiss, opencv, tensorflow, ray, xgboost).
"""

from __future__ import annotations

from packaging.utils import canonicalize_name

FROM_CONDA: dict[str, str] = {
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "lightning-core": "lightning",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "libopencv": "opencv-python",
    "pyqt": "pyqt5",
    "pysoundfile": "soundfile",
    "pytables": "tables",
    "python-annoy": "annoy",
    "python-graphviz": "graphviz",
    "python-lmdb": "lmdb",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "ray-core": "ray",
    "ray-default": "ray",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-cpu": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
}
"""conda's package to the distribution of the same thing, where they are called differently."""


def distribution_of(conda: str) -> str:
    """Return the normalised distribution that a conda package of Python stands for."""
    return FROM_CONDA.get(conda.lower()) or canonicalize_name(conda)
