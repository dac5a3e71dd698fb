"""What a team without Python sees of us: a schema, and components that make what `pilotlight up` makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.provider.experimental.component import ComponentProvider
from stack_recording import Recording, record
from stack_samples import ACCOUNT, inventory

import pilotlight.stacks as pl
from pilotlight.runtime.records import codec
from pilotlight.stacks import package

CALLER = {"aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT, "arn": "a", "userId": "u", "id": "i"}}
PLACES = {"primary_region": "us-east-1", "standby_region": "us-west-2"}
UNIT = re.compile(
    r"[Nn]ame|[Ii]dentifier|ARN|region|Days|version|[Ss]ubnets|group|[Pp]ath|Text|[Cc]lass|engine|keys|bucket"
)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(json.loads(ComponentProvider(package.COMPONENTS, package.NAME, None, "0.1.0").schema))


def test_the_schema_has_every_component(schema: dict[str, Any]) -> None:
    assert set(schema["resources"]) == {f"pilotlight:index:{each.__name__}" for each in package.COMPONENTS}
    assert all(each["isComponent"] for each in schema["resources"].values())
    assert schema["resources"]["pilotlight:index:ProtectedDatasets"]["requiredInputs"] == [
        "datasets",
        "primaryRegion",
        "standbyRegion",
    ]


def test_everything_is_described(schema: dict[str, Any]) -> None:
    """Every input says what it is, and its default where it may be left out; every output what it names."""
    described = [*schema["resources"].values(), *schema["types"].values()]
    for each in described:
        assert each["description"]
        required = {*each.get("requiredInputs", ()), *each.get("required", ())}
        for name, one in {**each.get("inputProperties", {}), **each.get("properties", {})}.items():
            assert UNIT.search(one["description"]), (name, one["description"])
            assert name in required or "Default: " in one["description"], name


def protected(**more: Any) -> Recording:
    """A program with one protected bucket."""
    datasets = [pl.ProtectedDataset(name="corpus", bucket="my-corpus", prefix="train")]

    def program() -> None:
        made = pl.ProtectedDatasets("search", {**PLACES, "datasets": datasets, **more})  # type: ignore[typeddict-item]
        pulumi.export("buckets", made.standby_buckets)

    return record(program, CALLER)


def test_protected_datasets_replicate_both_ways_to_a_private_bucket() -> None:
    made = protected()
    replica = f"pilotlight-search-corpus-{ACCOUNT}-us-west-2"
    assert made.exports["buckets"] == {"corpus": replica}
    rules = {each.inputs["bucket"]: each.inputs["rules"][0] for each in made.all("BucketReplicationConfig")}
    assert rules["my-corpus"]["destination"]["bucket"] == f"arn:aws:s3:::{replica}"
    assert rules["my-corpus"]["filter"] == {"prefix": "train/"}
    assert rules[replica]["destination"]["bucket"] == "arn:aws:s3:::my-corpus"
    assert made.one_of("BucketPublicAccessBlock").inputs["blockPublicAcls"] is True
    assert {each.inputs["region"] for each in made.all("Key")} == {"us-east-1", "us-west-2"}
    component = next(each for each in made.resources if each.type == "pilotlight:index:ProtectedDatasets")
    assert all(component.name in each.parent for each in made.resources if each.type.endswith("RegionKey"))


def test_days_of_versions_are_the_users() -> None:
    lifecycle = protected(versions_days=90).one_of("BucketLifecycleConfiguration").inputs["rules"][0]
    assert lifecycle["noncurrentVersionExpiration"]["noncurrentDays"] == 90


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"standby_region": "us-west-9"}, "no AWS region"),
        ({"standby_region": "us-east-1"}, "is the primary region"),
        ({"workload": "Search_1"}, "is no name"),
        ({"datasets": []}, "at least one"),
        ({"datasets": [{"name": "a-b", "bucket": "x"}, {"name": "a-b", "bucket": "y"}]}, "same name"),
    ],
)
def test_what_cannot_be_used_is_named_before_anything_is_made(more: dict[str, Any], said: str) -> None:
    with pytest.raises(pulumi.InputPropertyError) as caught:
        protected(**more)
    assert said in caught.value.reason


def test_a_protected_database_gets_a_global_cluster_and_a_secondary() -> None:
    def program() -> None:
        pl.ProtectedDatabase(
            "registry",
            {
                "primary_region": "us-east-1",
                "standby_region": "us-west-2",
                "cluster": "prod",
                "engine": "aurora-postgresql",
                "engine_version": "16.6",
                "subnet_ids": ["subnet-1", pulumi.Output.from_input("subnet-2")],
                "security_group_id": "sg-1",
                "instance_class": "db.r6g.xlarge",
            },
        )

    made = record(program, CALLER)
    around = made.one_of("GlobalCluster").inputs
    assert around["sourceDbClusterIdentifier"] == f"arn:aws:rds:us-east-1:{ACCOUNT}:cluster:prod"
    assert made.one_of("Cluster").inputs["globalClusterIdentifier"] == around["globalClusterIdentifier"]
    assert made.one_of("SubnetGroup").inputs["subnetIds"] == ["subnet-1", "subnet-2"]
    assert made.one_of("ClusterInstance").inputs["instanceClass"] == "db.r6g.xlarge"


def _in_a_component(make: Callable[[str], Any]) -> Recording:
    return record(lambda: make(codec.dumps(inventory())) and None)


def test_the_stacks_as_components_make_what_up_makes(
    vault: Recording, primary: Recording, standby: Recording, archive: Path
) -> None:
    made = {
        "vault": _in_a_component(lambda text: pl.VaultStack("it", {"inventory": text})),
        "primary": _in_a_component(lambda text: pl.PrimaryStack("it", {"inventory": text})),
        "standby": _in_a_component(lambda text: pl.StandbyStack("it", {"inventory": text, "archive": str(archive)})),
    }
    for name, ours in (("vault", vault), ("primary", primary), ("standby", standby)):
        assert {each.name: _settled(each.inputs) for each in made[name].custom} == {
            each.name: _settled(each.inputs) for each in ours.custom
        }


def _settled(inputs: dict[str, Any]) -> str:
    """Inputs as text: archives compare by identity."""
    return json.dumps(inputs, sort_keys=True, default=lambda value: getattr(value, "path", type(value).__name__))


def test_an_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(pulumi.InputPropertyError) as caught:
        record(lambda: pl.StandbyStack("it", {"inventory": codec.dumps(inventory()), "archive": "none.zip"}) and None)
    assert "none.zip" in caught.value.reason
