"""Greedy is the likeliest word whatever a checkpoint's own settings say, and these are told."""

import copy
from functools import wraps
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import GenerationConfig

from evensight.models import continued
from evensight.models.answering import GENERATION, OPTIONS, Way
from evensight.models.asked_here import Here
from evensight.models.greedy import NEUTRAL, overridden
from evensight.models.loading import LoadedModel
from evensight.models.predict import Predictor
from evensight.models.scoring import Scorer

IMAGES = [Image.new("RGB", (108, 108), color) for color in ("red", "black")]
TEXTS = ["Where is the star?", "What color is the object?"]
MEDDLING = {"repetition_penalty": 30.0, "no_repeat_ngram_size": 1, "min_new_tokens": 9, "do_sample": True}


@pytest.fixture
def meddled(embedded: LoadedModel) -> LoadedModel:
    """The embedded model with generation settings that change what it says."""
    model = copy.deepcopy(embedded.model)
    for name, value in MEDDLING.items():
        setattr(model.generation_config, name, value)
    return LoadedModel(embedded.name, model, embedded.processor, embedded.hashes)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, {}),
        ({"repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "bad_words_ids": [], "sequence_bias": {}}, {}),
        ({"temperature": 0.1, "top_p": 0.01}, {}),  # they say nothing where nothing is drawn
        ({"repetition_penalty": 1.05}, {"repetition_penalty": 1.05}),
        ({"repetition_penalty": 0}, {"repetition_penalty": 0}),
        ({"no_repeat_ngram_size": 1}, {"no_repeat_ngram_size": 1}),
        ({"min_new_tokens": 1}, {"min_new_tokens": 1}),
        ({"forced_eos_token_id": 0}, {"forced_eos_token_id": 0}),
        ({"guidance_scale": 0.0}, {"guidance_scale": 0.0}),
        ({"do_sample": True, "num_beams": 4}, {"do_sample": True, "num_beams": 4}),
    ],
)
def test_each_setting_has_a_value_at_which_it_does_nothing(settings: dict[str, Any], told: dict[str, Any]) -> None:
    assert overridden(SimpleNamespace(**settings)) == told


def test_what_is_neutral_is_known_to_transformers() -> None:
    known = vars(GenerationConfig())
    assert set(NEUTRAL) <= set(known)
    assert overridden(GenerationConfig()) == {}


@pytest.mark.parametrize("steps_itself", [True, False])
def test_answers_are_the_same_whatever_the_checkpoint_wants(
    steps_itself: bool, embedded: LoadedModel, meddled: LoadedModel
) -> None:
    plain = Predictor(embedded, steps_itself=steps_itself).answer(IMAGES, TEXTS)
    assert Predictor(meddled, steps_itself=steps_itself).answer(IMAGES, TEXTS) == plain


def test_the_settings_do_change_what_transformers_says(embedded: LoadedModel, meddled: LoadedModel) -> None:
    """Or being the same would show nothing."""
    meddled.model.generation_config.do_sample = False
    prompter = Predictor(embedded)._prompter
    batch = prompter.encode(IMAGES, TEXTS)
    said = [
        [prompter.decode(row[batch["input_ids"].shape[1] :]) for row in model.generate(**batch, max_new_tokens=15)]
        for model in (embedded.model, meddled.model)
    ]
    assert said[0] != said[1]


def test_the_manifest_names_what_is_not_followed(embedded: LoadedModel, meddled: LoadedModel) -> None:
    told = Here(meddled, 2, Way(GENERATION)).facts["generation_settings_overridden"]
    assert told == {name: str(MEDDLING[name]) for name in told}
    assert set(told) == set(MEDDLING)
    assert "generation_settings_overridden" not in Here(embedded, 2, Way(GENERATION)).facts
    assert "generation_settings_overridden" not in Here(meddled, 2, Way(OPTIONS)).facts


def test_a_model_that_keeps_no_cache_is_found_out_once(
    embedded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = LoadedModel(embedded.name, copy.deepcopy(embedded.model), embedded.processor, embedded.hashes)
    plain = Predictor(embedded).answer(IMAGES, TEXTS)
    forward, calls = loaded.model.forward, []

    @wraps(forward)
    def without_cache(*args: Any, **kwargs: Any) -> Any:
        out = forward(*args, **kwargs)
        if kwargs.get("logits_to_keep") == 1 and kwargs.get("use_cache") and "past_key_values" not in kwargs:
            calls.append(1)
            out.past_key_values = None
        return out

    monkeypatch.setattr(loaded.model, "forward", without_cache)
    predictor = Predictor(loaded)
    assert predictor.answer(IMAGES, TEXTS) == predictor.answer(IMAGES, TEXTS) == plain
    assert len(calls) == 1
    assert loaded.model in continued._without_cache
    assert embedded.model not in continued._without_cache


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("not a tree"),
    ],
)
def test_too_little_memory_says_nothing_of_trees(
    error: Exception, embedded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Scorer, "_in_trees", fail)
    scorer = Scorer(embedded)
    if "memory" in str(error):
        with pytest.raises(type(error), match="memory"):
            scorer.trees_are_exact  # noqa: B018 - it is found out when it is asked for
    else:
        assert not scorer.trees_are_exact
