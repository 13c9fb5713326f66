"""A Python that was built without a library is found by its files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from provision.venv.stdlib import NEEDED, base_python


def build(prefix: Path, *modules: str, binary: bytes = b"", lib: str = "lib") -> Path:
    """Make the files of an interpreter with those extension modules, and twenty others."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python3.11").write_bytes(binary)
    (prefix / "bin" / "python3").symlink_to("python3.11")
    dynload = prefix / lib / "python3.11" / "lib-dynload"
    dynload.mkdir(parents=True)
    for name in (*(f"_m{number}" for number in range(20)), *modules):
        (dynload / f"{name}.cpython-311-x86_64-linux-gnu.so").write_bytes(b"")
    return prefix / "bin"


@pytest.mark.parametrize("lib", ["lib", "lib64"])
def test_missing_modules_are_named(tmp_path: Path, lib: str) -> None:
    here = [one for one in NEEDED if one not in {"_lzma", "readline"}]
    base = base_python(build(tmp_path / "py", *here, lib=lib), "3.11")
    assert base is not None
    assert base.missing() == ("_lzma", "readline")


def test_a_module_inside_the_interpreter_is_not_missing(tmp_path: Path) -> None:
    here = [one for one in NEEDED if one not in {"_lzma", "zlib"}]
    base = base_python(build(tmp_path / "py", *here, binary=b"\x7fELF...\0zlib\0...xzlib_lzma"), "3.11")
    assert base is not None
    assert base.missing() == ("_lzma",)


def test_a_module_inside_the_library_of_the_interpreter_is_not_missing(tmp_path: Path) -> None:
    home = build(tmp_path / "py", *[one for one in NEEDED if one != "_ssl"])
    (tmp_path / "py" / "lib" / "libpython3.11.so.1.0").write_bytes(b"a\0_ssl\0b")
    base = base_python(home, "3.11")
    assert base is not None
    assert base.missing() == ()


def test_a_static_build_says_nothing(tmp_path: Path) -> None:
    home = build(tmp_path / "py")
    for path in (tmp_path / "py/lib/python3.11/lib-dynload").iterdir():
        path.unlink()
    base = base_python(home, "3.11")
    assert base is not None
    assert base.missing() == ()


def test_an_interpreter_that_is_gone_or_of_another_series_is_not_known(tmp_path: Path) -> None:
    assert base_python(tmp_path / "gone", "3.11") is None
    assert base_python(build(tmp_path / "py"), "3.12") is None


def test_what_is_said_of_this_interpreter_is_true() -> None:
    base = base_python(Path(sys.base_prefix) / "bin", f"3.{sys.version_info.minor}")
    if base is None:
        pytest.skip("this Python has no files of that layout")
    for name in base.missing():
        with pytest.raises(ImportError):
            __import__(name)
    for name in set(NEEDED) - set(base.missing()):
        __import__(name)
