import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log2
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typing_extensions import override

from evensight.annotations import AREAS, PAPER_GRID, Box, Cell, Frame, Grid
from evensight.audits.audit import MOST_LEVELS, Audit, Balance, audit, certificate
from evensight.audits.columns import AuditTable, column
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.datasets.scene_examples import SceneExamples
from evensight.questions.tasks import Question
from evensight.scenes.catalog import design
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import COLORS, PAPER_SHAPES, SIZES, cell_factor, factor

CROSSED = ("civet-train", "civet-test", "civet-full")


class Given(ExampleSet):
    """A set of examples that a test has made up."""

    def __init__(self, info: SetInfo, examples: list[Example], size_px: int) -> None:
        self._info = info
        self._examples = examples
        self._size_px = size_px

    @property
    @override
    def info(self) -> SetInfo:
        return self._info

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        return self._examples[index]

    @override
    def image(self, index: int) -> Image.Image:
        return Image.new("RGB", (self._size_px, self._size_px))


def made(name: str) -> SceneExamples:
    return SceneExamples(design(name), 108, 0)


def changed(name: str, examples: dict[int, Example | None]) -> Audit:
    """The audit of a set in which some examples are others, or are left out."""
    found = made(name)
    rows = [examples.get(k, example) for k, example in enumerate(found)]
    return audit(Given(found.info, [row for row in rows if row is not None], size_px=108))


def toy(balanced: tuple[tuple[str, str], ...], slots: list[int], **attributes: list[str]) -> Given:
    """Questions about objects in the top left cell whose answer stands at the given slots (of three)."""
    others = ("center", "bottom right")
    examples = []
    for k, slot in enumerate(slots):
        options = (*others[:slot], "top left", *others[slot:])
        question = Question("absolute-position", f"Choose from [{', '.join(options)}].", options, "top left")
        given: Mapping[str, str] = {name: values[k] for name, values in attributes.items()}
        examples.append(Example(f"toy-{k}", question, Cell(0, 0), "top left", Box(0, 0, 1, 1), Frame(9, 9), given))
    return Given(SetInfo("toy", {}, tuple(attributes), PAPER_GRID, balanced), examples, size_px=9)


def find(found: Audit, given: str, counted: str) -> Balance:
    return next(b for b in found.balances if (b.given, b.counted) == (given, counted))


@pytest.fixture(scope="module", params=[*CROSSED, "civet-train-photo"])
def found(request: pytest.FixtureRequest) -> Audit:
    return audit(made(request.param))


def test_every_design_is_what_it_claims(found: Audit) -> None:
    assert found.broken == ()
    assert found.faults == ()
    assert found.ok


def test_what_divides_is_exactly_even(found: Audit) -> None:
    n_levels = {"slot": 9, "row": 9, "col": 9, "area": 9, "cell": 81}
    for balance in found.balances:
        if balance.claimed and balance.given in found.counts:
            of_each = set(found.counts[balance.given].values())
            if all(n % n_levels[balance.counted] == 0 for n in of_each):
                assert balance.max_minus_min == 0, balance


@pytest.mark.parametrize("name", CROSSED)
def test_crossed_designs_claim_and_prove_exact_balance(name: str) -> None:
    found = audit(made(name))
    claimed = {(b.given, b.counted) for b in found.balances if b.claimed}
    for varied in ("shape", "color", "size"):
        for counted in ("row", "col", "cell", "area", "slot"):
            balance = find(found, varied, counted)
            assert (varied, counted) in claimed
            assert balance.max_minus_min == 0
            assert balance.bits == 0.0
    for place in ("row", "col", "area"):
        assert find(found, place, "slot").max_minus_min == 0
        assert find(found, place, "slot").bits == 0.0


@pytest.mark.parametrize(("name", "difference"), [("civet-train", 1), ("civet-test", 1), ("civet-full", 0)])
def test_cells_and_slots_are_as_even_as_their_numbers_allow(name: str, difference: int) -> None:
    # 20 and 48 objects a cell don't divide by nine slots, 144 do
    assert find(audit(made(name)), "cell", "slot").max_minus_min == difference


