"""Changing a state does what it says, there and nowhere else; the place's directions move answers, others don't."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import Tensor

from evensight.datasets.scene_examples import SceneExamples
from evensight.models.loading import LoadedModel
from evensight.probing.activations import Activations, extract
from evensight.probing.edits import Edit, addition, directions, editing, random_like, removal
from evensight.probing.intervention import Trial, asked, intervene
from evensight.probing.layout import Site
from evensight.probing.places import Places, places
from evensight.probing.probes import fit_classes
from evensight.probing.reading import image_tokens
from evensight.probing.taps import layers_of
from tiny_models import TEXTS, Tiny, pictures


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@torch.inference_mode()
def run(tiny: Tiny, edits: Sequence[tuple[Site, Edit]] = ()) -> tuple[list[Tensor], Tensor, Tensor]:
    """What each layer is given and the head at last, the logits, and where the image's tokens are."""
    model, batch = tiny.loaded.model, tiny.prompter.encode(pictures(3), TEXTS)
    given: list[Tensor] = []
    with ExitStack() as stack:
        for site, edit in edits:
            stack.enter_context(editing(tiny.loaded, site, edit))
        for module in (*layers_of(model), model.get_output_embeddings()):
            hook = module.register_forward_pre_hook(lambda _, args: given.append(args[0].clone()))
            stack.callback(hook.remove)
        logits = model(**batch).logits
    return given, logits, image_tokens(tiny.loaded, batch["input_ids"])


def added(n_hidden: int, size: float = 3.0) -> tuple[Edit, Tensor]:
    vectors = rng().normal(size=(3, n_hidden)) * size
    return addition(vectors), torch.from_numpy(vectors).float()


def test_a_vector_is_added_at_the_last_token_of_one_state_alone(tiny: Tiny) -> None:
    before, _, _ = run(tiny)
    edit, vectors = added(before[0].shape[-1])
    after, _, _ = run(tiny, [(Site("last", 1), edit)])
    torch.testing.assert_close(after[1][:, -1], before[1][:, -1] + vectors, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after[0], before[0])
    torch.testing.assert_close(after[1][:, :-1], before[1][:, :-1])
    assert (after[2][:, -1] - before[2][:, -1]).abs().max() > 1e-3


def test_a_vector_is_added_at_all_tokens_of_the_image(tiny: Tiny) -> None:
    before, _, is_image = run(tiny)
    edit, vectors = added(before[0].shape[-1])
    after, _, _ = run(tiny, [(Site("image", 0), edit)])
    rows = is_image.nonzero()[:, 0]
    torch.testing.assert_close(after[0][is_image], before[0][is_image] + vectors[rows], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after[0][~is_image], before[0][~is_image])


def test_the_last_state_decides_the_logits_as_the_head_says(tiny_of: Callable[[str], Tiny]) -> None:
    tiny = tiny_of("llava")
    before, logits, _ = run(tiny)
    edit, vectors = added(before[0].shape[-1])
    _, changed, _ = run(tiny, [(Site("last", len(before) - 1), edit)])
    head = tiny.loaded.model.get_output_embeddings()
    torch.testing.assert_close(changed[:, -1], logits[:, -1] + head(vectors).detach(), rtol=1e-3, atol=1e-3)


def test_nothing_is_changed_behind_a_cached_prompt_nor_after_the_block(tiny_of: Callable[[str], Tiny]) -> None:
    tiny = tiny_of("llava")
    before, logits, _ = run(tiny)
    edit, _ = added(before[0].shape[-1])
    n_seen: list[int] = []

    def counted(states: Tensor, rows: Tensor) -> Tensor:
        n_seen.append(len(states))
        return edit(states, rows)

    with editing(tiny.loaded, Site("last", 1), counted):
        tiny.loaded.model.generate(
            **tiny.prompter.encode(pictures(3), TEXTS), max_new_tokens=4, min_new_tokens=4, do_sample=False
        )
    assert n_seen == [3]
    assert torch.equal(run(tiny)[1], logits)


