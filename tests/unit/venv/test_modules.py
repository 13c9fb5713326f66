"""Which distribution brings a module, by metadata alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provision.venv.modules import read_modules
from tests.unit.venv.made import MARKERS

if TYPE_CHECKING:
    from tests.unit.venv.made import MadeVenv


def test_packages_modules_and_extensions_are_found_in_the_record(venv: MadeVenv) -> None:
    record = (
        "yaml/__init__.py _yaml.cpython-311-x86_64-linux-gnu.so six.py ../../../bin/tool PyYAML-6.dist-info/METADATA"
    )
    venv.add("PyYAML", "6", record=record)
    found = read_modules(venv.path, MARKERS)
    assert set(found.brings) == {"yaml", "_yaml", "six"}
    assert found.brought_by("yaml") == ("pyyaml",)


def test_top_level_txt_names_modules_too(venv: MadeVenv) -> None:
    (venv.add("pillow", "11") / "top_level.txt").write_text("PIL\nnot a name\n")
    assert read_modules(venv.path, MARKERS).brought_by("PIL") == ("pillow",)


def test_a_module_that_nothing_here_brings_is_known_by_name(venv: MadeVenv) -> None:
    found = read_modules(venv.path, MARKERS)
    assert found.brought_by("cv2")[0] == "opencv-python"
    assert found.brought_by("sklearn") == ("scikit-learn",)
    assert found.brought_by("flash_attn") == ("flash-attn",)


def test_what_a_distribution_needs_is_followed_to_the_end(venv: MadeVenv) -> None:
    venv.add("a", "1", needs=("B_b>=1", "only-windows; sys_platform == 'win32'", "for-extra; extra == 'x'"))
    venv.add("b-b", "1", needs=("c", "a", "not a requirement", "d; unheard_of == '1'"))
    found = read_modules(venv.path, MARKERS)
    assert found.needed_by(["a"]) == {"a", "b-b", "c"}


def test_devices_pipes_and_giants_are_not_opened(venv: MadeVenv) -> None:
    info = venv.add("a", "1")
    (info / "RECORD").unlink()
    os.mkfifo(info / "RECORD")
    (info / "METADATA").unlink()
    (info / "METADATA").symlink_to("/dev/zero")
    assert read_modules(venv.path, MARKERS).brings == {}


def test_a_folder_that_is_no_venv_brings_nothing(venv: MadeVenv) -> None:
    assert read_modules(venv.path / "bin", None).brings == {}
