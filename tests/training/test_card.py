"""The card of an adapter or a model: what the Hub reads, and what a person has to know to trust it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from evensight.audits.audit import audit, certificate
from evensight.datasets.examples import ExampleSet
from evensight.datasets.scene_examples import SceneExamples
from evensight.datasets.subsets import Part
from evensight.evaluation.ask import Allowed, evaluate_subject
from evensight.models.asked_here import ModelHere
from evensight.models.hub import HubId
from evensight.models.loading import LoadedModel
from evensight.runs import RunFolder, RunManifest, versions
from evensight.scenes.compose import SceneDesign
from evensight.training.card import Base, Card, base_of, hardware, learned, scores
from evensight.training.finetune import config_for, finetune
from evensight.training.methods import FinetuneConfig
from evensight.training.trainer import Fitted
from evensight.training.validation import ACCURACY, PERPLEXITY

COMMIT = "c" * 40


@pytest.fixture(scope="module")
def few(mini_train: SceneDesign) -> SceneExamples:
    return SceneExamples(mini_train, 108, 0)


@pytest.fixture(scope="module")
def tuned(few: SceneExamples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the set as it is."""
    out = tmp_path_factory.mktemp("tuned") / "run"
    run(few, out, seed=3)
    return out


def run(examples: ExampleSet, out: Path, validation: ExampleSet | None = None, **overrides: Any) -> RunManifest:
    config = config_for("embedded", {"epochs": 0.02, "batch_size": 2, **overrides}, "the test")
    return finetune("embedded", examples, config, out, validation=validation)


def card_of(examples: ExampleSet, **changed: Any) -> Card:
    given: dict[str, Any] = {
        "base": Base("owner/name", HubId("owner/name", COMMIT), f"owner/name@{COMMIT}"),
        "examples": examples,
        "counted": audit(examples),
        "config": FinetuneConfig(),
        "parameters": {"language": {"parameters": 1200, "trained": 34}},
        "hardware": "2 x NVIDIA H100",
        "learned": "in 3 steps",
    }
    return Card(**given | changed)


def head_of(text: str) -> dict[str, Any]:
    """What the Hub's own library reads of a card."""
    data: Any = ModelCard(text).data
    return dict(data.to_dict())


