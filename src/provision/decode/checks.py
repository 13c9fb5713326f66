"""Rules that several of the user's files share: names, variables, paths on a host, URLs."""

from __future__ import annotations

import re

from provision.decode.near import suggestion
from provision.decode.rules import Rule
from provision.decode.text import printable

NAME_PATTERN = "[A-Za-z0-9_][A-Za-z0-9._-]{0,252}"
_VARIABLE_PATTERN = "[A-Za-z_][A-Za-z0-9_]*"
_URL = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<login>[^/?#]*)@)?(?P<host>[^/?#@\s]+)(?P<rest>\S*)"

_SYSTEM_FOLDERS = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
)
_SHARED_FOLDERS = ("/home", "/root", "/run", "/tmp", "/var", "/var/tmp", "/mnt", "/media", "/opt", "/srv")  # noqa: S108 - refused

# What changes which programs, libraries or modules are loaded, or how a shell reads a script.
_STEERING = frozenset(
    [
        *(
            "PATH",
            "HOME",
            "SHELL",
            "USER",
            "LOGNAME",
            "PWD",
            "IFS",
            "ENV",
            "BASH_ENV",
            "SHELLOPTS",
            "BASHOPTS",
        ),
        *("PS4", "PROMPT_COMMAND", "CDPATH", "GLOBIGNORE", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"),
        *("PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONEXECUTABLE", "PYTHONPLATLIBDIR", "PYTHONBREAKPOINT"),
        *("GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "HOSTALIASES", "PERL5LIB", "PERL5OPT"),
        *("RUBYLIB", "RUBYOPT", "NODE_OPTIONS", "GIT_SSH_COMMAND", "GIT_EXEC_PATH"),
    ]
)
_STEERING_PREFIXES = ("LD_", "DYLD_", "BASH_FUNC_", "CONDA_", "PIP_", "SSH_", "SUDO_", "PROVISION_")


def name(value: str) -> str:
    """Return a valid name of a host, group or mirror; raises `ValueError`."""
    if not re.fullmatch(NAME_PATTERN, value):
        first = " (and no '-' first)" if value.startswith("-") else ""
        raise ValueError(f"'{printable(value)}' is not a name, expected ASCII letters, digits, '.', '_' or '-'{first}")
    return value


def variable(value: str) -> str:
    """Return a valid name of an environment variable that a file may set; raises `ValueError`."""
    if not re.fullmatch(_VARIABLE_PATTERN, value):
        raise ValueError(f"'{printable(value)}' is not the name of a variable, expected letters, digits and '_'")
    if value in _STEERING or value.startswith(_STEERING_PREFIXES):
        raise ValueError(f"{printable(value)} may not be set here: it changes which programs or libraries are used")
    return value


def one_line(value: str) -> str:
    """Return a text of one line; raises `ValueError`."""
    if "\n" in value or "\r" in value:
        raise ValueError(f"'{printable(value)}' has several lines, expected one")
    return value


def word(value: str) -> str:
    """Return a text that is not empty, has no spaces and does not begin with a dash; raises `ValueError`."""
    if not value or re.search(r"\s", value):
        raise ValueError(f"'{printable(value)}', expected a text without spaces")
    if value.startswith("-"):
        raise ValueError(f"'{printable(value)}' begins with '-', which programs take for an option")
    return value


def remote_path(value: str) -> str:
    """Return an absolute or ``~/`` path on a host, without a slash at its end; raises `ValueError`."""
    if value.startswith("~") and not value.startswith("~/") and value != "~":
        raise ValueError(f"'{printable(value)}', expected ~/... or an absolute path (no other user's home)")
    if value == "~" or not value.strip("/~"):
        raise ValueError(f"'{printable(value)}' itself cannot be used, expected a folder below it, such as ~/work")
    if not value.startswith(("/", "~/")):
        raise ValueError(f"'{printable(value)}', expected an absolute path or one that begins with ~/")
    if ".." in value.split("/"):
        raise ValueError(f"'{printable(value)}' contains '..', expected a direct path")
    if not re.fullmatch(r"[\w./~+@%,=-]+", value):
        raise ValueError(f"'{printable(value)}', expected a path without spaces, quotes or other shell characters")
    clean = re.sub(r"/(\./)*/*", "/", value).rstrip("/")
    clean = clean.removesuffix("/.")
    if clean in ("~", ""):
        raise ValueError(f"'{printable(value)}' itself cannot be used, expected a folder below it, such as ~/work")
    return clean


def own_folder(value: str) -> str:
    """Return a path that provision may make its own: neither a system folder nor one that others share."""
    clean = remote_path(value)
    for folder in _SYSTEM_FOLDERS:
        below_local = clean.startswith("/usr/local/")
        if not below_local and (clean == folder or clean.startswith(folder + "/")):
            raise ValueError(f"'{printable(value)}' belongs to the system ({folder}), expected a folder of your own")
    if clean in _SHARED_FOLDERS:
        raise ValueError(f"'{printable(value)}' itself cannot be used, expected a folder below it")
    return clean


def url(value: str) -> str:
    """Return an http or https URL without a login in it, without a slash at its end; raises `ValueError`."""
    found = re.fullmatch(_URL, value)
    if found is None or found["scheme"].lower() not in ("http", "https"):
        raise ValueError(f"'{printable(redacted(value))}', expected an https:// URL")
    if found["login"] is not None:
        raise ValueError(f"'{printable(redacted(value))}' holds a login, which would be stored in logs: remove it")
    return value.rstrip("/")


def redacted(value: str) -> str:
    """Return the text with the login of each URL in it replaced."""
    return re.sub(r"(://)[^/\s@]*@", r"\1***@", value)


def choice(value: str, known: list[str], what: str) -> str:
    """Return one of the known names; raises `ValueError` with a near match."""
    if value in known:
        return value
    listed = f", expected one of {', '.join(known)}" if known else ""
    raise ValueError(f"'{printable(value)}' is no {what}{suggestion(value, known) or listed}")


NAME = Rule(name, {"pattern": f"^{NAME_PATTERN}$"})
VARIABLE = Rule(variable, {"pattern": f"^{_VARIABLE_PATTERN}$"})
ONE_LINE = Rule(one_line)
WORD = Rule(word, {"pattern": "^[^-\\s]\\S*$"})
REMOTE_PATH = Rule(remote_path, {"pattern": "^(/|~/)"})
OWN_FOLDER = Rule(own_folder, {"pattern": "^(/|~/)"})
URL = Rule(url, {"pattern": "^https?://"})
