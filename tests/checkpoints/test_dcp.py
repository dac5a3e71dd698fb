"""What a user loses when one of these fails: a sharded checkpoint that is refused, or loads garbage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from layouts import Kept

from pilotlight.runtime.checkpoints.encodings.pickles import Made, Name
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, File
from pilotlight.runtime.checkpoints.formats import dcp
from pilotlight.runtime.checkpoints.formats.dcp import Contents, _complete, _part, _planned, told_step


def part(**changed: Any) -> Any:
    """What the metadata says of one part, with this changed in it."""
    place = {"relative_path": "__0_0.distcp", "offset": 0, "length": 16} | changed
    return _part(SimpleNamespace(fields={"fqn": changed.pop("fqn", "model.weight")}), SimpleNamespace(fields=place))


def test_a_part_lies_where_the_metadata_says() -> None:
    assert (part().item, part().path, part().offset, part(offset=5).offset) == ("model.weight", "__0_0.distcp", 0, 5)


@pytest.mark.parametrize(
    "changed", [{"offset": -1}, {"length": -1}, {"offset": 1.0}, {"length": None}, {"offset": True}]
)
def test_a_place_that_is_none_is_damage(changed: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match=r"model\.weight lies at"):
        part(**changed)


@pytest.mark.parametrize("changed", [{"relative_path": 5}, {"fqn": b"w"}])
def test_a_name_that_is_none_is_damage(changed: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match="not known"):
        part(**changed)


@pytest.mark.parametrize("items", [{"model.weight": 5}, {5: None}])
def test_an_item_that_is_none_is_damage(items: dict[Any, Any]) -> None:
    with pytest.raises(Damaged, match="not known"):
        _complete(items, {}, Contents())


def test_a_plan_that_names_other_items_is_damage_and_one_that_says_nothing_is_none() -> None:
    items = {"model.weight": Made(Name("m", "T"), ())}
    for planned in (None, {}, {"model.weight": ("model", "weight")}, ["model.weight"]):
        _planned(planned, items)
    for planned in ({"model.weight": ("model", "bias")}, {"model.bias": ("model", "bias")}, {"other": "no path"}):
        with pytest.raises(Damaged, match="otherwise than it was saved"):
            _planned(planned, items)


def test_the_step_of_every_parameter_in_an_optimizer_is_not_read_for_the_steps_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adam keeps a tensor `step` beside every moment: thousands of ranged reads that cannot answer."""
    parts = [part(fqn=f"optimizer.state.{n}.step") for n in range(3)] + [part(fqn="train_state.step", offset=16)]
    monkeypatch.setattr(dcp, "contents", lambda *_: Contents(parts, {"train_state.step"}))
    opened = list[int]()

    def value(span: Any, *_: Any) -> Any:
        opened.append(span.start)
        return SimpleNamespace(walked=SimpleNamespace(value=1200))

    monkeypatch.setattr(dcp.torch_archive, "opened", value)
    candidate = Candidate("ck/", (File("ck/__0_0.distcp", 32),))
    assert told_step(candidate, Kept({})) == 1200
    assert opened == [16]
