"""What a user loses when this fails: a point that is looked for by its tags and not found, or found as another's."""

from __future__ import annotations

from pathlib import Path

from moto.ec2.models.core import TaggedEC2Resource

from pilotlight.local.ec2.resource_tags import ResourceTags
from pilotlight.local.overrides import original
from support.data_cloud import WEST, client, running


def test_a_resource_has_its_own_tags_as_moto_tells_them(tmp_path: Path) -> None:
    with running(tmp_path, [ResourceTags()]) as cloud:
        ec2 = client(cloud, "ec2", WEST)
        made = [ec2.create_volume(AvailabilityZone=f"{WEST}a", Size=1)["VolumeId"] for _ in range(3)]
        ec2.create_tags(Resources=made[:2], Tags=[{"Key": "workload", "Value": "a"}, {"Key": "set", "Value": "s*"}])
        ec2.create_tags(Resources=made[2:], Tags=[{"Key": "workload", "Value": "b"}])
        ec2.delete_tags(Resources=made[1:2], Tags=[{"Key": "set"}])
        volumes = cloud.backend("ec2", WEST).volumes
        told = {each: volumes[each].get_tags() for each in made}
        assert told == {each: original(TaggedEC2Resource, "get_tags")(volumes[each]) for each in made}
        assert [len(each) for each in told.values()] == [2, 1, 1]
        found = ec2.describe_volumes(Filters=[{"Name": "tag:workload", "Values": ["a"]}])["Volumes"]
        assert {each["VolumeId"] for each in found} == set(made[:2])
