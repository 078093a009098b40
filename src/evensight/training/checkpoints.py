"""Checkpoints of a training run, in its folder: each is whole or not there, and is of just this run.

A checkpoint is written beside its place, sealed by a file with the hash of every other, flushed, and renamed. What a
killed process left half written has no such name; what was cut short or lost later no longer fits its seal, and the
one before it is taken. The last two are kept, and those with the best weights until then.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evensight.errors import InputError
from evensight.progress import say
from evensight.runs import atomic_folder, hash_files, read_json, write_json

FOLDER_NAME = ".checkpoints"
"""In the run's folder; its name begins with a dot, so it is no part of the result."""

SEAL_NAME = "whole.json"
N_KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that holds all of a training after so many steps.

    Attributes:
        step: How many.
        path: The folder.
        best_step: The step whose weights were the best until then; it has a checkpoint, too. None without validation.
    """

    step: int
    path: Path
    best_step: int | None = None


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one run.

    Attributes:
        path: Where they are; other files may be there as well.
        fingerprint: Of the run; one of another run is never given out.
    """

    path: Path
    fingerprint: str

    def of_another_way(self, name: str) -> "Checkpoints":
        """The checkpoints, in the same place, of the same run where it comes by its bytes in another way."""
        return Checkpoints(self.path, f"{self.fingerprint}-{name}")

    def draft(self, step: int) -> Path:
        """Where the checkpoint of a step is written before it is `keep`-ed; transformers' own name for it."""
        return self.path / f"checkpoint-{step}"

    def keep(self, step: int, best_step: int | None = None) -> Checkpoint:
        """Makes the draft of a step a checkpoint, and removes those that are no longer needed.

        Args:
            step: Its step.
            best_step: The step whose weights were the best until then; its checkpoint stays as long as this one.
        """
        draft, path = self.draft(step), self._place(step)
        with atomic_folder(path) as folder:
            for file in draft.iterdir():
                file.rename(folder / file.name)
            files = hash_files(folder)
            seal = {"fingerprint": self.fingerprint, "step": step, "best_step": best_step, "files": files}
            write_json(folder / SEAL_NAME, seal)
        draft.rmdir()
        self._thin()
        return Checkpoint(step, path, best_step)

    def _thin(self) -> None:
        steps = sorted(self._steps(), reverse=True)
        kept = steps[:N_KEPT]
        bests = [self._seal(step).get("best_step") for step in kept]
        for step in steps[N_KEPT:]:
            if step not in bests:
                _remove(self._place(step))

    def whole(self) -> Iterator[Checkpoint]:
        """The whole checkpoints of this run, the newest first; says of each other one that it is left."""
        for step in sorted(self._steps(), reverse=True):
            found, fault = self._read(step)
            if found is not None:
                yield found
            else:
                say(f"the checkpoint of step {step} in `{self.path.parent}` {fault}: it is not used")

    def drop_unfit(self) -> None:
        """Removes those that can't be gone on from, so that none of them takes the place of a later one."""
        for step in list(self._steps()):
            if self._read(step)[0] is None:
                _remove(self._place(step))

    def at(self, step: int) -> Checkpoint | None:
        """The checkpoint of a step, if it is whole."""
        return self._read(step)[0]

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

    def _seal(self, step: int) -> dict[str, Any]:
        try:
            return read_json(self._place(step) / SEAL_NAME, "checkpoint's seal")
        except InputError:
            return {}

    def _read(self, step: int) -> tuple[Checkpoint | None, str]:
        """The checkpoint of a step, or what is wrong with it."""
        place, seal = self._place(step), self._seal(step)
        if not seal:
            return None, "has no seal"
        if (seal.get("fingerprint"), seal.get("step")) != (self.fingerprint, step):
            return None, "is of a run with other settings, data, processes or room for what is prepared"
        found = hash_files(place)
        found.pop(SEAL_NAME, None)
        if seal.get("files") != found:
            return None, "is damaged"
        return Checkpoint(step, place, seal.get("best_step")), ""


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
