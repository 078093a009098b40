"""Beside every score on photographs stands what is reached without looking: in sentences, in tables, on the page."""

import io
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evensight.annotations import AREAS
from evensight.datasets.controls import CONTROLS
from evensight.datasets.examples import Example
from evensight.datasets.priors import BASELINES, learn
from evensight.evaluation.results import Results
from evensight.evaluation.summary import summarise
from evensight.reports.findings import Evaluated
from evensight.reports.html import build_report
from evensight.reports.looking import PRIOR_NEEDED, caveat, looking_findings
from evensight.reports.tables import headline_table
from made_runs import HOSTILE, Say, center_only, examples, half, hash_of, right, write_run, wrong

NAMES = ("cat", "dog", "cup")
PRIOR = learn(
    ["cat"] * 9 + ["dog"] * 4,
    [0.1] * 5 + [0.2] * 8,
    ["center"] * 6 + ["top left"] * 3 + ["bottom right"] * 4,
    f"made photographs {HOSTILE[0]}",
).as_json()


def run(path: Path, say: Say, **options: Any) -> Results:
    return write_run(path, say, examples(2, category=NAMES), **options)


def finding(results: Results) -> str:
    (found,) = looking_findings([Evaluated("base", results, summarise(results))])
    assert found.about == "Does `base` look at the picture?"
    return found.text.replace("\u00a0", " ")


def page_of(tmp_path: Path, *runs: Results) -> str:
    """The page as its source, with the entities as characters."""
    out = tmp_path / "report.html"
    build_report(runs, [f"run {k}" for k in range(len(runs))], out)
    return unescape(out.read_text(encoding="utf-8")).replace("\u00a0", " ")


def nearly_half(example: Example) -> str:
    """As `half`, but for a few questions more or less: no difference that a test would find."""
    return right(example) if hash_of(example) == 7 else half(example)


# Sentences


def test_who_is_better_than_with_the_wrong_photo_looks_at_the_picture(tmp_path: Path) -> None:
    text = finding(run(tmp_path / "a", right, controls={"wrong-photo": center_only}))
    assert text.startswith("`base` looks at the picture: 100 %, with the wrong photo 11.1 % (+88.9 points, 95 % CI +")
    assert "McNemar p < 0.001" in text


@pytest.mark.parametrize("say", [center_only, half])
def test_who_answers_alike_on_the_wrong_photo_is_no_better(tmp_path: Path, say: Say) -> None:
    def blind(example: Example) -> str:
        asked = Example(
            example.id.removesuffix("-wrong-photo"),
            example.question,
            example.cell,
            example.area,
            example.box,
            example.frame,
        )
        return say(asked)

    text = finding(run(tmp_path / "a", say, controls={"wrong-photo": blind}))
    assert text.startswith("`base` is no better than with the wrong photo (p = 1.00):")
    assert "looks at the picture" not in text


def test_a_difference_that_chance_explains_is_no_look(tmp_path: Path) -> None:
    """One of 162 more than with the wrong photo: in favour, and nothing that a test would find."""
    asked = examples(2, category=NAMES)
    results = write_run(
        tmp_path / "a",
        lambda example: right(example) if example.id == asked[0].id else wrong(example),
        asked,
        controls={"wrong-photo": wrong},
    )
    assert finding(results).startswith("`base` is no better than with the wrong photo (p = 1.00): 0.6 % and 0 %")


def test_who_is_worse_than_with_the_wrong_photo_is_said_to_be(tmp_path: Path) -> None:
    text = finding(run(tmp_path / "a", wrong, controls={"wrong-photo": right}))
    assert text.startswith("`base` is right less often than with the wrong photo: 0 % against 100 % (−100.0 points")


def test_without_the_control_nothing_is_claimed_and_the_reason_is_given(tmp_path: Path) -> None:
    text = finding(run(tmp_path / "a", right, controls={}, left_out={"wrong-photo": "`x` has no two pictures"}))
    assert text.startswith("`base` was not asked with the wrong photo (x has no two pictures): that it looks")


def test_baselines_are_sorted_by_what_the_test_says(tmp_path: Path) -> None:
    text = finding(run(tmp_path / "a", center_only, controls={"wrong-photo": center_only}, prior=PRIOR))
    assert "not told apart from `always center` (11.1 %, p = 1.00), `most frequent area` (11.1 %, p = 1.00)" in text
    text = finding(run(tmp_path / "b", right, controls={"wrong-photo": wrong}, prior=PRIOR))
    assert "above `always center` (11.1 %, p < 0.001)" in text
    text = finding(run(tmp_path / "c", wrong, controls={"wrong-photo": wrong}, prior=PRIOR))
    assert "below `always center` (11.1 %, p < 0.001)" in text


def test_consistency_on_sides_is_said(tmp_path: Path) -> None:
    text = finding(run(tmp_path / "a", right, controls={"wrong-photo": wrong, "mirrored": right}))
    assert "Of its 108 answers that name a side, 100 % are mirrored with the picture" in text


def test_scenes_have_no_such_finding(tmp_path: Path) -> None:
    results = run(tmp_path / "a", right)
    assert looking_findings([Evaluated("base", results, summarise(results))]) == ()
    assert "Beside it, without looking" not in page_of(tmp_path, results)


# The page


@pytest.fixture
def full(tmp_path: Path) -> Results:
    controls = dict.fromkeys(CONTROLS, half) | {"wrong-photo": center_only, "mirrored": nearly_half}
    return run(tmp_path / "full", half, controls=controls, prior=PRIOR, pictures=3)


