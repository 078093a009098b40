"""What happens between the steps of a training: progress, checkpoints, validation."""

import time
from typing import Any, Protocol

from transformers import TrainerCallback

from evensight.models.processes import Processes
from evensight.progress import Advance, say
from evensight.training.checkpoints import Checkpoints
from evensight.training.validation import best_step, is_enough, note, validations


class Watch(TrainerCallback):  # type: ignore[misc]
    """Shows the progress: each step's loss, and each validation in a line of its own."""

    def __init__(self, advance: Advance | None) -> None:
        """Prepares it; on processes that show nothing `advance` is none."""
        self._advance = advance

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Counts a step."""
        if "loss" in logs and self._advance is not None:
            self._advance(1, f"loss {logs['loss']:.3f}")

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        """Says what a validation found."""
        if self._advance is not None:
            say(f"validation after step {state.global_step:,}: {note(metrics)}")


class _Timing(Protocol):
    """When checkpoints are due."""

    @property
    def checkpoint_minutes(self) -> float: ...
    @property
    def checkpoint_steps(self) -> int | None: ...


class Keeper(TrainerCallback):  # type: ignore[misc]
    """Has a checkpoint written when it is due, and makes what was written whole."""

    def __init__(self, checkpoints: Checkpoints, timing: _Timing, team: Processes) -> None:
        self._checkpoints = checkpoints
        self._timing = timing
        self._team = team
        self._last_s = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Asks for a checkpoint; not after the last step, when the result itself is next."""
        if state.global_step < state.max_steps and self._team.shared(self._is_due(state.global_step)):
            control.should_save = True

    def _is_due(self, step: int) -> bool:
        every = self._timing.checkpoint_steps
        is_late = time.monotonic() - self._last_s >= 60 * self._timing.checkpoint_minutes
        return is_late or (every is not None and step % every == 0)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Makes what all processes have written a checkpoint."""
        self._team.wait()
        if self._team.is_main:
            self._checkpoints.keep(state.global_step, best_step(validations(state.log_history)))
        self._team.wait()
        self._last_s = time.monotonic()


class Stopper(TrainerCallback):  # type: ignore[misc]
    """Has the model validated, keeps the best weights as a checkpoint, and stops when it is enough."""

    def __init__(self, every: int, patience: int | None) -> None:
        self._every = every
        self._patience = patience

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Asks for a validation every so many steps, and after the last one."""
        if state.global_step % self._every == 0 or state.global_step >= state.max_steps:
            control.should_evaluate = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Asks for a checkpoint of weights that are the best so far, and stops when none were for long."""
        done = validations(state.log_history)
        if best_step(done) == state.global_step and state.global_step < state.max_steps:
            control.should_save = True
        if is_enough(done, self._patience):
            control.should_training_stop = True
