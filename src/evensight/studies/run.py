"""Running a study: every condition is trained, asked every test and probed, and the figures are written.

Each training, evaluation and probing is a run folder of its own (`parts`); one that is whole and of just this
configuration is not done again, so a study that was stopped goes on where it was. What fails is told at the end, and
the rest is done. The folder holds

    study.json                what the study is
    conditions/  evaluations/  probes/
    summary.json              condition -> test -> figures
    matrix.csv  matrix.svg    the same as a table and as a picture
    report.html               the report
"""

import fcntl
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evensight.datasets.examples import ExampleSet
from evensight.errors import InputError, told_by_system
from evensight.evaluation.ask import Allowed, evaluate_subject
from evensight.models.answering import Way
from evensight.models.subjects import model_here
from evensight.progress import say
from evensight.runs import RunFolder, is_half_written, read_json, write_json
from evensight.settings import checked
from evensight.studies.durations import measured
from evensight.studies.figures import StudyResult, write_figures
from evensight.studies.folder import STUDY_NAME, evaluations
from evensight.studies.parts import Failure, Run, all_runs, chosen
from evensight.studies.plan import Condition, ProbePlan, Study
from evensight.studies.sets import make, missing, named, skipped
from evensight.training.finetune import config_for, finetune
from evensight.training.methods import FinetuneConfig

_LOCKS = ".locks"


def run_study(study: Study, out: Path, command: str, only: Sequence[str] = ()) -> StudyResult:
    """Does what a study says and is not done yet, and writes the figures of all that is there.

    Args:
        study: The study.
        out: Its folder.
        command: How to run it again, for the report.
        only: The conditions to do; empty for all. Other processes may do others in the same folder meanwhile.

    Raises:
        InputError: The folder holds another study, something that the study names can't be used, or another process
            is at work on one of the conditions.
    """
    sets = check(study, only)
    claim(study, out)
    return finish(study, out, command, sets.skipped, do(study, out, sets))


@dataclass(frozen=True, slots=True)
class CheckedSets:
    """What a study asks and trains, as far as there are photographs for it.

    Attributes:
        conditions: The names of the conditions that can be done.
        tests: The tests' examples.
        skipped: What is left out, and how to have it done.
    """

    conditions: tuple[str, ...]
    tests: Mapping[str, ExampleSet]
    skipped: tuple[str, ...]


def check(study: Study, only: Sequence[str] = ()) -> CheckedSets:
    """The sets of a study, all settings checked; nothing is trained or asked.

    Raises:
        InputError: Something that the study names can't be used.
    """
    left_out, tests, conditions = [], {}, []
    for name, source in study.tests.items():
        with named("test", name):
            lacking = missing([source])
            if lacking is None:
                tests[name] = make([source], study, study.seed)
                continue
        left_out.append(skipped(name, lacking))
    if not tests:
        raise InputError(f"the study `{study.name}` has nothing to ask: {' '.join(left_out)}")
    for name, condition in chosen(study, only).items():
        with named("condition", name):
            config(study, condition, study.seed, name)
            lacking = missing(condition.train)
            if lacking is None:
                conditions.append(name)
                if condition.train:
                    make(condition.train, study, study.training_seeds()[0])
                continue
        left_out.append(skipped(name, lacking))
    return CheckedSets(tuple(conditions), tests, tuple(left_out))


def config(study: Study, condition: Condition, seed: int, name: str) -> FinetuneConfig:
    """How a condition is fine-tuned."""
    given = {"seed": seed, **study.finetune, **condition.finetune}
    return config_for(condition.model or study.model, given, f"the condition `{name}` of the study `{study.name}`")


def do(study: Study, out: Path, sets: CheckedSets) -> list[Failure]:
    """Does the parts of the checked conditions that are not done yet; gives what failed.

    Raises:
        InputError: Another process is at work on one of them.
    """
    with ExitStack() as stack:
        for name in sets.conditions:
            stack.enter_context(_condition_locked(out, name))
        doing = _Doing(study, out, sets.tests)
        for run in all_runs(study, sets.conditions):
            doing.run(run)
        return doing.failures


