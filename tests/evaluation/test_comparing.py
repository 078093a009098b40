"""Runs against one another: by hand, by SciPy, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner, Result

from evensight.cli import app
from evensight.errors import InputError
from evensight.evaluation.comparing import compare, compare_seeds
from evensight.evaluation.results import Results
from evensight.statistics import seeds_difference
from made_runs import center_only, examples, half, hash_of, right, write_run, wrong

NAMES = ("one", "two")


def mostly(example: object) -> str:
    return wrong(example) if hash_of(example) < 40 else right(example)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("runs")
    for name, say in {"half": half, "mostly": mostly, "right": right, "center": center_only}.items():
        write_run(home / name, say)
    return {path.name: path for path in home.iterdir()}


@pytest.fixture(scope="module")
def results(runs: dict[str, Path]) -> dict[str, Results]:
    from evensight.evaluation.results import read_results

    return {name: read_results(path) for name, path in runs.items()}


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, words)], env={"COLUMNS": "200"})


def test_the_difference_is_mcnemar_s_on_the_shared_questions(results: dict[str, Results]) -> None:
    found = compare(results["half"], results["mostly"], NAMES)
    a, b = results["half"].correct, results["mostly"].correct
    lost, won = int((a & ~b).sum()), int((b & ~a).sum())
    assert found.n == 648
    assert found.difference.estimate == pytest.approx((won - lost) / 648)
    assert found.difference.p_value == pytest.approx(stats.binomtest(won, won + lost).pvalue)
    assert found.accuracy_after - found.accuracy_before == pytest.approx(found.difference.estimate)
    assert 0 < found.detectable < 0.2


def test_questions_are_paired_by_id_whatever_their_order(results: dict[str, Results]) -> None:
    whole = results["mostly"]
    turned = Results(whole.path, whole.manifest, whole.table.take(list(range(len(whole.table)))[::-1]))
    assert compare(results["half"], turned, NAMES) == compare(results["half"], whole, NAMES)


def test_only_what_both_have_answered_counts(results: dict[str, Results]) -> None:
    whole = results["mostly"]
    part = Results(whole.path, whole.manifest, whole.table.slice(100, 50))
    found = compare(results["half"], part, NAMES)
    assert (found.n, found.n_before, found.n_after) == (50, 648, 50)
    assert found.accuracy_after == whole.correct[100:150].mean()


def test_parts_are_corrected_for_one_another(results: dict[str, Results]) -> None:
    found = compare(results["half"], results["center"], NAMES, "area").parts
    assert [part.name for part in found] == sorted({part.name for part in found}, key=lambda name: (len(name), name))
    assert sum(part.difference.n for part in found) == 648
    p = np.array([part.difference.p_value for part in found])
    order = np.argsort(p)
    by_hand = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(9, 0, -1)))
    assert [found[k].p_corrected for k in order] == pytest.approx(by_hand)
    assert next(part for part in found if part.name == "center").difference.estimate > 0


def test_questions_about_one_photograph_are_one_draw(tmp_path: Path) -> None:
    from dataclasses import replace

    asked = [replace(each, id=f"val-{k // 4:012d}-{k}") for k, each in enumerate(examples(2))]

    def by_photo(example: object) -> str:
        return right(example) if int(example.id.split("-")[1]) % 3 else wrong(example)  # type: ignore[attr-defined,arg-type]

    found = [write_run(tmp_path / name, say, asked) for name, say in (("one", by_photo), ("two", half))]
    assert len(set(found[0].images.tolist())) == 41
    clustered = compare(found[0], found[1], NAMES).difference
    plain = [replace(each, id=f"x-{k}") for k, each in enumerate(asked)]
    alone = compare(
        write_run(tmp_path / "a", lambda e: by_photo(asked[int(e.id[2:])]), plain),
        write_run(tmp_path / "b", lambda e: half(asked[int(e.id[2:])]), plain),
        NAMES,
    ).difference
    assert clustered.estimate == alone.estimate
    assert clustered.high - clustered.low > 1.2 * (alone.high - alone.low)


def test_seeds_are_compared_as_the_statistics_say(results: dict[str, Results]) -> None:
    a, b = [results["half"], results["center"]], [results["mostly"], results["right"]]
    found = compare_seeds(a, b, NAMES)
    expected = seeds_difference(np.stack([r.correct for r in a]), np.stack([r.correct for r in b]), a[0].images)
    assert found.difference == expected
    assert (found.n_seeds_before, found.n_seeds_after) == (2, 2)


def test_a_base_without_seeds_is_fixed_and_the_other_s_seeds_vary(results: dict[str, Results]) -> None:
    seeds = [results["mostly"], results["right"]]
    found = compare_seeds([results["half"]], seeds, NAMES)
    one = np.stack([r.correct for r in seeds]) - results["half"].correct.astype(float)
    assert found.difference.estimate == pytest.approx(one.mean())
    assert (found.n_seeds_before, found.n_seeds_after) == (1, 2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{half}"], "two conditions or more"),
        (["{half}", "nowhere"], "`nowhere` is not a folder"),
        (["{half}", "{other}"], "have no question in common"),
        (["{half}", "{changed}"], "the question `toy-0000-0` is not the same"),
        (["{half}", "{mostly}", "--by", "mood"], "`--by` `mood` is not known: expected one of cell, area"),
        (["{half},{mostly}", "{right}", "--by", "area"], "conditions of one run"),
        (["{half},{mostly}", "{right}", "--paired-seeds"], "got 2 and 1 runs"),
    ],
)
def test_what_can_t_be_compared_is_one_line(
    words: list[str], says: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    from dataclasses import replace

    write_run(tmp_path / "other", half, examples(1, name="other"))
    turned = [
        replace(each, question=replace(each.question, options=each.question.options[::-1])) for each in examples()
    ]
    write_run(tmp_path / "changed", half, turned)
    paths = {**runs, "other": tmp_path / "other", "changed": tmp_path / "changed"}
    error = invoke(*(word.format(**paths) for word in words)).exception
    assert isinstance(error, InputError)
    assert says in str(error)


def test_people_get_a_table_and_machines_the_same_figures(runs: dict[str, Path]) -> None:
    shown = invoke(runs["half"], runs["center"], runs["right"], "--by", "cell")
    assert shown.exit_code == 0, shown.output
    assert "center against half" in shown.output
    assert "half is more even" in shown.output.replace("\n", " ")
    told = json.loads(invoke(runs["half"], runs["center"], runs["right"], "--by", "cell", "--json").stdout)
    assert [each["after"] for each in told["comparisons"]] == ["center", "right"]
    assert len(told["comparisons"][0]["parts"]) == 81
    by_seeds = invoke(f"{runs['half']},{runs['center']}", f"{runs['mostly']},{runs['right']}")
    assert "2 seeds against 2" in by_seeds.output
