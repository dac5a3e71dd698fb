"""The embedded engine's resource classes, made to ask what the real provider asks, when it asks it.

Each class is wrapped: every AWS call goes through a client that knows the provider's order for this act
(stacks/provider_calls). A read that comes before a call in that order is made first, with its own arguments; what the
class asks a second time is answered from the first. So the calls that reach the cloud are the provider's, in order,
and a policy that lacks one of them ends the rehearsal by name. Only tests and `make permissions` do it: a deployment
makes the calls it needs. For the sample's 109 resources it would be 174 calls more at a first `up`, 83 at each refresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import is_gone
from pilotlight.runtime.aws.session import error_code
from pilotlight.stacks.provider_calls import TABLE
from pilotlight.stacks.provider_calls.calls import SOMETIMES, Calls
from support.provider_arguments import ARGUMENTS, Known

READS = ("Get", "List", "Describe", "Head")
NOT_SET = frozenset({
    "NoSuchCORSConfiguration", "NoSuchWebsiteConfiguration", "ObjectLockConfigurationNotFoundError",
})  # fmt: skip
"""What S3 and others answer of a setting that was never made; the provider goes on."""

Log = list[tuple[str, str, list[str]]]
"""Type, act, and the calls that reached the cloud, in order."""


@dataclass
class Order:
    """One act of one resource: what the provider asks, how far it is, and what was answered."""

    calls: Calls
    expected: list[str]
    known: Known
    place: Place
    made: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    at: int = 0

    def call(self, operation: str, send: Callable[[], Any], arguments: Properties) -> Any:
        """One call of the class: after what comes before it, or from what was asked already."""
        reads = operation.partition(".")[2].startswith(READS)
        if self.made and self.made[-1] == operation:
            return self._send(operation, send, arguments)
        ahead = self._ahead(operation)
        if ahead is not None:
            self._ask_until(ahead)
            self.at = ahead + 1
        elif reads and self.answers.get(operation, (None,))[0] == arguments:
            return deepcopy(self.answers[operation][1])
        return self._send(operation, send, arguments)

    def finish(self) -> None:
        """Ask what is left."""
        self._ask_until(len(self.expected))

    def _ahead(self, operation: str) -> int | None:
        found = (i for i in range(self.at, len(self.expected)) if self.expected[i].rstrip(SOMETIMES) == operation)
        return next(found, None)

    def _ask_until(self, end: int) -> None:
        for operation in self.expected[self.at : end]:
            if not operation.endswith(SOMETIMES) and operation not in self.calls.apart:
                self._ask(operation)
        self.at = max(self.at, end)

    def _ask(self, operation: str) -> None:
        if self.made and self.made[-1] == operation:
            return
        service, _, name = operation.partition(".")
        if not name.startswith(READS):
            return
        arguments = ARGUMENTS[operation](self.known, self.answers)
        client = self.place.client(service)
        method = next(each for each, api in client.meta.method_to_api_mapping.items() if api == name)
        try:
            self._send(operation, lambda: getattr(client, method)(**arguments), arguments)
        except Exception as problem:
            if not is_gone(problem) and error_code(problem) not in NOT_SET:
                raise

    def _send(self, operation: str, send: Callable[[], Any], arguments: Properties) -> Any:
        self.made.append(operation)
        answer = send()
        self.answers[operation] = (arguments, answer)
        return answer


class _Client:
    """A boto3 client whose calls keep the order."""

    def __init__(self, service: str, client: Any, order: Order) -> None:
        self._service, self._client, self._order = service, client, order

    def __getattr__(self, name: str) -> Any:
        operation = self._client.meta.method_to_api_mapping.get(name)
        found = getattr(self._client, name)
        if operation is None:
            return found
        named = f"{self._service}.{operation}"
        return lambda **arguments: self._order.call(named, lambda: found(**arguments), arguments)


@dataclass(frozen=True)
class _Place(Place):
    order: Order | None = None

    def client(self, service: str) -> Any:
        assert self.order is not None
        return _Client(service, super().client(service), self.order)


class AsProvider(ResourceType):
    """One class as the provider would be it; what it does not say of itself the class says."""

    def __init__(self, kind: ResourceType, calls: Calls, log: Log | None = None) -> None:
        self._kind, self._calls, self._log = kind, calls, log
        for said in ("type", "replace_on", "name_key", "secret_outputs"):
            setattr(self, said, getattr(kind, said))

    def check(self, place: Place, name: str, inputs: Properties, old: Properties | None) -> Properties:
        return self._kind.check(place, name, inputs, old)

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        order, followed = self._order("create", place, Known("", inputs))
        id_, outputs = self._kind.create(followed, inputs)
        order.known = Known(id_, {**inputs, **outputs})
        self._done("create", order)
        return id_, outputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        order, followed = self._order("read", place, Known(id_, inputs))
        found = self._kind.read(followed, id_, inputs)
        if found is not None:
            order.known = Known(id_, {**inputs, **found})
            self._done("read", order)
        return found

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        order, followed = self._order("update", place, Known(id_, {**old, **new}))
        outputs = self._kind.update(followed, id_, old, new)
        order.known = Known(id_, {**old, **new, **outputs})
        self._done("update", order)
        return outputs

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        order, followed = self._order("delete", place, Known(id_, outputs))
        self._kind.delete(followed, id_, outputs)
        self._done("delete", order)

    def _order(self, act: str, place: Place, known: Known) -> tuple[Order, Place]:
        own = [f"{self._calls.service}.{self._calls.first[act][0]}{SOMETIMES}"] if act in self._calls.first else []
        order = Order(self._calls, [*own, *self._calls.of(act)], known, place)
        return order, _Place(place.region, place.rng, place.role, order)

    def _done(self, act: str, order: Order) -> None:
        order.finish()
        if self._log is not None:
            self._log.append((self._kind.type, act, order.made))


def as_provider(types: Mapping[str, ResourceType], log: Log | None = None) -> dict[str, ResourceType]:
    """The types, those of the stacks as the provider would be them."""
    return {name: AsProvider(kind, TABLE[name], log) if name in TABLE else kind for name, kind in types.items()}
