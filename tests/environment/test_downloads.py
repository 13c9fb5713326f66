"""Downloads on hosts over TLS: each tool, what it trusts, follows, resumes and gives up."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from provision.remote.command import script_text
from provision.remote.sources import source
from tests.environment.net import CACHE, CONTENT, NOWHERE, SHA, TOOLS, Net, kept, make
from tests.lab.authority import Authority
from tests.lab.webserver import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab

HALF = len(CONTENT) // 2


@pytest.fixture(scope="module")
def wide(site: Site) -> Net:
    return make(site)


@pytest.fixture
def net(wide: Net) -> Iterator[Net]:
    yield wide
    wide.wipe()


@pytest.fixture(params=TOOLS)
def host(request: pytest.FixtureRequest, net: Net) -> LabHost:
    """A host of each tool."""
    return net.host(request.param)


def fetch(host: LabHost, *urls: str, sha256: str | None = SHA, patience: int | None = None) -> CompletedProcess[str]:
    """Run the script of the download as the host's user; `patience` makes its 30 s shorter."""
    text = source("fetch.sh")
    if patience is not None:
        assert "\nPATIENCE=30 " in text
        text = text.replace("\nPATIENCE=30 ", f"\nPATIENCE={patience} ")
    return host.run(["sh", "-c", script_text(text, (CACHE, "file", sha256 or "", *urls))], user="ubuntu")


def has(host: LabHost, content: bytes) -> None:
    """Exactly this content is in the cache, under its checksum."""
    digest = hashlib.sha256(content).hexdigest()
    assert kept(host) == [digest]
    assert host.run(f"sha256sum {CACHE}/{digest}").stdout.split()[0] == digest


def leave_part(host: LabHost, content: bytes) -> None:
    """Leave what an earlier run began."""
    host.run(["mkdir", "-p", CACHE], user="ubuntu", check=True)
    (host.root / CACHE.lstrip("/") / "file.part").write_bytes(content)
    host.run(["chown", "ubuntu", f"{CACHE}/file.part"], check=True)


def test_a_trusted_server_is_believed(net: Net, host: LabHost) -> None:
    done = fetch(host, f"{net.web.url}/file")
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-2:] == [f"taken from {net.web.url}/file", f"sha256 {SHA}"]
    has(host, CONTENT)


@pytest.mark.parametrize("why", ["another authority", "another name"])
def test_a_server_whose_certificate_does_not_fit_is_refused_at_once(net: Net, host: LabHost, why: str) -> None:
    if why == "another name":
        server = net.serve(net.authority, "198.18.255.254")
    else:
        path = net.site.folder / f"other-{host.name}"
        server = net.serve(Authority.make(path))
    done = fetch(host, f"{server.url}/file")
    assert done.returncode == 69, done
    (reason,) = [one for one in done.stdout.splitlines() if one.startswith(f"not from {server.url}/file: ")]
    assert "certificate" in reason.lower(), done
    assert "attempt" not in done.stdout
    assert server.requests.total() == 0
    assert kept(host) == []


@pytest.mark.parametrize(
    ("tool", "pinned"), [("curl", True), ("curl", False), ("wget", True), ("python3", True), ("python3", False)]
)
def test_a_redirect_from_https_to_http_is_refused(net: Net, tool: str, pinned: bool) -> None:
    host = net.host(tool)
    (net.site.web.folder / "file").write_bytes(CONTENT)
    net.web.fault("/moved", Fault(location=f"{net.site.web.url}/file"))
    done = fetch(host, f"{net.web.url}/moved", sha256=SHA if pinned else None)
    assert done.returncode == 69, done
    assert f"not from {net.web.url}/moved: it redirects to an address that is not https" in done.stdout.splitlines()
    assert kept(host) == []
    assert net.web.requests["/moved"] == 1


def test_a_redirect_by_way_of_http_is_refused_too(net: Net, host: LabHost) -> None:
    net.web.fault("/moved", Fault(location=f"{net.site.web.url}/back"))
    net.site.web.fault("/back", Fault(location=f"{net.web.url}/file"))
    done = fetch(host, f"{net.web.url}/moved")
    assert done.returncode == 69, done
    assert kept(host) == []


