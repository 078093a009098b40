"""Thousands of answers that say nothing definite are never read, hundreds that do are read rightly, and quickly."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from composed_answers import ASKED, Asked, definite, fill, full_width, indefinite
from evensight.annotations import AREAS, Box, Frame
from evensight.questions import Outcome, parse_answer
from evensight.questions.parsing import outcome
from evensight.questions.tasks import Question

LONG = 10_000_000
asked_for = st.sampled_from(ASKED)


@pytest.mark.parametrize("seed", [0, 1])
def test_answers_that_name_no_one_option_are_invalid(seed: int) -> None:
    composed = list(indefinite(5000, seed))
    assert len(set(composed)) == 5000
    assert [(raw, asked.options) for asked, raw in composed if parse_answer(raw, asked.options) is not None] == []


def test_no_indefinite_answer_is_correct_whatever_the_right_one_is() -> None:
    for asked, raw in indefinite(500, 2):
        for answer in asked.options:
            question = Question("absolute-position", "Where is it?", asked.options, answer)
            assert outcome(raw, question, Box(0, 0, 1, 1), Frame(9, 9)) is Outcome.INVALID, raw


def test_answers_that_name_an_option_are_read() -> None:
    composed = list(definite())
    assert len({(asked, raw) for asked, raw, _ in composed}) > 1000
    assert [(raw, x) for asked, raw, x in composed if parse_answer(raw, asked.options) != x] == []


@given(asked_for, st.data())
def test_reading_what_was_read_changes_nothing(asked: Asked, data: st.DataObject) -> None:
    option = data.draw(st.sampled_from(asked.options))
    read = parse_answer(f"It is {option}.", asked.options)
    assert read == option
    assert parse_answer(option, asked.options) == option


@settings(max_examples=300)
@given(asked_for, st.integers(0, 10**6), st.sampled_from((str.upper, str.title, full_width, " {}\n".format)))
def test_case_width_and_white_space_change_nothing(asked: Asked, seed: int, change: type[str]) -> None:
    forms = ("{x}", "It is {at}{x}.", "not {x}", "{x} or {y}", "The answer is {x}.", "maybe {x}", "not {y}, {x}")
    rng = random.Random(seed)
    raw, _ = fill(rng.choice(forms), asked, rng)
    assert parse_answer(change(raw), asked.options) == parse_answer(raw, asked.options)


@given(asked_for, st.data())
def test_the_order_of_the_options_changes_nothing(asked: Asked, data: st.DataObject) -> None:
    options = data.draw(st.permutations(asked.options))
    raw = data.draw(st.sampled_from([f"It is {options[0]}", f"{options[0]}, not {options[1]}", f"{options[0]}?"]))
    assert parse_answer(raw, options) == parse_answer(raw, asked.options)


@given(st.text(max_size=200), st.sampled_from(AREAS))
def test_a_denied_option_is_never_read_whatever_follows(tail: str, area: str) -> None:
    assert parse_answer(f"It is not {area}.\n\n{tail}", AREAS) != area


@pytest.mark.parametrize(
    "unit",
    [
        "top left ",
        "<think>",
        "</think>",
        "(",
        "{",
        "[",
        "\n",
        " ",
        "~~",
        "<s>",
        "- ",
        "not ",
        "'",
        '{"answer":',
        "`",
        "\\",
    ],
)
def test_a_text_of_ten_megabytes_takes_less_than_a_second(unit: str) -> None:
    started = time.perf_counter()
    assert parse_answer(unit * (LONG // len(unit)), AREAS) is None
    for size in (500, 20_000):  # the longest text that is looked at closely
        parse_answer(unit * (size // len(unit)), AREAS)
    assert time.perf_counter() - started < 2.0  # a second, twice over for a machine with other work