@pytest.fixture(scope="module")
def located(four_kinds: SceneExamples) -> Places:
    return places(four_kinds, np.arange(len(four_kinds)))


def made_states(located: Places) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    means = rng().normal(size=(9, 24)) * 3
    noise = np.random.default_rng(1).normal(size=(len(located), 24))
    return (means[located.classes("area")] + noise).astype(np.float32)


def test_what_is_removed_is_all_that_any_linear_probe_reads(located: Places) -> None:
    states, areas = made_states(located), located.classes("area")
    probe = fit_classes(states, areas, located.combinations)
    found = directions(states, areas)
    assert found.basis.shape == (24, 8)
    left = removal(found)(torch.from_numpy(states), torch.zeros(len(states), dtype=torch.long)).numpy()
    assert (probe.predict(states) == areas).mean() > 0.95
    assert (probe.predict(left) == areas).mean() < 0.2
    assert fit_classes(left, areas, located.combinations).inner_score < 0.2
    means = np.stack([left[areas == k].mean(axis=0) for k in range(9)])
    np.testing.assert_allclose(means, np.broadcast_to(found.mean, means.shape), atol=1e-4)


def test_a_shift_takes_states_to_where_a_probe_reads_the_other_area(located: Places) -> None:
    states, areas = made_states(located), located.classes("area")
    probe = fit_classes(states, areas, located.combinations)
    found = directions(states, areas)
    for source, target in ((0, 8), (4, 2)):
        moved = (states[areas == source] + found.shift(source, target)).astype(np.float32)
        assert (probe.predict(moved) == target).mean() > 0.9


def test_a_random_change_goes_as_far_along_one_direction() -> None:
    states = torch.from_numpy(rng().normal(size=(6, 24))).float()
    edit = addition(rng().normal(size=(2, 24)) * np.array([[1.0], [5.0]]))
    rows = torch.tensor([0, 0, 0, 1, 1, 1])
    moved = random_like(edit, 24, np.random.default_rng(3))(states, rows) - states
    torch.testing.assert_close(moved.norm(dim=1), (edit(states, rows) - states).norm(dim=1))
    assert torch.linalg.matrix_rank(moved, atol=1e-4) == 1


@pytest.fixture(scope="module")
def states_of(
    embedded: LoadedModel, four_kinds: SceneExamples, tmp_path_factory: pytest.TempPathFactory
) -> Activations:
    return extract(embedded, four_kinds, tmp_path_factory.mktemp("states"), ("last", "image"))


def test_the_place_s_directions_move_answers_and_random_ones_do_not(
    embedded: LoadedModel, four_kinds: SceneExamples, states_of: Activations, located: Places
) -> None:
    rows = intervene(embedded, four_kinds, states_of, located, [Site("last", 3)], Trial(27, 2, 27))
    assert [(row["change"], row["strength"], row["direction"]) for row in rows] == [
        (change, strength, direction)
        for change, strength in (("remove", 1.0), ("shift", 1.0), ("shift", 2.0))
        for direction in ("place", "random")
    ]
    by_place, by_any = rows[4], rows[5]
    assert by_place["accuracy_before"] > 0.5
    assert by_place["changed"] > 0.5 > by_any["changed"] + 0.3
    assert by_place["target"] > by_any["target"] + 0.15
    assert by_place["target_nats"] > 5
    assert by_any["accuracy"] > by_any["accuracy_before"] - 0.15
    assert by_place["changed_low"] <= by_place["changed"] <= by_place["changed_high"]


def test_the_questions_are_spread_over_areas_and_each_is_shifted_to_another(
    four_kinds: SceneExamples, located: Places
) -> None:
    among = np.flatnonzero(located.combinations < 2)
    chosen = asked(four_kinds, located, among, Trial(18, 2, 8))
    areas = located.classes("area")[list(chosen.indices)]
    assert np.bincount(areas).tolist() == [2] * 9
    assert set(chosen.indices) <= set(among.tolist())
    assert (chosen.targets != areas).all()
    assert asked(four_kinds, located, among, Trial(10_000, 2, 8)).indices == tuple(among.tolist())
