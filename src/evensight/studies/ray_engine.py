"""A study on a Ray cluster: its conditions go out as tasks, each done as `--only CONDITION` does it.

The folder has to be one that all workers and the caller see, and so do the photographs. A worker that dies takes
nothing with it: its task is begun again, and goes on where it was.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.models.hub import code_allowed, is_code_allowed
from evensight.progress import progress
from evensight.studies.figures import StudyResult
from evensight.studies.parts import Failure
from evensight.studies.plan import Study
from evensight.studies.run import check, claim, do, finish


def run_study_with_ray(study: Study, out: Path, command: str, only: Sequence[str] = ()) -> StudyResult:
    """Does what `run.run_study` does, a condition a task; a task has a GPU where the cluster has some.

    Raises:
        InputError: Ray isn't installed; else as `run.run_study`.
    """
    ray = _ray()
    out = out.resolve()
    sets = check(study, only)
    claim(study, out)
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    needs = {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {"num_cpus": 1}
    task = ray.remote(do_one).options(max_retries=-1, **needs)
    left = {task.remote(study, out, name, allow_code=is_code_allowed()): name for name in sets.conditions}
    failures: list[Failure] = []
    with progress("conditions on Ray", len(left), "conditions") as advance:
        while left:
            (done,), _ = ray.wait(list(left), num_returns=1)
            failures += _failures(ray, done, left.pop(done))
            advance()
    return finish(study, out, command, sets.skipped, failures)


def do_one(study: Study, out: Path, condition: str, *, allow_code: bool) -> list[Failure]:
    """Does one condition; called on a worker."""
    with code_allowed(allow_code):
        sets = check(study, [condition])
        return do(study, out, sets)


def _failures(ray: Any, done: Any, name: str) -> list[Failure]:
    """What failed in a task; where the task itself did, that."""
    try:
        failures: list[Failure] = ray.get(done)
    except Exception as error:
        cause = getattr(error, "cause", None) or error
        trace = "" if isinstance(cause, InputError) else str(error)
        return [Failure(f"the condition {name}", str(cause).splitlines()[0], trace)]
    return failures


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise InputError("`ray` is not installed: install it with `pip install 'evensight[ray]'`") from error
