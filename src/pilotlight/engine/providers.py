"""Providers: where the resources of a program live, as Pulumi's state records it.

Every resource names its provider, `<urn>::<id>`; a program that names none gets a default one per package and version,
which holds the stack's region, so that a later `destroy` or `refresh` finds the resources without being told where.
"""

from __future__ import annotations

import json
import random
import uuid
from typing import Any

from pilotlight.engine.urns import make, parse
from pilotlight.engine.values import reveal

PREFIX = "pulumi:providers:"


def is_provider(type_: str) -> bool:
    return type_.startswith(PREFIX)


def default_urn(stack_urn: str, type_: str, version: str) -> str:
    """The URN of the default provider of a resource type; `stack_urn` is any URN of the stack."""
    place, package = parse(stack_urn), type_.split(":", 1)[0]
    name = f"default_{version.replace('.', '_')}" if version else "default"
    return make(place.stack, place.project, "", PREFIX + package, name)


def is_default(urn: str) -> bool:
    """Default providers come and go by themselves and are not counted."""
    found = parse(urn)
    return is_provider(found.type) and (found.name == "default" or found.name.startswith("default_"))


def versioned(version: str) -> dict[str, Any]:
    """What Pulumi keeps of a provider's version, among its inputs (pulumi/pulumi, pkg/resource/deploy/providers)."""
    return {"version": version, "__internal": {}} if version else {}


def new_id(rng: random.Random) -> str:
    """A version 4 UUID from this source of random numbers."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def region(inputs: dict[str, Any]) -> str | None:
    """A provider's region."""
    value = _plain(inputs.get("region"))
    return value if isinstance(value, str) and value else None


def role(inputs: dict[str, Any]) -> str:
    """ARN of the role that a provider assumes; empty where it acts as the caller."""
    chain = _plain(inputs.get("assumeRoles")) or []
    return str(chain[-1].get("roleArn") or "") if chain else ""


def _plain(value: Any) -> Any:
    """Explicit providers have their inputs as JSON texts, where they are not plain ones."""
    value = reveal(value)
    return json.loads(value) if isinstance(value, str) and value.startswith(('"', "[")) else value
