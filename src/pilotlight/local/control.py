"""The cloud's own API, beside AWS's: look at it, lose a region, slow it, throttle it, read the call record, stop it.

It answers below `/_cloud/` at the router only. No AWS API has these; what uses them is the person, the tests and the
rehearsal, never what recovers a workload. Changes must be JSON, so that no web page can make them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from pilotlight.local.handle import SCHEMA
from pilotlight.local.kernel.cloud import ROOT_ACCESS_KEY, ROOT_SECRET_KEY, Cloud
from pilotlight.local.kernel.faults import Deliveries
from pilotlight.local.sns.notifications import Notifications
from pilotlight.local.wire.answers import Answer

PATH = "/_cloud/"


class Wrong(Exception):
    """The request names something that this cloud does not have."""


class Control:
    """Answers `/_cloud/...`."""

    def __init__(self, cloud: Cloud, shutdown: Callable[[], None]) -> None:
        self.cloud = cloud
        self.shutdown = shutdown
        self._reads: dict[str, Callable[[dict[str, str]], Any]] = {
            "status": self._status,
            "calls": self._calls,
            "uses": self._uses,
            "mail": self._mail,
        }
        self._acts: dict[str, Callable[[dict[str, Any]], object]] = {
            "dark": lambda given: self.cloud.darken(self._region(given)),
            "light": lambda given: self.cloud.lighten(self._region(given)),
            "slow": lambda given: self.cloud.faults.slow(self._region(given), float(given["seconds"])),
            "throttle": self._throttle,
            "partial": self._partial,
            "deliveries": self._deliveries,
            "hold-schedules": lambda given: setattr(self.cloud, "schedules_held", bool(given["held"])),
            "confirm": lambda given: self._notifications().confirm(),
            "shutdown": lambda given: self.shutdown(),
        }

    def answer(self, environ: dict[str, Any], body: Callable[[], bytes]) -> Answer:
        """One control request."""
        name = str(environ["PATH_INFO"]).removeprefix(PATH)
        try:
            if environ["REQUEST_METHOD"] == "GET" and name in self._reads:
                query = parse_qs(str(environ.get("QUERY_STRING", "")))
                return _json(200, self._reads[name]({key: values[0] for key, values in query.items()}))
            if environ["REQUEST_METHOD"] == "POST" and name in self._acts:
                return self._act(name, environ, body())
        except (Wrong, KeyError, ValueError) as problem:
            return _json(400, {"error": str(problem)})
        return _json(404, {"error": f"there is no {environ['REQUEST_METHOD']} {environ['PATH_INFO']}"})

    def status(self) -> dict[str, Any]:
        """What runs, where, and what is wrong with it."""
        return {
            "schema": SCHEMA,
            "pid": os.getpid(),
            "account": self.cloud.account,
            "access_key": ROOT_ACCESS_KEY,
            "secret_key": ROOT_SECRET_KEY,
            "pace": self.cloud.pace,
            "seed": self.cloud.seed,
            "directory": str(self.cloud.directory),
            "router_url": self.cloud.router_url,
            "front_door_url": self.cloud.front_door_url,
            "endpoints": dict(self.cloud.endpoints),
            **self.cloud.faults.status(),
        }

    def _act(self, name: str, environ: dict[str, Any], body: bytes) -> Answer:
        if not str(environ.get("CONTENT_TYPE", "")).startswith("application/json"):
            raise Wrong("the body must be application/json")
        self._acts[name](json.loads(body or b"{}"))
        return _json(200, {})

    def _status(self, query: dict[str, str]) -> dict[str, Any]:
        return self.status()

    def _calls(self, query: dict[str, str]) -> list[dict[str, Any]]:
        since = float(query["since"]) if "since" in query else None
        found = self.cloud.calls.query(since, query.get("principal"), query.get("region"), query.get("service"))
        return [asdict(call) for call in found]

    def _uses(self, query: dict[str, str]) -> list[tuple[str, ...]]:
        """Which permissions a principal needed and had: region, action, resource."""
        asked = query.get("principal", "")
        return sorted(use[1:] for use in self.cloud.access.uses.copy() if asked in use[0])

    def _mail(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Every e-mail that SNS delivered, the oldest first."""
        return [asdict(each) for each in self._notifications().mailbox.mails()]

    def _notifications(self) -> Notifications:
        return self.cloud.behaviour(Notifications)

    def _throttle(self, given: dict[str, Any]) -> None:
        self.cloud.faults.throttle(self._region(given), str(given["service"]), float(given["per_second"]))

    def _partial(self, given: dict[str, Any]) -> None:
        self.cloud.faults.partial(self._region(given), str(given["service"]), bool(given.get("dead", True)))

    def _deliveries(self, given: dict[str, Any]) -> None:
        shares = {name: float(given.get(name, 0.0)) for name in ("dropped", "doubled")}
        if not all(0.0 <= each <= 1.0 for each in shares.values()):
            raise Wrong("dropped and doubled are shares from 0 to 1")
        seconds = float(given.get("delay_seconds", 0.0))
        self.cloud.faults.deliver(self._region(given), Deliveries(**shares, delay_seconds=seconds))

    def _region(self, given: dict[str, Any]) -> str:
        region = str(given["region"])
        if region not in self.cloud.regions:
            raise Wrong(f"{region} is not one of {', '.join(self.cloud.regions)}")
        return region


def _json(status: int, value: Any) -> Answer:
    body = json.dumps(value, default=str).encode()
    return Answer(status, [("content-type", "application/json")], (body,))
