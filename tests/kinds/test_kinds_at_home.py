"""Whoever asks an asset what it is will forget the next kind: outside the folders of the kinds nobody asks."""

from __future__ import annotations

import re
from pathlib import Path

import pilotlight
from pilotlight.kinds.registry import KINDS, aspect
from pilotlight.runtime.kinds import registry

SOURCE = Path(pilotlight.__file__).parent
HOMES = ("kinds/", "runtime/kinds/")
ASKS = re.compile(r"isinstance\(.*(Dataset|Checkpoints|Volumes|Database|Compute)|kind *==")


def test_nobody_outside_the_kinds_asks_which_kind_an_asset_is() -> None:
    files = [path for path in (*SOURCE.rglob("*.py"), *SOURCE.rglob("*.html"))]
    named = {path: path.relative_to(SOURCE).as_posix() for path in files}
    outside = [path for path, name in named.items() if not name.startswith(HOMES)]
    assert len(outside) > 200
    asked = [
        f"{named[path]}:{number}: {line.strip()}"
        for path in outside
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ASKS.search(line)
    ]
    assert asked == []


def test_both_registries_have_the_same_kinds_in_the_same_order_and_every_aspect_of_each() -> None:
    assert list(KINDS) == [each.name for each in registry.KINDS]
    for name in ("declare", "forecast", "survey", "stack", "permissions"):
        assert list(aspect(name)) == list(KINDS)
    for kind in registry.KINDS:
        assert KINDS[kind.name] == type(kind).__module__.split(".")[-2], "one name on both sides of the wall"
