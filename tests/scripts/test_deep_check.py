"""deep_check.py with real Pythons: what imports, what fails, what crashes, what hangs, what is noisy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.deepcheck import (
    STDLIB,
    DeepReport,
    judge_deep_check,
    judge_report,
    known_fix,
    parse_report,
    question,
)
from provision.model.plan import Severity
from provision.remote.sources import source

SCRIPT = source("deep_check.py")
NONCE = "c0ffee"


def pythons() -> list[str]:
    folder = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    return [sys.executable, *(str(one) for one in sorted(folder.glob("3.*/bin/python")))]


def checked(python: str | Path, asked: bytes) -> tuple[DeepReport, subprocess.CompletedProcess[bytes]]:
    command = [str(python), "-I", "-c", SCRIPT, NONCE]
    done = subprocess.run(command, input=asked, capture_output=True, check=True, timeout=60)
    return parse_report(done.stdout, NONCE), done


def ask(
    *,
    stdlib: list[str] | None = None,
    conda: list[str] | None = None,
    pip: list[str] | None = None,
    timeout: float = 20,
    total: float = 50,
) -> bytes:
    asked = {
        "stdlib": stdlib or [],
        "conda": conda or [],
        "pip": pip or [],
        "timeout": timeout,
        "total": total,
    }
    return json.dumps(asked).encode()


class Environment:
    """A real venv whose site-packages is filled by hand."""

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-m", "venv", "--without-pip", str(root)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        self.root = root
        self.python = root / "bin" / "python"
        (self.site,) = root.glob("lib/python3*/site-packages")

    def pip(self, name: str, files: dict[str, str], extra: dict[str, str] | None = None) -> None:
        folder = f"{name.replace('-', '_')}-1.0.dist-info"
        rows = "".join(f"{path},sha256=x,1\n" for path in files) + f"{folder}/RECORD,,\n"
        listed = {f"{folder}/METADATA": f"Name: {name}\nVersion: 1.0\n", f"{folder}/RECORD": rows}
        self.write({**files, **listed, **{f"{folder}/{key}": text for key, text in (extra or {}).items()}})

    def conda(self, name: str, files: dict[str, str], depends: list[str] | None = None) -> None:
        meta = self.root / "conda-meta"
        meta.mkdir(exist_ok=True)
        inside = str(self.site.relative_to(self.root))
        content = {"name": name, "files": [f"{inside}/{path}" for path in files], "depends": depends or []}
        (meta / f"{name}-1.0-py_0.json").write_text(json.dumps(content))
        self.write(files)

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            (self.site / path).parent.mkdir(parents=True, exist_ok=True)
            (self.site / path).write_text(text)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "env")


@pytest.mark.parametrize("python", pythons())
def test_the_modules_that_need_libraries_import_with_every_python_here(python: str) -> None:
    report, _ = checked(python, question([], []))
    assert {one.module for one in report.modules} == set(STDLIB)
    version = subprocess.run([python, "-V"], capture_output=True, check=True, timeout=20).stdout.decode()
    assert version.split()[1] == report.python
    missing = {one.module for one in report.modules if not one.ok}
    for name in STDLIB:
        there = subprocess.run([python, "-I", "-c", f"import {name}"], capture_output=True, check=False, timeout=20)
        assert (there.returncode != 0) == (name in missing)


def test_a_python_without_lzma_is_found_out_with_its_cure(environment: Environment) -> None:
    # A venv cannot lose a module of its Python, so the module of a broken one stands in front.
    environment.write({"_broken.pth": "import sys; sys.modules['_lzma'] = None\n"})
    report, _ = checked(environment.python, question([], []))
    (finding,) = judge_report(report)
    assert (finding.code, finding.severity) == ("ENV-STDLIB-MISSING", Severity.ERROR)
    assert "_lzma" in finding.message
    assert finding.fix is not None
    assert "liblzma" in finding.fix


def test_noise_on_stdout_and_stderr_never_reaches_the_report(environment: Environment) -> None:
    noise = (
        "import os, sys\n"
        f"print('{NONCE} {{}}')\n"
        f"os.write(1, b'{NONCE} {{}} no newline')\n"
        "sys.stderr.write('warning')\n"
        "os.write(2, b'x' * 300000)\n"
    )
    environment.pip("noisy", {"noisy/__init__.py": noise})
    report, done = checked(environment.python, ask(pip=["noisy"]))
    assert [(one.module, one.ok) for one in report.modules] == [("noisy", True)]
    assert done.stdout.count(NONCE.encode()) == 1


def test_a_failed_import_is_named_and_the_others_still_import(environment: Environment) -> None:
    environment.pip("good", {"good/__init__.py": ""})
    environment.pip("bad", {"bad/__init__.py": "raise ImportError('libGL.so.1: cannot open shared object file')"})
    environment.pip("worse", {"worse/__init__.py": "import sys; sys.exit(3)"})
    report, done = checked(environment.python, ask(pip=["bad", "good", "worse"]))
    assert [(one.module, one.ok) for one in report.modules] == [
        ("bad", False),
        ("good", True),
        ("worse", False),
    ]
    findings = judge_deep_check(done.stdout, NONCE)
    assert [one.code for one in findings] == ["ENV-IMPORT-FAILED", "ENV-IMPORT-FAILED"]
    assert findings[0].fix is not None
    assert "libgl1" in findings[0].fix
    assert "SystemExit: 3" in findings[1].message


def test_a_crash_is_pinned_on_its_module(environment: Environment) -> None:
    environment.pip(
        "crashes",
        {"crashes/__init__.py": "import os; os.write(2, b'Illegal thing'); os.kill(os.getpid(), 11)"},
    )
    environment.pip("leaves", {"leaves/__init__.py": "import os; os._exit(7)"})
    environment.pip("zgood", {"zgood/__init__.py": ""})
    report, _ = checked(environment.python, ask(pip=["crashes", "leaves", "zgood"]))
    errors = {one.module: one.error for one in report.modules}
    assert errors["zgood"] is None
    assert "SIGSEGV: Illegal thing" in str(errors["crashes"])
    assert "exit code 7" in str(errors["leaves"])


def test_a_hanging_import_ends_at_its_limit_with_its_children(environment: Environment, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    hang = (
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        f"open({str(marker)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(300)\n"
    )
    environment.pip("hangs", {"hangs/__init__.py": hang})
    environment.pip("zgood", {"zgood/__init__.py": ""})
    began = time.monotonic()
    report, _ = checked(environment.python, ask(pip=["hangs", "zgood"], timeout=1.5))
    assert time.monotonic() - began < 20
    assert [(one.module, one.ok) for one in report.modules] == [("hangs", False), ("zgood", True)]
    assert report.modules[0].error == "it took more than 1.5 s"
    pid = int(marker.read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the import's own process outlived it")


def test_all_imports_share_one_budget(environment: Environment) -> None:
    for name in ("one", "two", "zoo"):
        environment.pip(name, {f"{name}/__init__.py": "import time; time.sleep(60)"})
    began = time.monotonic()
    report, _ = checked(environment.python, ask(pip=["one", "two", "zoo"], timeout=30, total=1))
    assert time.monotonic() - began < 15
    assert [one.error for one in report.modules] == ["no time was left for it"] * 3


def test_modules_that_only_clash_with_each_other_are_a_warning(environment: Environment) -> None:
    environment.pip("first", {"first/__init__.py": ""})
    clash = "import sys\nif 'first' in sys.modules: raise RuntimeError('two OpenMP runtimes')\n"
    environment.pip("second", {"second/__init__.py": clash})
    report, _ = checked(environment.python, ask(pip=["first", "second"]))
    (finding,) = judge_report(report)
    assert (finding.code, finding.severity) == ("ENV-IMPORT-TOGETHER", Severity.WARNING)
    assert "two OpenMP runtimes" in finding.message


def test_packages_are_mapped_to_their_modules(environment: Environment) -> None:
    empty = ""
    environment.pip(
        "scikit-thing",
        {"skthing/__init__.py": empty, "skthing/sub/__init__.py": empty, "tests/__init__.py": "1/0"},
    )
    environment.pip("six-like", {"six_like.py": empty, "pylab.py": "1/0", "other/__init__.py": empty})
    environment.pip("space", {"google/cloud/space/__init__.py": empty, "google/cloud/space/v1/__init__.py": "1/0"})
    environment.pip(
        "fast",
        {
            "fast.cpython-312-x86_64-linux-gnu.so.txt": empty,
            "fast/__init__.py": empty,
            "_fast/__init__.py": "1/0",
        },
    )
    environment.pip("editable-tool", {"_editable.pth": empty}, {"top_level.txt": "edit_tool\n"})
    environment.write({"edit_tool.py": empty})
    environment.pip("nothing", {"../../../bin/nothing": empty})
    environment.conda("pytorch", {"torch/__init__.py": empty, "torchgen/__init__.py": empty})
    environment.conda("tensorflow", {}, ["tensorflow-base 2.0 x", "python"])
    environment.conda("tensorflow-base", {"tensorflow/__init__.py": empty})
    environment.conda("cuda-version", {})
    pip = ["scikit_thing", "six-like", "space", "fast", "editable.tool", "nothing", "not-installed"]
    report, _ = checked(environment.python, ask(conda=["pytorch", "tensorflow", "cuda-version"], pip=pip))
    assert judge_report(report) == ()
    found = {(one.package, one.module) for one in report.modules}
    assert found == {
        ("scikit_thing", "skthing"),
        ("six-like", "six_like"),
        ("six-like", "other"),
        ("space", "google.cloud.space"),
        ("fast", "fast"),
        ("editable.tool", "edit_tool"),
        ("pytorch", "torch"),
        ("pytorch", "torchgen"),
        ("tensorflow", "tensorflow"),
    }
    assert report.unmapped == ("cuda-version", "nothing", "not-installed")


def test_the_question_names_the_packages_of_the_spec_only() -> None:
    asked = json.loads(
        question(["python=3.12", "conda-forge::Torch>=2", "__cuda", "bad==>"], ["-r x", "Flash.Attn>=2", "# no"])
    )
    assert (asked["conda"], asked["pip"]) == (["torch"], ["flash-attn"])
    assert asked["stdlib"] == list(STDLIB)


def test_an_output_without_report_is_a_finding() -> None:
    for output in (
        b"",
        b"c0ffee",
        b"other {}",
        b"c0ffee {",
        b"c0ffee {}",
        b'c0ffee {"format": 2}',
        b"c0ffee 1",
    ):
        (finding,) = judge_deep_check(output, NONCE)
        assert (finding.code, finding.severity) == ("ENV-DEEP-CHECK", Severity.ERROR)


@given(st.binary(max_size=80))
def test_any_report_is_judged(output: bytes) -> None:
    assert judge_deep_check(b"c0ffee " + output, NONCE)[0].code == "ENV-DEEP-CHECK"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("ImportError: libcuda.so.1: cannot open shared object file", "driver"),
        ("ImportError: /lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found", "libstdc++"),
        ("ImportError: /lib/libc.so.6: version `GLIBC_2.34' not found", "glibc"),
        ("ImportError: undefined symbol: iJIT_NotifyEvent", "mkl"),
        ("ImportError: numpy.core.multiarray failed to import", "numpy <2"),
        ("ModuleNotFoundError: No module named 'x'", "dependency"),
        ("ModuleNotFoundError: No module named '_lzma'", "liblzma"),
        ("the interpreter was killed by SIGILL", "CPU"),
    ],
)
def test_known_causes_have_a_cure(error: str, word: str) -> None:
    assert word in (known_fix(error) or "")


def test_an_unknown_cause_has_none() -> None:
    assert known_fix("RuntimeError: something else") is None
