"""Evaluating: whoever answers is asked every question of a set, and a run folder with the results table is left.

Answers are kept as they come (`journal`); a run that was killed asks only what is missing, and ends with the same
table. How far it is can be read at any time (`results.read_results` with `partial`). Several processes, as
`accelerate launch` starts them, share the questions.

A set of photographs is asked again with the wrong photo under each question, unless the caller wants other controls:
what a model reaches there it reaches from the words alone.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from evensight.annotations import AREAS
from evensight.datasets.controls import CONTROLS, controlled
from evensight.datasets.examples import ExampleSet
from evensight.datasets.swapped import WrongPhoto
from evensight.errors import InputError, one_of
from evensight.evaluation.answered import PARTS, answered_table, with_priors, write_begun, write_questions
from evensight.evaluation.apart import check_not_trained_on
from evensight.evaluation.asking import ask, priors_of, questions_of
from evensight.evaluation.results import Results
from evensight.evaluation.written import set_facts, write_tables
from evensight.models.answering import Answer, Answerer, Subject, Way
from evensight.models.processes import Processes, processes
from evensight.models.subjects import model_here
from evensight.runs import RunFolder, RunManifest, atomic_file, fingerprint, hash_files

PICTURES_PER_AREA = 3
CONTROLS_OF_PHOTOS = (WrongPhoto.name,)
"""What stands beside every score on photographs."""
_CONTROLS_SEED = 0
_PICTURE_PX = 336
_PRIORS = "priors"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an evaluation does only where it is allowed.

    Attributes:
        replacing: To throw away a finished run of another configuration in the folder.
        trained_on: To ask somebody what they were trained on.
        missing: To leave out questions that were refused for good, of the controls too; they are counted.
    """

    replacing: bool = False
    trained_on: bool = False
    missing: bool = False


def evaluate(
    model_name: str,
    adapter: Path | None,
    examples: ExampleSet,
    out: Path,
    batch_size: int,
    *,
    controls: Sequence[str] | None = None,
    replace: bool = False,
) -> RunManifest:
    """Asks a model that is loaded here every question, for words: `evaluate_subject` with a `ModelHere`.

    Args:
        model_name: What `models.loading.load` loads.
        adapter: The adapter's folder, or the fine-tuning run that made it.
        examples: What is asked.
        out: The run folder.
        batch_size: How many questions are asked at a time.
        controls: As in `evaluate_subject`.
        replace: Whether a finished run of another configuration there may be thrown away.
    """
    subject = model_here(model_name, adapter, batch_size, Way())
    return evaluate_subject(subject, examples, out, controls=controls, allowed=Allowed(replacing=replace))


def evaluate_subject(
    subject: Subject,
    examples: ExampleSet,
    out: Path,
    *,
    controls: Sequence[str] | None = None,
    allowed: Allowed | None = None,
    begins: Callable[[], None] | None = None,
) -> RunManifest:
    """Asks somebody every question and leaves a run folder.

    The folder holds `results.parquet`, `summary.json`, `pictures/` (of a few questions, the same ones for every
    model), the answers on the controls in `controls/`, and `manifest.json`. A folder that holds the whole result of
    just this run is left as it is.

    Args:
        subject: Who is asked.
        examples: What is asked.
        out: The run folder.
        controls: The controls that are asked as well, of `datasets.controls.CONTROLS`; None for those that belong
            beside a score: the wrong photo for sets of photographs. These are asked beside the named ones too; one
            that can't be made is left out, and the manifest says why. Empty for none at all.
        allowed: What is done only where it is allowed; None for nothing of it.
        begins: Is called once, before the first question is asked; not where all have been.

    Raises:
        InputError: The model or the adapter can't be loaded, the folder isn't free, a control that was asked for
            isn't known or can't be made, the set is what was trained on, or questions were left without an answer;
            all other answers are then kept, and the next call asks these alone.
    """
    team = processes()
    allowed = allowed or Allowed()
    run = _Run(subject, examples, out, _names(examples, controls), team, allowed)
    with ExitStack() as stack:
        team.led(lambda: stack.enter_context(run.folder.locked()))
        if not team.led(lambda: run.folder.is_done("evaluation", run.config, run.inputs)):
            if not allowed.trained_on:
                team.led(lambda: check_not_trained_on(subject.trainings, examples))
            must = frozenset(controls or ())
            sets, left_out = team.together(lambda: _controls(examples, run.controls, must))
            run.ask(sets, left_out, begins)
        if team.is_main:
            shutil.rmtree(out / PARTS, ignore_errors=True)
        team.wait()
        return run.folder.manifest("evaluation")