@dataclass
class _Doing:
    """A study under way."""

    study: Study
    out: Path
    tests: Mapping[str, ExampleSet]
    failures: list[Failure] = field(default_factory=list)

    def run(self, run: Run) -> None:
        """Trains, asks and probes a condition with one seed."""
        adapter: Path | None = None
        if self.study.conditions[run.condition].train:
            adapter = run.training(self.out)
            if not self._is_done(f"training {run.name}", lambda: self._train(run)):
                return
        for test, examples in self.tests.items():
            self._is_done(f"asking {run.name} {test}", lambda t=test, e=examples: self._ask(run, adapter, t, e))
        plan = self.study.probe
        if plan is not None and plan.test in self.tests:
            self._is_done(f"probing {run.name}", lambda: self._probe(run, adapter, plan))

    def _is_done(self, part: str, work: Any) -> bool:
        """Does a part; whether it could be done."""
        try:
            work()
        except InputError as error:
            self._failed(Failure(part, str(error)))
            return False
        except OSError as error:  # a full disk, say, which isn't ours to mend
            self._failed(Failure(part, told_by_system(error)))
            return False
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._failed(Failure(part, reason, traceback.format_exc()))
            return False
        return True

    def _failed(self, failure: Failure) -> None:
        self.failures.append(failure)
        say(str(failure))

    def _model(self, run: Run) -> str:
        return self.study.conditions[run.condition].model or self.study.model

    def _train(self, run: Run) -> None:
        condition, folder = self.study.conditions[run.condition], run.training(self.out)
        settings = config(self.study, condition, run.seed, run.condition)
        examples = make(condition.train, self.study, run.seed)
        with measured(self.out, folder, "train", self._model(run), settings.epochs * len(examples)):
            finetune(self._model(run), examples, settings, folder, replace=True)

    def _ask(self, run: Run, adapter: Path | None, test: str, examples: ExampleSet) -> None:
        allowed = Allowed(replacing=True, trained_on=self.study.conditions[run.condition].allow_trained_on)
        subject = model_here(self._model(run), adapter, self.study.batch_size, Way())
        folder = run.evaluation(self.out, test)
        with measured(self.out, folder, "ask", self._model(run), len(examples)):
            evaluate_subject(subject, examples, folder, allowed=allowed)

    def _probe(self, run: Run, adapter: Path | None, plan: ProbePlan) -> None:
        from evensight.probing.run import ProbeConfig, probe
        from evensight.studies.probed import answers_of

        given = plan.model_dump(exclude_none=True, exclude={"test"})
        settings = checked(ProbeConfig, given, f"the `probe` of the study `{self.study.name}`")
        answers = answers_of(run.evaluation(self.out, plan.test))
        folder, examples = run.probes(self.out), self.tests[plan.test]
        with measured(self.out, folder, "probe", self._model(run), len(examples)):
            probe(self._model(run), adapter, examples, folder, settings, answers=answers, replace=True)


def finish(
    study: Study, out: Path, command: str, left_out: Sequence[str], failures: Sequence[Failure]
) -> StudyResult:
    """Writes the figures of all that is there, whoever did it."""
    with _alone(out):
        return write_figures(study, out, evaluations(study, out), command, left_out, failures)


def claim(study: Study, out: Path) -> None:
    """Makes the folder this study's, unless it is another's.

    Raises:
        InputError: It is, or it holds files of somebody else.
    """
    known = (".lock", _LOCKS, STUDY_NAME)
    if out.exists() and not out.is_dir():
        raise InputError(f"`{out}` is a file: expected a folder, or a new name, for a study")
    is_new = not (out / STUDY_NAME).exists()
    if is_new and out.is_dir() and any(one.name not in known and not is_half_written(one) for one in out.iterdir()):
        raise InputError(f"`{out}` holds files that are not of a study: choose an empty or a new folder")
    out.mkdir(parents=True, exist_ok=True)
    path, content = out / STUDY_NAME, study.model_dump(mode="json")
    with _alone(out):
        if not path.exists():
            write_json(path, content)
        elif read_json(path, "study's record") != content:
            raise InputError(
                f"`{out}` holds another study, or this one with other settings: choose a new folder, "
                "or remove this one"
            )


@contextmanager
def _condition_locked(out: Path, name: str) -> Iterator[None]:
    """Keeps other processes from this condition while the block runs.

    Raises:
        InputError: One is at work on it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(RunFolder(out / _LOCKS / name).locked())
        except InputError as error:
            raise InputError(
                f"the condition `{name}` of `{out}` is being done by another evensight process: wait for it, or "
                "choose others with `--only`"
            ) from error
        yield


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Waits until no other process writes the study's figures, and keeps them away while the block runs.

    What a killed process left half written of them is taken away.
    """
    with (out / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in [entry for entry in out.iterdir() if is_half_written(entry) and entry.is_file()]:
            with suppress(FileNotFoundError):
                leftover.unlink()
        yield
