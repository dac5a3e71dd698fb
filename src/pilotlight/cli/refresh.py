"""`pilotlight refresh` and `pilotlight drift`: what AWS has, against what the state says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.cli.deploying import (
    BackendOption,
    Only,
    Parallel,
    SecretsOption,
    Yes,
    chosen,
    confirm,
    engine,
    operations,
    show,
)
from pilotlight.cli.talk import Directory, Json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Place, Target, TargetOption, place
from pilotlight.engine.results import PARALLEL, UNCHANGED, Deployment, Event
from pilotlight.runtime.errors import Drifted, one_a_line

if TYPE_CHECKING:
    from pilotlight.deploy.operations import Operations

TOLD_MAX = 5
"""Drifted resources named in the error; --json has them all."""


def refresh(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    only: Only = None,
    yes: Yes = False,
    parallel: Parallel = PARALLEL,
    backend: BackendOption = None,
    secrets: SecretsOption = None,
    json: Json = False,
) -> None:
    """Look at every resource and take what was found over into the state; changes nothing in AWS."""
    stacks = chosen(only)
    here = place(declaration, target, directory)
    confirm(here, yes, "Take over into the state what is found in AWS")
    show("refresh", _acts(here, backend, secrets, parallel, json).refresh(True, stacks), json)


def drift(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    only: Only = None,
    parallel: Parallel = PARALLEL,
    backend: BackendOption = None,
    secrets: SecretsOption = None,
    json: Json = False,
) -> None:
    """Look at every resource and name what is not as the state says, with exit code 7; changes nothing."""
    stacks = chosen(only)
    here = place(declaration, target, directory)
    found = _acts(here, backend, secrets, parallel, json).refresh(False, stacks)
    show("drift", found, json)
    if found.changes:
        raise _drifted(found)


def _acts(here: Place, backend: str | None, secrets: str | None, parallel: int, json: bool) -> Operations:
    return operations(here, here.inventory(), engine(here, backend, secrets, parallel), json)


def _drifted(found: Deployment) -> Drifted:
    names = [
        f"{result.stack} {event.urn.rpartition('::')[2]} ({_what(event)})"
        for result in found.stacks
        for event in result.operations
        if event.operation not in UNCHANGED
    ]
    more = [f"and {len(names) - TOLD_MAX} more"] if len(names) > TOLD_MAX else []
    return Drifted(count=len(names), lines=one_a_line(names[:TOLD_MAX] + more))


def _what(event: Event) -> str:
    return "gone" if event.operation == "delete" else ", ".join(event.keys)
