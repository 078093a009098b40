import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner
from typing_extensions import override

from evensight.annotations import AREAS, PAPER_GRID, Box, Cell, Frame, Object
from evensight.coco.reading import read_split
from evensight.datasets.examples import Example, ExampleSet, SetInfo
from evensight.datasets.scene_examples import SceneExamples
from evensight.errors import InputError
from evensight.exchange.export import FORMATS, export
from evensight.exchange.exports.lmms_eval_task import accuracy, cell_std, cell_std_true, process_results, worst_cell
from evensight.exchange.question_rows import scored
from evensight.questions.parsing import Outcome
from evensight.questions.tasks import Question
from evensight.scenes.catalog import design
from evensight.storage.stored import StoredExamples, store
from made_photos import asked_of

N = 12


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredExamples:
    out = tmp_path_factory.mktemp("set") / "set"
    store(SceneExamples(design("civet-train"), 108, 0), out, limit=N)
    return StoredExamples(out)


@pytest.fixture(scope="module")
def exported(stored: StoredExamples, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of the set in a format, made once; tests only read it."""
    root = tmp_path_factory.mktemp("exports")

    def made(to: str) -> Path:
        export(stored, to, root / to)
        return root / to

    return made


class Made(ExampleSet):
    """A set of examples and pictures that a test writes down."""

    def __init__(self, rows: list[tuple[Example, bytes]]) -> None:
        self._rows = rows

    @property
    @override
    def info(self) -> SetInfo:
        return SetInfo("made", {"ids": [row.id for row, _ in self._rows]}, ("shape",), PAPER_GRID, ())

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        return self._rows[index][0]

    @override
    def image(self, index: int) -> Image.Image:
        raise AssertionError("an export stores the encoded bytes")

    @override
    def encoded(self, index: int) -> bytes:
        return self._rows[index][1]


def example(name: str, question: Question | None = None, shape: str = "square") -> Example:
    asked = question or Question(
        "absolute-position", "Where? Choose from [top left, center].", ("top left",), "top left"
    )
    return Example(name, asked, Cell(0, 0), "top left", Box(1, 2, 4, 6), Frame(27, 27), {"shape": shape})


def png(value: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes([value])


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# What holds for every format


@pytest.mark.parametrize("to", FORMATS)
def test_an_export_is_the_same_bytes_wherever_it_is_made(
    to: str, stored: StoredExamples, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    export(stored, to, tmp_path / "elsewhere" / "again")
    assert files(tmp_path / "elsewhere" / "again") == files(exported(to))


@pytest.mark.parametrize("to", FORMATS)
def test_exporting_twice_is_exporting_once(to: str, stored: StoredExamples, exported: Callable[[str], Path]) -> None:
    folder = exported(to)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
    export(stored, to, folder)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != ".lock"} == before


@pytest.mark.parametrize("to", FORMATS)
def test_the_manifest_lists_every_file(to: str, exported: Callable[[str], Path]) -> None:
    manifest = json.loads((exported(to) / "manifest.json").read_text())
    assert set(manifest["files"]) == set(files(exported(to))) - {"manifest.json", ".lock"}
    assert (manifest["kind"], manifest["facts"]["n"]) == ("export", N)


def test_a_format_that_is_not_known_is_told_with_those_that_are(stored: StoredExamples, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="`csv` is not known: expected one of trl, llamafactory, swift, lmms-eval, coco"
    ):
        export(stored, "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_export_or_foreign_files_are_not_written_over(
    stored: StoredExamples, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="another configuration"):
        export(stored, "coco", exported("swift"))
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="empty or a new folder"):
        export(stored, "swift", tmp_path)
    assert set(files(tmp_path)) - {".lock"} == {"thesis.tex"}


def test_a_file_that_was_damaged_is_made_again(stored: StoredExamples, tmp_path: Path) -> None:
    export(stored, "swift", tmp_path / "out")
    whole = files(tmp_path / "out")
    (tmp_path / "out" / "data.jsonl").write_text("")
    export(stored, "swift", tmp_path / "out")
    assert files(tmp_path / "out") == whole


@pytest.mark.parametrize("to", ["llamafactory", "swift", "coco"])
def test_a_picture_that_two_examples_show_is_stored_once(to: str, tmp_path: Path) -> None:
    made = Made([(example("a"), png(1)), (example("b"), png(2)), (example("c"), png(1))])
    manifest = export(made, to, tmp_path / "out")
    assert manifest.facts["n_pictures"] == 2
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.png")) == ["a.png", "b.png"]


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden"])
def test_an_id_that_leads_out_of_the_folder_is_refused(to: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't name a picture's file"):
        export(Made([(example(name), png(1))]), to, tmp_path / "out")
    assert not [p for p in tmp_path.rglob("*") if p.suffix == ".png"]


def test_two_examples_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the id of two examples"):
        export(Made([(example("a"), png(1)), (example("a"), png(2))]), "swift", tmp_path / "out")


def test_a_picture_that_is_neither_png_nor_jpeg_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither PNG nor JPEG"):
        export(Made([(example("a"), b"GIF89a")]), "trl", tmp_path / "out")


@pytest.mark.parametrize("to", ["llamafactory", "swift"])
def test_a_text_that_the_reader_would_take_for_a_tag_is_refused(to: str, tmp_path: Path) -> None:
    asked = Question("absolute-position", "Where is the <image>? Choose from [center].", ("center",), "center")
    with pytest.raises(InputError, match="reads as a tag"):
        export(Made([(example("a", asked), png(1))]), to, tmp_path / "out")


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no examples"):
        export(Made([]), "trl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# TRL


def loaded_by_datasets(folder: Path, cache: Path) -> Any:
    import datasets

    return datasets.load_dataset(
        "parquet", data_files=str(folder / "train-*.parquet"), split="train", cache_dir=str(cache)
    )


@pytest.fixture(scope="module")
def for_trl(exported: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    return loaded_by_datasets(exported("trl"), tmp_path_factory.mktemp("cache"))


def test_datasets_reads_what_the_set_says(for_trl: Any, stored: StoredExamples) -> None:
    assert len(for_trl) == N
    for index, row in enumerate(for_trl):
        asked, answered = stored[index].question.text, stored[index].question.answer
        user, assistant = row["prompt"][0], row["completion"][0]
        assert (len(row["prompt"]), len(row["completion"])) == (1, 1)
        assert (user["role"], [part["type"] for part in user["content"]]) == ("user", ["image", "text"])
        assert user["content"][1]["text"] == asked
        assert (assistant["role"], [part["text"] for part in assistant["content"]]) == ("assistant", [answered])
        assert [np.array_equal(np.asarray(image), np.asarray(stored.image(index))) for image in row["images"]] == [
            True
        ]


def test_the_whole_folder_loads_by_its_card(exported: Callable[[str], Path], tmp_path: Path) -> None:
    import datasets

    data = datasets.load_dataset(str(exported("trl")), cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in data.items()} == {"train": N}


def test_trl_supervises_the_answer_and_its_end_and_nothing_else(for_trl: Any, stored: StoredExamples) -> None:
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from evensight.models.embedded import IMAGE_PX, PATCH_PX
    from evensight.models.loading import load

    processor = load("embedded").processor
    collate = DataCollatorForVisionLanguageModeling(processor, max_length=None, completion_only_loss=True)
    batch = collate([for_trl[index] for index in range(N)])
    tokenizer = processor.tokenizer
    for index in range(N):
        labels = batch["labels"][index]
        supervised = labels[labels != -100]
        assert tokenizer.decode(supervised) == f"{stored[index].question.answer}<|im_end|>"
        assert processor.image_token_id not in supervised.tolist()
        assert (batch["input_ids"][index] == processor.image_token_id).sum() == (IMAGE_PX // PATCH_PX) ** 2
        prompt = batch["input_ids"][index][(labels == -100) & (batch["attention_mask"][index] == 1)]
        assert tokenizer.decode(prompt).endswith("<|im_start|>assistant\n")
        assert stored[index].question.text in tokenizer.decode(prompt)


def test_trl_trains_on_it(for_trl: Any, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    from evensight.models.loading import load

    loaded = load("embedded")
    config = SFTConfig(
        output_dir=str(tmp_path),
        max_steps=1,
        per_device_train_batch_size=4,
        max_length=None,
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(loaded.model, args=config, train_dataset=for_trl, processing_class=loaded.processor)
    collated = trainer.data_collator([for_trl[0]])
    assert 0 < int((collated["labels"] != -100).sum()) < 10
    assert trainer.train().training_loss > 0


# LLaMA-Factory and ms-swift; by their own code in `make exports`


def test_llamafactory_finds_columns_tags_and_pictures(
    exported: Callable[[str], Path], stored: StoredExamples
) -> None:
    folder = exported("llamafactory")
    (entry,) = json.loads((folder / "dataset_info.json").read_text()).values()
    assert entry["formatting"] == "sharegpt"
    rows = json.loads((folder / entry["file_name"]).read_text())
    tags, columns = entry["tags"], entry["columns"]
    assert len(rows) == N
    for index, row in enumerate(rows):
        turns = [(turn[tags["role_tag"]], turn[tags["content_tag"]]) for turn in row[columns["messages"]]]
        asked = stored[index].question
        assert turns == [(tags["user_tag"], f"<image>{asked.text}"), (tags["assistant_tag"], asked.answer)]
        (path,) = row[columns["images"]]
        assert (folder / path).read_bytes() == stored.encoded(index)


def test_swift_has_a_line_for_each_example(exported: Callable[[str], Path], stored: StoredExamples) -> None:
    folder = exported("swift")
    lines = (folder / "data.jsonl").read_text().splitlines()
    assert len(lines) == N
    for index, row in enumerate(map(json.loads, lines)):
        asked = stored[index].question
        assert row["messages"] == [
            {"role": "user", "content": f"<image>{asked.text}"},
            {"role": "assistant", "content": asked.answer},
        ]
        assert (folder / row["images"][0]).read_bytes() == stored.encoded(index)


# lmms-eval; by its own code in `make exports`


class _Loader(yaml.SafeLoader):
    """Reads a task's YAML as lmms-eval does, `!function` by its name."""


_Loader.add_constructor("!function", lambda loader, node: str(node.value))


def test_the_task_names_what_its_folder_has(exported: Callable[[str], Path], stored: StoredExamples) -> None:
    folder = exported("lmms-eval")
    task = yaml.load((folder / "evensight_civet_train.yaml").read_text(), _Loader)
    assert task["task"] == "evensight_civet_train"
    assert (task["dataset_path"], task["dataset_kwargs"]) == ("parquet", {"data_files": {"test": "data.parquet"}})
    utils: dict[str, Any] = {}
    exec((folder / "utils.py").read_text(), utils)
    called = [task[key] for key in ("doc_to_visual", "doc_to_text", "process_results")]
    called += [metric["aggregation"] for metric in task["metric_list"]]
    assert all(callable(utils[name.removeprefix("utils.")]) for name in called)
    rows = pq.read_table(folder / "data.parquet").to_pylist()
    given = {metric["metric"] for metric in task["metric_list"]}
    areas = {f"accuracy_{area.replace(' ', '_')}" for area in AREAS}
    assert given == {"accuracy", "invalid", "cell_std", "cell_std_true", "worst_cell"} | areas
    for each in rows:
        own = f"accuracy_{each['area'].replace(' ', '_')}"
        assert set(utils["process_results"](each, ["center"])) == given - areas | {own}
    assert rows[3][task["doc_to_target"]] == stored[3].question.answer
    assert [row["question"] for row in rows] == [each.question.text for each in stored]
    assert rows[0]["image"]["bytes"] == stored.encoded(0)


def row(task: str, options: list[str], answer: str, cell: str = "0,0") -> dict[str, Any]:
    place: dict[str, Any] = {"cell": cell, "area": "top left" if cell < "0,2" else "top center"}
    place |= {"picture": "p", "box_xyxy_px": [10, 20, 30, 40], "frame_wh_px": [100, 100]}
    return {"id": f"id-{cell}", "task": task, "question": "Where?", "options": options, "answer": answer, **place}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Top left.", Outcome.CORRECT),
        ("left", Outcome.WRONG),
        ("nowhere", Outcome.INVALID),
        ("top left or left", Outcome.INVALID),
    ],
)
def test_an_answer_is_scored_as_in_evaluation(raw: str, expected: Outcome) -> None:
    assert scored(row("absolute-position", ["left", "top left"], "top left"), raw) is expected


