"""Property paths of ignore_changes, with the rules of the real engine (pulumi/sdk PropertyPath.Reset)."""

from __future__ import annotations

import random
from typing import Any

import pulumi
import pytest

from pilotlight.engine import paths
from pilotlight.engine.embedded import Engine
from support.made_up_provider import Thing, World
from support.pulumi_engine import ThingsEngine


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("root", ("root",)),
        ("root.nested", ("root", "nested")),
        ('root["nested"]', ("root", "nested")),
        ("root.array[0].nested", ("root", "array", 0, "nested")),
        ('root["key with \\"escaped\\" quotes"].nested', ("root", 'key with "escaped" quotes', "nested")),
        ('["root key with a ."][100]', ("root key with a .", 100)),
        ("root.array[*].field", ("root", "array", "*", "field")),
    ],
)
def test_paths_are_read_as_the_real_engine_reads_them(text: str, parts: tuple[str | int, ...]) -> None:
    assert paths.parse(text) == parts


@pytest.mark.parametrize(
    ("path", "old", "new", "kept"),
    [
        ("a", {"a": 1}, {"a": 2}, {"a": 1}),
        ("a", {}, {"a": 2}, {}),
        ("a", {"a": 1}, {}, {"a": 1}),
        ("tags.foo", {"tags": {"foo": 1}}, {"tags": {"foo": 2, "bar": 3}}, {"tags": {"foo": 1, "bar": 3}}),
        ("tags.foo", {}, {"tags": {"foo": 2, "bar": 3}}, {"tags": {"bar": 3}}),
        ("tags.foo", {"x": 1}, {"x": 2}, {"x": 2}),
        ("a[1]", {"a": [1, 2]}, {"a": [3, 4]}, {"a": [3, 2]}),
        ("a[5]", {"a": [1]}, {"a": [2]}, {"a": [2]}),
        (
            "a[*].b",
            {"a": [{"b": 1}, {"b": 2}]},
            {"a": [{"b": 3}, {"b": 4, "c": 5}]},
            {"a": [{"b": 1}, {"b": 2, "c": 5}]},
        ),
        ("a[*]", {"a": [1, 2]}, {"a": [3, 4]}, {"a": [1, 2]}),
        ("a.*", {"a": {"x": 1}}, {"a": {"x": 2, "y": 3}}, {"a": {"x": 1}}),
        ("*", {"x": 1}, {"x": 2, "y": 3}, {"x": 1}),
    ],
)
def test_ignored_places_keep_their_old_value(
    path: str, old: dict[str, Any], new: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert paths.keep_old(path, old, new) == kept


def test_a_secret_that_is_kept_stays_a_secret() -> None:
    from pilotlight.engine.values import secret

    old, new = {"a": secret({"b": 1})}, {"a": {"b": 2, "c": 3}}
    assert paths.keep_old("a.b", old, new) == {"a": {"b": secret(1), "c": 3}}


def test_what_is_ignored_is_not_an_update(engine: Engine, world: World) -> None:
    def program(value: Any) -> None:
        ignored = pulumi.ResourceOptions(ignore_changes=["value.tags.seen", "value.rules[*].count"])
        Thing("it", value=value, opts=ignored)

    first = {"tags": {"seen": 1}, "rules": [{"count": 1, "id": "a"}]}
    engine.update("dev", lambda: program(first))
    second = {"tags": {"seen": 2}, "rules": [{"count": 2, "id": "a"}]}
    assert engine.update("dev", lambda: program(second)).counts["same"] == 2
    third = {"tags": {"seen": 3}, "rules": [{"count": 3, "id": "b"}]}
    assert engine.update("dev", lambda: program(third)).counts["update"] == 1
    (thing,) = world.things.values()
    assert thing["value"] == {"tags": {"seen": 1}, "rules": [{"count": 1, "id": "b"}]}


@pytest.mark.engine
@pytest.mark.timeout(120)
def test_what_stays_is_what_stays_with_pulumis_own_engine(pulumi_engine: ThingsEngine, world: World) -> None:
    """Random values and paths, a thing for each, in one update."""
    rng = random.Random(7)
    cases = [(path, _random(rng, 3), _random(rng, 3)) for path in PATHS for _ in range(CASES_A_PATH)]
    cases += [(path, [_random(rng, 2)], [_random(rng, 2)]) for path in OF_LISTS for _ in range(CASES_A_PATH)]

    def program(after: bool) -> None:
        for number, (path, old, new) in enumerate(cases):
            options = pulumi.ResourceOptions(ignore_changes=[path]) if after else None
            Thing(f"it-{number}", name=f"it-{number}", value=new if after else old, opts=options)

    for after in (False, True):
        pulumi_engine.update("dev", lambda after=after: program(after))  # type: ignore[misc]
    found = {thing["name"]: thing["value"] for thing in world.things.values()}
    for number, (path, old, new) in enumerate(cases):
        assert paths.keep_old(path, {"value": old}, {"value": new}) == {"value": found[f"it-{number}"]}, (
            path,
            old,
            new,
        )


CASES_A_PATH = 25
PATHS = ("value", "value.a", 'value["a"]', "value.a.b", "value.*", "value[*]", "value[0]", "value[1]", "value[0].a",
         "value.a[*]", "value.a[0]")  # fmt: skip
OF_LISTS = ("value[*].a", "value[*][*]")
"""Of objects, what the real engine does where one key of many is lost hangs on Go's order of a map."""


def _random(rng: random.Random, depth: int) -> Any:
    kind = rng.random()
    if depth == 0 or kind < 0.25:
        return rng.choice([1, 2, "x"])
    if kind < 0.65:
        return {key: _random(rng, depth - 1) for key in rng.sample("ab", rng.randint(0, 2))}
    return [_random(rng, depth - 1) for _ in range(rng.randint(0, 3))]
