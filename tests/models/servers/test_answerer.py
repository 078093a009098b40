"""Each question is answered once, whatever the server does; what can't be answered says why."""

import html
import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from PIL import Image

from evensight.models.answering import Answer, Asked
from evensight.models.server import connect
from evensight.models.servers.answerer import ServerAnswerer
from evensight.models.servers.faults import ServerError
from evensight.models.servers.settings import ServerSettings
from faulty_server import certificate
from servers import Behaviour, Request, Say, ScriptedServer, colour, completion, right, scripted

HTML = b"<!doctype html><html><body>502</body></html>"
SECRET = "sk-0123456789abcdef"


def pixel(k: int) -> tuple[int, int, int]:
    return k % 251, k // 251, 7


def expected(k: int) -> str:
    return "{:02x}{:02x}{:02x}".format(*pixel(k))


def questions(n: int, options: tuple[str, ...] = ()) -> Iterator[Asked]:
    for k in range(n):
        yield Asked(k, Image.new("RGB", (8, 6), pixel(k)), f"question {k}", options)


def answerer(server: ScriptedServer, **settings: Any) -> ServerAnswerer:
    quick = {"first_wait_s": 0.01, "timeout_s": 5.0, "in_flight": 8, "retries": 3}
    return connect(ServerSettings(url=server.base, **(quick | settings)))


def ask(server: ScriptedServer, n: int = 1, **settings: Any) -> list[Answer]:
    return sorted(answerer(server, **settings).answers(questions(n)), key=lambda answer: answer.index)


def until_it_stops(answers: Iterator[Answer]) -> tuple[list[Answer], ServerError | None]:
    """What was handed out, and the error that ended it."""
    found = []
    while True:
        try:
            found.append(next(answers))
        except StopIteration:
            return found, None
        except ServerError as error:
            return found, error


def once(say: Say) -> Behaviour:
    """Says this to the first question, and the right answer to all others."""
    return lambda request, n: say if n == 0 else right(request, n)


def always(say: Say) -> Behaviour:
    return lambda request, n: say


def test_answers_are_those_of_the_pictures_that_were_sent() -> None:
    with scripted() as server:
        found = ask(server, 40)
    assert [answer.raw for answer in found] == [expected(k) for k in range(40)]
    assert [answer.index for answer in found] == list(range(40))
    assert {request.text for request in server.asked} == {f"question {k}" for k in range(40)}


def test_a_picture_is_sent_to_the_pixel() -> None:
    noise = random.Random(5).randbytes(31 * 17 * 3)
    image = Image.frombytes("RGB", (31, 17), noise)
    with scripted() as server:
        list(answerer(server).answers([Asked(0, image, "what?", ())]))
    assert server.asked[0].image.convert("RGB").tobytes() == noise


def test_a_request_is_greedy_bounded_and_free() -> None:
    with scripted() as server:
        ask(server, 1, max_new_tokens=9, extra={"top_k": 1})
    fields = {key: value for key, value in server.asked[0].body.items() if key != "messages"}
    assert fields == {"model": "tested", "max_tokens": 9, "temperature": 0, "seed": 0, "top_k": 1}


PASSING = {
    "500": Say(500, {"error": {"message": "cuda went away"}}),
    "502 in HTML": Say(502, HTML, {"Content-Type": "text/html"}),
    "503 that asks to wait": Say(503, b"", {"Retry-After": "0"}),
    "408": Say(408),
    "409": Say(409),
    "429": Say(429, {"error": {"message": "slow down"}}),
    "a dropped connection": Say(drops=True),
    "HTML": Say(200, HTML),
    "nothing": Say(200, b""),
    "JSON of another shape": Say(200, {"answer": "top left"}),
    "a list": Say(200, [1, 2]),
    "deep JSON": Say(200, b'{"x": ' + b"[" * 100_000),
    "500 in deep JSON": Say(500, b"[" * 100_000),
    "half of a surrogate": Say(200, json.dumps(completion("\ud800")).encode()),
    "bytes that are no UTF-8": Say(200, b'{"choices": "\xff"}'),
    "no choices": Say(200, {"choices": []}),
    "a choice without a message": Say(200, {"choices": [{"index": 0}]}),
    "a number for an answer": Say(200, completion(7)),
    "an endless answer's text": Say(200, completion("a" * 70_000)),
    "a packed body": Say(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("say", PASSING.values(), ids=PASSING)
def test_after_a_fault_that_may_pass_the_question_is_asked_again(say: Say) -> None:
    with scripted(once(say)) as server:
        (answer,) = ask(server)
    assert answer == Answer(0, expected(0))
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (PASSING["500"], "the server answered 500: cuda went away"),
        (PASSING["502 in HTML"], "the server answered 502: an HTML page"),
        (PASSING["HTML"], "the answer is no JSON but an HTML page"),
        (PASSING["a packed body"], "the answer came as `gzip`: expected plain bytes"),
        (PASSING["nothing"], "the answer is no JSON but empty"),
        (PASSING["no choices"], "the answer has no choices"),
        (PASSING["a list"], "the answer has another shape than expected: Expected `object`, got `array`"),
        (PASSING["a dropped connection"], "the connection broke off"),
        (PASSING["an endless answer's text"], "the answer has 70,000 characters: expected at most 65,536"),
    ],
)
def test_after_the_retries_a_question_says_why_and_others_go_on(say: Say, words: str) -> None:
    with scripted(lambda request, n: say if request.text == "question 1" else right(request, n)) as server:
        found = ask(server, 4, retries=2)
    assert [answer.fault is None for answer in found] == [True, False, True, True]
    assert (found[1].fault or "").startswith(words)
    assert found[1].raw == ""
    assert sum(request.text == "question 1" for request in server.asked) == 3


@pytest.mark.parametrize("say", [Say(stalls=True, body=b"{}" * 8), Say(drips=True), Say(before_s=5.0)])
def test_an_answer_that_never_ends_has_a_deadline(say: Say) -> None:
    with scripted(once(say)) as server:
        begun = time.monotonic()
        (answer,) = ask(server, timeout_s=0.4)
        assert time.monotonic() - begun < 3.0
    assert answer.raw == expected(0)


def test_an_endless_body_is_not_read_further_than_its_bound() -> None:
    with scripted(always(Say(endless=True))) as server:
        (answer,) = ask(server, retries=0)
        time.sleep(0.1)
        assert 4 << 20 <= server.sent < 32 << 20  # what lies in the sockets' buffers comes on top
    assert answer.fault == "the answer is longer than 4 MiB"


@pytest.mark.parametrize("status", [400, 413, 422, 501])
def test_a_question_that_is_refused_is_not_asked_again(status: int) -> None:
    say = Say(status, {"error": {"message": "the picture\x1b[2J\n is too large " + "x" * 500}})
    with scripted(lambda request, n: say if request.text == "question 0" else right(request, n)) as server:
        found = ask(server, 3)
    assert sum(request.text == "question 0" for request in server.asked) == 1
    fault = found[0].fault or ""
    assert fault.startswith(f"the server answered {status}: the picture\\x1b[2J is too large xxx")
    assert len(fault) < 240
    assert fault.isprintable()
    assert [answer.raw for answer in found[1:]] == [expected(1), expected(2)]


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (Say(401, {"error": {"message": "Incorrect API key"}}), "answered 401: Incorrect API key; see"),
        (Say(403, {"detail": "no"}), "answered 403: no; see"),
        (Say(404, {"object": "error", "message": "no such model"}), "answered 404: no such model; see"),
        (Say(429, {"error": {"message": "no money", "code": "insufficient_quota"}}), "no money; see the account"),
        (Say(302, b"", {"Location": "http://other.test:9/v1?key=1"}), "is redirected to `http://other.test/v1`"),
        (Say(308, b"", {"Location": "http://[half/v1"}), "is redirected to what is no URL"),
    ],
)
def test_what_goes_for_every_question_stops_the_run_at_once(say: Say, words: str) -> None:
    with scripted(always(say)) as server:
        with pytest.raises(ServerError, match=r"\A.+\Z") as caught:
            ask(server, 30, in_flight=2)
        assert len(server.asked) <= 2
    assert words in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    with scripted() as other:
        say = Say(307, b"", {"Location": f"{other.base}/v1/chat/completions"})
        with scripted(always(say)) as server, pytest.raises(ServerError, match="redirected"):
            ask(server)
    assert (other.asked, other.greetings, other.others) == ([], [], [])


