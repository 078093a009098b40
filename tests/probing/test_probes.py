"""A probe finds what is there in a state, finds nothing where nothing is, and is judged by what it never saw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from evensight.datasets.scene_examples import SceneExamples
from evensight.probing.figures import cell_rows, chosen_outcome, estimate, probe_rows
from evensight.probing.layout import Site
from evensight.probing.outcomes import Outcome, among, outcome, read_outcomes, write_outcomes
from evensight.probing.places import Places, places
from evensight.probing.probes import Features, fit_classes, fit_coordinates, held_out

N_HIDDEN = 24


@pytest.fixture(scope="module")
def located(four_kinds: SceneExamples) -> Places:
    return places(four_kinds, np.arange(len(four_kinds)))


@pytest.fixture(scope="module")
def layers(located: Places) -> dict[int, Features]:
    """States of a made model: layer 0 has nothing of the place, layer 1 the area and the coordinates, linearly."""
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=(len(located), N_HIDDEN)) for _ in range(2)]
    area, xy = rng.normal(size=(9, N_HIDDEN)), rng.normal(size=(2, N_HIDDEN))
    coordinates = np.stack([located.by_target["x"], located.by_target["y"]], axis=1)
    told = 2 * area[located.classes("area")] + coordinates @ xy
    return {0: noise[0].astype(np.float32), 1: (noise[1] + told).astype(np.float32)}


def test_the_place_is_found_in_the_layer_where_it_is_and_in_no_other(
    layers: dict[int, Features], located: Places
) -> None:
    found = {layer: outcome(features, located, "area", 0, 2) for layer, features in layers.items()}
    truth = located.by_target["area"]
    assert estimate([found[0]], truth, located).low < 1 / 9 < 0.2 < estimate([found[1]], truth, located).low
    assert (found[1].predicted == truth).mean() > 0.9
    assert (found[0].predicted == truth).mean() < 0.2
    picked, of_layer = chosen_outcome(found)
    assert set(of_layer.tolist()) == {1}
    assert np.array_equal(picked.predicted, found[1].predicted)


def test_a_probe_of_shuffled_labels_stays_at_chance_where_the_place_is_plain(
    layers: dict[int, Features], located: Places
) -> None:
    found = outcome(layers[1], located, "area", 0, 2)
    assert 0.05 < (found.control == found.control_truth).mean() < 0.18
    assert (found.control_truth != located.by_target["area"]).mean() > 0.8
    assert 0.15 < found.arbitrary_right.mean() < (found.predicted == located.by_target["area"]).mean()


def test_coordinates_are_read_where_they_are(layers: dict[int, Features], located: Places) -> None:
    rows = {
        layer: next(iter(probe_rows(Site("last", layer), {("x", 0): outcome(of, located, "x", 0, 2)}, located)))
        for layer, of in layers.items()
    }
    assert rows[1]["r2"] > 0.8
    assert rows[0]["r2"] < 0.1
    assert rows[1]["low"] <= rows[1]["r2"] <= rows[1]["high"]
    assert rows[1]["error_cells"] < 1
    assert rows[0]["error_cells"] > 1.5
    assert rows[1]["control_r2"] < 0.05
    assert "accuracy" not in rows[1]


def test_what_holds_for_one_combination_alone_is_not_found_in_another(located: Places) -> None:
    """Each combination writes the area in a way of its own: a split by rows would read it, held-out ones can't."""
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(4, 9, 200)) * 3
    features = codes[located.combinations, located.classes("area")].astype(np.float32)
    features += rng.normal(size=features.shape).astype(np.float32) * 0.1
    truth = located.by_target["area"]
    assert (held_out(features, truth, located, 0).predicted == truth).mean() < 0.3
    by_rows = replace(located, combinations=np.arange(len(located)) % 20)
    assert (held_out(features, truth, by_rows, 0).predicted == truth).mean() > 0.9


def test_probes_are_those_of_scikit_learn(layers: dict[int, Features], located: Places) -> None:
    features, labels = layers[1][:200], located.classes("area")[:200]
    probe = fit_classes(features, labels, located.combinations[:200], [0.5])
    mean, scale = features.mean(axis=0), features.std(axis=0)
    fit = LogisticRegression(C=1000 / (0.5 * 200), max_iter=2000, tol=1e-6).fit((features - mean) / scale, labels)
    assert (probe.predict(layers[1]) == fit.predict((layers[1] - mean) / scale)).mean() > 0.98
    x = located.by_target["x"][:200].astype(np.float64)
    line = fit_coordinates(features, x, located.combinations[:200], [0.5])
    ridge = Ridge(alpha=0.5 * 200 / 1000).fit((features - mean) / scale, x)
    np.testing.assert_allclose(line.scores(features)[:, 0], ridge.predict((features - mean) / scale), rtol=1e-3)


