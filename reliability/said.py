"""A server on loopback that answers each question with an option that a hash of the question chooses."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any


class Said(BaseHTTPRequestHandler):
    """Speaks what of OpenAI's chat completions evensight needs."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Lists the one model."""
        self._send({"object": "list", "data": [{"id": "said", "object": "model"}]})

    def do_POST(self) -> None:
        """Answers a question."""
        self.say(answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def say(self, words: str) -> None:
        """Sends an answer."""
        message = {"role": "assistant", "content": words}
        self._send(
            {"id": "1", "model": "said", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""

    def _send(self, value: Any, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def answer(body: dict[str, Any]) -> str:
    """One of the options that stand in brackets in the question; `center` where there are none."""
    text = json.dumps(body["messages"])
    found = re.findall(r"\[([^\[\]{}\"]+)\]", text)
    options = found[-1].split(", ") if found else ["center"]
    return str(options[hashlib.sha256(text.encode()).digest()[0] % len(options)])


@contextmanager
def answering() -> Iterator[str]:
    """The address of a server that answers while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Said)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
