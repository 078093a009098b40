"""What a probing run amounts to, by position and target.

The figures by layer, those of the layers that are chosen without looking at what is held out, and what becomes of the
place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

import numpy as np
import pyarrow as pa

from evensight.probing import results as tables
from evensight.probing.figures import chosen_outcome, estimate
from evensight.probing.intervals import mean_interval
from evensight.probing.layout import Site
from evensight.probing.outcomes import Outcome, SiteOutcomes
from evensight.probing.places import CLASSES, Places
from evensight.probing.verdict import Verdict, verdict

Chosen = Mapping[tuple[str, str, int], tuple[Outcome, Any]]
"""By position, target and seed: the outcome of the layers that did best inside, and which layer each example had."""


def by_position(kept: Mapping[Site, Places]) -> dict[str, Places]:
    """The places of the examples that have each position."""
    return {site.position: located for site, located in kept.items()}


def chosen_outcomes(found: Mapping[Site, SiteOutcomes]) -> Chosen:
    """For each position, target and seed what the layers say that are chosen, over all sites."""
    by_layer: dict[tuple[str, str, int], dict[int, Outcome]] = {}
    for site, outcomes in found.items():
        for (target, seed), one in outcomes.items():
            by_layer.setdefault((site.position, target, seed), {})[site.state] = one
    return {key: chosen_outcome(outcomes) for key, outcomes in by_layer.items()}


def predictions_table(chosen: Chosen, kept: Mapping[Site, Places]) -> pa.Table:
    """The table of what the chosen layers' probes say, column by column: it has a row for each example many times."""
    located = by_position(kept)
    parts = [tables.PREDICTIONS_SCHEMA.empty_table()]
    for (position, target, seed), (one, layers) in chosen.items():
        if target in CLASSES:
            of_position, n = located[position], len(located[position])
            columns = {
                "id": of_position.ids,
                "group": of_position.combinations,
                "position": [position] * n,
                "layer": layers,
                "target": [target] * n,
                "seed": np.full(n, seed),
                "predicted": one.predicted,
                "correct": one.predicted == of_position.by_target[target],
                "control_correct": one.control == one.control_truth,
            }
            arrays = [pa.array(columns[field.name], field.type) for field in tables.PREDICTIONS_SCHEMA]
            parts.append(pa.Table.from_arrays(arrays, schema=tables.PREDICTIONS_SCHEMA))
    return pa.concat_tables(parts)


def position_figures(
    found: Mapping[Site, SiteOutcomes], chosen: Chosen, kept: Mapping[Site, Places]
) -> dict[str, dict[str, Any]]:
    """For each position and target: every layer's estimate over all seeds, and the chosen layers'."""
    figures: dict[str, dict[str, Any]] = {}
    for site, outcomes in found.items():
        for target in dict.fromkeys(target for target, _ in outcomes):
            of_target = figures.setdefault(site.position, {}).setdefault(target, {"layers": []})
            by_seed = [one for (name, _), one in outcomes.items() if name == target]
            over_seeds = estimate(by_seed, kept[site].by_target[target], kept[site])
            of_target["layers"].append({"layer": site.state, **asdict(over_seeds)})
    for position, of_position in by_position(kept).items():
        for target, of_target in figures.get(position, {}).items():
            picked = [value for (where, name, _), value in chosen.items() if (where, name) == (position, target)]
            of_target["chosen"] = _of_chosen(picked, target, of_position)
    return figures


def _of_chosen(picked: Sequence[tuple[Outcome, Any]], target: str, located: Places) -> dict[str, Any]:
    outcomes, layers = [one for one, _ in picked], np.concatenate([layers for _, layers in picked])
    figures: dict[str, Any] = {
        "layers": sorted({int(layer) for layer in layers}),
        **asdict(estimate(outcomes, located.by_target[target], located)),
    }
    if target in CLASSES:
        control = np.stack([one.control == one.control_truth for one in outcomes])
        figures["control"] = asdict(mean_interval(control, located.combinations, np.random.default_rng(0)))
        by_cell = [one.arbitrary_right for one in outcomes]
        figures["arbitrary"] = float(np.mean(by_cell)) if by_cell[0].size else None
    else:
        figures["error_cells"] = float(
            np.mean([np.abs(one.predicted - located.by_target[target]) for one in outcomes])
        )
    return figures


def area_verdict(by_seed: Sequence[Outcome], located: Places, said: Any) -> Verdict:
    """What becomes of the area at one position: what its probes read, over seeds, beside what the model said."""
    read = np.stack([one.predicted == located.by_target["area"] for one in by_seed])
    control = np.stack([one.control == one.control_truth for one in by_seed])
    return verdict(read, control, said, located.combinations, np.random.default_rng(0))


def without_nan(value: Any) -> Any:
    """The value with None for NaN, which JSON doesn't have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and isnan(value) else value
