"""Aliases: a resource that is renamed or moved in the program is the same resource in AWS, and is not made anew."""

from __future__ import annotations

from typing import Any

import pulumi

from pilotlight.engine.embedded import Engine, Program
from support.made_up_provider import Box, Thing, World, urn


def opts(**options: Any) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(**options)


def moved(engine: Engine, world: World, before: Program, after: Program) -> dict[str, dict[str, Any]]:
    """The state after a move, having checked that nothing was made or deleted for it, then and ever after."""
    engine.update("dev", before)
    calls = list(world.calls)
    engine.preview("dev", after)
    result = engine.update("dev", after)
    assert world.calls == calls
    assert set(result.counts) - {"same"} == set() or all(not result.counts[k] for k in result.counts if k != "same")
    again = engine.update("dev", after)
    assert again.counts == result.counts
    return {each["urn"]: each for each in engine.export("dev")["deployment"]["resources"]}


def test_by_name(engine: Engine, world: World) -> None:
    found = moved(
        engine,
        world,
        lambda: Thing("old", name="n") and None,
        lambda: Thing("new", name="n", opts=opts(aliases=[pulumi.Alias(name="old")])) and None,
    )
    assert urn("new") in found
    assert urn("old") not in found


def test_by_urn(engine: Engine, world: World) -> None:
    after = lambda: Thing("new", name="n", opts=opts(aliases=[urn("old")])) and None  # noqa: E731
    assert urn("new") in moved(engine, world, lambda: Thing("old", name="n") and None, after)


def test_into_a_component(engine: Engine, world: World) -> None:
    def after() -> None:
        box = Box("box")
        Thing("it", name="n", opts=opts(parent=box, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))

    def before() -> None:
        Box("box")
        Thing("it", name="n")

    found = moved(engine, world, before, after)
    assert found[urn("it", "test:index:Box$test:index:Thing")]["parent"] == urn("box", "test:index:Box")


def test_children_of_a_component_that_changes_its_type(engine: Engine, world: World) -> None:
    def before() -> None:
        Thing("leaf", name="n", opts=opts(parent=Box("box")))

    def after() -> None:
        box = Box("box", kind="test:index:Crate", opts=opts(aliases=[pulumi.Alias(type_="test:index:Box")]))
        Thing("leaf", name="n", opts=opts(parent=box))

    assert urn("leaf", "test:index:Crate$test:index:Thing") in moved(engine, world, before, after)


def test_children_named_after_a_component_that_changes_its_name(engine: Engine, world: World) -> None:
    def before() -> None:
        Thing("old-leaf", name="n", opts=opts(parent=Box("old")))

    def after() -> None:
        box = Box("new", opts=opts(aliases=[pulumi.Alias(name="old")]))
        Thing("new-leaf", name="n", opts=opts(parent=box))

    assert urn("new-leaf", "test:index:Box$test:index:Thing") in moved(engine, world, before, after)


def test_grandchildren_too(engine: Engine, world: World) -> None:
    def program(kind: str, options: pulumi.ResourceOptions | None) -> None:
        inner = Box("inner", kind="test:index:Drawer", opts=opts(parent=Box("outer", kind=kind, opts=options)))
        Thing("leaf", name="n", opts=opts(parent=inner))

    after = lambda: program("test:index:Crate", opts(aliases=[pulumi.Alias(type_="test:index:Box")]))  # noqa: E731
    found = moved(engine, world, lambda: program("test:index:Box", None), after)
    assert urn("leaf", "test:index:Crate$test:index:Drawer$test:index:Thing") in found


def test_what_depended_on_a_renamed_resource_still_does(engine: Engine, world: World) -> None:
    def program(name: str, options: pulumi.ResourceOptions | None) -> None:
        base = Thing(name, name="n", opts=options)
        Thing("top", name="t", value=base.arn)

    after = lambda: program("new", opts(aliases=[pulumi.Alias(name="old")]))  # noqa: E731
    found = moved(engine, world, lambda: program("old", None), after)
    assert found[urn("top")]["dependencies"] == [urn("new")]
    assert {name: urns for name, urns in found[urn("top")]["propertyDependencies"].items() if urns} == {
        "value": [urn("new")]
    }
