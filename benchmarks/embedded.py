"""What the embedded model can and can't do, by task, by number of distractors and by ground, as a table.

    python benchmarks/embedded.py --out runs/embedded --table docs/embedded.md

It asks the model as it ships, and again after fine-tuning it on `civet-train` (one object, where is it?) as the
demo does. Each row is a set of scenes with as many questions in each of the 81 cells, options in the question,
answers free and greedy. The rungs with photographs need EVENSIGHT_PHOTOS. About six minutes on 2 cores.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evensight.coco.reading import has_split, photos_root
from evensight.datasets.orders import Order
from evensight.datasets.pools import pools_for
from evensight.datasets.scene_examples import SceneExamples
from evensight.models.loading import load
from evensight.models.predict import Predictor
from evensight.progress import progress
from evensight.questions.parsing import Outcome, outcome
from evensight.randomness import Permutation, mix
from evensight.runs import write_text
from evensight.scenes.catalog import DesignFile, build
from evensight.scenes.placement import MAIN_OBJECT
from evensight.statistics import proportion
from evensight.training.finetune import config_for, finetune

SEED = 0
SIZE_PX = 336
PER_CELL = 9
BATCH = 64
USUAL = 4
"""A cell is usual for a main object if so many of 340 photographs have theirs there."""
OBJECTS: dict[str, Any] = {
    "shape": ["square", "circle", "triangle", "star"],
    "color": ["red", "green", "blue", "magenta", "yellow", "cyan"],
    "size": ["large"],
}


@dataclass(frozen=True)
class Asked:
    """One row of the table.

    Attributes:
        title: What it says.
        task: What is asked.
        factors: What is varied beside `OBJECTS`.
        chance: How often one is right by guessing among the options.
    """

    title: str
    task: str
    factors: dict[str, Any] = field(default_factory=dict)
    chance: float = 1 / 9


def sets() -> Iterator[Asked]:
    """The rows, in order."""
    where = "absolute-position"
    for n in range(5):
        title = f"where, {n} other object{'s' if n > 1 else ''}" if n else "where, one object alone"
        yield Asked(title, where, {"distractors": [n], "distractor_kind": ["hard"]} if n else {})
    yield Asked("where, one small object alone", where, {"size": ["small"]})
    yield Asked("where vertically", "row-position", chance=1 / 3)
    yield Asked("where horizontally", "column-position", chance=1 / 3)
    for attribute, chance in (("color", 1 / 6), ("shape", 1 / 4)):
        yield Asked(f"{attribute} of one object alone", f"property-{attribute}", chance=chance)
        # Others that share the rest would make "the star" ambiguous: they are alike in what is asked for.
        kind = {"distractors": [2], "distractor_kind": [f"same-{attribute}"]}
        yield Asked(f"{attribute} among 2 others", f"property-{attribute}", kind, chance)
    yield Asked("size", "property-size", {"size": ["large", "small"]}, 1 / 2)
    yield Asked("relative position of two", "relative-position", {"distractors": [1]}, 1 / 8)
    sizes = {"distractors": [1], "size": ["large", "small"], "distractor_size": ["large", "small"]}
    yield Asked("relative size of two", "relative-size", sizes, 1 / 3)
    yield Asked("counting 1 to 4", "counting", {"distractors": [0, 1, 2, 3]})
    for ground in ("gradient", "noise", "texture", "photo"):
        yield Asked(f"where, alone, on {ground}", where, {"background": [ground]})
        yield Asked(f"where, 2 other objects, on {ground}", where, {"background": [ground], "distractors": [2]})
    for ground in ("black", "photo"):
        yield Asked(f"where, a real object on {ground}", where, {"category": "all", "background": [ground]})


def main() -> None:
    """Asks both models everything and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the fine-tuning")
    parser.add_argument("--table", type=Path, help="the Markdown file to write")
    arguments = parser.parse_args()
    config = config_for(arguments.model, {"seed": SEED}, "the benchmark")
    finetune(arguments.model, Order("civet-train", SIZE_PX, SEED).examples(), config, arguments.out)
    models = [Predictor(load(arguments.model)), Predictor(load(arguments.model, arguments.out))]
    rows = [row for each in sets() for row in _row(each, models)]
    text = page(rows)
    print(text)
    if arguments.table:
        write_text(arguments.table, text)


