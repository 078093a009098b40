"""Examples prepared once for all epochs: their tokens, and what a frozen vision tower makes of their images.

Where neither the vision tower nor the projector is trained, an image is the same to the language model in every
epoch. So before the first step each example is drawn, encoded and looked at once; its tokens stay in memory, its
embeddings in a file among the user's caches that goes when the training ends. Images are looked at in batches that
depend on their indices alone, so an example has the same bits whenever, in whatever batch and on whichever process
it is trained on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from evensight.caches import cache_folder
from evensight.models.cores import loader_workers
from evensight.models.families import component_of, family_of_model
from evensight.models.image_embeddings import DecoderCall, Injector, decoder_call, plain
from evensight.models.padding import POSITIONS, Tokens, join, split
from evensight.models.processes import Processes
from evensight.models.prompts import Prompter, image_id
from evensight.progress import progress, say
from evensight.runs import one_line
from evensight.training.embedding_files import EmbeddingFile, Layout, NoRoomError, check_room, embedding_file, mapped
from evensight.training.guard import trained_parameters
from evensight.training.loading_processes import impatient, loading_explained

CHUNK = 8
"""How many images are looked at together."""
MAX_TOKEN_BYTES = 2**30
"""The most that all examples' tokens may take in memory."""

EMBEDDINGS = "image_embeddings"
INDICES = "example_indices"
"""Where a batch has what its images are to the language model, and its examples' indices: neither is the model's."""

Collate = Callable[[Sequence[int]], dict[str, Tensor]]


class CanNotBeKeptError(Exception):
    """A model computes more from its pixels than what is kept of them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One example: its tokens, and which rows of its process's file are its image's."""

    tokens: Tokens
    first: int
    n: int


@dataclass(frozen=True)
class Prepared:
    """A set of examples, prepared; it makes their batches.

    Attributes:
        prompter: Knows how they are padded.
        examples: Each example by its index, with the number of its file.
        files: What each process's file holds, `[token, layer, hidden]`.
    """

    prompter: Prompter
    examples: Mapping[int, tuple[int, Kept]]
    files: Sequence[Tensor]

    def __call__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The batch of these examples with their answers, and `image_embeddings` in place of pixels."""
        chosen = [self.examples[index] for index in indices]
        batch = join([kept.tokens for _, kept in chosen], self.prompter)
        rows = [self.files[file][kept.first : kept.first + kept.n] for file, kept in chosen]
        return {**batch, EMBEDDINGS: torch.cat(rows), INDICES: torch.tensor(list(indices))}


def is_image_constant(model: Any) -> bool:
    """Whether an image is the same to the language model each time it is seen while the model is trained."""
    family = family_of_model(model)
    if any(component_of(name, family) != "language" for name in trained_parameters(model)):
        return False
    words = plain(model).get_input_embeddings()
    return not any(parameter.requires_grad for parameter in words.parameters()) and not _drops_out(model)


def _drops_out(model: Any) -> bool:
    """Whether the vision tower or the projector leaves out anything at random while it is trained."""
    family = family_of_model(model)
    settings: dict[str, Any] = getattr(getattr(model.config, "vision_config", None), "to_dict", dict)()
    shares = [value for name, value in settings.items() if "drop" in name]
    layers = [
        module.p
        for name, module in model.named_modules()
        if isinstance(module, nn.Dropout) and component_of(name, family) != "language"
    ]
    return any(isinstance(share, float) and share > 0 for share in (*shares, *layers))


@contextmanager
def prepared(
    model: Any, collate: Collate, prompter: Prompter, n: int, team: Processes, *, is_bf16: bool
) -> Iterator[Prepared | None]:
    """Prepares examples and keeps them while the block runs; none if they can't be kept, and says why.

    Args:
        model: The model that will be trained on them, where it will be trained.
        collate: Encodes a batch of them with their pixels, answers and indices.
        prompter: Knows how they are padded.
        n: How many examples there are.
        team: The processes that train together: each prepares its share, all get everything.
        is_bf16: Whether the model computes in bfloat16.
    """
    folder = cache_folder("embeddings")
    with nullcontext() if folder is None else embedding_file(folder) as file:
        share = _Share(fault="there is no folder for caches")  # and no model is loaded without a token for images
        image = image_id(prompter.processor, model.config)
        if file is not None and image is not None:
            share = _filled(_Look(model, image, is_bf16), collate, n, file, team)
        shares = team.gathered(share)
        fault = next((each.fault for each in shares if each.fault), "")
        found = None if fault else _joined(prompter, shares)
        team.wait()  # until each has all files open: then they need no name
        if fault and team.is_main:
            say(f"the images are prepared anew in each epoch: {fault}")
        if file is not None:
            file.path.unlink(missing_ok=True)
        yield found


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process prepared: examples by index, and their file; or why it could not."""

    kept: Mapping[int, Kept] = field(default_factory=dict)
    path: Path = Path()
    layout: Layout | None = None
    fault: str = ""


