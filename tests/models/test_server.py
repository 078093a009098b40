"""A model at a server is known by what its answers depend on."""

from typing import Any

import pytest

from evensight.models.answering import Answerer, Subject
from evensight.models.server import ModelAtServer
from evensight.models.servers.settings import ServerSettings
from servers import scripted


def at(url: str = "http://localhost:8000", **settings: Any) -> ModelAtServer:
    return ModelAtServer(ServerSettings(url=url, **settings))


def test_how_fast_and_where_a_named_model_is_asked_is_no_part_of_it() -> None:
    one = at(model="vlm")
    other = at("https://elsewhere.test/v1", model="vlm", in_flight=3, retries=1, timeout_s=9.0)
    assert (one.config, one.inputs) == (other.config, other.inputs)
    assert one.inputs == {"model": "server:vlm"}


@pytest.mark.parametrize(
    "settings",
    [{"model": "other"}, {"by": "both"}, {"choice": "auto"}, {"max_new_tokens": 9}, {"extra": {"top_k": 1}}],
)
def test_what_changes_answers_changes_the_run(settings: dict[str, Any]) -> None:
    assert at(**{"model": "vlm", **settings}).config != at(model="vlm").config


def test_a_model_without_a_name_is_known_by_the_one_that_the_server_has() -> None:
    with scripted() as server:
        subject = at(server.base)
        assert subject.config["model"] == "tested"
        assert subject.inputs == {"model": "server:tested"}
        assert subject.trainings == ()
        assert subject.answerer().facts["model"] == "tested"
        assert sum(request.path == "/v1/models" for request in server.others) == 1


def test_it_answers_as_others_do() -> None:
    with scripted() as server:
        subject: Subject = at(server.base)
        answerer: Answerer = subject.answerer()
    assert answerer.row == {"model": "tested", "adapter": None, "processor": None, "batch_size": 1}
    assert (answerer.group_size, answerer.for_priors) == (1, None)
