"""What is installed against what was asked for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.builds import for_cpu
from provision.environment.readback import (
    CondaPackage,
    Listing,
    PipPackage,
    judge,
    judge_output,
    parse_listing,
)
from provision.model.plan import Severity

MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": "3.12.4",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_release": "6.1",
    "platform_system": "Linux",
    "platform_version": "#1",
    "python_full_version": "3.12.4",
    "python_version": "3.12",
    "sys_platform": "linux",
}
PYTHON = CondaPackage("python", "3.12.4", "h194c7f8_0_cpython", 0, "conda-forge", files=3)
NUMPY = CondaPackage("numpy", "1.26.4", "py312heda63a1_0", 0, "conda-forge", 5, 0, (), ("numpy",))
TORCH = CondaPackage("pytorch", "2.4.0", "cuda120_py312hd67eb4e_301", 301, "conda-forge")
PIP = PipPackage("pip", "24.2", "conda")
WHEEL = PipPackage("Flash.Attn", "2.6.3", "pip")
FULL = Listing((PYTHON, NUMPY, TORCH), (PIP, WHEEL), MARKERS)


def codes(specs: list[str], lines: list[str], listing: Listing = FULL, *, cuda: bool = False) -> list[str]:
    return [one.code for one in judge(specs, lines, listing, cuda_expected=cuda)]


def test_a_met_environment_has_no_findings() -> None:
    specs = ["python=3.12", "conda-forge::numpy >=1.26,<2", "pytorch=*=cuda*", "__cuda >=12"]
    assert codes(specs, ["flash_attn>=2.6", "# note", ""], cuda=True) == []


@pytest.mark.parametrize("spec", ["numpy=2", "numpi", "defaults::numpy", "pytorch=*=cpu*", "numpy[build_number='>0']"])
def test_an_unmet_dependency_names_what_is_there(spec: str) -> None:
    (finding,) = judge([spec], [], FULL, cuda_expected=False)
    assert (finding.code, finding.severity) == ("ENV-SPEC-UNMET", Severity.ERROR)
    assert repr(spec) in finding.message
    expected = "no package of that name" if spec == "numpi" else "there is "
    assert expected in finding.message


def test_a_dependency_that_says_nothing_is_a_finding_of_its_own() -> None:
    assert codes(["python==>3"], []) == ["ENV-SPEC-BAD"]


@pytest.mark.parametrize(
    "line",
    [
        "flash-attn",
        "FLASH.attn[extra] ~= 2.6.0",
        "flash-attn==2.6.3 --hash=sha256:abc",
        "flash-attn==2.6.3  # pinned",
        "flash-attn \\\n  >=2",
        "missing; python_version < '3.9'",
        "missing; platform_machine == 'x86_64'",
        "missing; extra == 'dev'",
        "--index-url https://host/simple",
        "-r more.txt",
        "-f https://host/wheels",
        "flash-attn @ https://host/flash_attn-2.6.3-cp312-cp312-linux_aarch64.whl",
        "https://host/flash_attn-2.6.3-cp312-cp312-linux_aarch64.whl",
        "git+https://host/flash.git#egg=flash-attn",
    ],
)
def test_a_line_of_the_pip_section_is_met(line: str) -> None:
    assert codes([], [line]) == []


@pytest.mark.parametrize(
    "line",
    [
        "flash-attn>=3",
        "flash-attn!=2.6.3",
        "absent",
        "absent; python_version >= '3.12'",
        "absent; platform_machine == 'aarch64'",
        "absent @ https://host/absent-1.tar.gz",
        "git+https://host/absent.git",
        "./packages/absent",
        "-e .",
    ],
)
def test_a_line_of_the_pip_section_is_not_met(line: str) -> None:
    assert codes([], [line]) == ["ENV-PIP-UNMET"]


@pytest.mark.parametrize(
    ("line", "origin"),
    [
        ("git+https://host/team/tool.git@v1", "https://host/team/tool.git"),
        ("git+ssh://git@host/team/tool", "ssh://git@host/team/tool"),
        ("./libs/tool", "file:///home/me/work/libs/tool"),
        ("-e ./libs/tool[dev]", "file:///home/me/work/libs/tool"),
        ("-e git+https://host/team/tool.git#subdirectory=x", "https://host/team/tool.git"),
        ("file:///opt/tool", "file:///opt/tool"),
        ("-e .", "file:///home/me/work"),
    ],
)
def test_a_line_without_a_name_is_met_by_where_a_package_came_from(line: str, origin: str) -> None:
    tool = PipPackage("tool", "1.0", "pip", origin)
    assert codes([], [line], replace(FULL, pip=(PIP, tool))) == []
    other = replace(tool, direct_url="https://elsewhere/other")
    assert codes([], [line], replace(FULL, pip=(PIP, other))) == ["ENV-PIP-UNMET"]


def test_a_prerelease_that_was_chosen_counts() -> None:
    listing = replace(FULL, pip=(PIP, PipPackage("tool", "2.0rc1", "pip")))
    assert codes([], ["tool>=1"], listing) == []


def test_a_line_that_pip_refuses_is_said_and_the_others_are_judged() -> None:
    assert codes([], ["two words", "absent"]) == ["ENV-PIP-BAD", "ENV-PIP-UNMET"]


def test_pip_lines_without_pip_or_python_are_an_error() -> None:
    assert codes([], ["flash-attn"], replace(FULL, pip=(WHEEL,))) == ["ENV-PIP-ABSENT"]
    assert codes([], ["# none", "-r x"], replace(FULL, pip=(WHEEL,))) == []
    empty = Listing((), (), None)
    assert codes([], ["flash-attn"], empty) == ["ENV-PIP-ABSENT", "ENV-PIP-UNMET"]


def test_missing_files_are_an_error_and_the_worst_is_named() -> None:
    broken = replace(NUMPY, missing=2, missing_examples=("lib/libx.so",))
    (finding,) = judge([], [], Listing((broken,), (), MARKERS), cuda_expected=False)
    assert (finding.code, finding.severity) == ("ENV-FILES-MISSING", Severity.ERROR)
    assert "numpy (2 of 5, lib/libx.so)" in finding.message


def test_files_that_pip_took_over_are_only_a_warning() -> None:
    broken = replace(NUMPY, missing=2)
    listing = Listing((broken,), (PipPackage("numpy", "2.1.0", "pip"),), MARKERS)
    (finding,) = judge([], [], listing, cuda_expected=False)
    assert (finding.code, finding.severity) == ("ENV-PIP-REPLACED", Severity.WARNING)


def test_files_that_nobody_looked_at_are_said() -> None:
    assert codes([], [], Listing((replace(NUMPY, missing=None),), (), MARKERS)) == ["ENV-FILES-UNSEEN"]


BUILDS = [
    ("pytorch", "cpu_generic_py312h4b0a4c5_1", True),
    ("pytorch", "cpu_mkl_py312h_100", True),
    ("pytorch", "cuda126_mkl_py312h30b5a27_300", False),
    ("pytorch", "py3.12_cpu_0", True),
    ("pytorch", "py3.12_cuda12.4_cudnn9.1.0_0", False),
    ("pytorch", "cpu_py312h1ff1a5c_0", True),
    ("pytorch", "gpu_cuda124py312h1ff1a5c_0", False),
    ("jaxlib", "cpu_py312h860c521_0", True),
    ("jaxlib", "cuda120py312h4008524_200", False),
    ("tensorflow", "mkl_py311h34a0fa1_0", True),
    ("tensorflow-base", "eigen_py311h1_0", True),
    ("tensorflow", "gpu_py311h_0", False),
    ("tensorflow", "cpu_py312h69ecde4_0", True),
    ("pytorch", "py312h_0", False),
    ("libtorch", "rocm_1", False),
]


@pytest.mark.parametrize(("name", "build", "cpu"), BUILDS)
def test_a_build_string_says_what_it_is_for(name: str, build: str, cpu: bool) -> None:
    assert for_cpu(name, build) is cpu
    package = CondaPackage(name, "1", build)
    assert codes([], [], Listing((package,), (), MARKERS), cuda=True) == (["ENV-CPU-BUILD"] if cpu else [])
    assert codes([], [], Listing((package,), (), MARKERS), cuda=False) == []


def test_a_cpu_wheel_is_found_too() -> None:
    listing = replace(FULL, pip=(PIP, PipPackage("torch", "2.4.0+cpu", "pip")))
    assert codes([], [], listing, cuda=True) == ["ENV-CPU-BUILD"]


@pytest.mark.parametrize("spec", ["pytorch=*=cpu*", "pytorch[build='*cpu*']", "cpuonly"])
def test_a_cpu_build_that_the_user_asked_for_is_a_warning(spec: str) -> None:
    package = CondaPackage("pytorch", "2.4.0", "cpu_generic_py312h_1")
    listing = Listing((package, CondaPackage("cpuonly", "2.0", "0")), (), MARKERS)
    (finding,) = judge([spec], [], listing, cuda_expected=True)
    assert (finding.code, finding.severity) == ("ENV-CPU-BUILD", Severity.WARNING)


@pytest.mark.parametrize("lines", [["torch==2.4.0+cpu"], ["--index-url https://download.pytorch.org/whl/cpu", "torch"]])
def test_a_cpu_wheel_that_the_user_asked_for_is_a_warning(lines: list[str]) -> None:
    listing = replace(FULL, pip=(PIP, PipPackage("torch", "2.4.0+cpu", "pip")))
    found = [one for one in judge([], lines, listing, cuda_expected=True) if one.code == "ENV-CPU-BUILD"]
    assert [one.severity for one in found] == [Severity.WARNING]
    assert "playbook: cpu" in (found[0].fix or "")


def test_a_cpu_wheel_is_replaced_by_the_same_version_of_an_index_beside_pypi() -> None:
    listing = replace(FULL, pip=(PIP, PipPackage("torch", "2.4.0+cpu", "pip")))
    (finding,) = judge([], [], listing, cuda_expected=True)
    assert finding.fix == (
        "write `torch==2.4.0+cu124` and `--extra-index-url https://download.pytorch.org/whl/cu124` in the pip section"
    )


def test_a_pinned_cuda_is_named_as_what_may_have_left_the_cpu_build_alone() -> None:
    listing = Listing(
        (CondaPackage("pytorch", "2.4.0", "cpu_py312h_1"), CondaPackage("cuda-version", "11.2", "h_2")), ()
    )
    found = judge(["pytorch", "cuda-version=11.2"], [], replace(listing, markers=MARKERS), cuda_expected=True)
    (finding,) = found
    assert (finding.code, finding.severity) == ("ENV-CPU-BUILD", Severity.ERROR)
    assert "perhaps `cuda-version=11.2` of environment.yml leaves no CUDA build" in finding.message
    assert "`pytorch=*=*cuda*`" in (finding.fix or "")


def printed(listing: Listing) -> bytes:
    records: list[dict[str, object]] = [
        {"kind": "prefix", "format": 1, "markers": None if listing.markers is None else dict(listing.markers)}
    ]
    fields = (
        "name",
        "version",
        "build",
        "build_number",
        "channel",
        "files",
        "missing",
        "missing_examples",
        "distributions",
    )
    records += [{"kind": "conda", **{key: getattr(one, key) for key in fields}} for one in listing.conda]
    more = ("name", "version", "installer", "direct_url", "editable", "commit")
    records += [{"kind": "pip", **{key: getattr(one, key) for key in more}} for one in listing.pip]
    records += [{"kind": "problem", "text": text} for text in listing.problems]
    records.append({"kind": "end", "conda": len(listing.conda), "pip": len(listing.pip)})
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


texts = st.text(max_size=20)
maybe = st.none() | texts
names = st.lists(texts, max_size=2).map(tuple)
conda_packages = st.builds(
    CondaPackage,
    texts,
    texts,
    texts,
    st.none() | st.integers(0, 9),
    maybe,
    st.integers(0, 9),
    st.none(),
    names,
    names,
)
pip_packages = st.builds(PipPackage, texts, texts, maybe, maybe, st.booleans(), maybe)
listings = st.builds(
    Listing,
    st.lists(conda_packages, max_size=4).map(tuple),
    st.lists(pip_packages, max_size=4).map(tuple),
    st.none() | st.just(MARKERS),
    names,
)


@given(listings)
def test_a_listing_is_read_as_it_was_printed(listing: Listing) -> None:
    assert parse_listing(printed(listing)) == listing


@given(listings, st.integers(0, 5000))
def test_a_listing_that_was_cut_off_is_never_taken_for_whole(listing: Listing, length: int) -> None:
    whole = printed(listing).rstrip()
    if length < len(whole):
        (finding,) = judge_output([], [], whole[:length], cuda_expected=False)
        assert (finding.code, finding.severity) == ("ENV-LISTING", Severity.ERROR)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_judgement(output: bytes) -> None:
    assert judge_output([], [], output, cuda_expected=False)[0].code == "ENV-LISTING"


@given(listings, st.lists(texts, max_size=3), st.lists(texts, max_size=3))
def test_any_listing_and_any_lines_give_a_judgement(listing: Listing, specs: list[str], lines: list[str]) -> None:
    for finding in judge(specs, lines, listing, cuda_expected=True):
        assert finding.code.startswith("ENV-")


def test_records_that_cannot_be_read_are_a_warning() -> None:
    listing = replace(FULL, problems=("numpy.json: ValueError",))
    (finding,) = judge([], [], listing, cuda_expected=False)
    assert (finding.code, finding.severity) == ("ENV-LISTING", Severity.WARNING)
