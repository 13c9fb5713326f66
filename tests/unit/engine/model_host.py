"""A small host in memory: it answers our programs by doing to its own state what they do to a real one.

Only what the engine and the tasks can see is kept: folders are names, packages are versions, a disk is a number.
The probe's answer is rendered from that state as text and read by the real parser.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision import facts as fact_reader
from provision.environment.matchspec import parse as parse_spec
from provision.model.plan import Program
from provision.remote.command import PREAMBLE, script_text
from provision.remote.sources import source

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.model.facts import Facts

HOME = "/home/ubuntu"
STATE = f"{HOME}/.provision"
TOOLS = ("bash", "flock", "timeout", "setsid", "sha256sum", "tar", "apt-get")
VERSION = "26.7.1"
MACHINE = "0123456789abcdef"
MARKERS = {"python_version": "3.11", "sys_platform": "linux", "platform_machine": "x86_64"}
_DETACHED = ("build_environment.sh", "install_miniconda.sh", "fetch.sh", "install_packages.sh", "run_command.sh")
_WORD = re.compile(r"'((?:[^']|'\\'')*)'(?= |$)")
_VARIABLE = re.compile(r"^(\w+)='((?:[^']|'\\'')*)'; export \1$", re.MULTILINE)
LOG = "début of the build\r\n" + "".join(f"line {number} of the log ✓\n" for number in range(40)) + "no newline at end"


@dataclass
class Prefix:
    """A folder that is or should be a conda."""

    has: set[str] = field(default_factory=set)
    """Of ``python``, ``conda``, ``package``."""
    version: str | None = None
    shaped: bool = False
    installing: bool = False
    foreign: bool = False

    @property
    def empty(self) -> bool:
        """Nothing is in the folder."""
        return not (self.has or self.shaped or self.foreign)


@dataclass
class Built:
    """One generation."""

    marker: str | None
    packages: str
    rejected: str | None = None
    conda: dict[str, str] = field(default_factory=dict)
    pip: dict[str, str] = field(default_factory=dict)


@dataclass
class Environment:
    """All generations of one environment."""

    current: str | None = None
    generations: dict[str, Built] = field(default_factory=dict)


@dataclass
class DetachedStep:
    """A step that was started apart from the connection."""

    log: bytes
    code: int
    looks: int = 0
    """How often its lock is still found held after it was followed."""


@dataclass
class ModelHost:
    """The state of one host."""

    uname: str = "Linux box 6.8.0 x86_64"
    libc: str = "glibc 2.35"
    tools: tuple[str, ...] = TOOLS
    sudo: str = "nopasswd"
    free: int = 200 << 30
    boot: str = "boot-1"
    gpu: tuple[str, ...] = ()
    prefixes: dict[str, Prefix] = field(default_factory=dict)
    cache: set[str] = field(default_factory=set)
    environments: dict[str, Environment] = field(default_factory=dict)
    links: dict[str, str | None] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    """Commands that ran; an `unless` question is true once its text is among them."""
    steps: dict[str, DetachedStep] = field(default_factory=dict)
    newest: str | None = None
    running: str | None = None
    holder: str | None = None
    last_holder: str | None = None
    lingers: int = 0
    """How often a lost lease is still found held by its old holder."""
    breaks: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Exit code and output of scripts that fail."""
    lies: set[str] = field(default_factory=set)
    """Scripts that say they did it, and do nothing."""
    broken_modules: set[str] = field(default_factory=set)
    ran: list[str] = field(default_factory=list)
    """Every script that was run here, in order."""

    # -- what the probe says ---------------------------------------------------------------------

    def facts(self, *questions: str) -> Facts:
        """Return what the real parser reads from the probe's answer."""
        return fact_reader.parse(self.probe(questions))

    def probe(self, words: tuple[str, ...]) -> bytes:
        """Return the probe's answer."""
        lines = [
            f"uname|{self.uname}",
            "clock|1750000000",
            "uid|1000",
            "user|ubuntu",
            f"home|{HOME}",
            "home.stat|1000 ubuntu 750",
            f"state_dir|{STATE}",
            f"workdir|{HOME}/work",
            f"libc|{self.libc}",
            f"sudo|{self.sudo}",
            f"boot_id|{self.boot}",
            f"machine_id|{MACHINE}",
            f"space|/|{self.free // 4096} 4096 9000000 9900000 99999999",
            "mount|/dev/root / ext4 rw 0 0",
            *(f"tool|{one}" for one in self.tools),
        ]
        for word in words:
            lines += self._answer(*word.split("=", 1))
        lines += [f"disk|{path}|/|writable" for path in (HOME, STATE, *self.prefixes, *self._asked_prefixes(words))]
        lines += self._environments()
        for name, target in self.links.items():
            lines.append(f"link|{name}|link|{target}" if target else f"link|{name}|other|")
        for name, text in self.records.items():
            lines += [f"record|{name}", f"record.{name}|{text}"]
        if self.newest:
            lines.append(f"step|{self.newest}")
        if self.running:
            lines.append("step.lock|held")
        return "\n".join([*lines, *self.gpu, "end|", ""]).encode()

    @staticmethod
    def _asked_prefixes(words: tuple[str, ...]) -> list[str]:
        return [_home(word[6:]) for word in words if word.startswith("conda=")]

    def _answer(self, key: str, text: str) -> list[str]:
        if key == "path":
            return [f"path|{self.paths.get(_home(text), 'absent')}|{text}"]
        if key == "package":
            return [f"package|{text}", *([f"package.dpkg|ii |{text}|1.0"] if text in self.packages else [])]
        if key == "unless":
            name, _, question = text.partition(" ")
            return [f"unless|{name}|{0 if question in self.done else 1}"]
        if key == "conda":
            prefix = self.prefixes.get(_home(text))
            return [f"conda|{_home(text)}", *_conda(prefix)] if prefix is not None else []
        return []

    def _environments(self) -> list[str]:
        lines = []
        for key, one in self.environments.items():
            lines.append(f"environment|{key}")
            if one.current:
                lines.append(f"environment.current|{key}|{one.current}")
            for name, built in one.generations.items():
                lines += [f"generation|{key}/{name}", f"packages|{key}/{name}|{built.packages}"]
                if built.marker is not None:
                    lines.append(f"marker|{key}/{name}|{built.marker}")
                if built.rejected is not None:
                    lines.append(f"rejected|{key}/{name}|{built.rejected}")
        return lines

    # -- what programs do ------------------------------------------------------------------------

    def run(self, program: Program) -> tuple[int, bytes]:
        """Do what a program does; return its exit code and what it printed."""
        name = program.script
        self.ran.append(name)
        if name in self.breaks:
            code, text = self.breaks[name]
            return code, text.encode()
        if name in self.lies:
            return 0, b""
        action: Callable[[Program], tuple[int, bytes]] = getattr(self, f"_{name.removesuffix('.sh')}")
        return action(program)

    def _probe(self, program: Program) -> tuple[int, bytes]:
        return 0, self.probe(program.arguments)

    def _detach(self, program: Program) -> tuple[int, bytes]:
        _, step, length = program.arguments
        if step in self.steps:
            return 0, b""
        if self.running:
            return 75, b""
        inner = detached_program(program.data or b"", int(length))
        code, said = self.run(inner)
        self.steps[step] = DetachedStep(LOG.encode() + b"\n" + said, code)
        self.newest = step
        return 0, b""

    def _stop_step(self, program: Program) -> tuple[int, bytes]:
        if self.running == program.arguments[1]:
            self.running = None
        return 0, b""

    def _fetch(self, program: Program) -> tuple[int, bytes]:
        sha256 = program.arguments[2] or "ab" * 32
        self.cache.add(sha256)
        return 0, f"sha256 {sha256}\n".encode()

    def _receive(self, program: Program) -> tuple[int, bytes]:
        self.cache.add(program.arguments[1])
        return 0, b""

    def _install_miniconda(self, program: Program) -> tuple[int, bytes]:
        _, sha256, prefix, _, mode = program.arguments
        if sha256 not in self.cache:
            return 65, b"the cached installer is damaged"
        there = self.prefixes.get(prefix)
        if there is not None and not there.empty and mode != "repair":
            return 1, b"ERROR: File or directory already exists"
        self.prefixes[prefix] = Prefix({"python", "conda", "package"}, VERSION, shaped=True)
        return 0, f"conda {VERSION}\n".encode()

    def _check_conda(self, program: Program) -> tuple[int, bytes]:
        prefix = self.prefixes[program.arguments[0]]
        return 0, f"conda {prefix.version}\n".encode()

    def _build_environment(self, program: Program) -> tuple[int, bytes]:
        _, conda, base, name, _, specs, requirements, _, _, marker, *_ = program.arguments
        if conda.removesuffix("/bin/conda") not in self.prefixes:
            return 10, b"no conda"
        have = self.environments.setdefault(_key(base), Environment())
        for old in [one for one, built in have.generations.items() if built.marker is None or built.rejected]:
            if have.current != old:
                del have.generations[old]
        packages = hashlib.sha256(f"{name} {specs} {requirements}".encode()).hexdigest()[:32]
        have.generations[name] = Built(
            f'{marker},"packages":"{packages}","built":1750000000}}',
            packages,
            conda={"pip": "24.0", **{parse_spec(one).name: _version(one) for one in specs.splitlines()}},
            pip={re.split("[=<>]", one)[0]: _version(one) for one in requirements.splitlines()},
        )
        return 0, b"complete\n"

    def _switch_environment(self, program: Program) -> tuple[int, bytes]:
        base, name, link = program.arguments
        have = self.environments[_key(base)]
        if have.generations[name].marker is None:
            return 1, b"is not complete"
        have.current = name
        if link:
            self.links[link.rsplit("/", 1)[1]] = f"{base}/current"
        return 0, b""

    def _reject_generation(self, program: Program) -> tuple[int, bytes]:
        prefix, reason = program.arguments
        self._generation(prefix).rejected = reason
        return 0, b""

    def _write_record(self, program: Program) -> tuple[int, bytes]:
        self.records[program.arguments[2]] = program.arguments[3]
        return 0, b""

    def _write_file(self, program: Program) -> tuple[int, bytes]:
        path, mode = program.arguments
        self.paths[path] = f"file:{mode.lstrip('0')}:{hashlib.sha256(program.data or b'').hexdigest()}"
        return 0, b""

    def _install_packages(self, program: Program) -> tuple[int, bytes]:
        self.packages.update(program.arguments[2:])
        return 0, b""

    def _run_command(self, program: Program) -> tuple[int, bytes]:
        self.done.add(program.arguments[1])
        created = re.match(r"touch (\S+)$", program.arguments[1])
        if created:
            self.paths[_home(created[1])] = "file:644:" + "0" * 64
        return 0, b""

    def _python(self, program: Program) -> tuple[int, bytes]:
        interpreter, prefix, text, *rest = program.arguments
        if text == source("list_packages.py"):
            return 0, self._listing(self._generation(rest[0]), rest[0])
        asked = json.loads(program.data or b"{}")
        modules = [
            {
                "module": one,
                "package": one,
                "kind": kind,
                "ok": one not in self.broken_modules,
                "error": "No module named",
            }
            for kind in ("stdlib", "conda", "pip")
            for one in asked[kind]
        ]
        report = {"format": 1, "python": interpreter, "prefix": prefix, "modules": modules}
        return 0, f"{rest[0]} {json.dumps(report)}\n".encode()

    @staticmethod
    def _listing(built: Built, prefix: str) -> bytes:
        conda = [
            {"kind": "conda", "name": name, "version": version, "build": "0", "missing": 0}
            for name, version in built.conda.items()
        ]
        pip = [{"kind": "pip", "name": name, "version": version} for name, version in built.pip.items()]
        end = {"kind": "end", "conda": len(conda), "pip": len(pip)}
        header = {"kind": "prefix", "format": 1, "prefix": prefix, "markers": MARKERS}
        return "".join(json.dumps(one) + "\n" for one in (header, *conda, *pip, end)).encode()

    def _generation(self, prefix: str) -> Built:
        base, _, name = prefix.rpartition("/")
        return self.environments[_key(base)].generations[name]


