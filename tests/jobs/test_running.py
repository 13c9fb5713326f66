"""`provision run` as a user types it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.jobs.place import interrupt, until

if TYPE_CHECKING:
    from tests.jobs.place import Place

pytestmark = pytest.mark.lab


def test_a_job_s_streams_stay_apart_and_its_exit_code_is_passed_on(place: Place) -> None:
    answer = place.shell("echo out; echo err >&2; exit 7")
    assert answer.code == 7, answer
    assert answer.out == "out\n"
    lines = answer.err.splitlines()
    assert lines[0] == f"box (ubuntu@{place.host.address}:22): ~/work/mymodel"
    assert "err" in lines
    assert "failed" in lines[-1], answer


def test_the_project_is_synced_first_and_the_job_runs_in_a_snapshot_of_it(place: Place) -> None:
    answer = place.run("--", "sh", "-c", "cat train.py; pwd; echo made >new.txt")
    assert answer.code == 0, answer
    text, folder = answer.out.splitlines()
    assert text == "print('one')"
    assert folder.startswith("/home/ubuntu/work/mymodel/.provision/snapshots/")
    assert place.read(f"{folder}/new.txt") == b"made\n"
    assert not (place.host.root / "home/ubuntu/work/mymodel/new.txt").exists()


def test_a_sync_while_a_job_runs_changes_nothing_under_it(place: Place) -> None:
    job = place.detached("sleep 3; cat train.py; ls")
    (place.project / "train.py").write_text("print('two')\n")
    (place.project / "more.py").write_text("more\n")
    assert place.desk.type("sync").code == 0
    assert place.read("/home/ubuntu/work/mymodel/more.py") == b"more\n"
    answer = place.desk.type("logs", "-f", job)
    assert answer.out == "print('one')\ntrain.py\n", answer


def test_in_place_runs_in_the_project_s_own_folder(place: Place) -> None:
    answer = place.run("--in-place", "--", "pwd")
    assert answer.out == "/home/ubuntu/work/mymodel\n", answer


def test_what_else_the_host_has_is_seen_and_shared_folders_are_one(place: Place) -> None:
    assert place.desk.type("sync").code == 0
    place.on_host("cd ~/work/mymodel && mkdir -p data && echo 1,2 >data/set.csv")
    (place.project / "provision.yaml").write_text("persist: [checkpoints/]\n")
    answer = place.shell("cat data/set.csv; echo weights >checkpoints/model.pt")
    assert (answer.code, answer.out) == (0, "1,2\n"), answer
    assert place.read("/home/ubuntu/work/mymodel/checkpoints/model.pt") == b"weights\n"


def test_a_job_runs_in_the_folder_that_the_user_is_in(place: Place) -> None:
    (place.project / "experiments").mkdir()
    (place.project / "experiments" / "one.txt").write_text("here\n")
    answer = place.desk.type("run", "--", "cat", "one.txt", cwd=place.project / "experiments")
    assert (answer.code, answer.out) == (0, "here\n"), answer
    answer = place.run("--cwd", "experiments", "--", "cat", "one.txt")
    assert (answer.code, answer.out) == (0, "here\n"), answer
    missing = place.run("--cwd", "nowhere", "--", "true")
    assert missing.code == 4, missing
    assert "nowhere" in missing.err


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(place: Place) -> None:
    process = place.start("run", "--", "sh", "-c", "echo begun; sleep 4; echo done")
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    code, _, err = interrupt(process)
    assert code == 130, err
    job = next(iter(place.jobs()))
    assert f"provision logs -f {job}" in err
    answer = place.desk.type("logs", "-f", "last")
    assert (answer.code, answer.out) == (0, "begun\ndone\n"), answer


def test_a_detached_job_is_named_on_stdout_and_found_by_its_name(place: Place) -> None:
    job = place.detached("echo hello; exit 3", "--name", "baseline")
    told = place.until_state(job, "exited")
    assert (told["name"], told["exit_code"], told["host"]) == ("baseline", 3, "box")
    assert place.desk.type("logs", "baseline").out == "hello\n"
    assert place.desk.type("logs", job[:4]).out == "hello\n"


def test_a_job_that_is_stopped_is_told_as_such(place: Place) -> None:
    job = place.detached("sleep 1000")
    answer = place.desk.type("stop", job)
    assert answer.code == 0, answer
    assert place.state(job) == "stopped"
    assert place.processes_of(job) == []


def test_a_job_is_stopped_when_its_time_is_over(place: Place) -> None:
    answer = place.shell("sleep 1000", "--max-time", "1s")
    assert answer.code != 0, answer
    assert next(iter(place.jobs().values()))["state"] == "stopped"


def test_the_command_s_death_by_a_signal_is_128_and_its_number(place: Place) -> None:
    answer = place.shell("kill -SEGV $$")
    assert answer.code == 128 + 11, answer


def test_a_command_that_is_not_there_is_told_in_one_line(place: Place) -> None:
    answer = place.run("--", "no-such-program", "x")
    assert answer.code == 127, answer
    assert "no-such-program" in answer.err
    assert "no conda environment" in answer.err, "it is said what the command may have been looked for in"
    assert "provision up box" in answer.err


def test_of_two_jobs_with_one_name_the_newer_one_is_meant_and_that_is_said(place: Place) -> None:
    first = place.detached("echo first", "--name", "baseline")
    answer = place.shell("echo second", "--name", "baseline")
    assert answer.code == 0, answer
    assert f"'baseline' means this job from now on; the one before is {first}" in answer.err
    assert place.desk.type("logs", "baseline").out == "second\n"
    assert place.desk.type("logs", first).out == "first\n"


def test_a_misspelt_word_behind_jobs_gets_the_one_that_was_meant(place: Place) -> None:
    answer = place.desk.type("jobs", "shw", "last")
    assert (answer.code, "did you mean 'show'?" in answer.err) == (2, True), answer
    place.shell("true", "--name", "baseline")
    answer = place.desk.type("jobs", "baseline")
    assert (answer.code, "provision jobs show baseline" in answer.err) == (2, True), answer


def test_variables_reach_the_job(place: Place) -> None:
    (place.project / "job.env").write_text("# for the job\nexport B='two words'\nC=3\n")
    (place.project / "provision.yaml").write_text("secrets: [TOKEN, ABSENT]\n")
    answer = place.shell("true", "--env", "A=1", "--secret", "OTHER")
    assert answer.code == 2, answer
    assert "OTHER" in answer.err
    answer = place.desk.type(
        *("run", "--yes", "--env", "A=1", "--env-file", "job.env", "--env", "HERE"),
        *("--", "sh", "-c", 'echo "$A|$B|$C|$TOKEN|$HERE"'),
        TOKEN="hidden-value",
        HERE="there",
    )
    assert (answer.code, answer.out) == (0, "1|two words|3|hidden-value|there\n"), answer
    assert "ABSENT" in answer.err


def test_the_record_says_what_ran(place: Place) -> None:
    assert place.run("--", "true").code == 0
    (told,) = place.jobs().values()
    assert told["command"] == ["true"]
    assert told["state"] == "exited"
    assert told["exit_code"] == 0
    assert told["ended"] >= told["started"]
    record = told["record"]
    assert record["tree"] == "/home/ubuntu/work/mymodel"
    assert len(record["tree_id"]) == 64
    assert record["user"] == "ubuntu"


def test_the_document_has_the_job(place: Place) -> None:
    answer = place.run("--json", "--", "sh", "-c", "echo text; exit 5")
    assert answer.code == 5, answer
    shown = json.loads(answer.out)
    assert shown["exit_code"] == 5
    host = shown["hosts"]["box"]
    assert host["state"] == "exited"
    assert host["job"] in place.jobs()
    assert "text" in answer.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("box", "python", "train.py", "--epochs", "3"), "provision run box -- python train.py --epochs 3"),
        (("python", "train.py"), "provision run -- python train.py"),
        (("--detach", "box", "nvidia-smi"), "provision run --detach box -- nvidia-smi"),
        (("--name", "x", "box"), "provision run --name x box -- COMMAND"),
    ],
)
def test_a_forgotten_dash_dash_gets_the_line_to_type(place: Place, words: tuple[str, ...], meant: str) -> None:
    answer = place.run(*words)
    assert answer.code == 2
    assert answer.err.splitlines()[-1].endswith(meant), answer


def test_progress_bars_arrive_as_they_are(place: Place) -> None:
    answer = place.shell(r"printf 'step 1\rstep 2\rstep 3\na\000b' >&2", "--json")
    assert answer.code == 0, answer
    job = json.loads(answer.out)["hosts"]["box"]["job"]
    assert place.read(f"{place.folder(job)}/log") == b"step 1\rstep 2\rstep 3\na\0b"


def test_a_log_is_tailed_and_read_from_a_time_on(place: Place) -> None:
    job = place.detached("seq 1 1000; sleep 3; echo late")
    place.until_state(job, "exited")
    assert place.desk.type("logs", job, "--tail", "2").out == "1000\nlate\n"
    assert place.desk.type("logs", job, "--since", "2s").out in {"late\n", ""}
    assert place.desk.type("logs", job, "--since", "1h").out.count("\n") == 1001


def test_removing_a_job_says_what_goes_and_leaves_the_others(place: Place) -> None:
    first = place.detached("echo made >kept.txt")
    second = place.detached("sleep 1000")
    place.until_state(first, "exited")
    refused = place.desk.type("jobs", "rm", second, "--yes")
    assert refused.code != 0, refused
    unasked = place.desk.type("jobs", "rm", first)
    assert unasked.code == 2, unasked
    assert "kept.txt" in unasked.out + unasked.err
    removed = place.desk.type("jobs", "rm", first, "--yes")
    assert removed.code == 0, removed
    assert list(place.jobs()) == [second]
    assert place.desk.type("stop", second).code == 0


def test_what_a_job_made_is_pulled(place: Place) -> None:
    (place.project / "src").mkdir()
    (place.project / "src" / "model.py").write_text("model\n")
    text = "mkdir -p out/deep; echo weights >out/deep/model.pt; echo changed >src/model.py; rm train.py"
    job = place.detached(text)
    place.until_state(job, "exited")
    answer = place.desk.type("pull", job, "got/")
    assert answer.code == 0, answer
    top = place.project / "got" / job
    found = sorted(str(one.relative_to(top)) for one in top.rglob("*") if one.is_file())
    assert found == ["out/deep/model.pt", "src/model.py"]
    answer = place.desk.type("pull", f"{job}:out/deep", "there/")
    assert answer.code == 0, answer
    assert (place.project / "there" / "deep" / "model.pt").read_text() == "weights\n"


def test_a_job_that_made_nothing_has_nothing_to_pull(place: Place) -> None:
    job = place.detached("true")
    place.until_state(job, "exited")
    answer = place.desk.type("pull", job)
    assert answer.code == 4, answer
    assert "made no files" in answer.err


def test_a_host_without_the_environment_says_what_to_do(place: Place) -> None:
    (place.project / "environment.yml").write_text("name: mymodel\ndependencies: [python]\n")
    answer = place.run("--", "python", "train.py")
    assert answer.code == 4, answer
    assert "provision up box" in answer.err
    assert place.jobs() == {}


def test_a_job_outlives_the_client_s_death(place: Place) -> None:
    process = place.start("run", "--", "sh", "-c", "echo begun; sleep 2; echo done; exit 9")
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.kill()
    process.communicate()
    job = next(iter(place.jobs()))
    told = place.until_state(job, "exited")
    assert told["exit_code"] == 9
    until(lambda: place.processes_of(job) == [], "something of it is left")
    assert place.desk.type("logs", job).out == "begun\ndone\n"


def test_two_jobs_run_beside_each_other(place: Place) -> None:
    begun = time.time()
    jobs = [place.detached("sleep 1; echo done") for _ in range(3)]
    assert len(set(jobs)) == 3
    for job in jobs:
        assert place.until_state(job, "exited")["started"] >= begun - 60
