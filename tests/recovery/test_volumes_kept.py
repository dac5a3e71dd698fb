"""What a user loses when one of these fails: volumes that a point calls kept and no copy holds, or no word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import FakeClock, parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.pruning import unneeded_rosters
from pilotlight.runtime.kinds.volumes.reference import VolumeReference
from pilotlight.runtime.kinds.volumes.snapshots import COMPLETED, TAG_DEVICE, Snapshot
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Compute, Inventory, Volumes
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, Part, RecoveryPoint, read_reference
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.rosters import Place, Roster
from support.fake_aws import NAMES, PRIMARY, STANDBY, FakeAws, inventory
from support.references import volumes

GROUP = Volumes("index", "backup", "index", {}, {})
SIX = {f"vol-{owner}{device}" for owner in "ab" for device in "fgh"}


def devices(owner: str, letters: str = "fgh") -> dict[str, str]:
    return {f"/dev/sd{letter}": f"vol-{owner}{letter}" for letter in letters}


def cloud(*owners: str) -> FakeAws:
    """Instances i-a, i-b, ... in the order of their launch, three volumes each, with the same device names."""
    aws = FakeAws(FakeClock())
    aws.instances.clear()
    aws.volumes.clear()
    for number, owner in enumerate(owners):
        aws.attach(f"i-{owner}", 100.0 * number, devices(owner))
    return aws


def volumes_alone(*groups: Volumes, mounted: bool = True) -> Inventory:
    """A workload of nothing else."""
    fleet = Compute(
        "fleet",
        "inference-fleet",
        NAMES.group("fleet"),
        "t",
        "ami-1",
        ("m5.large",),
        2,
        "",
        0,
        "{}",
        tuple(each.name for each in groups),
    )
    alone = {"datasets": (), "databases": (), "traffic": None, "every_seconds": 60.0}
    return inventory(volumes=groups, computes=(fleet,) if mounted else (), **alone)


def recovery_from(aws: FakeAws, *groups: Volumes, mounted: bool = False) -> Recovery:
    client: AwsClient = aws
    return Recovery(
        RecoveryContext(client, volumes_alone(*(groups or (GROUP,)), mounted=mounted), aws.clock, aws.fetch), "test"
    )


def point(of: Recovery, times: int = 1) -> RecoveryPoint:
    """The last of so many scheduled runs, twenty seconds apart."""
    made = None
    for _ in range(times):
        of.context.clock.sleep(20)
        made = of.protect()
    assert made is not None
    return made


def part(made: RecoveryPoint) -> Part:
    return made.parts[0]


def sources_of(aws: FakeAws, made: RecoveryPoint) -> set[str]:
    """The volumes whose bytes are in the copies that a point names."""
    tags = {id: {each["Key"]: each["Value"] for each in one["Tags"]} for id, one in aws.snapshots[STANDBY].items()}
    found = [aws.snapshots[PRIMARY].get(tags[id]["pilotlight:source-snapshot"]) for id in part(made).reference.copies]
    return {each["VolumeId"] for each in found if each}


def held(made: RecoveryPoint) -> list[tuple[int, str, set[str]]]:
    return [(each.index, each.instance, set(each.snapshots)) for each in volumes(part(made).reference).sets]


def remove_copy(aws: FakeAws, of: RecoveryPoint, index: int, device: str) -> str:
    """Somebody deletes a snapshot copy by hand."""
    id: str = volumes(part(of).reference).sets[index].snapshots[device]
    del aws.snapshots[STANDBY][id]
    return id


def test_every_volume_of_every_instance_is_in_the_point_though_their_devices_have_the_same_names() -> None:
    aws = cloud("a", "b")
    made = point(recovery_from(aws), 4)
    assert made.status == COMPLETE and sources_of(aws, made) == SIX
    three = {"/dev/sdf", "/dev/sdg", "/dev/sdh"}
    assert held(made) == [(0, "i-a", three), (1, "i-b", three)]


def test_every_volume_is_in_the_point_where_the_devices_have_different_names() -> None:
    aws = cloud("a")
    aws.attach("i-b", 100.0, devices("b", "jkl"))
    made = point(recovery_from(aws), 4)
    assert made.status == COMPLETE and part(made).evidence["copies"] == 6
    assert held(made)[1] == (1, "i-b", {"/dev/sdj", "/dev/sdk", "/dev/sdl"})


def test_the_skew_between_the_sets_of_two_instances_is_told_and_the_oldest_of_them_counts() -> None:
    aws = cloud("a", "b")
    aws.snapshot_call_seconds = 3.0
    kept = part(point(recovery_from(aws), 4))
    assert kept.evidence["skew_seconds"] == 3.0
    assert kept.as_of == min(each["as_of"] for each in encode(kept.reference)["sets"])


def test_a_copy_that_was_deleted_by_hand_makes_the_point_partial_and_its_volume_is_named() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    remove_copy(aws, point(recovery, 4), 1, "/dev/sdg")
    made = point(recovery)
    assert made.status == PARTIAL
    assert "volume vol-bg (/dev/sdg of i-b)" in made.problems[0] and len(part(made).missing) == 1


def test_a_copy_that_was_deleted_while_the_primary_is_silent_is_named_all_the_same() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    remove_copy(aws, point(recovery, 4), 0, "/dev/sdh")
    aws.dark.add(PRIMARY)
    made = point(recovery)
    assert made.status == PARTIAL and "volume vol-ah (/dev/sdh of i-a)" in made.problems[0]


def test_a_copy_that_was_deleted_is_made_again() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    remove_copy(aws, point(recovery, 4), 1, "/dev/sdg")
    made = point(recovery, 3)
    assert made.status == COMPLETE and part(made).evidence["copies"] == 6


def test_a_run_that_never_got_the_second_instance_is_not_proven_and_names_its_volumes() -> None:
    aws = cloud("a", "b")
    aws.unsnapshot.add("i-b")
    made = point(recovery_from(aws), 4)
    assert made.status == PARTIAL
    assert all(any(f"vol-b{letter}" in each for each in part(made).missing) for letter in "fgh")
    assert not aws.snapshots[STANDBY], "what can never be whole is not copied"


def test_a_run_that_can_never_be_whole_does_not_stop_the_next_ones() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    aws.unsnapshot.add("i-b")
    point(recovery, 20)
    aws.unsnapshot.clear()
    assert point(recovery, 8).status == COMPLETE
    assert len(aws.snapshots[PRIMARY]) <= 3 * 6, "and leaves nothing behind for ever"


def test_a_third_instance_makes_the_point_partial_until_its_volumes_are_copied_which_waits_for_no_interval() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    assert point(recovery, 4).status == COMPLETE
    aws.attach("i-c", 300.0, devices("c"))
    aws.clock.sleep(1)
    fresh = recovery.protect()
    assert fresh is not None and fresh.status == PARTIAL
    assert all(f"vol-c{letter}" in " ".join(part(fresh).missing) for letter in "fgh")
    aws.clock.sleep(13)
    recovery.protect()
    aws.clock.sleep(13)
    made = recovery.protect()
    assert made is not None and made.status == COMPLETE and [each[0] for each in held(made)] == [0, 1, 2]


def test_detached_volumes_are_copied_and_keep_their_place_while_the_group_is_at_zero() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    point(recovery, 4)
    aws.instances.clear()
    made = point(recovery, 8)
    assert made.status == COMPLETE and sources_of(aws, made) == SIX
    three = {"/dev/sdf", "/dev/sdg", "/dev/sdh"}
    assert [(index, found) for index, _, found in held(made)] == [(0, three), (1, three)]
    assert parse_stamp(part(made).as_of) > aws.clock.now() - 120, "they are in new runs, not in the last one before"


def test_what_a_replaced_instance_left_is_copied_and_the_new_one_has_its_place() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    point(recovery, 4)
    del aws.instances["i-b"]
    aws.attach("i-c", 500.0, devices("c"))
    made = point(recovery, 8)
    assert made.status == COMPLETE and [(each[0], each[1]) for each in held(made)] == [(0, "i-a"), (1, "i-c")]
    assert {each["volume"] for each in encode(part(made).reference)["unassigned"]} == {"vol-bf", "vol-bg", "vol-bh"}


def test_a_volume_that_is_gone_is_said_to_be_gone_and_blocks_nothing() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    point(recovery, 4)
    del aws.volumes["vol-bh"], aws.instances["i-b"][1]["/dev/sdh"]
    made = point(recovery, 8)
    assert made.status == COMPLETE and part(made).evidence["copies"] == 5
    assert part(made).evidence["gone"] == ["vol-bh"]
    assert any("volume vol-bh (/dev/sdh of i-b) is gone since" in each for each in made.problems)
    aws.clock.sleep(8 * 24 * 3600)
    assert not part(point(recovery, 8)).evidence["gone"], "after a week it is no news"


def test_a_detached_volume_of_unknown_device_is_copied_and_said_to_come_up_nowhere() -> None:
    aws = cloud("a")
    aws.volumes["vol-spare"] = {}
    made = point(recovery_from(aws), 4)
    assert made.status == COMPLETE and "vol-spare" in sources_of(aws, made)
    assert [each["volume"] for each in encode(part(made).reference)["unassigned"]] == ["vol-spare"]
    assert any("vol-spare" in each and "pilotlight:device" in each for each in made.problems)


def test_a_detached_volume_without_a_place_makes_the_point_of_a_group_that_mounts_it_partial() -> None:
    aws = cloud("a")
    recovery = recovery_from(aws, mounted=True)
    aws.volumes["vol-spare"] = {}
    made = point(recovery, 4)
    assert made.status == PARTIAL and "vol-spare" in " ".join(part(made).missing)
    aws.volumes["vol-spare"] = {TAG_DEVICE: "/dev/sdx"}
    assert part(point(recovery, 3)).proven, "a tag is enough, and no interval is waited for"


def test_what_an_ended_instance_left_takes_the_index_that_became_free() -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    point(recovery, 4)
    del aws.instances["i-a"]
    made = point(recovery, 8)
    assert made.status == COMPLETE and [(each[0], each[1]) for each in held(made)] == [(0, "i-b"), (1, "i-a")]


def test_a_persons_tag_tells_the_device_of_a_detached_volume() -> None:
    aws = cloud()
    aws.volumes |= {"vol-1": {TAG_DEVICE: "/dev/sdf"}, "vol-2": {TAG_DEVICE: "/dev/sdf"}}
    assert held(point(recovery_from(aws), 4)) == [(0, "", {"/dev/sdf"}), (1, "", {"/dev/sdf"})]


def test_one_set_stands_for_all_instances_where_they_share_and_another_device_is_kept_too() -> None:
    aws = cloud("a", "b")
    aws.attach("i-b", 100.0, devices("b", "fghx"))
    shared = Volumes("index", "backup", "index", {}, {}, assign="shared")
    made = point(recovery_from(aws, shared), 4)
    assert made.status == COMPLETE and encode(part(made).reference)["assign"] == "shared"
    assert sources_of(aws, made) == {"vol-af", "vol-ag", "vol-ah", "vol-bx"}
    assert [each[0] for each in held(made)] == [0]


def test_a_tag_of_the_volumes_decides_which_instance_gets_them() -> None:
    aws = cloud("a", "b")
    for volume in aws.volumes:
        aws.volumes[volume] = {"shard": "10" if volume.startswith("vol-a") else "9"}
    by_tag = Volumes("index", "backup", "index", {}, {}, assign="tag:shard")
    made = point(recovery_from(aws, by_tag), 4)
    assert [(each["label"], each["instance"]) for each in encode(part(made).reference)["sets"]] == [
        ("9", "i-b"),
        ("10", "i-a"),
    ]
    assert encode(part(made).reference)["assign"] == "tag" and sources_of(aws, made) == SIX


def test_a_volume_that_is_attached_while_the_set_is_made_is_left_for_the_next_run() -> None:
    aws = cloud("a")
    recovery = recovery_from(aws)
    before = aws.ec2_create_snapshots

    def attach_first(*args: object, **parameters: object) -> object:
        aws.attach("i-a", 0.0, devices("a", "fghz"))
        return before(*args, **parameters)  # type: ignore[arg-type]

    aws.ec2_create_snapshots = attach_first  # type: ignore[method-assign,assignment]
    made = point(recovery, 2)
    assert made.status == PARTIAL and "vol-az" in " ".join(part(made).missing)
    made = point(recovery, 4)
    assert made.status == COMPLETE and part(made).evidence["copies"] == 4


def test_copies_of_all_groups_share_the_limit_of_the_region_and_none_waits_for_ever() -> None:
    aws = cloud()
    for number in range(18):
        aws.attach(f"i-{number:02}", float(number), {f"/dev/sd{letter}": f"vol-{number}{letter}" for letter in "fg"})
    both = Volumes("index", "backup", "index", {}, {}), Volumes("other", "backup", "other", {}, {})
    recovery = recovery_from(aws, *both)
    aws.clock.sleep(20)
    first = recovery.protect()
    aws.clock.sleep(13)
    told = recovery.protect()
    assert first is not None and told is not None
    begun = [each["asset"] for each in aws.snapshots[STANDBY].values()]
    assert (begun.count("index"), begun.count("other")) == (10, 10)
    assert any("52 snapshots wait for their copy" in each for each in told.problems)
    assert point(recovery, 10).status == COMPLETE


def test_a_copy_that_somebody_else_is_making_counts_against_the_limit(aws: FakeAws) -> None:
    for number in range(3):
        aws.snapshots[STANDBY][f"snap-other-{number}"] = {
            "VolumeId": "vol-ffffffff", "Tags": [], "done": aws.clock.now() + 60, "asset": "someone's",
        }  # fmt: skip
    assert snapshots.copies_under_way(aws, STANDBY) == 3


OLD = {"set": "20260102T030405678Z-i-1", "snapshots": {"/dev/sdf": "snap-1"}}


def test_points_of_older_editions_are_read_as_one_set() -> None:
    (one,) = volumes(OLD).sets
    assert one.index == 0 and one.snapshots == {"/dev/sdf": "snap-1"} and one.set == OLD["set"]
    assert volumes(OLD).stands_on == (OLD["set"],) and read_reference(VolumeReference, {}) is None


def old(volume: str, instance: str) -> Snapshot:
    item = {
        "SnapshotId": f"snap-{volume}",
        "State": COMPLETED,
        "VolumeId": "vol-ffffffff",
        "Tags": [
            {"Key": "pilotlight:snapshot-set", "Value": f"20260102T030405678Z-{instance}"},
            {"Key": "pilotlight:set-size", "Value": "2"},
            {"Key": "pilotlight:true-at", "Value": "2026-01-02T03:04:05.678Z"},
            {"Key": "pilotlight:source-snapshot", "Value": "snap-0"},
            {"Key": "pilotlight:device", "Value": f"/dev/{volume}"},
        ],
    }
    return snapshots._snapshot(item)


def test_copies_of_older_editions_belong_to_one_run_and_lack_what_its_sets_say() -> None:
    (run,) = snapshots.runs([old("sdf", "i-1"), old("sdg", "i-1"), old("sdf", "i-2"), old("sdg", "i-2")])
    assert run.complete and run.size == 4
    (run,) = snapshots.runs([old("sdf", "i-1"), old("sdg", "i-1"), old("sdf", "i-2")])
    assert not run.complete


def test_pruning_keeps_all_sets_of_a_point(again: Callable[[], FakeAws]) -> None:
    aws = cloud("a", "b")
    recovery = recovery_from(aws)
    point(recovery, 30)
    for line in recovery.context.ledger.points():
        copies = part(recovery.context.records.point(line.id)).reference.copies
        assert set(copies) <= set(aws.snapshots[STANDBY])
    assert len(recovery.context.ledger.rosters("index")) <= 4, "rosters go once a newer run is complete"


def test_the_places_of_volumes_outlive_the_run_that_told_them_last() -> None:
    """A roster is a moment older than its snapshots; forgotten with them, a detached volume would lose its device."""
    roster = Roster("20260102T030405000Z", "2026-01-02T03:04:05.000Z", (Place("vol-af", "/dev/sdf", "i-a", 0),))
    made = Snapshot("snap-1", "vol-af", COMPLETED, "s", 1, "2026-01-02T03:04:06.000Z", "/dev/sdf", "o", roster.run, 1)
    assert unneeded_rosters([roster], [made]) == []
    newer = replace(roster, run="20260102T030505000Z", as_of="2026-01-02T03:05:05.000Z")
    assert unneeded_rosters([newer, roster], [made]) == [], "that of the newest complete run names what is deleted"
    copied = replace(made, id="snap-2", run=newer.run, as_of="2026-01-02T03:05:06.000Z")
    assert unneeded_rosters([newer, roster], [made, copied]) == [roster]
