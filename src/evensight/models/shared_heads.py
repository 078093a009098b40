"""Keys and values that all heads share, copied for each head before attention is computed.

Where a model has one head of keys and values (PaliGemma's first 3B), transformers shows its memory as many heads.
From that, with a mask and one token more than a multiple of 64 (of 32 where heads are wide), torch's memory-efficient
kernel for GPUs computes something else for the last token, the one that the answer follows: pytorch/pytorch#191937,
found in torch 2.11 on an H200, in float32 and in 16 bits (where another kernel may go first). Of copies it does not.
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
