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
        "loosen a version in environment.yml; the lines before say which ones conflict",
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
            last = _telling(output)
            text = message.format(named)
            return (f"{text} ({last})" if last and not named else text), hint
    return None


def _telling(output: str) -> str:
    """Return the line that names what it is about, without conda's decoration."""
    printed = output.splitlines()
    for number in range(len(printed) - 1, -1, -1):
        text = printed[number].strip()
        if re.match(r"[A-Za-z]*(Error|Exception|NotFound|Unsatisfiable\w*): ", text):
            listed = itertools.takewhile(
                lambda one: not one or one.startswith("- "), map(str.strip, printed[number + 1 :])
            )
            items = [one.removeprefix("- ") for one in listed if one]
            return f"{text} {', '.join(items)}"[:200] if text.endswith(":") and items else text[:200]
    lines = [one.strip() for one in output.splitlines() if re.match(r"\s*-\s+\S", one)]
    return lines[-1][:200] if lines else ""
