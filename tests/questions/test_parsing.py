import pytest
from hypothesis import given
from hypothesis import strategies as st

from evensight.annotations import AREAS, PAPER_GRID, Annotation, Box, Frame, Object
from evensight.questions.catalog import TASKS, task_named
from evensight.questions.open_tasks import ExactCell, PointTo
from evensight.questions.parsing import Outcome, named_option, outcome, parse_answer
from evensight.questions.tasks import COUNTS, Question, ask

FRAME = Frame(90, 180)
BOX = Box(60, 20, 70, 40)  # on the 9 x 9 grid of 10 x 20 px: row 2, column 7, counted from 1
SIDES = ("left", "right", "top left", "stop")


@pytest.mark.parametrize("area", AREAS)
def test_an_area_by_its_name_is_that_area(area: str) -> None:
    assert named_option(area, AREAS) == area


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
    assert named_option(raw, AREAS) == area


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "...",
        "left",
        "top",
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
    assert named_option(raw, AREAS) is None


@pytest.mark.parametrize(
    "raw",
    [
        "top left or top right",
        "center, center left",
        ", ".join(AREAS),
        "top left top right",
    ],
)
def test_text_that_names_two_areas_is_no_answer(raw: str) -> None:
    assert named_option(raw, AREAS) is None


def test_names_that_share_a_word_are_two_areas() -> None:
    # "top center" and "center left" both stand in the text; reading either would be a guess.
    assert named_option("top center left", AREAS) is None


def test_the_longest_option_counts() -> None:
    assert named_option("top left", SIDES) == "top left"
    assert named_option("left", SIDES) == "left"
    assert named_option("top right", SIDES) == "right"


def test_an_option_inside_a_word_does_not_count() -> None:
    assert named_option("the stopleft", SIDES) is None
    assert named_option("stop left", ("top left", "left")) is None
    assert named_option("stop left", ("top left",)) is None


def test_options_with_signs_in_them_are_taken_literally() -> None:
    assert named_option("it is a+b", ("a+b", "a.b")) == "a+b"
    assert named_option("aab", ("a+b", "a.b")) is None


def test_the_order_of_the_options_does_not_matter() -> None:
    for options in (AREAS, AREAS[::-1]):
        assert named_option("the center left", options) == "center left"


@given(st.text(), st.sampled_from(AREAS))
def test_any_text_gives_an_option_or_none(raw: str, area: str) -> None:
    assert named_option(raw, AREAS) in (*AREAS, None)
    assert named_option(f"{raw}\n\n{area}", AREAS) in (area, None)


@given(st.sampled_from(AREAS), st.sampled_from(AREAS))
def test_two_different_areas_are_no_answer_in_any_case(one: str, other: str) -> None:
    assert named_option(f"{one.upper()}; {other.title()}", AREAS) == (one if one == other else None)


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
    question = Question("absolute-position", "Where?", AREAS, "top left")
    assert outcome(raw, question, BOX, FRAME) is expected


def test_outcomes_are_words() -> None:
    assert [str(each) for each in Outcome] == ["correct", "wrong", "invalid"]


@pytest.mark.parametrize("raw", ["3", "three", "Three.", "There are 3 stars.", "3 (three)", "**3**", "3."])
def test_a_number_counts_as_digit_and_as_word(raw: str) -> None:
    assert named_option(raw, COUNTS) == "3"


@pytest.mark.parametrize("raw", ["30", "3 or 4", "thirty", "0", "none", "3.5", "0.3", "1,000", "threes"])
def test_another_number_is_no_answer(raw: str) -> None:
    assert named_option(raw, COUNTS) is None


def test_a_number_word_is_no_option_where_the_options_are_no_numbers() -> None:
    assert named_option("one red star", ("red star", "blue star")) == "red star"


def test_the_longer_description_counts() -> None:
    assert named_option("the red wine glass", ("wine glass", "glass", "cup")) == "wine glass"


def open_question(task: ExactCell | PointTo) -> Question:
    return ask(task, Annotation(FRAME, (Object("cat", BOX),)), 0, 0, 0)


