"""What clouds answered, kept for a while below the XDG cache folder; it holds no secret."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.clouds.instance import Instance, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.clouds.query import Query

FORMAT = 1
WHOSE = (
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_EC2",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "ALIBABA_CLOUD_PROFILE",
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALIBABA_CLOUD_REGION_ID",
)
"""Variables that tell whose account is asked: another one has answers of its own. None of them is a secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The instances of one region, as they were at a time."""

    region: str
    at: float
    """Seconds since the epoch."""
    instances: tuple[Instance, ...]


class Kept:
    """The answers to one question."""

    def __init__(self, environ: Mapping[str, str], query: Query) -> None:
        base = environ.get("XDG_CACHE_HOME")
        home = Path(base) if base and Path(base).is_absolute() else Path(environ.get("HOME", "/")) / ".cache"
        whose = json.dumps([environ.get(one, "") for one in WHOSE])
        self.path = home / "provision/clouds" / f"{query.cloud}-{query.digest(whose)}.json"

    def read(self) -> tuple[Answer, ...]:
        """Return what is kept; nothing where there is none, or it cannot be read."""
        try:
            value = json.loads(self.path.read_text(encoding="utf-8"))
            if value["format"] != FORMAT:
                return ()
            return tuple(
                Answer(region, float(one["at"]), tuple(from_json(held) for held in one["instances"]))
                for region, one in value["regions"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return ()

    def write(self, answers: Sequence[Answer]) -> None:
        """Keep answers; where the folder cannot be written nothing is kept, and the next command asks again."""
        regions = {
            one.region: {"at": one.at, "instances": [to_json(held) for held in one.instances]} for one in answers
        }
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".new-")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    json.dump({"format": FORMAT, "regions": regions}, stream, separators=(",", ":"))
                Path(name).replace(self.path)
            except OSError:
                Path(name).unlink(missing_ok=True)
