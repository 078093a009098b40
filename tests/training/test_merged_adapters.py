"""LoRA of small layers added to the weight: the same function and gradients, and only where it is one."""

from typing import Any

import peft
import pytest
import torch
from torch import nn

from evensight.training.merged_adapters import is_small_lora, merged_adapters


def adapted(n_in: int = 24, n_out: int = 40, bias: bool = True, **options: Any) -> Any:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(n_in, n_out, bias=bias))
    config = peft.LoraConfig(
        **{"r": 4, "lora_alpha": 6, "target_modules": ["0"], "init_lora_weights": False, **options}
    )
    return peft.get_peft_model(layers, config)


def found(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    given = x.clone().requires_grad_()
    out = model(given)
    (out**2).sum().backward()
    assert given.grad is not None
    trained = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}
    return trained | {"output": out.detach(), "input's gradient": given.grad}


@pytest.mark.parametrize("bias", [True, False])
def test_output_and_gradients_are_the_same(bias: bool) -> None:
    model, x = adapted(n_in=12, n_out=20, bias=bias), torch.randn(5, 7, 12)
    plain = found(model, x)
    with merged_adapters(model) as n:
        merged = found(model, x)
        assert n == 1
    assert plain.keys() == merged.keys()
    assert len(plain) == 4
    for name, value in plain.items():
        torch.testing.assert_close(merged[name], value, rtol=1e-4, atol=1e-4)
    assert torch.equal(found(model, x)["output"], plain["output"])  # afterwards it is PEFT's again


@pytest.mark.parametrize(("n_in", "n_out", "rank"), [(24, 24, 4), (24, 25, 4), (12, 1000, 4), (192, 192, 32)])
def test_the_least_work_is_done(n_in: int, n_out: int, rank: int) -> None:
    """Counted a token: forward, the input's gradient, and those of what is trained (or of the sum)."""
    apart = 2 * n_in * n_out + 3 * rank * (n_in + n_out)
    together = 3 * n_in * n_out
    assert is_small_lora(adapted(n_in, n_out, r=rank).base_model.model[0]) == (together < apart)


@pytest.mark.parametrize(
    "options", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}, {"use_rslora": True}]
)
def test_it_is_left_alone_where_it_is_more_than_the_sum(options: dict[str, Any]) -> None:
    assert is_small_lora(adapted(12, 20).base_model.model[0])
    layer = adapted(12, 20, **options).base_model.model[0]
    assert is_small_lora(layer) == ("use_rslora" in options)  # that is another scale and no other function


def test_it_is_left_alone_in_bfloat16_with_two_adapters_and_where_none_is_on() -> None:
    assert not is_small_lora(adapted(12, 20).to(torch.bfloat16).base_model.model[0])
    two = adapted(12, 20)
    two.add_adapter("second", peft.LoraConfig(r=4, target_modules=["0"]))
    two.base_model.set_adapter(["default", "second"])
    assert not is_small_lora(two.base_model.model[0])
    off = adapted(12, 20)
    with off.disable_adapter():
        assert not is_small_lora(off.base_model.model[0])
    assert not is_small_lora(nn.Linear(12, 20))