def test_counts_by_hand() -> None:
    found = audit(made("civet-train"))
    assert found.n == 1620
    assert found.counts["shape"] == {"circle": 162, "plus": 972, "square": 162, "star": 162, "triangle": 162}
    assert found.counts["color"]["white"] == 648
    assert found.counts["area"] == dict.fromkeys(AREAS, 180)
    assert found.counts["slot"] == {str(k): 180 for k in range(9)}
    assert (find(found, "shape", "slot").min, find(found, "shape", "slot").max) == (162 // 9, 972 // 9)


def test_the_answer_tells_nothing_of_the_slot() -> None:
    assert find(audit(made("civet-test")), "answer", "slot").bits == 0.0


def test_bits_by_hand() -> None:
    nothing = audit(toy((("color", "answer"),), [0, 0, 1, 2], color=["red", "red", "blue", "blue"]))
    assert find(nothing, "color", "answer").bits == 0.0
    told = audit(toy((("color", "slot"),), [0, 0, 1, 1], color=["red", "red", "blue", "blue"]))
    assert find(told, "color", "slot").bits == pytest.approx(log2(2))
    assert not told.ok


def test_a_toy_set_that_is_even_is_ok() -> None:
    found = audit(toy((("color", "slot"),), [0, 1, 2, 2, 1, 0, 0], color=["red"] * 3 + ["blue"] * 4))
    balance = find(found, "color", "slot")
    assert (balance.min, balance.max, balance.max_minus_min) == (1, 2, 1)
    assert (balance.even, balance.claimed, balance.verdict) == (True, True, "even")
    assert found.ok


def test_a_claim_that_does_not_hold_is_broken() -> None:
    found = audit(toy((("color", "slot"),), [0, 1, 1, 2, 1, 0], color=["red"] * 3 + ["blue"] * 3))
    assert [(b.given, b.counted) for b in found.broken] == [("color", "slot")]
    assert not found.ok


def test_a_set_that_claims_nothing_may_be_uneven() -> None:
    assert audit(toy((), [0, 1, 1, 2, 1, 0], color=["red"] * 3 + ["blue"] * 3)).ok


def test_an_answer_that_always_stands_first_is_not_balanced() -> None:
    assert not audit(toy((("area", "slot"),), [0] * 9)).ok


def test_an_answer_that_never_stands_last_is_not_balanced() -> None:
    assert not audit(toy((("area", "slot"),), [0, 1] * 6)).ok


def test_a_claim_about_a_column_that_is_not_there_is_a_fault() -> None:
    assert not audit(toy((("colour", "slot"),), [0, 1, 2], color=["red"] * 3)).ok


def test_the_claimed_balances_come_first() -> None:
    claimed = [balance.claimed for balance in audit(made("civet-test")).balances]
    assert claimed == sorted(claimed, reverse=True)


@pytest.mark.parametrize("name", CROSSED)
def test_two_dropped_rows_of_one_object_are_not_ok(name: str) -> None:
    assert not changed(name, {0: None, 1: None}).ok


def test_a_changed_answer_is_not_ok() -> None:
    example = made("civet-test")[100]
    other = next(area for area in AREAS if area != example.area)
    question = Question(example.question.task, example.question.text, example.question.options, other)
    found = changed("civet-test", {100: replace(example, question=question)})
    assert any(example.id in fault and other in fault for fault in found.faults)
    assert not found.ok


def test_a_swapped_slot_is_not_ok() -> None:
    example = made("civet-test")[100]
    options = (*example.question.options[1:], example.question.options[0])
    found = changed("civet-test", {100: replace(example, question=replace(example.question, options=options))})
    assert {b.given for b in found.broken} >= {"area", "row", "col", "shape", "color", "size"}


def test_a_moved_object_is_not_ok() -> None:
    example = made("civet-test")[100]
    found = changed("civet-test", {100: replace(example, cell=Cell(0, 0), area="top left")})
    assert not found.ok


def test_an_area_that_is_not_the_cells_is_a_fault() -> None:
    example = made("civet-test")[100]
    assert example.area != "bottom right"
    found = changed("civet-test", {100: replace(example, area="bottom right")})
    assert any("the area is `bottom right`" in fault for fault in found.faults)


def test_an_id_that_occurs_twice_is_a_fault() -> None:
    example, twin = made("civet-test")[100], made("civet-test")[101]
    found = changed("civet-test", {101: replace(twin, id=example.id)})
    assert any(f"`{example.id}` occurs 2 times" in fault for fault in found.faults)


def test_the_audit_as_json_says_whether_it_is_ok(found: Audit) -> None:
    value: dict[str, Any] = json.loads(json.dumps(found.as_json()))
    assert value["ok"] is True
    assert value["n"] == found.n
    assert len(value["balances"]) == len(found.balances)


def _crossed(grid: Grid) -> SceneDesign:
    factors = (factor("shape", PAPER_SHAPES), factor("color", COLORS), factor("size", SIZES))
    return SceneDesign("own", "", grid, Product((*factors, cell_factor(grid))))


@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(6, 6), Grid(12, 12)])
def test_crossed_designs_on_other_grids_are_what_they_claim(grid: Grid) -> None:
    assert audit(SceneExamples(_crossed(grid), 336, 0)).broken == ()


