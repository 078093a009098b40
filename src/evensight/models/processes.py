"""The processes of one training or evaluation: one, or as many as `accelerate launch` started.

Only the main process writes, prints and locks; what it found out is what all go by. An error that the main process
raises for all is printed once: the others end without a word.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from evensight.errors import InputError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Processes:
    """All processes at one work, seen from one of them.

    Attributes:
        rank: Which one this is; 0 is the main process.
        n: How many there are.
    """

    rank: int = 0
    n: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def shared(self, value: Value) -> Value:
        """The main process's value, in all of them."""
        if self.n == 1:
            return value
        from accelerate.utils import broadcast_object_list

        values: list[Any] = [value]
        broadcast_object_list(values)
        shared: Value = values[0]
        return shared

    def gathered(self, value: Value) -> list[Value]:
        """The values of all processes, in all of them, in the order of their ranks."""
        if self.n == 1:
            return [value]
        from accelerate.utils import gather_object

        return list(gather_object([value]))

    def led(self, action: Callable[[], Value]) -> Value:
        """What the action gives in the main process, in all of them.

        Raises:
            InputError: It did, in the main process; the others exit.
        """
        found: Any = None
        error: Exception | None = None
        if self.is_main:
            try:
                found = action()
            except (InputError, OSError) as raised:
                error = raised
        failed = self.shared(error is not None)
        if failed:
            self.end(error or InputError("the main process failed"))
        result: Value = self.shared(found)
        return result

    def together(self, action: Callable[[], Value]) -> Value:
        """What the action gives in each process, once all have done it.

        Raises:
            InputError: It did, in one of them; the first such error is the main process's, the others exit.
        """
        result: Any = None
        error: str | None = None
        try:
            result = action()
        except (InputError, OSError) as raised:
            if self.n == 1:
                raise
            error = str(raised)
        errors = [each for each in self.gathered(error) if each is not None]
        if errors:
            self.end(InputError(errors[0]))
        found: Value = result
        return found

    def end(self, error: Exception) -> None:
        """Ends all processes that call it, with the error in the main one.

        Raises:
            Exception: The error, in the main process.
            SystemExit: In the others.
        """
        if self.is_main:
            raise error
        raise SystemExit(2)

    def wait(self) -> None:
        """Returns when all processes have come here."""
        self.gathered(None)


def processes() -> Processes:
    """The processes that this one belongs to, joined; its GPU, if it has one, is the one that torch uses."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes"))
    if state.device.type == "cuda":
        import torch

        torch.cuda.set_device(state.device)
    return Processes(state.process_index, state.num_processes)


def leave() -> None:
    """Leaves the other processes: one that ends while still joined aborts now and then, though its work is done."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def is_sharded() -> bool:
    """Whether `accelerate launch` spreads a model's weights over the processes (FSDP, DeepSpeed)."""
    names = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes") for name in names)
