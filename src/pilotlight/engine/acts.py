"""Acts of a deployment: calls to resource classes, told as they begin, timed, and failing in one sentence.

The first failure ends the deployment; what is told of it never repeats a secret, whatever AWS said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pilotlight.engine import providers
from pilotlight.engine.provider import Place, ResourceType
from pilotlight.engine.results import Event
from pilotlight.engine.state import Resource, Stack
from pilotlight.engine.values import reveal, secret_texts
from pilotlight.runtime.errors import DeploymentFailed, PilotlightError, ResourceProtected, UnknownResourceType

Invokes = Mapping[str, Callable[[Place, dict[str, Any]], dict[str, Any]]]

SECRET_CHARACTERS_MIN = 4
"""Shorter secrets are not looked for in messages: they would blacken ordinary words."""
HIDDEN = "[secret]"


@dataclass
class Acts:
    """The state, the resource classes, and what was done so far."""

    stack: Stack
    name: str
    types: Mapping[str, ResourceType]
    invokes: Invokes
    place: Place
    preview: bool = False
    tell: Callable[[Event], None] = lambda event: None
    events: list[Event] = field(default_factory=list)
    failure: PilotlightError | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def kind(self, type_: str, urn: str) -> ResourceType:
        """The class of a type; one that is not known ends the deployment."""
        found = self.types.get(type_)
        if found is None:
            raise self.fail(UnknownResourceType(type=type_, urn=urn))
        return found

    def at(self, inputs: Mapping[str, Any], provider: str = "") -> Place:
        """Where a resource lives: the region it names, else its provider's, else the stack's; and as its provider."""
        found = self.stack.find(provider.rpartition("::")[0]) if provider else None
        given = found.inputs if found else {}
        region = reveal(inputs.get("region")) or providers.region(given) or self.place.region
        return replace(self.place, region=str(region), role=providers.role(given))

    def act(self, what: str, urn: str, call: Callable[[], Any], told: Iterable[Any] = ()) -> Any:
        """Call; a failure names the resource and the act, without the secrets in `told`. Its duration is kept."""
        started = time.monotonic()
        try:
            return call()
        except Exception as problem:
            known = isinstance(problem, PilotlightError)
            reason = problem.message if isinstance(problem, PilotlightError) else str(problem)
            text = reason if known else f"{type(problem).__name__}: {reason}"
            raise self.failed(what, urn, _without(text, told)) from None
        finally:
            self._timed(urn, time.monotonic() - started)

    def failed(self, what: str, urn: str, reason: str) -> PilotlightError:
        return self.fail(DeploymentFailed(stack=self.name, urn=urn, act=what, reason=reason))

    def protected(self, resource: Resource) -> PilotlightError:
        return self.fail(ResourceProtected(stack=self.name, urn=resource.urn))

    def fail(self, failure: PilotlightError) -> PilotlightError:
        """Keep the first failure; it is what every later registration is refused with."""
        with self.lock:
            self.failure = self.failure or failure
            return failure

    def refuse_after_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def note(self, operation: str, urn: str, type_: str, keys: Iterable[str] = ()) -> None:
        """Count an operation and tell it."""
        event = Event(operation, urn, type_, tuple(sorted(keys)))
        with self.lock:
            self.events.append(event)
        self.tell(event)

    def _timed(self, urn: str, seconds: float) -> None:
        with self.lock:
            for index, event in enumerate(self.events):
                if event.urn == urn:
                    self.events[index] = replace(event, seconds=event.seconds + seconds)


def _without(text: str, told: Iterable[Any]) -> str:
    found = {secret for value in told for secret in secret_texts(value) if len(secret) >= SECRET_CHARACTERS_MIN}
    for each in sorted(found, key=len, reverse=True):
        text = text.replace(each, HIDDEN)
    return text
