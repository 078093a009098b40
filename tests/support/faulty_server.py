"""A server on 127.0.0.1 that drops, lies and stalls as it is told, and counts what it sends."""

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ETAG = '"version-1"'
NEVER_S = 20.0
"""Longer than any test waits; a stalled answer ends by itself."""


@dataclass(frozen=True)
class Fault:
    """How one answer goes wrong.

    Attributes:
        drop_after: Bytes of the body after which the connection is cut.
        stall_after: Bytes of the body after which nothing comes any more.
        status: The status instead of 200 or 206.
        headers: Headers besides, or instead of, the right ones; an empty value leaves one out.
        body: Other bytes than the file's.
        ignores_range: Answers with the whole file whatever was asked for.
        endless: Goes on with more bytes, in chunks, without saying how many.
    """

    drop_after: int | None = None
    stall_after: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    ignores_range: bool = False
    endless: bool = False


RIGHT = Fault()


@dataclass
class FaultyServer:
    """Files by path, and how the answers go wrong.

    Attributes:
        files: The files' bytes, by path with a slash in front.
        faults: How the next answers go wrong, in order; when there are none left, `always` says.
        always: How every further answer goes wrong.
        fault_of: How the answers for a path go wrong, before the others.
        base: The server's URL.
        asked: Each request: its path and what it had for `Range`.
        sent: How many bytes of bodies were handed to the network.
        etag: What the files' version is called; empty for nothing.
        pause_s: How long to wait after each `block_bytes`.
        stop: Ends all that stalls.
    """

    files: dict[str, bytes]
    faults: list[Fault] = field(default_factory=list)
    always: Fault = RIGHT
    fault_of: dict[str, Fault] = field(default_factory=dict)
    base: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0
    etag: str = ETAG
    pause_s: float = 0.0
    block_bytes: int = 1 << 16
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, path: str) -> Fault:
        with self.lock:
            if path in self.fault_of:
                return self.fault_of[path]
            return self.faults.pop(0) if self.faults else self.always


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: FaultyServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.removeprefix("http://images.example.test")  # a proxy is asked for the whole URL
        wanted = self.headers.get("Range")
        self.faulty.asked.append((path, wanted))
        self.faulty.headers.append(dict(self.headers.items()))
        fault = self.faulty.next_fault(path)
        whole = self.faulty.files.get(path)
        if fault.status is None and whole is None:
            fault = Fault(status=404)
        self.answer(fault, whole or b"", self.start_of(wanted, fault))

    def start_of(self, wanted: str | None, fault: Fault) -> int:
        changed = self.headers.get("If-Range") not in (None, self.faulty.etag)
        if wanted is None or fault.ignores_range or changed:
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def answer(self, fault: Fault, whole: bytes, start: int) -> None:
        body = whole[start:] if fault.body is None else fault.body
        status = 206 if start else 200
        headers = {"Content-Type": "application/zip", "Content-Length": str(len(body))}
        headers |= {"ETag": self.faulty.etag} if self.faulty.etag else {}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        if fault.endless:
            headers |= {"Content-Length": "", "Transfer-Encoding": "chunked"}
        self.send_response(fault.status or status)
        for name, value in (headers | dict(fault.headers)).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.send_body(fault, body)

    def send_body(self, fault: Fault, body: bytes) -> None:
        try:
            if fault.endless:
                self.send_endlessly()
            self.send(body[: fault.drop_after if fault.drop_after is not None else fault.stall_after])
            if fault.stall_after is not None:
                self.faulty.stop.wait(NEVER_S)
                self.close_connection = True
            if fault.drop_after is not None:
                self.close_connection = True
        except OSError:
            self.close_connection = True

    def send(self, body: bytes) -> None:
        size = self.faulty.block_bytes
        for begin in range(0, len(body), size):
            block = body[begin : begin + size]
            self.wfile.write(block)
            with self.faulty.lock:
                self.faulty.sent += len(block)
            if self.faulty.pause_s:
                time.sleep(self.faulty.pause_s)

    def send_endlessly(self) -> None:
        block = bytes(1 << 16)
        for _ in range(4096):  # 256 MiB: nobody should take that much
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            with self.faulty.lock:
                self.faulty.sent += len(block)
        self.close_connection = True


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what is tested."""


@contextmanager
def serving(files: Mapping[str, bytes], tls: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    """Serves files for as long as the block runs."""
    server = FaultyServer(dict(files))
    listener = _Listener(("127.0.0.1", 0), type("Handler", (_Handler,), {"faulty": server}))
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


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS settings with a certificate of its own for `name` ("IP:127.0.0.1"), and that certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert
