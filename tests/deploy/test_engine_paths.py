"""Property paths of ignore_changes, with the rules of the real engine (pulumi/sdk PropertyPath.Reset)."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from fake_provider import Thing, World

from pilotlight.deploy import paths
from pilotlight.deploy.engine import Engine
from pilotlight.errors import DeploymentFailed


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
    from pilotlight.deploy.values import secret

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


def test_a_path_that_cannot_be_followed_is_told_and_nothing_is_changed(engine: Engine, world: World) -> None:
    ignored = pulumi.ResourceOptions(ignore_changes=["value[*].b"])
    engine.update("dev", lambda: Thing("it", value=[{"b": 1}]) and None)
    with pytest.raises(DeploymentFailed, match=r"value\[\*\]\.b"):
        engine.update("dev", lambda: Thing("it", value=[{"b": 1}, {"b": 2}], opts=ignored) and None)
    assert world.acts("update") == []
