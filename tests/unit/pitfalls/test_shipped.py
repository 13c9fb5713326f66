"""Every shipped pitfall is found in output that was really printed, and nothing else is found there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from provision.pitfalls import Pitfall, evidence, match, shipped
from tests.unit.docs.pages import REPOSITORY

_EVERY = [pytest.param(one, id=one.id) for one in shipped()]


@pytest.mark.parametrize("pitfall", _EVERY)
def test_a_sample_shows_its_pitfall_and_no_other(pitfall: Pitfall) -> None:
    assert pitfall.sample is not None
    assert [one.id for one in match(pitfall.sample, shipped())] == [pitfall.id]


@pytest.mark.parametrize("pitfall", _EVERY)
def test_a_pitfall_says_where_it_was_met_and_what_to_do(pitfall: Pitfall) -> None:
    assert pitfall.source
    assert evidence(pitfall.sample or "", pitfall)
    assert not pitfall.cause.endswith(".")
    assert all(one == one.strip() for one in pitfall.fix)


@pytest.mark.parametrize("pitfall", _EVERY)
def test_no_fix_switches_off_what_protects(pitfall: Pitfall) -> None:
    commands = " ".join(one for one in pitfall.fix if one.startswith("$ "))
    for bad in ("--trusted-host", "ssl_verify", "curl -k", "--break-system-packages", "chmod 777", "--no-gpg-check"):
        assert bad not in commands


def test_a_pitfall_stands_before_those_that_it_is_told_instead_of() -> None:
    order = [one.id for one in shipped()]
    for one in shipped():
        for below in one.before:
            assert order.index(one.id) < order.index(below), f"{one.id} before {below}"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("ERROR conda.core.link:_execute(1040): errno: 28", "disk-full"),
        ("[Errno 28] No space left on device: '/tmp/x'\nInvalidArchiveError('Error with archive /x')", "disk-full"),
        ("OSError: [Errno 122] Disk quota exceeded\nCorruptedEnvironmentError", "disk-quota"),
        ("CondaHTTPError: HTTP 403 Forbidden for url <https://mirror/x>", "net-mirror-403"),
        ("403 Client Error: Forbidden for url: https://mirror/x", "net-mirror-403"),
        ("LibMambaUnsatisfiableError\n  - nothing provides requested torch 99", "conda-package-missing"),
        ("UnsatisfiableError: The following", "conda-unsatisfiable"),
        ("CorruptedEnvironmentError: x", "conda-package-corrupt"),
        ("CondaHTTPError: HTTP 000 CONNECTION FAILED\nConnection refused", "conda-no-connection"),
        ("SSLError(SSLCertVerificationError(1, 'certificate is not yet valid", "net-certificate-clock"),
        ("WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.'", "net-proxy"),
        ("ImportError: libcudnn.so.9: cannot open shared object file: No such file", "cuda-library-missing"),
        ("libstdc++.so.6: version `CXXABI_1.3.15' not found (required by x)", "host-libstdcxx"),
        ("ImportError: liblzma\nModuleNotFoundError: No module named '_lzma'", "host-python-lzma"),
        ("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", "apt-interrupted"),
        ("curl: (6) Could not resolve host: conda.anaconda.org", "net-name-resolution"),
        ("MemoryError", "host-out-of-memory"),
        ("PermissionError: [Errno 13] Permission denied: '/opt/conda/pkgs/urls.txt'", "conda-not-writable"),
        ("ImportError: cannot allocate memory in static TLS block", "host-static-tls"),
        ("RuntimeError: numpy.core.multiarray failed to import", "torch-numpy-2"),
        ("NCCL WARN Call to posix_fallocate failed : No space left on device\nncclSystemError", "nccl-shared-memory"),
        (
            "that require a different python version: 1\n(from versions: none)\nNo matching distribution found for x",
            "pip-python-excludes-all",
        ),
    ],
)
def test_what_conda_pip_and_the_loader_say_is_told_as_its_real_cause_alone(output: str, expected: str) -> None:
    assert [one.id for one in match(output, shipped())] == [expected]


def test_the_torch_that_a_script_lacks_is_not_the_torch_that_a_build_lacks() -> None:
    alone = "ModuleNotFoundError: No module named 'torch'"
    assert match(alone, shipped()) == ()
    assert [one.id for one in match(f"build backend returned\n{alone}", shipped())] == ["torch-build-isolation"]


def test_ordinary_output_shows_no_pitfall() -> None:
    quiet = (
        "Collecting package metadata (repodata.json): done\nSolving environment: done\n"
        "Successfully installed numpy-2.1.0 torch-2.5.1\nReading package lists... Done\n"
        "0 upgraded, 0 newly installed, 0 to remove and 3 not upgraded.\nEpoch 3: loss 0.42, 1300 img/s\n"
    )
    assert match(quiet, shipped()) == ()


def test_nothing_is_read_before_something_failed() -> None:
    program = (
        "import sys, provision.pitfalls as p\n"
        "print('yaml' in sys.modules, 'provision.pitfalls.schema' in sys.modules, p.shipped.cache_info().currsize)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "src")},
    )
    assert done.stdout.split() == ["False", "False", "0"]
