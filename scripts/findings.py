"""What the shipped studies found, as a page: every sentence with its test, the negative ones too.

    for name in demo parts forgetting size ladder paper; do evensight study $name --seeds 3 --out runs/$name; done
    python scripts/findings.py runs --out docs/findings.md

It reads the studies' folders and writes the page and a matrix for each study beside it. Which comparisons are made
was fixed before they were run; it is said here, in `STUDIES`.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from evensight.evaluation.over_seeds import Against, OverSeeds, over_seeds
from evensight.evaluation.results import Results
from evensight.reports.matrix import matrix_rows, matrix_svg
from evensight.reports.wording import count, p_value, percent, points
from evensight.runs import write_text
from evensight.statistics import holm
from evensight.studies.folder import evaluations, read_study_folder

ALPHA = 0.05

Pair = tuple[str, str, str]
"""A condition, the one that it is compared with, and the test."""


@dataclass(frozen=True)
class Told:
    """What is told of a study.

    Attributes:
        question: What it asks, as a heading.
        about: What a reader should know of its conditions and tests.
        pairs: The comparisons of its conditions with each other; each condition is compared with the base anyhow.
    """

    question: str
    about: str
    pairs: Sequence[Pair] = ()


_COLUMNS = ("test", "condition", "seeds", "n", "accuracy", "95 % interval", "SD over cells", "worst cell")
_RUNGS = ("plain", "gradient", "noise", "texture", "photo")
_SIZES = (81, 324, 972, 1620)
STUDIES: Mapping[str, Told] = {
    "demo": Told(
        "Does balanced fine-tuning make accuracy even?",
        "`balanced` is trained on the paper's 1,620 scenes, `matched` on as many of the same objects placed where "
        "photographs have theirs. `distractors`, `colors` and `coco-val` ask what neither was trained for.",
        [("balanced", "matched", test) for test in ("civet-test", "distractors", "colors", "coco-val")],
    ),
    "parts": Told(
        "Where must one train?",
        "LoRA of one rank on all linear layers of the language model, the projector, the vision tower, or all three; "
        "the same scenes and steps. `textures` and `distractors` ask about what was not trained.",
        [
            (a, b, test)
            for test in ("civet-test", "textures", "distractors")
            for a, b in (("vision", "language"), ("projector", "language"), ("all", "language"))
        ],
    ),
    "forgetting": Told(
        "What does fine-tuning on place cost elsewhere?",
        "`balanced` is trained on place alone, `mixed` on the same with a share of colours and sizes. What the base "
        "never knew (its column says so: a task at chance) it can't forget.",
        [
            ("mixed", "balanced", test)
            for test in ("civet-test", "colors", "distractors", "shape", "relations", "sizes", "counting")
        ],
    ),
    "size": Told(
        "How many scenes are enough, and does their balance matter more when they are few?",
        "Balanced scenes against scenes placed as photographs place their objects, in equal numbers; every condition "
        "sees as many scenes in all.",
        [
            *((f"balanced-{n}", f"placed-{n}", "civet-test") for n in _SIZES),
            *((f"balanced-{b}", f"balanced-{a}", "civet-test") for a, b in pairwise(_SIZES)),
        ],
    ),
    "ladder": Told(
        "Which rung between shapes on black and real objects on photographs breaks the transfer?",
        "A row for each ground that was trained on, a column for each that is asked about; shapes and colours that "
        "are asked about were never trained together. `cutout`, `cutout-photo` and `coco-val` have real objects.",
        [
            *((rung, "black", rung) for rung in _RUNGS),
            *(("photo", "black", test) for test in ("cutout", "cutout-photo", "coco-val")),
        ],
    ),
    "paper": Told(
        "The paper's grid: balanced scenes against real photographs",
        "On the few photographs that were at hand, so `coco-matched` and `coco-full` are far from the paper's: read "
        "this as a check that the grid runs, and as what the embedded model does with it.",
        [
            ("synthetic", other, test)
            for other in ("coco-matched", "coco-full")
            for test in ("civet-test", "coco-val")
        ],
    ),
}


def main() -> None:
    """Writes the page from the studies' folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder that has a study's folder for each name")
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file to write")
    parser.add_argument("--measured-on", default="", help="the machine, for the page")
    arguments = parser.parse_args()
    there = [name for name in STUDIES if (arguments.runs / name / "study.json").exists()]
    parts = [_HEAD.format(measured=f", {arguments.measured_on}" if arguments.measured_on else ""), *_missing(there)]
    for name in there:
        parts += section(name, STUDIES[name], arguments.runs / name, arguments.out.parent)
    write_text(arguments.out, "\n".join(parts).rstrip() + "\n")


