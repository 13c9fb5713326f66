"""The Python of the venv judged against that of environment.yml, and its standard library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.matchspec import parse
from provision.venv.remark import Remark, advice, ok, problem
from provision.venv.stdlib import NEEDED, base_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.environment.matchspec import MatchSpec
    from provision.environment.spec import EnvironmentSpec
    from provision.venv.place import Venv


def judge_python(venv: Venv, specs: Sequence[EnvironmentSpec]) -> Iterator[Remark]:
    """Yield how the venv's Python goes with what the environment files ask for, and what it lacks."""
    if venv.version is None:
        yield advice("python-unknown", f"{venv.path.name}: its pyvenv.cfg does not say which Python it has")
        return
    contradicted = False
    for spec in specs:
        asked = next((one for text in spec.dependencies if (one := _python(text)) is not None), None)
        if asked is not None and not asked.accepts_version(_whole(venv.version)):
            contradicted = True
            yield advice(
                "python-differs",
                f"Python {venv.version} here, {spec.source} asks for {asked.text}",
                "what runs here may fail there: make the venv with that Python, or ask for this one in the file",
            )
    if specs and not contradicted:
        yield ok("python", f"Python {venv.version}, as the environment asks")
    yield from _stdlib(venv)


def _stdlib(venv: Venv) -> Iterator[Remark]:
    base = base_python(venv.home, venv.series) if venv.home is not None and venv.series is not None else None
    if base is None:
        return
    missing = base.missing()
    if missing:
        packages = " ".join(NEEDED[one] for one in missing)
        yield problem(
            "python-stdlib",
            f"{base.executable} was built without {', '.join(missing)}: what imports them fails here",
            f"install {packages} (as Debian calls them), build that Python again, and make the venv anew",
            missing,
        )
    else:
        yield ok("python-stdlib", f"its standard library is whole ({', '.join(NEEDED)})")


def _whole(version: str) -> str:
    """Return a version with three numbers: pyvenv.cfg of some tools has two, and `3.11` alone is below `3.11.4`."""
    return version if version.count(".") > 1 else f"{version}.99"


def _python(text: str) -> MatchSpec | None:
    try:
        one = parse(text)
    except ValueError:
        return None
    return one if one.name == "python" and one.version is not None else None