@pytest.mark.parametrize(
    ("task", "answer", "raw", "expected"),
    [
        ("exact-cell", "row 3, column 7", "It is in row 3, column 7.", Outcome.CORRECT),
        ("exact-cell", "row 3, column 7", "row 3, column 71", Outcome.WRONG),
        ("exact-cell", "row 3, column 7", "there", Outcome.INVALID),
        ("point", "(20, 30)", "(29, 21)", Outcome.CORRECT),
        ("point", "(20, 30)", "(31, 21)", Outcome.WRONG),
    ],
)
def test_an_open_question_is_scored_as_in_evaluation(task: str, answer: str, raw: str, expected: Outcome) -> None:
    assert scored(row(task, [], answer), raw) is expected


@pytest.mark.parametrize("to", FORMATS)
def test_an_open_question_is_exported(to: str, tmp_path: Path) -> None:
    open_question = Question("exact-cell", "In which row and column is the square?", (), "row 1, column 1")
    export(Made([(example("a", open_question), png(1))]), to, tmp_path / "out")
    if to == "lmms-eval":
        (doc,) = pq.read_table(tmp_path / "out" / "data.parquet").to_pylist()
        assert scored(doc, "row 1, column 1") is Outcome.CORRECT


def test_the_figures_of_a_task() -> None:
    answers = [("0,0", "left"), ("0,0", "right"), ("0,1", "left"), ("0,1", "what?"), ("0,1", "left"), ("0,2", "left")]
    results = [
        process_results(row("column-position", ["left", "right"], "left", cell), [raw]) for cell, raw in answers
    ]
    assert accuracy(items(results, "accuracy")) == 4 / 6
    assert accuracy(items(results, "invalid")) == 1 / 6
    assert accuracy(items(results, "accuracy_top_left")) == 3 / 5
    assert accuracy(items(results, "accuracy_top_center")) == 1
    assert worst_cell(items(results, "worst_cell")) == 1 / 2
    # The cells' accuracies are 1/2, 2/3 and 1: mean 13/18; off by -4/18, -1/18 and 5/18.
    assert cell_std(items(results, "cell_std")) == pytest.approx((42 / 3) ** 0.5 / 18)
    # Of the two cells with more than one question: the variance between, 1/72, is less than the noise within.
    assert cell_std_true(items(results, "cell_std_true")) == 0
    assert all("score" not in result["worst_cell"] for result in results)  # else lmms-eval takes its mean's error


