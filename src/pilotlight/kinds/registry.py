"""The kinds of assets before the disaster, by the name that a declaration gives them: a new kind is its folder beside
this file, and a line here. Its other half is registered in runtime/kinds/registry.py, in the same order.

Rooms ask for the one aspect that is theirs, and only that is imported: whoever reads a declaration loads no Pulumi.
This file imports nothing of Pilotlight, so every room may read it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

KINDS: dict[str, str] = {
    "dataset": "buckets",
    "checkpoints": "checkpoints",
    "volumes": "volumes",
    "database": "aurora",
    "compute": "autoscaling",
}
"""Kind -> the folder that it is in."""


@cache
def aspect(name: str) -> dict[str, Any]:
    """Kind -> the object KIND of its module `name`; whose class that is, the room that asks says."""
    return {kind: import_module(f"{__package__}.{folder}.{name}").KIND for kind, folder in KINDS.items()}
