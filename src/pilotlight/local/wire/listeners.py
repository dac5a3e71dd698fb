"""The sockets of the embedded cloud: HTTP/1.1 with connections that stay open, and that can be cut without an answer.

werkzeug's development server closes every connection; boto3 makes thousands of calls, so this one keeps them open,
which is safe because every body is read whole before it is answered. "100 Continue" is sent only when the body is
wanted (RFC 9110, 10.1.1), so that a lost region or a wrong one never takes an upload.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable
from http.server import HTTPServer
from typing import Any, Protocol, cast

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_input_stream

from pilotlight.local.wire.answers import Answer
from pilotlight.runtime.errors import PortInUse

LOOPBACK = "127.0.0.1"
BACKLOG = 256
"""Connections waiting to be accepted."""

BODY_BYTES_MAX = 1 << 30
"""Largest body taken, 1 GiB, for it is held in memory; S3 itself takes 5 GiB in one PUT."""

READ_BYTES = 1 << 20


class Observation(ConnectionError):
    """Close the connection without an answer."""


class BodyTooLarge(Exception):
    """The body is over BODY_BYTES_MAX."""


class Arrival(Protocol):
    """What answers a request; `body` reads it whole, after telling the client to go on."""

    def __call__(self, environ: dict[str, Any], body: Callable[[], bytes], where: str | None) -> Answer: ...


class Connections:
    """Open connections by region, so that a lost region can drop them."""

    def __init__(self) -> None:
        self._by_region: dict[str, set[socket.socket]] = {}
        self._lock = threading.Lock()

    def enter(self, region: str, connection: socket.socket) -> None:
        with self._lock:
            self._by_region.setdefault(region, set()).add(connection)

    def leave(self, region: str, connection: socket.socket) -> None:
        with self._lock:
            self._by_region.get(region, set()).discard(connection)

    def cut(self, region: str) -> None:
        """Shut every connection down, whatever it is in the middle of."""
        with self._lock:
            connections = list(self._by_region.get(region, ()))
        for connection in connections:
            shut(connection)


def shut(connection: socket.socket) -> None:
    """Both directions, at once."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Listener(socketserver.ThreadingMixIn, HTTPServer):
    """One endpoint; `region` is None for the router."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = BACKLOG
    ssl_context = None
    multithread = True
    multiprocess = False
    _server_version = "AmazonS3"

    def __init__(self, answer: Arrival, region: str | None, connections: Connections, port: int = 0) -> None:
        self.answer = answer
        self.region = region
        self.connections = connections
        try:
            super().__init__((LOOPBACK, port), Handler)
        except OSError as problem:
            raise PortInUse(port=port, address=LOOPBACK) from problem

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def server_bind(self) -> None:
        """As of HTTPServer, without asking DNS for the host's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.region is None:
            super().finish_request(request, client_address)
            return
        self.connections.enter(self.region, request)
        try:
            super().finish_request(request, client_address)
        finally:
            self.connections.leave(self.region, request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def log(self, kind: str, message: str, *arguments: Any) -> None:
        """werkzeug's handler logs through its server; the call record says more."""


class Handler(MotoRequestHandler):
    """Reads requests and writes answers on one connection until either side closes it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def handle_expect_100(self) -> bool:
        """Wait until the body is wanted."""
        return True

    def run_wsgi(self) -> None:
        listener = cast(Listener, self.server)
        environ = self.make_environ()
        body = _Body(self, environ)
        try:
            answer = listener.answer(environ, body.read, listener.region)
            self._write(answer)
        except ConnectionError:
            self.close_connection = True
            shut(self.connection)
            return
        if not body.finished:
            self.close_connection = True

    def _write(self, answer: Answer) -> None:
        chunks = [chunk for chunk in answer.body if chunk]
        self.send_response_only(answer.status)
        named = {name.lower() for name, _ in answer.headers}
        for name, value in answer.headers:
            self.send_header(name, value)
        if "content-length" not in named and answer.status not in (204, 304):
            self.send_header("Content-Length", str(sum(map(len, chunks))))
        if "date" not in named:
            self.send_header("Date", self.date_time_string())
        self.end_headers()
        if self.command != "HEAD":
            for chunk in chunks:
                self.wfile.write(chunk)
        self.wfile.flush()
        close = getattr(answer.body, "close", None)
        if close:
            close()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """The call record says more."""


class _Body:
    """The body of one request, read whole and once."""

    def __init__(self, handler: Handler, environ: dict[str, Any]) -> None:
        self._handler = handler
        self._environ = environ
        self._length = int(environ.get("CONTENT_LENGTH") or 0)
        self._chunked = "wsgi.input_terminated" in environ
        self._bytes: bytes | None = None
        self.finished = not (self._length or self._chunked)

    def read(self) -> bytes:
        """Tell a waiting client to go on, then read; a body that breaks off raises Cut."""
        if self._bytes is None:
            self._bytes = b"" if self.finished else self._read()
            self.finished = True
        return self._bytes

    def _read(self) -> bytes:
        if self._length > BODY_BYTES_MAX:
            raise BodyTooLarge
        if str(self._environ.get("HTTP_EXPECT", "")).lower() == "100-continue":
            self._handler.send_response_only(100)
            self._handler.end_headers()
            self._handler.wfile.flush()
        try:
            whole = b"".join(_parts(get_input_stream(self._environ), self._length))
        except (OSError, ClientDisconnected) as problem:
            raise Observation("the body broke off") from problem
        if not self._chunked and len(whole) < self._length:
            raise Observation("the body broke off")
        return whole


def _parts(stream: Any, length: int) -> Iterable[bytes]:
    total = 0
    while part := stream.read(READ_BYTES):
        total += len(part)
        if total > BODY_BYTES_MAX:
            raise BodyTooLarge
        yield part
