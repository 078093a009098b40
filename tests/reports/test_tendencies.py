"""What pulls the answers: arrows and sentences, in short and with the set's certificate, from the tables."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evensight.annotations import AREAS
from evensight.datasets.examples import Example
from evensight.evaluation.results import Results
from evensight.evaluation.summary import summarise
from evensight.reports.balance_claims import CountedClaim, counted_claims
from evensight.reports.bias_charts import arrows_svg, calibration_svg
from evensight.reports.findings import Evaluated, in_short
from evensight.reports.tendencies import tendency_lines
from evensight.statistics import confidence_calibration
from made_runs import HOSTILE, Say, center_only, examples, half, hash_of, right, write_run, wrong


def evaluated(title: str, results: Results) -> Evaluated:
    return Evaluated(title, results, summarise(results))


def to_the_right(example: Example) -> str:
    """Right, but that things in the left column are said to be in the middle one."""
    return example.question.answer.replace("left", "center").replace("center center", "center")


def test_arrows_lead_from_the_area_to_where_its_wrong_answers_lie(tmp_path: Path) -> None:
    places = summarise(write_run(tmp_path / "a", to_the_right)).places
    assert places is not None
    root = ElementTree.fromstring(arrows_svg(HOSTILE[0], places))
    arrows = root.findall("g")
    assert len(arrows) == 3  # the other areas have no wrong answers
    for arrow in arrows:
        title = arrow.findtext("title") or ""
        step = re.search(r"72 wrong, on average ([\d.]+) to the right \(\+", title)
        assert step is not None, title
        shaft = arrow.find("path[@class='shaft']")
        assert shaft is not None
        x0, y0, x1, y1 = map(float, re.findall(r"[\d.]+", shaft.attrib["d"]))
        assert x1 - x0 == pytest.approx(72 * float(step[1]), abs=0.5)  # an area is 72 units wide
        assert abs(y1 - y0) < 2
        assert arrow.attrib["class"] == "step"


def anywhere(example: Example) -> str:
    """One of the nine areas, whatever is asked."""
    return AREAS[hash_of(example) % 9]


@pytest.mark.parametrize(
    ("say", "found"),
    [
        (center_only, ["pulled to the centre: +"]),
        (wrong, ["pulled to the left: +", "pulled to the top: +", "pulled to the edges: +"]),
        (to_the_right, ["pulled to the centre: +", "pulled to the right: +"]),
        (anywhere, ["no pull to the centre, the edges or a side was detected"]),
        (right, []),
    ],
)
def test_pulls_are_told_with_their_tests(tmp_path: Path, say: Say, found: list[str]) -> None:
    lines = list(tendency_lines(summarise(write_run(tmp_path / "a", say))))
    about = [line for line in lines if "pull" in line]
    assert len(about) == len(found)
    assert all(start in line for start, line in zip(found, about, strict=True))
    assert len(lines) == len(about) + 1  # and one on the places among the options


def test_confidence_is_drawn_beside_the_diagonal() -> None:
    of = confidence_calibration([0.1 * (k % 10) + 0.05 for k in range(200)], [k % 3 == 0 for k in range(200)])
    root = ElementTree.fromstring(calibration_svg("base", of, 1))
    assert len(root.findall(".//circle")) == len(of.bins)
    first = next(title.text or "" for title in root.iter("title"))
    assert first.startswith("25.0\u00a0% sure: right in 33.0\u00a0% of")


def test_a_set_in_short_names_the_test_of_what_it_claims(tmp_path: Path) -> None:
    def said(before: Say, after: Say, name: str) -> str:
        runs = [write_run(tmp_path / name / title, say) for title, say in (("base", before), ("new", after))]
        pair = [evaluated(title, run) for title, run in zip(("base", "new"), runs, strict=True)]
        return in_short(pair).replace("\u00a0", " ")

    better = said(center_only, right, "a")
    start = "On toy, `new` is right in 100 %, `base` in 11.1 % (+88.9 points, McNemar p < 0.001); worst cell 0 %"
    assert better.startswith(start)
    worse = said(right, wrong, "b")
    assert worse.startswith("On toy, `new` is right in 0 %, `base` in 100 % (−100.0 points, McNemar p < 0.001)")
    same = said(half, half, "c")
    assert "no difference in accuracy was detected between `base` with" in same
    assert "the cells of `new` were not seen to differ (uniformity p" in same
    assert "nor are they shown to lie within ±5 points of the whole" in same
    assert said(right, right, "d") == "On toy, `base` and `new` are right in all 648 questions."
    uneven = said(half, center_only, "e")
    assert "the cells of `new` differ by more than chance (uniformity p < 0.001)" in uneven


def test_what_a_set_claims_is_counted_in_the_questions_that_were_answered(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "a", half, examples(9))
    assert list(counted_claims(whole)) == [CountedClaim("area", "slot", 9, 9, holds=True)]
    kept = [example for k, example in enumerate(examples(9)) if k % 9 or k > 200]
    part = write_run(tmp_path / "b", half, kept)
    (claim,) = counted_claims(part)
    assert claim.holds is False
    lacking = write_run(tmp_path / "c", half, [example for example in examples(9) if example.question.slot != 3])
    assert [(of.fewest, of.holds) for of in counted_claims(lacking)] == [(0, False)]
    rows = part.table.to_pylist()
    pairs = Counter((row["area"], row["slot"]) for row in rows)
    counts = [pairs[area, slot] for area in AREAS for slot in range(9)]
    assert (claim.fewest, claim.most) == (min(counts), max(counts))
