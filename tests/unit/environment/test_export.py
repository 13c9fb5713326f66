"""What a host's environment comes to as an environment.yml: wishes, what was changed by hand, channels, variables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provision.environment.export import Built, export
from provision.environment.export_channels import ChannelNames
from provision.environment.export_file import Export, Locked, Pin
from provision.environment.listing import CondaPackage, Listing, PipPackage

FORGE = "https://conda.anaconda.org/conda-forge"
TUNA = "https://mirrors.tuna.tsinghua.edu.cn/anaconda"


def conda(name: str, version: str = "1.0", build: str = "h1_0", **more: Any) -> CondaPackage:
    url = more.pop("url", f"{FORGE}/linux-64/{name}-{version}-{build}.conda")
    return CondaPackage(name, version, build, url=url, **more)


PYTHON = conda("python", "3.11.4", asked=("python=3.11",))
PIP = conda("pip", "24.0", "pyhd_0", distributions=("pip",))
PIPS_OWN = PipPackage("pip", "24.0", "conda")
MARKERS = {"python_version": "3.11", "sys_platform": "linux", "platform_machine": "x86_64"}
ASKED: dict[str, Any] = {"channels": ["conda-forge"], "dependencies": ["python=3.11", "pip"], "pip": []}


def listing(*conda_packages: CondaPackage, pip: tuple[PipPackage, ...] = ()) -> Listing:
    return Listing((PYTHON, PIP, *conda_packages), (PIPS_OWN, *pip), MARKERS)


def texts(found: Export) -> list[str]:
    return [one.text for one in found.dependencies]


def pips(found: Export) -> list[str]:
    return [one.text for one in found.pip]


def test_what_was_asked_for_is_said_in_the_same_words_and_what_nobody_asked_for_is_not_named() -> None:
    found = export(Built("mymodel", listing(conda("openssl", "3.2")), ASKED), Pin.ASKED)
    assert texts(found) == ["python=3.11", "pip"]
    assert [one.text for one in found.channels] == ["conda-forge"]
    assert found.notes == ()


def test_what_was_installed_by_hand_is_added_at_its_version_and_told() -> None:
    there = listing(
        conda("numpy", "2.0.1", asked=("numpy",)),
        pip=(PipPackage("rich", "13.7", "pip", requested=True), PipPackage("mdurl", "0.1", "pip")),
    )
    found = export(Built("mymodel", there, ASKED), Pin.ASKED)
    assert texts(found) == ["python=3.11", "pip", "numpy==2.0.1"]
    assert pips(found) == ["rich==13.7"]
    assert found.notes == (
        "numpy 2.0.1 was installed there by hand: added",
        "pip: rich==13.7 was installed there by hand: added",
    )


def test_a_wish_that_is_not_met_any_more_becomes_what_is_there_and_one_that_is_gone_is_left_out() -> None:
    asked = {**ASKED, "dependencies": ["python=3.11", "pip", "numpy<2", "scipy"], "pip": ["rich>=13", "tqdm"]}
    there = listing(conda("numpy", "2.0.1"), pip=(PipPackage("rich", "12.6", "pip", requested=True),))
    found = export(Built("mymodel", there, asked), Pin.ASKED)
    assert texts(found) == ["python=3.11", "pip", "numpy==2.0.1"]
    assert pips(found) == ["rich==12.6"]
    assert [one.asked for one in found.dependencies] == ["python=3.11", "pip", "numpy<2"]
    assert len(found.notes) == 4


def test_every_package_is_named_at_its_version_or_its_build_those_asked_for_first() -> None:
    asked = {**ASKED, "dependencies": ["python=3.11", "numpy>=1,<3", "numpy!=2.1", "pip"], "pip": ["rich[jupyter]>=13"]}
    there = listing(
        conda("openssl", "3.2", "h9"),
        conda("numpy", "2.0.1", "py311_0"),
        pip=(PipPackage("rich", "13.7", "pip", requested=True), PipPackage("mdurl", "0.1", "pip")),
    )
    version = export(Built("mymodel", there, asked), Pin.VERSION)
    assert texts(version) == ["python==3.11.4", "numpy==2.0.1", "pip==24.0", "openssl==3.2"]
    assert pips(version) == ["rich[jupyter]==13.7", "mdurl==0.1"]
    build = export(Built("mymodel", there, asked), Pin.BUILD)
    assert texts(build) == ["python=3.11.4=h1_0", "numpy=2.0.1=py311_0", "pip=24.0=pyhd_0", "openssl=3.2=h9"]


def test_a_channel_that_a_wish_names_stays_with_its_package_and_a_virtual_package_stays_a_wish() -> None:
    asked = {**ASKED, "dependencies": ["__cuda>=12", "nvidia::cuda-nvcc=12.4"]}
    there = listing(conda("cuda-nvcc", "12.4.131", url="https://conda.anaconda.org/nvidia/linux-64/x.conda"))
    found = export(Built("mymodel", there, asked), Pin.VERSION)
    assert texts(found)[:2] == ["__cuda>=12", "nvidia::cuda-nvcc==12.4.131"]


def test_the_lines_of_options_stay_before_what_they_are_for() -> None:
    asked = {**ASKED, "pip": ["--extra-index-url https://download.pytorch.org/whl/cu124", "torch==2.6.0+cu124"]}
    there = listing(pip=(PipPackage("torch", "2.6.0+cu124", "pip", requested=True),))
    for pin in Pin:
        assert pips(export(Built("mymodel", there, asked), pin)) == asked["pip"]


def test_options_without_anything_to_install_are_no_pip_section() -> None:
    asked = {**ASKED, "pip": ["--pre", "rich"]}
    assert pips(export(Built("mymodel", listing(), asked), Pin.ASKED)) == []


def test_a_line_for_another_platform_stays() -> None:
    asked = {**ASKED, "pip": ["pywin32 ; sys_platform == 'win32'", "rich"]}
    there = listing(pip=(PipPackage("rich", "13.7", "pip", requested=True),))
    assert pips(export(Built("mymodel", there, asked), Pin.VERSION)) == [asked["pip"][0], "rich==13.7"]


def test_what_conda_brought_is_not_pips_unless_pip_replaced_it() -> None:
    brought = conda("numpy", "2.0.1", distributions=("numpy",))
    same = listing(brought, pip=(PipPackage("numpy", "2.0.1", "pip", requested=True),))
    assert pips(export(Built("mymodel", same, ASKED), Pin.VERSION)) == []
    other = listing(brought, pip=(PipPackage("numpy", "1.26.4", "pip", requested=True),))
    assert pips(export(Built("mymodel", other, ASKED), Pin.ASKED)) == ["numpy==1.26.4"]
    torch = conda("pytorch", "2.6.0", distributions=("torch",), files=10, missing=8)
    lost = listing(torch, pip=(PipPackage("torch", "2.7.0", "pip", requested=True),))
    assert pips(export(Built("mymodel", lost, ASKED), Pin.ASKED)) == ["torch==2.7.0"]


def test_a_line_that_a_package_of_conda_meets_stays_as_it_is() -> None:
    asked = {**ASKED, "pip": ["numpy>=2"]}
    there = listing(
        conda("numpy", "2.0.1", asked=("numpy",), distributions=("numpy",)),
        pip=(PipPackage("numpy", "2.0.1", "conda"),),
    )
    assert pips(export(Built("mymodel", there, asked), Pin.VERSION)) == ["numpy>=2"]


@pytest.mark.parametrize(
    ("package", "line", "said"),
    [
        (PipPackage("mine", "1.0", "pip", "file:///home/u/mine", editable=True), None, "editable"),
        (PipPackage("mine", "1.0", "pip", "file:///home/u/mine-1.0-py3-none-any.whl"), None, "a file of the host"),
        (
            PipPackage("mine", "1.0", "pip", "https://github.com/me/mine.git", commit="0123abc" * 5),
            f"mine @ git+https://github.com/me/mine.git@{'0123abc' * 5}",
            "by hand",
        ),
        (
            PipPackage("mine", "1.0", "pip", "https://example.com/mine-1.0-py3-none-any.whl"),
            "mine @ https://example.com/mine-1.0-py3-none-any.whl",
            "by hand",
        ),
        (
            PipPackage("mine", "1.0", "pip", "https://me:hunter2@example.com/mine-1.0.tar.gz"),
            "mine @ https://example.com/mine-1.0.tar.gz",
            "login",
        ),
        (PipPackage("mine", "1.0-odd_version", "pip"), "mine===1.0-odd_version", "by hand"),
    ],
)
def test_what_came_from_no_index_keeps_its_address_or_is_told_and_left_out(
    package: PipPackage, line: str | None, said: str
) -> None:
    found = export(Built("mymodel", listing(pip=(replace(package, requested=True),)), ASKED), Pin.ASKED)
    assert pips(found) == ([line] if line else [])
    assert any(said in note for note in found.notes)
    assert not any("hunter2" in text for text in (*found.notes, *pips(found)))


def test_hashes_are_for_all_lines_or_for_none() -> None:
    line = f"rich==13.7 --hash=sha256:{'0' * 64}"
    asked = {**ASKED, "pip": ["--require-hashes", line]}
    rich = PipPackage("rich", "13.7", "pip", requested=True)
    assert pips(export(Built("mymodel", listing(pip=(rich,)), asked), Pin.VERSION)) == asked["pip"]
    more = PipPackage("tqdm", "4.66", "pip", requested=True)
    found = export(Built("mymodel", listing(pip=(rich, more)), asked), Pin.ASKED)
    assert pips(found) == ["rich==13.7", "tqdm==4.66"]
    assert any("hash" in note for note in found.notes)


# -- channels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"{FORGE}/noarch/a-1-0.conda", "conda-forge"),
        ("https://conda.anaconda.org/t/tk-1234-abc/mine/linux-64/a-1-0.conda", "mine"),
        ("https://repo.anaconda.com/pkgs/main/linux-64/a-1-0.conda", "defaults"),
        (f"{TUNA}/cloud/conda-forge/linux-64/a-1-0.conda", "conda-forge"),
        (f"{TUNA}/pkgs/r/linux-64/a-1-0.conda", "defaults"),
        ("https://me:hunter2@conda.example.com/team/linux-64/a-1-0.conda", "https://conda.example.com/team"),
    ],
)
def test_a_package_tells_its_real_channel_whatever_served_it(url: str, name: str) -> None:
    names = ChannelNames((("conda-forge", f"{TUNA}/cloud/conda-forge"), ("r", f"{TUNA}/pkgs/r")))
    package = conda("alone", url=url, asked=("alone",))
    found = export(Built("mymodel", Listing((package,)), None, names=names), Pin.ASKED)
    assert [one.text for one in found.channels] == [name]
    assert not any("hunter2" in note or "tk-1234" in note for note in found.notes)


def test_channels_keep_the_order_that_was_asked_for_and_those_in_use_besides_follow() -> None:
    asked = {**ASKED, "channels": ["pytorch", f"{TUNA}/cloud/conda-forge"]}
    names = ChannelNames((("conda-forge", f"{TUNA}/cloud/conda-forge"),))
    nvidia = conda("cuda-nvcc", url="https://conda.anaconda.org/nvidia/linux-64/a.conda")
    found = export(Built("mymodel", listing(nvidia), asked, names=names), Pin.ASKED)
    assert [one.text for one in found.channels] == ["pytorch", "conda-forge", "nvidia"]


def test_a_host_without_internet_has_its_packages_from_a_folder_and_the_channels_that_were_asked_for() -> None:
    local = conda("a", url="file:///home/u/.provision/channels/conda-forge/linux-64/a-1-0.conda", sha256="5" * 64)
    found = export(Built("mymodel", Listing((local,)), {**ASKED, "dependencies": ["a"]}), Pin.ASKED)
    assert [one.text for one in found.channels] == ["conda-forge"]
    other = ChannelNames(originals={"5" * 64: "https://conda.anaconda.org/nvidia/linux-64/a-1-0.conda"})
    alone = replace(local, asked=("a",), url="file:///srv/elsewhere/linux-64/a-1-0.conda")
    assert [one.text for one in export(Built("m", Listing((alone,)), names=other), Pin.ASKED).channels] == ["nvidia"]
    unknown = export(Built("m", Listing((alone,))), Pin.ASKED)
    assert any("folder of the host" in note for note in unknown.notes)


# -- environments of others ----------------------------------------------------------------------


def test_an_environment_that_is_no_build_of_ours_tells_by_itself_what_was_asked_for() -> None:
    there = Listing(
        (
            PYTHON,
            PIP,
            conda("numpy", "2.0.1", asked=("numpy", "conda-forge::numpy=2")),
            conda("scipy", "1.14", asked=("scipy<1.14",)),
            conda("openssl", "3.2", asked=("conda-forge/linux-64::openssl==3.2=h1_0",)),
        ),
        (PIPS_OWN, PipPackage("rich", "13.7", "pip", requested=True)),
        MARKERS,
    )
    found = export(Built("mine", there), Pin.ASKED)
    assert texts(found) == ["python=3.11", "conda-forge::numpy=2", "scipy==1.14", "pip==24.0"]
    assert pips(found) == ["rich==13.7"]


def test_where_nobodys_wish_is_recorded_every_package_is_named() -> None:
    there = Listing((conda("a", "1"), conda("b", "2")))
    assert texts(export(Built("mine", there), Pin.ASKED)) == ["a==1", "b==2"]


def test_what_a_lock_brought_is_nobodys_wish_unless_its_version_is_another_one_now() -> None:
    there = listing(
        conda("openssl", "3.2", asked=("openssl==3.2=h1_0",)),
        conda("zlib", "1.3", asked=("zlib",)),
        conda("numpy", "2.0.1", asked=("numpy",)),
        pip=(PipPackage("rich", "13.7", "pip", requested=True), PipPackage("tqdm", "4.66", "pip", requested=True)),
    )
    locked = Locked({"zlib": "1.3", "openssl": "3.2", "numpy": "1.26"}, {"rich": "13.7"})
    found = export(Built("mymodel", there, ASKED, locked=locked), Pin.ASKED)
    assert texts(found) == ["python=3.11", "pip", "numpy==2.0.1"]
    assert pips(found) == ["tqdm==4.66"]


def test_without_the_lock_of_a_build_nothing_of_pip_is_taken_for_a_wish_and_that_is_told() -> None:
    there = listing(pip=(PipPackage("rich", "13.7", "pip", requested=True),))
    found = export(Built("mymodel", there, ASKED, locked=Locked(unknown=True)), Pin.ASKED)
    assert pips(found) == []
    assert any("lock" in note for note in found.notes)
    assert pips(export(Built("mymodel", there, ASKED, locked=Locked(unknown=True)), Pin.VERSION)) == ["rich==13.7"]


# -- what a host may claim -----------------------------------------------------------------------


def test_names_that_would_be_options_or_lines_of_their_own_are_left_out_and_told() -> None:
    there = listing(
        conda("evil\n  - worse"),
        conda("--file", asked=("--file",)),
        pip=(
            PipPackage("--index-url https://evil.example.com/ x", "1", "pip", requested=True),
            PipPackage("mine", "1", "pip", "https://example.com/a b --index-url https://evil", requested=True),
        ),
    )
    found = export(Built("mymodel", there, {**ASKED, "pip": [7, "a\u202eb"]}), Pin.VERSION)
    assert not any("evil" in text or "--" in text for text in (*texts(found), *pips(found)))
    assert len(found.notes) == 6


# -- variables -----------------------------------------------------------------------------------


def test_variables_come_along_but_for_secrets_and_what_steers_programs() -> None:
    variables = {
        "OMP_NUM_THREADS": "8",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_TOKEN": "abc",
        "PROXY": "http://me:hunter2@proxy:3128",
        "ODD": "hf_" + "aB3dE6gH9" * 4,
        "LD_PRELOAD": "/x.so",
        "GONE": "***unset***",
        "LINES": "a\nb",
    }
    found = export(Built("mymodel", listing(), ASKED, variables), Pin.ASKED)
    assert found.variables == (("OMP_NUM_THREADS", "8"), ("TOKENIZERS_PARALLELISM", "false"))
    assert found.withheld == ("HF_TOKEN", "ODD", "PROXY")
    assert not any("hunter2" in note for note in found.notes)
