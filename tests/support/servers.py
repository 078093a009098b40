"""A server on 127.0.0.1 that answers chat completions as it is told: rightly, late, wrongly, or never.

It answers rightly by decoding the picture that was really sent, and counts what it was asked and how much at once.
"""

import base64
import io
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

NEVER_S = 20.0
"""Longer than any test waits; a stalled answer ends by itself."""


@dataclass(frozen=True)
class Say:
    """How one request is answered.

    Attributes:
        status: The HTTP status.
        body: The bytes; an object is written as JSON.
        headers: Headers besides the usual ones; an empty value leaves one out.
        before_s: How long to wait before a word.
        stalls: Sends half of the body and then nothing.
        drips: Sends a byte now and then, for ever.
        endless: Sends more and more, as fast as it can.
        drops: Cuts the connection before a word.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    before_s: float = 0.0
    stalls: bool = False
    drips: bool = False
    endless: bool = False
    drops: bool = False


@dataclass(frozen=True)
class Request:
    """What was asked: the parsed body, its picture and words, and the headers."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return next((part["text"] for part in self._parts if part["type"] == "text"), "")

    @property
    def image(self) -> Image.Image:
        url = next(part["image_url"]["url"] for part in self._parts if part["type"] == "image_url")
        head, _, data = url.partition(",")
        assert head == "data:image/png;base64"
        return Image.open(io.BytesIO(base64.b64decode(data, validate=True)), formats=["PNG"])

    @property
    def _parts(self) -> list[dict[str, Any]]:
        return list(self.body["messages"][0]["content"])

    @property
    def is_greeting(self) -> bool:
        return "messages" not in self.body or self.image.size == (224, 224)


def completion(content: Any, **message: Any) -> dict[str, Any]:
    """A chat completion of this content."""
    finish = message.pop("finish_reason", "stop")
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion", "model": "tested", "choices": [choice]}


def colour(request: Request) -> str:
    """The right answer: the colour of the picture's first pixel, as it was sent."""
    return "{:02x}{:02x}{:02x}".format(*request.image.getpixel((0, 0)))  # type: ignore[misc]


Behaviour = Callable[[Request, int], Say]
"""What to say to a request, whose number among all chat requests is given (from 0)."""


def right(request: Request, _: int) -> Say:
    return Say(body=completion(colour(request)))


@dataclass
class ScriptedServer:
    """A server and what it saw.

    Attributes:
        behaviour: What it says to questions; greetings are answered rightly unless `greets` says otherwise.
        greets: What it says to greetings; None for the right answer.
        models: The names that it lists.
        base: Its URL, without `/v1`.
        asked: All questions, greetings left out.
        greetings: All greetings' questions.
        most_at_once: How many requests were under way at a time, at most.
        sent: How many bytes of endless bodies were handed to the network.
    """

    behaviour: Behaviour = right
    greets: Behaviour | None = None
    models: tuple[str, ...] = ("tested",)
    base: str = ""
    asked: list[Request] = field(default_factory=list)
    greetings: list[Request] = field(default_factory=list)
    others: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    sent: int = 0
    _now: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, request: Request) -> Say:
        if request.path != "/v1/chat/completions":
            self.others.append(request)
            return self._other(request.path)
        heard = self.greetings if request.is_greeting else self.asked
        with self.lock:
            heard.append(request)
            n = len(heard) - 1
        if request.is_greeting:
            return Say(body=completion("grey")) if self.greets is None else self.greets(request, n)
        return self.behaviour(request, n)

    def _other(self, path: str) -> Say:
        if path == "/v1/models":
            return Say(body={"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})
        return Say(404, {"detail": "Not Found"})

    @contextmanager
    def under_way(self) -> Iterator[None]:
        with self.lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self.lock:
                self._now -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    scripted: ScriptedServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer({})

    def do_POST(self) -> None:
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, body: dict[str, Any]) -> None:
        with self.scripted.under_way():
            say = self.scripted.say(Request(self.path, body, dict(self.headers.items())))
            self.scripted.stop.wait(say.before_s)
            try:
                self.send(say)
            except OSError:
                self.close_connection = True

    def send(self, say: Say) -> None:
        if say.drops:
            self.close_connection = True
            return
        body = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
        chunked = say.drips or say.endless
        headers = {"Content-Type": "application/json"}
        headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
        self.send_response(say.status)
        for name, value in (headers | dict(say.headers)).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if say.stalls:
            self.wfile.write(body[: len(body) // 2])
            self.scripted.stop.wait(NEVER_S)
            self.close_connection = True
        elif chunked:
            self.go_on(b" " if say.drips else bytes(1 << 16), 0.02 if say.drips else 0.0)
        else:
            self.wfile.write(body)

    def go_on(self, block: bytes, pause_s: float) -> None:
        for _ in range(16384):  # a gibibyte: nobody should take that much
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            with self.scripted.lock:
                self.scripted.sent += len(block)
            if self.scripted.stop.wait(pause_s):
                break
        self.close_connection = True


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what is tested."""


@contextmanager
def scripted(
    behaviour: Behaviour = right, tls: ssl.SSLContext | None = None, **settings: Any
) -> Iterator[ScriptedServer]:
    """Serves for as long as the block runs."""
    server = ScriptedServer(behaviour, **settings)
    listener = _Listener(("127.0.0.1", 0), type("Handler", (_Handler,), {"scripted": server}))
    if tls is not None:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    server.base = f"{'https' if tls else 'http'}://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        listener.shutdown()
        listener.server_close()
        thread.join(5)