def items(results: list[dict[str, dict[str, Any]]], metric: str) -> list[dict[str, Any]]:
    """What lmms-eval hands to a metric's aggregation."""
    return [result[metric] for result in results if metric in result]


def test_the_log_of_samples_will_have_the_id_and_the_outcome() -> None:
    given = process_results(row("column-position", ["left", "right"], "left", "0,1"), ["what?"])["accuracy"]
    assert given == {"id": "id-0,1", "outcome": "invalid", "score": 0.0, "picture": "p"}


# COCO


def test_pycocotools_reads_it(exported: Callable[[str], Path], stored: StoredExamples) -> None:
    from pycocotools.coco import COCO

    folder = exported("coco")
    coco = COCO(str(folder / "annotations" / "instances_evensight.json"))
    assert coco.getCatIds(catNms=["square"]) == [1]
    assert len(coco.getImgIds(catIds=[1])) == len(coco.getAnnIds()) == N
    for index, annotation in enumerate(coco.loadAnns(coco.getAnnIds())):
        each = stored[index]
        x, y, width, height = annotation["bbox"]
        assert (x, y, x + width, y + height) == each.box.xyxy_px
        assert (annotation["question"], annotation["answer"]) == (each.question.text, each.question.answer)
        (entry,) = coco.loadImgs([annotation["image_id"]])
        path = folder / "evensight" / entry["file_name"]
        assert path.read_bytes() == stored.encoded(index)
        with Image.open(path) as image:
            assert image.size == (entry["width"], entry["height"])


