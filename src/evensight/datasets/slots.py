"""Where among the options the right answer of each of a design's questions stands: balanced exactly.

Four ways, the best that a design allows:

* the paper's grid, all of it crossed with what is shown, and nine options: a Sudoku square (`crossed_slot`);
* up to `MAX_DEALT` questions: dealt, so that each answer, area, cell and object has every slot equally often, to one;
* more questions, but the answer follows from the cell or from one factor: the number of the question among those with
  its answer, which is known without looking at the others;
* else the questions with the same answer are counted through.

The last three give every answer each slot equally often, to one question.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence

from evensight.annotations import AREAS, PAPER_GRID, Annotation
from evensight.errors import InputError
from evensight.progress import track
from evensight.questions.options import crossed_slot, dealt_slots, rank_slot
from evensight.questions.tasks import Task
from evensight.randomness import Permutation, mix
from evensight.scenes.compose import Composer, SceneDesign
from evensight.scenes.render import annotate

SlotOf = Callable[[int, Annotation], int]
"""The slot of a question, given its index and its annotation."""

MAX_DEALT = 30_000
"""More questions than that aren't dealt: it would take more than some seconds."""
MAX_COUNTED = 2_000_000
"""More questions than that aren't counted through before the first is asked."""
PLACE_TASKS = ("absolute-position", "row-position", "column-position")
_OFFSETS = tuple(crossed_slot(cell, PAPER_GRID, 0, len(AREAS)) for cell in PAPER_GRID.cells())
Claims = tuple[tuple[str, str], ...]


def slots(composer: Composer, task: Task, seed: int) -> tuple[SlotOf, Claims]:
    """How the slots of a design's questions are found, and which pairs of columns are thereby balanced.

    Args:
        composer: Makes the scenes.
        task: What is asked.
        seed: Draws what can be chosen.

    Raises:
        InputError: A question has no answer beyond doubt, or there are too many to count through.
    """
    design = composer.design
    if task.n_slots == 1:
        return lambda _index, _annotation: 0, ()
    if _is_sudoku(design, task):
        claims = tuple((given, "slot") for given in ("answer", "area", "cell", "row", "col", *design.factors))
        return _sudoku, claims
    if len(design) <= MAX_DEALT:
        return _dealt(composer, task, seed)
    answered_by = answering_factor(task)
    if task.name in PLACE_TASKS and design.is_crossed:
        return _by_place(composer, task), (("answer", "slot"),)
    is_plain = design.values("distractors") == (0,) or task.name == "counting"  # no question is in doubt
    if answered_by in design.factors and design.is_crossed and is_plain:
        return _by_factor(design, task, answered_by), (("answer", "slot"),)
    return _counted(composer, task)


def answering_factor(task: Task) -> str:
    """The factor that a task's answer is a value of; empty if there is none."""
    if task.name.startswith("property-"):
        return task.name.removeprefix("property-")
    return "distractors" if task.name == "counting" else ""


def _is_answered_by_kind(task: Task) -> bool:
    return task.name in PLACE_TASKS or bool(answering_factor(task))


def _is_sudoku(design: SceneDesign, task: Task) -> bool:
    return (
        task.name == "absolute-position" and design.crossed_cells == PAPER_GRID.cells() and design.grid == PAPER_GRID
    )


def _sudoku(index: int, _annotation: Annotation) -> int:
    shown, cell = divmod(index, len(_OFFSETS))
    return (_OFFSETS[cell] + shown) % len(AREAS)