def test_the_page_has_each_number_of_the_summary(tmp_path: Path, full: Results) -> None:
    page, summary = page_of(tmp_path, full), summarise(full)
    table = page[page.index('class="figures beside"') :]
    table = table[: table.index("</table>")]
    rows = re.findall(r'<tr.*?<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    assert [name for name, _ in rows[1:]] == [*CONTROLS, *BASELINES]
    for name, cells in rows[1:]:
        of = (summary.controls | summary.baselines)[name]
        accuracy, area_mean = (
            re.search(rf'data-label="{label}"[^>]*>([^<]*)<', cells) for label in ("accuracy", "mean of areas")
        )
        assert accuracy is not None
        assert area_mean is not None
        assert float(accuracy[1].split()[0]) == pytest.approx(100 * of.accuracy.estimate, abs=0.051)
        assert float(area_mean[1].split()[0]) == pytest.approx(100 * of.area_mean, abs=0.051)
        assert "p <" in cells or "p =" in cells
    for area in AREAS:
        for name, of in (summary.controls | summary.baselines).items():
            share = of.areas[area]
            found = re.search(rf'title="{re.escape(name)}, {area}: ([0-9.]+) % of {share.n} ', page)
            assert found is not None
            assert float(found[1]) == pytest.approx(100 * share.estimate, abs=0.051)


def test_the_page_says_what_each_is_and_what_the_prior_is_of(tmp_path: Path, full: Results) -> None:
    page = page_of(tmp_path, full)
    for name in CONTROLS:
        assert CONTROLS[name].description in page
    for description in BASELINES.values():
        assert description in page
    assert "was learned on made photographs" in page
    assert PRIOR_NEEDED not in page
    assert "wrong photo 11.1 %</span>" in page


def test_without_a_prior_the_page_says_what_it_takes(tmp_path: Path) -> None:
    page = page_of(tmp_path, run(tmp_path / "a", half, controls={"wrong-photo": half}))
    assert f"{PRIOR_NEEDED}." in page
    assert "always center" in page
    assert "box-size prior</th>" not in page


def test_hostile_sources_and_reasons_stay_text(tmp_path: Path) -> None:
    results = run(tmp_path / "a", half, controls={}, prior=PRIOR, left_out={"wrong-photo": HOSTILE[2]})
    out = tmp_path / "report.html"
    build_report([results], [HOSTILE[1]], out)
    source = out.read_text(encoding="utf-8")
    assert source.count("<script>") == 1
    assert "<img src=x" not in source
    assert "was not asked with the control wrong-photo: &lt;/script&gt;" in source


# The terminal


def printed(rows: list[tuple[str, str, Any]], width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(headline_table(rows))
    return console.export_text().replace("\u00a0", " ")


def test_beside_each_score_on_photographs_stand_the_wrong_photo_and_the_baselines(
    tmp_path: Path, full: Results
) -> None:
    photos, scenes = summarise(full), summarise(run(tmp_path / "scenes", right))
    rows = [("a", "photos", photos), ("b", "photos", photos), ("a", "scenes", scenes)]
    lines = [line.strip() for line in printed(rows).splitlines()]
    names = [re.split(r"\s{2,}", line)[0] for line in lines]
    beside = ["wrong photo", *(name for name in CONTROLS if name != "wrong-photo")]
    expected = ["photos", "a", *beside, "b", *beside, "always center", "category prior", "scenes", "a"]
    assert names[1 : 1 + len(expected)] == expected
    share = photos.controls["wrong-photo"].accuracy
    figures = f"11.1 % {100 * share.low:.1f} to {100 * share.high:.1f} % 162"
    assert " ".join(lines[3].split()).endswith(figures)
    assert printed(rows[2:]).count("photo") == 0


def test_what_is_not_there_is_a_dash(tmp_path: Path) -> None:
    table = printed([("a", "photos", summarise(run(tmp_path / "a", half, controls={})))])
    lines = {re.split(r"\s{2,}", line.strip())[0]: line for line in table.splitlines()}
    assert lines["wrong photo"].split()[-1] == lines["category prior"].split()[-1] == "–"


@pytest.mark.parametrize("width", [80, 100])
def test_the_names_are_not_cut_in_a_terminal(full: Results, width: int) -> None:
    assert "category prior" in printed([("a", "photos", summarise(full))], width)


def test_a_narrow_terminal_breaks_names_and_cuts_no_number(full: Results) -> None:
    said = printed([("a-condition-with-a-name", "coco-a-long-name-of-a-set-of-photographs", summarise(full))], 80)
    assert "…" not in said
    assert "accuracy" in said
    assert all(control.replace("-", " ") in said for control in summarise(full).controls)


def test_the_first_sentence_says_when_a_model_is_no_better_with_the_wrong_photo(
    full: Results, tmp_path: Path
) -> None:
    blind = run(tmp_path / "blind", center_only, controls={"wrong-photo": center_only})
    assert (
        caveat([Evaluated("base", blind, summarise(blind))]) == "But `base` is no better than with the wrong photo."
    )
    assert caveat([Evaluated("base", full, summarise(full))]) == ""
    build_report([blind], ["base"], tmp_path / "report.html")
    lead = re.search(r'<p class="lead">(.*?)</p>', (tmp_path / "report.html").read_text(), re.DOTALL)
    assert lead is not None
    assert "no better than with the wrong photo" in lead[1]
