"""The exec line that every login shell reads alike, the quoting of arguments, and the frame around output.

`EXEC_LINE` is read the same by bash, dash, busybox, fish, tcsh and zsh. Its shell takes LENGTH bytes of script from
stdin and leaves the rest of stdin to that script, so nothing that a user wrote is ever seen by a login shell.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

CANNOT_UNPACK = 77

PREAMBLE = """\
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}; export PATH
unset CDPATH ENV BASH_ENV PYTHONPATH PYTHONHOME PYTHONSTARTUP LD_PRELOAD GREP_OPTIONS 2>/dev/null
"""

EXEC_LINE = (
    """exec sh -c 'eval "$(dd bs="$1" count=1 iflag=fullblock 2>/dev/null || dd bs=1 count="$1" 2>/dev/null)"' sh"""
)
"""To be followed by the script's length.

`head -c` would do where it is GNU's; busybox's reads ahead, and the script's data is gone. A dd that does not know
fullblock fails before it reads.
"""

PACKED_LINE = (
    """exec sh -c 'n=$1; shift; eval "$(printf %s "$@" | base64 -d 2>/dev/null | gzip -dc 2>/dev/null"""
    """ || echo "echo; echo $n begin; echo $n end 77")"' sh"""
)
"""To be followed by a nonce and the packed script in words of letters, digits, ``+``, ``/`` and ``=``."""

PACKED_LEVEL = 6
"""Of gzip: the highest takes twice as long for the same size here."""
WORD = 500
"""Characters of such a word: old C shells refuse longer ones than 1,024."""


def quote(text: str) -> str:
    """Quote one word for a POSIX shell; this is the only quoting in the project.

    Raises:
        ValueError: the text has a NUL, which no argument can carry.
    """
    if "\0" in text:
        raise ValueError("an argument cannot contain a NUL byte")
    return "'" + text.replace("'", "'\\''") + "'"


def script_text(source: str, arguments: tuple[str, ...], env: tuple[tuple[str, str], ...] = ()) -> str:
    """Return a whole script: the preamble, the user's variables, the arguments as ``$@``, and the source.

    The names of the variables were validated when hosts.yaml was read.
    """
    words = " ".join(quote(one) for one in arguments)
    variables = "".join(f"{name}={quote(value)}; export {name}\n" for name, value in env)
    return f"{PREAMBLE}{variables}set -- {words}\n{source}"


def terminal_line(words: tuple[str, ...]) -> str:
    """Return an exec line for a command that keeps stdin, as one on a terminal does.

    Its words travel as octal escapes, which every login shell leaves as they are. One word alone is shell text.
    """
    text = words[0] if len(words) == 1 else " ".join(map(quote, words))
    packed = "".join(f"\\0{byte:03o}" for byte in text.encode("utf-8", "surrogateescape"))
    return f"""exec sh -c 'eval "$(printf %b "$1")"' sh '{packed}'"""


@dataclass(frozen=True, slots=True)
class Command:
    """What goes over the wire for one program: the exec line and the bytes for its stdin."""

    line: str
    stdin: bytes
    nonce: str
    gathered: bool = False
    """Everything comes on stdout, in one piece."""


def compose(
    source: str,
    arguments: tuple[str, ...],
    *,
    nonce: str,
    data: bytes | None = None,
    env: tuple[tuple[str, str], ...] = (),
    gathered: bool = False,
) -> Command:
    """Compose a framed command whose script gets `data` on stdin, or /dev/null where there is none.

    The nonce (128 random bits in hex, fresh for each command) lets the reader tell the script's output from what
    rc files print, and the end line carries the exit code: a command without it has an unknown outcome.

    A gathered command has no data. Its script travels in the exec line itself: OpenSSH opens a session with a window
    of nothing, so that stdin would wait a round trip. Its output is written at once, because OpenSSH leaves Nagle's
    algorithm on and each further small piece would wait a round trip too. A host without base64 or gzip answers with
    the exit code `CANNOT_UNPACK`.
    """
    if gathered:
        return Command(_packed(_gathered(script_text(source, arguments, env), nonce), nonce), b"", nonce, gathered)
    stdin = "" if data is not None else " </dev/null"
    script = _streamed(script_text(source, arguments, env), nonce, stdin).encode("utf-8", "surrogateescape")
    return Command(f"{EXEC_LINE} {len(script)}", script + (data or b""), nonce, gathered)


def converse_line(script: str, nonce: str) -> str:
    """Return the exec line of a program that converses: the script is in the line, its stdin and stdout are its own.

    The program gets the nonce in PROVISION_NONCE, and prints the begin line with its first word in one piece: small
    pieces wait for each other. What it says needs no end line.
    """
    return _packed(_conversing(script, nonce), nonce)


def unpacked_line(script: str, nonce: str) -> tuple[str, bytes]:
    """Return the same for a host that cannot unpack a line: the exec line, and what goes before all other stdin."""
    text = _conversing(script, nonce).encode("utf-8", "surrogateescape")
    return f"{EXEC_LINE} {len(text)}", text


def _conversing(script: str, nonce: str) -> str:
    return f"set +eu\nPROVISION_NONCE={nonce}; export PROVISION_NONCE\n{script}"


def _packed(script: str, nonce: str) -> str:
    packed = gzip.compress(script.encode("utf-8", "surrogateescape"), PACKED_LEVEL, mtime=0)
    text = base64.b64encode(packed).decode()
    words = " ".join(text[at : at + WORD] for at in range(0, len(text), WORD))
    return f"{PACKED_LINE} {nonce} {words}"


def _streamed(script: str, nonce: str, stdin: str) -> str:
    return (
        # An exported SHELLOPTS may have switched -e on: the end line must come whatever the script does.
        f"set +eu\nprintf '\\n%s begin\\n' {nonce}\nprintf '\\n%s begin\\n' {nonce} >&2\n"
        f"(\n{script}\n){stdin}\n"
        "provision_code=$?\n"
        f"printf '%s end %d\\n' {nonce} \"$provision_code\" >&2\n"
        f"printf '%s end %d\\n' {nonce} \"$provision_code\"\n"
        'exit "$provision_code"\n'
    )


def _gathered(script: str, nonce: str) -> str:
    frame = f"'\\n%s begin\\n%s%s end %d\\n' {nonce}"
    return (
        f"set +eu\nprovision_output=$( (\n{script}\n) </dev/null 2>/dev/null; printf '\\n%s' $?)\n"
        "provision_code=${provision_output##*[!0-9]}\n"
        f'printf {frame} "${{provision_output%?"$provision_code"}}" {nonce} "$provision_code"\n'
        'exit "$provision_code"\n'
    )