def test_evensight_reads_it_as_photographs(exported: Callable[[str], Path], stored: StoredExamples) -> None:
    split = read_split(exported("coco"), "evensight")
    assert (len(split.rejected), len(split.objects), len(split.images)) == (0, N, N)
    asked = asked_of(exported("coco"), "evensight")
    assert [(each.cell, each.area, each.box) for each in asked] == [
        (each.cell, each.area, each.box) for each in stored
    ]


def test_the_area_is_the_masks_where_it_is_known_else_the_boxs(tmp_path: Path) -> None:
    from evensight.exchange.exports.coco import write

    known = replace(example("b"), attributes={"category": "cat"}, mask_area_px=7.5)
    write(Made([(example("a"), png(1)), (known, png(2)), (example("c", shape="none"), png(1))]), tmp_path)
    content = json.loads((tmp_path / "annotations" / "instances_evensight.json").read_text())
    assert [annotation["area"] for annotation in content["annotations"]] == [12, 7.5, 12]
    assert [annotation["bbox"] for annotation in content["annotations"]] == [[1, 2, 3, 4]] * 3
    assert [annotation["image_id"] for annotation in content["annotations"]] == [1, 2, 1]
    assert content["categories"] == [
        {"id": 1, "name": "cat"},
        {"id": 2, "name": "object"},
        {"id": 3, "name": "square"},
    ]
    assert [annotation["category_id"] for annotation in content["annotations"]] == [3, 1, 2]


