"""What a user loses when one of these fails: a disk of last night that nobody can attach, or a fleet on other disks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.clock import SystemClock, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import LeaseHeld, NotRestorable
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.restore import PlanFile, Wanted
from pilotlight.runtime.kinds.volumes.reference import VolumeReference, VolumeSet
from pilotlight.runtime.records.inventory import Inventory, Volumes, VolumeSettings
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.lease import RUN
from support.data_cloud import eventually
from support.fake_aws import NAMES, PRIMARY, STANDBY, FakeAws, inventory, recovery_of
from support.inventories import changed

T = "2026-01-02T03:04:05.000Z"


def point(devices: dict[str, str], as_of: str = T) -> RecoveryPoint:
    named = VolumeReference("launch-order", "run-1", (VolumeSet(0, devices, "i-1", as_of=as_of),))
    return RecoveryPoint("20260102T030405000Z", "inference", T, "complete", (
        Part("index", "volumes", "snapshot-copies", True, as_of, named),
    ))  # fmt: skip


def plan_of(recovery: Recovery, folder: Path, asset: Volumes, wanted: Wanted) -> PlanFile:
    path = folder / "plan.json"
    with path.open("w") as into:
        recovery.plan_restore(asset, wanted, into)
    return restoring.read(path)


# -- beside, in a cloud that keeps bytes -----------------------------------------------------------------------


class Disks:
    """Two disks that were snapshot and copied, and are spoiled since."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.east, self.west = cloud, cloud.client("ec2", PRIMARY), cloud.client("ec2", STANDBY)
        self.copies = dict[str, str]()
        for device, text in (("/dev/sdf", "good f"), ("/dev/sdg", "good g")):
            volume = self.east.create_volume(AvailabilityZone=f"{PRIMARY}a", Size=1)["VolumeId"]
            self.word(volume).parent.mkdir(parents=True, exist_ok=True)
            self.word(volume).write_text(text)
            made = self.east.create_snapshot(VolumeId=volume)["SnapshotId"]
            assert eventually(lambda id=made: self._state(self.east, id) == "completed")
            self.word(volume).write_text("spoiled")
            copy = self.west.copy_snapshot(SourceRegion=PRIMARY, SourceSnapshotId=made)["SnapshotId"]
            self.copies[device] = copy
        assert eventually(lambda: {self._state(self.west, each) for each in self.copies.values()} == {"completed"})

    def word(self, volume: str) -> Path:
        return self.cloud.directory / "volumes" / volume / "word"

    def _state(self, ec2: Any, id: str) -> str:
        return str(ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]["State"])


