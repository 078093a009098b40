"""Stops a training where its numbers end, before they get into the weights.

A loss or a gradient that is not finite is found before the optimizer uses it. The weights that last gave a finite
loss and finite gradients are kept beside the others, as far as they are few (an adapter's), so that they are still
there when it happens.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from evensight.models.processes import Processes


class NumbersEndedError(Exception):
    """A loss or a gradient was not finite.

    Attributes:
        step: In which step, from 1.
        what: What was not finite.
        indices: Of the examples of that step (for a loss: of that batch), on the processes where it happened.
    """

    def __init__(self, step: int, what: str, indices: Sequence[int]) -> None:
        super().__init__(f"{what} at step {step}")
        self.step = step
        self.what = what
        self.indices = tuple(indices)


class Guard(TrainerCallback):  # type: ignore[misc]
    """Watches the loss of each batch and the gradients of each step."""

    def __init__(self, team: Processes, *, keeps_weights: bool) -> None:
        """Prepares the watch.

        Args:
            team: The processes that train together: all stop when one has to.
            keeps_weights: Whether to keep a copy of the trained weights that were last seen to be good.
        """
        self._team = team
        self.keeps_weights = keeps_weights
        self._indices: list[int] = []
        self._good: list[Tensor] = []
        self.good_step = 0
        """After how many steps the weights were that are kept; 0 if none are."""

    def check_loss(self, loss: Tensor, indices: Sequence[int], step: int) -> None:
        """Notes a batch and looks at its loss.

        Args:
            loss: Its loss, a scalar.
            indices: Its examples.
            step: The step that it belongs to, from 1.

        Raises:
            NumbersEndedError: The loss is not finite, here or on another process.
        """
        self._indices.extend(indices)
        value = float(loss)
        fault = "" if torch.isfinite(loss) else f"the loss is {value}"
        found = self._team.gathered((fault, list(indices) if fault else []))
        faults = [(what, where) for what, where in found if what]
        if faults:
            raise NumbersEndedError(step, faults[0][0], sorted({index for _, where in faults for index in where}))

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Looks at the gradients, and keeps the weights if all is well.

        Raises:
            NumbersEndedError: A gradient is not finite.
        """
        indices, self._indices = self._indices, []
        trained = trained_parameters(model)
        gradients = [parameter.grad for parameter in trained.values() if parameter.grad is not None]
        if self.keeps_weights:  # these weights gave a finite loss, whatever their gradients are
            self._keep(list(trained.values()), state.global_step)
        if gradients and not _is_finite(gradients):
            everywhere = {index for rank in self._team.gathered(indices) for index in rank}
            raise NumbersEndedError(state.global_step + 1, "a gradient is not finite", sorted(everywhere))

    def restore(self, model: nn.Module) -> bool:
        """Puts the weights that are kept back into the model; False if there are none."""
        if self.good_step:
            with torch.no_grad():
                for parameter, good in zip(trained_parameters(model).values(), self._good, strict=True):
                    parameter.copy_(good)
        return bool(self.good_step)

    @torch.no_grad()
    def _keep(self, weights: list[Tensor], step: int) -> None:
        if not self._good:
            self._good = [torch.empty_like(weight) for weight in weights]
        torch._foreach_copy_(self._good, weights)
        self.good_step = step


def trained_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _is_finite(gradients: list[Tensor]) -> bool:
    norm = torch.nn.utils.get_total_norm(gradients)
    whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # FSDP's are spread over the processes
    return bool(torch.isfinite(whole))
