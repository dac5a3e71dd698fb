"""Puts the cloud together: listeners, gateway, control, behaviours; opens them in order and closes them in reverse.

Used by the server process and, in the same process, by tests that look inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pilotlight.local.control import PATH, Control
from pilotlight.local.gateway import Gateway
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.wire.answers import Answer
from pilotlight.local.wire.listeners import Connections, Listener


class Station:
    """One cloud with its sockets."""

    def __init__(self, cloud: Cloud, shutdown: Callable[[], None], port: int = 0) -> None:
        self.cloud = cloud
        connections = Connections()
        self.gateway = Gateway(cloud, connections)
        self.control = Control(cloud, shutdown)
        self._router = Listener(self._answer, None, connections, port)
        self._endpoints = {region: Listener(self._answer, region, connections) for region in cloud.regions}
        cloud.router_url = self._router.url
        cloud.endpoints = {region: listener.url for region, listener in self._endpoints.items()}
        self._opened = False

    def open(self, behaviours: Iterable[Behaviour]) -> None:
        """Install, listen, start."""
        self.cloud.access.install()
        self.cloud.install(behaviours)
        for listener in self._listeners():
            listener.start()
        self._opened = True
        self.cloud.start()

    def close(self) -> None:
        """Stop listening, then everything else."""
        for listener in self._listeners():
            if self._opened:
                listener.shutdown()
            listener.server_close()
        self.cloud.stop()

    def _listeners(self) -> list[Listener]:
        return [self._router, *self._endpoints.values()]

    def _answer(self, environ: dict[str, Any], body: Callable[[], bytes], where: str | None) -> Answer:
        if where is None and str(environ.get("PATH_INFO", "")).startswith(PATH):
            return self.control.answer(environ, body)
        return self.gateway.answer(environ, body, where)
