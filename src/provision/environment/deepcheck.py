"""The deep check of an environment: its own Python imports what the environment is for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from provision.environment.matchspec import parse
from provision.environment.requirement import requirements
from provision.model.plan import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STDLIB = {
    "_lzma": "xz",
    "_bz2": "bzip2",
    "_ssl": "openssl",
    "_ctypes": "libffi",
    "_sqlite3": "sqlite",
    "zlib": "zlib",
    "readline": "readline",
}
"""Modules of Python that need a system library, and the conda package that brings it."""

_LZMA = "add `xz` (on conda-forge also `liblzma`) to the dependencies"
_FORMAT = 1
NO_INTERPRETER = b"no interpreter: "
"""How python.sh says that there is nothing to run the check with."""
REFUSED = b"refused: "
"""How it says that others could exchange what it would run."""

CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"liblzma|_lzma",
        f"liblzma is missing or another one is found first: {_LZMA}, and unset LD_LIBRARY_PATH",
    ),
    (
        r"libcuda\.so",
        "the NVIDIA driver's library is not on this host: install the driver, or boot with the GPU",
    ),
    (
        r"libGL\.so|libEGL\.so",
        "use opencv-python-headless, or install the system package libgl1 (Debian, Ubuntu)",
    ),
    (
        r"GLIBCXX_\S+' not found|CXXABI_\S+' not found",
        "an old libstdc++ is found first: unset LD_LIBRARY_PATH",
    ),
    (
        r"GLIBC_[0-9.]+' not found",
        "the host's glibc is too old for this package: choose an older one or a newer system",
    ),
    (r"iJIT_NotifyEvent", "this PyTorch needs mkl older than 2024.1: add `mkl <2024.1` to the dependencies"),
    (
        r"compiled (using|against) .*NumPy 1|numpy\.core\.multiarray|_ARRAY_API",
        "built for NumPy 1: pin `numpy <2`",
    ),
    (
        r"lib(cudnn|cublas|cudart|nccl|nvJitLink)\S*|undefined symbol: (nccl|cud|cublas)",
        "two CUDA versions meet: unset LD_LIBRARY_PATH, install one of conda's and pip's CUDA packages",
    ),
    (r"static TLS block", "set LD_PRELOAD to the library that the message names, or import it first"),
    (r"SIGILL", "the package was built for a newer CPU: choose another build"),
    (r"SIGKILL", "the import was killed, most often for lack of memory"),
    (r"No module named", "a dependency is missing: add it to environment.yml"),
)
"""Known causes: a pattern of the error's text, and what to do."""


@dataclass(frozen=True, slots=True)
class ModuleReport:
    """How the import of one module went."""

    module: str
    package: str
    kind: str
    """``stdlib``, ``conda`` or ``pip``: where the package stands in the question."""
    ok: bool
    error: str | None = None
    seconds: float | None = None
    together: str | None = None
    """The error that came only when it was imported after the others."""


@dataclass(frozen=True, slots=True)
class DeepReport:
    """What the script found."""

    python: str
    prefix: str
    modules: tuple[ModuleReport, ...]
    unmapped: tuple[str, ...] = ()
    """Packages that bring no module to import, such as cuda-version."""
    seconds: float | None = None
    host_python: HostPython | None = None


@dataclass(frozen=True, slots=True)
class HostPython:
    """The python3 that a login on the host finds outside of the environment."""

    path: str
    version: str
    missing: tuple[str, ...]
    """Modules of the standard library that it lacks, of those that need a system library."""


def question(
    spec_dependencies: Sequence[str],
    pip_requirements: Sequence[str],
    *,
    timeout: float = 120.0,
    total: float = 900.0,
) -> bytes:
    """Return the script's stdin: the packages that environment.yml names, nothing of what they depend on.

    Args:
        spec_dependencies: The conda dependencies, as written.
        pip_requirements: The lines of the pip section.
        timeout: Seconds that one import may take.
        total: Seconds for all.
    """
    asked = {
        "stdlib": list(STDLIB),
        "conda": sorted(set(_conda_names(spec_dependencies))),
        "pip": sorted(set(_pip_names(pip_requirements))),
        "timeout": timeout,
        "total": total,
    }
    return json.dumps(asked, sort_keys=True).encode()


def _conda_names(dependencies: Sequence[str]) -> Iterator[str]:
    for text in dependencies:
        try:
            spec = parse(text)
        except ValueError:
            continue
        if not spec.virtual and spec.name != "python":
            yield spec.name


def asks_for_python(dependencies: Sequence[str]) -> bool:
    """Return whether one of the match specifications is for Python itself."""
    for text in dependencies:
        try:
            if parse(text).name == "python":
                return True
        except ValueError:
            continue
    return False


