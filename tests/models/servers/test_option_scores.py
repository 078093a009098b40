"""What a server says of a prompt's likelihood becomes the options' scores, or one line that says why not."""

from typing import Any

import pytest
from PIL import Image

from evensight.models.answering import Answer, Asked
from evensight.models.server import connect
from evensight.models.servers.faults import ServerError
from evensight.models.servers.settings import ServerSettings
from servers import Behaviour, Request, Say, completion, scripted

OPTIONS = ("top left", "left", "bottom right")
LIKELY = {"top": -1.0, "left": -0.5, "bottom": -2.0, "right": -0.25, "<end>": -0.125}
BLACK_NATS = 4.0
"""How much less likely the first word of an answer is where the image is black."""


def tokens(request: Request, newline: bool = True, end: str = "<end>") -> list[tuple[str, float]]:
    """The words of the prompt, and how likely each is, by hand."""
    found = [("<start>", 0.0), ("<image>", -9.0), *((word, -9.0) for word in request.text.split()), ("says:", -9.0)]
    if request.body["add_generation_prompt"]:
        return found
    said = [(word, LIKELY.get(word, -7.0)) for word in request.body["messages"][1]["content"].split()]
    if request.image.getextrema() == ((0, 0),) * 3:
        said[0] = (said[0][0], said[0][1] - BLACK_NATS)
    return [*found, *said, (end, LIKELY["<end>"]), *([("\n", -8.0)] if newline else [])]


def likelihoods(words: list[tuple[str, float]]) -> list[Any]:
    return [None, *({f"id {w}": {"logprob": nats, "rank": 3, "decoded_token": w}} for w, nats in words[1:])]


def vllm(**shape: Any) -> Behaviour:
    def behaviour(request: Request, _: int) -> Say:
        said = completion("left")
        if request.body.get("prompt_logprobs") == 0:
            said["prompt_logprobs"] = likelihoods(tokens(request, **shape))
        return Say(body=said)

    return behaviour


def scored(behaviour: Behaviour, greets: Behaviour | None = None) -> Answer:
    """The answer to a question with a white image."""
    white = Image.new("RGB", (8, 8), (255, 255, 255))
    with scripted(behaviour, greets=greets or behaviour) as server:
        asking = connect(ServerSettings(url=server.base, by="both", in_flight=1, retries=1, first_wait_s=0.01))
        (answer,) = asking.answers([Asked(0, white, "where is it?", OPTIONS)])
        return answer


@pytest.mark.parametrize("newline", [True, False])
def test_a_score_is_the_sum_over_the_options_tokens_and_the_end(newline: bool) -> None:
    answer = scored(vllm(newline=newline))
    assert answer.raw == "left"
    assert answer.option_scores == pytest.approx((-1.0 - 0.5 - 0.125, -0.5 - 0.125, -2.0 - 0.25 - 0.125))
    assert answer.option_tokens == (3, 2, 3)
    assert answer.option_priors is None


def test_asked_for_options_alone_the_best_is_the_answer_and_few_words_are_made() -> None:
    white = Image.new("RGB", (8, 8), (255, 255, 255))
    with scripted(vllm(), greets=vllm()) as server:
        asking = connect(ServerSettings(url=server.base, by="options", in_flight=1))
        (answer,) = asking.answers([Asked(0, white, "where is it?", OPTIONS[::2])])
    assert answer.raw == "top left"
    assert [request.body["max_tokens"] for request in server.asked] == [1, 1, 1]


def test_priors_are_the_same_scores_on_black_images() -> None:
    black = Image.new("RGB", (8, 8))
    with scripted(vllm(), greets=vllm()) as server:
        asking = connect(ServerSettings(url=server.base, by="both"))
        assert asking.for_priors is not None
        assert asking.for_priors.for_priors is None
        (answer,) = asking.for_priors.answers([Asked(0, black, "where is it?", OPTIONS)])
        assert connect(ServerSettings(url=server.base, by="both", priors=False)).for_priors is None
        assert connect(ServerSettings(url=server.base)).for_priors is None
    assert answer.option_scores == pytest.approx((-1.625 - BLACK_NATS, -0.625 - BLACK_NATS, -2.375 - BLACK_NATS))


def test_an_open_question_has_no_scores() -> None:
    with scripted(vllm(), greets=vllm()) as server:
        asking = connect(ServerSettings(url=server.base, by="options"))
        (answer,) = asking.answers([Asked(0, Image.new("RGB", (8, 8)), "how many?", ())])
    assert answer == Answer(0, "left")


def silent(request: Request, _: int) -> Say:
    return Say(body=completion("left"))


def refusing(request: Request, _: int) -> Say:
    return (
        Say(400, {"message": "unknown prompt_logprobs"}) if "prompt_logprobs" in request.body else silent(request, 0)
    )


def endless(request: Request, n: int) -> Say:
    said = vllm(newline=False)(request, n)
    if said.body.get("prompt_logprobs") and not request.body["add_generation_prompt"]:
        said.body["prompt_logprobs"].pop()
    return said


@pytest.mark.parametrize(
    ("greets", "words"),
    [
        (silent, "can't score options: expected vLLM, .* ask it by generation"),
        (refusing, "can't score options: expected vLLM, .* unknown prompt_logprobs"),
        (endless, "can't score options: no token ends an answer in its chat template"),
        (vllm(newline=False, end="so"), "can't score options: no token ends an answer in its chat template"),
    ],
)
def test_a_server_that_cannot_score_says_so_at_once(greets: Behaviour, words: str) -> None:
    with pytest.raises(ServerError, match=rf"\A`.+` {words}"):
        scored(vllm(), greets)


def thinking(request: Request, n: int) -> Say:
    """Puts something into the prompt of a generation that a whole conversation doesn't have."""
    said = vllm()(request, n)
    if request.body["add_generation_prompt"]:
        said.body["prompt_logprobs"].append({"id <think>": {"logprob": -1.0, "decoded_token": "<think>"}})
    return said


def ambiguous(request: Request, n: int) -> Say:
    said = vllm()(request, n)
    said.body["prompt_logprobs"][-1]["id other"] = {"logprob": -1.0}
    return said


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [
        (thinking, "doesn't begin with the tokens of the question"),
        (ambiguous, "2 tokens in one place of the prompt"),
        (vllm(end="<stop>"), "the answer doesn't end on the token that ended others"),
        (silent, "no prompt_logprobs in the answer"),
    ],
)
def test_a_score_that_would_be_wrong_is_a_fault(behaviour: Behaviour, fault: str) -> None:
    answer = scored(behaviour, vllm())
    assert answer.option_scores is None
    assert fault in (answer.fault or "")
