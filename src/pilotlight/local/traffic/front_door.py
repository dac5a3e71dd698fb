"""The front door: one HTTP URL on loopback that stands for public DNS and the network in front of load balancers.

Not a part of AWS. It takes `http://127.0.0.1:PORT/<dns-name>[:port]/<path>` and, as a forward proxy, `GET http://name/path`,
asks the embedded Route 53 where the name leads, and lets that load balancer (or instance address) answer. When nobody
can, the answer is JSON that says why. Every answer names the region it came from in X-Region.
"""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.traffic.dns import Dns
from pilotlight.local.traffic.load_balancers import (
    CONNECT_SECONDS_MAX,
    LoadBalancers,
    Request,
    Response,
    forward,
    refusal,
)

HTTP_PORT = 80
BODY_BYTES_MAX = 32 * 1024 * 1024
CLIENT_IDLE_SECONDS_MAX = 60.0
"""A connection that a client keeps open but does not use is closed after this long."""


class FrontDoor(Behaviour):
    """Listens, resolves, and passes requests on."""

    name = "front door"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.door = self
        cloud.front_door_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.5,), name="front door", daemon=True).start()
        self._serving = True

    def stop(self) -> None:
        if getattr(self, "_serving", False):
            self._server.shutdown()
        self._server.server_close()

    def names(self) -> list[str]:
        """Every name the front door knows."""
        return [*self.cloud.behaviour(Dns).names(), *self.cloud.behaviour(LoadBalancers).names()]

    def serve(self, request: Request) -> Response:
        """Answer a request for a name or an address of this cloud."""
        if request.host.startswith("127."):
            return self._address(request.host, request)
        targets = self.cloud.behaviour(Dns).resolve(request.host)
        if not targets:
            return self._unknown(request.host)
        target = targets[0]
        if target.startswith("127."):
            return self._address(target, request)
        return self.cloud.behaviour(LoadBalancers).serve(target, request)

    def list_names(self) -> Response:
        body = json.dumps({"names": self.names(), "form": f"{self.cloud.front_door_url}/<name>/<path>"}).encode()
        return Response(200, (("Content-Type", "application/json"),), body)

    def _unknown(self, host: str) -> Response:
        body = json.dumps({"error": "no such name", "name": host, "region": None, "names": self.names()}).encode()
        return Response(502, (("Content-Type", "application/json"),), body)

    def _address(self, address: str, request: Request) -> Response:
        """An instance asked directly by its private address."""
        region = self._region_of(address)
        if region is None:
            return refusal(502, "no running instance has this address", address, None)
        if self.cloud.is_dark(region):
            return refusal(503, "region is dark", address, region)
        connection = http.client.HTTPConnection(address, request.port, timeout=CONNECT_SECONDS_MAX)
        try:
            return forward(closing(connection), request, region)
        except TimeoutError:
            return refusal(504, "the instance did not answer in time", address, region)
        except (OSError, http.client.HTTPException) as error:
            return refusal(502, f"the instance refused the connection or broke it: {error}", address, region)

    def _region_of(self, address: str) -> str | None:
        for region in self.cloud.regions:
            for instance in self.cloud.backend("ec2", region).all_instances():
                if instance.state == "running" and instance.private_ip_address == address:
                    return region
        return None


class Server(ThreadingHTTPServer):
    """A thread for each connection; none of them keeps the process alive."""

    daemon_threads = True
    request_queue_size = 128
    door: FrontDoor

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    """Reads one request in either form and writes the answer."""

    protocol_version = "HTTP/1.1"
    timeout = CLIENT_IDLE_SECONDS_MAX
    server: Server

    def answer(self) -> None:
        """Serve the request, whatever its method."""
        door = self.server.door
        length = self.headers.get("Content-Length") or "0"
        if self.headers.get("Transfer-Encoding") or not length.isdigit():
            self._refuse(411, "a request body needs a Content-Length")
        elif int(length) > BODY_BYTES_MAX:
            self._refuse(413, f"the body is larger than {BODY_BYTES_MAX} bytes")
        else:
            request = self._request(int(length))
            self._write(door.serve(request) if request.host else door.list_names())

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer  # noqa: N815

    def do_CONNECT(self) -> None:
        """Tunnels would need TLS at the far end, which nothing here has."""
        self._write(refusal(501, "only plain HTTP passes the front door", self.path, None))

    def _refuse(self, status: int, error: str) -> None:
        """Answer without having read the body, which ends the connection."""
        self.close_connection = True
        self._write(refusal(status, error, self.path, None))

    def _request(self, length: int) -> Request:
        body = self.rfile.read(length) if length else b""
        host, port, path = destination(self.path)
        return Request(self.command, host, port, path, dict(self.headers.items()), body)

    def _write(self, response: Response) -> None:
        with suppress(OSError):
            self.send_response_only(response.status)
            for key, value in response.headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged; the load balancers' clients do that."""


def destination(target: str) -> tuple[str, int, str]:
    """Name, port and path of a request line in proxy form (`http://name/path`) or path form (`/name/path`)."""
    if target.startswith("http://"):
        parts = urlsplit(target)
        path = parts.path or "/"
        return parts.hostname or "", parts.port or HTTP_PORT, f"{path}?{parts.query}" if parts.query else path
    authority, _, rest = target.lstrip("/").partition("/")
    authority, question, query = authority.partition("?")
    name, _, port = authority.partition(":")
    return name.lower(), int(port) if port.isdigit() else HTTP_PORT, f"/{rest}{question}{query}"