def test_other_objects_are_annotated_once_and_without_a_question(tmp_path: Path) -> None:
    star, circle = Object("star", Box(9, 9, 12, 15), {"color": "red"}, 11.0), Object("circle", Box(1, 2, 4, 6))
    rows = [replace(example("a"), others=(star,)), replace(example("b"), box=star.box, others=(circle,))]
    rows += [replace(example("c"), others=(star,)), replace(example("d"), others=(star,))]
    values = [1, 1, 2, 2]  # in the first picture both objects are asked for, in the second only one
    export(Made([(each, png(value)) for each, value in zip(rows, values, strict=True)]), "coco", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "annotations" / "instances_evensight.json").read_text())
    assert ["question" in annotation for annotation in content["annotations"]] == [True] * 4 + [False]
    other = content["annotations"][4]
    assert (other["image_id"], other["bbox"], other["area"]) == (2, [9, 9, 3, 6], 11.0)
    assert other["attributes"] == {"color": "red"}
    assert {entry["id"]: entry["name"] for entry in content["categories"]}[other["category_id"]] == "star"


# The command


def test_the_command_exports_a_stored_set(stored: StoredExamples, tmp_path: Path) -> None:
    import typer

    from evensight.cli.export import export as command

    app = typer.Typer()
    app.command()(command)
    store(Made([(example("a"), png(1))]), tmp_path / "set")
    ran = CliRunner().invoke(app, [str(tmp_path / "set"), "--to", "swift", "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert "1 examples for ms-swift" in ran.output
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == ["a.png"]
    refused = CliRunner().invoke(app, ["nowhere", "--to", "csv", "--out", str(tmp_path / "other")])
    assert isinstance(refused.exception, InputError)
    assert "csv" in str(refused.exception)
    help_text = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).output.split())
    assert all(to in help_text for to in FORMATS)
