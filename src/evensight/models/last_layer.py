"""The last layer of a language model, computed only for the tokens whose logits are wanted.

Behind the attention of the last layer no token looks at another: what becomes of those without logits is used by
nothing. So its output projection and its MLP are given the last tokens alone, and zeros stand for the others. The
logits that are wanted, and all gradients, are the same; in a model of three layers it is a quarter of the work.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from evensight.models.image_embeddings import decoder


class LastLayer:
    """Cuts what the last layer computes to the last tokens of a batch."""

    def __init__(self) -> None:
        """Prepares it; nothing is cut yet."""
        self._n: int | None = None
        self._n_before: dict[nn.Module, int] = {}

    @contextmanager
    def on(self, model: Any) -> Iterator["LastLayer"]:
        """Watches the last layer of a model while the block runs; of one that is built otherwise, nothing."""
        with ExitStack() as stack:
            for module in positionwise(model):
                stack.callback(module.register_forward_pre_hook(self._cut).remove)
                stack.callback(module.register_forward_hook(self._fill).remove)
            yield self

    @contextmanager
    def keeping(self, n: int) -> Iterator[None]:
        """Computes the last n tokens alone while the block runs, which has to include the backward pass."""
        self._n = n
        try:
            yield
        finally:
            self._n = None

    def _cut(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if self._n is None:
            return None
        tokens, *others = args
        self._n_before[module] = max(0, tokens.shape[1] - self._n)
        return tokens[:, self._n_before[module] :], *others

    def _fill(self, module: nn.Module, _args: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """Puts zeros before the output `[example, token, hidden]`."""
        return None if self._n is None else pad(output, (0, 0, self._n_before[module], 0))


def positionwise(model: Any) -> list[nn.Module]:
    """The parts of the last layer behind its attention that take each token by itself, where they are as in Llama."""
    layers = getattr(decoder(model), "layers", None)
    if not isinstance(layers, nn.ModuleList):
        return []
    projection = getattr(getattr(layers[-1], "self_attn", None), "o_proj", None)
    mlp = getattr(layers[-1], "mlp", None)
    found = [projection, mlp if isinstance(getattr(mlp, "down_proj", None), nn.Module) else None]
    return [module for module in found if isinstance(module, nn.Module)]
