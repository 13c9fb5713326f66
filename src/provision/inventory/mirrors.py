"""Mirror profiles that are shipped, with the texts they were read from.

Every server keeps the layout of the original: ``miniconda/`` for installers, ``pkgs/`` for the channels that
``defaults`` stands for, ``cloud/`` for the others. NVIDIA's channel has a server and a root of its own.
"""

from __future__ import annotations

from provision.model.host import Mirror

SOURCES = {
    "layout": "github.com/mirrorz-org/mirrorz-help contents/anaconda.mdx @ 15d2b1757fe5",
    "nvidia": "github.com/mirrorz-org/mirrorz-help contents/anaconda-extra.mdx @ c6a53061558c",
    "tuna": "github.com/tuna/tunasync-scripts anaconda.py @ 04697b8f6c93",
    "ustc": "github.com/ustclug/mirrorhelp source/pypi.rst @ 020770cb7f39",
}
"""Where layout and contents were read; for Aliyun, BFSU and SUSTech: .condarc files of public repositories."""

HELP = {
    "tuna": "https://mirrors.tuna.tsinghua.edu.cn/help/anaconda/",
    "aliyun": "https://developer.aliyun.com/mirror/anaconda",
    "ustc": "https://mirrors.ustc.edu.cn/help/anaconda.html",
    "bfsu": "https://mirrors.bfsu.edu.cn/help/anaconda/",
}
"""The operators' own pages, to look at where a server answers 404: not every one keeps every platform."""

_NVIDIA = "https://mirrors.sustech.edu.cn/anaconda-extra/cloud/nvidia"


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
    return Mirror(name, installer=f"{root}/miniconda", channels=channels, pip=pip)


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