def test_a_server_that_is_down_stops_the_run_with_one_line_and_nothing_lost() -> None:
    def behaviour(request: Request, n: int) -> Say:
        return right(request, n) if int(request.text.split()[1]) < 20 else Say(503)

    with scripted(behaviour) as server:
        stream = answerer(server, retries=1, faults_in_a_row=5, in_flight=4).answers(questions(500))
        found, error = until_it_stops(stream)
        assert len(server.asked) < 80
    assert re.search(r"\A.* gave no answer to 5 questions in a row, at last: .* 503.*\Z", str(error))
    assert sorted(answer.index for answer in found if answer.fault is None) == list(range(20))


def test_a_fault_now_and_then_does_not_stop_the_run() -> None:
    with scripted(lambda request, n: Say(500) if int(request.text.split()[1]) % 2 else right(request, n)) as server:
        found = ask(server, 40, retries=0, faults_in_a_row=4, in_flight=1)
    assert [answer.fault is None for answer in found] == [k % 2 == 0 for k in range(40)]


def test_what_was_answered_is_handed_out_before_the_run_stops() -> None:
    def behaviour(request: Request, n: int) -> Say:
        if request.text == "question 0":
            return Say(401, before_s=0.1)
        return Say(body=completion(colour(request)), before_s=0.3)

    def slowly() -> Iterator[Asked]:
        for asked in questions(4):
            if asked.index == 2:
                time.sleep(1.0)  # by now the error lies ready, and an answer behind it
            yield asked

    with scripted(behaviour) as server:
        found, error = until_it_stops(answerer(server).answers(slowly()))
    assert "401" in str(error)
    assert found == [Answer(1, expected(1))]


def test_at_most_so_many_are_in_flight_and_images_are_drawn_lazily() -> None:
    drawn = []

    def counted() -> Iterator[Asked]:
        for asked in questions(60):
            drawn.append(asked.index)
            yield asked

    with scripted(lambda request, n: Say(body=completion(colour(request)), before_s=0.05)) as server:
        for n_answered, _ in enumerate(answerer(server, in_flight=6).answers(counted())):
            assert len(drawn) - n_answered <= 6
    assert server.most_at_once == 6


def test_a_caller_that_stops_early_leaves_nothing_running() -> None:
    with scripted(lambda request, n: Say(body=completion("x"), before_s=0.0 if n < 3 else 9.0)) as server:
        stream = answerer(server).answers(questions(100))
        next(stream)
        begun = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - begun < 2.0
        assert len(server.asked) <= 10
    assert not any("portal" in thread.name for thread in threading.enumerate())


def retry_after_s(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "at_least_s", "at_most_s"),
    [
        (lambda: "1", 1.0, 2.0),
        (lambda: retry_after_s(2.0), 0.9, 3.0),  # a date has whole seconds
        (lambda: retry_after_s(-60), 0.0, 0.7),
        (lambda: "99999", 1.5, 2.5),  # no longer than `longest_wait_s`
        (lambda: "soon", 0.0, 0.7),
        (lambda: "9" * 400, 0.0, 0.7),
    ],
)
def test_retry_after_is_obeyed_up_to_a_bound(value: Callable[[], str], at_least_s: float, at_most_s: float) -> None:
    times = []

    def behaviour(request: Request, n: int) -> Say:
        times.append(time.monotonic())
        return Say(429, b"", {"Retry-After": value()}) if n == 0 else right(request, n)

    with scripted(behaviour) as server:
        (answer,) = ask(server, longest_wait_s=1.5)
    assert answer.raw == expected(0)
    assert at_least_s <= times[1] - times[0] < at_most_s