def test_a_redirect_from_https_to_https_is_followed(net: Net, host: LabHost) -> None:
    other = net.serve(net.authority)
    net.web.fault("/moved", Fault(location=f"{other.url}/file"))
    done = fetch(host, f"{net.web.url}/moved")
    assert done.returncode == 0, done
    has(host, CONTENT)


def test_wget_is_not_asked_without_a_checksum(net: Net) -> None:
    done = fetch(net.host("wget"), f"{net.web.url}/file", sha256=None)
    assert done.returncode == 69, done
    assert "no curl, wget or python3" in done.stdout
    assert net.web.requests.total() == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(Fault(status=404), "404", id="404"),
        pytest.param(Fault(status=403), "403", id="403"),
        pytest.param(Fault(body=b"<html>log in</html>"), "wrong content", id="another page"),
        pytest.param(Fault(flip_at=HALF), "wrong content", id="a byte flipped"),
        pytest.param(None, "refused", id="nobody listens"),
    ],
)
def test_the_second_address_serves_and_the_reason_against_the_first_is_told(
    net: Net, host: LabHost, fault: Fault | None, reason: str
) -> None:
    first = NOWHERE
    if fault is not None:
        first = f"{net.web.url}/moved"
        (net.folder / "moved").write_bytes(CONTENT)
        net.web.fault("/moved", fault)
    done = fetch(host, first, f"{net.web.url}/file")
    assert done.returncode == 0, done
    told_of = [one for one in done.stdout.splitlines() if one.startswith(("not from", "wrong content from"))]
    assert len(told_of) == 1, done
    assert first in told_of[0]
    assert reason in told_of[0] or "connect" in told_of[0], done
    assert f"taken from {net.web.url}/file" in done.stdout
    assert net.web.requests["/moved"] == (fault is not None)
    has(host, CONTENT)


def test_a_server_that_is_busy_for_a_moment_is_asked_again(net: Net, host: LabHost) -> None:
    leave_part(host, CONTENT[:HALF])
    net.web.fault("/file", Fault(status=503, times=1))
    done = fetch(host, f"{net.web.url}/file")
    assert done.returncode == 0, done
    assert "503" in done.stdout
    assert net.web.ranges == [f"bytes={HALF}-"] * 2
    has(host, CONTENT)


def test_a_refusal_leaves_what_an_earlier_run_began_for_the_next_address(net: Net, host: LabHost) -> None:
    leave_part(host, CONTENT[:HALF])
    net.web.fault("/moved", Fault(status=403))
    assert fetch(host, f"{net.web.url}/moved", f"{net.web.url}/file").returncode == 0
    assert net.web.ranges == [f"bytes={HALF}-"] * 2


@pytest.mark.parametrize("ranges", [True, False], ids=["resumes", "answers 200 to a range"])
def test_a_transfer_that_is_cut_comes_to_its_end(net: Net, host: LabHost, ranges: bool) -> None:
    net.web.fault("/file", Fault(truncate_at=HALF, ranges=ranges, times=1))
    if not ranges:
        net.web.fault("/file", Fault(ranges=False))
        leave_part(host, CONTENT[:HALF])
    done = fetch(host, f"{net.web.url}/file")
    assert done.returncode == 0, done
    assert net.web.ranges == [f"bytes={HALF}-"]
    has(host, CONTENT)


def test_a_whole_file_that_was_not_put_in_place_yet_is_not_sent_again(net: Net, host: LabHost) -> None:
    leave_part(host, CONTENT)
    done = fetch(host, f"{net.web.url}/file")
    assert done.returncode == 0, done
    assert net.web.ranges == [f"bytes={len(CONTENT)}-"]
    assert net.web.requests["/file"] == 1
    has(host, CONTENT)


def test_a_file_longer_than_the_whole_is_replaced(net: Net, host: LabHost) -> None:
    leave_part(host, CONTENT + b"more")
    done = fetch(host, f"{net.web.url}/file")
    assert done.returncode == 0, done
    has(host, CONTENT)


