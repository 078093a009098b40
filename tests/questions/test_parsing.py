import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import AREAS
from evensight.questions.parsing import Outcome, outcome, parse_answer

SIDES = ("left", "right", "top left", "stop")


@pytest.mark.parametrize("area", AREAS)
def test_an_area_by_its_name_is_that_area(area: str) -> None:
    assert parse_answer(area, AREAS) == area


@pytest.mark.parametrize(
    ("raw", "area"),
    [
        ("Top Left", "top left"),
        ("TOP LEFT.", "top left"),
        ("Top-Left.", "top left"),
        ("top_left", "top left"),
        ("top\n left", "top left"),
        ("  center  ", "center"),
        ("**center**", "center"),
        ("It is in the center right area.", "center right"),
        ("[bottom center]", "bottom center"),
        ('"bottom right"', "bottom right"),
        ("top left, top left", "top left"),
        ("The answer: top center", "top center"),
        ("center\u200b", "center"),
    ],
)
def test_case_punctuation_and_words_around_do_not_matter(raw: str, area: str) -> None:
    assert parse_answer(raw, AREAS) == area


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "...",
        "left",
        "top",
        "middle",
        "the red circle",
        "centered",
        "epicenter",
        "topleft",
        "stop left",
        "top lefty",
        "center2",
    ],
)
def test_text_that_names_no_area_is_no_answer(raw: str) -> None:
    assert parse_answer(raw, AREAS) is None


@pytest.mark.parametrize(
    "raw",
    [
        "top left or top right",
        "center, center left",
        "not the center but the top left",
        ", ".join(AREAS),
        "top left top right",
    ],
)
def test_text_that_names_two_areas_is_no_answer(raw: str) -> None:
    assert parse_answer(raw, AREAS) is None


def test_names_that_share_a_word_are_two_areas() -> None:
    # "top center" and "center left" both stand in the text; reading either would be a guess.
    assert parse_answer("top center left", AREAS) is None


def test_the_longest_option_counts() -> None:
    assert parse_answer("top left", SIDES) == "top left"
    assert parse_answer("left", SIDES) == "left"
    assert parse_answer("top right", SIDES) == "right"


def test_an_option_inside_a_word_does_not_count() -> None:
    assert parse_answer("stop left", ("top left", "left")) == "left"
    assert parse_answer("stop left", ("top left",)) is None


def test_options_with_signs_in_them_are_taken_literally() -> None:
    assert parse_answer("it is a+b", ("a+b", "a.b")) == "a+b"
    assert parse_answer("aab", ("a+b", "a.b")) is None


def test_the_order_of_the_options_does_not_matter() -> None:
    for options in (AREAS, AREAS[::-1]):
        assert parse_answer("the center left", options) == "center left"


@given(st.text(), st.sampled_from(AREAS))
def test_any_text_gives_an_option_or_none(raw: str, area: str) -> None:
    assert parse_answer(raw, AREAS) in (*AREAS, None)
    assert parse_answer(f"{raw}\n\n{area}", AREAS) in (area, None)


@given(st.sampled_from(AREAS), st.sampled_from(AREAS))
def test_two_different_areas_are_no_answer_in_any_case(one: str, other: str) -> None:
    assert parse_answer(f"{one.upper()}; {other.title()}", AREAS) == (one if one == other else None)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Top left.", Outcome.CORRECT),
        ("top right", Outcome.WRONG),
        ("", Outcome.INVALID),
        ("top left or top right", Outcome.INVALID),
        ("I can't tell", Outcome.INVALID),
    ],
)
def test_invalid_is_not_wrong(raw: str, expected: Outcome) -> None:
    assert outcome(raw, AREAS, "top left") is expected


def test_outcomes_are_words() -> None:
    assert [str(each) for each in Outcome] == ["correct", "wrong", "invalid"]