def test_two_classes_have_two_scores(layers: dict[int, Features], located: Places) -> None:
    labels = (located.classes("row") > 4).astype(np.int64) + 5
    probe = fit_classes(layers[1], labels, located.combinations)
    assert probe.scores(layers[1]).shape == (324, 2)
    assert (probe.predict(layers[1]) == labels).mean() > 0.9


def test_a_feature_that_does_not_vary_is_left_alone(layers: dict[int, Features], located: Places) -> None:
    constant = np.concatenate([layers[1], np.full((324, 1), 7, np.float32)], axis=1)
    probe = fit_classes(constant, located.classes("area"), located.combinations)
    assert np.isfinite(probe.weights).all()
    assert probe.scale[-1] == 1


def test_the_penalty_is_chosen_by_held_out_combinations(located: Places) -> None:
    """Many features of noise call for a strong one, and signal beneath noise that features share for a weak one."""
    rng, labels, groups = np.random.default_rng(2), located.classes("area"), located.combinations
    noisy = rng.normal(size=(9, 300))[labels] * 0.15 + rng.normal(size=(324, 300))
    shared = rng.normal(size=(9, 24))[labels] + 20 * rng.normal(size=(324, 1)) * rng.normal(size=24)
    for states, best in ((noisy, 100.0), (shared + 0.2 * rng.normal(size=(324, 24)), 1e-3)):
        features = states.astype(np.float32)
        probe = fit_classes(features, labels, groups, [100.0, 1e-3])
        alone = {penalty: fit_classes(features, labels, groups, [penalty] * 2) for penalty in (100.0, 1e-3)}
        assert probe.penalty == best
        assert probe.inner_score == alone[best].inner_score > min(one.inner_score for one in alone.values())


def test_rows_and_cells_count_what_was_predicted(located: Places) -> None:
    truth = located.classes("area")
    made = {
        ("area", seed): _outcome(np.where(located.classes("row") == seed, (truth + 1) % 9, truth)) for seed in (0, 1)
    }
    row = next(iter(probe_rows(Site("last", 3), made, located)))
    assert (row["n"], row["n_groups"], row["layer"]) == (324, 4, 3)
    assert row["accuracy"] == pytest.approx(8 / 9)
    assert row["chance"] == pytest.approx(1 / 9)
    cells = {(cell["row"], cell["col"]): cell for cell in cell_rows(Site("last", 3), made, located)}
    assert len(cells) == 81
    assert (cells[0, 4]["accuracy"], cells[0, 4]["n"]) == (0.5, 4)
    assert cells[5, 5]["accuracy"] == 1
    assert cells[0, 4]["low"] < 0.5 < cells[0, 4]["high"]


def _outcome(predicted: NDArray[np.int64]) -> Outcome:
    half = np.arange(len(predicted)) % 2
    return Outcome(
        predicted, predicted, np.roll(predicted, 1), predicted > 3, half, np.array([0.5, 0.6]), np.array([1.0, 1.0])
    )


def test_for_each_fold_the_layer_is_chosen_that_did_best_inside() -> None:
    low, high = _outcome(np.zeros(6, np.int64)), _outcome(np.ones(6, np.int64))
    low = replace(low, inner_scores=np.array([0.9, 0.1]))
    picked, layer_of = chosen_outcome({2: low, 7: high})
    assert picked.predicted.tolist() == [0, 1, 0, 1, 0, 1]
    assert layer_of.tolist() == [2, 7, 2, 7, 2, 7]
    assert picked.inner_scores.tolist() == [0.9, 0.6]


def test_outcomes_come_back_from_the_disk(tmp_path: Path) -> None:
    made = {("area", 0): _outcome(np.arange(5)), ("x", 0): _outcome(np.arange(5) + 2)}
    write_outcomes(tmp_path / "site.npz", made)
    back = read_outcomes(tmp_path / "site.npz", ("area", "x"), (0,))
    assert back is not None
    for key, one in made.items():
        assert all(
            np.array_equal(getattr(back[key], name), getattr(one, name)) for name in Outcome.__dataclass_fields__
        )
    assert read_outcomes(tmp_path / "none.npz", ("area",), (0,)) is None


def test_some_examples_alone_keep_their_combinations_apart(located: Places) -> None:
    there = located.combinations != 1
    kept = among(located, there)
    assert (len(kept), kept.n_combinations) == (243, 3)
    assert np.array_equal(kept.by_target["cell"], located.by_target["cell"][there])
