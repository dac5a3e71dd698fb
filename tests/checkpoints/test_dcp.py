"""What a user loses when one of these fails: a sharded checkpoint that is refused, or loads garbage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pilotlight.checkpoints.dcp import _part
from pilotlight.checkpoints.format import Damaged


def part(**changed: Any) -> Any:
    """What the metadata says of one part, with this changed in it."""
    place = {"relative_path": "__0_0.distcp", "offset": 0, "length": 16} | changed
    return _part(SimpleNamespace(fields={"fqn": changed.pop("fqn", "model.weight")}), SimpleNamespace(fields=place))


def test_a_part_lies_where_the_metadata_says() -> None:
    assert (part().item, part().path, part().offset, part(offset=5).offset) == ("model.weight", "__0_0.distcp", 0, 5)


@pytest.mark.parametrize("changed", [{"offset": -1}, {"length": -1}, {"offset": 1.0}, {"length": None}, {"offset": True}])
def test_a_place_that_is_none_is_damage(changed: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match=r"model\.weight lies at"):
        part(**changed)


@pytest.mark.parametrize("changed", [{"relative_path": 5}, {"fqn": b"w"}])
def test_a_name_that_is_none_is_damage(changed: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match="not known"):
        part(**changed)
