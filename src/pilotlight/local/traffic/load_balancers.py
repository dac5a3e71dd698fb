"""The data plane of load balancers: listeners forward real requests to targets that were really checked.

Source: Elastic Load Balancing User Guide for Application Load Balancers, "Listeners", "Listener rules", "Target
groups" ("Routing algorithms", fail open) and "Troubleshoot" (what 502, 503 and 504 mean). moto keeps the configuration
and calls every target healthy; this behaviour asks the targets at their own 127.x addresses. A load balancer of a dark
region refuses, and requests on their way through it are dropped.
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeTargetGroup

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override
from pilotlight.local.traffic.target_health import DESCRIPTIONS, HealthBook

TICK_SECONDS = 0.25
CONNECT_SECONDS_MAX = 1.5
"""A lost SYN is sent again after one second; a target with a short backlog is reached all the same."""
ANSWER_SECONDS_MAX = 2.5
"""A frozen target must not hang a client: connection and answer together take no longer than this."""
HOP_HEADERS = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade", "content-length"),
    }
)
REGION_HEADER = "X-Region"

_create_load_balancer = original(ELBv2Backend, "create_load_balancer")
_health_for = original(FakeTargetGroup, "health_for")


@dataclass(frozen=True)
class Request:
    """One HTTP request on its way to a name."""

    method: str
    host: str
    port: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """One HTTP response and the region it comes from."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def refusal(status: int, error: str, name: str, region: str | None) -> Response:
    """A response that says why there is no better one."""
    body = json.dumps({"error": error, "name": name, "region": region}).encode()
    headers = [("Content-Type", "application/json")] + ([(REGION_HEADER, region)] if region else [])
    return Response(status, tuple(headers), body)


class LoadBalancers(Behaviour):
    """Checks targets and serves requests for every load balancer."""

    name = "load balancers"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.book = HealthBook(cloud.real_seconds)
        self._turns = itertools.count()
        self._passing: dict[http.client.HTTPConnection, str] = {}
        self._lock = threading.Lock()
        _replace_operations(self)

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self.check_due, "target health")

    def stop(self) -> None:
        self.book.close()

    def darkened(self, region: str) -> None:
        with self._lock:
            lost = [connection for connection, where in self._passing.items() if where == region]
        for connection in lost:
            _drop(connection)

    def check_due(self) -> None:
        """Ask every target of a load balancer in a light region whose interval is over."""
        registered: set[tuple[str, str]] = set()
        for region in self.cloud.regions:
            backend = self.cloud.backend("elbv2", region)
            for group in list(backend.target_groups.values()):
                registered |= {(group.arn, target_id) for target_id in group.targets}
                if group.load_balancer_arns and not self.cloud.is_dark(region):
                    for target in list(group.targets.values()):
                        self.book.check_if_due(group, target, self._address(region, target["Id"]))
        self.book.forget_others(registered)

    def names(self) -> list[str]:
        """The DNS names of all load balancers."""
        return [balancer.dns_name for _, balancer in self._all()]

    def region_of(self, name: str) -> str | None:
        """The region of the load balancer with this DNS name, None where there is none."""
        found = self._find(name)
        return found[0] if found else None

    def healthy(self, name: str) -> bool:
        """What Route 53 sees when it evaluates target health: each target group in use has a healthy target."""
        found = self._find(name)
        if found is None or self.cloud.is_dark(found[0]):
            return False
        region, balancer = found
        groups = [group for group in self._groups(region) if balancer.arn in group.load_balancer_arns]
        return bool(groups) and all(self._in_state(group, "healthy") for group in groups)

    def serve(self, name: str, request: Request) -> Response:
        """What the load balancer called `name` answers to the request."""
        found = self._find(name)
        if found is None:
            return refusal(502, "no such load balancer", name, None)
        region, balancer = found
        if self.cloud.is_dark(region):
            return refusal(503, "region is dark", name, region)
        listener = next((each for each in balancer.listeners.values() if int(each.port) == request.port), None)
        if listener is None:
            return refusal(502, f"connection refused: no listener on port {request.port}", name, region)
        return self._act(chosen_action(listener, request), name, region, request)

    def _act(self, action: Mapping[str, Any], name: str, region: str, request: Request) -> Response:
        if action["Type"] == "fixed-response":
            return _fixed(action["FixedResponseConfig"], region)
        if action["Type"] != "forward":
            return refusal(501, f"listener actions of type {action['Type']} are not served here", name, region)
        candidates = [pair for arn in group_arns(action) for pair in self._candidates(region, arn)]
        if not candidates:
            return refusal(503, "no healthy target", name, region)
        target, address = candidates[next(self._turns) % len(candidates)]
        return self._forward(target, address, name, region, request)

    def _candidates(self, region: str, group_arn: str) -> list[tuple[Mapping[str, Any], str]]:
        """Healthy targets; where all that were judged are unhealthy, those ("fail open")."""
        group = self.cloud.backend("elbv2", region).target_groups[group_arn]
        chosen = self._in_state(group, "healthy") or self._in_state(group, "unhealthy")
        addressed = [(target, self._address(region, target["Id"])) for target in chosen]
        return [(target, address) for target, address in addressed if address is not None]

    def _in_state(self, group: Any, state: str) -> list[Mapping[str, Any]]:
        return [each for each in list(group.targets.values()) if self.book.of(group, each["Id"]).state == state]

    def _forward(self, target: Mapping[str, Any], address: str, name: str, region: str, request: Request) -> Response:
        try:
            return forward(self._connection(address, int(target["Port"]), region), request, region)
        except TimeoutError:
            return refusal(504, f"target {target['Id']} did not answer in time", name, region)
        except (OSError, http.client.HTTPException) as error:
            if self.cloud.is_dark(region):
                return refusal(503, "region went dark", name, region)
            return refusal(502, f"target {target['Id']} refused the connection or broke it: {error}", name, region)

    @contextmanager
    def _connection(self, address: str, port: int, region: str) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(address, port, timeout=CONNECT_SECONDS_MAX)
        with self._lock:
            self._passing[connection] = region
        try:
            yield connection
        finally:
            with self._lock:
                del self._passing[connection]
            connection.close()

    def _address(self, region: str, target_id: str) -> str | None:
        """The target's own address: of a running instance, or the target itself in a group of addresses."""
        if not target_id.startswith("i-"):
            return target_id
        instance = self.cloud.backend("ec2", region).get_instance_by_id(target_id)
        if instance is None or instance.state != "running":
            return None
        address: str | None = instance.private_ip_address
        return address

    def _all(self) -> Iterator[tuple[str, Any]]:
        for region in self.cloud.regions:
            for balancer in list(self.cloud.backend("elbv2", region).load_balancers.values()):
                yield region, balancer

    def _find(self, name: str) -> tuple[str, Any] | None:
        wanted = name.rstrip(".").lower().removeprefix("dualstack.")
        return next(((region, each) for region, each in self._all() if each.dns_name.lower() == wanted), None)

    def _groups(self, region: str) -> list[Any]:
        return list(self.cloud.backend("elbv2", region).target_groups.values())


