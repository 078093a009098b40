"""The demo over several seeds, as a table.

    python benchmarks/seeds.py --out runs/seeds --table docs/seeds.md

Nothing is chosen by seed: seed s draws the fine-tuning's start and order, the control's cells and the order of all
options; with `--anew` the embedded model's weights and lessons as well, which takes most of an hour for each seed.
Without it, all seeds start from the model that ships, as one does with a released model. About four minutes a seed
on 2 cores. What is there and unchanged is not done again.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evensight.models.embedded import EMBEDDED
from evensight.runs import read_json, write_text
from evensight.studies.plan import read_study
from evensight.studies.run import run_study
from evensight.training.pretraining import FINETUNE_SETTINGS, PretrainingConfig, pretrain

CONDITIONS = ("base", "balanced", "matched")


def main() -> None:
    """Runs the seeds that are asked for and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--table", type=Path, required=True, help="the Markdown file to write")
    parser.add_argument("--anew", action="store_true", help="train the embedded model anew for each seed")
    arguments = parser.parse_args()
    figures = {seed: one_seed(seed, arguments.out, anew=arguments.anew) for seed in arguments.seeds}
    text = table(figures, anew=arguments.anew)
    write_text(arguments.table, text)
    print(text)


def one_seed(seed: int, out: Path, *, anew: bool) -> dict[str, Any]:
    """The demo's figures for a seed: condition -> test -> figures."""
    model, study = out / f"model-{seed}", out / f"study-{seed}"
    if anew and not (model / "model.safetensors").exists():
        pretrain(model, PretrainingConfig(seed=seed))
    start = str(model) if anew else EMBEDDED
    run_study(read_study(Path("demo"), {"model": start, "seed": seed}), study, "benchmarks/seeds.py")
    return read_json(study / "summary.json", "summary")


def table(figures: dict[int, dict[str, Any]], *, anew: bool) -> str:
    """The Markdown page: a table for each test, a row for each condition and seed, then their means."""
    start = "trained anew for each seed by its committed recipe" if anew else "as it ships, in all seeds"
    lines = [
        "# The demo over seeds",
        "",
        f"Made by `make seeds` (`benchmarks/seeds.py`) on the embedded model, {start}; LoRA on 1,620 scenes, "
        f"{FINETUNE_SETTINGS['epochs']:g} epochs. Accuracy with its 95 % Wilson interval; the standard deviation and "
        "the worst are over the 9 x 9 cells that have questions; p is the permutation test that all cells have the "
        "same accuracy.",
    ]
    tests = list(next(iter(figures.values()))["base"])
    for test in tests:
        lines += ["", f"## {test}", "", *_header()]
        for condition in CONDITIONS:
            rows = {seed: figures[seed][condition][test] for seed in figures}
            lines += [_row(condition, str(seed), row) for seed, row in rows.items()]
            lines.append(_mean(condition, list(rows.values())))
    return "\n".join(lines) + "\n"


def _header() -> list[str]:
    return [
        "| condition | seed | n | accuracy % | 95 % interval | invalid | SD over cells | worst cell % | p |",
        "|---|---|---:|---:|---|---:|---:|---:|---:|",
    ]


def _row(condition: str, seed: str, row: dict[str, Any]) -> str:
    interval = f"{100 * row['low']:.2f} to {100 * row['high']:.2f}"
    return (
        f"| {condition} | {seed} | {row['n']:,} | {100 * row['accuracy']:.2f} | {interval} | {row['n_invalid']} "
        f"| {100 * row['cell_std']:.1f} | {100 * row['worst_cell']:.1f} | {_p(row['uniformity_p'])} |"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _mean(condition: str, rows: Sequence[dict[str, Any]]) -> str:
    accuracy, spread, worst = (
        statistics.mean(100 * row[name] for row in rows) for name in ("accuracy", "cell_std", "worst_cell")
    )
    return f"| **{condition}** | mean | | **{accuracy:.2f}** | | | **{spread:.1f}** | **{worst:.1f}** | |"


if __name__ == "__main__":
    main()