def detached_program(data: bytes, length: int) -> Program:
    """Return the program whose script and data `detach` carries."""
    text = data[:length].decode("utf-8", "surrogateescape")
    for name in _DETACHED:
        end = f"\n{source(name)}"
        if text.endswith(end):
            body = text[len(PREAMBLE) : -len(end)]
            env = tuple((name_, _plain(value)) for name_, value in _VARIABLE.findall(body))
            words = tuple(_plain(one) for one in _WORD.findall(body.rpartition("; export")[2].partition("set -- ")[2]))
            assert script_text(source(name), words, env) == text
            return Program(name, words, data[length:], env=env)
    raise AssertionError(text)


def _plain(quoted: str) -> str:
    return quoted.replace("'\\''", "'")


def _conda(prefix: Prefix) -> list[str]:
    lines = [f"conda.has|{one}" for one in sorted(prefix.has)]
    if prefix.version:
        lines.append(f"conda.meta|conda-{prefix.version}-py313h06a4308_1.json")
    if prefix.empty:
        lines.append("conda.empty|yes")
    if prefix.shaped:
        lines.append("conda.shaped|yes")
    if prefix.installing:
        lines.append("conda.installing|yes")
    return lines


def _home(path: str) -> str:
    return HOME + path[1:] if path.startswith("~") else path


def _key(base: str) -> str:
    return "/".join(base.rsplit("/", 2)[1:])


def _version(spec: str) -> str:
    found = re.search(r"[\d.]+\d", spec)
    return found[0] if found else "1.0"
