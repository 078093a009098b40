"""A probing run: a model's states on a set, read, probed and changed; a run folder, resumed where it stopped."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, field_validator

from evensight.caches import cache_folder
from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError, one_of
from evensight.models.loading import LoadedModel, identify, load
from evensight.probing import results as tables
from evensight.probing.activations import Activations, activation_key, extract
from evensight.probing.figures import cell_rows, probe_rows
from evensight.probing.intervention import CHANGED, Trial, intervene
from evensight.probing.layout import Site
from evensight.probing.outcomes import SiteOutcomes, among, outcome, read_outcomes, write_outcomes
from evensight.probing.places import TARGETS, Places, places
from evensight.probing.probes import check_installed
from evensight.probing.reading import ALL, DEFAULT
from evensight.probing.results import KIND, Answers
from evensight.probing.splits import deal
from evensight.probing.summary import (
    Chosen,
    area_verdict,
    by_position,
    chosen_outcomes,
    position_figures,
    predictions_table,
    without_nan,
)
from evensight.probing.taps import n_states
from evensight.progress import progress
from evensight.runs import (
    RunFolder,
    RunManifest,
    atomic_file,
    fingerprint,
    hash_files,
    hash_json,
    is_as_received,
    read_json,
    write_json,
)

AT_SECOND = ("area-col", "col", "x")
"""What is probed for where the answer's first word has been said, which tells the row."""
_PARTS = ".parts"


