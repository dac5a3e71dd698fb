"""What the embedded cloud puts in the place of moto's own must be known, and must end with it: the next cloud of the
same process would answer with the data of the one before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

from pilotlight.local import overrides
from pilotlight.local.behaviours import all_behaviours
from pilotlight.local.kernel.cloud import Cloud


def standing() -> Iterator[tuple[type, str]]:
    """Every function and property of ours in a class of moto's, found by looking at all of them."""
    modules = [(name, module) for name, module in sys.modules.items() if name.startswith("moto.")]
    classes = {each for name, module in modules for each in vars(module).values() if isinstance(each, type)}
    for kind in classes:
        if kind.__module__.startswith("moto."):
            for name, attribute in vars(kind).items():
                function = attribute.fget if isinstance(attribute, property) else attribute
                if isinstance(function, FunctionType) and function.__module__.startswith("pilotlight."):
                    yield kind, name


def test_every_override_is_listed_and_ends_with_its_cloud(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, ("us-east-1", "us-west-2"))
    cloud.access.install()
    cloud.install(all_behaviours())
    listed = {(each.kind, each.name) for each in overrides.overrides()}
    assert len(listed) > 100
    assert set(standing()) == listed
    cloud.stop()
    assert set(standing()) == set()
    assert overrides.overrides() == []


class Base:
    def told(self) -> str:
        return "moto's"


class Kind(Base):
    number = 1


def test_an_override_finds_motos_own_however_often_it_is_put_there() -> None:
    def told(self: Kind) -> str:
        return f"around {overrides.original(Kind, 'told')(self)}"

    for _ in range(2):
        overrides.override(Kind, told=told)
        assert Kind().told() == "around moto's"
    overrides.release()
    assert "told" not in vars(Kind) and Kind().told() == "moto's"


def test_two_behaviours_that_override_the_same_function_are_refused() -> None:
    def told(self: Kind) -> str:
        return "another's"

    told.__module__ = "pilotlight.local.another"
    overrides.override(Kind, told=lambda self: "one's")
    with pytest.raises(ValueError, match=r"Kind\.told is overridden by .*test_overrides already"):
        overrides.override(Kind, told=told)
    overrides.release()


def test_what_was_added_to_a_list_of_motos_is_taken_out_again() -> None:
    of_moto = ["there"]
    for _ in range(2):
        overrides.extend(of_moto, "added")
    assert of_moto == ["there", "added"]
    overrides.release()
    assert of_moto == ["there"]
