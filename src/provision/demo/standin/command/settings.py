"""What the configuration files and CONDA_* variables say, merged as conda merges them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LISTS = ("channels", "default_channels", "create_default_packages", "pkgs_dirs", "envs_dirs")
ALIAS = "https://conda.anaconda.org"
DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")


@dataclass(frozen=True)
class Settings:
    """The merged configuration; ``sources`` maps each file that was read to what it said."""

    root: Path
    version: tuple[int, ...]
    channels: tuple[str, ...] = ()
    default_channels: tuple[str, ...] = DEFAULTS
    custom_channels: dict[str, str] = field(default_factory=dict)
    channel_alias: str = ALIAS
    channel_priority: str = "flexible"
    create_default_packages: tuple[str, ...] = ()
    pkgs_dirs: tuple[Path, ...] = ()
    envs_dirs: tuple[Path, ...] = ()
    offline: bool = False
    always_yes: bool = False
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def emulates(self) -> str:
        """Return the conda version whose behaviour is kept."""
        return ".".join(str(part) for part in self.version)

    def urls(self, name: str) -> list[str]:
        """Return the addresses that a channel name stands for."""
        if name == "defaults":
            return list(self.default_channels)
        if "://" in name:
            return [name.rstrip("/")]
        if name.startswith(("/", "./", "../", "~")):
            return [f"file://{Path(name).expanduser().absolute()}"]
        head = name.partition("/")[0]
        if head in self.custom_channels:
            return [f"{self.custom_channels[head].rstrip('/')}/{name}"]
        return [f"{self.channel_alias.rstrip('/')}/{name}"]


def files(root: Path) -> list[Path]:
    """Return the places of configuration files, the strongest first; CONDARC adds one and hides none."""
    home = Path(os.environ.get("HOME", "/"))
    places = [home / ".conda/.condarc", home / ".condarc", home / ".config/conda/.condarc"]
    named = os.environ.get("CONDARC")
    return [*([Path(named)] if named else []), *places, root / ".condarc", Path("/etc/conda/.condarc")]


def load(root: Path, version: str) -> Settings:
    """Read and merge every configuration file and CONDA_* variable."""
    layers = [_from_environment()]
    sources: dict[str, dict[str, Any]] = {}
    for path in files(root):
        if path.is_file() and str(path) not in sources:
            sources[str(path)] = _read(path)
            layers.append(sources[str(path)])
    home = Path(os.environ.get("HOME", "/"))
    lists = {key: _merged(layers, key) for key in LISTS}
    custom: dict[str, str] = {}
    for layer in reversed(layers):
        custom.update(layer.get("custom_channels") or {})
    pkgs = tuple(Path(p).expanduser() for p in lists["pkgs_dirs"])
    envs = tuple(Path(p).expanduser() for p in lists["envs_dirs"])
    base = (root / "envs", home / ".conda/envs")
    return Settings(
        root=root,
        version=tuple(int(part) for part in version.split(".")),
        channels=lists["channels"],
        default_channels=lists["default_channels"] or DEFAULTS,
        custom_channels=custom,
        channel_alias=str(_first(layers, "channel_alias") or ALIAS),
        channel_priority=str(_first(layers, "channel_priority") or "flexible"),
        create_default_packages=lists["create_default_packages"],
        pkgs_dirs=pkgs or (root / "pkgs", home / ".conda/pkgs"),
        # base's own folder comes first whatever is configured: its environments shadow the others
        envs_dirs=tuple(dict.fromkeys((base[0], *envs, base[1]))),
        offline=_true(_first(layers, "offline")),
        always_yes=_true(_first(layers, "always_yes")),
        sources=sources,
    )


def _from_environment() -> dict[str, Any]:
    layer: dict[str, Any] = {}
    for key in (*LISTS, "channel_alias", "channel_priority", "offline", "always_yes"):
        value = os.environ.get(f"CONDA_{key.upper()}")
        if key == "envs_dirs":
            value = value or os.environ.get("CONDA_ENVS_PATH")
        if not value:
            continue
        paths = key.endswith("_dirs")
        layer[key] = [v for v in value.split(":" if paths else ",") if v] if key in LISTS else value
    return layer


def _read(path: Path) -> dict[str, Any]:
    import yaml

    read = yaml.safe_load(path.read_text())
    return read if isinstance(read, dict) else {}


def _merged(layers: list[dict[str, Any]], key: str) -> tuple[str, ...]:
    found: list[str] = []
    for layer in layers:
        value = layer.get(key) or []
        found.extend([value] if isinstance(value, str) else [str(item) for item in value])
    return tuple(dict.fromkeys(found))


def _first(layers: list[dict[str, Any]], key: str) -> object:
    return next((layer[key] for layer in layers if layer.get(key) is not None), None)


def _true(value: object) -> bool:
    return str(value).lower() in {"1", "true", "yes", "on"}
