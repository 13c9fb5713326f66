"""What must hold for a host once a run has got there, whatever happened before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.lab.machine import wait_until

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Answer, Laptop
    from tests.lab.host import LabHost

BASE = ".provision/envs/mymodel/mymodel"
LITTER = r"\( -name '*.part' -o -name '*.new' -o -name .work -o -name '.condatmp*' -o -path '*/installing/*' \)"


def base(box: LabHost) -> str:
    """Return the folder of the environment's generations."""
    return f"{box.home}/{BASE}"


def current(box: LabHost) -> str:
    """Return the name of the current generation, empty where there is none."""
    return box.run(f"readlink {base(box)}/current").stdout.strip()


def works(box: LabHost) -> bool:
    """Whether the current generation imports what it is for."""
    return box.run(f"{base(box)}/current/bin/python -I -c 'import standin_alpha'", user=box.user).returncode == 0


def idle(box: LabHost, seconds: float = 30) -> None:
    """Wait until no process is left on the host; there must be none in the end."""
    wait_until(lambda: not box.processes(), f"processes are left: {box.processes()}", seconds)


def faults(box: LabHost, **knobs: object) -> None:
    """Tell the stand-in on the host what shall go wrong; nothing: all is well again."""
    file = "/etc/standin-faults.json"
    box.run(f"rm -f {file}; echo 0 >{file}.count; chmod 666 {file}.count", check=True)
    if knobs:
        (box.root / file.lstrip("/")).write_text(json.dumps(knobs))


def litter(box: LabHost) -> str:
    """Return what temporary files and unfinished things lie on the host."""
    found = box.run(f"find {box.home}/.provision {box.home}/.conda -mindepth 1 {LITTER} 2>/dev/null").stdout
    unmarked = box.run(f"for one in {base(box)}/*-*; do [ -f $one/.provision-generation.json ] || echo $one; done")
    return found + (unmarked.stdout if current(box) else "")


def gets_there(laptop: Laptop, box: LabHost, *, outcomes: tuple[str, ...] = ("changed", "converged")) -> Any:
    """Run `up` as a user does after a failure; the host must be whole and clean then. Return the JSON of the host."""
    up: Answer = laptop.type("up", box.name, "--json")
    assert up.code == 0, up
    told = up.document["hosts"][box.name]
    assert told["outcome"] in outcomes, up
    whole(laptop, box)
    return told


def whole(laptop: Laptop, box: LabHost) -> None:
    """The host is what its playbook says, and nothing that was half done is left."""
    verdict = laptop.type("verify", box.name)
    assert verdict.code == 0, verdict
    again: Answer = laptop.type("up", box.name, "--json")
    assert again.document["hosts"][box.name]["outcome"] == "converged", again
    assert works(box)
    assert litter(box) == ""
    assert box.run(f"test -e {base(box)}/{current(box)}/.provision-rejected").returncode == 1
    idle(box)