@pytest.mark.parametrize(
    ("raw", "expected", "parsed"),
    [
        ("row 2, column 7", Outcome.CORRECT, "row 2, column 7"),
        ("(2, 7)", Outcome.CORRECT, "row 2, column 7"),
        ("column 2, row 7", Outcome.WRONG, "row 7, column 2"),
        ("(7, 2)", Outcome.WRONG, "row 7, column 2"),
        ("row 20, column 70", Outcome.WRONG, "row 20, column 70"),
        ("row 0, column 0", Outcome.WRONG, "row 0, column 0"),
        ("row 2", Outcome.INVALID, None),
        ("(2, 7) or (2, 8)", Outcome.INVALID, None),
        ("", Outcome.INVALID, None),
    ],
)
def test_a_cell_is_right_wrong_or_not_told(raw: str, expected: Outcome, parsed: str | None) -> None:
    question = open_question(ExactCell(PAPER_GRID))
    assert outcome(raw, question, BOX, FRAME) is expected
    assert parse_answer(raw, question) == parsed


@pytest.mark.parametrize(
    ("raw", "in_pixels", "in_thousandths"),
    [
        ("(65, 30)", Outcome.CORRECT, Outcome.WRONG),
        ("(60, 20)", Outcome.CORRECT, Outcome.WRONG),
        ("(69.9, 39.9)", Outcome.CORRECT, Outcome.WRONG),
        ("(70, 30)", Outcome.WRONG, Outcome.WRONG),
        ("(65, 40)", Outcome.WRONG, Outcome.WRONG),
        ("(722, 167)", Outcome.WRONG, Outcome.CORRECT),  # 1000 * 65 / 90 and 1000 * 30 / 180
        ("(-5, 2000)", Outcome.WRONG, Outcome.WRONG),
        ("(65, 30), (66, 30)", Outcome.INVALID, Outcome.INVALID),
        ("[60, 20, 70, 40]", Outcome.INVALID, Outcome.INVALID),
        ("in the middle", Outcome.INVALID, Outcome.INVALID),
    ],
)
def test_a_point_is_right_in_the_half_open_box(raw: str, in_pixels: Outcome, in_thousandths: Outcome) -> None:
    assert outcome(raw, open_question(PointTo()), BOX, FRAME) is in_pixels
    assert outcome(raw, open_question(PointTo(scaled=True)), BOX, FRAME) is in_thousandths


OBJECTS = (
    Object("star", BOX, {"color": "red", "shape": "star", "size": "large", "sheen": "matte"}, mask_area_px=100),
    Object("plus", Box(5, 30, 15, 40), {"color": "green", "shape": "plus"}, mask_area_px=300),
    Object("cross", Box(30, 150, 40, 160), {"color": "red", "shape": "cross"}, mask_area_px=100),
)
VALUES = {
    "shape": ("star", "plus", "cross"),
    "color": ("red", "green"),
    "size": ("large", "small"),
    "sheen": ("none", "matte"),
}
CASES = [(name, wording) for name in TASKS for wording in range(3)]
FORMS = ("{}", "The answer is {}.", "**{}**", '"{}"', "{}\n")


def asked(name: str, wording: int, index: int = 0) -> Question:
    task = task_named(name, PAPER_GRID, VALUES)
    shown = OBJECTS[:1] if name in {"property-shape", "property-color"} else OBJECTS
    options = task.options(Annotation(FRAME, shown))
    slot = index % max(len(options), 1)
    return ask(task, Annotation(FRAME, shown), slot, 0, index, wording=wording)


@given(st.sampled_from(CASES), st.sampled_from(FORMS), st.integers(0, 50))
def test_the_right_answer_is_read_as_right(case: tuple[str, int], form: str, index: int) -> None:
    question = asked(*case, index)
    said = form.format(question.answer)
    assert outcome(said, question, BOX, FRAME) is Outcome.CORRECT
    assert outcome(said.upper(), question, BOX, FRAME) is Outcome.CORRECT
    assert parse_answer(said, question) == question.answer


