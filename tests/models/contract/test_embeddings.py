"""What is kept of an example stands for it: the same tokens in any batch, the same image to the language model."""

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from evensight.models.image_embeddings import Injector, decoder_call
from evensight.models.last_layer import LastLayer, positionwise
from evensight.models.padding import POSITIONS, for_answers, join, split
from evensight.models.prompts import IGNORED, image_id
from tiny_models import TEXTS, Tiny, pictures

ANSWERS = ("center", "bottom right", "top left")
RTOL, ATOL = 1e-4, 1e-6
"""Of gradients: the sums over the tokens are made in another order."""


def of_several_sizes() -> list[Image.Image]:
    sizes = [(112, 56), (56, 112), (112, 112)]
    return [one.crop((0, 0, *size)) for one, size in zip(pictures(3), sizes, strict=True)]


def encoded(tiny: Tiny, images: list[Image.Image] | None = None) -> dict[str, Tensor]:
    return tiny.prompter.encode_with_answers(images or pictures(3), TEXTS, ANSWERS)


def blind(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The batch without what the vision tower takes."""
    shape = batch["input_ids"].shape
    return {key: value for key, value in batch.items() if value.shape == shape or key == POSITIONS}


def of_image(tiny: Tiny) -> int:
    found = image_id(tiny.loaded.processor, tiny.loaded.model.config)
    assert found is not None
    return found


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0), (1,)])
def test_tokens_kept_alone_are_joined_as_they_are_encoded_together(tiny: Tiny, order: tuple[int, ...]) -> None:
    images = of_several_sizes()
    kept = split(encoded(tiny, images))
    joined = join([kept[k] for k in order], tiny.prompter)
    together = tiny.prompter.encode_with_answers(
        [images[k] for k in order], [TEXTS[k] for k in order], [ANSWERS[k] for k in order]
    )
    assert joined.keys() == blind(together).keys()
    assert all(
        torch.equal(joined[key], value) and joined[key].dtype == value.dtype for key, value in blind(together).items()
    )


def test_kept_embeddings_give_the_language_model_the_same_to_the_bit(tiny: Tiny) -> None:
    model, batch = tiny.loaded.model, encoded(tiny, of_several_sizes())
    call = decoder_call(model, batch)
    embeddings = call.embeddings(batch["input_ids"] == of_image(tiny))
    assert embeddings.shape[0] == int((batch["input_ids"] == of_image(tiny)).sum())
    with Injector(of_image(tiny)).on(model) as injector:
        with injector.showing(embeddings, batch["input_ids"]):
            assert call.is_same(decoder_call(model, blind(batch)))
        assert not call.is_same(decoder_call(model, blind(batch)))  # nothing is shown
        assert call.is_same(decoder_call(model, batch))  # and pixels are seen
        with injector.showing(embeddings.flip(0), batch["input_ids"]):
            assert not call.is_same(decoder_call(model, blind(batch)))


def test_logits_for_answers_alone_and_kept_embeddings_change_no_loss_and_no_gradient(tiny: Tiny) -> None:
    model = tiny.fresh().model.train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("q_proj" in name and tiny.loaded.family.components.of(name) == "language")
    batch = encoded(tiny)
    given = for_answers(blind(batch))
    embeddings = decoder_call(model, batch).embeddings(batch["input_ids"] == of_image(tiny))
    expected = gradients(model, batch)
    assert len(expected) > 1
    with Injector(of_image(tiny)).on(model) as injector, injector.showing(embeddings, batch["input_ids"]):
        found = gradients(model, given)
        assert model(**given).logits.shape[1] == given["logits_to_keep"] < batch["input_ids"].shape[1] / 2
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=RTOL, atol=ATOL * float(gradient.abs().max() + 1))


def test_a_last_layer_for_the_answers_alone_changes_no_loss_and_no_gradient(tiny: Tiny) -> None:
    model, batch = tiny.fresh().model.train(), encoded(tiny)
    given = for_answers(batch)
    assert len(positionwise(model)) == 2
    seen: list[int] = []
    mlp: Any = positionwise(model)[1]
    hook = mlp.down_proj.register_forward_hook(lambda *args: seen.append(args[1][0].shape[1]))
    expected = gradients(model, given)
    with LastLayer().on(model) as last:
        with last.keeping(int(given["logits_to_keep"])):
            found = gradients(model, given)
            model.gradient_checkpointing_enable({"use_reentrant": False})
            again = gradients(model, given)
            model.gradient_checkpointing_disable()
        assert torch.equal(gradients(model, given)["the loss"], expected["the loss"])  # nothing is cut outside
    hook.remove()
    assert (seen[0], seen[1], seen[-1]) == (batch["input_ids"].shape[1], given["logits_to_keep"], seen[0])
    assert found.keys() == again.keys() == expected.keys()
    for name, gradient in expected.items():
        for other in (found[name], again[name]):
            torch.testing.assert_close(other, gradient, rtol=RTOL, atol=ATOL * float(gradient.abs().max() + 1))


def gradients(model: torch.nn.Module, batch: dict[str, Tensor] | dict[str, Tensor | int]) -> dict[str, Tensor]:
    model.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    trained = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return trained | {"the loss": loss.detach()}


def test_labels_are_cut_to_the_answers_and_the_token_before_them(tiny: Tiny) -> None:
    batch = encoded(tiny)
    given = for_answers(batch)
    n = max(len(tiny.prompter.answer_ids(answer)) for answer in ANSWERS) + 1
    labels = given["labels"]
    assert isinstance(labels, Tensor)
    assert given["logits_to_keep"] == n == labels.shape[1]
    assert (labels[:, 0] == IGNORED).all()
    assert int((labels != IGNORED).sum()) == int((batch["labels"] != IGNORED).sum())
