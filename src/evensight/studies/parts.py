"""The parts of a study: what is trained, asked and probed, and in which folder each of it is.

    conditions/CONDITION[/seed-S]/          the fine-tuning run
    evaluations/CONDITION[/seed-S]/TEST/    the evaluation
    probes/CONDITION[/seed-S]/              the probing run

The folder of a seed is there where the study has seeds and the condition is trained.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evensight.errors import one_of
from evensight.studies.plan import Condition, Study


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that could not be done.

    Attributes:
        part: Which one.
        reason: Why, in one line.
        trace: The traceback, where it is a bug and not the user's to mend; else empty.
    """

    part: str
    reason: str
    trace: str = ""

    def __str__(self) -> str:
        return f"{self.part} failed: {self.reason}"


@dataclass(frozen=True, slots=True)
class Run:
    """A condition with one seed.

    Attributes:
        condition: The condition's name.
        seed: What its training is drawn by.
        has_folder: Whether the seed has a folder of its own.
    """

    condition: str
    seed: int
    has_folder: bool

    @property
    def path(self) -> Path:
        """Where it is, below each kind of part."""
        return Path(self.condition, f"seed-{self.seed}") if self.has_folder else Path(self.condition)

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return f"{self.condition} (seed {self.seed})" if self.has_folder else self.condition

    def training(self, out: Path) -> Path:
        """The folder of its fine-tuning."""
        return out / "conditions" / self.path

    def evaluation(self, out: Path, test: str) -> Path:
        """The folder of its answers to a test."""
        return out / "evaluations" / self.path / test

    def probes(self, out: Path) -> Path:
        """The folder of its probing."""
        return out / "probes" / self.path


def runs_of(study: Study, name: str) -> list[Run]:
    """A condition's runs: one for each seed; one alone of a model as it is."""
    if not study.conditions[name].train:
        return [Run(name, study.seed, has_folder=False)]
    return [Run(name, seed, has_folder=bool(study.seeds)) for seed in study.training_seeds()]


def chosen(study: Study, only: Sequence[str]) -> dict[str, Condition]:
    """The conditions that are to be done: the named ones, or all.

    Raises:
        InputError: There is no such condition.
    """
    for name in only:
        if name not in study.conditions:
            raise one_of("the condition", name, study.conditions)
    return {name: of for name, of in study.conditions.items() if not only or name in only}


def all_runs(study: Study, conditions: Iterable[str]) -> Iterator[Run]:
    """The runs of some conditions, in order."""
    for name in conditions:
        yield from runs_of(study, name)