def _joined(prompter: Prompter, shares: Sequence[_Share]) -> Prepared:
    examples = {index: (k, kept) for k, share in enumerate(shares) for index, kept in share.kept.items()}
    return Prepared(prompter, examples, [mapped(share.path, share.layout) for share in shares])


def _filled(look: "_Look", collate: Collate, n: int, file: EmbeddingFile, team: Processes) -> _Share:
    """A process's share."""
    starts = range(team.rank * CHUNK, n, team.n * CHUNK)
    batches: DataLoader[Any] = DataLoader(
        range(n),  # type: ignore[arg-type]
        batch_sampler=[list(range(start, min(start + CHUNK, n))) for start in starts],
        collate_fn=collate,
        num_workers=loader_workers(),
        generator=torch.Generator(),  # the training's own random state stays as it is
    )
    impatient(batches)
    kept: dict[int, Kept] = {}
    was_training = look.model.training
    look.model.eval()
    try:
        shown = progress("preparing the images", n, "images") if team.is_main else nullcontext()
        with loading_explained(), shown as advance:
            for batch in batches:
                kept |= _kept(look, batch, file, is_first=not kept, n=n)
                if advance is not None:
                    advance(len(batch[INDICES]) * team.n)
        file.flush()
    except (NoRoomError, CanNotBeKeptError, OSError, torch.OutOfMemoryError) as error:
        return _Share(fault=one_line(error))
    finally:
        look.model.train(was_training)
    return _Share(kept, file.path, file.layout)


def _kept(look: "_Look", batch: dict[str, Tensor], file: EmbeddingFile, *, is_first: bool, n: int) -> dict[int, Kept]:
    """Keeps the examples of a batch.

    Raises:
        NoRoomError: All n examples would take too much.
        CanNotBeKeptError: What is kept would not stand for the pixels.
        OSError: The file can't be written.
    """
    indices, tokens = batch[INDICES].tolist(), split(batch)
    embeddings, counts = look(batch, checked=is_first)
    if is_first:
        check_room(file.path.parent, embeddings.nbytes * n // len(indices))
        check_tokens(sum(one.nbytes for one in tokens) * n // len(indices))
    first = file.append(embeddings)
    firsts = [first + before for before in accumulate(counts, initial=0)]
    rows = zip(indices, tokens, firsts, counts, strict=False)  # `firsts` ends with where the next would begin
    return {index: Kept(one, start, count) for index, one, start, count in rows}


def check_tokens(n_bytes: int) -> None:
    """Checks that so many bytes of tokens may be kept in memory.

    Raises:
        NoRoomError: They may not.
    """
    if n_bytes > MAX_TOKEN_BYTES:
        raise NoRoomError(f"their tokens take {n_bytes / 2**30:.1f} GiB, of {MAX_TOKEN_BYTES / 2**30:.1f} at most")


_UNFIT = (ValueError, TypeError, AttributeError, KeyError, IndexError)
"""What a model raises that doesn't call its language model as the known families do."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at images as the model will in training."""

    model: Any
    image_id: int
    is_bf16: bool

    def __call__(self, batch: Mapping[str, Tensor], *, checked: bool) -> tuple[Tensor, list[int]]:
        """The embeddings of a batch's images, `[token, layer, hidden]`, and how many tokens each has.

        Args:
            batch: With pixels.
            checked: Whether to check that they stand for the pixels.

        Raises:
            CanNotBeKeptError: They don't.
        """
        given = {key: value.to(self.model.device) for key, value in batch.items() if key != INDICES}
        places = given["input_ids"] == self.image_id
        try:
            call = self._call(given)
            embeddings = call.embeddings(places)
            stands_for_pixels = not checked or call.is_same(self._call_with(embeddings, given))
        except _UNFIT as error:
            raise CanNotBeKeptError(f"what this model makes of an image can't be read ({one_line(error)})") from error
        if not stands_for_pixels:
            raise CanNotBeKeptError("this model tells its language model more about an image than its embeddings")
        return embeddings, places.sum(dim=1).tolist()

    def _call_with(self, embeddings: Tensor, batch: Mapping[str, Tensor]) -> DecoderCall:
        ids = batch["input_ids"]
        blind = {key: value for key, value in batch.items() if value.shape == ids.shape or key == POSITIONS}
        with Injector(self.image_id).on(self.model) as injector, injector.showing(embeddings, ids):
            return self._call(blind)

    def _call(self, batch: Mapping[str, Tensor]) -> DecoderCall:
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.is_bf16):
            return decoder_call(self.model, batch)
