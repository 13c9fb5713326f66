"""ssh_config aliases: asked of the ssh client itself, or read by ourselves where there is none."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shlex
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.inventory.alias import AliasValues
from provision.ssh.known_hosts import glob_matches

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_ADDRESS = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:%-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,252}")
_STATEMENT = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(\S.*)")
_SECONDS = 5.0
_MAX_CONFIG = 1 << 20
_MAX_DEPTH = 16

_HONOURED = frozenset(
    (  # noqa: SIM905 (words read better than a line for each)
        "host hostname user port identityfile proxyjump proxycommand hostkeyalias userknownhostsfile identitiesonly"
    ).split()
)
# These change how ssh speaks to a person, multiplexes or keeps a connection alive: none touches what we do.
_WITHOUT_EFFECT = frozenset(
    (  # noqa: SIM905 (likewise)
        "addkeystoagent batchmode canonicalizefallbacklocal checkhostip connectionattempts connecttimeout "
        "controlmaster controlpath controlpersist enableescapecommandline escapechar exitonforwardfailure "
        "fingerprinthash forkafterauthentication gssapiauthentication gssapidelegatecredentials "
        "gssapikeyexchange hashknownhosts ipqos kbdinteractiveauthentication loglevel logverbose "
        "numberofpasswordprompts obscurekeystroketiming rekeylimit requesttty sendenv serveralivecountmax "
        "serveraliveinterval stdinnull syslogfacility tcpkeepalive updatehostkeys visualhostkey "
        "warnweakcrypto xauthlocation"
    ).split()
)
_SPELLING = {
    name.lower(): name
    for name in (  # noqa: SIM905 (likewise)
        "AddressFamily BindAddress BindInterface CanonicalizeHostname CASignatureAlgorithms CertificateFile "
        "Ciphers Compression DynamicForward ForwardAgent ForwardX11 GlobalKnownHostsFile "
        "HostbasedAuthentication HostKeyAlgorithms IdentityAgent KexAlgorithms KnownHostsCommand "
        "LocalCommand LocalForward MACs PasswordAuthentication PermitLocalCommand PKCS11Provider "
        "PreferredAuthentications PubkeyAcceptedAlgorithms PubkeyAuthentication RemoteCommand RemoteForward "
        "RequiredRSASize RevokedHostKeys SecurityKeyProvider SessionType SetEnv StrictHostKeyChecking "
        "VerifyHostKeyDNS"
    ).split()
}


def check_name(name: str) -> str:
    """Return a name that is safe to hand to ssh.

    Raises:
        UsageError: It has other characters than letters, digits, ``.``, ``_`` and ``-``, or begins badly.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a name that ssh can be asked about",
            hint="a name has letters, digits, '.', '_' and '-', and begins with a letter, a digit or '_'",
        )
    return name


def resolve(name: str, *, config: Path | None = None, client: str = "ssh") -> AliasValues:
    """Return what the user's ssh_config says of an alias, and only what it says.

    ``ssh -G`` prints defaults too, so its answer is compared with what it says without any configuration.

    Args:
        name: The alias.
        config: Read this file instead of the user's and the system's.
        client: The ssh program.

    Raises:
        UsageError: The name is no alias, or ssh does not take the configuration.
    """
    check_name(name)
    chosen = ["-F", str(config)] if config is not None else []
    with contextlib.ExitStack() as stack:
        try:
            # Both at once: each takes a few milliseconds, and more where Match exec runs something.
            asked = [
                stack.enter_context(_asking([client, *options, "-G", "--", name]))
                for options in (chosen, ["-F", "none"])
            ]
        except FileNotFoundError:
            return _read_ourselves(name, config or _user_config())
        said, default = [_answer(process, name) for process in asked]
    return _difference(name, said, default)


@contextlib.contextmanager
def _asking(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _answer(process: subprocess.Popen[str], name: str) -> dict[str, list[str]]:
    try:
        output, complaint = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"ssh -G {name} gave no answer within {_SECONDS:.0f} s",
            hint="does a 'Match exec' in your ssh_config wait for something?",
        ) from None
    if process.returncode != 0:
        lines = complaint.strip().splitlines() or [f"exit code {process.returncode}"]
        raise UsageError(f"ssh -G {name}: {lines[0]}", hint=f"correct it, then see: ssh -G {name}")
    values: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key, []).append(value)
    return values


def _difference(name: str, said: dict[str, list[str]], default: dict[str, list[str]]) -> AliasValues:
    own = {key.lower(): values for key, values in said.items() if values != default.get(key)}
    ignored = sorted(_SPELLING.get(key, key) for key in own if key not in _HONOURED | _WITHOUT_EFFECT)
    return _values(name, own, tuple(ignored))


def _values(
    name: str, own: dict[str, list[str]], unsupported: tuple[str, ...], notes: tuple[str, ...] = ()
) -> AliasValues:
    def first(key: str) -> str | None:
        return next((value for value in own.get(key, ()) if value.lower() != "none"), None)

    port = first("port")
    if port is not None and not port.isdecimal():
        raise UsageError(f"ssh_config: Port {port!r} is not a number")
    jump = first("proxyjump")
    if unsupported:
        notes += (f"ssh_config: not honoured by provision: {', '.join(unsupported)}",)
    return AliasValues(
        hostname=first("hostname"),
        user=first("user"),
        port=int(port) if port is not None else None,
        identity_files=tuple(
            _expand_path(value, name, first("hostname"), first("user"))
            for value in own.get("identityfile", ())
            if value.lower() != "none"
        ),
        proxy_jump=tuple(hop.strip() for hop in jump.split(",")) if jump else (),
        proxy_command=first("proxycommand"),
        host_key_alias=first("hostkeyalias"),
        known_hosts_files=_paths(own.get("userknownhostsfile", [""])[0]),
        identities_only=first("identitiesonly") == "yes",
        unsupported=unsupported,
        notes=notes,
    )