def _pip_names(lines: Sequence[str]) -> Iterator[str]:
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        try:
            for found in requirements([line]):
                if found.name is not None:
                    yield canonicalize_name(found.name)
        except ValueError:
            continue


def parse_report(output: bytes, nonce: str) -> DeepReport:
    """Return the report that follows the nonce.

    Raises:
        ValueError: There is none; the message is one line.
    """
    start = f"{nonce} ".encode()
    found = [line for line in output.splitlines() if line.startswith(start)]
    if not found:
        raise ValueError("the check ended without a report")
    try:
        answer: Any = json.loads(found[-1][len(start) :])
        if answer["format"] != _FORMAT:
            raise ValueError("the report has another format")
        modules = tuple(
            ModuleReport(
                module=str(one["module"]),
                package=str(one["package"]),
                kind=str(one["kind"]),
                ok=one["ok"] is True,
                error=_optional(one.get("error")),
                seconds=one.get("seconds"),
                together=_optional(one.get("together")),
            )
            for one in answer["modules"]
        )
        return DeepReport(
            python=str(answer["python"]),
            prefix=str(answer["prefix"]),
            modules=modules,
            unmapped=tuple(str(one) for one in answer.get("unmapped", ())),
            seconds=answer.get("seconds"),
            host_python=_host_python(answer.get("host_python")),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the report cannot be read: {error!r}") from error


def _host_python(value: Any) -> HostPython | None:
    if value is None:
        return None
    return HostPython(str(value["path"]), str(value["version"]), tuple(str(one) for one in value["missing"]))


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)


def judge_deep_check(
    output: bytes, nonce: str, dependencies: Sequence[str] = ("python",), pip: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Judge the script's output; one without a report is a finding too, ENV-DEEP-CHECK.

    An environment whose file asks neither for Python nor for pip's packages (R, compilers) may have no Python.
    """
    if output.startswith(NO_INTERPRETER) and not pip and not asks_for_python(dependencies):
        return (Finding("ENV-NO-PYTHON", Severity.INFO, "the environment has no Python: nothing was imported"),)
    if output.startswith(REFUSED):
        reason = output[len(REFUSED) :].decode("utf-8", "replace").partition("\n")[0]
        return (Finding("ENV-DEEP-CHECK", Severity.ERROR, f"the environment was not started: {reason}"),)
    try:
        return judge_report(parse_report(output, nonce))
    except ValueError as error:
        return (Finding("ENV-DEEP-CHECK", Severity.ERROR, f"the environment could not be checked: {error}"),)


def judge_report(report: DeepReport) -> tuple[Finding, ...]:
    """Return a finding for each module that does not import."""
    found = tuple(found for module in report.modules if (found := _judge(module)) is not None)
    return (*found, *_judge_host_python(report))


def _judge_host_python(report: DeepReport) -> Iterator[Finding]:
    host = report.host_python
    lacking = [one for one in host.missing if one in STDLIB] if host is not None else []
    broken = {one.module for one in report.modules if one.kind == "stdlib" and not one.ok}
    brought = [one for one in lacking if one not in broken]
    if host is not None and brought:
        yield Finding(
            "HOST-PYTHON-STDLIB",
            Severity.INFO,
            f"the host's own {_plain(host.path)} ({_plain(host.version)}) lacks {', '.join(brought)};"
            f" the environment's Python {_plain(report.python)} has {'it' if len(brought) == 1 else 'them'}",
            "run programs with the environment's Python: `conda activate` it first",
        )


def _judge(module: ModuleReport) -> Finding | None:
    if module.ok and module.together is None:
        return None
    if module.ok:
        return Finding(
            "ENV-IMPORT-TOGETHER",
            Severity.WARNING,
            f"{module.module} imports alone, and fails after the others: {_plain(module.together)}",
            "import it first, or keep it apart from the packages that it does not go with",
        )
    if module.kind == "stdlib":
        package = STDLIB.get(module.module, module.module)
        fix = _LZMA if module.module == "_lzma" else f"add `{package}` to the dependencies"
        return Finding(
            "ENV-STDLIB-MISSING",
            Severity.ERROR,
            f"Python's module {module.module} does not work: {_plain(module.error)}",
            f"{fix}; a Python that was built by hand must be built anew with that library's headers",
        )
    origin = module.package if module.package == module.module else f"{module.module} of {module.package}"
    return Finding(
        "ENV-IMPORT-FAILED",
        Severity.ERROR,
        f"{origin} does not import: {_plain(module.error)}",
        known_fix(module.error or ""),
    )


def known_fix(error: str) -> str | None:
    """Return what to do about the text of a failed import, where its cause is known."""
    return next((fix for pattern, fix in CAUSES if re.search(pattern, error)), None)


def _plain(text: str | None) -> str:
    return " ".join((text or "no reason was given").split())
