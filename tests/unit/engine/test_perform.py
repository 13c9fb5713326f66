"""Steps over a link that breaks: what is followed is byte-exact, what is repeated is safe, what is secret is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.engine import perform
from provision.engine.perform import Lines, Performer, failed
from provision.engine.stop import Stop
from provision.errors import LinkLostError, StepFailedError, UnreachableError
from provision.events import CommandRan, LinkLost, StepOutput
from provision.model.plan import Detached, Finding, Program, Run, Severity, Step
from provision.remote import catalogue
from tests.unit.engine.model_host import LOG, STATE, DetachedStep, ModelHost
from tests.unit.engine.model_link import ModelLink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.events import Event

BYTES = len(LOG.encode())


class Told:
    """A performer on a host in memory, and what it said."""

    def __init__(self, host: ModelHost | None = None, cuts: Iterator[int] | None = None, piece: int = 7) -> None:
        self.events: list[Event] = []
        self.host = host or ModelHost()
        self.link = ModelLink(self.host, cuts=cuts or iter(()), piece=piece)
        self.regained = 0
        self.performer = Performer(self.link, self.events.append, Stop(), state_dir=STATE, regain=self._regain)

    def _regain(self) -> None:
        self.regained += 1

    @property
    def lines(self) -> list[str]:
        return [one.line for one in self.events if isinstance(one, StepOutput)]


def expected(log: str) -> list[str]:
    return [line for line in log.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]


def following(log: bytes, cuts: list[int], piece: int, code: int = 0) -> Told:
    # A link that breaks again and again without a byte is given up; these bring one each time.
    useful = [cut for number, cut in enumerate(cuts) if sum(cuts[:number]) < len(log)]
    told = Told(ModelHost(steps={"s": DetachedStep(log, code)}), iter(useful), piece)
    assert told.performer.follow("s") == (code, "\n".join(expected(log.decode("utf-8", "replace"))[-perform.TAIL :]))
    return told


@given(cuts=st.lists(st.integers(1, 150), max_size=12), piece=st.integers(1, 97), code=st.integers(0, 250))
def test_what_is_followed_is_the_log_whatever_links_break_meanwhile(cuts: list[int], piece: int, code: int) -> None:
    told = following(LOG.encode(), cuts, piece, code)
    assert told.lines == expected(LOG)
    assert told.regained == told.link.connections - 1 == len([one for one in told.events if isinstance(one, LinkLost)])


@given(
    log=st.text(st.characters(codec="utf-8", exclude_characters="\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=60),
    cuts=st.lists(st.integers(1, 9), max_size=8),
    piece=st.integers(1, 11),
)
def test_no_cut_splits_a_character_or_a_line_end(log: str, cuts: list[int], piece: int) -> None:
    # A break in the middle of a character, a CR LF, or a line must not show in what is told.
    assert following(log.encode(), cuts, piece).lines == expected(log)


def test_a_link_that_brings_nothing_new_is_given_up_after_a_few_tries() -> None:
    told = Told(ModelHost(steps={"s": DetachedStep(b"x" * 50, 0)}), iter([0] * 50))
    with pytest.raises(LinkLostError):
        told.performer.follow("s")
    assert told.link.connections == 1 + perform.TRIES


def test_a_slow_link_that_brings_something_each_time_is_never_given_up() -> None:
    told = following(b"x\n" * 40, [2] * 39, 7)
    assert told.link.connections == 40


def test_a_gone_link_during_a_followed_step_says_that_the_step_goes_on() -> None:
    told = Told(ModelHost(steps={"s": DetachedStep(b"x" * 50, 0)}), iter([9]))
    told.link.back = False
    with pytest.raises(UnreachableError) as caught:
        told.performer.follow("s")
    assert "did not come back" in caught.value.message
    assert caught.value.hint is not None
    assert "goes on" in caught.value.hint


def test_an_idempotent_command_is_repeated_a_few_times_and_every_try_is_logged() -> None:
    told = Told()
    told.link.cut = lambda _number, _program: "before"
    with pytest.raises(LinkLostError):
        told.performer.command(catalogue.write_record(STATE, "m", "r", "{}"))
    tries = [one for one in told.events if isinstance(one, CommandRan)]
    assert len(tries) == told.link.commands == perform.TRIES
    assert all(one.code is None for one in tries)


def test_only_the_last_lines_are_kept_for_the_cause() -> None:
    told = Told(ModelHost(steps={"s": DetachedStep(b"".join(b"line %d\n" % one for one in range(500)), 4)}), piece=4096)
    code, tail = told.performer.follow("s")
    assert code == 4
    assert tail.splitlines() == [f"line {one}" for one in range(500 - perform.TAIL, 500)]
    assert len(told.lines) == 500


def test_a_line_without_an_end_is_shown_before_it_fills_the_memory() -> None:
    shown: list[Event] = []
    lines = Lines(shown.append, ())
    for _ in range(40):
        lines.feed(b"x" * 8192)
    assert len(lines._part) <= 1 << 17
    lines.finish()
    assert sum(len(one.line) for one in shown if isinstance(one, StepOutput)) == 40 * 8192
    assert lines.bytes == 40 * 8192


def test_progress_bars_are_lines_and_empty_ones_are_not_shown() -> None:
    shown: list[Event] = []
    lines = Lines(shown.append, ())
    lines.feed(b"10%\r20%\r\n\n   \n30%\n")
    assert shown == [StepOutput("10%"), StepOutput("20%"), StepOutput("30%")]


def test_secrets_are_hidden_in_lines_in_the_cause_and_in_the_log() -> None:
    host = ModelHost()
    told = Told(host)
    program = Program("run_command.sh", ("/srv", "curl -H 'token: hunter22'"), secrets=("hunter22",))
    host.breaks["run_command.sh"] = (7, "rejected: hunter22\n")
    with pytest.raises(StepFailedError) as caught:
        told.performer.perform(Step("run it", "because", Detached(program)))
    told_all = repr((told.events, caught.value.message, caught.value.detail))
    assert "hunter22" not in told_all
    assert "rejected: ***" in told_all


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_secret_in_several_pieces_is_hidden_too(size: int) -> None:
    shown: list[Event] = []
    lines = Lines(shown.append, ("hunter22",))
    text = b"it is hunter22, yes\n"
    for at in range(0, len(text), size):
        lines.feed(text[at : at + size])
    assert shown == [StepOutput("it is ***, yes")]


@pytest.mark.parametrize("cut", range(1, len("hunter22")))
def test_a_silence_in_the_middle_of_a_secret_shows_no_part_of_it(cut: int) -> None:
    shown: list[Event] = []
    lines = Lines(shown.append, ("hunter22",))
    lines.feed(b"it is " + b"hunter22"[:cut])
    lines.end()
    lines.end()
    lines.feed(b"hunter22"[cut:] + b", yes\n")
    assert shown == [StepOutput("it is "), StepOutput("***, yes")]
    assert lines.tail == ["it is ", "***, yes"]


def test_what_only_began_like_a_secret_is_shown_with_what_follows() -> None:
    shown: list[Event] = []
    lines = Lines(shown.append, ("hunter22",))
    lines.feed(b"a hunt")
    lines.end()
    lines.feed(b"ing dog")
    lines.finish()
    assert shown == [StepOutput("a "), StepOutput("hunting dog")]


@pytest.mark.parametrize("secrets", [("hunter", "hunter22"), ("hunter22", "hunter")])
def test_a_secret_that_begins_with_another_one_leaves_nothing_readable(secrets: tuple[str, ...]) -> None:
    shown: list[Event] = []
    lines = Lines(shown.append, secrets)
    lines.feed(b"it is hunter")
    lines.end()
    lines.feed(b"22\n")
    assert shown == [StepOutput("it is "), StepOutput("***")]


@given(
    words=st.lists(st.sampled_from(["abab", "ab", "ba", "abc", "a", "c", "x"]), max_size=20),
    secrets=st.sampled_from([("abab",), ("abc", "bab"), ("aa", "abab"), ("caca",)]),
    cuts=st.sets(st.integers(0, 60)),
)
def test_no_secret_is_read_across_two_shown_pieces(words: list[str], secrets: tuple[str, ...], cuts: set[int]) -> None:
    text = "".join(words)
    told = []
    for pauses in (set(), cuts):
        shown: list[Event] = []
        lines = Lines(shown.append, secrets)
        for at, character in enumerate(text):
            if at in pauses:
                lines.end()
            lines.feed(character.encode())
        lines.finish()
        told.append("".join(one.line for one in shown if isinstance(one, StepOutput)))
    assert told[0] == told[1]
    assert not any(one in told[1] for one in secrets)


def test_a_secret_across_the_length_at_which_a_line_is_cut_is_hidden() -> None:
    shown: list[Event] = []
    lines = Lines(shown.append, ("hunter22",))
    lines.feed(b"x" * ((1 << 16) - 3) + b"hunt")
    lines.feed(b"er22 is it\n")
    told = "".join(one.line for one in shown if isinstance(one, StepOutput))
    assert told == "x" * ((1 << 16) - 3) + "*** is it"


def test_the_users_variables_reach_every_program_and_no_log() -> None:
    env = (("HF_ENDPOINT", "https://mirror.example/'x'"), ("HTTPS_PROXY", "http://me:hunter22@proxy:3128"))
    host, events, seen = ModelHost(), list[object](), list[Program]()
    run = host.run

    def watched(program: Program) -> tuple[int, bytes]:
        seen.append(program)
        return run(program)

    host.run = watched  # type: ignore[method-assign]
    performer = Performer(ModelLink(host), events.append, Stop(), state_dir=STATE, regain=lambda: None, env=env)
    performer.perform(Step("run it", "because", Detached(catalogue.run_command("/srv", "make"))))
    performer.command(catalogue.write_record(STATE, "m", "r", "{}"))
    assert {one.script: one.env for one in seen if one.script != "detach.sh"} == {
        "run_command.sh": env,
        "write_record.sh": env,
    }
    assert "hunter22" not in repr(events)


def test_a_host_where_another_step_runs_starts_no_second_one() -> None:
    told = Told(ModelHost(running="other"))
    with pytest.raises(StepFailedError) as caught:
        told.performer.perform(Step("build", "because", Detached(catalogue.run_command("/", "true"))))
    assert "another step still runs" in caught.value.message
    assert told.host.ran == ["detach.sh"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(251, "killed on the host, or the machine restarted"), (252, "no longer knows of it"), (9, "exit code 9: last")],
)
def test_how_a_step_ended_is_explained(code: int, words: str) -> None:
    error = failed("build", code, "first\nlast\n\n", None)
    assert error.message.startswith("build: ")
    assert words in error.message
    assert "\n" not in error.message


def test_a_silent_failure_says_so() -> None:
    assert failed("build", 1, "", None).message == "build: exit code 1: it printed nothing"


BAD = Finding("BAD", Severity.ERROR, "it is bad", "mend it")
ODD = Finding("ODD", Severity.WARNING, "it is odd")


@pytest.mark.parametrize(
    ("findings", "after", "fails"),
    [((), "on_pass", False), ((ODD,), "on_pass", False), ((ODD, BAD), "on_fail", True)],
    ids=["nothing", "a warning", "an error"],
)
def test_what_was_judged_is_recorded_or_rejected_by_its_errors_alone(
    findings: tuple[Finding, ...], after: str, fails: bool
) -> None:
    told = Told()
    action = Run(
        catalogue.run_command("/", "true"),
        judge=lambda _output: findings,
        on_pass=catalogue.write_record(STATE, "m", "on_pass", "{}"),
        on_fail=catalogue.write_record(STATE, "m", "on_fail", "{}"),
    )
    try:
        told.performer.perform(Step("check", "because", action, changed=False))
        failure = None
    except StepFailedError as error:
        failure = error
    assert list(told.host.records) == [after]
    assert told.performer.findings == list(findings)
    assert (failure is not None) is fails
    if failure is not None:
        assert (failure.message, failure.hint) == ("check: it is bad", "mend it")


def test_a_record_that_cannot_be_written_fails_the_step() -> None:
    told = Told(ModelHost(breaks={"write_record.sh": (73, "No space left on device")}))
    action = Run(
        catalogue.run_command("/", "true"), lambda _output: (), on_pass=catalogue.write_record(STATE, "m", "r", "{}")
    )
    with pytest.raises(StepFailedError, match="exit code 73"):
        told.performer.perform(Step("check", "because", action, changed=False))
