"""Other people's checkpoints and training, from their infrastructure to the way home, by the commands they type."""

from __future__ import annotations

from typing import Any

import infrastructure
import pytest
from person import PRIMARY, STANDBY, Person, complete, home, lost_and_regained, protected

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.mark.parametrize("person", ["a.yaml"], indirect=True)
def test_one_bucket_of_checkpoints_survives_its_region_and_comes_home(person: Person) -> None:
    infrastructure.smallest(person.cloud)
    protected(person)
    lost_and_regained(person)
    written = b"written while the standby served"
    copy = f"pilotlight-smallest-checkpoints-123456789012-{STANDBY}"
    person.cloud.client("s3", STANDBY).put_object(Bucket=copy, Key="step-000400/metrics.json", Body=written)
    home(person)
    found = person.cloud.client("s3", PRIMARY).get_object(Bucket="acme-checkpoints", Key="step-000400/metrics.json")
    assert found["Body"].read() == written


@pytest.mark.parametrize("person", ["b.yaml"], indirect=True)
def test_a_training_group_without_a_front_door_survives_its_region_and_comes_home(person: Person) -> None:
    infrastructure.training(person.cloud)
    protected(person)
    lost_and_regained(person)
    launched = infrastructure.members(person.cloud, STANDBY, "pilotlight-training-trainers", 2)
    assert infrastructure.settings(person.cloud, STANDBY, launched) == infrastructure.AS_AT_HOME
    _loses_the_standby_on_the_way_home(person)
    home(person)
    infrastructure.members(person.cloud, PRIMARY, "acme-trainers", 2)


def _loses_the_standby_on_the_way_home(person: Person) -> None:
    """The data was handed over and nothing runs at home yet: without the journal the run cannot go on, and a person
    types what it left in the primary region."""
    person.types_and_dies("hand-over", "failback", "--yes")
    person.cloud.dark(STANDBY)
    told = person.tries("failback", "--yes")
    assert told.returncode == 4 and "the journal is there" in told.stderr, told.stdout + told.stderr
    typed = person.copies_to_the_aws_cli(told.stdout)
    assert any("delete-bucket-policy" in each or "put-bucket-policy" in each for each in typed)
    infrastructure.members(person.cloud, PRIMARY, "acme-trainers", 2)
    bucket = {"Bucket": "acme-train-data", "Key": "by-hand", "Body": b"written at home"}
    person.cloud.client("s3", PRIMARY).put_object(**bucket)
    person.cloud.light(STANDBY)


@pytest.mark.parametrize("person", ["b.yaml"], indirect=True)
def test_a_release_after_the_last_deployment_is_what_the_failover_launches_or_what_the_points_name(
    person: Person,
) -> None:
    infrastructure.training(person.cloud)
    protected(person)
    image = infrastructure.release(person.cloud, "acme-trainers")
    copied = person.awaits_point(lambda point: complete(point) and "copy" not in str(point["problems"]))
    copy = next(each for each in copied["parts"] if each["asset"] == "trainers")["reference"]["image"]
    ec2 = person.cloud.client("ec2", STANDBY)
    tags = ec2.describe_images(ImageIds=[copy])["Images"][0]["Tags"]
    assert {"Key": "pilotlight:source-image", "Value": image} in tags
    infrastructure.release(person.cloud, "acme-trainers", UserData="c2xlZXAgMQo=")
    told = person.awaits_point(lambda point: "another UserData" in str(point["problems"]))
    assert (told["status"], told["outdated"]) == ("partial", True)
    lost_and_regained(person)
    launched = infrastructure.members(person.cloud, STANDBY, "pilotlight-training-trainers", 2)
    found = ec2.describe_instances(InstanceIds=launched)["Reservations"]
    images = {one["ImageId"] for each in found for one in each["Instances"]}
    assert all(_copied_since(ec2, each) for each in images)
    person.types("failback", "--yes")
    person.types("up", "--yes")
    deployed = person.awaits_point(complete)
    image_of_stack = next(each for each in deployed["parts"] if each["asset"] == "trainers")["reference"]["image"]
    assert not _copied_since(ec2, image_of_stack)


def _copied_since(ec2: Any, image: str) -> bool:
    """Whether a scheduled run has copied this image."""
    tags = ec2.describe_images(ImageIds=[image])["Images"][0]["Tags"]
    return "pilotlight:source-image" in {each["Key"] for each in tags}
