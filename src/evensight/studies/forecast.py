"""What a study will do, before it does it: its parts with their counts, what is there, time and disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from rich.table import Table
from rich.text import Text

from evensight.reports.wording import ABSENT, count, shown
from evensight.runs import MANIFEST_NAME
from evensight.studies.durations import Duration, Kind, forecast, read_durations
from evensight.studies.parts import Run, all_runs
from evensight.studies.plan import Study
from evensight.studies.run import CheckedSets, config
from evensight.studies.sets import make


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """A part of a study.

    Attributes:
        kind: What is done.
        run: The condition, and the seed where there are several.
        what: What with: the training set, or the test.
        n: How many examples, or questions.
        steps: How many steps a training has; None of the others.
        is_there: Whether its folder is whole already. Whether it is unchanged is seen when the study runs.
        seconds: How long it will take, by the parts of its kind that were done in this folder; None before one was.
        size_bytes: What it will keep on the disk, likewise.
    """

    kind: Kind
    run: str
    what: str
    n: int
    steps: int | None
    is_there: bool
    seconds: float | None
    size_bytes: int | None


def planned_parts(study: Study, out: Path, sets: CheckedSets) -> list[PlannedPart]:
    """The parts of a study's checked conditions, in the order in which they are done.

    Raises:
        InputError: A training set can't be made.
    """
    durations = read_durations(out)
    return [part for run in all_runs(study, sets.conditions) for part in _parts(study, out, sets, run, durations)]


def _parts(study: Study, out: Path, sets: CheckedSets, run: Run, durations: list[Duration]) -> Iterator[PlannedPart]:
    condition = study.conditions[run.condition]
    model = condition.model or study.model

    def part(
        kind: Kind, what: str, n: int, folder: Path, passes: float = 1.0, steps: int | None = None
    ) -> PlannedPart:
        took = forecast(durations, kind, model, passes * n) or (None, None)
        return PlannedPart(kind, run.name, what, n, steps, (folder / MANIFEST_NAME).exists(), *took)

    if condition.train:
        examples, settings = make(condition.train, study, run.seed), config(study, condition, run.seed, run.condition)
        n = len(examples)
        steps = ceil(ceil(n / settings.global_batch(1)) * settings.epochs)
        yield part("train", examples.info.name, n, run.training(out), settings.epochs, steps)
    for test, asked in sets.tests.items():
        yield part("ask", test, len(asked), run.evaluation(out, test))
    if study.probe is not None and study.probe.test in sets.tests:
        yield part("probe", study.probe.test, len(sets.tests[study.probe.test]), run.probes(out))


_DONE = {"train": "fine-tune", "ask": "ask", "probe": "probe"}


def plan_table(parts: list[PlannedPart]) -> Table:
    """The parts for a terminal."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("condition", "part", "set"):
        table.add_column(name, overflow="fold")
    for name in ("n", "steps", "time", "disk"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for part in parts:
        steps = "" if part.steps is None else count(part.steps)
        size = ABSENT if part.size_bytes is None else _size(part.size_bytes)
        texts = (shown(part.run, 40), _DONE[part.kind], shown(part.what, 40), count(part.n), steps)
        table.add_row(
            *map(Text, texts), Text(_time(part.seconds)), Text(size), Text("there" if part.is_there else "")
        )
    return table


def plan_lines(parts: list[PlannedPart]) -> list[str]:
    """What is left to do, in a line, and why its time isn't known, where it isn't."""
    left = [part for part in parts if not part.is_there]
    known = [part for part in left if part.seconds is not None]
    n_steps = sum(part.steps or 0 for part in left)
    n_questions = sum(part.n for part in left if part.kind == "ask")
    seconds, size = (sum(getattr(part, name) or 0 for part in known) for name in ("seconds", "size_bytes"))
    lines = [
        f"{len(left)} of {len(parts)} parts are left: {n_steps:,} steps of training, {n_questions:,} questions"
        + (f"; about {_time(seconds)} and {_size(size)} for {len(known)} of them" if known else "")
    ]
    if len(known) < len(left):
        lines.append(
            f"{ABSENT}: not known until one part of the kind, with the same model, was done in this folder: do one "
            "condition with `--only`, and look again"
        )
    return lines


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ABSENT
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 2**20:,.1f} MiB"