@pytest.fixture(scope="module")
def disks(local_cloud: LocalCloud) -> Iterator[Disks]:
    before = dict(os.environ)
    os.environ.update(local_cloud.environment())
    local_cloud.client("dynamodb", STANDBY).create_table(
        TableName=NAMES.journal_table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    yield Disks(local_cloud)
    os.environ.clear()
    os.environ.update(before)


def built() -> Inventory:
    group = Volumes(
        "index", "backup", "index", {}, {"/dev/sdf": 1, "/dev/sdg": 1},
        settings={"/dev/sdf": VolumeSettings("gp3", 4000, 250)},
    )  # fmt: skip
    return changed(inventory(zones=(f"{STANDBY}b",)), volumes=[group])


def test_volumes_beside_hold_the_bytes_of_the_point_and_are_made_once(disks: Disks, tmp_path: Path) -> None:
    recovery = Recovery(RecoveryContext(BotoClient(), built(), SystemClock()), "test")
    asset = built().volumes[0]
    plan = plan_of(recovery, tmp_path, asset, Wanted(STANDBY, 0.0, point(disks.copies), beside="tuesday"))
    assert [(each.item, each.action) for each in plan.items()] == [("0 /dev/sdf", "create"), ("0 /dev/sdg", "create")]
    assert (plan.totals["gib"], plan.totals["dollars_a_month"]) == (2, 0.16)
    done = recovery.restore(plan)
    assert (done.done, done.left) == (2, 0)
    made = done.evidence["volumes"]
    assert {item: disks.word(id).read_text() for item, id in made.items()} == {
        "0 /dev/sdf": "good f",
        "0 /dev/sdg": "good g",
    }
    (first,) = disks.west.describe_volumes(VolumeIds=[made["0 /dev/sdf"]])["Volumes"]
    tags = {each["Key"]: each["Value"] for each in first["Tags"]}
    assert tags["Name"] == "tuesday /dev/sdf" and tags["pilotlight:device"] == "/dev/sdf"
    assert "pilotlight:workload" not in tags and tags.get("backup") != "index", "no run of ours takes it for its own"
    assert (first["AvailabilityZone"], first["VolumeType"], first["Iops"]) == (f"{STANDBY}b", "gp3", 4000)
    assert recovery.restore(plan).evidence["volumes"] == made, "carried out again, it makes nothing"


def test_a_snapshot_that_is_gone_is_named_before_anything_is_made(disks: Disks, tmp_path: Path) -> None:
    recovery = Recovery(RecoveryContext(BotoClient(), built(), SystemClock()), "test")
    lost = point(disks.copies | {"/dev/sdh": "snap-0123456789abcdef0"})
    before = len(disks.west.describe_volumes()["Volumes"])
    with pytest.raises(NotRestorable, match="snap-0123456789abcdef0 is gone"):
        plan_of(recovery, tmp_path, built().volumes[0], Wanted(STANDBY, 0.0, lost, beside="x"))
    assert len(disks.west.describe_volumes()["Volumes"]) == before


# -- in place --------------------------------------------------------------------------------------------------


@pytest.fixture
def away(aws: FakeAws) -> FakeAws:
    """The standby serves; it was launched from the newest point."""
    aws.dark.add(PRIMARY)
    assert recovery_of(aws).failover() is not None
    aws.without_lease.clear()
    return aws


def newest(recovery: Recovery, spare: bool = False) -> RecoveryPoint:
    found = [each for each in recovery.points() if each.status == "complete"]
    return found[-1] if spare else found[0]


def test_in_place_the_group_launches_the_points_snapshots_next_and_nothing_else_of_it_changes(
    away: FakeAws, tmp_path: Path
) -> None:
    recovery = recovery_of(away)
    asset, older = away_asset(), newest(recovery, spare=True)
    plan = plan_of(recovery, tmp_path, asset, Wanted(STANDBY, 0.0, older))
    (item,) = plan.items()
    wanted = older.reference("index", VolumeReference)
    assert wanted is not None and item.source is not None
    assert item.source["devices"] == wanted.sets[0].snapshots
    instances = [list(each.instances) for each in away.groups.values()]
    done = recovery.restore(plan)
    assert (done.done, done.left) == (1, 0)
    name = NAMES.run_template("fleet")
    data = away.templates[name][-1].data
    behind = {each["DeviceName"]: each["Ebs"].get("SnapshotId") for each in data["BlockDeviceMappings"]}
    assert behind.items() >= wanted.sets[0].snapshots.items()
    assert [list(each.instances) for each in away.groups.values()] == instances, "what runs keeps its volumes"
    versions = len(away.templates[name])
    assert recovery.restore(plan).done == 1 and len(away.templates[name]) == versions


def away_asset() -> Volumes:
    return inventory().volumes[0]


def test_in_place_waits_for_no_run_and_gets_in_the_way_of_none(away: FakeAws, tmp_path: Path) -> None:
    recovery = recovery_of(away)
    plan = plan_of(recovery, tmp_path, away_asset(), Wanted(STANDBY, 0.0, newest(recovery)))
    with recovery.context.ledger.leases.during("somebody's failback", RUN), pytest.raises(LeaseHeld):
        recovery.restore(plan)


def test_in_place_is_refused_where_the_template_is_the_users_own(aws: FakeAws, tmp_path: Path) -> None:
    recovery = recovery_of(aws)
    with pytest.raises(NotRestorable, match="while the standby serves"):
        plan_of(recovery, tmp_path, away_asset(), Wanted(PRIMARY, 0.0, newest(recovery)))


def test_a_moment_means_the_newest_point_that_was_made_by_then(away: FakeAws, tmp_path: Path) -> None:
    recovery = recovery_of(away)
    older = newest(recovery, spare=True)
    wanted = recovery.wanted(older.created_at, STANDBY)
    assert plan_of(recovery, tmp_path, away_asset(), wanted).where["point"] == older.id
    before = recovery.wanted(stamp(1_600_000_000), STANDBY, beside="x")
    with pytest.raises(NotRestorable, match="made by 2020") as told:
        plan_of(recovery, tmp_path, away_asset(), before)
    assert "points list" in told.value.advice
