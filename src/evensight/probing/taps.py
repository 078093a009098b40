"""Reading states where a model computes them, and changing them there, by hooks on its modules.

State 0 is what goes into the language model's first layer, state k what its layer k gives, and the last one what is
left after the final norm: the numbering of transformers' `output_hidden_states`. No state is kept whole. What is
wanted of it, some means over its tokens, is computed at once, so that reading all layers takes the memory of one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from evensight.errors import InputError
from evensight.models.families import Family
from evensight.models.image_embeddings import decoder, plain

Seen = Callable[[Tensor], Tensor | None]
"""Gets a state `[example, token, hidden]`; gives what is to stand in its place, or None to leave it."""


def layers_of(model: Any) -> nn.ModuleList:
    """The layers of a model's language model.

    Raises:
        InputError: It has none that are known.
    """
    found = getattr(decoder(model), "layers", None)
    if not isinstance(found, nn.ModuleList) or not len(found):
        raise InputError(
            f"the layers of a {type(plain(model)).__name__} are not known: expected a list named `layers`"
        )
    return found


def n_states(model: Any) -> int:
    """How many states a model has: one more than its language model has layers."""
    return len(layers_of(model)) + 1


def tap(model: Any, state: int, seen: Seen) -> Callable[[], None]:
    """Has a function see a state, and change it, in every forward pass from now on; gives what ends that."""
    layers = layers_of(model)
    if state == 0:
        return layers[0].register_forward_pre_hook(_on_input(seen), with_kwargs=True).remove
    module = decoder(model) if state == len(layers) else layers[state - 1]
    return module.register_forward_hook(_on_output(seen)).remove


def _on_input(seen: Seen) -> Callable[..., Any]:
    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        changed = seen(args[0] if args else kwargs["hidden_states"])
        if changed is None:
            return None
        return ((changed, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": changed})

    return hook


def _on_output(seen: Seen) -> Callable[..., Any]:
    def hook(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        changed = seen(output if isinstance(output, Tensor) else output[0])
        if changed is None or isinstance(output, Tensor):
            return changed
        if isinstance(output, tuple):
            return (changed, *output[1:])
        output["last_hidden_state"] = changed
        return output

    return hook


class StateTaps:
    """Reads means over tokens of a model's states while it runs."""

    def __init__(self, model: Any, states: Sequence[int]) -> None:
        """Prepares it; nothing is read yet.

        Args:
            model: The model.
            states: Which of its states are read.
        """
        self._model, self._states = model, tuple(states)
        self._weights: Tensor | None = None
        self._read: dict[int, Tensor] = {}

    @contextmanager
    def on(self) -> Iterator["StateTaps"]:
        """Watches the model while the block runs."""
        with ExitStack() as stack:
            for state in self._states:
                stack.callback(tap(self._model, state, self._reader(state)))
            yield self

    def read(self, batch: dict[str, Any], weights: Tensor) -> Tensor:
        """The states of a batch `[example, state, position, hidden]`, in float32.

        Args:
            batch: What the model is called with.
            weights: How much of each token goes into each position, `[example, position, token]`.
        """
        self._weights = weights
        try:
            self._model(**batch)
            return torch.stack([self._read.pop(state) for state in self._states], dim=1)
        finally:
            self._weights = None
            self._read.clear()

    def _reader(self, state: int) -> Seen:
        def seen(hidden: Tensor) -> None:
            if self._weights is not None:
                self._read[state] = torch.bmm(self._weights, hidden.float())

        return seen


class VisionTap:
    """Reads what leaves the vision tower: what the model's projector is given."""

    def __init__(self, model: Any, family: Family) -> None:
        """Prepares it; nothing is read yet.

        Args:
            model: The model.
            family: What is known of its family.
        """
        self._projector = _projector(plain(model), family)
        self.patches: Tensor | None = None

    @contextmanager
    def on(self) -> Iterator["VisionTap"]:
        """Watches the model while the block runs; of one whose projector isn't known, nothing."""
        if self._projector is None:
            yield self
            return
        hook = self._projector.register_forward_pre_hook(self._see, with_kwargs=True)
        try:
            yield self
        finally:
            hook.remove()
            self.patches = None

    def _see(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = args[0] if args else next(iter(kwargs.values()), None)
        self.patches = given if isinstance(given, Tensor) else None


def _projector(model: Any, family: Family) -> nn.Module | None:
    modules = dict(model.named_modules())
    for wanted in family.components.projector:
        found = next((name for name in modules if name.rpartition(".")[2] == wanted), None)
        if found is not None:
            return modules[found]  # type: ignore[no-any-return]
    return None
