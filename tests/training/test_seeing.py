"""The first stage draws the right patch to the right words, and learns within seconds what is to be seen."""

import torch

from evensight.annotations import AREAS, PAPER_GRID
from evensight.models.embedded import IMAGE_PX, PATCH_PX, build
from evensight.training.lessons import USUAL, Lesson, lesson
from evensight.training.pretraining import vocabulary
from evensight.training.seeing import WORDS, Seeing, SeenPatches

N_PATCHES = IMAGE_PX // PATCH_PX


def batch(lessons: list[Lesson]) -> dict[str, torch.Tensor]:
    _, processor = build(vocabulary(), 0)
    return SeenPatches(processor, N_PATCHES)(lessons)


def test_the_patch_is_the_one_that_shows_the_object_s_middle() -> None:
    lessons = [lesson("seeing", 0, 0)]
    found = batch(lessons)
    side = IMAGE_PX / 9
    for thing, patch in zip(lessons[0].scene.objects, found["patch"].tolist(), strict=True):
        row, col = divmod(patch, N_PATCHES)
        x, y = (thing.cell.col + 0.5) * side, (thing.cell.row + 0.5) * side
        assert col * PATCH_PX <= x < (col + 1) * PATCH_PX
        assert row * PATCH_PX <= y < (row + 1) * PATCH_PX
        color = found["pixel_values"][0, :, int(y), int(x)] > 1
        assert thing.color is not None
        if thing.name in {"square", "circle", "plus"}:
            assert color.tolist() == [channel > 0 for channel in thing.color.rgb]


def test_words_and_weights_are_the_objects() -> None:
    lessons = [lesson("seeing", k, 0) for k in range(3)]
    found = batch(lessons)
    things = [thing for each in lessons for thing in each.scene.objects]
    assert [WORDS["shape"][k] for k in found["shape"]] == [thing.name for thing in things]
    assert [WORDS["color"][k] for k in found["color"]] == [str(thing.color) for thing in things]
    assert [WORDS["size"][k] for k in found["size"]] == [thing.size for thing in things]
    assert list(zip(found["row"].tolist(), found["col"].tolist(), strict=True)) == [
        (thing.cell.row, thing.cell.col) for thing in things
    ]
    assert [AREAS[k] for k in found["area"]] == [PAPER_GRID.area_of(thing.cell) for thing in things]
    assert found["placed"].tolist() == [USUAL.counts[thing.cell.row][thing.cell.col] for thing in things]


def test_where_photographs_have_nothing_no_area_is_taught() -> None:
    model, processor = build(vocabulary(), 0)
    found = batch([lesson("seeing", 0, 0)])
    seeing = Seeing(model, processor.tokenizer)
    unplaced = found["placed"] == 0
    moved = {**found, "area": torch.where(unplaced, (found["area"] + 1) % 9, found["area"])}
    assert unplaced.any()
    assert float(seeing(**moved)["loss"].detach()) == float(seeing(**found)["loss"].detach())
    moved = {**found, "area": torch.where(unplaced, found["area"], (found["area"] + 1) % 9)}
    assert float(seeing(**moved)["loss"].detach()) != float(seeing(**found)["loss"].detach())


def test_it_learns_colours_at_once() -> None:
    model, processor = build(vocabulary(), 0)
    seeing, patches = Seeing(model, processor.tokenizer), SeenPatches(processor, N_PATCHES)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for step in range(12):
        loss = seeing(**patches([lesson("seeing", 8 * step + k, 0) for k in range(8)]))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 1.5
