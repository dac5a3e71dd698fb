"""URNs: the names Pulumi gives to resources, `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>` (pure)."""

from __future__ import annotations

from collections.abc import Mapping
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


def aliases(urn: str, request: Any, renamed: Mapping[str, str]) -> list[str]:
    """Every name that this resource may have had before: whole URNs, specs that change some part, and what follows
    from a parent that was renamed (`renamed`: URN now -> URN before). Order and rules are those of `generateAliases`
    in pulumi/pkg `resource/deploy/step_generator.go`."""
    now = parse(urn)
    own = [*request.aliasURNs]
    own += [each.urn or _from_spec(now, request.parent, each.spec, renamed) for each in request.aliases]
    before = renamed.get(request.parent)
    inherited = []
    if before is not None:
        formerly = [(now.type, now.name), *((parse(each).type, parse(each).name) for each in own)]
        inherited = [_inherited(now, request.parent, before, type_, name) for type_, name in formerly]
    return [each for each in dict.fromkeys([*own, *inherited]) if each != urn]


def _from_spec(now: Urn, parent: str, spec: Any, renamed: Mapping[str, str]) -> str:
    above = "" if spec.noParent else (renamed.get(spec.parentUrn, spec.parentUrn) or parent)
    return make(
        spec.stack or now.stack, spec.project or now.project, above, spec.type or now.type, spec.name or now.name
    )


def _inherited(now: Urn, parent: str, before: str, type_: str, name: str) -> str:
    """A child named after its parent had the parent's former name in its own."""
    prefix = parse(parent).name
    formerly = parse(before).name + name.removeprefix(prefix) if name.startswith(prefix) else name
    return make(now.stack, now.project, before, type_, formerly)
