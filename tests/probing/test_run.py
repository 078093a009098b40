"""A probing run is whole or not there, resumes to the same bytes, and says what its tables say."""

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from evensight import cli
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.models.loading import identify
from evensight.probing import run as module
from evensight.probing.results import (
    CELLS_SCHEMA,
    INTERVENTION_SCHEMA,
    PREDICTIONS_SCHEMA,
    PROBES_SCHEMA,
    Answers,
    ProbeResults,
    read_probes,
)
from evensight.probing.run import ProbeConfig, probe
from evensight.reports.probe_charts import cells_svg, layers_svg
from evensight.reports.probes import changes, intervention_table, probe_table, verdict_lines
from evensight.settings import checked

CONFIG = ProbeConfig(
    positions=("last", "second", "vision"), targets=("area", "col", "x"), layers=(0, 3), seeds=2, intervention=9
)


def answers(four_kinds: SceneExamples, path: Path = Path("evaluation")) -> Answers:
    """A model that says "center" to everything."""
    by_id = {example.id: ("center", example.area == "center") for example in four_kinds}
    return Answers(path, identify("embedded") | {"data": four_kinds.hash}, by_id)


@pytest.fixture(scope="module")
def finished(four_kinds: SceneExamples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("probes") / "run"
    probe("embedded", None, four_kinds, out, CONFIG, answers=answers(four_kinds))
    return out


@pytest.fixture(scope="module")
def results(finished: Path) -> ProbeResults:
    return read_probes(finished)


def test_the_folder_holds_its_tables_and_nothing_half_made(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == {
        *("probes.parquet", "cells.parquet", "predictions.parquet", "intervention.parquet", "answers.parquet"),
        *("summary.json", "manifest.json", ".lock"),
    }


def test_there_is_a_row_for_each_site_target_and_seed(results: ProbeResults) -> None:
    rows = {(row["position"], row["layer"], row["target"], row["seed"]) for row in results.probes.to_pylist()}
    sites = [("vision", 0), ("last", 0), ("last", 3)]
    expected = {(*site, target, seed) for site in sites for target in ("area", "col", "x") for seed in (0, 1)}
    expected |= {("second", layer, target, seed) for layer in (0, 3) for target in ("col", "x") for seed in (0, 1)}
    assert rows == expected
    assert results.probes.schema.equals(PROBES_SCHEMA)
    assert results.cells.schema.equals(CELLS_SCHEMA)
    assert results.predictions.schema.equals(PREDICTIONS_SCHEMA)
    assert results.intervention is not None
    assert results.intervention.schema.equals(INTERVENTION_SCHEMA)


def test_nothing_of_the_place_is_in_the_last_token_before_the_first_layer_and_much_behind_the_third(
    results: ProbeResults,
) -> None:
    by_layer = {one["layer"]: one for one in results.summary["positions"]["last"]["area"]["layers"]}
    assert by_layer[0]["estimate"] < 0.2
    assert by_layer[3]["estimate"] > 0.4
    assert results.summary["positions"]["last"]["area"]["chosen"]["layers"] == [3]
    assert results.summary["positions"]["last"]["area"]["chosen"]["control"]["estimate"] < 0.2


def test_the_summary_is_what_the_predictions_say(results: ProbeResults) -> None:
    for position, target in (("last", "area"), ("vision", "col"), ("second", "col")):
        ids, groups, correct = results.chosen(position, target)
        chosen = results.summary["positions"][position][target]["chosen"]
        assert correct.shape == (2, 324)
        assert len(set(ids)) == 324
        assert set(groups.tolist()) == {0, 1, 2, 3}
        assert chosen["estimate"] == pytest.approx(correct.mean())
        kept = results.predictions.filter(pc.equal(results.predictions["position"], position))
        control = kept.filter(pc.equal(kept["target"], target))["control_correct"].to_numpy(zero_copy_only=False)
        assert chosen["control"]["estimate"] == pytest.approx(control.mean())


def test_cells_add_up_to_the_layer_s_accuracy(results: ProbeResults) -> None:
    rows = [row for row in results.cells.to_pylist() if (row["position"], row["layer"]) == ("last", 3)]
    areas = [row for row in rows if row["target"] == "area"]
    assert len(areas) == 81
    mean = sum(row["accuracy"] * row["n"] for row in areas) / 324
    by_layer = results.summary["positions"]["last"]["area"]["layers"]
    assert mean == pytest.approx(next(one["estimate"] for one in by_layer if one["layer"] == 3))


def test_the_verdict_is_of_the_same_questions(results: ProbeResults) -> None:
    found = results.summary["verdicts"]
    assert set(found) == {"vision", "last"}  # the second word's position knows the row
    assert found["last"]["said"]["estimate"] == pytest.approx(1 / 9)
    assert found["last"]["read_where_wrong"]["n"] == 288
    line = next(line for line in verdict_lines(results) if line.startswith("last"))
    assert "known, and it is open how much of it is said" in line  # 4 combinations are too few to tell


def test_another_run_ends_with_the_same_bytes_also_when_it_was_interrupted(
    finished: Path, four_kinds: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, n_made = vars(module)["outcome"], 0

    def dies(*given: object) -> object:
        nonlocal n_made
        n_made += 1
        if n_made == 10:  # the first site is done, the second half
            raise KeyboardInterrupt
        return outcome(*given)

    monkeypatch.setattr(module, "outcome", dies)
    with pytest.raises(KeyboardInterrupt):
        probe("embedded", None, four_kinds, tmp_path / "run", CONFIG, answers=answers(four_kinds))
    with pytest.raises(InputError, match="half written"):
        read_probes(tmp_path / "run")
    done, *_ = (tmp_path / "run" / ".parts").glob("[!.]*.npz")
    content = done.read_bytes()
    done.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])  # and is made again
    n_made = 100
    monkeypatch.setattr("evensight.probing.reading.StateReader.read", lambda *_: pytest.fail("read again"))
    manifest = probe("embedded", None, four_kinds, tmp_path / "run", CONFIG, answers=answers(four_kinds))
    assert n_made == 100 + 26
    assert manifest.files == read_probes(finished).manifest.files


def test_a_finished_run_does_nothing_again(
    finished: Path, four_kinds: SceneExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load", lambda *_: pytest.fail("the model was loaded again"))
    assert probe("embedded", None, four_kinds, finished, CONFIG, answers=answers(four_kinds)).facts["n"] == 324


def test_answers_of_another_set_are_refused(four_kinds: SceneExamples, tmp_path: Path) -> None:
    wrong = Answers(Path("e"), identify("embedded") | {"data": "other"}, {})
    with pytest.raises(InputError, match="answers of another set"):
        probe("embedded", None, four_kinds, tmp_path, CONFIG, answers=wrong)


def test_too_few_combinations_are_told_before_a_state_is_read(
    four_kinds: SceneExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "extract", lambda *_: pytest.fail("states were read"))
    with pytest.raises(InputError, match="4 combinations of attributes: expected at least 6"):
        probe("embedded", None, four_kinds, tmp_path / "run", CONFIG.model_copy(update={"folds": 3}))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"positions": ("first",)}, "the position `first` is not known: expected one of last, object"),
        ({"targets": ("z",)}, "the target `z` is not known: expected one of area"),
        ({"layers": ("one",)}, "`layers.0`"),
        ({"seeds": 0}, "`seeds`"),
    ],
)
def test_what_is_not_known_is_one_line(given: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        checked(ProbeConfig, given, "the options")


def test_tables_sentences_and_charts_show_what_the_run_holds(results: ProbeResults) -> None:
    chosen = results.summary["positions"]["last"]["area"]["chosen"]
    shown = [list(column.cells) for column in probe_table([("base", results)]).columns]
    assert f"{100 * chosen['estimate']:.1f}" in map(str, shown[1])
    table = intervention_table(results)
    assert table is not None
    assert table.row_count == 3
    drawn = layers_svg([("<base>", results), ("again", results)])
    assert "&lt;base&gt;" in drawn
    assert "<base>" not in drawn
    low, high = 100 * chosen["low"], 100 * chosen["high"]
    assert f"interval {low:.1f}" in drawn.replace("\u00a0", " ")
    assert high > low
    maps = cells_svg([("base", results)], "last")
    assert "layer 0" in maps
    assert "layer 3" in maps
    with pytest.raises(InputError, match="`object` is not known: expected one of vision, last, second"):
        cells_svg([("base", results)], "object")


def test_a_run_changes_nothing_against_itself(results: ProbeResults) -> None:
    found = changes(results, results)
    assert set(found) == {"vision", "last"}
    assert all(of.read.estimate == 0 and of.read_p_value == 1 for of in found.values())
    assert found["last"].said is not None
    assert np.isclose(found["last"].said.estimate, 0)


def test_compare_prints_tables_or_json(finished: Path, tmp_path: Path) -> None:
    figure = tmp_path / "layers.svg"
    shown = CliRunner().invoke(cli.app, ["probe", "compare", str(finished), str(finished), "--figure", str(figure)])
    assert shown.exit_code == 0, shown.output
    assert "known, and it is open" in shown.output
    assert "run to run: read: 0.0 points" in shown.output
    assert figure.read_text().startswith("<svg")
    told = CliRunner().invoke(cli.app, ["probe", "compare", str(finished), "--json"])
    assert json.loads(told.output)["n"] == 324


def test_the_command_s_mistakes_are_one_line() -> None:
    done = CliRunner().invoke(cli.app, ["probe", "--model", "embedded"])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("--data, --out missing: expected `evensight probe")