def test_one_that_is_told_to_slow_down_slows_all() -> None:
    moments = []

    def behaviour(request: Request, n: int) -> Say:
        moments.append(time.monotonic())
        if n == 0:
            return Say(429, b"", {"Retry-After": "1"})
        return Say(body=completion(colour(request)), before_s=0.01)

    with scripted(behaviour) as server:
        found = ask(server, 60, in_flight=8)
    assert [answer.raw for answer in found] == [expected(k) for k in range(60)]
    gaps = [after - before for before, after in pairwise(sorted(moments))]
    assert max(gaps) > 0.7  # nobody asked in the second that the server named
    assert gaps.index(max(gaps)) < 8


def test_a_rate_limit_costs_no_retries_but_has_its_patience() -> None:
    with scripted(lambda request, n: Say(429) if n < 6 else right(request, n)) as server:
        assert ask(server, 1, retries=0)[0].raw == expected(0)
    with scripted(always(Say(429, {"error": {"message": "too fast"}}))) as server:
        (answer,) = ask(server, 1, retries=9, patience_s=0.3)
    assert answer.fault == "the server answered 429: too fast"


def test_nothing_is_lost_or_doubled_where_one_request_in_twenty_goes_wrong() -> None:
    n, lock = 1000, threading.Lock()
    tries: dict[str, int] = {}
    answered: dict[str, int] = {}
    kinds = [PASSING[name] for name in ("500", "429", "HTML", "a dropped connection", "no choices")]

    def behaviour(request: Request, _: int) -> Say:
        with lock:
            tried = tries[request.text] = tries.get(request.text, 0) + 1
            dice = random.Random(f"{request.text} {tried}")
            if dice.random() < 0.05:
                return dice.choice(kinds)
            answered[request.text] = answered.get(request.text, 0) + 1
        return right(request, 0)

    with scripted(behaviour) as server:
        found = list(answerer(server, in_flight=32).answers(questions(n)))
    assert sorted(answer.index for answer in found) == list(range(n))
    assert {answer.index: answer.raw for answer in found} == {k: expected(k) for k in range(n)}
    assert set(answered.values()) == {1}
    assert 30 < sum(tried - 1 for tried in tries.values()) < 75


ANSWERS = {
    "cut": (completion("It is at the", finish_reason="length"), "It is at the"),
    "nothing": (completion(None), ""),
    "a refusal": (completion(None, refusal="I can't help with that."), "I can't help with that."),
    "thought apart": (completion("top left", reasoning_content="Let me see: right?"), "top left"),
    "only thought": (completion(None, reasoning_content="the right, I think", finish_reason="length"), ""),
    "parts": (completion([{"type": "text", "text": "top "}, {"type": "text", "text": "left"}]), "top left"),
    "filtered": (completion("", finish_reason="content_filter"), ""),
    "markup": (completion("<script>\u202e\x00</script>"), "<script>\u202e\x00</script>"),
}