def chosen_action(listener: Any, request: Request) -> Mapping[str, Any]:
    """The action of the first rule (by priority) that matches, or the listener's default."""
    rules = [rule for rule in listener.rules.values() if not rule.is_default]
    for rule in sorted(rules, key=lambda each: int(each.priority)):
        if all(_holds(condition, request) for condition in rule.conditions):
            return _data(rule.actions[-1])
    return _data(listener.default_actions[-1])


def group_arns(action: Mapping[str, Any]) -> list[str]:
    """The target groups an action forwards to."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    return [each["TargetGroupArn"] for each in groups] or [action["TargetGroupArn"]]


def forward(connecting: Any, request: Request, region: str) -> Response:
    """Send the request to a target and take its answer, within the time limits."""
    with connecting as connection:
        begin = time.monotonic()
        connection.connect()
        connection.sock.settimeout(ANSWER_SECONDS_MAX - (time.monotonic() - begin))
        connection.request(request.method, request.path, body=request.body or None, headers=passed_on(request))
        answer = connection.getresponse()
        body = answer.read()
        kept = [(key, value) for key, value in answer.getheaders() if key.lower() not in HOP_HEADERS]
        return Response(answer.status, (*kept, (REGION_HEADER, region)), body)


def passed_on(request: Request) -> dict[str, str]:
    """The client's headers without those of the connection, with those a load balancer adds."""
    kept = {key: value for key, value in request.headers.items() if key.lower() not in HOP_HEADERS | {"host"}}
    return kept | {
        "Host": request.host,
        "Connection": "close",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Port": str(request.port),
    }


def _holds(condition: Mapping[str, Any], request: Request) -> bool:
    field = condition.get("Field")
    if field == "path-pattern":
        return any(fnmatchcase(request.path.split("?")[0], each) for each in _values(condition, "PathPatternConfig"))
    if field == "host-header":
        host = request.host.lower()
        return any(fnmatchcase(host, each.lower()) for each in _values(condition, "HostHeaderConfig"))
    if field == "http-request-method":
        return request.method in _values(condition, "HttpRequestMethodConfig")
    return False


def _values(condition: Mapping[str, Any], config: str) -> list[str]:
    return list(condition.get("Values") or condition.get(config, {}).get("Values", []))


def _data(action: Any) -> Mapping[str, Any]:
    data: Mapping[str, Any] = getattr(action, "data", action)
    return data


def _fixed(config: Mapping[str, Any], region: str) -> Response:
    headers = (("Content-Type", config.get("ContentType", "text/plain")), (REGION_HEADER, region))
    return Response(int(config["StatusCode"]), headers, config.get("MessageBody", "").encode())


def _drop(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _replace_operations(balancers: LoadBalancers) -> None:
    """Names that are distinct, and target health that was found out."""

    def create_load_balancer(self: Any, name: str, *args: Any, **given: Any) -> Any:
        balancer = _create_load_balancer(self, name, *args, **given)
        identity = balancer.arn.rsplit("/", 1)[1]
        balancer.dns_name = f"{name}-{identity}.elb.{self.region_name}.amazonaws.com"
        return balancer

    def health_for(self: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
        status = _health_for(self, target, ec2_backend)
        if status.status != "healthy":
            return status
        if not self.load_balancer_arns:
            status.status, status.reason = "unused", "Target.NotInUse"
            status.description = DESCRIPTIONS["Target.NotInUse"]
            return status
        found = balancers.book.of(self, target["Id"])
        status.status, status.reason, status.description = found.state, found.reason, found.description
        return status

    override(ELBv2Backend, create_load_balancer=create_load_balancer)
    override(FakeTargetGroup, health_for=health_for)
