"""A server is known before it is asked: its model, its names for things, how it holds an answer to options."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from evensight.models.answering import Asked
from evensight.models.server import connect
from evensight.models.servers.answerer import ServerAnswerer
from evensight.models.servers.faults import ServerError
from evensight.models.servers.settings import ServerSettings
from servers import Behaviour, Request, Say, ScriptedServer, completion, scripted

AREAS = ("top left", "center (middle)", "bottom right")
FREE = Say(body=completion("grey"))


def met(server: ScriptedServer, **settings: Any) -> ServerAnswerer:
    return connect(ServerSettings(url=server.base, first_wait_s=0.01, **settings))


def refuses(name: str, words: str) -> Behaviour:
    """Refuses requests that have a field."""
    return lambda request, n: Say(400, {"error": {"message": words}}) if name in request.body else FREE


def test_a_model_without_a_name_is_the_only_one() -> None:
    with scripted(models=("nobody/vlm",)) as server:
        assert met(server).facts["model"] == "nobody/vlm"
    assert server.greetings[0].body["model"] == "nobody/vlm"


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ((), "has no model: name one of its own"),
        (("a", "b"), "has 2 models: name one of `a`, `b`"),
        (tuple(f"m{k}" for k in range(50)), "has 50 models: name one of `m0`, `m1`, "),
    ],
)
def test_one_of_several_models_has_to_be_named(models: tuple[str, ...], words: str) -> None:
    with scripted(models=models) as server, pytest.raises(ServerError, match=r"\A.{1,300}\Z") as caught:
        met(server)
    assert words in str(caught.value)


def test_a_model_that_is_named_is_not_looked_up() -> None:
    with scripted(models=()) as server:
        assert met(server, model="mine").facts["model"] == "mine"
    assert "/v1/models" not in [request.path for request in server.others]


def test_the_longer_name_of_the_bound_is_used_where_the_server_insists() -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    with scripted(greets=refuses("max_tokens", words)) as server:
        list(met(server, max_new_tokens=7).answers([Asked(0, Image.new("RGB", (8, 8)), "what?", ())]))
    assert "max_tokens" not in server.asked[0].body
    assert server.asked[0].body["max_completion_tokens"] == 7


@pytest.mark.parametrize(
    ("name", "words", "facts"),
    [
        ("temperature", "Unsupported value: 'temperature' does not support 0", {"decoding": "the server's own"}),
        ("seed", "extra fields not permitted: seed", {"decoding": "greedy", "seed": None}),
    ],
)
def test_what_a_server_does_not_take_is_left_out_and_told(name: str, words: str, facts: dict[str, Any]) -> None:
    with scripted(greets=refuses(name, words)) as server:
        asking = met(server)
        list(asking.answers([Asked(0, Image.new("RGB", (8, 8)), "what?", ())]))
    assert name not in server.asked[0].body
    assert asking.facts.items() >= facts.items()


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (Say(400, {"message": "this model takes no images"}), "about a picture: the server answered 400: this model"),
        (Say(422, {"detail": [{"msg": "temperature: no"}]}), "answered 422: temperature: no"),
        (Say(200, b"<html></html>"), "can't be asked: the answer is no JSON but an HTML page; see that it runs"),
        (Say(503), "can't be asked: the server answered 503: nothing more; see that it runs"),
        (Say(401, {"error": "bad key"}), "answered 401: bad key; see that EVENSIGHT_API_KEY in the environment is"),
        (
            Say(body=completion(None, reasoning_content="Hm", finish_reason="length")),
            "used all 15 tokens and answered",
        ),
    ],
)
def test_a_server_that_cannot_be_asked_says_so_at_once(say: Say, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENSIGHT_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with scripted(greets=lambda *_: say) as server, pytest.raises(ServerError, match=r"\A.+\Z") as caught:
        met(server)
    assert words in str(caught.value)
    assert server.asked == []


def test_nobody_at_home_is_one_line() -> None:
    with scripted() as server:
        pass
    with pytest.raises(ServerError, match=r"\A`http://127.0.0.1:\d+/v1` can't be asked: no connection \(.+\Z"):
        met(server)


def choice_of(
    field: str, options: Callable[[dict[str, Any]], list[str]], wrap: Callable[[str], str] = str
) -> Behaviour:
    """Holds answers to the options of one field, to the last of them, and passes over all other fields."""

    def behaviour(request: Request, _: int) -> Say:
        if field not in request.body:
            return FREE
        return Say(body=completion(wrap(options(request.body)[-1])))

    return behaviour


def of_schema(body: dict[str, Any]) -> list[str]:
    asked = body["response_format"]
    assert asked["type"] == "json_schema"
    schema = asked["json_schema"]["schema"]
    assert (asked["json_schema"]["strict"], schema["additionalProperties"]) == (True, False)
    assert schema["required"] == ["answer"]
    return list(schema["properties"]["answer"]["enum"])


def of_pattern(body: dict[str, Any]) -> list[str]:
    inner = body["regex"].removeprefix("(").removesuffix(")")
    return [option.replace("\\", "") for option in inner.split("|")]


WAYS = {
    "structured_outputs": choice_of("structured_outputs", lambda body: body["structured_outputs"]["choice"]),
    "guided_choice": choice_of("guided_choice", lambda body: body["guided_choice"]),
    "regex": choice_of("regex", of_pattern),
    "response_format": choice_of("response_format", of_schema, lambda one: json.dumps({"answer": one})),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_way_to_hold_an_answer_to_options_is_found_by_trying(way: str) -> None:
    with scripted(WAYS[way], greets=WAYS[way]) as server:
        asking = met(server, choice="require")
        asked = [
            Asked(0, Image.new("RGB", (8, 8)), "where?", AREAS),
            Asked(1, Image.new("RGB", (8, 8)), "how many?", ()),
        ]
        found = {answer.index: answer.raw for answer in asking.answers(asked)}
    assert asking.facts["choice"] == way
    assert found == {0: "bottom right", 1: "grey"}  # an open question has no options
    ways = list(WAYS)
    tried = [next((name for name in ways if name in request.body), "") for request in server.greetings]
    assert tried == ["", *ways[: ways.index(way) + 1]]


def test_json_has_room_for_what_is_around_the_option() -> None:
    way = WAYS["response_format"]
    with scripted(way, greets=way) as server:
        list(met(server, choice="auto").answers([Asked(0, Image.new("RGB", (8, 8)), "where?", AREAS)]))
    assert server.asked[0].body["max_tokens"] == 15 + 32


def test_a_pattern_means_the_options_to_the_letter() -> None:
    way = WAYS["regex"]
    with scripted(way, greets=way) as server:
        list(met(server, choice="auto").answers([Asked(0, Image.new("RGB", (8, 8)), "where?", AREAS)]))
    assert server.asked[0].body["regex"] == r"(top left|center \(middle\)|bottom right)"


@pytest.mark.parametrize(
    "raw", ['{"answer": "elsewhere"}', '{"answer": 1}', "top left", '{"answer": "top', "[" * 9999]
)
def test_what_does_not_keep_to_the_options_stays_as_it_came(raw: str) -> None:
    with scripted(lambda *_: Say(body=completion(raw)), greets=WAYS["response_format"]) as server:
        asked = [Asked(0, Image.new("RGB", (8, 8)), "where?", AREAS)]
        assert [answer.raw for answer in met(server, choice="auto").answers(asked)] == [raw]


@pytest.mark.parametrize("refusal", [FREE, Say(400, {"error": "unknown field"}), Say(body=completion("quince"))])
def test_a_server_without_a_way_answers_freely_unless_one_is_required(refusal: Say) -> None:
    def greets(request: Request, n: int) -> Say:
        return refusal if n else FREE

    with scripted(greets=greets) as server:
        asking = met(server, choice="auto", retries=0)
        list(asking.answers([Asked(0, Image.new("RGB", (8, 8)), "where?", AREAS)]))
        assert set(server.asked[0].body) == {"model", "messages", "max_tokens", "temperature", "seed"}
    assert asking.facts["choice"] == "free"
    with scripted(greets=greets) as server, pytest.raises(ServerError, match="none of structured_outputs, guided_ch"):
        met(server, choice="require", retries=0)


def test_a_server_that_fails_has_not_said_that_it_can_t_hold_answers() -> None:
    def greets(request: Request, n: int) -> Say:
        return Say(500) if n else FREE

    with (
        scripted(greets=greets) as server,
        pytest.raises(ServerError, match="can't be asked: the server answered 500"),
    ):
        met(server, choice="auto", retries=0)


def test_what_the_server_says_of_itself_is_told() -> None:
    said = completion("grey") | {"model": "vlm-2026-01-01", "system_fingerprint": "fp_1"}
    with scripted(greets=lambda *_: Say(body=said)) as server:
        facts = met(server, extra={"top_k": 1}).facts
    assert facts == {
        "model": "tested",
        "server": f"{server.base}/v1",
        "answered_as": "vlm-2026-01-01",
        "system_fingerprint": "fp_1",
        "decoding": "greedy",
        "seed": 0,
        "max_new_tokens": 15,
        "by": "generation",
        "choice": "free",
        "extra": {"top_k": 1},
    }
    json.dumps(facts)


def test_a_model_is_known_by_its_name_and_by_what_that_stands_for() -> None:
    def alias(*_: Any) -> Say:
        return Say(body=completion("grey") | {"model": "vlm-2026-01-01"})

    with scripted() as server, scripted(greets=alias) as other:
        assert met(server).identity == "tested"
        assert met(other).identity == "tested (vlm-2026-01-01)"
        assert (
            met(server).config
            == met(server, in_flight=3, timeout_s=9.0).config
            != met(server, max_new_tokens=9).config
        )