def _row(each: Asked, models: list[Predictor]) -> Iterator[str]:
    """A row of the table; none where photographs are needed and aren't there."""
    root = photos_root()
    needs = {"photo", "all"} & {str(v) for value in each.factors.values() for v in [value, *value]}
    if needs and not has_split(root, "val2017"):
        return
    part = {"size": ["large"]} if "category" in each.factors else OBJECTS
    file = DesignFile(name="asked", task=each.task, parts=[part | each.factors])
    pools = pools_for(file, None, root if needs else None, "val2017")
    examples = SceneExamples(build(file, SEED, pools), SIZE_PX, SEED, each.task, pools=pools)
    indices = evenly(examples)
    cells = [f"{len(indices):,}", f"{100 * each.chance:.0f}"]
    for k, model in enumerate(models):
        is_right, n_invalid = _answers(model, examples, indices, f"{each.title} ({('base', 'balanced')[k]})")
        usual = [right for right, index in zip(is_right, indices, strict=True) if _is_usual(examples, index)]
        cells += [_share(usual), _share(is_right), str(n_invalid)] if k == 0 else [_share(is_right), str(n_invalid)]
    yield f"| {each.title} | {' | '.join(cells)} |"


def evenly(examples: SceneExamples) -> list[int]:
    """Some of the examples, drawn, as many in each cell."""
    order = Permutation(len(examples), mix(SEED, "asked"))
    taken: Counter[tuple[int, int]] = Counter()
    chosen = []
    for place in range(len(examples)):
        cell = examples[order[place]].cell
        if taken[cell.row, cell.col] < PER_CELL:
            taken[cell.row, cell.col] += 1
            chosen.append(order[place])
            if len(chosen) == PER_CELL * 81:
                break
    return chosen


def _answers(model: Predictor, examples: SceneExamples, indices: list[int], label: str) -> tuple[list[bool], int]:
    outcomes: list[Outcome] = []
    with progress(label, len(indices), "questions") as advance:
        for start in range(0, len(indices), BATCH):
            asked = [examples[k] for k in indices[start : start + BATCH]]
            images = [examples.image(k) for k in indices[start : start + BATCH]]
            said = model.answer(images, [example.question.text for example in asked])
            outcomes += [outcome(raw, e.question, e.box, e.frame) for raw, e in zip(said, asked, strict=True)]
            advance(len(asked))
    return [one is Outcome.CORRECT for one in outcomes], outcomes.count(Outcome.INVALID)


def _is_usual(examples: SceneExamples, index: int) -> bool:
    cell = examples[index].cell
    return MAIN_OBJECT.counts[cell.row][cell.col] >= USUAL


def _share(is_right: list[bool]) -> str:
    share = proportion(sum(is_right), len(is_right))
    return f"{100 * share.estimate:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def page(rows: list[str]) -> str:
    """The Markdown page."""
    usual = sum(count >= USUAL for row in MAIN_OBJECT.counts for count in row)
    share = sum(count for row in MAIN_OBJECT.counts for count in row if count >= USUAL) / MAIN_OBJECT.n
    return "\n".join(
        [
            "# What the embedded model can and can't do",
            "",
            "Made by `make bench-embedded` (`benchmarks/embedded.py`). Each row is a set of drawn scenes, "
            f"{PER_CELL} questions in each of the 81 cells, options in the question, free greedy answers; "
            "accuracy in % with its 95 % Wilson interval; an invalid answer names no option and counts as not "
            f"correct. *Usual places* are the {usual} cells in which photographs have {100 * share:.0f} % of their "
            "main objects: where the model was taught to say where something is. *Balanced* is the same model after "
            "the demo's fine-tuning on `civet-train`: one object alone, everywhere, and no other question.",
            "",
            "| asked | n | chance | base, usual places | base, everywhere | invalid "
            "| balanced, everywhere | invalid |",
            "|---|---:|---:|---|---|---:|---|---:|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