class ProbeConfig(BaseModel):
    """What a user may choose of a probing run.

    Attributes:
        positions: Where states are read, of `reading.ALL`.
        targets: What is probed for, of `places.TARGETS`.
        layers: Which states of the language model (0: its embeddings); None for all.
        seeds: How often the combinations are dealt into folds anew.
        folds: Into how many; each is held out once.
        batch_size: How many examples go through the model at a time.
        intervention: How many questions are asked again with changed states; 0 for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    positions: tuple[str, ...] = DEFAULT
    targets: tuple[str, ...] = TARGETS
    layers: tuple[int, ...] | None = None
    seeds: int = Field(3, ge=1)
    folds: int = Field(2, ge=2)
    batch_size: int = Field(64, ge=1)
    intervention: int = Field(162, ge=0)

    @field_validator("positions")
    @classmethod
    def _known_positions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _known("the position", value, ALL)

    @field_validator("targets")
    @classmethod
    def _known_targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _known("the target", value, TARGETS)


def _known(what: str, names: tuple[str, ...], choices: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in choices:
            raise one_of(what, name, choices)
    if not names:
        raise InputError(f"expected one of {', '.join(choices)}, or leave it out")
    return tuple(name for name in choices if name in names)


def probe(
    model_name: str,
    adapter: Path | None,
    examples: ExampleSet,
    out: Path,
    config: ProbeConfig,
    *,
    answers: Answers | None = None,
    replace: bool = False,
) -> RunManifest:
    """Probes a model's states on a set and leaves a run folder.

    A folder that holds the whole result of just this run is left as it is; one that was killed goes on with the chunk
    of states, the site or the change that was not finished. What the folder holds is said in `probing.results`.

    Args:
        model_name: What `models.loading.load` loads.
        adapter: The adapter's folder, or the fine-tuning run that made it.
        examples: The set.
        out: The run folder.
        config: What is probed.
        answers: What the same model said to the same questions, to be set beside what is read.
        replace: Whether a finished run of another configuration there may be thrown away.

    Raises:
        InputError: scikit-learn isn't there, the model can't be loaded, the folder isn't free, the set has too few
            combinations, or the answers are of another model or set.
    """
    check_installed()
    folder = RunFolder(out)
    settings = config.model_dump(mode="json") | {"model": model_name, "data": dict(examples.info.config)}
    inputs = identify(model_name, adapter) | {"data": examples.hash}
    if answers is not None:
        answers.check(inputs)
        told = answers.table(tuple(example.id for example in examples)).to_pylist()
        inputs |= {"answers": hash_json(told)}
    with folder.locked():
        if not folder.is_done(KIND, settings, inputs):
            loaded = load(model_name, adapter)
            folder.begin(KIND, fingerprint(KIND, settings, inputs), replace=replace)
            facts = _Work(loaded, examples, out, config, answers).done()
            folder.seal(RunManifest(KIND, settings, inputs, hash_files(out), facts))
        shutil.rmtree(out / _PARTS, ignore_errors=True)
        return folder.manifest(KIND)


@dataclass
class _Work:
    """One run's work, in the order in which it is done."""

    loaded: LoadedModel
    examples: ExampleSet
    out: Path
    config: ProbeConfig
    answers: Answers | None

    def done(self) -> dict[str, Any]:
        """Writes all files but the manifest; gives what that says of the result."""
        located = places(self.examples, np.arange(len(self.examples)))
        deal(located, self.config.folds, 0)  # whether enough can be held out shows before states are read
        activations = self._activations()
        located = replace_fields(located, pictures=activations.pictures())
        kept = {site: among(located, activations.there(site)) for site in activations.layout.sites}
        found = self._outcomes(activations, kept)
        self._write(tables.PROBES, tables.PROBES_SCHEMA, _all(probe_rows, found, kept))
        self._write(tables.CELLS, tables.CELLS_SCHEMA, _all(cell_rows, found, kept))
        chosen = chosen_outcomes(found)
        write_table(self.out / tables.PREDICTIONS, predictions_table(chosen, kept))
        changes = self._intervention(activations, located)
        summary = {
            "n": len(located),
            "n_combinations": located.n_combinations,
            "layers": n_states(self.loaded.model) - 1,
            "left_out": dict(activations.layout.left_out),
            "positions": position_figures(found, chosen, kept),
            "verdicts": self._verdicts(chosen, kept),
            "intervention": changes,
        }
        write_json(self.out / tables.SUMMARY, without_nan(summary))
        grid = self.examples.info.grid
        return {
            "set": self.examples.info.name,
            "n": len(located),
            "grid": [grid.rows, grid.cols],
            "n_combinations": located.n_combinations,
            "left_out": dict(activations.layout.left_out),
            "state_bytes": activations.n_bytes,
            "processor": self.loaded.hashes["processor"],
        }

    def _activations(self) -> Activations:
        config = self.config
        model = self.loaded.model
        known = self.loaded.hashes | {"computed": f"{model.dtype} on {model.device.type}"}
        key = activation_key(known, self.examples.hash, config.positions, config.layers, config.batch_size)
        cache = cache_folder("activations")
        folder = self.out / _PARTS / "states" if cache is None else cache / key[:32]
        return extract(
            self.loaded,
            self.examples,
            folder,
            config.positions,
            states=config.layers,
            batch_size=config.batch_size,
        )

    def _outcomes(self, activations: Activations, kept: Mapping[Site, Places]) -> dict[Site, SiteOutcomes]:
        seeds = range(self.config.seeds)
        found: dict[Site, SiteOutcomes] = {}
        with progress("probing", len(kept), "sites") as advance:
            for site, located in kept.items():
                targets = self._targets(site.position)
                path = self.out / _PARTS / f"{site.position}-{site.state:03d}.npz"
                outcomes = read_outcomes(path, targets, seeds)
                if outcomes is None:
                    features = activations.at(site)[activations.there(site)]
                    outcomes = {
                        (target, seed): outcome(features, located, target, seed, self.config.folds)
                        for target in targets
                        for seed in seeds
                    }
                    write_outcomes(path, outcomes)
                if outcomes:
                    found[site] = outcomes
                advance()
        return found

    def _targets(self, position: str) -> tuple[str, ...]:
        names = AT_SECOND if position == "second" else TARGETS
        return tuple(name for name in self.config.targets if name in names)

    def _intervention(self, activations: Activations, located: Places) -> list[dict[str, Any]]:
        """The rows of the intervention's table, site by site; none where no state is changed."""
        layout, last = activations.layout, n_states(self.loaded.model) - 1
        sites = [
            site
            for site in layout.sites
            if site.position in CHANGED and site.state != (0 if site.position == "last" else last)
        ]
        rows: list[dict[str, Any]] = []
        with progress("changing states", len(sites), "sites") as advance:
            for site in sites if self.config.intervention else ():
                path = self.out / _PARTS / f"changed-{site.position}-{site.state:03d}.json"
                if not is_as_received(path):
                    trial = Trial(self.config.intervention, self.config.folds, self.config.batch_size)
                    made = intervene(self.loaded, self.examples, activations, located, [site], trial)
                    write_json(path, {"rows": made}, receipt=True)
                rows += read_json(path, "part of a probing run")["rows"]
                advance()
        if rows:
            self._write(tables.INTERVENTION, tables.INTERVENTION_SCHEMA, rows)
        return rows

    def _verdicts(self, chosen: Chosen, kept: Mapping[Site, Places]) -> dict[str, dict[str, Any]]:
        """What becomes of the place at each position where areas are probed; empty without the model's answers."""
        if self.answers is None:
            return {}
        located = by_position(kept)
        every = self.answers.table(tuple(example.id for example in self.examples))
        write_table(self.out / tables.ANSWERS, every)
        found = {}
        for position, of_position in located.items():
            by_seed = [
                one for (where, target, _), (one, _) in chosen.items() if (where, target) == (position, "area")
            ]
            if by_seed:
                said = np.array([self.answers.by_id[id_][1] for id_ in of_position.ids], dtype=bool)
                found[position] = asdict(area_verdict(by_seed, of_position, said))
        return found

    def _write(self, name: str, schema: pa.Schema, rows: Sequence[dict[str, Any]] | Iterator[dict[str, Any]]) -> None:
        write_table(self.out / name, pa.Table.from_pylist(list(rows), schema=schema))


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a table, whole or not at all."""
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _all(make: Any, found: Mapping[Site, SiteOutcomes], kept: Mapping[Site, Places]) -> Iterator[dict[str, Any]]:
    return (row for site, outcomes in found.items() for row in make(site, outcomes, kept[site]))
