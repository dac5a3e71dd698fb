"""moto's own WSGI applications, one a service, asked directly: moto's dispatcher would match every request by host.

The request is given to moto as AWS's own endpoint would get it, for moto reads the region and S3's style from the host.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from pilotlight.local.wire.answers import Answer
from pilotlight.local.wire.calls import OK

CODE_BYTES = 4096
"""An error's code stands in the first bytes of its body."""


@cache
def backend_app(signing_name: str) -> Any:
    """moto's WSGI application of a service."""
    dispatcher = DomainDispatcherApplication(create_backend_app)
    backend = dispatcher.get_backend_for_host(f"{signing_name}.us-east-1.amazonaws.com")
    return create_backend_app(backend)


def through(application: Any, environ: dict[str, Any]) -> Answer:
    """Run a WSGI application and keep its whole answer."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], problem: Any = None) -> Callable[[bytes], None]:
        started[:] = [status, headers]
        return started.append

    body = application(environ, start_response)
    chunks = tuple(body)
    status = int(started[0].split(" ", 1)[0])
    return Answer(status, started[1], chunks, OK if status < 400 else _code(started[1], chunks, status))


def _code(headers: list[tuple[str, str]], chunks: tuple[bytes, ...], status: int) -> str:
    """The error code in an answer of moto's."""
    named = {name.lower(): value for name, value in headers}
    if "x-amzn-errortype" in named:
        return named["x-amzn-errortype"].split(":")[0].rsplit("#", 1)[-1]
    text = b"".join(chunks)[:CODE_BYTES].decode(errors="replace")
    for start, end in (("<Code>", "<"), ('"__type":"', '"'), ('"__type": "', '"')):
        if start in text:
            return text.split(start, 1)[1].split(end, 1)[0].rsplit("#", 1)[-1]
    return str(status)


def environ_for(signing_name: str, region: str, environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The same request, at the service's own endpoint, with its body read."""
    host = f"{signing_name}.{region}.amazonaws.com"
    asked = environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "HTTP_HOST": host}
    asked.pop("HTTP_TRANSFER_ENCODING", None)
    asked.pop("wsgi.input_terminated", None)
    return asked
