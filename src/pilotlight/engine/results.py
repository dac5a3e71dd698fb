"""What both engines take and tell: a program, an event for each operation, a result; and what both can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pilotlight.runtime.records.inventory import Inventory

PARALLEL = 10
"""Resource operations at once by Pulumi's own engine, whose default is no bound at all; AWS throttles by account."""

UNCHANGED = ("same", "read")

Program = Callable[[], None] | Path
"""A plain function, or a folder with Pulumi.yaml and __main__.py (the embedded engine alone takes one)."""


@dataclass(frozen=True)
class Event:
    """One operation on one resource, as it is told and counted; told before it is done, so without its duration."""

    operation: str
    urn: str
    type: str
    keys: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Result:
    """What a deployment did, or would do."""

    stack: str
    counts: dict[str, int]
    operations: tuple[Event, ...]
    outputs: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Deployment:
    """What was done to each stack, or would be."""

    inventory: Inventory
    stacks: tuple[Result, ...]

    @property
    def changes(self) -> int:
        """Over all stacks; 0 says that everything was as declared."""
        return sum(changes(each) for each in self.stacks)

    def counts(self) -> dict[str, dict[str, int]]:
        """By stack: operation -> number of resources."""
        return {each.stack: {name: number for name, number in each.counts.items() if number} for each in self.stacks}


def changes(result: Result) -> int:
    """Everything that was not left the same."""
    return sum(number for operation, number in result.counts.items() if operation not in UNCHANGED)


@dataclass(frozen=True)
class Held:
    """One resource as a state has it."""

    urn: str
    type: str
    id: str
    protect: bool


Tell = Callable[[Event], None]


def silent(event: Event) -> None:
    """Tells nobody."""


class Deployer(Protocol):
    """Pulumi's own engine, or the embedded one. `region` is where resources are unless they say otherwise."""

    def update(
        self,
        stack: str,
        program: Program,
        config: Mapping[str, str] | None = None,
        region: str = "us-east-1",
        on_event: Tell = silent,
    ) -> Result:
        """Make AWS what the program says."""
        ...

    def preview(
        self,
        stack: str,
        program: Program,
        config: Mapping[str, str] | None = None,
        region: str = "us-east-1",
        on_event: Tell = silent,
    ) -> Result:
        """What an update would do; changes nothing."""
        ...

    def refresh(self, stack: str, region: str = "us-east-1", on_event: Tell = silent, keep: bool = True) -> Result:
        """Read every resource again; with `keep` the state takes over what was found, else nothing is changed."""
        ...

    def destroy(self, stack: str, region: str = "us-east-1", on_event: Tell = silent) -> Result:
        """Delete everything but what is protected and what that stands on."""
        ...

    def unprotect(self, stack: str, urns: Iterable[str]) -> None:
        """Let these be deleted by a destroy; changes nothing in AWS."""
        ...

    def let_go(self, stack: str, urns: Iterable[str]) -> None:
        """Forget these: they stay in AWS as they are, and no destroy deletes them."""
        ...

    def held(self, stack: str) -> tuple[Held, ...]:
        """What the state has: AWS resources, in the order of their creation."""
        ...

    def outputs(self, stack: str) -> dict[str, Any]:
        """What the stack exports."""
        ...

    def export(self, stack: str) -> dict[str, Any]:
        """The state as `pulumi stack export` prints it, secrets as ciphertext."""
        ...

    def restore(self, stack: str, document: dict[str, Any]) -> None:
        """Let the state be what `export` gave; changes nothing in AWS."""
        ...

    def location(self, stack: str) -> str:
        """Where the state is looked for, for a person."""
        ...

    def pending(self, stack: str) -> tuple[str, ...]:
        """URNs of what was begun and whose outcome the state does not know."""
        ...
