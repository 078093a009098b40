"""LoRA computed with the adapter added to the weight, where that is less work: in small layers.

PEFT computes W x + s B (A x). For a layer from i to o features and an adapter of rank r that is 4 i o + 6 r (i + o)
multiplications for each token of a step, forward and backward, and four tensors of the size of the output.
(W + s B A) x is the same function; it takes 6 i o, for the gradient of the sum is needed as well, and as good as
nothing for the sum itself, which is made once for all tokens. So it is faster where i o < 3 r (i + o): with r = 32,
up to 192 features. The layers of released models are larger, those of a model that is trained on a CPU are not.

In bfloat16 small changes would be lost in the sum, so there nothing is changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def merged_adapters(model: nn.Module) -> Iterator[int]:
    """Computes the LoRA of small layers in this way while the block runs; gives the number of such layers."""
    chosen = [module for module in model.modules() if is_small_lora(module)]
    for module in chosen:
        module.forward = partial(_forward, module)
    try:
        yield len(chosen)
    finally:
        for module in chosen:
            del module.forward


def is_small_lora(module: Any) -> bool:
    """Whether a module is a linear layer in float32 with one plain LoRA, for which the sum is less work."""
    from peft.tuners.lora import Linear

    if type(module) is not Linear or type(module.base_layer) is not nn.Linear or module.fan_in_fan_out:
        return False
    names = module.active_adapters
    if len(names) != 1 or module.merged or module.disable_adapters or names[0] not in module.lora_A:
        return False
    is_plain = names[0] not in module.lora_variant and module.lora_B[names[0]].bias is None
    is_whole = type(module.lora_dropout[names[0]]) is nn.Identity
    weights = (module.base_layer.weight, module.lora_A[names[0]].weight, module.lora_B[names[0]].weight)
    is_float32 = all(weight.dtype == torch.float32 for weight in weights)
    return is_plain and is_whole and is_float32 and _is_less_work(module)


def _is_less_work(module: Any) -> bool:
    n_in, n_out, rank = module.in_features, module.out_features, module.r[module.active_adapters[0]]
    return bool(n_in * n_out < 3 * rank * (n_in + n_out))


def _forward(module: Any, x: Tensor) -> Tensor:
    """The layer's output: x `[..., in]`, output `[..., out]`."""
    (name,) = module.active_adapters
    a, b = module.lora_A[name].weight, module.lora_B[name].weight
    weight = torch.addmm(module.base_layer.weight, b, a, alpha=module.scaling[name])
    return nn.functional.linear(x, weight, module.base_layer.bias)