def test_a_server_that_always_cuts_is_left_after_three_attempts_and_resumed_by_the_next_run(
    net: Net, host: LabHost
) -> None:
    net.web.fault("/file", Fault(truncate_at=1000))
    done = fetch(host, f"{net.web.url}/file")
    assert done.returncode == 69, done
    assert net.web.ranges == ["bytes=1000-", "bytes=2000-"]
    assert kept(host) == ["file.part"]
    net.web.heal()
    assert fetch(host, f"{net.web.url}/file").returncode == 0
    assert net.web.ranges[2:] == ["bytes=3000-"]
    has(host, CONTENT)


@pytest.mark.parametrize("tool", ["curl", "python3"])
def test_without_a_checksum_nothing_is_put_together_from_two_servers(net: Net, tool: str) -> None:
    host = net.host(tool)
    (net.folder / "moved").write_bytes(b"X" * len(CONTENT))
    net.web.fault("/moved", Fault(truncate_at=HALF))
    done = fetch(host, f"{net.web.url}/moved", f"{net.web.url}/file", sha256=None)
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-1] == f"sha256 {SHA}"
    assert net.web.ranges == []
    has(host, CONTENT)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(stall_at=1000), id="stalls for ever"),
        pytest.param(Fault(stall_at=0), id="never begins", marks=pytest.mark.soak),
        pytest.param(Fault(drip=0.05), id="drips", marks=pytest.mark.soak),
    ],
)
def test_a_server_that_hardly_sends_is_given_up_and_resumed(net: Net, host: LabHost, fault: Fault) -> None:
    net.web.fault("/file", fault)
    done = fetch(host, f"{net.web.url}/file", patience=2)
    assert done.returncode == 69, done
    (reason,) = [one for one in done.stdout.splitlines() if one.startswith("not from")]
    assert "bytes" in reason, done
    assert net.web.requests["/file"] == 3
    net.web.heal()
    done = fetch(host, f"{net.web.url}/file")
    assert done.returncode == 0, done
    assert host.processes() == []
    has(host, CONTENT)


def test_a_server_that_begins_anew_and_stalls_does_not_hold_up_the_resumed_transfer(net: Net, host: LabHost) -> None:
    leave_part(host, CONTENT[:HALF])
    net.web.fault("/file", Fault(stall_at=1000, ranges=False, times=1))
    done = fetch(host, f"{net.web.url}/file", patience=2)
    assert done.returncode == 0, done
    assert net.web.ranges[0] == f"bytes={HALF}-"
    assert net.web.requests["/file"] == 2
    has(host, CONTENT)


def test_a_server_that_hardly_sends_is_passed_over_for_the_next(net: Net, host: LabHost) -> None:
    (net.folder / "moved").write_bytes(CONTENT)
    net.web.fault("/moved", Fault(drip=0.05))
    done = fetch(host, f"{net.web.url}/moved", f"{net.web.url}/file", patience=2)
    assert done.returncode == 0, done
    has(host, CONTENT)


def test_servers_are_asked_all_at_once_and_each_answer_is_told(net: Net, host: LabHost) -> None:
    slow, refusing = net.serve(net.authority), net.serve(net.authority)
    slow.fault("/file", Fault(drip=0.5))
    refusing.fault("/file", Fault(status=403))
    unranged = net.serve(net.authority)
    unranged.fault("/file", Fault(ranges=False))
    urls = [f"{one.url}/file" for one in (net.web, slow, refusing, unranged)] + [NOWHERE, f"{net.web.url}/absent"]
    words = [word for number, url in enumerate(urls) for word in (str(number), url)]
    done = host.run(["sh", "-c", script_text(source("probe_mirrors.sh"), ("2", "65536", *words))], user="ubuntu")
    assert done.returncode == 0, done
    told = {line.split("\t")[0]: line.split("\t")[1:] for line in done.stdout.splitlines()}
    assert sorted(told) == ["0", "1", "2", "3", "4", "5"], done
    assert [told[one][:1] for one in "012345"] == [["206"], [told["1"][0]], ["403"], ["200"], ["0"], ["404"]]
    assert [told[one][1] for one in "03"] == ["65536", "65536"]
    assert 0 < int(told["1"][1]) < 100
    assert 1900 <= int(told["1"][2]) < 6000
    assert told["4"][3]
    assert host.run("ls -d /tmp/tmp.*").returncode != 0, "nothing is left behind"
