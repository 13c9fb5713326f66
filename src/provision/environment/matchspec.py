"""What a dependency of environment.yml asks for: ``conda-forge::pytorch=2.4[build='cuda*']``.

Source: "Package match specifications" in the conda-build documentation, and CEP 29 (conda/ceps).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from provision.environment.condition import Condition, comparison, parse_condition
from provision.environment.version import Version

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_BRACKET = re.compile(r"\[([^\[\]]*)\]\s*\Z")
_PAIR = re.compile(r"\s*([a-z_0-9]+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,'\"]+?))\s*(?:,|\Z)")
_BUILD_SUFFIX = re.compile(r"(.*[^=<>!~,|(\s])=([^=<>!~,|()\s]*)\Z")
_BUILD = re.compile(r"[A-Za-z0-9_.+*^$-]+\Z")
_KEYS = {"name", "version", "build", "build_number", "channel", "subdir"}
_FILES = (".conda", ".tar.bz2")
_PLATFORM = re.compile(r"(noarch|(linux|osx|win|freebsd|emscripten|wasi)-[a-z0-9]+)\Z")
_DEFAULTS = {"main", "r", "msys2", "free", "pro", "mro"}
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class MatchSpec:
    """A parsed match specification; ``None`` means that nothing is asked."""

    text: str
    name: str
    version: Condition | None = None
    build: str | None = None
    """A build string, ``*`` standing for anything."""
    build_number: Condition | None = None
    channel: str | None = None
    subdir: str | None = None

    @property
    def virtual(self) -> bool:
        """Whether it names a property of the machine, such as ``__cuda``, and no package."""
        return self.name.startswith("__")

    def matches(
        self,
        name: str,
        version: str,
        build: str = "",
        channel: str | None = None,
        *,
        build_number: int | None = None,
    ) -> bool:
        """Whether a package satisfies it; an unknown channel or build number does not count against it."""
        return (
            name.lower() == self.name
            and self.accepts_version(version)
            and (self.build is None or fnmatchcase(build, self.build))
            and (
                self.build_number is None
                or build_number is None
                or self.build_number.holds(Version.parse(str(build_number)))
            )
            and self.accepts_channel(channel)
        )

    def accepts_version(self, version: str) -> bool:
        """Whether the version is one of those asked for; what is no version is none of them."""
        if self.version is None:
            return True
        try:
            return self.version.holds(Version.parse(version))
        except ValueError:
            return False

    def accepts_channel(self, channel: str | None) -> bool:
        """Whether a channel, by name or by a URL of it or of a mirror, is the one asked for."""
        if self.channel is None or not channel or channel.startswith("<"):
            return True
        wanted, found = _channel_path(self.channel), _channel_path(channel)
        if wanted == ("defaults",):
            return found == wanted or (found[-1] in _DEFAULTS and found[-2:-1] == ("pkgs",))
        # A mirror serves the same channel below other folders: what counts is the end of the path.
        return found[-len(wanted) :] == wanted or wanted[-len(found) :] == found


def parse(text: str) -> MatchSpec:
    """Return the specification that the text means.

    Raises:
        ValueError: The text is none, or asks for what reading back cannot judge; the message is one line.
    """
    spec = text.partition("#")[0].strip()
    if not spec:
        raise ValueError("the specification is empty")
    if len(spec) > _LONGEST or any(ord(letter) < ord(" ") for letter in spec):
        raise ValueError("the specification is too long or has control characters")
    spec, keys = _brackets(spec)
    channel, subdir, spec = _channel(spec)
    match = _NAME.match(spec)
    if match is None:
        raise ValueError(f"{text!r} does not begin with a package name")
    if spec.startswith("*") or spec[match.end() : match.end() + 1] == "*":
        raise ValueError(f"{text!r}: a package name cannot have '*'")
    version, build = _version_and_build(spec[match.end() :], text)
    version, build = keys.get("version", version), keys.get("build", build)
    if build is not None and not _BUILD.match(build):
        raise ValueError(f"{build!r} is not a build string")
    number = keys.get("build_number")
    return MatchSpec(
        text=text,
        name=match[0].lower(),
        version=None if version is None else parse_condition(version),
        build=build,
        build_number=None if number is None else parse_condition(number),
        channel=keys.get("channel", channel),
        subdir=keys.get("subdir", subdir),
    )


def _brackets(spec: str) -> tuple[str, dict[str, str]]:
    keys: dict[str, str] = {}
    while match := _BRACKET.search(spec):
        position, inner = 0, match[1]
        while position < len(inner):
            pair = _PAIR.match(inner, position)
            if pair is None:
                raise ValueError(f"{match[0].strip()!r} is not a list of key='value'")
            keys[pair[1]] = next(one for one in pair.groups()[1:] if one is not None).strip()
            position = pair.end()
        spec = spec[: match.start()].rstrip()
    for key in keys:
        if key not in _KEYS:
            raise ValueError(f"[{key}=...] cannot be checked against what is installed; leave it out")
    if "[" in spec or "]" in spec:
        raise ValueError(f"the brackets of {spec!r} do not match or are not at its end")
    return spec, keys


def _channel(spec: str) -> tuple[str | None, str | None, str]:
    channel, colons, rest = spec.rpartition("::")
    if not colons:
        if "://" in spec or spec.endswith(_FILES) or spec.startswith((".", "/", "~")) or " @ " in spec:
            raise ValueError(f"{spec!r} is an address of a file; name a package of a channel instead")
        if ":" in spec:
            raise ValueError(f"{spec!r} has a single ':'; a channel ends with '::'")
        return None, None, spec
    if "::" in channel or not channel.strip() or re.search(r"\s", channel.strip()):
        raise ValueError(f"{channel!r} is not a channel")
    head, slash, last = channel.strip().rstrip("/").rpartition("/")
    if slash and _PLATFORM.match(last):
        return head, last, rest.strip()
    return channel.strip(), None, rest.strip()


def _version_and_build(rest: str, text: str) -> tuple[str | None, str | None]:
    plain = re.sub(r"\s*([,|()])\s*", r"\1", rest.strip())
    plain = re.sub(r"([=<>!~])\s+", r"\1", plain)
    if not plain:
        return None, None
    if not rest[0].isspace() and rest[0] not in "=<>!~":
        raise ValueError(f"{text!r}: {rest.strip()!r} cannot follow a package name")
    version, *builds = plain.split()
    if len(builds) > 1:
        raise ValueError(f"{text!r} has more than a version and a build after the name")
    if builds:
        # With a build beside it a version is exact too: conda reads `name =1 py*` as 1, and not as 1.*.
        return _exact(version), builds[0]
    match = _BUILD_SUFFIX.match(plain)
    if match is None:
        return plain, None
    # `name=1.2=build` names one build, so its version is exact, unlike that of `name=1.2`.
    return _exact(match[1]) if match[2] else match[1], match[2] or None


def _exact(version: str) -> str:
    if re.match(r"=[^=<>!~,|()*]+\Z", version) and comparison(version).operator == "=":
        return "=" + version
    return version


def _channel_path(channel: str) -> tuple[str, ...]:
    path = re.sub(r"^[a-z+]+://[^/]*", "", channel.strip().lower())
    parts = [part for part in path.split("/") if part]
    if len(parts) > 1 and _PLATFORM.match(parts[-1]):
        parts.pop()
    if parts[:1] == ["t"] and parts[2:]:
        parts = parts[2:]  # /t/TOKEN/channel of anaconda.org
    return tuple(parts) or ("",)
