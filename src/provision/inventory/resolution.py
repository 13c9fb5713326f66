"""The value of each setting: host > ssh alias > groups, later ones first > defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.model.host import Expect, Mirror

if TYPE_CHECKING:
    from provision.inventory.alias import AliasValues
    from provision.inventory.schema import MirrorEntry, Settings


def first(levels: list[Settings], key: str, alias: Any = None) -> Any:
    """Return a setting's value: the host's, else the alias's, else that of the first other level with one."""
    own, *others = (getattr(one, key) for one in levels)
    return next((one for one in (own, alias, *others) if one is not None), None)


def way(levels: list[Settings], alias: AliasValues | None) -> tuple[tuple[str, ...], str | None]:
    """Return jump hosts and proxy command of the first level that has either: they exclude each other."""
    ways = [(_jump(one), one.proxy_command) for one in levels]
    if alias is not None:
        ways.insert(1, (alias.proxy_jump or None, alias.proxy_command))
    for jump, command in ways:
        if jump is not None or command is not None:
            return jump or (), None if command in {None, "none"} else command
    return (), None


def _jump(settings: Settings) -> tuple[str, ...] | None:
    return settings.jump if isinstance(settings.jump, tuple) else None


def expect(levels: list[Settings]) -> Expect:
    """Return what is expected, each of its values from the first level that has it."""
    entries = [one.expect for one in levels if one.expect is not None]
    values = {
        key: next((value for one in entries if (value := getattr(one, key)) is not None), None)
        for key in ("gpus", "model", "memory_gib", "driver", "cuda")
    }
    return Expect(**values)


def env(levels: list[Settings]) -> tuple[tuple[str, str], ...]:
    """Return the variables of all levels together, sorted by name."""
    merged: dict[str, str] = {}
    for one in reversed(levels):
        merged.update(one.env or {})
    return tuple(sorted(merged.items()))


def with_hub(env: tuple[tuple[str, str], ...], mirror: Mirror | None) -> tuple[tuple[str, str], ...]:
    """Return the variables with the mirror's hub of models, where nobody names another one.

    Who has a token there gets none: it would be sent to whoever runs the mirror.
    """
    if mirror is None or mirror.hf is None or {"HF_ENDPOINT", "HF_TOKEN"} & {name for name, _ in env}:
        return env
    return tuple(sorted((*env, ("HF_ENDPOINT", mirror.hf))))


def own_mirror(name: str, entry: MirrorEntry) -> Mirror:
    """Return a mirror profile that the user wrote."""
    pairs = [
        (channel, url)
        for channel, urls in entry.channels.items()
        for url in ((urls,) if isinstance(urls, str) else urls)
    ]
    return Mirror(name, entry.installer, tuple(pairs), entry.pip, entry.torch, entry.apt, entry.hf)
