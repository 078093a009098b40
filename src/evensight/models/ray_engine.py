"""A model that is asked by the workers of a Ray cluster: each holds it, and groups of questions go to who is free.

What is asked together stays together, so the answers are those of a model that is asked here, to the bit where the
workers compute as this machine does (with one thread each, say). A worker that dies is begun again, and its group
asked again; what has come is in the journal of the caller, who alone writes.
"""

import importlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

from evensight.errors import InputError
from evensight.models.answering import Answer, Answerer, Asked, Subject
from evensight.models.hub import code_allowed, is_code_allowed
from evensight.runs import RunManifest


class Worker:
    """A model on a worker, loaded once; a Ray actor is made of it."""

    def __init__(self, subject: Subject, *, allow_code: bool) -> None:
        """Loads the model.

        Args:
            subject: Whose answers are wanted.
            allow_code: Whether a checkpoint's own code may run.
        """
        with code_allowed(allow_code):
            self._answerer = subject.answerer()

    def told(self) -> dict[str, Any]:
        """What the caller has to know of the answerer."""
        one = self._answerer
        return {
            "facts": dict(one.facts),
            "row": dict(one.row),
            "group_size": one.group_size,
            "has_priors": one.for_priors is not None,
        }

    def answers(self, group: list[Asked], *, on_black: bool) -> list[Answer]:
        """The answers to a group; those on black images where priors are wanted."""
        answerer = self._answerer.for_priors if on_black else self._answerer
        if answerer is None:
            raise ValueError("priors are not wanted of this answerer")
        return list(answerer.answers(group))


@dataclass(frozen=True)
class OnRay:
    """A subject that is asked by workers.

    Attributes:
        subject: Who is asked.
        n_workers: How many hold the model; None for as many as the cluster has GPUs, or without any, cores.
    """

    subject: Subject
    n_workers: int | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """What the answers depend on: not who computes them."""
        return self.subject.config

    @property
    def inputs(self) -> Mapping[str, str]:
        """The hashes of what is asked."""
        return self.subject.inputs

    @property
    def trainings(self) -> Sequence[RunManifest]:
        """The runs that trained it, as far as they are known."""
        return self.subject.trainings

    def answerer(self) -> "RayAnswerer":
        """The workers, the model loaded in each.

        Raises:
            InputError: Ray isn't installed, or the model can't be loaded.
        """
        ray = _ray()
        if not ray.is_initialized():
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        n_gpus, n_cores = (int(ray.cluster_resources().get(kind, 0)) for kind in ("GPU", "CPU"))
        needs = {"num_gpus": 1} if n_gpus else {"num_cpus": 1}
        made = ray.remote(Worker).options(max_restarts=-1, max_task_retries=-1, **needs)
        n_workers = self.n_workers or n_gpus or max(1, n_cores)
        workers = [made.remote(self.subject, allow_code=is_code_allowed()) for _ in range(n_workers)]
        with _unwrapped():
            return RayAnswerer(tuple(workers), ray.get(workers[0].told.remote()))


@dataclass(frozen=True)
class RayAnswerer:
    """Answers by workers.

    Attributes:
        workers: The actors.
        told: What `Worker.told` says of the model.
        on_black: Whether options are scored on black images.
    """

    workers: tuple[Any, ...]
    told: Mapping[str, Any]
    on_black: bool = False

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the model is."""
        return dict(self.told["facts"])

    @property
    def row(self) -> Mapping[str, Any]:
        """What each row of the results says of who answered."""
        return dict(self.told["row"])

    @property
    def group_size(self) -> int:
        """How many questions are answered together."""
        return int(self.told["group_size"])

    @cached_property
    def for_priors(self) -> Answerer | None:
        """The same workers, scoring on black images; None where no priors are wanted."""
        return replace(self, on_black=True) if self.told["has_priors"] and not self.on_black else None

    def answers(self, asked: Iterable[Asked]) -> Iterator[Answer]:
        """The answers in the order of the questions; each worker has one group at a time, so few images are held.

        Raises:
            InputError: A worker says so.
        """
        ray, coming = _ray(), iter(asked)
        idle, busy = deque(self.workers), deque[tuple[Any, Any]]()
        with _unwrapped():
            while group := list(islice(coming, self.group_size)):
                if not idle:
                    answers, worker = busy.popleft()
                    yield from ray.get(answers)
                    idle.append(worker)
                worker = idle.popleft()
                busy.append((worker.answers.remote(group, on_black=self.on_black), worker))
            for answers, _ in busy:
                yield from ray.get(answers)


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise InputError("`ray` is not installed: install it with `pip install 'evensight[ray]'`") from error


@contextmanager
def _unwrapped() -> Iterator[None]:
    """Has a worker's error of the user's arrive as such: it comes wrapped in Ray's."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, InputError):
            raise cause from error
        if "creation task" in str(error) and "InputError" in str(error):
            raise InputError(str(error).strip().splitlines()[-1].partition("InputError: ")[2]) from error
        raise
