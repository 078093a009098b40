"""Checkpoints of a training run, in its folder: each is whole or not there, and is of just this run.

A checkpoint is written beside its place, sealed by a file with the hash of every other, flushed, and renamed. What a
killed process left half written has no such name; what was cut short or lost later no longer fits its seal, and the
one before it is taken. The last two are kept, and the best.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evensight.errors import InputError
from evensight.progress import say
from evensight.runs import atomic_folder, hash_files, read_json, write_json

FOLDER_NAME = ".checkpoints"
"""In the run's folder; its name begins with a dot, so it is no part of the result."""

SEAL_NAME = "whole.json"
N_KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that holds all of a training after so many steps."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one run.

    Attributes:
        path: Where they are; other files may be there as well.
        fingerprint: Of the run; one of another run is never given out.
    """

    path: Path
    fingerprint: str

    def draft(self, step: int) -> Path:
        """Where the checkpoint of a step is written before it is `keep`-ed; transformers' own name for it."""
        return self.path / f"checkpoint-{step}"

    def keep(self, step: int, best_step: int | None = None) -> Checkpoint:
        """Makes the draft of a step a checkpoint, and removes those that are no longer needed.

        Args:
            step: Its step.
            best_step: The step whose checkpoint stays, however old it is.
        """
        draft, path = self.draft(step), self._place(step)
        with atomic_folder(path) as folder:
            for file in draft.iterdir():
                file.rename(folder / file.name)
            write_json(folder / SEAL_NAME, {"fingerprint": self.fingerprint, "step": step, "files": hash_files(folder)})
        draft.rmdir()
        steps = sorted(self._steps(), reverse=True)
        for old in steps[N_KEPT:]:
            if old != best_step:
                _remove(self._place(old))
        return Checkpoint(step, path)

    def whole(self) -> Iterator[Checkpoint]:
        """The whole checkpoints of this run, the newest first; says of each other one that it is left."""
        for step in sorted(self._steps(), reverse=True):
            fault = self._fault(step)
            if fault is None:
                yield Checkpoint(step, self._place(step))
            else:
                say(f"the checkpoint of step {step} in `{self.path.parent}` {fault}: it is not used")

    def at(self, step: int) -> Checkpoint | None:
        """The checkpoint of a step, if it is whole."""
        return Checkpoint(step, self._place(step)) if self._fault(step) is None else None

    def sweep(self) -> None:
        """Removes what a killed process left half written."""
        for pattern in (".partial-*", "checkpoint-*"):
            for left in self.path.glob(pattern):
                shutil.rmtree(left, ignore_errors=True)

    def discard(self) -> None:
        """Removes them all: the run is whole."""
        self.sweep()
        for step in list(self._steps()):
            _remove(self._place(step))
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def _place(self, step: int) -> Path:
        return self.path / f"step-{step:08d}"

    def _steps(self) -> Iterator[int]:
        for path in self.path.glob("step-*"):
            number = path.name.removeprefix("step-")
            if number.isdigit():
                yield int(number)

    def _fault(self, step: int) -> str | None:
        """What is wrong with a checkpoint; None if nothing is."""
        place = self._place(step)
        try:
            seal = read_json(place / SEAL_NAME, "checkpoint's seal")
            found = hash_files(place)
        except (InputError, OSError):
            return "has no seal"
        found.pop(SEAL_NAME, None)
        if (seal.get("fingerprint"), seal.get("step")) != (self.fingerprint, step):
            return "is of a run with other settings, data or processes"
        return None if seal.get("files") == found else "is damaged"


def has_checkpoints(run: Path) -> bool:
    """Whether a run's folder holds any checkpoint, of whatever run."""
    return any((run / FOLDER_NAME).glob("step-*"))


def history(checkpoint: Checkpoint) -> list[dict[str, float]]:
    """What was logged until then, as transformers' trainer keeps it."""
    state = json.loads((checkpoint.path / "trainer_state.json").read_bytes())
    return list(state["log_history"])


def _remove(path: Path) -> None:
    (path / SEAL_NAME).unlink(missing_ok=True)  # first, so that what is half removed is no checkpoint
    shutil.rmtree(path, ignore_errors=True)
