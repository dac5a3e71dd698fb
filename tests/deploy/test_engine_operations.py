"""Updates, previews, replacement, deletion and failure: what a user loses when the engine gets them wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from pilotlight.engine.embedded import Engine
from pilotlight.engine.state import Stack
from pilotlight.runtime.errors import DeploymentFailed, ResourceProtected, UnknownResourceType
from support.made_up_provider import Box, Thing, World, engine_of, urn


def opts(**options: Any) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(**options)


def resources(engine: Engine) -> dict[str, dict[str, Any]]:
    return {each["urn"]: each for each in engine.export("dev")["deployment"]["resources"]}


def test_a_second_update_changes_nothing_and_calls_nothing(engine: Engine, world: World) -> None:
    def program() -> None:
        first = Thing("first", value={"a": [1, 2.5, True, None]})
        Thing("second", value=first.arn)

    first = engine.update("dev", program)
    assert (first.counts["create"], first.counts.get("same", 0)) == (3, 0)
    before = list(world.calls)
    second = engine.update("dev", program)
    assert world.calls == before
    assert second.counts["same"] == 3
    assert sum(second.counts.values()) == 3


def test_a_state_is_not_written_for_each_resource_that_stays_as_it_is(
    embedded: Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program() -> None:
        for number in range(12):
            Thing(f"thing-{number}", value=number)

    written: list[Stack] = []
    write = Stack.write
    monkeypatch.setattr(Stack, "write", lambda stack: (written.append(stack), write(stack)))
    embedded.update("dev", program)
    first = len(written)
    embedded.update("dev", program)
    assert first > 12
    assert len(written) - first < 12


def test_a_preview_counts_exactly_and_acts_never(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: [Thing("kept", value=1), Thing("changed", value=1), Thing("gone")])
    before = list(world.calls)

    def program() -> None:
        Thing("kept", value=1)
        Thing("changed", value=2)
        Thing("new")

    told = engine.preview("dev", program)
    assert world.calls == before
    counts = {kind: told.counts.get(kind, 0) for kind in ("create", "update", "replace", "delete", "same")}
    assert counts == {"create": 1, "update": 1, "replace": 0, "delete": 1, "same": 2}
    assert next(each for each in told.operations if each.operation == "update").keys == ("value",)
    assert engine.update("dev", program).counts == told.counts


def test_what_a_resource_gives_out_is_unknown_before_it_exists(engine: Engine) -> None:
    asked: list[str] = []

    def program() -> None:
        made = Thing("made", value=1)
        made.arn.apply(asked.append)
        made.id.apply(asked.append)
        Thing("reader", value=made.arn)

    assert engine.preview("dev", program).counts["create"] == 3
    assert asked == []
    engine.update("dev", program)
    assert sorted(asked) == ["arn:test:us-east-1:thing-1", "thing-1"]


def test_a_replacement_is_made_before_the_old_one_is_deleted(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: Thing("it", shape="round") and None)
    result = engine.update("dev", lambda: Thing("it", shape="square") and None)
    assert result.counts["replace"] == 1
    assert [act for act, _ in world.calls] == ["create", "create", "delete"]
    assert [each["shape"] for each in world.things.values()] == ["square"]


def test_a_replacement_is_deleted_first_where_the_program_says_so(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: Thing("it", shape="round") and None)
    engine.update("dev", lambda: Thing("it", shape="square", opts=opts(delete_before_replace=True)) and None)
    assert [act for act, _ in world.calls] == ["create", "delete", "create"]


def test_a_thing_with_a_fixed_name_is_deleted_before_its_replacement_takes_the_name(
    engine: Engine, world: World
) -> None:
    engine.update("dev", lambda: Thing("it", name="fixed", shape="round") and None)
    engine.update("dev", lambda: Thing("it", name="fixed", shape="square") and None)
    assert [act for act, _ in world.calls] == ["create", "delete", "create"]


def test_a_failed_replacement_leaves_the_old_one_in_place_and_known(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: Thing("it", shape="round", name="old") and None)
    world.broken.add("new")
    with pytest.raises(DeploymentFailed):
        engine.update("dev", lambda: Thing("it", shape="square", name="new") and None)
    kept = resources(engine)[urn("it")]
    assert kept["id"] == "thing-1"
    assert not kept.get("delete")
    assert engine.update("dev", lambda: Thing("it", shape="round", name="old") and None).counts["same"] == 2


def test_replace_on_changes_replaces_only_when_its_path_changed(engine: Engine, world: World) -> None:
    guard = opts(replace_on_changes=["value.fragile"])
    engine.update("dev", lambda: Thing("it", value={"fragile": 1, "sturdy": 1}, opts=guard) and None)
    second = engine.update("dev", lambda: Thing("it", value={"fragile": 1, "sturdy": 2}, opts=guard) and None)
    assert second.counts.get("update") == 1
    third = engine.update("dev", lambda: Thing("it", value={"fragile": 2, "sturdy": 2}, opts=guard) and None)
    assert third.counts.get("replace") == 1


def test_dependents_are_deleted_before_what_they_depend_on(engine: Engine, world: World) -> None:
    def first() -> None:
        Thing("late", name="late")

    def second() -> None:
        base = Thing("base", name="base")
        Thing("late", name="late", value=base.arn)

    engine.update("dev", first)
    engine.update("dev", second)
    engine.destroy("dev")
    assert world.acts("delete") == ["late", "base"]


def test_depends_on_orders_creation_and_deletion(engine: Engine, world: World) -> None:
    def program() -> None:
        base = Thing("base", name="base")
        Thing("top", name="top", opts=opts(depends_on=[base]))

    engine.update("dev", program)
    assert resources(engine)[urn("top")]["dependencies"] == [urn("base")]
    engine.destroy("dev")
    assert world.calls == [("create", "base"), ("create", "top"), ("delete", "top"), ("delete", "base")]
    assert engine.export("dev")["deployment"].get("resources", []) == []


def test_a_protected_resource_is_never_deleted(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: [Thing("safe", opts=opts(protect=True)), Thing("other")])
    with pytest.raises(ResourceProtected):
        engine.update("dev", lambda: Thing("other") and None)
    with pytest.raises(ResourceProtected):
        engine.update("dev", lambda: [Thing("safe", shape="new", opts=opts(protect=True)), Thing("other")])
    assert world.acts("delete") == []
    engine.update("dev", lambda: [Thing("safe"), Thing("other")])
    engine.destroy("dev")
    assert world.things == {}


def test_destroy_leaves_what_is_protected_and_what_it_stands_on(engine: Engine, world: World) -> None:
    def program() -> None:
        base = Thing("base", name="base")
        Thing("safe", name="safe", opts=opts(protect=True, depends_on=[base]))
        Thing("other", name="other")

    engine.update("dev", program)
    assert engine.destroy("dev").counts["delete"] == 1
    assert world.names() == {"base", "safe"}
    assert [each.urn for each in engine.held("dev") if each.protect] == [urn("safe")]
    engine.unprotect("dev", [urn("safe")])
    engine.destroy("dev")
    assert world.things == {} and engine.held("dev") == ()


def test_a_refresh_that_keeps_nothing_tells_and_leaves_the_state(engine: Engine, world: World) -> None:
    program = lambda: [Thing("gone", name="gone"), Thing("bent", name="bent", value="a")]  # noqa: E731
    engine.update("dev", program)
    before = engine.export("dev")
    gone = next(id_ for id_, thing in world.things.items() if thing["name"] == "gone")
    world.things.pop(gone)
    next(iter(world.things.values()))["value"] = "b"
    for keep in (False, True):
        found = engine.refresh("dev", keep=keep)
        assert (found.counts["delete"], found.counts["update"]) == (1, 1)
        assert (engine.export("dev") == before) is not keep
    assert engine.update("dev", program).counts["update"] == 1
    assert next(iter(world.things.values()))["value"] == "a"


def test_a_preview_refuses_what_would_delete_a_protected_resource(engine: Engine) -> None:
    engine.update("dev", lambda: Thing("safe", opts=opts(protect=True)) and None)
    with pytest.raises(ResourceProtected):
        engine.preview("dev", lambda: None)


def test_what_is_retained_leaves_the_state_and_stays_in_the_world(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: Thing("kept", opts=opts(retain_on_delete=True)) and None)
    engine.destroy("dev")
    assert world.acts("delete") == []
    assert len(world.things) == 1


def test_an_unknown_type_is_refused_by_name_before_anything_of_it_is_made(embedded: Engine, world: World) -> None:
    def program() -> None:
        pulumi.CustomResource("test:index:Mystery", "it", {})

    with pytest.raises(UnknownResourceType, match="test:index:Mystery"):
        embedded.update("dev", program)
    assert world.calls == []
    with pytest.raises(UnknownResourceType):
        embedded.preview("dev", program)


def test_a_failure_names_the_resource_and_the_next_update_goes_on(tmp_path: Path, world: World) -> None:
    engine = engine_of(tmp_path, world)

    def program() -> None:
        base = Thing("base", name="base")
        Thing("weak", name="weak", value=base.arn)

    world.broken.add("weak")
    with pytest.raises(DeploymentFailed) as caught:
        engine.update("dev", program)
    assert caught.value.facts["urn"] == urn("weak")
    assert caught.value.facts["act"] == "created"
    assert "weak is broken" in caught.value.message
    world.broken.clear()
    again = engine_of(tmp_path, world).update("dev", program)
    assert (again.counts["create"], again.counts["same"]) == (1, 2)
    assert world.acts("create") == ["base", "weak", "weak"]
    assert engine.export("dev")["deployment"].get("pending_operations", []) == []


def test_a_failure_deletes_nothing_that_the_program_did_not_reach(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: [Thing("first"), Thing("unreached", name="unreached")])

    def program() -> None:
        Thing("bad", name="bad")
        raise RuntimeError("the program stops here")

    with pytest.raises(DeploymentFailed, match="the program stops here"):
        engine.update("dev", program)
    assert world.acts("delete") == []


def test_a_deployment_that_is_killed_in_a_create_leaves_a_note_of_it(engine: Engine, world: World) -> None:
    class Witness(set[str]):
        def __contains__(self, name: object) -> bool:
            seen.append(engine.export("dev")["deployment"])
            return False

    seen: list[dict[str, Any]] = []
    world.broken = Witness()
    engine.update("dev", lambda: Thing("it", name="it") and None)
    pending = seen[0]["pending_operations"]
    assert [(each["type"], each["resource"]["urn"]) for each in pending] == [("creating", urn("it"))]


def test_components_give_their_children_a_place_in_the_urn(engine: Engine) -> None:
    def program() -> None:
        outer = Box("outer")
        inner = Box("inner", kind="test:index:Drawer", opts=opts(parent=outer))
        Thing("leaf", opts=opts(parent=inner))

    engine.update("dev", program)
    found = resources(engine)
    leaf = found[urn("leaf", "test:index:Box$test:index:Drawer$test:index:Thing")]
    assert leaf["parent"] == urn("inner", "test:index:Box$test:index:Drawer")
    root = "urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev"
    assert found[urn("outer", "test:index:Box")]["parent"] == root
    assert next(iter(found)) == root


def test_duplicate_names_are_refused(engine: Engine) -> None:
    with pytest.raises(DeploymentFailed, match=r"twice|Duplicate"):
        engine.update("dev", lambda: [Thing("same"), Thing("same")])


def test_two_programs_one_after_the_other_know_nothing_of_each_other(engine: Engine) -> None:
    def program() -> None:
        config = pulumi.Config()
        pulumi.export("colour", config.get("colour"))
        pulumi.export("stack", pulumi.get_stack())

    first = engine.update("dev", program, config={"proj:colour": "red"})
    second = engine.update("other", program)
    assert first.outputs == {"colour": "red", "stack": "dev"}
    assert second.outputs["stack"] == "other"
    assert second.outputs.get("colour") is None
    assert engine.outputs("dev") == {"colour": "red", "stack": "dev"}


def test_a_resource_lives_in_the_region_it_names(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: [Thing("here"), Thing("there", region="us-west-2")], region="eu-west-1")
    assert sorted(each["region"] for each in world.things.values()) == ["eu-west-1", "us-west-2"]


def test_an_imported_resource_is_taken_over_and_not_made(engine: Engine, world: World) -> None:
    world.things["thing-9"] = {"name": "already", "region": "us-east-1"}
    engine.update("dev", lambda: Thing("it", name="already", opts=opts(import_="thing-9")) and None)
    assert world.acts("create") == []
    assert resources(engine)[urn("it")]["id"] == "thing-9"
    engine.destroy("dev")
    assert world.things == {}


def test_a_thing_that_is_only_read_is_never_deleted(engine: Engine, world: World) -> None:
    world.things["thing-9"] = {"name": "theirs", "region": "us-east-1"}

    def program() -> None:
        theirs = Thing("theirs", opts=opts(id="thing-9"))
        pulumi.export("arn", theirs.arn)

    assert engine.update("dev", program).outputs == {"arn": "arn:test:us-east-1:thing-9"}
    engine.update("dev", lambda: None)
    assert len(world.things) == 1


def test_a_refresh_finds_what_changed_and_what_is_gone(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: [Thing("one", name="one", value=1), Thing("two", name="two")])
    by_name = {str(each["name"]): id_ for id_, each in world.things.items()}
    world.things[by_name["one"]]["value"] = 7
    del world.things[by_name["two"]]
    result = engine.refresh("dev")
    assert (result.counts.get("update"), result.counts.get("delete")) == (1, 1)
    assert resources(engine)[urn("one")]["outputs"]["value"] == 7
    assert engine.refresh("dev").counts.get("update", 0) == 0


def test_automatic_names_are_kept_from_update_to_update(engine: Engine, world: World) -> None:
    engine.update("dev", lambda: Thing("it", value=1) and None)
    (name,) = world.names()
    assert name.startswith("it-")
    assert len(name) == len("it-") + 7
    engine.update("dev", lambda: Thing("it", value=2) and None)
    assert world.names() == {name}


def test_what_cannot_live_without_a_replaced_thing_goes_before_it_and_comes_back(engine: Engine, world: World) -> None:
    def program(shape: str) -> None:
        base = Thing("base", name="base", shape=shape)
        Thing("tied", name="tied", shape=base.arn)
        Thing("loose", name="loose", value=base.arn)

    engine.update("dev", lambda: program("round"))
    world.calls.clear()
    planned = engine.preview("dev", lambda: program("square"))
    result = engine.update("dev", lambda: program("square"))
    assert (result.counts["replace"], result.counts["update"], result.counts["delete"]) == (2, 1, 0)
    assert planned.counts == result.counts
    assert world.acts("delete") == ["tied", "base"]
    assert [name for act, name in world.calls if act in ("delete", "create")][:3] == ["tied", "base", "base"]
    assert engine.update("dev", lambda: program("square")).counts["same"] == 4
