"""The table of `docs/answers.md` is true, row by row, and so is that of answers which seem to say more."""

from pathlib import Path

import pytest

from answer_tables import Rule, rules
from evensight.questions import parse_answer
from evensight.questions.tasks import Question

RULES = rules(Path(__file__).parents[2] / "docs" / "answers.md")
DOUBTFUL = rules(Path(__file__).with_name("doubtful_answers.md"))


def test_the_tables_have_their_rows() -> None:
    assert len(RULES) >= 80
    assert len(DOUBTFUL) >= 300


@pytest.mark.parametrize("row", RULES, ids=[f"{k}" for k in range(len(RULES))])
def test_each_rule_of_the_page_is_true(row: Rule) -> None:
    assert parse_answer(row.answer, row.asked) == row.expected, row.rule


def test_answers_in_doubt_are_invalid_and_others_are_read() -> None:
    assert [row for row in DOUBTFUL if parse_answer(row.answer, row.asked) != row.expected] == []


def test_the_words_of_a_question_leave_doubt_where_it_is() -> None:
    for row in DOUBTFUL:
        assert not isinstance(row.asked, Question)
        text = f"Where is the red star? Choose from [{', '.join(row.asked)}]."
        question = Question("absolute-position", text, row.asked, row.asked[0])
        assert parse_answer(row.answer, question) == row.expected, row


@pytest.mark.parametrize("answer", ["The star is right.", "The red star is right", "It's right.", "It is right."])
def test_a_side_is_said_of_what_was_asked_for(answer: str) -> None:
    sides = ("left", "center", "right")
    text = "Where is the red star? Choose from [left, center, right]."
    assert parse_answer(answer, Question("column", text, sides, "left")) == "right"
    assert parse_answer(answer.replace("star", "caption").replace("It", "That"), sides) is None
