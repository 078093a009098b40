"""Linear probes: how much of a place can be read off a state by one linear map.

Features are standardised by what the probe learns from. A class is probed for by logistic regression, coordinates by
ridge regression; the strength of the penalty is chosen by cross-validation among the combinations that the probe
learns from, so the held-out ones decide nothing. Every example is predicted once, by a probe that saw neither its
combination nor its picture.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evensight.errors import InputError
from evensight.probing.places import Places
from evensight.probing.splits import splits

Features = NDArray[np.float32]
PENALTIES = (100.0, 10.0, 1.0, 0.1)
"""Strengths of the L2 penalty that are tried, for each 1,000 examples of standardised features."""
N_FOLDS = 2
_MAX_ITERATIONS = 100
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear map from a state to scores of classes, or to coordinates.

    Attributes:
        mean: What is taken off a state first, `[hidden]`.
        scale: What it is then divided by, `[hidden]`.
        weights: `[class, hidden]`, or `[coordinate, hidden]`.
        bias: `[class]`, or `[coordinate]`.
        classes: The class of each score; empty for coordinates.
        penalty: The strength that was chosen.
        inner_score: What that reached among the combinations that it learned from: an accuracy, or an R2. NaN
            where there was nothing to choose.
    """

    mean: Features
    scale: Features
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    classes: NDArray[np.int64]
    penalty: float
    inner_score: float

    def scores(self, features: Features) -> NDArray[np.float64]:
        """The scores `[example, class]` or coordinates `[example, coordinate]`."""
        found: NDArray[np.float64] = ((features - self.mean) / self.scale) @ self.weights.T + self.bias
        return found

    def predict(self, features: Features) -> NDArray[np.int64]:
        """The class of highest score of each example."""
        predicted: NDArray[np.int64] = self.classes[self.scores(features).argmax(axis=1)]
        return predicted

    @property
    def directions(self) -> NDArray[np.float64]:
        """By how much each score grows along a state's own axes, `[class, hidden]`."""
        return self.weights / self.scale


def check_installed() -> None:
    """Checks that scikit-learn is there.

    Raises:
        InputError: It isn't.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InputError("probes need the package scikit-learn: pip install 'evensight[probes]'") from error


def fit_classes(
    features: Features, labels: NDArray[np.int64], groups: NDArray[np.int64], penalties: Sequence[float] = PENALTIES
) -> Probe:
    """A logistic regression of classes.

    Args:
        features: The states that it learns from, `[example, hidden]`.
        labels: Their classes.
        groups: Their combinations, of which some are held out to choose the penalty.
        penalties: The strengths that are tried; a single one is taken as it is.
    """
    mean, scale = _standard(features)
    given = (features - mean) / scale
    chosen, score = _chosen(given, labels, groups, penalties, _logistic_path)
    model = next(_logistic_path(given, labels, [chosen]))
    weights, bias = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    if len(model.classes_) == 2:  # scikit-learn gives the second class's score alone
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return Probe(mean, scale, weights, bias, np.asarray(model.classes_, np.int64), chosen, score)


def fit_coordinates(
    features: Features, values: NDArray[np.float64], groups: NDArray[np.int64], penalties: Sequence[float] = PENALTIES
) -> Probe:
    """A ridge regression of one coordinate, `values` `[example]`; arguments as for `fit_classes`."""
    mean, scale = _standard(features)
    given = (features - mean) / scale
    chosen, score = _chosen(given, values, groups, penalties, _ridge_path)
    model = next(_ridge_path(given, values, [chosen]))
    weights = np.asarray(model.coef_, np.float64).reshape(1, -1)
    bias = np.asarray(model.intercept_, np.float64).reshape(1)
    return Probe(mean, scale, weights, bias, np.zeros(0, np.int64), chosen, score)


def _standard(features: Features) -> tuple[Features, Features]:
    mean, scale = features.mean(axis=0), features.std(axis=0)
    return mean, np.where(scale > 1e-6 * max(1e-12, float(scale.max(initial=0))), scale, 1).astype(np.float32)


Fits = Callable[[Features, Any, Sequence[float]], Iterator[Any]]
"""Fits to features and labels or values, one model for each penalty."""


def _logistic_path(given: Features, labels: NDArray[np.int64], penalties: Sequence[float]) -> Iterator[Any]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(warm_start=True, max_iter=_MAX_ITERATIONS, tol=_TOLERANCE)
    for penalty in penalties:  # each begins where the stronger one ended
        model.C = 1000 / (penalty * len(given))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one that stops early is a probe as well, and chosen as such
            yield model.fit(given, labels)


def _ridge_path(given: Features, values: NDArray[np.float64], penalties: Sequence[float]) -> Iterator[Any]:
    from sklearn.linear_model import Ridge

    for penalty in penalties:
        yield Ridge(alpha=penalty * len(given) / 1000).fit(given, values)


def _chosen(
    given: Features, labels: Any, groups: NDArray[np.int64], penalties: Sequence[float], fits: Fits
) -> tuple[float, float]:
    """The penalty that does best where combinations are held out, and how well that is (accuracy or R2)."""
    from sklearn.model_selection import GroupKFold

    if len(penalties) == 1:
        return penalties[0], nan
    ordered = sorted(penalties, reverse=True)
    scores = np.zeros(len(ordered))
    n_folds = min(N_FOLDS, len(np.unique(groups)))
    if n_folds < 2:
        raise ValueError("a probe learns from two combinations or more")
    for train, test in GroupKFold(n_folds).split(given, groups=groups):
        models = fits(given[train], labels[train], ordered)
        scores += [float(model.score(given[test], labels[test])) / n_folds for model in models]
    best = int(scores.argmax())
    return ordered[best], float(scores[best])


@dataclass(frozen=True, eq=False)
class Predictions:
    """What probes say of all examples, each by the one that didn't see it.

    Attributes:
        predicted: The class, or the coordinate, of each example.
        fold: In which fold it was held out.
        probes: The folds' probes.
    """

    predicted: NDArray[Any]
    fold: NDArray[np.int64]
    probes: tuple[Probe, ...]


def held_out(
    features: Features,
    labels: NDArray[Any],
    places: Places,
    seed: int,
    *,
    penalties: Sequence[Sequence[float]] | None = None,
    n_folds: int = N_FOLDS,
) -> Predictions:
    """Probes all examples, each held out once.

    Args:
        features: Their states, `[example, hidden]`.
        labels: Their classes (int) or coordinates (float).
        places: Their combinations and pictures.
        seed: Deals the combinations into folds.
        penalties: The strengths that are tried in each fold; None for `PENALTIES`.
        n_folds: How many folds there are.
    """
    fit: Callable[..., Probe] = fit_classes if labels.dtype.kind == "i" else fit_coordinates
    predicted, fold_of = np.zeros(len(labels), labels.dtype), np.zeros(len(labels), np.int64)
    probes = []
    for fold, split in enumerate(splits(places, n_folds, seed)):
        tried = PENALTIES if penalties is None else penalties[fold]
        probe = fit(features[split.train], labels[split.train], places.combinations[split.train], tried)
        test = features[split.test]
        predicted[split.test] = probe.predict(test) if labels.dtype.kind == "i" else probe.scores(test)[:, 0]
        fold_of[split.test] = fold
        probes.append(probe)
    return Predictions(predicted, fold_of, tuple(probes))