@dataclass(frozen=True)
class _Run:
    """One evaluation, its folder, and what identifies it."""

    subject: Subject
    examples: ExampleSet
    out: Path
    controls: tuple[str, ...]
    team: Processes
    allowed: Allowed

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.out)

    @property
    def config(self) -> dict[str, Any]:
        config = {**self.subject.config, "data": dict(self.examples.info.config)}
        return config | ({"controls": list(self.controls), "controls_seed": _CONTROLS_SEED} if self.controls else {})

    @property
    def inputs(self) -> dict[str, str]:
        return {**self.subject.inputs, "data": self.examples.hash}

    def ask(
        self, sets: Mapping[str, ExampleSet], left_out: Mapping[str, str], begins: Callable[[], None] | None
    ) -> None:
        """Asks the set and its controls, and seals what came."""
        answerer = self.team.together(self.subject.answerer)
        self.team.led(self._begin)
        if begins is not None and self.team.is_main:
            begins()
        run = RunManifest("evaluation", self.config, self.inputs, {}, self._facts(answerer, sets, left_out))
        self.team.led(lambda: write_begun(self.out, self.examples, run, answerer.row))
        folders = {name: self.out / PARTS / name for name in sets}
        answers = self._answers(answerer, self.examples, self.out / PARTS)
        others = {name: self._answers(answerer, control, folders[name]) for name, control in sets.items()}
        missing = {k for each in (answers, *others.values()) for k, one in each.items() if one.fault is not None}

        def sealed() -> None:
            table = self._table(answerer, self.examples, self.out / PARTS, answers, missing)
            tables = {
                name: self._table(answerer, control, folders[name], others[name], missing)
                for name, control in sets.items()
            }
            facts = {**run.facts, **({"n_missing": len(missing)} if missing else {})}
            self._seal(replace_fields(run, facts=facts), table, tables)

        self.team.led(sealed)

    def _begin(self) -> None:
        run = fingerprint("evaluation", self.config, self.inputs)
        self.folder.begin("evaluation", run, replace=self.allowed.replacing)

    def _answers(self, answerer: Answerer, examples: ExampleSet, parts: Path) -> dict[int, Answer]:
        """A set's answers, once all processes have asked their share."""
        missing = self.allowed.missing
        answers = ask(answerer, questions_of(examples), parts, self.team, allow_missing=missing)
        if answerer.for_priors is not None:
            blind, numbers = priors_of(examples)
            priors = ask(answerer.for_priors, blind, parts / _PRIORS, self.team, allow_missing=missing)
            answers = with_priors(answers, priors, numbers)
        return answers

    def _table(
        self, answerer: Answerer, examples: ExampleSet, parts: Path, answers: Mapping[int, Answer], missing: Set[int]
    ) -> pa.Table:
        """A set's results table, without the questions that are missing in it, or in what stands beside it."""
        there = {k: answer for k, answer in answers.items() if k not in missing}
        return answered_table(write_questions(examples, parts), examples.info.factors, there, answerer.row)

    def _facts(
        self, answerer: Answerer, sets: Mapping[str, ExampleSet], left_out: Mapping[str, str]
    ) -> dict[str, Any]:
        """What the manifest says of the set that was asked, of its controls and of who answered."""
        facts = {**set_facts(self.examples), **answerer.facts}
        noted = {name: _added_notes(control, self.examples) for name, control in sets.items()}
        facts |= {"controls_left_out": dict(left_out)} if left_out else {}
        return facts | ({"control_notes": noted} if any(noted.values()) else {})

    def _seal(self, unsealed: RunManifest, table: pa.Table, controls: Mapping[str, pa.Table]) -> None:
        self.folder.seal(_write(Results(self.out, unsealed, table, controls), self.examples))


def default_controls(examples: ExampleSet) -> tuple[str, ...]:
    """The controls that belong beside a score on this set: the wrong photo for photographs that are no control."""
    return CONTROLS_OF_PHOTOS if examples.info.of_photos and "control" not in examples.info.config else ()


def _names(examples: ExampleSet, controls: Sequence[str] | None) -> tuple[str, ...]:
    """The controls to ask, each once, in the order of `CONTROLS`."""
    for name in controls or ():
        if name not in CONTROLS:
            raise one_of("the control", name, CONTROLS)
    beside = () if controls is not None and not controls else default_controls(examples)
    return tuple(name for name in CONTROLS if name in (*beside, *(controls or ())))


def _controls(
    examples: ExampleSet, names: Sequence[str], must: Set[str]
) -> tuple[dict[str, ExampleSet], dict[str, str]]:
    """The controls as sets, and why some of them can't be made; of those that `must` be that is an error."""
    made, left_out = {}, {}
    for name in names:
        try:
            made[name] = controlled(examples, name, _CONTROLS_SEED)
        except InputError as error:
            if name in must:
                raise
            left_out[name] = str(error)
    return made, left_out


def _added_notes(control: ExampleSet, examples: ExampleSet) -> dict[str, Any]:
    """What a control notes that its set doesn't: where it could not be made as it should be."""
    return {key: value for key, value in control.info.notes.items() if examples.info.notes.get(key) != value}


def _write(results: Results, examples: ExampleSet) -> RunManifest:
    """Writes the tables, their figures and the pictures; gives the manifest that seals them."""
    write_tables(results)
    _save_pictures(examples, results.path / "pictures")
    return replace_fields(results.manifest, files=hash_files(results.path))


def _save_pictures(examples: ExampleSet, folder: Path) -> None:
    """Keeps the pictures of a few questions of each area, chosen by their ids alone, for the report."""
    by_area: dict[str, list[tuple[bytes, int]]] = {area: [] for area in AREAS}
    for k, example in enumerate(examples):
        by_area.setdefault(example.area, []).append((hashlib.sha256(example.id.encode()).digest(), k))
    for k in (k for of_area in by_area.values() for _, k in sorted(of_area)[:PICTURES_PER_AREA]):
        picture = examples.image(k)
        picture.thumbnail((_PICTURE_PX, _PICTURE_PX))
        is_drawn = examples.encoded(k).startswith(b"\x89PNG")
        with atomic_file(folder / f"{examples[k].id}.{'png' if is_drawn else 'jpg'}") as path:
            picture.save(path, "PNG") if is_drawn else picture.save(path, "JPEG", quality=80)
