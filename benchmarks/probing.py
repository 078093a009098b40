"""What reading states costs beside a plain forward pass over the same questions, as a table.

    python benchmarks/probing.py --table docs/benchmark-probing.md

Three ways by turns, several rounds, on the same stored pictures and prompts: a plain forward pass (logits of the last
token), `evensight.probing.activations.extract` (all layers at the last token, the object, the image, and the vision
tower; written to the disk), and `output_hidden_states` with everything kept, as one would write it down first. A
ratio is of the medians of one run; that of the processor's time holds on a busy machine, too.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.models.cores import cores_left_for
from evensight.models.embedded import EMBEDDED, IMAGE_PX
from evensight.models.loading import LoadedModel, load
from evensight.models.prompts import Prompter
from evensight.probing.activations import extract
from evensight.probing.reading import DEFAULT
from evensight.runs import write_text
from evensight.scenes.catalog import design
from evensight.storage.stored import StoredExamples, store

BATCH_SIZE = 64
GOAL = 1.3
Seconds = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="the Markdown file to write")
    parser.add_argument("--model", default=EMBEDDED, help="as of `evensight evaluate`")
    parser.add_argument("--questions", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    loaded = load(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        store(SceneExamples(design("civet-test"), IMAGE_PX, 0), Path(folder) / "set", arguments.questions)
        seconds = measured(loaded, StoredExamples(Path(folder) / "set"), Path(folder), arguments.rounds)
    text = table(seconds, arguments.model, arguments.questions)
    if arguments.table:
        write_text(arguments.table, text)
    print(text)


def measured(loaded: LoadedModel, examples: ExampleSet, folder: Path, rounds: int) -> Seconds:
    """The seconds of each way by the clock and by the processor, round by round, after one that isn't counted."""
    ways: dict[str, Callable[[Path], None]] = {
        "plain forward pass": lambda _: forward(loaded, examples, keeps_all=False),
        "reading states": lambda out: _read(loaded, examples, out),
        "all states, kept": lambda _: forward(loaded, examples, keeps_all=True),
    }
    seconds: Seconds = {name: [] for name in ways}
    for k in range(rounds + 1):
        for name, way in ways.items():
            begun, busy = time.perf_counter(), time.process_time()
            way(folder / f"states-{k}")
            if k:
                seconds[name].append((time.perf_counter() - begun, time.process_time() - busy))
    return seconds


def _read(loaded: LoadedModel, examples: ExampleSet, out: Path) -> None:
    extract(loaded, examples, out, DEFAULT, batch_size=BATCH_SIZE)


@torch.inference_mode()
def forward(loaded: LoadedModel, examples: ExampleSet, *, keeps_all: bool) -> None:
    """Every question through the model once; with `keeps_all` all states are kept in memory as they come."""
    model, prompter = loaded.model, Prompter(loaded.processor, loaded.model.config.model_type)
    kept = []
    with cores_left_for(1):
        for start in range(0, len(examples), BATCH_SIZE):
            which = range(start, min(start + BATCH_SIZE, len(examples)))
            images, texts = [examples.image(k) for k in which], [examples[k].question.text for k in which]
            batch = {key: value.to(model.device) for key, value in prompter.encode(images, texts).items()}
            given = {
                key: value.to(model.dtype) if value.is_floating_point() else value for key, value in batch.items()
            }
            out = model(**given, logits_to_keep=1, use_cache=False, output_hidden_states=keeps_all)
            if keeps_all:
                kept.append([states.cpu() for states in out.hidden_states])


def table(seconds: Seconds, model: str, n: int) -> str:
    """The Markdown page."""
    clock = {name: [1000 * one / n for one, _ in of] for name, of in seconds.items()}
    busy = {name: [1000 * one / n for _, one in of] for name, of in seconds.items()}
    first = next(iter(seconds))
    rows = [
        f"| {name} | {statistics.median(clock[name]):.2f} | {min(clock[name]):.2f} to {max(clock[name]):.2f} | "
        f"{_ratio(clock, name, first):.2f} | {statistics.median(busy[name]):.2f} | {_ratio(busy, name, first):.2f} |"
        for name in seconds
    ]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    lines = [
        "# What reading states costs",
        "",
        f"Made by `benchmarks/probing.py` on the model `{model}`, {n:,} questions of civet-test in batches of "
        f"{BATCH_SIZE}, {len(seconds['reading states'])} rounds by turns, {device}. The goal is a ratio of at most "
        f"{GOAL}.",
        "",
        "| way | ms a question, median | all rounds | ratio | processor ms | ratio |",
        "|---|---:|---:|---:|---:|---:|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _ratio(ms: dict[str, list[float]], name: str, first: str) -> float:
    return statistics.median(ms[name]) / statistics.median(ms[first])


if __name__ == "__main__":
    main()
