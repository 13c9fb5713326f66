"""What conda's and pip's failing output means: signature, what happened, what to do.

Exit codes tell nothing (1 for everything), so the texts are matched; they are those of conda 24.11 to 26.7 with the
libmamba, rattler and classic solvers, and of pip.
"""

from __future__ import annotations

import itertools
import re

_DISK = r"errno[: ]*28|No space left on device|Disk quota exceeded"

_SIGNATURES: tuple[tuple[str, str, str | None], ...] = (
    (_DISK, "the disk is full", "free some, or name a larger disk with `state_dir:` in hosts.yaml"),
    (
        r"CondaToSNonInteractiveError|Terms of Service have not been accepted",
        "the channels have Terms of Service that nobody accepted",
        "`accept_tos: true` in the playbook is your word that you accept them; channels such as conda-forge have none",
    ),
    (
        (
            r"PackagesNotFound\w*Error|ResolvePackageNotFound|nothing provides|does not exist \(perhaps a typo"
            r"|No candidates were found for"
        ),
        "a package that was asked for is in none of the channels",
        "check its name, its version and `channels:` in environment.yml",
    ),
    (
        r"Unsatisfiable|LibMambaUnsatisfiableError|are incompatible|Could not solve|Cannot solve the request",
        "the packages that were asked for do not fit together",
        "loosen a version in environment.yml; the log, or -v, has the solver's whole answer",
    ),
    (
        r"CondaHTTPError: HTTP 403|403 Client Error|HTTP 403",
        "a server refused (403): some mirrors refuse by network",
        "choose another `mirrors:` in hosts.yaml",
    ),
    (
        r"UnavailableInvalidChannel",
        "a channel does not exist (404)",
        "check `channels:` in environment.yml, and `mirrors:` in hosts.yaml",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate is not yet valid|certificate has expired|SSLError",
        "a server's certificate was not accepted",
        "is the host's clock right (`provision hosts` shows it)? A proxy may need its certificate in SSL_CERT_FILE",
    ),
    (
        (
            r"CondaHTTPError|ConnectionFailed|NewConnectionError|Connection refused|Could not resolve host"
            r"|Temporary failure in name"
        ),
        "a server could not be reached from the host",
        "does the host have a way out? `mirrors:` names nearer servers",
    ),
    (
        r"ChecksumMismatchError",
        "what a channel sent is not what it had promised",
        "a mirror is damaged or half synchronised: choose another one",
    ),
    (
        r"CondaVerificationError|CorruptedEnvironmentError|InvalidArchiveError",
        "the package cache on the host is damaged, also after it was cleaned",
        "remove the `pkgs` folder below the state folder on the host, and run again",
    ),
    (r"NoChannelsConfiguredError", "no channel is named", "add `channels: [conda-forge]` to environment.yml"),
    (
        r"No matching distribution found for ([^\n]*)",
        "pip finds no version of {0}",
        "check the name and version in the pip section; is there a wheel for this Python and platform?",
    ),
    (r"Killed|MemoryError|out of memory", "it was killed, most likely for want of memory", "use a machine with more"),
    (r"GLIBC_[0-9.]+' not found|requires GLIBC", "the host's glibc is too old", "use a newer image"),
)


def explain(output: str) -> tuple[str, str | None] | None:
    """Return what happened and what to do about it, or ``None`` where the output has no known signature."""
    for pattern, message, hint in _SIGNATURES:
        found = re.search(pattern, output, re.IGNORECASE)
        if found:
            named = found.group(1).strip() if found.groups() else ""
            text = message.format(named)
            last = "" if named else _telling(output, found.start())
            return (f"{text} ({last})" if last else text), hint
    return None


def _telling(output: str, at: int) -> str:
    """Return what names the cause: conda's last exception and its list, pip's last error, else the line at `at`."""
    printed = [line.strip() for line in output.splitlines()]
    for number in range(len(printed) - 1, -1, -1):
        text = printed[number]
        if re.match(r"[A-Za-z]*(Error|Exception|NotFound|Unsatisfiable\w*): ", text):
            return f"{text} {_continued(printed[number + 1 :])}".strip()[:300] if text.endswith(":") else text[:300]
    errors = [line.removeprefix("ERROR: ") for line in printed if line.startswith("ERROR: ")]
    if errors:
        return errors[-1][:300]
    start = output.rfind("\n", 0, at) + 1
    return output[start:].split("\n", 1)[0].strip()[:300]


def _continued(following: list[str]) -> str:
    """Return what an exception's text ends with a colon for: the list below it, or else the next line."""
    items = [
        one.removeprefix("- ")
        for one in itertools.takewhile(lambda one: not one or one.startswith("- "), following)
        if one
    ]
    return ", ".join(items) if items else next((one for one in following if one), "")
