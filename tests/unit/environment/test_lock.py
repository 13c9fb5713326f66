"""Locks: what is written is read as it was, what is none is refused in one line, each host gets the right one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.environment.channels import folder_of, own_of, own_urls, served_from, shown
from provision.environment.lock import Lock, LockedPackage, LockedWheel, file_stem, fitting, parse_lock, render
from provision.environment.lock_change import changes
from provision.model.host import Mirror

FORGE = "https://conda.anaconda.org/conda-forge"
SHA = "0123456789abcdef" * 4

names = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5})?", fullmatch=True)
versions = st.from_regex(r"[1-9]?[0-9]\.[0-9]{1,2}(\.post1)?", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
channels = st.sampled_from([FORGE, "https://repo.anaconda.com/pkgs/main", "http://198.18.0.1:8080/own/channel"])


def package(name: str = "python", version: str = "3.11.9", build: str = "h0_0", sha256: str = SHA) -> LockedPackage:
    return LockedPackage(name, version, build, FORGE, "linux-64", f"{name}-{version}-{build}.conda", sha256)


@st.composite
def packages(draw: st.DrawFn) -> LockedPackage:
    name, version = draw(names), draw(versions)
    build = draw(st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True))
    suffix, subdir = draw(st.sampled_from([".conda", ".tar.bz2"])), draw(st.sampled_from(["noarch", "linux-64"]))
    return LockedPackage(
        name, version, build, draw(channels), subdir, f"{name}-{version}-{build}{suffix}", draw(digests)
    )


@st.composite
def wheels(draw: st.DrawFn) -> LockedWheel:
    name = draw(names)
    hashes = tuple(draw(st.lists(digests, min_size=1, max_size=3)))
    url = draw(st.sampled_from([None, f"https://files.example.org/packages/{name}.whl"]))
    direct = url is not None and draw(st.booleans())
    return LockedWheel(
        name, "" if direct else draw(versions), hashes, url, draw(st.sampled_from([None, 17])) if url else None
    )


def lock(*conda: LockedPackage, pip: tuple[LockedWheel, ...] = (), **more: str) -> Lock:
    said = {"platform": "linux-64", "cuda": "12.4", "glibc": "2.28", "archspec": "x86_64", **more}
    about = said["platform"], said["cuda"], said["glibc"], said["archspec"]
    return Lock("x.lock", SHA, *about, conda or (package(),), pip)


@given(
    st.lists(packages(), min_size=1, max_size=6),
    st.lists(wheels(), max_size=4),
    st.lists(st.sampled_from(["--extra-index-url https://a.example.org/simple", "--pre"]), max_size=2),
)
def test_what_is_written_is_read_as_it_was(
    conda: list[LockedPackage], pip: list[LockedWheel], options: list[str]
) -> None:
    made = Lock("e.lock", SHA, "linux-64", "12.4", "2.28", "x86_64_v3", tuple(conda), tuple(pip), tuple(options), 1234)
    text, requirements = render(made, "e")
    read = parse_lock(text, requirements, "e.lock")
    assert read.conda == made.conda
    assert read.pip == made.pip
    assert read.content == made.content
    assert (read.asked, read.cuda, read.glibc, read.archspec, read.size) == (SHA, "12.4", "2.28", "x86_64_v3", 1234)
    if pip:
        assert read.pip_options == made.pip_options
        assert read.requirements == made.requirements


def test_the_content_does_not_depend_on_where_packages_come_from() -> None:
    one = package()
    other = LockedPackage(one.name, one.version, one.build, "http://m/x", one.subdir, one.file_name, one.sha256)
    assert lock(one).content == lock(other).content
    assert lock(one).content != lock(package(sha256="f" * 64)).content


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace("@EXPLICIT\n", ""), "no '@EXPLICIT'"),
        (lambda text: text[: text.index("@EXPLICIT") + 10], "archives below it"),
        (lambda text: re.sub(r"#[0-9a-f]{64}", "", text), "with its sha256"),
        (lambda text: text.replace(SHA + "\n", SHA[:-1] + "\n"), "with its sha256"),
        (lambda text: text.replace("https://", "ftp://"), "not the address of an archive"),
        (lambda text: text.replace("linux-64/python", "../python"), "not the address of an archive"),
        (lambda text: re.sub(r"# cuda: .*\n", "", text), "do not say 'cuda:'"),
        (lambda text: re.sub(r"# pip: .*\n", "# pip: nothing\n", text), "another lock's"),
    ],
)
def test_what_is_no_lock_is_refused(edit: object, said: str) -> None:
    text, requirements = render(lock(package(), pip=(LockedWheel("a", "1.0", (SHA,)),)), "e")
    with pytest.raises(ValueError, match=re.escape(said)) as told:
        parse_lock(edit(text), requirements, "e.lock")  # type: ignore[operator]
    assert "\n" not in str(told.value)


def test_a_requirements_file_of_another_day_is_refused() -> None:
    text, _ = render(lock(package(), pip=(LockedWheel("a", "1.0", (SHA,)),)), "e")
    _, other = render(lock(package(), pip=(LockedWheel("a", "1.1", (SHA,)),)), "e")
    with pytest.raises(ValueError, match="another lock's"):
        parse_lock(text, other, "e.lock")
    with pytest.raises(ValueError, match="is missing"):
        parse_lock(text, None, "e.lock")
    with pytest.raises(ValueError, match="without a version and a hash"):
        parse_lock(text, "a==1.0\n", "e.lock")


def test_each_host_gets_the_lock_that_wants_most_of_what_it_has() -> None:
    cpu = lock(cuda="none")
    old, new = lock(cuda="11.8"), lock(cuda="12.4")
    young = lock(cuda="12.4", glibc="2.38")
    every = (cpu, old, new, young)
    assert fitting(every, "linux-64", "12.8", "2.35") is new
    assert fitting(every, "linux-64", "12.8", "2.39") is young
    assert fitting(every, "linux-64", "12.2", "2.35") is old
    assert fitting(every, "linux-64", "11.4", "2.35") is None
    assert fitting(every, "linux-64", "none", "2.35") is cpu
    assert fitting(every, "linux-aarch64", "none", "2.35") is None
    assert fitting((new,), "linux-64", "12.10", "2.100") is new, "versions are numbers, not text"


def test_the_files_are_named_by_platform_and_major_cuda() -> None:
    assert file_stem("environment", "linux-64", "12.4") == "environment.linux-64-cuda12"
    assert file_stem("environment.gpu", "linux-aarch64", "none") == "environment.gpu.linux-aarch64-cpu"


def test_changes_are_told_as_short_as_they_can_be_told_apart() -> None:
    before = lock(
        package("a", "1.0"),
        package("b", "1.0", "h0_0"),
        package("c"),
        package("same"),
        pip=(LockedWheel("p", "1", (SHA,)),),
    )
    after = lock(
        package("a", "1.1"),
        package("b", "1.0", "h1_1"),
        package("same", sha256="f" * 64),
        package("new"),
        pip=(LockedWheel("p", "2", (SHA,)),),
    )
    assert [one.line for one in changes(before, after)] == [
        "~ a 1.0 -> 1.1",
        "~ b 1.0 h0_0 -> 1.0 h1_1",
        "- c 3.11.9",
        "+ new 3.11.9",
        "~ same 3.11.9 (sha256 01234567) -> 3.11.9 (sha256 ffffffff)",
        "~ p 1 -> 2 (pip)",
    ]
    assert changes(after, after) == ()


def test_channels_have_addresses_of_their_own_and_mirrors_serve_them() -> None:
    assert own_urls("conda-forge") == (FORGE,)
    assert own_urls("defaults") == ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
    mirror = Mirror(
        "m", channels=(("defaults", "https://m/main"), ("defaults", "https://m/r"), ("conda-forge", "https://m/forge"))
    )
    assert served_from(FORGE, mirror) == ("https://m/forge", FORGE)
    assert served_from("https://repo.anaconda.com/pkgs/r", mirror) == (
        "https://m/r",
        "https://repo.anaconda.com/pkgs/r",
    )
    assert served_from("https://else.example.org/x", mirror) == ("https://else.example.org/x",)
    assert shown(FORGE) == "conda-forge"
    assert shown("https://repo.anaconda.com/pkgs/main") == "pkgs/main"


@given(channels | st.from_regex(r"https?://[a-z.:0-9]{1,12}/[ -~]{0,20}", fullmatch=True))
def test_a_channel_s_folder_on_a_host_leads_nowhere_else(url: str) -> None:
    folder = folder_of(url)
    assert re.fullmatch(r"[A-Za-z0-9._%-]+(/[A-Za-z0-9._%-]+)*", folder)
    assert not {".", ".."} & set(folder.split("/"))


def test_where_a_package_came_from_is_known_whoever_served_it() -> None:
    mirror = Mirror("m", channels=(("conda-forge", "https://m/forge"),))
    for address in (
        f"{FORGE}/noarch/a-1-0.conda",
        "https://m/forge/noarch/a-1-0.conda",
        f"file:///home/u/.provision/cache/channels/{folder_of(FORGE)}/noarch/a-1-0.conda",
    ):
        assert own_of(address, (FORGE,), mirror) == FORGE
    assert own_of("https://else.example.org/a-1-0.conda", (FORGE,), mirror) is None
