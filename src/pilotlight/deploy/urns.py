"""URNs: the names Pulumi gives to resources, `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>` (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Urn:
    """The four parts; `types` is the qualified type with all its parents."""

    stack: str
    project: str
    types: str
    name: str

    def __str__(self) -> str:
        return f"urn:pulumi:{self.stack}::{self.project}::{self.types}::{self.name}"

    @property
    def type(self) -> str:
        """The resource's own type."""
        return self.types.rsplit("$", 1)[-1]


def parse(text: str) -> Urn:
    """The parts of a URN."""
    stack, project, types, name = text.removeprefix("urn:pulumi:").split("::", 3)
    return Urn(stack, project, types, name)


def make(stack: str, project: str, parent: str, kind: str, name: str) -> str:
    """The URN of a resource below `parent` (a URN, or empty); the stack itself is no part of the type."""
    above = parse(parent).types if parent else ""
    qualified = kind if above in ("", STACK_TYPE) else f"{above}${kind}"
    return str(Urn(stack, project, qualified, name))


def aliases(urn: str, request: Any) -> list[str]:
    """Every name that this resource may have had before: whole URNs, and specs that change some part."""
    found = list(request.aliasURNs)
    for alias in request.aliases:
        if alias.urn:
            found.append(alias.urn)
        elif alias.HasField("spec"):
            found.append(_from_spec(parse(urn), request, alias.spec))
    return [each for each in found if each != urn]


def _from_spec(now: Urn, request: Any, spec: Any) -> str:
    parent = "" if spec.noParent else (spec.parentUrn or request.parent)
    return make(
        spec.stack or now.stack, spec.project or now.project, parent, spec.type or now.type, spec.name or now.name
    )
