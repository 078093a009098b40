"""Keys and values that all heads share, copied for each head before attention is computed.

Where a model has one head of keys and values (PaliGemma's 3B), transformers shows its memory as if it were many. From
that, with a mask and a number of tokens that is one more than a multiple of 32, torch's memory-efficient kernel for
GPUs computes something else for the last token, the one that the answer follows: pytorch/pytorch#191937, and torch
2.11 on an H200, in float32 and in 16 bits (where another kernel usually goes first). Copies it computes as it should.
"""

from torch import Tensor
from transformers.integrations import sdpa_attention

_repeated = sdpa_attention.repeat_kv


def copy_shared_heads() -> None:
    """Has transformers' default attention copy keys and values for each head, for all models of this process."""
    sdpa_attention.repeat_kv = _copied


def _copied(shared: Tensor, n_rep: int) -> Tensor:
    """`[example, head, token, hidden]` with each head `n_rep` times, each in memory of its own."""
    repeated: Tensor = _repeated(shared, n_rep)
    return repeated.contiguous()
