"""`provision run` in an environment that `up` built, as a user types it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

BASE = "/home/ubuntu/.provision/envs/mymodel/mymodel"
SHOW = """
import json, os, sys
import standin_alpha
names = ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "GREETING", "ACTIVATED", "PYTHONUNBUFFERED")
print(json.dumps({"prefix": sys.prefix, "alpha": standin_alpha.__version__, "first": os.environ["PATH"].split(":")[0],
                  **{name: os.environ.get(name) for name in names}}))
"""


@pytest.fixture
def box(lab: Lab, laptop: Laptop) -> LabHost:
    """A host that is what its playbook says, and a project under git."""
    host = lab.host("gpu-box")
    laptop.hosts([host])
    laptop.environment_yml("python", "pip", "standin-alpha=1", variables={"GREETING": 'it\'s "me" $HOME'})
    (laptop.project / "show.py").write_text(SHOW)
    (laptop.project / ".gitignore").write_text("hosts.yaml\nplaybooks/\n")
    subprocess.run(["git", "init", "-q", str(laptop.project)], check=True)
    answer = laptop.type("up")
    assert answer.code == 0, answer
    return host


def test_a_job_runs_in_the_environment_as_if_it_were_activated(box: LabHost, laptop: Laptop) -> None:
    generation = box.run(f"readlink {BASE}/current").stdout.strip()
    scripts = f"{BASE}/{generation}/etc/conda/activate.d"
    text = 'ACTIVATED="$CONDA_PREFIX"; export ACTIVATED; words=(one two); echo ${#words[@]} >&2'
    box.run(f"mkdir -p {scripts} && cat >{scripts}/one.sh", user="ubuntu", stdin=text, check=True)
    answer = laptop.type("run", "--", "python", "show.py")
    assert answer.code == 0, answer
    prefix = f"{BASE}/{generation}"
    assert json.loads(answer.out) == {
        "prefix": prefix,
        "alpha": "1.1",
        "first": f"{prefix}/bin",
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": "mymodel",
        "GREETING": 'it\'s "me" $HOME',
        "ACTIVATED": prefix,
        "PYTHONUNBUFFERED": "1",
    }
    assert generation in answer.err
    told = json.loads(laptop.type("jobs", "--json").out)["jobs"][0]
    assert told["record"]["environment"]["generation"] == generation
    assert len(told["record"]["environment"]["digest"]) == 64


def test_a_changed_environment_file_is_told_and_up_brings_it_there_first(box: LabHost, laptop: Laptop) -> None:
    laptop.environment_yml("python", "pip", "standin-alpha=2")
    stale = laptop.type("run", "--", "python", "-c", "import standin_alpha as a; print(a.__version__)")
    assert (stale.code, stale.out) == (0, "1.1\n"), stale
    assert "environment.yml changed since the last `up` of gpu-box" in stale.err
    fresh = laptop.type("run", "--up", "--", "python", "-c", "import standin_alpha as a; print(a.__version__)")
    assert (fresh.code, fresh.out) == (0, "2.0\n"), fresh
    assert "changed since" not in fresh.err
    assert box.run(f"readlink {BASE}/current").stdout.startswith("2-")


def test_a_later_up_does_not_change_a_running_job(box: LabHost, laptop: Laptop) -> None:
    text = "import time; time.sleep(25); import standin_alpha as a; print(a.__version__)"
    job = laptop.type("run", "--detach", "--", "python", "-c", text).out.strip()
    laptop.environment_yml("python", "pip", "standin-alpha=2")
    assert laptop.type("up").code == 0
    answer = laptop.type("logs", "-f", job)
    assert (answer.code, answer.out) == (0, "1.1\n"), answer
    assert box.run(f"readlink {BASE}/current").stdout.startswith("2-")


def test_an_environment_of_another_name_is_refused_with_those_there_are(box: LabHost, laptop: Laptop) -> None:
    del box
    answer = laptop.type("run", "--environment", "eval", "--", "true")
    assert answer.code == 2, answer
    assert "mymodel" in answer.err
