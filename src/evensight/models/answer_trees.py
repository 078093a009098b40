"""Answers as a tree of tokens: what several begin with stands in it once.

"top", "top left" and "top right" share their first token. A node is a token that something follows; the last token of
an answer, which ends the turn, is only predicted. So the nine areas are nine nodes, where they would be 18 tokens in
nine rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class AnswerTree:
    """Some answers' tokens, each beginning once.

    Attributes:
        nodes: The beginnings, each before those that go on from it.
        steps: For each answer and each of its tokens: the number of the node that it follows, 0 for the prompt and
            k + 1 for node k, and the token.
    """

    nodes: tuple[tuple[int, ...], ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, answers: Sequence[Sequence[int]]) -> "AnswerTree":
        """The tree of answers, each as its tokens; the order of the answers changes nothing in the nodes."""
        nodes = sorted({tuple(ids[:k]) for ids in answers for k in range(1, len(ids))})
        number = {(): 0} | {node: k for k, node in enumerate(nodes, start=1)}
        steps = tuple(tuple((number[tuple(ids[:k])], id_) for k, id_ in enumerate(ids)) for ids in answers)
        return cls(tuple(nodes), steps)


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees of a batch, padded to the same number of nodes.

    Attributes:
        ids: Each node's token, `[example, node]`.
        depths: How far behind the prompt it stands, from 1.
        sees: Which nodes it goes on from, itself included, `[example, node, node]`.
        examples: Each answer's example, `[answer]`, all answers of all examples in a row.
        follows: Which node each of its tokens follows, counted as in `AnswerTree.steps`, `[answer, step]`.
        words: The token, `[answer, step]`.
        there: Where there is one, `[answer, step]`.
    """

    ids: Tensor
    depths: Tensor
    sees: Tensor
    examples: Tensor
    follows: Tensor
    words: Tensor
    there: Tensor

    def to(self, device: Any) -> "Forest":
        """The same on another device."""
        return Forest(*(getattr(self, one.name).to(device) for one in fields(self)))


def plant(trees: Sequence[AnswerTree], chosen: Sequence[Sequence[int]], pad_id: int) -> Forest:
    """The trees of a batch as tensors; a tree that stands there many times is taken apart once.

    Args:
        trees: A tree for each example.
        chosen: Which of its tree's answers each example has, in which order.
        pad_id: The token that fills up.
    """
    m = max(len(tree.nodes) for tree in trees)
    distinct = {id(tree): tree for tree in trees}
    number = {key: k for k, key in enumerate(distinct)}
    first = dict(zip(distinct, accumulate((len(tree.steps) for tree in distinct.values()), initial=0), strict=False))
    grown = zip(*(_grown(tree, m, pad_id) for tree in distinct.values()), strict=True)
    ids, depths, sees = (torch.stack(part)[[number[id(tree)] for tree in trees]] for part in grown)
    paths = [path for tree in distinct.values() for path in tree.steps]
    longest = max(map(len, paths), default=0)
    steps = torch.tensor([[*path, *[(0, pad_id)] * (longest - len(path))] for path in paths]).reshape(-1, longest, 2)
    there = torch.tensor([[True] * len(path) + [False] * (longest - len(path)) for path in paths])
    examples = torch.tensor([k for k, order in enumerate(chosen) for _ in order])
    answers = torch.tensor([first[id(tree)] + k for tree, order in zip(trees, chosen, strict=True) for k in order])
    return Forest(ids, depths, sees, examples, steps[answers, :, 0], steps[answers, :, 1], there[answers])


def log_likelihoods(logits: Tensor, forest: Forest) -> Tensor:
    """The sum of each answer's tokens' log-probabilities, `[answer]`.

    Args:
        logits: Behind the prompt and behind each node, `[example, 1 + node, word]`.
        forest: The trees, where the logits are.
    """
    wholes = _log_sum_exp(logits)
    example = forest.examples[:, None]
    said = logits[example, forest.follows, forest.words].float() - wholes[example, forest.follows]
    return said.masked_fill(~forest.there, 0.0).sum(dim=1)


_MOST_AT_ONCE = 2**26
"""Of how many words' scores a copy in float32 is held at a time."""


def _log_sum_exp(logits: Tensor) -> Tensor:
    n, m, n_words = logits.shape
    chunk = max(1, _MOST_AT_ONCE // (m * n_words))
    return torch.cat([logits[k : k + chunk].float().logsumexp(dim=-1) for k in range(0, n, chunk)])


def _grown(tree: AnswerTree, m: int, pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """A tree's tokens and depths `[node]`, and what each node sees `[node, node]`; what is added sees itself."""
    extra = m - len(tree.nodes)
    ids = torch.tensor([node[-1] for node in tree.nodes] + [pad_id] * extra, dtype=torch.long)
    depths = torch.tensor([len(node) for node in tree.nodes] + [1] * extra, dtype=torch.long)
    sees = torch.eye(m, dtype=torch.bool)
    number = {node: k for k, node in enumerate(tree.nodes)}
    for node, k in number.items():
        for length in range(1, len(node)):
            sees[k, number[node[:length]]] = True
    return ids, depths, sees
