"""What is asked before a sync goes out, and what a no says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provision.cli.consent import Consent
from provision.cli.sync import _parse
from provision.cli.typed_again import agreeing, options_typed
from provision.errors import UsageError
from provision.model.sync import SyncPlan
from provision.tree.listing import scan_tree
from provision.tree.state import TreeState

if TYPE_CHECKING:
    from pathlib import Path

    from provision.tree.listing import Scan

REMOVAL = "30 files, more than half of what syncs put on box, would be removed there"
GONE = tuple(f"gone{number:02}.py" for number in range(30))


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    (tmp_path / "project").mkdir()
    for name in (".env", "id_rsa", "train.py"):
        (tmp_path / "project" / name).write_text("x")
    return scan_tree(tmp_path / "project")


def consent(tmp_path: Path, *words: str, **how: Any) -> Consent:
    asked = _parse("sync", list(words))
    return Consent(TreeState(tmp_path / "state"), how.get("ask"), yes=asked.yes, agreeing=agreeing("sync", asked))


def plan(*sent: str, removed: tuple[str, ...] = ()) -> SyncPlan:
    return SyncPlan("/t", 3, sent, removed, 1, had=40)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (plan(".env"), "nothing was sent without a yes: 1 file to send looks like a secret", "sends it"),
        (plan(".env", "id_rsa"), "nothing was sent without a yes: 2 files to send look like secrets", "sends them"),
        (plan("train.py", removed=GONE), f"nothing was changed on box without a yes: {REMOVAL}", "removes them"),
    ],
)
def test_a_refusal_says_what_did_not_happen_and_what_a_yes_does(
    tmp_path: Path, scan: Scan, change: SyncPlan, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        consent(tmp_path, "box").approve("box", change, scan)
    assert refused.value.message == message
    assert refused.value.hint == f"provision sync box --yes   ({hint} all the same)"


def test_two_questions_at_once_are_both_named(tmp_path: Path, scan: Scan) -> None:
    it = consent(tmp_path)
    with pytest.raises(UsageError) as refused:
        it.approve("box", plan(".env", removed=GONE), scan)
    assert "looks like a secret; 30 files, more than half" in refused.value.message
    assert refused.value.hint == "provision sync --yes   (goes on all the same)"
    assert [one.paths for one in it.refused["box"]] == [(".env",), GONE]


def test_a_no_at_the_terminal_is_remembered_for_what_is_told(tmp_path: Path, scan: Scan) -> None:
    it = consent(tmp_path, ask=lambda _: "n")
    with pytest.raises(UsageError, match="nothing was sent: 1 file"):
        it.approve("box", plan(".env"), scan)
    assert [one.paths for one in it.refused["box"]] == [(".env",)]
    it.approve("box", plan("train.py"), scan)
    assert it.refused == {}


def test_a_question_is_foreseen_unless_it_is_answered_already(tmp_path: Path, scan: Scan) -> None:
    change = plan(".env", removed=GONE)
    secret, removal = consent(tmp_path).foresee("box", change, scan)
    assert secret.lines[:2] == ("1 file to send looks like a secret:", "  .env  (variables by its name)")
    assert removal.says.startswith("30 files, more than half")
    assert consent(tmp_path, "--yes").foresee("box", change, scan) == ()
    consent(tmp_path, "--yes").approve("box", change, scan)
    assert [one.says for one in consent(tmp_path).foresee("box", change, scan)] == [removal.says]


def test_a_command_to_type_next_has_all_that_was_typed() -> None:
    flags = ("-v", "--watch", "--take-over", "--checksum", "--wait", "--fail-fast")
    asked = _parse("sync", ["box", "!den", "-i", "other.yaml", "--host-keys", "strict", "--forks", "3", *flags])
    assert agreeing("sync", asked) == (
        "provision sync box '!den' -i other.yaml --host-keys strict --watch --take-over --checksum --wait --fail-fast "
        "--verbose --forks 3 --yes"
    )
    assert options_typed(asked, without=frozenset({"watch", "verbose"}))[1:3] == ("--host-keys strict", "--take-over")
    assert agreeing("sync", _parse("sync", ["--yes"])) == "provision sync --yes"
