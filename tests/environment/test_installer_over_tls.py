"""`up` brings the installer over TLS and from mirrors: pinned at first use, fetched once, never led off https."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.environment.net import CONTENT, NAMED, NOWHERE, ORIGINAL, PREFIX, TOOLS, VERSION, Net, kept, make
from tests.environment.site import told
from tests.lab.authority import Authority
from tests.lab.webserver import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.laptop import Answer, Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def wide(site: Site) -> Net:
    return make(site)


@pytest.fixture
def net(wide: Net) -> Iterator[Net]:
    yield wide
    wide.wipe()


def trusting(net: Net, laptop: Laptop) -> None:
    """Let the user's machine trust the authority too."""
    laptop.env["SSL_CERT_FILE"] = str(net.authority.path)


def ask(net: Net, laptop: Laptop, path: str = f"/{NAMED}", *, sha256: str | None = None) -> None:
    """Ask for an installer by https."""
    laptop.playbook(miniconda={"installer": f"{net.web.url}{path}", "sha256": sha256})


def mirrored(net: Net, laptop: Laptop, *hosts: LabHost, mirror: str | None = None) -> None:
    """Ask for a version by a mirror, with the publisher's server behind it."""
    laptop.hosts(hosts)
    path = laptop.project / "hosts.yaml"
    inventory = json.loads(path.read_text())
    inventory["mirrors"] = {"near": {"installer": mirror or net.web.url}}
    for one in inventory["hosts"].values():
        one["mirrors"] = "near"
    path.write_text(json.dumps(inventory))
    laptop.playbook(miniconda={"installer": None, "sha256": None, "version": VERSION})


def pins(laptop: Laptop) -> Path:
    return laptop.project / "playbooks/installers.pinned.json"


def refused(answer: Answer, host: LabHost, *words: str) -> None:
    """The run failed with these words on one line, and nothing was installed or kept."""
    assert answer.code == 4, answer
    message = told(answer, host.name)["error"]["message"]
    assert "\n" not in message
    for word in words:
        assert word in message, answer
    assert host.run(f"test -e {PREFIX}").returncode == 1
    assert kept(host) == []


def test_an_unknown_version_is_pinned_at_first_use_over_tls_and_a_changed_one_is_refused(
    net: Net, laptop: Laptop
) -> None:
    first, second = net.host("curl"), net.host("python3")
    sha256 = laptop.installer.sha256
    laptop.hosts([first])
    ask(net, laptop)
    plan = laptop.type("plan")
    assert f"pin and download {NAMED}" in plan.out, plan
    assert not pins(laptop).exists()
    done = laptop.type("up")
    assert done.code == 0, done
    assert f"{NAMED} is pinned from now on: sha256 {sha256}" in done.out + done.err
    assert json.loads(pins(laptop).read_text()) == {NAMED: sha256}

    laptop.hosts([second])
    plan = laptop.type("plan")
    assert f"pin and download {NAMED}" not in plan.out, plan
    changed = CONTENT
    net.web.fault(f"/{NAMED}", Fault(body=changed))
    refused(laptop.type("up", "--json"), second, sha256, hashlib.sha256(changed).hexdigest())
    assert json.loads(pins(laptop).read_text()) == {NAMED: sha256}
    net.web.heal()
    again = laptop.type("up")
    assert again.code == 0, again
    assert "pinned from now on" not in again.out + again.err


def test_an_unknown_version_from_a_server_that_is_not_trusted_is_refused_and_not_pinned(
    net: Net, laptop: Laptop
) -> None:
    host = net.host("curl")
    laptop.hosts([host])
    strange = net.serve(Authority.make(net.site.folder / "strange"))
    laptop.playbook(miniconda={"installer": f"{strange.url}/{NAMED}", "sha256": None})
    refused(laptop.type("up", "--json"), host, strange.url, "CERTIFICATE_VERIFY_FAILED")
    assert not pins(laptop).exists()
    assert strange.requests.total() == 0


@pytest.mark.parametrize("tool", TOOLS)
def test_an_unknown_version_that_a_redirect_leads_away_from_https_is_refused_and_not_pinned(
    net: Net, laptop: Laptop, tool: str
) -> None:
    trusting(net, laptop)
    host = net.host(tool)
    laptop.hosts([host])
    ask(net, laptop, "/moved")
    plain = f"{net.site.web.url}/{laptop.installer.path.name}"
    net.web.fault("/moved", Fault(location=plain))
    refused(laptop.type("up", "--json"), host, f"it redirects to {plain}, which is not https")
    assert not pins(laptop).exists()
    assert net.site.web.requests.total() == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(Fault(status=404), "404", id="404"),
        pytest.param(Fault(body=CONTENT), "wrong content", id="another content"),
        pytest.param(None, "connect", id="nobody listens"),
    ],
)
def test_up_takes_the_original_where_the_mirror_fails_and_says_so(
    net: Net, laptop: Laptop, fault: Fault | None, reason: str
) -> None:
    host = net.host("curl")
    mirror = net.web.url if fault else NOWHERE.removesuffix("/file")
    mirrored(net, laptop, host, mirror=mirror)
    pins(laptop).write_text(json.dumps({NAMED: laptop.installer.sha256}))
    if fault is not None:
        net.web.fault(f"/{NAMED}", fault)
    done = laptop.type("up")
    assert done.code == 0, done
    said = " ".join((done.out + done.err).split())
    assert f"{NAMED} came from https://{ORIGINAL}/miniconda/{NAMED}" in said, done
    assert f"from {mirror}/{NAMED}: " in said, done
    assert reason in said, done
    assert net.original.requests[f"/miniconda/{NAMED}"] == 1


@pytest.mark.parametrize("pinned", [True, False])
def test_hosts_without_a_way_out_get_one_download_of_ours_over_tls(net: Net, laptop: Laptop, pinned: bool) -> None:
    trusting(net, laptop)
    hosts = [net.host("none", number=1), net.host("none", number=2)]
    laptop.hosts(hosts)
    ask(net, laptop, sha256=laptop.installer.sha256 if pinned else None)
    answer = laptop.type("up", "all", "--json")
    assert answer.code == 0, answer
    assert net.web.requests[f"/{NAMED}"] == 1
    for host in hosts:
        assert told(answer, host.name)["outcome"] == "changed"
        assert laptop.installer.sha256 in kept(host)
    assert pins(laptop).exists() is not pinned


def test_a_download_of_ours_that_is_cut_is_resumed(net: Net, laptop: Laptop) -> None:
    trusting(net, laptop)
    host = net.host("none")
    laptop.hosts([host])
    ask(net, laptop, sha256=laptop.installer.sha256)
    half = laptop.installer.path.stat().st_size // 2
    net.web.fault(f"/{NAMED}", Fault(truncate_at=half, times=1))
    answer = laptop.type("up", "--json")
    assert answer.code == 0, answer
    assert net.web.ranges == [f"bytes={half}-"]


@pytest.mark.soak
def test_up_gives_up_a_mirror_that_drips_for_ever_and_takes_the_original(net: Net, laptop: Laptop) -> None:
    mirrored(net, laptop, net.host("curl"))
    pins(laptop).write_text(json.dumps({NAMED: laptop.installer.sha256}))
    net.web.fault(f"/{NAMED}", Fault(drip=1.0))
    done = laptop.type("up", timeout=240)
    assert done.code == 0, done
    said = " ".join((done.out + done.err).split())
    assert f"{NAMED} came from https://{ORIGINAL}/miniconda/{NAMED}" in said, done
    assert "2048 bytes" in said, done