_HEAD = """# What the studies found

On the embedded model{measured}. Each seed draws its own training set, start and
order; all seeds of a study answer the same questions. Intervals and tests are for other seeds and other questions of
the same kind ([how](statistics.md)). Each condition is compared with the base, and the pairs that a study is about
with each other;
p is corrected for all comparisons in one table (Holm), and "no difference was detected" is no "there is none". The
embedded model is small and knows shapes and places: what holds for it need not hold for yours, which is why a study
is one line to run on it (`--model`). Written by `make findings`.
"""


def _missing(there: Sequence[str]) -> Iterator[str]:
    left = [name for name in STUDIES if name not in there]
    if left:
        yield f"Not run for this page: {', '.join(left)}.\n"


def section(name: str, told: Told, folder: Path, docs: Path) -> Iterator[str]:
    """A study's section; its matrix is written beside the page."""
    study = read_study_folder(folder)
    runs = {
        test: {condition: [results for _, results in of] for condition, of in by.items()}
        for test, by in evaluations(study, folder).items()
    }
    figures = over_seeds(runs, next(iter(study.conditions)))
    write_text(docs / f"findings-{name}.svg", matrix_svg(figures))
    seeds = max(of.n_seeds for of in figures)
    yield f"## {told.question}\n"
    yield f"`evensight study {name}`, {seeds} seeds. {told.about}\n"
    yield f"![{told.question}](findings-{name}.svg)\n"
    yield "Against the base:\n"
    yield from (f"- {line}" for line in _against_base(figures))
    pairs = list(_pairs(told.pairs, runs))
    if pairs:
        yield "\nAgainst each other:\n"
        yield from (f"- {line}" for line in pairs)
    yield "\n<details><summary>All figures</summary>\n"
    yield f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"
    yield from (f"| {' | '.join(row[name] for name in _COLUMNS)} |" for row in matrix_rows(figures))
    yield "\n</details>\n"


def _against_base(figures: Sequence[OverSeeds]) -> Iterator[str]:
    """A line for each test: which conditions are better, worse, or not seen to differ."""
    for test in dict.fromkeys(of.test for of in figures):
        base, *others = (of for of in figures if of.test == test)
        told: dict[str, list[str]] = {}
        for of in others:
            against = of.against
            if against is None:
                continue
            verdict = _verdict(against.estimate, against.p_holm)
            told.setdefault(verdict, []).append(f"`{of.condition}` {_difference(against, against.p_holm)}")
        words = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in told.items())
        share = f"base {percent(base.accuracy.estimate)} of {count(base.n)}"
        yield f"**{test}** ({share}): {words or 'nothing to compare'}."


def _pairs(pairs: Sequence[Pair], runs: Mapping[str, Mapping[str, Sequence[Results]]]) -> Iterator[str]:
    """A line for each pair of conditions that is there."""
    there = [(a, b, test) for a, b, test in pairs if {a, b} <= set(runs.get(test, {}))]
    found = [over_seeds({test: {b: runs[test][b], a: runs[test][a]}}, b)[1] for a, b, test in there]
    p_values = [1.0 if of.against is None else of.against.p_value for of in found]
    for (a, b, test), of, p in zip(there, found, holm(p_values), strict=True):
        if of.against is not None:
            verdict = _verdict(of.against.estimate, float(p))
            yield f"On {test} `{a}` against `{b}`: {verdict}, {_difference(of.against, float(p))}."


def _verdict(estimate: float, p: float) -> str:
    if p >= ALPHA:
        return "no difference was detected"
    return "**more** accurate" if estimate > 0 else "**less** accurate"


def _difference(against: Against, p: float) -> str:
    return f"{points(against.estimate)} points ({points(against.low)} to {points(against.high)}, {p_value(p)})"


if __name__ == "__main__":
    main()
