"""lmms-eval and inspect_ai run a set of ours on the embedded model and on scripted answers; the scores are ours.

Run by `make ecosystem` (scripts/ecosystem.sh) in an environment of its own. Each run's log is read back
(`exchange.answers`), its raw answers are scored by evensight, and outcome by outcome and figure by figure it is held
against what the harness says. Ends with 1 if anything differs or can't run.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from math import isclose, isnan
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pyarrow as pa

from evensight.annotations import AREAS
from evensight.datasets.scene_examples import SceneExamples
from evensight.evaluation.results import Results, read_results
from evensight.evaluation.summary import summarise
from evensight.exchange.answers import AnswerLog, read_log
from evensight.exchange.export import export
from evensight.exchange.exports.lmms_eval_task import area_metric
from evensight.exchange.inspect_ai.samples import LETTERS, asked
from evensight.exchange.question_rows import MAX_NEW_TOKENS
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.questions.parsing import Outcome, outcome, parse_answer
from evensight.runs import one_line
from evensight.scenes.catalog import design
from evensight.storage.stored import StoredExamples, store

N = 162
"""Twice every cell of the paper's grid, with one shape: so that a spread over cells has its noise taken out."""
SIZE_PX = 336
SAME_ANSWERS = 0.98
"""How many answers of the embedded model are at least the same to the letter: a batch of one rounds otherwise."""


class Refuted(Exception):  # noqa: N818 - what is raised says that a claim is wrong
    """A harness says something else than evensight; the message is what."""


def expect(holds: bool, what: object) -> None:
    """Goes on if a claim holds."""
    if not holds:
        raise Refuted(f"not as evensight has it: {what}")


@dataclass(frozen=True)
class Desk:
    """What all runs share: the stored set, the task's folder, evensight's own run, and a place for logs."""

    root: Path
    examples: StoredExamples
    run: Results

    @property
    def data(self) -> Path:
        """The stored set's folder."""
        return self.root / "set"

    @property
    def task(self) -> Path:
        """The folder that was exported for lmms-eval."""
        return self.root / "lmms-eval"


@dataclass(frozen=True)
class Said:
    """What a harness says of its run: its log, the outcome of each question by id, and its figures."""

    log: AnswerLog
    outcomes: Mapping[str, str]
    figures: Mapping[str, float]


def set_up(root: Path) -> Desk:
    """Stores the set, exports it, and has `evensight evaluate` ask the embedded model."""
    store(SceneExamples(design("civet-test"), SIZE_PX, 0), root / "set", limit=N)
    examples = StoredExamples(root / "set")
    export(examples, "lmms-eval", root / "lmms-eval")
    call("evensight", "evaluate", "--model", "embedded", "--data", root / "set", "--out", root / "run")
    return Desk(root, examples, read_results(root / "run"))


