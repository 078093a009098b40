"""How likely a model finds each of some options as the answer to a question.

The score of an option is the log-likelihood of its tokens and of the end of the turn, given the prompt, in nats. The
prompt is computed once and its keys and values are shared by the options, where the model keeps them in a cache that
others can go on from; else each option is computed with its prompt. What options begin with alike is computed once,
too, as a tree in one row behind the prompt (`answer_trees`), where that is found to give the same scores as a row
for each option. All ways are exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from evensight.annotations import AREAS
from evensight.errors import is_lack_of_memory
from evensight.models.answer_trees import AnswerTree, log_likelihoods, plant
from evensight.models.continued import Prompts, on_device, read_prompts
from evensight.models.loading import LoadedModel, quiet_transformers
from evensight.models.prompts import IGNORED, Prompter

_TOLERANCE, _TOLERANCE_16 = 1e-3, 0.25
"""How far a score may lie from another way's, in nats: in float32, and in 16 bits."""
_PROBE_PX = 112
_MOST_KNOWN, _MOST_TREES = 100_000, 10_000
"""Of so many options the tokens are kept, and so many trees."""


@dataclass(frozen=True)
class Scorer:
    """Scores options as answers.

    Attributes:
        loaded: The model.
        shares_prompts: Whether a prompt is computed once for all of its options, where that can be done.
        shares_beginnings: Whether what options begin with alike is, too.
    """

    loaded: LoadedModel
    shares_prompts: bool = True
    shares_beginnings: bool = True

    @cached_property
    def _prompter(self) -> Prompter:
        return Prompter(self.loaded.processor, self.loaded.model.config.model_type)

    @torch.inference_mode()
    def scores(
        self, images: Sequence[Image.Image], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The log-likelihood, in nats, of each of a question's options, for one batch of questions.

        Args:
            images: An image for each question.
            texts: The questions.
            options: For each question, what may be answered.
        """
        with quiet_transformers():
            if self.shares_prompts:
                batch = on_device(self.loaded.model, self._prompter.encode(images, texts))
                prompts = read_prompts(self.loaded.model, batch)
                if prompts is not None:
                    return self.behind(prompts, options)
            return self.separate(images, texts, options)

    def best(
        self, images: Sequence[Image.Image], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[str]:
        """The most likely option of each question; the first of equals."""
        scores = self.scores(images, texts, options)
        return [given[max(range(len(row)), key=row.__getitem__)] for given, row in zip(options, scores, strict=True)]

    def n_tokens(self, option: str) -> int:
        """How many tokens an option's score is the sum of, with the end."""
        return len(self._ids(option))

    def behind(self, prompts: Prompts, options: Sequence[Sequence[str]]) -> list[list[float]]:
        """The options' scores behind prompts that have been read."""
        if not any(options):
            return [[] for _ in options]
        in_trees = self.shares_beginnings and self.trees_are_exact
        return (self._in_trees if in_trees else self._in_rows)(prompts, options)

    @cached_property
    def trees_are_exact(self) -> bool:
        """Whether a tree of the nine areas gives the scores that rows give, on a black image; found out once.

        What it rests on (a mask of four axes, positions that are given) isn't promised by every model.
        """
        with torch.inference_mode(), quiet_transformers():
            image = Image.new("RGB", (_PROBE_PX, _PROBE_PX))
            batch = on_device(self.loaded.model, self._prompter.encode([image, image], ["Where?", "Where is it?"]))
            prompts = read_prompts(self.loaded.model, batch)
            if prompts is None:
                return False
            rows = self._in_rows(prompts, [AREAS, AREAS])
            try:
                trees = self._in_trees(prompts, [AREAS, AREAS])
            except (TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError) as error:
                if is_lack_of_memory(error):  # which says nothing of trees
                    raise
                return False
            most = _TOLERANCE if prompts.logits.dtype == torch.float32 else _TOLERANCE_16
            return bool((torch.tensor(rows) - torch.tensor(trees)).abs().max() <= most)

    def _in_trees(self, prompts: Prompts, options: Sequence[Sequence[str]]) -> list[list[float]]:
        """The scores, with each beginning computed once."""
        trees, chosen = zip(*map(self._tree, options), strict=True)
        forest = plant(trees, chosen, self._prompter.pad_id).to(prompts.mask.device)
        logits = prompts.logits
        if forest.ids.shape[1]:
            logits = torch.cat([logits, prompts.read_tree(forest.ids, forest.depths, forest.sees)], dim=1)
        return _by_question(log_likelihoods(logits, forest), options)

    def _in_rows(self, prompts: Prompts, options: Sequence[Sequence[str]]) -> list[list[float]]:
        """The scores, with a row for each option."""
        device = prompts.mask.device
        rows = torch.tensor([k for k, given in enumerate(options) for _ in given], device=device)
        ids, there = self._answers([option for given in options for option in given], device)
        first = prompts.logits[rows]
        if ids.shape[1] == 1:
            return _by_question(_log_likelihood(first, ids, there), options)
        depths = torch.arange(1, ids.shape[1], device=device)
        later = prompts.rows(rows).read(ids[:, :-1], there[:, :-1], depths)
        return _by_question(_log_likelihood(torch.cat([first, later], dim=1), ids, there), options)

    def separate(
        self, images: Sequence[Image.Image], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The options' scores, each computed with its prompt."""
        rows = [k for k, given in enumerate(options) for _ in given]
        if not rows:
            return [[] for _ in options]
        batch = self._prompter.encode_with_answers(
            [images[k] for k in rows], [texts[k] for k in rows], [option for given in options for option in given]
        )
        return _by_question(self.answered(on_device(self.loaded.model, batch)), options)

    def answered(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The log-likelihood of each row's answer behind its prompt, `[row]`, in nats.

        Args:
            batch: What `Prompter.encode_with_answers` makes, where the model is.
        """
        labels = batch["labels"]
        n = int((labels != IGNORED).any(dim=0).sum())
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        logits = self.loaded.model(**inputs, logits_to_keep=n + 1).logits[:, :-1]
        ids = labels[:, -n:]
        return _log_likelihood(logits, ids.clamp(min=0), (ids != IGNORED).long())

    def _tree(self, options: Sequence[str]) -> tuple[AnswerTree, list[int]]:
        """The tree of some options, and which of its answers each is; in another order they have the same tree."""
        ordered, known = tuple(sorted(options)), self._known_trees
        if ordered not in known:
            if len(known) >= _MOST_TREES:
                known.clear()
            tree = AnswerTree.of([self._ids(option) for option in ordered])
            known[ordered] = tree, {option: k for k, option in enumerate(ordered)}
        tree, numbers = known[ordered]
        return tree, [numbers[option] for option in options]

    @cached_property
    def _known_trees(self) -> dict[tuple[str, ...], tuple[AnswerTree, dict[str, int]]]:
        return {}

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        return {}

    def _ids(self, option: str) -> list[int]:
        """An option's tokens with the end; each option is tokenized once."""
        known = self._known
        if option not in known:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[option] = self._prompter.answer_ids(option)
        return known[option]

    def _answers(self, options: Sequence[str], device: Any) -> tuple[Tensor, Tensor]:
        """The options' tokens `[option, token]`, padded on the right, and where there are any."""
        rows = [self._ids(option) for option in options]
        longest = max(map(len, rows))
        ids = [row + [self._prompter.pad_id] * (longest - len(row)) for row in rows]
        there = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return torch.tensor(ids, device=device), torch.tensor(there, device=device)


def _by_question(found: Tensor, options: Sequence[Sequence[str]]) -> list[list[float]]:
    starts, values = [0, *accumulate(map(len, options))], found.tolist()
    return [values[start:end] for start, end in pairwise(starts)]


def _log_likelihood(logits: Tensor, ids: Tensor, there: Tensor) -> Tensor:
    """The sum over the tokens that are there: logits `[option, token, word]`, the others `[option, token]`."""
    said = torch.log_softmax(logits.float(), dim=-1).gather(2, ids[..., None])[..., 0]
    return (said * there).sum(dim=1)