def _expand_path(text: str, name: str, hostname: str | None, user: str | None) -> str:
    """Replace the tokens that stand in paths of keys; ssh -G leaves them."""
    local = getpass.getuser()
    tokens = {
        "d": str(Path.home()),
        "h": hostname or name,
        "n": name,
        "r": user or local,
        "u": local,
        "%": "%",
    }
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)


def _paths(text: str) -> tuple[str, ...]:
    """Split paths that ssh prints without quotes: each begins with ``/`` or ``~``."""
    if text.lower() == "none":
        return (os.devnull,)
    return tuple(re.split(r" (?=[/~])", text)) if text else ()


def expand_proxy_command(command: str, *, host: str, port: int, user: str, alias: str | None = None) -> str:
    """Return a proxy command with ``%h``, ``%p``, ``%r``, ``%n`` and ``%%`` replaced, as ssh does.

    Raises:
        UsageError: A token is unknown, or the host or user has characters that a shell could read otherwise.
    """
    if not _ADDRESS.fullmatch(host):
        raise UsageError(f"proxy_command: {host!r} cannot be an address")
    if not _USER.fullmatch(user):
        raise UsageError(f"proxy_command: {user!r} cannot be a user name")
    tokens = {"h": host, "p": str(port), "r": user, "n": check_name(alias) if alias else host, "%": "%"}

    def value(found: re.Match[str]) -> str:
        if found[1] not in tokens:
            raise UsageError(f"proxy_command: %{found[1]} is not supported", hint="known are %h, %p, %r, %n and %%")
        return tokens[found[1]]

    return re.sub(r"%(.?)", value, command)


def list_aliases(config: Path | None = None) -> list[str]:
    """Return the names that the user's ssh_config defines, without patterns, in its order."""
    names: dict[str, None] = {}
    for keyword, arguments, _ in _statements(config or _user_config()):
        if keyword == "host":
            names.update((name, None) for name in arguments if _NAME.fullmatch(name))
    return list(names)


def _user_config() -> Path:
    return Path.home() / ".ssh" / "config"


def _statements(path: Path, depth: int = 0) -> Iterator[tuple[str, list[str], str]]:
    """Yield (keyword, arguments, raw text); an included file stands between ``include`` and ``included``."""
    for line in _text(path).splitlines():
        found = _STATEMENT.match(line)
        if found is None or line.lstrip().startswith("#"):
            continue
        keyword, rest = found[1].lower(), found[2].rstrip()
        try:
            arguments = shlex.split(rest, comments=True)
        except ValueError:
            arguments = rest.split()
        yield keyword, arguments, rest
        if keyword == "include":
            if depth < _MAX_DEPTH:
                for included in _included(arguments, path):
                    yield from _statements(included, depth + 1)
            yield "included", [], ""


def _included(patterns: list[str], config: Path) -> Iterator[Path]:
    for pattern in patterns:
        full = config.parent / Path(pattern).expanduser()
        with contextlib.suppress(ValueError, OSError):
            yield from sorted(Path(full.anchor).glob(str(full.relative_to(full.anchor))))


def _text(path: Path) -> str:
    try:
        state = path.stat()
        if stat.S_ISREG(state.st_mode) and state.st_size <= _MAX_CONFIG:
            return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        pass
    return ""


def _read_ourselves(name: str, config: Path) -> AliasValues:
    """Evaluate the user's file with our own reader: Host blocks and Include, no Match but ``Match all``."""
    own: dict[str, list[str]] = {}
    notes = ["no ssh client here: provision read ssh_config itself, without the system-wide file"]
    active, outer = True, []
    for keyword, arguments, rest in _statements(config):
        if keyword == "include":
            outer.append(active)
        elif keyword == "included":
            active = outer.pop()
        elif keyword == "host":
            active = (not outer or outer[-1]) and _host_matches(arguments, name)
        elif keyword == "match":
            active = (not outer or outer[-1]) and [one.lower() for one in arguments] == ["all"]
            if not active:
                notes.append(f"ssh_config: 'Match {rest}' is not evaluated without an ssh client")
        elif active and (keyword == "identityfile" or keyword not in own):
            own.setdefault(keyword, []).append(rest if keyword == "proxycommand" else " ".join(arguments))
    if "hostname" in own:
        own["hostname"] = [own["hostname"][0].replace("%h", name).replace("%%", "%")]
    ignored = sorted(_SPELLING.get(key, key) for key in own if key not in _HONOURED | _WITHOUT_EFFECT)
    return _values(name, own, tuple(ignored), tuple(notes))


def _host_matches(patterns: list[str], name: str) -> bool:
    matched = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if glob_matches(pattern.lstrip("!").encode(errors="surrogateescape"), name.encode()):
            if negated:
                return False
            matched = True
    return matched
