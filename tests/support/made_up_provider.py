"""A provider of one made-up type, in memory, and the Pulumi resource that asks for it: no AWS is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from pilotlight.engine.embedded import Engine
from pilotlight.engine.provider import Place, Properties, ResourceType

PASSPHRASE = "correct horse"


class World:
    """What exists, and every call that was made, in order."""

    def __init__(self) -> None:
        self.things: dict[str, Properties] = {}
        self.calls: list[tuple[str, str]] = []
        self.roles: list[tuple[str, str, str]] = []
        """Act, name, and the role that it was done as."""
        self.broken: set[str] = set()
        self.made = 0

    def acts(self, kind: str) -> list[str]:
        """The names that this kind of call was made for."""
        return [name for act, name in self.calls if act == kind]

    def names(self) -> set[str]:
        return {str(each["name"]) for each in self.things.values()}


class ThingType(ResourceType):
    """Create, read, update and delete in a World; names are unique, as AWS's are."""

    type = "test:index:Thing"
    replace_on = frozenset({"shape", "name"})
    name_key = "name"

    def __init__(self, world: World) -> None:
        self.world = world

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        name = inputs["name"]
        self._call(place, "create", name)
        if name in self.world.names():
            raise ValueError(f"{name} exists already")
        self.world.made += 1
        id_ = f"thing-{self.world.made}"
        self.world.things[id_] = {**inputs, "region": place.region}
        return id_, self._outputs(id_)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        self.world.calls.append(("read", id_))
        return self._outputs(id_) if id_ in self.world.things else None

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        self._call(place, "update", new["name"])
        self.world.things[id_] = {**new, "region": place.region}
        return self._outputs(id_)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        found = self.world.things.get(id_)
        self._call(place, "delete", str(found["name"]) if found else id_)
        self.world.things.pop(id_, None)

    def _call(self, place: Place, act: str, name: str) -> None:
        self.world.calls.append((act, name))
        self.world.roles.append((act, name, place.role))
        if name in self.world.broken:
            raise ValueError(f"{name} is broken")

    def _outputs(self, id_: str) -> Properties:
        found = self.world.things[id_]
        return {**found, "id": id_, "arn": f"arn:test:{found['region']}:{id_}"}


class Thing(pulumi.CustomResource):
    """The resource as a program sees it."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    value: pulumi.Output[Any]

    def __init__(self, logical: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        outputs = {"arn": None, "name": None, "value": None, "region": None}
        super().__init__("test:index:Thing", logical, outputs | inputs, opts)


class Box(pulumi.ComponentResource):
    """A component with nothing of its own."""

    def __init__(self, logical: str, kind: str = "test:index:Box", opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(kind, logical, None, opts)


def engine_of(folder: Path, world: World, passphrase: str = PASSPHRASE) -> Engine:
    """An engine that knows only Things."""
    return Engine(folder, "proj", passphrase, types={ThingType.type: ThingType(world)}, invokes={})


def urn(name: str, types: str = "test:index:Thing") -> str:
    return f"urn:pulumi:dev::proj::{types}::{name}"
