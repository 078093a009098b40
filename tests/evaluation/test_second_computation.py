"""Every figure of a summary, from the results table by a second way: plain counting, SciPy, and textbook formulas."""

import json
from collections import Counter, defaultdict
from math import exp, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import optimize, stats

from evensight.annotations import AREAS, PAPER_GRID
from evensight.datasets.scene_examples import SceneExamples
from evensight.evaluation.ask import evaluate_subject
from evensight.evaluation.results import read_results
from evensight.evaluation.summary import summarise
from evensight.models.answering import BOTH, Way
from evensight.models.asked_here import ModelHere
from evensight.scenes.compose import SceneDesign
from evensight.scenes.designs import Product
from evensight.scenes.factors import cell_factor, factor

Row = dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two triangles in every cell, asked of the embedded model for words and options."""
    factors = (
        factor("shape", ["triangle"]),
        factor("color", ["blue", "green"]),
        factor("size", ["small"]),
        cell_factor(PAPER_GRID),
    )
    design = SceneDesign("second", "two triangles in every cell", PAPER_GRID, Product(factors))
    out = tmp_path_factory.mktemp("second") / "run"
    evaluate_subject(ModelHere("embedded", None, 54, Way(BOTH)), SceneExamples(design, 108, 0), out)
    return out


@pytest.fixture(scope="module")
def rows(run: Path) -> list[Row]:
    found: list[Row] = pq.read_table(run / "results.parquet").to_pylist()
    return found


@pytest.fixture(scope="module")
def told(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = summarise(read_results(run)).as_json()
    return found


def is_right(row: Row) -> bool:
    return bool(row["parsed"] == row["answer"])


def assert_share(told: dict[str, Any], hits: list[bool]) -> None:
    """A share with Wilson's interval, as in Wilson 1927."""
    n, k = len(hits), sum(hits)
    z = stats.norm.ppf(0.975)
    center, half = (k + z * z / 2) / (n + z * z), z / (n + z * z) * sqrt(k * (n - k) / n + z * z / 4)
    assert told["n"] == n
    assert told["estimate"] == pytest.approx(k / n)
    assert (told["low"], told["high"]) == (pytest.approx(max(0, center - half)), pytest.approx(min(1, center + half)))


def test_what_is_stored_is_what_is_summarised(run: Path, told: dict[str, Any]) -> None:
    assert json.loads((run / "summary.json").read_text()) == json.loads(json.dumps(told))


def test_outcomes_and_the_overall_accuracy(rows: list[Row], told: dict[str, Any]) -> None:
    assert len(rows) == 162
    assert [row["outcome"] == "correct" for row in rows] == list(map(is_right, rows))
    assert told["n_invalid"] == sum(row["parsed"] is None for row in rows)
    assert 0 < sum(map(is_right, rows)) < 162, "else this proves little"
    assert_share(told["accuracy"], list(map(is_right, rows)))
    assert told["most_frequent_answer"] == max(Counter(row["answer"] for row in rows).values()) / 162


@pytest.mark.parametrize("by", ["row", "col"])
def test_rows_and_columns(rows: list[Row], told: dict[str, Any], by: str) -> None:
    assert set(told["breakdowns"][by]) == set(map(str, range(9)))
    for level, of in told["breakdowns"][by].items():
        assert_share(of, [is_right(row) for row in rows if str(row[by]) == level])


def test_areas_slots_and_attributes(rows: list[Row], told: dict[str, Any]) -> None:
    for area in AREAS:
        assert_share(told["areas"][area], [is_right(row) for row in rows if row["area"] == area])
    assert told["area_mean"] == pytest.approx(np.mean([told["areas"][area]["estimate"] for area in AREAS]))
    for slot, of in told["slots"].items():
        assert_share(of, [is_right(row) for row in rows if row["options"].index(row["answer"]) == int(slot)])
    for color, of in told["attributes"]["color"].items():
        assert_share(of, [is_right(row) for row in rows if row["color"] == color])


def test_cells_their_spread_and_the_worst(rows: list[Row], told: dict[str, Any]) -> None:
    by_cell: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for row in rows:
        by_cell[row["row"], row["col"]].append(is_right(row))
    assert len(told["cells"]) == len(by_cell) == 81
    for cell in told["cells"]:
        assert_share(cell["accuracy"], by_cell[cell["row"], cell["col"]])
    shares = np.array([np.mean(hits) for _, hits in sorted(by_cell.items())])
    assert told["cell_std"] == pytest.approx(shares.std())
    assert told["worst_cell"]["accuracy"]["estimate"] == shares.min() == told["evenness"]["worst"]["estimate"]
    noise = np.mean([p * (1 - p) / (2 - 1) for p in shares])  # the unbiased variance of a cell's share, n = 2
    assert told["cell_std_true"] == pytest.approx(sqrt(max(0.0, shares.var(ddof=1) - noise)), abs=0.02)
    assert told["evenness"]["equivalence"]["n_cells"] == 81
    assert told["evenness"]["equivalence"]["holds"] is False  # of two questions a cell nothing can be shown