def call(module: str, *words: object) -> None:
    """Runs a program of this environment; what it prints is shown only where it fails."""
    command = [sys.executable, "-m", module, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Refuted(f"`{module}` ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


def scripted(examples: StoredExamples) -> dict[str, str]:
    """An answer to each question, by id: right ones, wrong ones, and some that are hard to read or say nothing."""
    said: dict[str, str] = {}
    for index, example in enumerate(examples):
        question = example.question
        other = question.options[(question.options.index(question.answer) + 1 + index % 7) % len(question.options)]
        forms = (
            question.answer,
            other,
            f"**{question.answer.upper()}**.",
            f"I think that the object is in the {question.answer} of the picture, because it looks like it.",
            f"{question.answer} or {other}",
            f'{{"answer": "{question.answer.replace(" ", "-")}"}}',
            "I can't see any object.",
            "",
            f"Not the {other}, but the {question.answer}.",
            "somewhere near the left edge",
        )
        said[example.id] = forms[index % len(forms)]
    return said


# lmms-eval


def lmms_eval_embedded(desk: Desk) -> Said:
    """lmms-eval's command with its own class for LLaVA, one question at a time, as its documentation has it."""
    arguments = f"pretrained={EMBEDDED_FOLDER},device=cpu,device_map=cpu,dtype=float32"
    return run_lmms_eval(desk, desk.root / "lmms-embedded", "llava_hf", arguments)


def lmms_eval_scripted(desk: Desk) -> Said:
    """lmms-eval's command with its model that repeats the answers of a log."""
    logs = desk.root / "lmms-script"
    logs.mkdir()
    said = scripted(desk.examples)
    answered = [{"doc_id": index, "resps": [[said[each.id]]]} for index, each in enumerate(desk.examples)]
    script = {
        "args": {"model": "script", "model_args": "", "limit": None},
        "model_configs": {"task": task_name(desk)},
        "logs": answered,
    }
    (logs / "script.json").write_text(json.dumps(script))
    return run_lmms_eval(desk, desk.root / "lmms-scripted", "from_log", f"logs={logs}")


def task_name(desk: Desk) -> str:
    """The exported task's name."""
    (path,) = desk.task.glob("*.yaml")
    return path.stem


def run_lmms_eval(desk: Desk, out: Path, model: str, arguments: str) -> Said:
    """What lmms-eval's command says of the task; that it says anything, for a failed run ends with 0, too."""
    words = ("--model", model, "--model_args", arguments, "--include_path", desk.task, "--tasks", task_name(desk))
    os.environ["HF_DATASETS_CACHE"] = str(desk.root / "cache")  # no copies in the user's
    call("lmms_eval", *words, "--batch_size", 1, "--log_samples", "--output_path", out)
    (samples,) = out.rglob("*_samples_*.jsonl")
    (results,) = out.rglob("*_results.json")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    figures = json.loads(results.read_text())["results"][task_name(desk)]
    return Said(
        read_log(samples),
        {line["accuracy"]["id"]: line["accuracy"]["outcome"] for line in lines},
        {key.removesuffix(",none"): value for key, value in figures.items() if key.endswith(",none")},
    )


# inspect_ai


def inspect_embedded(desk: Desk) -> Said:
    """inspect_ai with a provider around transformers, which sees what inspect_ai hands to every provider."""
    return run_inspect(desk, desk.root / "inspect-embedded", transformers_model())


def inspect_scripted(desk: Desk) -> Said:
    """inspect_ai with its mock provider, which says what the script has for the picture and the text it is shown."""
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    answers = scripted(desk.examples)
    said = {(each.picture_uri, each.row["question"]): answers[each.row["id"]] for each in asked(desk.data)[1]}

    def answer(messages: list[Any], *_: object) -> ModelOutput:
        picture, text = messages[0].content
        output = ModelOutput.from_content("mockllm", said[picture.image, text.text])
        output.usage = ModelUsage(input_tokens=1, output_tokens=1)  # else it is counted with a file of the network
        return output

    return run_inspect(desk, desk.root / "inspect-scripted", get_model("mockllm/model", custom_outputs=answer))


def transformers_model() -> Any:
    """The embedded model as a model of inspect_ai, by transformers alone."""
    import base64
    import io

    import torch
    from inspect_ai.model import ModelAPI, ModelOutput, get_model, modelapi
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(EMBEDDED_FOLDER)
    model = AutoModelForImageTextToText.from_pretrained(EMBEDDED_FOLDER).eval()

    @modelapi(name="embedded")
    class Embedded(ModelAPI):
        async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:  # noqa: A002
            picture, text = input[0].content
            image = Image.open(io.BytesIO(base64.b64decode(picture.image.partition(",")[2]))).convert("RGB")
            turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text.text}]}]
            prompt = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            batch = processor(images=[image], text=[prompt], return_tensors="pt", add_special_tokens=False)
            expect((config.temperature, config.max_tokens) == (0.0, MAX_NEW_TOKENS), "greedy, short answers")
            with torch.inference_mode():
                out = model.generate(**batch, do_sample=False, max_new_tokens=config.max_tokens)
            said = processor.tokenizer.decode(out[0, batch["input_ids"].shape[1] :], skip_special_tokens=True)
            return ModelOutput.from_content("embedded", said.strip())

    return get_model("embedded/weights", memoize=False)


def run_inspect(desk: Desk, out: Path, model: Any) -> Said:
    """What inspect_ai says of the task that it finds in its registry; both of its logs are read back."""
    from inspect_ai import eval as run
    from inspect_ai.log import write_eval_log

    (log,) = run(
        "evensight/questions", task_args={"data": str(desk.data)}, model=model, log_dir=str(out), display="none"
    )
    expect(log.status == "success", log.error)
    found = read_log(Path(log.location))
    write_eval_log(log, str(out / "log.json"))
    expect(read_log(out / "log.json") == found, "the log as JSON")
    figures = {
        f"{score.name}/{name}": metric.value for score in log.results.scores for name, metric in score.metrics.items()
    }
    return Said(
        found,
        {str(sample.id): letter_to_outcome(sample.scores["answer"].value) for sample in log.samples},
        {name: figures[key] for name, key in INSPECT_FIGURES.items() if key in figures},
    )


