"""Other people's workloads, each from its infrastructure to the way home, by the commands a person types."""

from __future__ import annotations

import infrastructure
import pytest
from person import PRIMARY, STANDBY, Person, home, lost_and_regained, protected

pytestmark = [pytest.mark.long, pytest.mark.timeout(420)]


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
    infrastructure.members(person.cloud, STANDBY, "pilotlight-training-trainers", 2)
    home(person)
    infrastructure.members(person.cloud, PRIMARY, "acme-trainers", 2)