def test_questions_about_a_property_are_what_they_claim() -> None:
    found = audit(SceneExamples(design("civet-test"), 108, 0, "property-color"))
    assert [b.counted for b in found.balances if b.claimed and b.given == "answer"] == ["slot"]
    assert found.broken == ()


def columns(**values: Sequence[str]) -> AuditTable:
    """A table of these columns, of which nothing is claimed."""
    n = len(next(iter(values.values())))
    return AuditTable("made", tuple(map(str, range(n))), {name: column(each) for name, each in values.items()})


def test_nmi_by_hand() -> None:
    # b has a's two halves again in halves: 1 bit of b's 2 bits, which is all of a's
    found = audit(columns(a=list("xxxxyyyy"), b=list("ppqqrrss")))
    balance = find(found, "a", "b")
    assert (balance.bits, balance.nmi) == (1.0, 1.0)
    assert (balance.min, balance.max, balance.max_minus_min) == (0, 2, 2)


def test_every_pair_is_counted_once() -> None:
    found = audit(columns(a=list("xyxy"), b=list("ppqq"), c=list("rsst")))
    pairs = [frozenset((b.given, b.counted)) for b in found.balances]
    assert len(pairs) == len(set(pairs)) == 3


def test_a_confound_is_told_and_chance_is_not() -> None:
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "green", "blue"], 400)
    answer = np.where(rng.random(400) < 0.7, color, rng.permutation(color))
    others = {f"noise {k}": rng.choice(list("abcd"), 400).tolist() for k in range(8)}
    found = audit(columns(color=color.tolist(), answer=answer.tolist(), **others))
    told = [(b.given, b.counted) for b in found.balances if b.verdict == "tells"]
    assert told == [("color", "answer")]
    assert (found.balances[0].given, found.balances[0].counted) == told[0]  # the strongest comes first
    assert found.ok  # nothing was claimed


def test_the_audit_of_a_seed_is_the_same_and_of_another_seed_another() -> None:
    rng = np.random.default_rng(1)
    table = columns(a=rng.choice(list("abcde"), 100).tolist(), b=rng.choice(list("vwxyz"), 100).tolist())
    first, again, other = (audit(table, seed=seed).balances[0] for seed in (3, 3, 4))
    assert first == again
    assert first.p_value != other.p_value
    assert first.nmi == other.nmi


def test_ids_and_constants_are_left_out_and_said() -> None:
    n = MOST_LEVELS + 1
    found = audit(columns(id=[str(k) for k in range(n)], one=["x"] * n, a=["p", "q"] * (n // 2) + ["p"], b=["r"] * n))
    assert set(found.left_out) == {"id", "one", "b"}
    assert found.left_out["id"] == f"has {n} values, more than {MOST_LEVELS}"
    assert found.balances == ()


def test_what_belongs_together_by_construction_is_not_tested() -> None:
    found = audit(made("civet-test"))
    pair = find(found, "cell", "area")
    assert (pair.verdict, pair.p_value, pair.nmi) == ("by construction", None, 1.0)


def test_nothing_of_our_designs_tells_of_the_slot_or_the_place() -> None:
    for balance in audit(made("civet-full")).balances:
        assert balance.verdict in ("even", "by construction")
        assert balance.p_value in (1.0, None)


def test_the_certificate_says_what_holds() -> None:
    text = certificate(audit(made("civet-train")), "evensight audit data/civet-train")
    assert text.startswith("1,620 questions. Every balance that the set claims holds")
    assert "| cell | slot | 1 |" in text
    assert "shape and color (0.55)" in text  # the paper's own confound, which is not claimed away
    assert "evensight audit data/civet-train" in text
    assert "The pictures were not looked at." in text


def test_the_certificate_says_what_does_not_hold() -> None:
    text = certificate(audit(toy((("color", "slot"),), [0, 1, 1, 2, 1, 0], color=["red"] * 3 + ["blue"] * 3)))
    assert "**Not as claimed:** 1 balances broken, 0 faults." in text
    assert "**not even**" in text


def test_an_empty_table_has_nothing_to_say() -> None:
    found = audit(AuditTable("empty", (), {"a": column([])}))
    assert (found.n, found.balances, found.ok) == (0, (), True)
