"""`provision doctor` typed on a machine without hosts: what it says of the project and of the machine."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from tests.unit.cli.typed import decoded
from tests.unit.venv.made import MadeVenv, make_venv

if TYPE_CHECKING:
    from tests.unit.cli.typed import Answer, Desk


def said(answer: Answer) -> dict[str, dict[str, Any]]:
    """Return each remark by the name of its check."""
    document = decoded(answer.out)
    return {one["check"]: one for section in document["sections"] for one in section["remarks"]}


def whole(desk: Desk) -> MadeVenv:
    """Give the project a venv, files and source that go together."""
    venv = make_venv(desk.project / ".venv")
    venv.add("numpy", "1.26.4", record="numpy/__init__.py", requested=True)
    venv.add("PyYAML", "6.0", record="yaml/__init__.py", requested=True)
    (desk.project / "requirements.txt").write_text("numpy==1.26.4\npyyaml\n")
    (desk.project / "environment.yml").write_text(
        "channels: [conda-forge]\ndependencies: [python=3.11, numpy=1.26, pyyaml]\n"
    )
    (desk.project / "train.py").write_text("import numpy\nimport yaml\n")
    return venv


def test_a_project_whose_files_go_together_is_well(desk: Desk) -> None:
    whole(desk)
    answer = desk.type("doctor", "--no-host")
    assert answer.code == 0, answer
    assert "problem" not in answer.out.replace("0 problems", "")
    assert ".venv (by .venv): Python 3.11.7, 2 packages" in answer.out
    assert "the venv has all 2 that requirements.txt asks for" in answer.out
    assert answer.err == ""


def test_advice_alone_ends_with_0_and_a_problem_with_5(desk: Desk) -> None:
    whole(desk)
    (desk.project / "requirements.txt").write_text(
        "numpy==1.26.4\npyyaml\nnvidia-cublas-cu12; sys_platform == 'win32'\n"
    )
    advice = desk.type("doctor", "--no-host", "--json")
    assert advice.code == 0, advice
    assert said(advice)["requirements-system"]["level"] == "advice"
    (desk.project / "train.py").write_text("import einops\n")
    problem = desk.type("doctor", "--no-host", "--json")
    assert problem.code == 5, problem
    assert decoded(problem.out)["exit_code"] == 5
    assert said(problem)["imports-undeclared"]["names"] == ["einops (train.py:1)"]


def test_each_problem_says_what_to_do_below_it(desk: Desk) -> None:
    whole(desk)
    (desk.project / "requirements.txt").write_text("numpy\npyyaml\neinops\n")
    lines = desk.type("doctor", "--no-host").out.splitlines()
    at = lines.index("  problem  not in the venv: einops")
    assert lines[at + 1].strip() == "-> .venv/bin/python -m pip install -r requirements.txt"


def test_a_folder_with_nothing_in_it_is_told_so(desk: Desk) -> None:
    answer = desk.type("doctor")
    assert answer.code == 0, answer
    assert "the project has no venv" in answer.out
    assert "neither requirements.txt nor environment.yml" in answer.out
    assert "no host was asked: there is no hosts.yaml" in answer.out


def test_among_several_hosts_without_a_default_none_is_guessed(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text(
        "version: 1\nhosts:\n  a: {address: 198.18.0.1}\n  b: {address: 198.18.0.2}\n"
    )
    answer = desk.type("doctor", "--json")
    assert answer.code == 0, answer
    assert decoded(answer.out)["hosts"] == {}
    assert "no host was asked" in said(answer)["hosts"]["text"]


def test_a_bad_hosts_yaml_is_an_error_of_usage(desk: Desk) -> None:
    (desk.project / "hosts.yaml").write_text("version: 1\nhots: {}\n")
    answer = desk.type("doctor")
    assert answer.code == 2
    assert "hosts.yaml:2: hots: unknown key" in answer.err


def test_a_host_without_an_inventory_and_a_host_with_no_host_are_refused(desk: Desk) -> None:
    assert desk.type("doctor", "gpu-box").code == 2
    both = desk.type("doctor", "gpu-box", "--no-host")
    assert both.code == 2
    assert "--no-host" in both.err


def test_a_bad_environment_yml_is_a_problem_and_the_rest_is_judged(desk: Desk) -> None:
    whole(desk)
    (desk.project / "environment.yml").write_text("dependencies: [python=3.11\n")
    answer = desk.type("doctor", "--no-host", "--json")
    assert answer.code == 5, answer
    assert "environment.yml:" in said(answer)["environment-unread"]["text"]
    assert said(answer)["requirements"]["level"] == "ok"


def test_another_venv_is_chosen_by_its_path(desk: Desk) -> None:
    whole(desk)
    other = make_venv(desk.home / "other")
    chosen = desk.type("doctor", "--no-host", "--json", "--venv", str(other.path))
    assert decoded(chosen.out)["venv"]["path"] == str(other.path)
    assert said(chosen)["requirements-missing"]["names"] == ["numpy==1.26.4", "pyyaml"]
    none = desk.type("doctor", "--no-host", "--venv", str(desk.home))
    assert none.code == 2
    assert "no venv" in none.err


def test_a_venv_whose_python_is_gone_is_a_problem_and_its_packages_are_read_all_the_same(desk: Desk) -> None:
    venv = whole(desk)
    (venv.path / "bin" / "python").unlink()
    (venv.path / "bin" / "python").symlink_to("/gone/python3.11")
    answer = desk.type("doctor", "--no-host", "--json")
    assert answer.code == 5, answer
    assert "/gone/python3.11, which is gone" in said(answer)["venv-broken"]["text"]
    assert said(answer)["requirements"]["level"] == "ok"


def test_broken_metadata_and_sources_are_told_by_name(desk: Desk) -> None:
    venv = whole(desk)
    (venv.site / "broken-1.dist-info").mkdir()
    (desk.project / "old.py").write_text("print 'x'\n")
    found = said(desk.type("doctor", "--no-host", "--json"))
    assert "broken-1.dist-info" in found["venv-records"]["text"]
    assert found["source-unread"]["text"].startswith("old.py:1: ")
    assert found["source-unread"]["level"] == "advice"


def test_hostile_names_move_nothing_on_the_screen(desk: Desk) -> None:
    venv = whole(desk)
    info = venv.site / "evil-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: evil\x1b[2J\nVersion: 1\x07\n\n")
    (info / "REQUESTED").write_text("")
    (desk.project / "requirements.txt").write_text("numpy==1.26.4\npyyaml\n\x1b]0;x\x07\n")
    (desk.project / "a\x1b[31m.py").write_text("import ei\n")
    answer = desk.type("doctor", "--no-host")
    assert "\x1b" not in answer.out
    assert "\x07" not in answer.out
    document = desk.type("doctor", "--no-host", "--json")
    assert decoded(document.out)["exit_code"] == 5


def test_what_git_ignores_and_what_stands_in_environments_is_no_source(desk: Desk) -> None:
    whole(desk)
    (desk.project / ".git").rmdir()
    for folder in ("data", "conda", ".hidden"):
        (desk.project / folder).mkdir()
        (desk.project / folder / "a.py").write_text(f"import from_{folder.strip('.')}\n")
    (desk.project / "conda" / "conda-meta").mkdir()
    walked = desk.type("doctor", "--no-host", "--json")
    assert said(walked)["imports-undeclared"]["names"] == ["from_data (data/a.py:1)"]
    (desk.project / ".gitignore").write_text("data/\n.hidden/\n")
    subprocess.run(["git", "init", "-q", str(desk.project)], check=True)
    by_git = desk.type("doctor", "--no-host", "--json")
    assert said(by_git)["imports"]["level"] == "ok", by_git


def test_nothing_is_written_in_the_project(desk: Desk) -> None:
    whole(desk)
    before = sorted(str(one) for one in desk.project.rglob("*"))
    desk.type("doctor", "--no-host")
    assert sorted(str(one) for one in desk.project.rglob("*")) == before


def test_the_help_is_shown_without_a_project(desk: Desk) -> None:
    answer = desk.type("doctor", "--help")
    assert answer.code == 0
    assert "venv for light local work, conda for CUDA and system libraries" in answer.out
