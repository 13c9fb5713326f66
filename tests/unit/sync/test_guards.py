from __future__ import annotations

import pytest

from provision.sync.guards import (
    Answers,
    ignore_line,
    largest,
    question_lines,
    removal_concern,
    secret_concern,
    size_concerns,
)
from provision.sync.sizes import files, sized

MB = 1_000_000


def test_a_yes_to_a_secret_holds_for_that_file_alone() -> None:
    first = secret_concern({".env": "variables"}, Answers())
    assert first is not None
    answers = first.agreed(Answers())
    assert secret_concern({".env": "variables"}, answers) is None
    again = secret_concern({".env": "variables", "id_rsa": "a private key"}, answers)
    assert again is not None
    assert again.lines == ("id_rsa  (a private key)",)
    assert again.ignore == ("/id_rsa",)


def test_a_large_tree_is_asked_about_once_and_again_when_it_grew_by_half() -> None:
    (concern,) = size_concerns({"data/a.bin": 300 * MB, "train.py": 10}, Answers())
    assert "300 MB" in concern.says
    assert concern.lines[0] == "data/  (300 MB, 1 file)"
    assert concern.ignore == ("/data/",)
    answers = concern.agreed(Answers())
    assert size_concerns({"data/a.bin": 440 * MB}, answers) == ()
    assert len(size_concerns({"data/a.bin": 460 * MB}, answers)) == 1


def test_many_files_are_asked_about_whatever_their_size() -> None:
    (concern,) = size_concerns({f"cache/x/{number}": 0 for number in range(50_001)}, Answers())
    assert "50,001 files" in concern.says
    assert concern.ignore == ("/cache/x/",)
    assert size_concerns({str(number): 0 for number in range(50_000)}, Answers()) == ()


@pytest.mark.parametrize(
    ("removed", "left", "had", "asked"),
    [
        (11, 10, 21, True),
        (11, 11, 22, False),
        (10, 1, 11, False),
        (1, 0, 1, True),
        (0, 0, 0, False),
        (11, 12, 11, True),
    ],
)
def test_removing_more_than_half_or_everything_is_asked_about(removed: int, left: int, had: int, asked: bool) -> None:
    concern = removal_concern("box", [str(number) for number in range(removed)], left, had)
    assert (concern is not None) is asked


def test_the_inner_folder_is_named_where_it_holds_nearly_all() -> None:
    parts = largest({"a/b/1": 90, "a/c": 5, "z": 5})
    assert parts[0] == ("a/b/", 90, 1)


def test_an_ignore_line_means_this_path_alone() -> None:
    assert ignore_line("a b/[x]*.py") == "/a\\ b/\\[x\\]*.py".replace("\\]*", "]\\*")
    assert ignore_line("a\nb") == "/a?b"


def test_a_long_list_is_cut_and_counted() -> None:
    concern = secret_concern({f"{number:02}.env": "variables" for number in range(20)}, Answers())
    assert concern is not None
    lines = question_lines([concern])
    assert lines[0] == "20 files to send look like secrets:"
    assert lines[11] == "  ... and 10 more"
    assert "to leave them out, add to .provisionignore:" in lines


def test_a_list_is_never_cut_without_a_word() -> None:
    for count in range(1, 20):
        concern = removal_concern("box", [f"{number:02}" for number in range(count)], 0, count)
        assert concern is not None
        _, *lines = question_lines([concern])
        hidden = int(lines.pop().split()[2]) if "more" in lines[-1] else 0
        assert len(lines) + hidden == count


def test_a_removal_is_told_as_one_and_of_what_syncs_put_there() -> None:
    some = removal_concern("box", [str(number) for number in range(20)], 5, 25)
    everything = removal_concern("box", ["a"], 0, 1)
    assert some is not None
    assert everything is not None
    assert some.says == "20 files, more than half of what syncs put on box, would be removed there"
    assert (some.yes, everything.yes) == ("removes them", "removes it")
    assert everything.says == "every file that syncs put on box would be removed there"


@pytest.mark.parametrize("value", [None, [], {"secrets": 3, "bytes": "x", "files": None}, {"secrets": [1]}])
def test_answers_that_are_damaged_are_none(value: object) -> None:
    assert Answers.of(value) == Answers()


def test_answers_come_back_as_they_went() -> None:
    answers = Answers(frozenset({"a", "b"}), 5, 6)
    assert Answers.of(answers.as_json()) == answers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_960, "10 kB"),
        (999_700, "1.0 MB"),
        (118 * MB, "118 MB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_bytes_are_shown_in_decimal_units(number: int, text: str) -> None:
    assert sized(number) == text


def test_files_are_counted_with_commas() -> None:
    assert (files(1), files(20_000)) == ("1 file", "20,000 files")