def table(text: str, heading: str) -> Mapping[str, str]:
    """The last table under a heading, its first column with the second."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (.+?) \| (.+?) \|", section.rpartition("\n\n")[2], re.MULTILINE)
    return dict(lines[2:])


@pytest.mark.parametrize(
    ("method", "library", "tags"),
    [
        ("lora", "peft", ["lora"]),
        ("dora", "peft", ["dora", "lora"]),
        ("qlora", "peft", ["lora", "qlora"]),
        ("full", "transformers", ["full"]),
    ],
)
def test_the_head_is_what_the_hub_reads(few: SceneExamples, method: Any, library: str, tags: list[str]) -> None:
    assert head_of(card_of(few, config=FinetuneConfig(method=method)).text) == {
        "base_model": "owner/name",
        "library_name": library,
        "pipeline_tag": "image-text-to-text",
        "tags": ["evensight", "spatial-reasoning", *tags],
    }


def test_a_base_that_is_not_on_the_hub_is_not_named_as_if_it_were(few: SceneExamples, tmp_path: Path) -> None:
    base = base_of(LoadedModel(str(tmp_path / "my-model"), None, None, {"model": "f" * 64}))
    text = card_of(few, base=base).text
    assert "base_model" not in head_of(text)
    assert "`my-model`" in text
    assert "f" * 64 in text
    assert str(tmp_path) not in text


def test_the_commit_of_the_base_is_told(few: SceneExamples) -> None:
    assert f"The base is `owner/name` at the commit `{COMMIT}`." in card_of(few).text


def test_the_data_stand_there_with_their_hash_their_counts_and_what_was_counted_of_their_claims(
    few: SceneExamples, tuned: Path
) -> None:
    text = (tuned / "adapter" / "README.md").read_text()
    assert RunFolder(tuned).manifest("finetune").inputs["data"] == few.hash
    assert f"SHA-256 `{few.hash}`" in text
    assert certificate(audit(few)).strip() in text
    assert "| area | slot | " in text
    n_by_area = {area: sum(example.area == area for example in few) for area in {example.area for example in few}}
    assert {area: int(n) for area, n in table(text, "Data").items()} == n_by_area


def test_of_a_set_that_claims_nothing_the_card_says_so(few: SceneExamples) -> None:
    share = Part(few, range(40), {"first": 40})
    assert "40 questions. The set claims no balance, and nothing contradicts itself." in card_of(share).text
    text = card_of(few, counted=None).text
    assert "too many questions to be counted here" in text


@pytest.mark.parametrize("method", ["lora", "full"])
def test_recipe_and_trained_parameters_are_those_of_the_manifest(
    few: SceneExamples, tuned: Path, tmp_path: Path, method: str
) -> None:
    out, name = (tuned, "adapter") if method == "lora" else (tmp_path / "run", "model")
    manifest = run(few, out, method=method, seed=3)
    text = (out / name / "README.md").read_text()
    recipe = dict(table(text, "Recipe"))
    assert recipe.pop("hardware") == manifest.facts["hardware"] == hardware(1)
    for name, version in versions().items():
        assert recipe.pop(name) == version
    assert {name: json.loads(value) for name, value in recipe.items()} == {
        name: manifest.config[name] for name in FinetuneConfig.model_fields
    }
    trained = {part: int(n.replace(",", "")) for part, n in table(text, "What was trained").items()}
    assert trained == {part: row["parameters"] for part, row in manifest.facts["parameters"].items()}
    row = manifest.facts["parameters"]["language"]
    assert f"| language | {row['parameters']:,} | {row['trained']:,} |" in text


def test_scores_by_area_are_those_of_the_weights_that_were_kept(few: SceneExamples, tmp_path: Path) -> None:
    reds, greens = (
        Part(few, [k for k, e in enumerate(few) if e.attributes["color"] == color], {"color": color})
        for color in ("red", "green")
    )
    run(reds, tmp_path / "run", Part(greens, range(0, 81, 4), {"every": 4}))
    text = (tmp_path / "run" / "adapter" / "README.md").read_text()
    header, last = (line.split(",") for line in (tmp_path / "run" / "validation.csv").read_text().splitlines())
    figures = dict(zip(header, last, strict=True))
    assert {area: share for area, share in table(text, "Validation").items() if area != "all"} == {
        name.partition("/")[2]: f"{100 * float(value):.1f} %" for name, value in figures.items() if "/" in name
    }
    assert table(text, "Validation")["all"] == f"{100 * float(figures['accuracy']):.1f} %"
    assert "## Validation" not in card_of(few).text


def test_of_several_validations_the_card_has_that_of_the_best_step() -> None:
    done = [{"step": float(step), PERPLEXITY: value, ACCURACY: 0.5} for step, value in ((1, 3.0), (2, 2.0), (3, 4.0))]
    fitted = Fitted([1.0, 0.5, 0.25], done, best_step=2)
    assert scores(fitted) == done[1]
    assert learned(fitted).startswith(
        "in 3 steps; the last step's loss was 0.2500; these are the weights after step 2,"
    )
    assert "the lowest, 2.0000, with 50.0 % of the answers right" in learned(fitted)
    assert scores(Fitted([1.0], [], best_step=1)) is None


def test_the_hardware_is_told_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"1 x CPU \(.+\)", hardware(1))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    assert hardware(8) == "8 x NVIDIA H100 80GB HBM3"


def test_asking_with_an_adapter_changes_nothing_in_its_run(few: SceneExamples, tuned: Path, tmp_path: Path) -> None:
    def seen() -> dict[str, tuple[bytes, int]]:
        files = (path for path in tuned.rglob("*") if path.is_file())
        return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = seen()
    subject = ModelHere("embedded", tuned, 4)
    evaluate_subject(subject, Part(few, range(4), {}), tmp_path / "asked", allowed=Allowed(trained_on=True))
    assert seen() == before
