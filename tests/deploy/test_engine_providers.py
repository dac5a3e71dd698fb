"""Providers and transforms: what a program says once for many resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi

from pilotlight.engine.embedded import Engine
from support.made_up_provider import Box, Thing, World, engine_of, urn


class Elsewhere(pulumi.ProviderResource):
    """An explicit provider of another region, and of the account of its role; JSON as pulumi-aws has it."""

    def __init__(self, name: str, region: str, role: str = "") -> None:
        chain = json.dumps([{"roleArn": role}]) if role else None
        super().__init__("test", name, {"region": region, "assumeRoles": chain})


def test_a_provider_that_the_program_makes_gives_its_resources_their_region(engine: Engine, world: World) -> None:
    def program() -> None:
        there = Elsewhere("there", "us-west-2")
        Thing("it", opts=pulumi.ResourceOptions(provider=there))
        Thing("child", opts=pulumi.ResourceOptions(parent=Box("box", opts=None), provider=there))

    assert engine.preview("dev", program).counts["create"] == 5
    engine.update("dev", program)
    assert {each["region"] for each in world.things.values()} == {"us-west-2"}
    assert engine.update("dev", program).counts["same"] == 5
    found = {each["urn"]: each for each in engine.export("dev")["deployment"]["resources"]}
    provider = found[urn("there", "pulumi:providers:test")]
    assert found[urn("it")]["provider"] == f"{provider['urn']}::{provider['id']}"
    engine.destroy("dev")
    assert world.things == {}


def test_a_provider_with_a_role_acts_in_the_account_of_that_role(engine: Engine, world: World) -> None:
    role = "arn:aws:iam::210987654321:role/vault"

    def program(value: str) -> None:
        there = Elsewhere("there", "us-west-2", role)
        Thing("theirs", name="theirs", value=value, opts=pulumi.ResourceOptions(provider=there))
        Thing("ours", name="ours", value=value)

    engine.update("dev", lambda: program("1"))
    engine.update("dev", lambda: program("2"))
    engine.destroy("dev")
    acts = ("create", "update", "delete")
    assert set(world.roles) == {(act, name, as_) for act in acts for name, as_ in (("theirs", role), ("ours", ""))}


def test_destroy_finds_resources_where_they_were_deployed(tmp_path: Path, world: World) -> None:
    regions: list[str] = []
    engine = engine_of(tmp_path, world)
    thing_type = engine.types["test:index:Thing"]

    class Noting(type(thing_type)):  # type: ignore[misc]
        def delete(self, place: Any, id_: str, outputs: Any) -> None:
            regions.append(place.region)
            super().delete(place, id_, outputs)

    engine.types = {"test:index:Thing": Noting(world)}
    engine.update("dev", lambda: Thing("it") and None, region="eu-west-1")
    engine.destroy("dev")
    assert regions == ["eu-west-1"]


def test_every_resource_names_a_provider_that_is_in_the_state(engine: Engine) -> None:
    engine.update("dev", lambda: Thing("it") and None)
    found = engine.export("dev")["deployment"]["resources"]
    provider = next(each for each in found if each["type"] == "pulumi:providers:test")
    thing = next(each for each in found if each["urn"] == urn("it"))
    assert thing["provider"] == f"{provider['urn']}::{provider['id']}"
    assert provider["inputs"] == {"region": "us-east-1"}


def test_transforms_change_inputs_and_options_from_the_inside_out(engine: Engine, world: World) -> None:
    def adding(mark: str) -> Any:
        def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
            if args.type_ != "test:index:Thing":
                return None
            props = {**args.props, "value": [*args.props.get("value", []), mark]}
            opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(retain_on_delete=True))
            return pulumi.ResourceTransformResult(props=props, opts=opts)

        return transform

    def program() -> None:
        pulumi.runtime.register_resource_transform(adding("stack"))
        box = Box("box", opts=pulumi.ResourceOptions(transforms=[adding("parent")]))
        Thing("it", value=[], opts=pulumi.ResourceOptions(parent=box, transforms=[adding("own")]))

    engine.update("dev", program)
    (thing,) = world.things.values()
    assert thing["value"] == ["own", "parent", "stack"]
    engine.destroy("dev")
    assert len(world.things) == 1


def test_a_transform_that_fails_fails_the_deployment_by_name(engine: Engine, world: World) -> None:
    import pytest

    from pilotlight.runtime.errors import DeploymentFailed

    def broken(args: pulumi.ResourceTransformArgs) -> None:
        raise RuntimeError("no such team")

    with pytest.raises(DeploymentFailed, match="no such team"):
        engine.update("dev", lambda: Thing("it", opts=pulumi.ResourceOptions(transforms=[broken])) and None)
    assert world.calls == []