@pytest.mark.parametrize("case", CASES)
def test_any_other_option_is_read_as_wrong(case: tuple[str, int]) -> None:
    question = asked(*case)
    for other in set(question.options) - {question.answer}:
        assert outcome(other, question, BOX, FRAME) is Outcome.WRONG


@given(st.sampled_from(CASES), st.text())
def test_any_text_has_an_outcome(case: tuple[str, int], raw: str) -> None:
    question = asked(*case)
    assert (outcome(raw, question, BOX, FRAME) is Outcome.INVALID) == (parse_answer(raw, question) is None)


@pytest.mark.parametrize("name", ["exact-cell", "point", "point-1000"])
def test_the_question_itself_is_no_answer(name: str) -> None:
    question = asked(name, 0)
    assert outcome(question.text, question, BOX, FRAME) is Outcome.INVALID


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        ("<think>maybe (1, 1)</think>(2, 7)", "row 2, column 7"),
        ("<think>(2, 7)", None),
        ("The picture has 9 rows and 9 columns, (1, 1) is top left.\nAnswer: row 2, column 7", "row 2, column 7"),
        ("It isn't (2, 7)", None),
        ("not row 2, column 7", None),
        ("row 2, column 7 or row 3, column 7", None),
        ("maybe row 2, column 7", None),
        ("Answer: not (2, 7)", None),
        ("\u202e(2, 7)", None),
        ("（２，７）", "row 2, column 7"),
        ("(2, 7)" * 10_000, None),
    ],
)
def test_open_answers_are_read_without_thoughts_and_not_when_denied(raw: str, parsed: str | None) -> None:
    question = open_question(ExactCell(PAPER_GRID))
    assert parse_answer(raw, question) == parsed
    is_right = parsed is not None
    assert outcome(raw, question, BOX, FRAME) is (Outcome.CORRECT if is_right else Outcome.INVALID)


@pytest.mark.parametrize("raw", ["<think>(1, 1)</think>(65, 30)", "Answer: (65, 30)", '{"x": 65, "y": 30}'])
def test_a_point_is_read_from_what_is_said_last(raw: str) -> None:
    assert outcome(raw, open_question(PointTo()), BOX, FRAME) is Outcome.CORRECT
    assert outcome(f"not {raw}", open_question(PointTo()), BOX, FRAME) in (Outcome.INVALID, Outcome.CORRECT)


LABELS = {
    "A. top left B. top right C. center": "abc",
    "(A) top left (B) top right (C) center": "abc",
    "[1] top left [2] top right [3] center": "123",
    "1) top left\n2) top right\n3) center": "123",
    "a: top left, b: top right, c: center": "abc",
}
CHOICES = ("top left", "top right", "center")


@pytest.mark.parametrize("text", LABELS)
@pytest.mark.parametrize(
    "form", ["{}", "({})", "{}.", "**{}**", "Option {}", "The answer is {}.", "Answer: {}", '{{"answer": "{}"}}']
)
def test_labels_in_the_question_are_read(text: str, form: str) -> None:
    for label, option in zip(LABELS[text], CHOICES, strict=True):
        said = form.format(label.upper())
        assert named_option(said, CHOICES, f"Where? {text}") == option
        assert named_option(said, CHOICES, "Where? Choose from [top left, top right, center].") is None
        assert named_option(f"{said} or {LABELS[text][0]}", CHOICES, f"Where? {text}") is None


@pytest.mark.parametrize(
    "raw", ["a red star", "I think A star is it", "D", "4", "A, B", "not A", "A and B", "B) center", "A?"]
)
def test_what_is_no_one_label_is_no_answer(raw: str) -> None:
    assert named_option(raw, CHOICES, "Where? A. top left B. top right C. center") is None


def test_labels_that_are_no_series_are_none() -> None:
    assert named_option("X", CHOICES, "Where? X. top left B. top right C. center") is None
    assert named_option("A", CHOICES, "Where? A. top left B. top right or center") is None


def test_options_may_have_labels_of_their_own() -> None:
    labelled = ("A. top left", "B. top right")
    assert parse_answer("B", labelled) == "B. top right"
    assert parse_answer("upper right", labelled) == "B. top right"
    assert parse_answer("B. top left", labelled) is None
