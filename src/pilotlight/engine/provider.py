"""What a resource class is: create, read, update, delete by AWS calls, and the properties that cannot be changed.

One small class per type, in `resources/`. Inputs and outputs are in the wire form of pulumi-aws (camelCase), secrets
revealed, assets still marked. The same classes serve whatever engine drives them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from pilotlight.engine.values import DEFAULTS
from pilotlight.runtime.aws.session import client

Properties = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a resource lives and how its names come: its region, the source of random suffixes, and the role whose
    account it is in, where that is not the caller's own."""

    region: str
    rng: random.Random
    role: str = ""

    def client(self, service: str) -> Any:
        """The client of an AWS service there."""
        return client(service, self.region, self.role)

    def suffix(self) -> str:
        """Seven hexadecimal digits, as Pulumi's automatic names have them."""
        return f"{self.rng.randrange(16**7):07x}"


class ResourceType:
    """One type of resource. `place` is given per call, so one instance serves a whole deployment."""

    type: ClassVar[str] = ""
    replace_on: ClassVar[frozenset[str]] = frozenset()
    """Inputs whose change needs a new resource."""
    name_key: ClassVar[str | None] = None
    """Input that is named automatically when it is left out: logical name, a hyphen and a random suffix."""
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    """Outputs that are secret whatever the inputs were."""

    def check(self, place: Place, name: str, inputs: Properties, old: Properties | None) -> Properties:
        """The inputs with the automatic name where one is due, noted under `__defaults` as pulumi-aws does; the name of
        the old inputs is kept where it was automatic too. `name` is the logical one."""
        key = self.name_key
        if key is None or inputs.get(key) or inputs.get(f"{key}Prefix"):
            return inputs
        kept = old[key] if old is not None and self.named_itself(old) else f"{name}-{place.suffix()}"
        return inputs | {key: kept, DEFAULTS: [key]}

    def named_itself(self, inputs: Properties) -> bool:
        """Whether these inputs hold an automatic name."""
        return self.name_key in inputs.get(DEFAULTS, ())

    def same_name(self, old: Properties, new: Properties) -> bool:
        """Whether a replacement would bear the old one's name, given by the program: both cannot exist at once."""
        key = self.name_key
        if key is None or old.get(key) is None or self.named_itself(old):
            return False
        return bool(old[key] == new.get(key))

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        """Make it; returns its id and its outputs."""
        raise NotImplementedError(self.type)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        """Its outputs as they are now, or None when it is gone."""
        raise NotImplementedError(self.type)

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        """Change it in place; returns its outputs."""
        raise NotImplementedError(self.type)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        """Remove it; what is gone already is fine."""
        raise NotImplementedError(self.type)
