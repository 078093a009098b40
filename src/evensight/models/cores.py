"""Sharing a machine's cores between torch and those who prepare its batches.

Without a GPU the model and the loader compete for the cores, and torch's threads, which wait by spinning, lose far
more by that than one core's worth: on 2 cores beside another busy process the embedded model was seen to answer 30 to
45 questions/s with two threads, and 280 with one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def loader_workers() -> int:
    """How many processes prepare batches: all cores but one, eight at most."""
    return max(1, min(8, (os.cpu_count() or 2) - 1))


@contextmanager
def cores_left_for(n_busy: int) -> Iterator[None]:
    """Keeps torch off `n_busy` of the cores while the block runs, but for one core that it always has."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 1) - n_busy)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
