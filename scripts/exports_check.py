"""Loads exported sets by their consumers' own code: LLaMA-Factory, ms-swift, lmms-eval, TRL and pycocotools.

Run by `make exports` (scripts/exports.sh) in an environment of its own; its arguments are the formats to check, all
of them if there are none. A consumer that can't be imported here is SKIPPED, loudly, and what its documentation asks
of the files is checked instead; a check that fails ends with 1.
"""

import importlib.machinery
import json
import os
import sys
import tempfile
import types
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("USE_HF", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from evensight.datasets.scene_examples import SceneExamples
from evensight.exchange.export import export
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.runs import one_line
from evensight.scenes.catalog import design
from evensight.storage.stored import StoredExamples, store

N = 40
SIZE_PX = 108
IMAGE_TOKENS = 36


class Skipped(Exception):  # noqa: N818 - not an error
    """A consumer can't run here; the message says why."""


class Refuted(Exception):  # noqa: N818 - what is raised says that a claim is wrong
    """A consumer read something else than the set says; the message is what."""


def expect(holds: bool, what: object) -> None:
    """Goes on if a claim holds."""
    if not holds:
        raise Refuted(f"not as in the set: {what}")


def without_torchaudio() -> str:
    """LLaMA-Factory imports torchaudio whether there is sound or not; where it can't be had, an empty module."""
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        stand_in = types.ModuleType("torchaudio")
        stand_in.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = stand_in
        return "; torchaudio, which it imports for sound only, is an empty module here"
    return ""


def llamafactory(examples: StoredExamples, folder: Path, cache: Path) -> str:
    """LLaMA-Factory's `get_dataset`: its parser of dataset_info.json, converter, template and tokenization."""
    note = without_torchaudio()
    try:
        from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
        from llamafactory.hparams import DataArguments, ModelArguments
    except ImportError as error:
        raise Skipped(f"it can't be imported: {error}") from error
    from transformers import AutoProcessor, Seq2SeqTrainingArguments

    processor = AutoProcessor.from_pretrained(EMBEDDED_FOLDER)
    (name,) = json.loads((folder / "dataset_info.json").read_text())
    data_args = DataArguments(template="llava", dataset=name, dataset_dir=str(folder), cutoff_len=4096)
    model_args = ModelArguments(model_name_or_path=str(EMBEDDED_FOLDER), cache_dir=str(cache))
    processor.tokenizer.padding_side = "right"
    template = get_template_and_fix_tokenizer(processor.tokenizer, data_args)
    training_args = Seq2SeqTrainingArguments(output_dir=str(cache / "out"), use_cpu=True, report_to=[])
    rows = get_dataset(
        template,
        model_args,
        data_args,
        training_args,
        stage="sft",
        tokenizer=processor.tokenizer,
        processor=processor,
    )["train_dataset"]
    expect(len(rows) == len(examples), len(rows))
    for index, row in enumerate(rows):
        question = examples[index].question
        supervised = [token for token in row["labels"] if token != -100]
        said = processor.tokenizer.decode(supervised)
        expect(said.strip() == f"{question.answer}{processor.tokenizer.eos_token}", said)
        expect(row["input_ids"].count(processor.image_token_id) == IMAGE_TOKENS, "the number of the picture's tokens")
        expect(question.text in processor.tokenizer.decode(row["input_ids"]), "the question")
        expect(Path(row["images"][0]).read_bytes() == examples.encoded(index), "the picture")
    return f"{len(rows)} rows by get_dataset with the template llava; labels are the answer and the end token{note}"


def swift(examples: StoredExamples, folder: Path, _cache: Path) -> str:
    """ms-swift's `load_dataset` with its preprocessor, and its template's encoding."""
    os.environ["ROOT_IMAGE_DIR"] = str(folder)
    try:
        from swift.dataset import load_dataset
        from swift.model import get_processor
        from swift.template import get_template
    except ImportError as error:
        raise Skipped(f"it can't be imported: {error}") from error
    rows, _ = load_dataset([str(folder / "data.jsonl")], load_from_cache_file=False, strict=True)
    expect(len(rows) == len(examples), len(rows))
    processor = get_processor(str(EMBEDDED_FOLDER), model_type="llava1_5_hf")
    template = get_template(processor)
    template.set_mode("train")
    for index, row in enumerate(rows):
        question = examples[index].question
        encoded = template.encode(dict(row))
        said = template.tokenizer.decode([token for token in encoded["labels"] if token != -100])
        expect(said.startswith(question.answer), said)
        expect(said.removeprefix(question.answer).strip() in ("</s>", template.tokenizer.eos_token), said)
        expect(
            list(encoded["input_ids"]).count(template.image_token_index) == IMAGE_TOKENS,
            "the number of the picture's tokens",
        )
        expect(question.text in template.tokenizer.decode(encoded["input_ids"]), "the question")
    return f"{len(rows)} rows by load_dataset with the template llava1_5_hf; labels are the answer and its suffix"


def lmms_eval(examples: StoredExamples, folder: Path, cache: Path) -> str:
    """lmms-eval's TaskManager: the task's dataset, requests of both kinds, process_results and aggregation."""
    os.environ["HF_DATASETS_CACHE"] = str(cache)
    try:
        from lmms_eval.tasks import TaskManager, get_task_dict
    except ImportError as error:
        raise Skipped(f"it can't be imported: {error}") from error
    (name,) = (path.stem for path in folder.glob("*.yaml"))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    scores = {}
    for task_type in ("simple", "chat"):
        task = get_task_dict([name], manager, task_type)[name]
        task.build_all_requests()
        expect(len(task.instances) == len(examples), "the number of requests")
        docs = task.test_docs()
        for index, doc in enumerate(docs):
            question = examples[index].question
            expect(task.doc_to_text(doc) == question.text, "the question")
            expect(task.doc_to_target(doc) == question.answer, "the answer")
            (image,) = task.doc_to_visual(doc)
            expect(image.tobytes() == examples.image(index).tobytes(), "the picture")
        if task_type == "chat":
            message = task.doc_to_messages(docs[0])[0]
            expect([part["type"] for part in message["content"]] == ["image", "text"], message)
        answers = [doc["answer"] if k % 2 else "nowhere" for k, doc in enumerate(task.eval_docs_no_media)]
        results = [
            task.process_results(doc, [said]) for doc, said in zip(task.eval_docs_no_media, answers, strict=True)
        ]
        given: dict[str, list[object]] = {}
        for result in results:  # as lmms-eval does: a metric has the items of the questions that give it
            for metric, item in result.items():
                given.setdefault(metric, []).append(item)
        aggregated = {metric: task.aggregation()[metric](items) for metric, items in given.items()}
        overall = {metric: aggregated[metric] for metric in ("accuracy", "invalid", "worst_cell")}
        expect(overall == {"accuracy": 0.5, "invalid": 0.5, "worst_cell": 0.0}, aggregated)
        areas = [metric for metric in given if metric.startswith("accuracy_")]
        expect(sum(len(given[area]) for area in areas) == len(examples), "the questions of the areas")
        n_correct = sum(aggregated[area] * len(given[area]) for area in areas)
        expect(round(n_correct, 9) == len(examples) / 2, "the accuracies of the areas")
        scores[task_type] = aggregated
    return f"{len(examples)} requests, simple and chat; half the answers right: {scores['chat']}"


def trl(examples: StoredExamples, folder: Path, cache: Path) -> str:
    """`datasets` and TRL's vision collator, at the versions that this environment has."""
    try:
        from datasets import load_dataset
        from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling
    except ImportError as error:
        raise Skipped(f"it can't be imported: {error}") from error
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(EMBEDDED_FOLDER)
    rows = load_dataset("parquet", data_files=str(folder / "train-*.parquet"), split="train", cache_dir=str(cache))
    collate = DataCollatorForVisionLanguageModeling(processor, max_length=None, completion_only_loss=True)
    labels = collate([rows[index] for index in range(len(rows))])["labels"]
    for index, row in enumerate(labels):
        said = processor.tokenizer.decode(row[row != -100])
        expect(said == f"{examples[index].question.answer}<|im_end|>", said)
    return f"{len(rows)} rows by the vision collator; labels are the answer and the end token"


def coco(examples: StoredExamples, folder: Path, _cache: Path) -> str:
    """COCO's own pycocotools reads the annotations."""
    try:
        from pycocotools.coco import COCO
    except ImportError as error:
        raise Skipped(f"it can't be imported: {error}") from error
    read = COCO(str(folder / "annotations" / "instances_evensight.json"))
    expect(len(read.getAnnIds()) == len(read.getImgIds()) == len(examples), "the number of annotations")
    return f"{len(examples)} annotations"


def by_the_documentation(to: str, folder: Path) -> str:
    """What a consumer's documentation asks of the files, for one that can't run here."""
    if to == "llamafactory":
        (entry,) = json.loads((folder / "dataset_info.json").read_text()).values()
        rows = json.loads((folder / entry["file_name"]).read_text())
        expect(entry["formatting"] == "sharegpt", "the formatting")
        expect(
            all(row["conversations"][0]["value"].count("<image>") == len(row["images"]) == 1 for row in rows),
            "a tag for each picture",
        )
    elif to == "swift":
        rows = [json.loads(line) for line in (folder / "data.jsonl").read_text().splitlines()]
        expect(
            all(row["messages"][0]["content"].count("<image>") == len(row["images"]) == 1 for row in rows),
            "a tag for each picture",
        )
    elif to == "lmms-eval":
        rows = list(folder.glob("*.yaml"))
        expect(len(rows) == 1, "one task")
        expect((folder / "utils.py").is_file(), "utils.py")
    else:
        return "nothing else to check"
    if to != "lmms-eval":
        expect(all((folder / path).is_file() for row in rows for path in row["images"]), "the pictures' files")
    return "the files are as documented"


CHECKS: dict[str, tuple[str, Callable[[StoredExamples, Path, Path], str]]] = {
    "llamafactory": ("llamafactory", llamafactory),
    "swift": ("ms-swift", swift),
    "lmms-eval": ("lmms-eval", lmms_eval),
    "trl": ("trl", trl),
    "coco": ("pycocotools", coco),
}


def version(package: str) -> str:
    """The package's version, or that there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def check(root: Path, formats: list[str]) -> dict[str, list[str]]:
    """Exports a set to the formats and has each read; gives the lines of each outcome."""
    store(SceneExamples(design("civet-train"), SIZE_PX, 0), root / "set", limit=N)
    examples = StoredExamples(root / "set")
    lines: dict[str, list[str]] = {"ok": [], "SKIPPED": [], "FAILED": []}
    for to in formats:
        package, read = CHECKS[to]
        folder = root / to
        export(examples, to, folder)
        called = f"{to} ({package} {version(package)})"
        try:
            lines["ok"].append(f"{called}: {read(examples, folder, root / f'cache-{to}')}")
        except Skipped as skipped:
            lines["SKIPPED"].append(f"{called}: {one_line(skipped)}; {by_the_documentation(to, folder)}")
        except Exception as error:  # whatever a consumer raises is a failed check
            lines["FAILED"].append(f"{called}: {type(error).__name__}: {one_line(error)}")
    return lines


def main() -> int:
    """Prints what became of every format."""
    with tempfile.TemporaryDirectory() as root:
        lines = check(Path(root), sys.argv[1:] or list(CHECKS))
    print()
    for outcome, found in lines.items():
        for line in found:
            print(f"{outcome:8}{line}")
    print(", ".join(f"{len(found)} {outcome}" for outcome, found in lines.items()))
    return 1 if lines["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
