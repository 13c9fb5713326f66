"""Names that differ between an import and the distribution that brings it.

Source: the projects' own installation pages. Names of conda's packages stand in ``provision.environment.names``.
"""

from __future__ import annotations

from packaging.utils import canonicalize_name

IMPORTS: dict[str, tuple[str, ...]] = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "Crypto": ("pycryptodome", "pycrypto"),
    "cpuinfo": ("py-cpuinfo",),
    "cupy": ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x"),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "distutils": ("setuptools",),
    "dateutil": ("python-dateutil",),
    "decord": ("decord", "eva-decord"),
    "docx": ("python-docx",),
    "dotenv": ("python-dotenv",),
    "faiss": ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12"),
    "ffmpeg": ("ffmpeg-python",),
    "fitz": ("pymupdf",),
    "git": ("gitpython",),
    "github": ("pygithub",),
    "grpc": ("grpcio",),
    "hydra": ("hydra-core",),
    "jwt": ("pyjwt",),
    "Levenshtein": ("levenshtein", "python-levenshtein"),
    "magic": ("python-magic",),
    "mpl_toolkits": ("matplotlib",),
    "MySQLdb": ("mysqlclient",),
    "OpenSSL": ("pyopenssl",),
    "osgeo": ("gdal",),
    "PIL": ("pillow", "pillow-simd"),
    "pkg_resources": ("setuptools",),
    "pl_bolts": ("lightning-bolts",),
    "psycopg2": ("psycopg2", "psycopg2-binary"),
    "pylab": ("matplotlib",),
    "pynvml": ("nvidia-ml-py", "pynvml"),
    "rdkit": ("rdkit", "rdkit-pypi"),
    "serial": ("pyserial",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "skopt": ("scikit-optimize",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "intel-tensorflow", "tf-nightly"),
    "umap": ("umap-learn",),
    "usb": ("pyusb",),
    "websocket": ("websocket-client",),
    "win32api": ("pywin32",),
    "yaml": ("pyyaml",),
    "zmq": ("pyzmq",),
}
"""Top-level module to the distributions that bring it, as they are normalised (PEP 503), the most usual first."""

_OPENCV = frozenset({"opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"})


def same_thing(name: str) -> str:
    """Return the name by which distributions that bring the same modules are compared."""
    normal = canonicalize_name(name)
    if normal in _OPENCV:
        return "opencv-python"
    for family in ("tensorflow", "faiss", "psycopg2", "pynvml"):
        if family in IMPORTS and normal in IMPORTS[family]:
            return IMPORTS[family][0]
    return normal


def brought_by(module: str) -> tuple[str, ...]:
    """Return the distributions that may bring a top-level module: its own name where the table has none."""
    return IMPORTS.get(module) or (canonicalize_name(module),)
