"""Mirror profiles that are shipped, with the texts they were read from.

Every server keeps the layout of the original: ``miniconda/`` for installers, ``pkgs/`` for the channels that
``defaults`` stands for, ``cloud/`` for the others. NVIDIA's channel has a server and a root of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.channels import ALIAS, MAIN, TORCH, R
from provision.model.host import Mirror

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCES = {
    "layout": "github.com/mirrorz-org/mirrorz-help contents/anaconda.mdx @ 15d2b1757fe5",
    "nvidia": "github.com/mirrorz-org/mirrorz-help contents/anaconda-extra.mdx @ c6a53061558c",
    "tuna": "github.com/tuna/tunasync-scripts anaconda.py @ 04697b8f6c93",
    "ustc": "github.com/ustclug/mirrorhelp source/pypi.rst @ 020770cb7f39",
    "apt": "github.com/mirrorz-org/mirrorz-help contents/{ubuntu,ubuntu-ports,debian}.mdx @ 015e0befe892",
    "hf": "HF_ENDPOINT: huggingface_hub's reference of environment variables; hf-mirror.com: LocalAI pull request 8847",
}
"""Where layout and contents were read; for Aliyun, BFSU, SUSTech and PyTorch's wheels at Nanjing University: settings
and scripts of public repositories."""

HELP = {
    "tuna": "https://mirrors.tuna.tsinghua.edu.cn/help/anaconda/",
    "aliyun": "https://developer.aliyun.com/mirror/anaconda",
    "ustc": "https://mirrors.ustc.edu.cn/help/anaconda.html",
    "bfsu": "https://mirrors.bfsu.edu.cn/help/anaconda/",
}
"""The operators' own pages, to look at where a server answers 404: not every one keeps every platform."""

_NVIDIA = "https://mirrors.sustech.edu.cn/anaconda-extra/cloud/nvidia"


_TORCH = "https://mirrors.nju.edu.cn/pytorch/whl"
"""The one with the layout of the original; Aliyun's has one flat page for each CUDA, Shanghai's may answer nothing."""
_HF = "https://hf-mirror.com"


def _mirror(name: str, root: str, pip: str) -> Mirror:
    channels = (
        ("defaults", f"{root}/pkgs/main"),
        ("defaults", f"{root}/pkgs/r"),
        ("main", f"{root}/pkgs/main"),
        ("r", f"{root}/pkgs/r"),
        ("pkgs/main", f"{root}/pkgs/main"),
        ("pkgs/r", f"{root}/pkgs/r"),
        ("conda-forge", f"{root}/cloud/conda-forge"),
        ("pytorch", f"{root}/cloud/pytorch"),
        ("nvidia", _NVIDIA),
    )
    return Mirror(
        name,
        installer=f"{root}/miniconda",
        channels=channels,
        pip=pip,
        torch=_TORCH,
        apt=root.removesuffix("/anaconda"),
        hf=_HF,
    )


_TUNA = ("https://mirrors.tuna.tsinghua.edu.cn/anaconda", "https://pypi.tuna.tsinghua.edu.cn/simple")

SHIPPED: dict[str, Mirror] = {
    one.name: one
    for one in (
        _mirror("china", *_TUNA),
        _mirror("tuna", *_TUNA),
        _mirror("aliyun", "https://mirrors.aliyun.com/anaconda", "https://mirrors.aliyun.com/pypi/simple"),
        _mirror("ustc", "https://mirrors.ustc.edu.cn/anaconda", "https://mirrors.ustc.edu.cn/pypi/web/simple"),
        _mirror("bfsu", "https://mirrors.bfsu.edu.cn/anaconda", "https://mirrors.bfsu.edu.cn/pypi/web/simple"),
    )
}
"""Profiles by name; `china` is the one to take where no other is wanted."""

AUTO = "auto"
"""Asks for the best of all profiles, as the host itself finds out."""

ORIGINAL = Mirror(
    "original",
    installer="https://repo.anaconda.com/miniconda",
    channels=(
        ("defaults", MAIN),
        ("defaults", R),
        ("main", MAIN),
        ("r", R),
        ("pkgs/main", MAIN),
        ("pkgs/r", R),
        ("conda-forge", f"{ALIAS}/conda-forge"),
        ("pytorch", f"{ALIAS}/pytorch"),
        ("nvidia", f"{ALIAS}/nvidia"),
    ),
    torch=TORCH,
)
"""What the mirrors are mirrors of; for pip, the index that pip takes by itself."""


def automatic(own: Iterable[Mirror]) -> Mirror:
    """Return the profile that stands for the best of the user's own, the shipped ones and the originals."""
    mine = tuple(own)
    names = {one.name for one in mine}
    # `china` is another name of one of them.
    shipped = (one for name, one in SHIPPED.items() if name not in {"china", *names})
    return Mirror(AUTO, candidates=(*mine, *shipped, ORIGINAL))