@pytest.mark.parametrize(("body", "raw"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_the_text_as_it_came(body: dict[str, Any], raw: str) -> None:
    with scripted(always(Say(body=body))) as server:
        assert ask(server) == [Answer(0, raw)]


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_the_key_is_sent_and_shows_nowhere(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EVENSIGHT_API_KEY", f" {SECRET}\n")
    caplog.set_level(logging.DEBUG)
    told = {"error": {"message": f"bad key {SECRET}"}} if status != 200 else completion(f"your key is {SECRET}")
    with scripted(
        always(Say(status, told)), greets=lambda *_: Say(body=completion(SECRET) | {"model": SECRET})
    ) as server:
        asking = answerer(server, retries=1)
        shown = [repr(asking), str(asking), json.dumps(asking.facts), repr(asking.settings)]
        try:
            shown += [repr(answer) for answer in asking.answers(questions(2))]
        except ServerError as error:
            shown += [str(error), repr(error)]
    requests = server.asked + server.greetings + server.others
    assert {request.headers["Authorization"] for request in requests} == {f"Bearer {SECRET}"}
    assert any("[key]" in text for text in shown)
    assert SECRET not in "\n".join(shown) + caplog.text


LONG = "sk-/+" + "0123456789abcdef" * 10
ECHOES = {
    "an answer": Say(200, f"{'x' * 40} {LONG}".encode()),
    "a refusal": Say(400, f"{'x' * 150} {LONG}".encode()),
    "a redirect": Say(302, b"", headers={"Location": f"https://elsewhere.test/{'y' * 150}/{LONG}"}),
    "a quoted redirect": Say(302, b"", headers={"Location": f"https://elsewhere.test/{quote(LONG, safe='')}"}),
    "a header": Say(200, b"", headers={"Content-Encoding": f"{'x' * 150} {LONG}"}),
    "slashes escaped": Say(401, json.dumps({"error": f"bad key {LONG}"}).replace("/", r"\/").encode()),
    "all escaped": Say(401, f'{{"error": "{"".join(f"{chr(92)}u{ord(c):04X}" for c in LONG)}"}}'.encode()),
    "JSON in JSON": Say(400, {"error": json.dumps({"detail": f"{LONG}"}).replace("/", r"\/")}),
    "HTML": Say(500, f"the key {LONG.replace('/', '&#x2f;').replace('+', '&#43;')}".encode()),
    "cut short": Say(403, {"error": f"bad key {LONG[:40]}..."}),
}


@pytest.mark.parametrize("greets", [True, False], ids=["greeting", "question"])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_of_a_long_key_not_even_a_part_is_shown(
    echo: Say, greets: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A line is cut at 200 characters: what comes back is blotted before, however it is written."""
    monkeypatch.setenv("EVENSIGHT_API_KEY", LONG)
    caplog.set_level(logging.DEBUG)
    with scripted(always(echo), greets=(lambda *_: echo) if greets else None) as server:
        shown = []
        try:
            shown += [repr(answer) for answer in answerer(server, retries=0).answers(questions(2))]
        except ServerError as error:
            shown += [str(error), repr(error)]
    said = html.unescape(unquote("\n".join(shown) + caplog.text))
    assert "[key]" in said
    assert "0123456" not in said
    assert r"\u00" not in said


def test_what_lies_ready_is_handed_out_when_the_run_is_told_to_stop() -> None:
    found: list[Answer] = []

    def stop(answers: Iterator[Answer]) -> None:
        assert isinstance(answers, Generator)
        found.append(answers.throw(KeyboardInterrupt()))
        found.extend(answers)

    with scripted() as server:
        answers = answerer(server, in_flight=8).answers(questions(40))
        found.append(next(answers))
        time.sleep(0.5)  # so that those who were asked by then, eight at most, have answered
        with pytest.raises(KeyboardInterrupt):
            stop(answers)
    assert len({answer.index for answer in found}) == len(found)
    assert 2 <= len(found) <= len(server.asked) <= 8


def test_refusals_are_told_apart_and_stop_nothing() -> None:
    def behaviour(request: Request, _: int) -> Say:
        return Say(400, {"error": "too many tokens"}) if colour(request)[:2] < "10" else right(request, 0)

    with scripted(behaviour) as server:
        found = {
            answer.index: answer for answer in answerer(server, faults_in_a_row=3, in_flight=1).answers(questions(40))
        }
    assert len(found) == 40
    assert all(found[k].is_refused and "too many tokens" in str(found[k].fault) for k in range(16))
    assert all(found[k].fault is None for k in range(16, 40))


@pytest.mark.parametrize("proxy", ["http://[half", "socks9://here:1", "not a url"])
def test_a_proxy_that_is_none_is_one_line(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(ServerError, match=r"proxy|can't be asked"):
        connect(ServerSettings(url="http://elsewhere.test:1", model="m", retries=0, timeout_s=1))


def test_without_a_key_none_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENSIGHT_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with scripted() as server:
        ask(server)
    assert all("Authorization" not in request.headers for request in server.asked + server.greetings)


def test_a_server_that_cannot_be_trusted_gets_nothing(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path, "IP:127.0.0.1")
    with scripted(tls=tls) as server, pytest.raises(ServerError, match="can't be trusted: its certificate is not"):
        answerer(server)
    assert server.greetings + server.others == []


def test_a_proxy_is_not_asked_for_this_very_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with scripted() as server:
        assert ask(server)[0].raw == expected(0)