def test_the_uniformity_test_is_that_of_a_permutation(rows: list[Row], told: dict[str, Any]) -> None:
    hits = np.array(list(map(is_right, rows)))
    cells = np.array([9 * row["row"] + row["col"] for row in rows])
    share = hits.mean()

    def chi_square(values: np.ndarray) -> float:
        return float(np.square(np.bincount(cells, values, 81) - 2 * share).sum() / (2 * share * (1 - share)))

    rng = np.random.default_rng(7)
    drawn = [chi_square(rng.permutation(hits)) >= chi_square(hits) - 1e-9 for _ in range(2_000)]
    assert told["uniformity"]["statistic"] == pytest.approx(chi_square(hits))
    assert told["uniformity"]["p_value"] == pytest.approx(np.mean(drawn), abs=0.04)


def test_the_trend_is_a_logistic_regression_s(rows: list[Row], told: dict[str, Any]) -> None:
    y = np.array([(2 * row["row"] + 1) / 9 - 1 for row in rows])
    x = np.array([(2 * row["col"] + 1) / 9 - 1 for row in rows])
    columns = np.stack([np.ones_like(x), y, x, np.hypot(y, x)], axis=1)
    hits = np.array(list(map(is_right, rows)), dtype=float)

    def penalised(beta: np.ndarray) -> float:  # Firth 1993: the log-likelihood plus half the information's log
        p = 1 / (1 + np.exp(-columns @ beta))
        information = columns.T @ (columns * (p * (1 - p))[:, None])
        log_likelihood = float((hits * np.log(p) + (1 - hits) * np.log1p(-p)).sum())
        return -log_likelihood - 0.5 * float(np.linalg.slogdet(information)[1])

    found = optimize.minimize(penalised, np.zeros(4), method="BFGS", options={"gtol": 1e-7}).x
    names = [each["name"] for each in told["evenness"]["trend"]["coefficients"]]
    assert names == ["constant", "row", "column", "distance"]
    estimates = [each["estimate"] for each in told["evenness"]["trend"]["coefficients"]]
    assert estimates == pytest.approx(found.tolist(), abs=1e-3)


def test_where_wrong_answers_point(rows: list[Row], told: dict[str, Any]) -> None:
    at = {area: divmod(k, 3) for k, area in enumerate(AREAS)}
    for area, of in zip(AREAS, told["places"]["steps"], strict=True):
        wrong = [at[row["parsed"]] for row in rows if row["area"] == area and row["parsed"] not in (area, None)]
        assert of["n"] == len(wrong)
        if wrong:
            assert of["dy"]["estimate"] == pytest.approx(np.mean([y - at[area][0] for y, _ in wrong]))
            assert of["dx"]["estimate"] == pytest.approx(np.mean([x - at[area][1] for _, x in wrong]))
    given = Counter(row["parsed"] for row in rows if row["parsed"])
    right = Counter(row["answer"] for row in rows if row["parsed"])
    moved = sum(abs(given[area] - right[area]) for area in AREAS) / 2 / sum(right.values())
    assert told["places"]["answers"]["moved"] == pytest.approx(moved)


def test_slots_that_are_chosen(rows: list[Row], told: dict[str, Any]) -> None:
    valid = [row for row in rows if row["parsed"] is not None]
    right = Counter(row["options"].index(row["answer"]) for row in valid)
    given = Counter(row["options"].index(row["parsed"]) for row in valid)
    for slot, of in enumerate(told["chosen_slots"]["answers"]["differences"]):
        assert of["estimate"] == pytest.approx((given[slot] - right[slot]) / len(valid))


def test_the_options_scores(rows: list[Row], told: dict[str, Any]) -> None:
    def best(values: list[float], row: Row) -> str:
        return str(row["options"][max(range(len(values)), key=values.__getitem__)])

    def rules(row: Row) -> dict[str, str]:
        scores, tokens, priors = row["option_scores"], row["option_tokens"], row["option_priors"]
        return {
            "sum": best(scores, row),
            "per-token": best([s / n for s, n in zip(scores, tokens, strict=True)], row),
            "against-prior": best([s - p for s, p in zip(scores, priors, strict=True)], row),
        }

    said = [rules(row) for row in rows]
    for rule, of in told["by_options"]["accuracy"].items():
        assert_share(of, [each[rule] == row["answer"] for each, row in zip(said, rows, strict=True)])
    assert_share(
        told["by_options"]["agreement"], [each["sum"] == row["parsed"] for each, row in zip(said, rows, strict=True)]
    )
    confidence = []
    for row in rows:
        weights = [exp(score - max(row["option_scores"])) for score in row["option_scores"]]
        confidence.append(max(weights) / sum(weights))
    hits = [each["sum"] == row["answer"] for each, row in zip(said, rows, strict=True)]
    calibration = told["by_options"]["calibration"]
    assert len(calibration["bins"]) == 1  # of 162 questions, a hundred a bin at least
    assert calibration["ece"] == pytest.approx(abs(np.mean(hits) - np.mean(confidence)))
    assert calibration["overconfidence"]["estimate"] == pytest.approx(np.mean(confidence) - np.mean(hits))