def _dealt(composer: Composer, task: Task, seed: int) -> tuple[SlotOf, Claims]:
    design = composer.design
    asked = [_asked(composer, task, index) for index in _tracked(design)]
    places, kinds, claims = _families(design, task, [answer for answer, _ in asked])
    found = [0] * len(asked)
    for n_slots in sorted({n for _, n in asked}):
        mine = [index for index, (_, n) in enumerate(asked) if n == n_slots]
        dealt = dealt_slots([places[k] for k in mine], [kinds[k] for k in mine], n_slots, seed)
        for index, slot in zip(mine, dealt, strict=True):
            found[index] = slot
    if len({n for _, n in asked}) > 1:  # a picture with fewer objects has fewer slots
        claims = ()
    elif design.is_crossed and design.n_cells % task.n_slots == 0 and _is_answered_by_kind(task):
        # What is shown, in all cells or with one answer, has every slot equally often.
        claims += tuple((factor, "slot") for factor in design.factors if (factor, "slot") not in claims)
    return lambda index, _annotation: found[index], claims


def _families(
    design: SceneDesign, task: Task, answers: Sequence[str]
) -> tuple[list[tuple[Hashable, ...]], list[tuple[Hashable, ...]], Claims]:
    """Nested places, nested kinds, and which columns these make even."""
    cells = [design.cell(index) for index in range(len(design))]
    shown = [design.shown(index) for index in range(len(design))]
    areas = [design.grid.area_of(cell) for cell in cells]
    if task.name in PLACE_TASKS:
        by_place = list(zip(answers, areas, cells, strict=True))
        return [*by_place], [(k,) for k in shown], (("answer", "slot"), ("area", "slot"), ("cell", "slot"))
    by_area = list(zip(areas, cells, strict=True))
    by_answer = zip(answers, shown, strict=True) if answering_factor(task) else ((answer,) for answer in answers)
    return [*by_area], [*by_answer], (("answer", "slot"), ("area", "slot"), ("cell", "slot"))


def _asked(composer: Composer, task: Task, index: int) -> tuple[str, int]:
    """A question's answer and its number of options."""
    annotation = annotate(composer.scene(index), composer.pools)
    task.check(annotation)
    return task.answer(annotation), len(task.options(annotation))


def _by_place(composer: Composer, task: Task) -> SlotOf:
    """The answer follows from the cell, and everything is shown once in each cell."""
    cells = composer.design.crossed_cells or ()
    answers = [_asked(composer, task, index)[0] for index in range(len(cells))]
    n_with: Counter[str] = Counter()
    rank_of = []
    for answer in answers:
        rank_of.append(n_with[answer])
        n_with[answer] += 1

    def slot(index: int, annotation: Annotation) -> int:
        shown, cell = divmod(index, len(cells))
        answer = answers[cell]
        number = task.options(annotation).index(answer)
        return rank_slot(number, shown * n_with[answer] + rank_of[cell], task.n_slots)

    return slot


def _by_factor(design: SceneDesign, task: Task, factor: str) -> SlotOf:
    def slot(index: int, annotation: Annotation) -> int:
        number = task.options(annotation).index(task.answer(annotation))
        return rank_slot(number, design.rows.number_among(index, factor), task.n_slots)

    return slot


def _counted(composer: Composer, task: Task) -> tuple[SlotOf, Claims]:
    n = len(composer.design)
    if n > MAX_COUNTED:
        raise InputError(
            f"`{task.name}` can be balanced for {MAX_COUNTED:,} questions at most, the design "
            f"`{composer.design.name}` has {n:,}: take a fraction of it (fraction: {-(-n // MAX_COUNTED)})"
        )
    met: Counter[tuple[str, int]] = Counter()
    found = bytearray(n)
    order = Permutation(n, mix(composer.seed, "slots"))
    for k in _tracked(composer.design):
        index = order[k]  # in the design's order, slots would go with cells
        answer, n_slots = _asked(composer, task, index)
        found[index] = met[answer, n_slots] % n_slots
        met[answer, n_slots] += 1
    n_slots_met = {n_slots for _, n_slots in met}  # a picture with fewer objects has fewer slots
    claims: Claims = (("answer", "slot"),) if len(n_slots_met) == 1 else ()
    return lambda index, _annotation: found[index], claims


def _tracked(design: SceneDesign) -> Iterator[int]:
    return track(range(len(design)), f"balancing {design.name}", len(design), "questions")
