"""End to end: the embedded model, served over HTTP, says what it says without a server in between."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from PIL import Image

from evensight.datasets.scene_examples import SceneExamples
from evensight.models.answering import Answer, Asked
from evensight.models.embedded import EMBEDDED_FOLDER
from evensight.models.loading import LoadedModel
from evensight.models.predict import Predictor
from evensight.models.prompts import Prompter
from evensight.models.scoring import Scorer
from evensight.models.server import connect
from evensight.models.servers.settings import ServerSettings
from evensight.scenes.catalog import design
from served_model import serving
from servers import scripted

EXAMPLES = SceneExamples(design("civet-test"), 336, 0)
CHOSEN = range(5, 3888, 300)
IMAGES = [EXAMPLES.image(k) for k in CHOSEN]
TEXTS = [EXAMPLES[k].question.text for k in CHOSEN]
OPTIONS = [EXAMPLES[k].question.options for k in CHOSEN]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The model is too small for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def over_http(url: str, n: int = len(CHOSEN), **settings: Any) -> tuple[list[Answer], dict[str, Any]]:
    """The answers to the first `n` of the chosen questions, in their order, and the server's facts."""
    asking = connect(ServerSettings(url=url, **{"in_flight": 4, "timeout_s": 60.0, **settings}))
    asked = [Asked(k, *one) for k, one in enumerate(list(zip(IMAGES, TEXTS, OPTIONS, strict=True))[:n])]
    return sorted(asking.answers(asked), key=lambda answer: answer.index), dict(asking.facts)


def test_answers_over_http_are_those_without(embedded: LoadedModel) -> None:
    with scripted(serving(embedded), greets=serving(embedded)) as server:
        found, facts = over_http(server.base)
    assert [answer.raw for answer in found] == Predictor(embedded).answer(IMAGES, TEXTS)
    assert len({answer.raw for answer in found}) > 3
    assert facts["choice"] == "free"


def test_held_to_the_options_every_answer_is_one_of_them(embedded: LoadedModel) -> None:
    with scripted(serving(embedded), greets=serving(embedded)) as server:
        found, facts = over_http(server.base, choice="require", max_new_tokens=2)
    assert facts["choice"] == "structured_outputs"
    assert all(answer.raw in options for answer, options in zip(found, OPTIONS, strict=True))
    with scripted(serving(embedded), greets=serving(embedded)) as server:
        (both,), _ = over_http(server.base, 1, choice="require", max_new_tokens=3, by="both")
    assert both.raw == found[0].raw
    assert both.option_scores is not None
    assert server.asked[0].body["structured_outputs"] == {"choice": list(OPTIONS[0])}


def test_options_score_over_http_what_they_score_without(embedded: LoadedModel) -> None:
    n, scorer = 3, Scorer(embedded)
    with scripted(serving(embedded), greets=serving(embedded)) as server:
        found, _ = over_http(server.base, n, by="both")
        blind = connect(ServerSettings(url=server.base, by="both", in_flight=2)).for_priors
        assert blind is not None
        asked = [Asked(k, Image.new("RGB", IMAGES[0].size), TEXTS[k], OPTIONS[k]) for k in range(n)]
        priors = {answer.index: answer.option_scores for answer in blind.answers(asked)}
    here = scorer.scores(IMAGES[:n], TEXTS[:n], OPTIONS[:n])
    black = scorer.scores([Image.new("RGB", IMAGES[0].size)] * n, TEXTS[:n], OPTIONS[:n])
    for k, answer in enumerate(found):
        assert answer.option_scores == pytest.approx(here[k], abs=1e-3)
        assert priors[k] == pytest.approx(black[k], abs=1e-3)
    prompter = Prompter(embedded.processor, embedded.model.config.model_type)
    assert found[0].option_tokens == tuple(len(prompter.answer_ids(option)) for option in OPTIONS[0])
    assert [answer.raw for answer in found] == Predictor(embedded).answer(IMAGES[:n], TEXTS[:n])


@contextmanager
def transformers_serving() -> Iterator[str]:
    """`transformers serve` with the embedded model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", str(EMBEDDED_FOLDER), "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "transformers.cli.transformers", *words]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


MISSING = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]


@pytest.mark.skipif(bool(MISSING), reason=f"`transformers serve` needs {', '.join(MISSING)}")
def test_transformers_serve_says_the_same(embedded: LoadedModel) -> None:
    with transformers_serving() as url:
        found, facts = over_http(url, model=str(EMBEDDED_FOLDER), choice="auto")
    assert [answer.raw for answer in found] == Predictor(embedded).answer(IMAGES, TEXTS)
    assert facts["choice"] == "free"  # it has no way to hold an answer
