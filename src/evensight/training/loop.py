"""transformers' `Trainer` where ours differs: what a checkpoint holds, and when training stops or looks up.

A checkpoint holds the weights that are trained, by name, and no others, with what the trainer itself needs to go on
as if nothing had happened: optimizer, schedule, random states, and how many steps were done, from which follows
which example is next. Where a model's weights are spread over processes (FSDP, DeepSpeed) the trainer's own way of
saving them is left as it is.
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Trainer, TrainerControl

from evensight.errors import InputError
from evensight.runs import one_line
from evensight.training.guard import Guard, trained_parameters
from evensight.training.loading_processes import impatient
from evensight.training.prepared import INDICES

WEIGHTS_NAME = "trained.safetensors"


class Loop(Trainer):  # type: ignore[misc]
    """A trainer whose checkpoints are of the trained weights, which looks at each loss, and validates our way."""

    def __init__(
        self,
        guard: Guard,
        validate: Callable[[nn.Module], Mapping[str, float]] | None,
        computing: Callable[[dict[str, Any]], AbstractContextManager[None]],
        **options: Any,
    ) -> None:
        """Prepares the loop.

        Args:
            guard: Looks at each loss; is also a callback.
            validate: Gives the figures of the model as it is.
            computing: The surroundings of each batch's forward and backward pass.
            options: Those of `Trainer`.
        """
        super().__init__(**options)
        self.add_callback(guard)
        self.control: TrainerControl
        self._guard = guard
        self._validate = validate
        self._computing = computing

    @property
    def is_sharded(self) -> bool:
        """Whether each process has only a part of the weights."""
        return bool(self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def get_train_dataloader(self) -> Any:
        """The loader of batches, which doesn't wait for ever."""
        return impatient(super().get_train_dataloader())

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """The loss of one batch, whose gradients are added.

        Raises:
            NumbersEndedError: It is not finite.
        """
        indices = inputs.pop(INDICES).tolist()
        with self._computing(inputs):
            loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        self._guard.check_loss(loss, indices, self.state.global_step + 1)
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The validation's figures, which are logged as well."""
        found = dict(self._validate(self.model)) if self._validate is not None else {}
        self.model.train()
        self.log(dict(found))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Saves the trained weights into a folder."""
        if self.is_sharded:
            super().save_model(output_dir, _internal_call)
        elif self.args.should_save:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            weights = {name: weight.detach().contiguous() for name, weight in trained_parameters(self.model).items()}
            save_file(weights, folder / WEIGHTS_NAME)

    def load_weights(self, folder: Path) -> None:
        """Puts a checkpoint's weights into the model.

        Raises:
            InputError: They are not those of this model.
        """
        trained = trained_parameters(self.model)
        saved = load_file(folder / WEIGHTS_NAME)
        if {name: weight.shape for name, weight in saved.items()} != {n: w.shape for n, w in trained.items()}:
            raise InputError(f"the checkpoint `{folder}` is of another model: remove it to begin again")
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(saved[name])

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_sharded:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            self.load_weights(Path(resume_from_checkpoint))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with _writing(Path(self.args.output_dir)):
            super()._save_checkpoint(model, trial)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Has a disk that can't be written to raise an OSError, which torch and safetensors don't."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "writ" not in str(error):  # "file write failed", "failed writing"
            raise
        raise OSError(errno.EIO, f"a checkpoint can't be written ({one_line(error)})", str(path)) from error