INSPECT_FIGURES = {
    "accuracy": "answer/accuracy",
    "invalid": "invalid/mean",
    "cell_std": "answer/cell_std",
    "cell_std_true": "answer/cell_std_true",
    "worst_cell": "answer/worst_cell",
    **{area_metric(area): f"answer/{area}" for area in AREAS},
}
"""inspect_ai's names of the figures that lmms-eval has, too."""


def letter_to_outcome(letter: str) -> str:
    """The outcome that inspect_ai's letter stands for."""
    return {letter: outcome.value for outcome, letter in LETTERS.items()}[letter]


# What holds for each run


def compare(desk: Desk, said: Said) -> str:
    """Holds outcomes and figures against evensight's on the same answers; says what there was."""
    answers = {each.id: each.answer for each in said.log.answers}
    expect(list(answers) == [example.id for example in desk.examples], "the questions and their order")
    results = scored_again(desk, answers)
    ours = dict(zip(results.column("id"), results.column("outcome"), strict=True))
    differing = [id_ for id_ in ours if said.outcomes[id_] != ours[id_]]
    expect(not differing, f"the outcome of {differing[:3]}")
    expected = figures_of(results)
    for name, figure in expected.items():
        expect(name in said.figures, f"the figure {name} is missing")
        same = isclose(said.figures[name], figure, abs_tol=1e-9) or (isnan(figure) and isnan(said.figures[name]))
        expect(same, f"{name} is {said.figures[name]}, expected {figure}")
    counts = ", ".join(f"{results.column('outcome').count(each.value)} {each.value}" for each in Outcome)
    return f"{len(ours)} outcomes and {len(expected)} figures are evensight's ({counts})"


def scored_again(desk: Desk, answers: Mapping[str, str]) -> Results:
    """Evensight's run with other answers, scored by its parser."""
    raw = [answers[example.id] for example in desk.examples]
    asked = list(zip(desk.examples, raw, strict=True))
    columns = {
        "raw": raw,
        "parsed": [parse_answer(text, example.question) for example, text in asked],
        "outcome": [outcome(text, each.question, each.box, each.frame).value for each, text in asked],
    }
    table = desk.run.table
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.string()))
    return Results(desk.run.path, desk.run.manifest, table)


def figures_of(results: Results) -> dict[str, float]:
    """The figures of evensight's summary under lmms-eval's names."""
    summary = summarise(results)
    return {
        "accuracy": summary.accuracy.estimate,
        "invalid": summary.n_invalid / summary.accuracy.n,
        "cell_std": summary.cell_std,
        "cell_std_true": summary.cell_std_true,
        "worst_cell": summary.worst_cell.accuracy.estimate,
        **{area_metric(area): share.estimate for area, share in summary.areas.items()},
    }


def beside_evaluate(desk: Desk, said: Said) -> str:
    """Holds the embedded model's answers against those that `evensight evaluate` got."""
    ours = dict(zip(desk.run.column("id"), desk.run.column("raw"), strict=True))
    same = sum(each.answer.strip() == ours[each.id] for each in said.log.answers)
    expect(same >= SAME_ANSWERS * len(ours), f"only {same} of {len(ours)} answers of the model")
    return f"{same} of {len(ours)} answers are those of `evensight evaluate`"


CHECKS: tuple[tuple[str, str, Callable[[Desk], Said], bool], ...] = (
    ("lmms-eval, scripted", "lmms-eval", lmms_eval_scripted, False),
    ("lmms-eval, embedded model", "lmms-eval", lmms_eval_embedded, True),
    ("inspect_ai, scripted", "inspect-ai", inspect_scripted, False),
    ("inspect_ai, embedded model", "inspect-ai", inspect_embedded, True),
)


def main() -> int:
    """Prints what became of every run."""
    failed = 0
    with tempfile.TemporaryDirectory() as root:
        desk = set_up(Path(root))
        for title, package, run, is_embedded in CHECKS:
            called = f"{title} ({metadata.version(package)})"
            try:
                said = run(desk)
                found = [compare(desk, said), *([beside_evaluate(desk, said)] if is_embedded else [])]
                print(f"ok      {called}: {'; '.join(found)}", flush=True)
            except Exception as error:  # whatever a harness raises is a failed check
                failed += 1
                print(f"FAILED  {called}: {type(error).__name__}: {one_line(error)}", flush=True)
    print(f"{len(CHECKS) - failed} ok, {failed} FAILED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
