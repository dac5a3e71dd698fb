"""What a user loses when one of these fails: the disks of the second machine, come up blank or with the first one's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import botocore.session
import pytest

from pilotlight.runtime.aws.wrappers import Faulty
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import StepFailed
from pilotlight.runtime.kinds.autoscaling import launching, replacements
from pilotlight.runtime.kinds.volumes.reference import VolumeReference, VolumeSet
from pilotlight.runtime.records.inventory import SHARED, InstanceVolumes, Inventory, Volumes
from pilotlight.runtime.records.point import PARTIAL
from pilotlight.runtime.records.runs import SUCCEEDED, Journal
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs import forecast, runbooks
from pilotlight.runtime.runs.run import run_failback, run_failover
from pilotlight.runtime.store.lease import LEASE_SECONDS
from support.fake_aws import NAMES, PRIMARY, STANDBY, FakeAws, inventory, save
from support.fake_machines import BLANK, Group
from support.references import volumes

FLEET = (STANDBY, NAMES.group("fleet"))
RUNS_OWN = NAMES.run_template("fleet")
SIZES = dict.fromkeys(BLANK, 8)


class Killed(BaseException):
    """The process is gone in the middle of a call."""


def two(count: int = 2, **volumes: Any) -> Inventory:
    """A group of two whose instances have equal device names, each with volumes of its own."""
    devices = [{"/dev/sdf": "vol-1", "/dev/sdg": "vol-2"}, {"/dev/sdf": "vol-3", "/dev/sdg": "vol-4"}]
    instances = tuple(InstanceVolumes(f"i-{number}", each, SIZES) for number, each in zip((1, 2), devices, strict=True))
    index = replace(Volumes("index", "backup", "index", devices[0], SIZES, instances=instances), **volumes)
    fleet = replace(inventory().computes[0], count=count)
    return inventory(volumes=(index,), computes=(fleet,))


def recovery(aws: FakeAws, taken: Inventory, holder: str = "test") -> Recovery:
    return Recovery(RecoveryContext(aws, taken, aws.clock, aws.fetch), holder)


def protected(taken: Inventory) -> FakeAws:
    aws = FakeAws(FakeClock())
    aws.attach("i-2", 1.0, {"/dev/sdf": "vol-3", "/dev/sdg": "vol-4"})
    keeping = recovery(aws, taken)
    keeping.initialise()
    save(aws, 20)
    for _ in range(6):
        aws.clock.sleep(20)
        keeping.protect()
    return aws


@pytest.fixture(scope="module")
def _once() -> FakeAws:
    return protected(two())


@pytest.fixture
def again(_once: FakeAws) -> Callable[[], FakeAws]:
    """The region is lost; two instances had two volumes each, and a complete point has them."""

    def lost() -> FakeAws:
        aws = copy.deepcopy(_once)
        aws.dark.add(PRIMARY)
        aws.made.clear()
        return aws

    return lost


def fail_over(aws: FakeAws, taken: Inventory, client: Any = None, holder: str = "first") -> Journal:
    journal = run_failover(RecoveryContext(client or aws, taken, aws.clock, aws.fetch), holder, side_by_side=1)
    assert journal is not None
    return journal


def volume_behind(aws: FakeAws, snapshot: str) -> str:
    """The volume of the primary region that a copy is of."""
    tags = {each["Key"]: each["Value"] for each in aws.snapshots[STANDBY][snapshot]["Tags"]}
    return str(aws.snapshots[PRIMARY][tags["pilotlight:source-snapshot"]]["VolumeId"])


def disks(aws: FakeAws) -> list[dict[str, str]]:
    """Of each instance in the standby, in the order of launch: device -> the volume its disk has the bytes of."""
    group, found = aws.groups[FLEET], []
    for instance, _ in group.instances:
        name, version = group.launched[instance]
        mapped = aws.templates[name][int(version) - 1].data["BlockDeviceMappings"]
        found.append({each["DeviceName"]: volume_behind(aws, each["Ebs"]["SnapshotId"]) for each in mapped})
    return found


BOTH = [{"/dev/sdf": "vol-1", "/dev/sdg": "vol-2"}, {"/dev/sdf": "vol-3", "/dev/sdg": "vol-4"}]


def test_every_disk_of_every_instance_comes_up_with_its_own_bytes(again: Callable[[], FakeAws]) -> None:
    aws = again()
    journal = fail_over(aws, two())
    assert journal.state == SUCCEEDED and disks(aws) == BOTH
    assert aws.groups[FLEET].suspended == ["Launch"], "Auto Scaling would replace one with the other's disks"


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
def test_a_run_killed_at_any_call_gives_no_instance_the_disks_of_another(
    again: Callable[[], FakeAws], carried_out: bool
) -> None:
    whole = again()
    fail_over(whole, two())
    for at in range(1, len(whole.made) + 1, 2):
        aws = again()
        with pytest.raises(Killed):
            fail_over(aws, two(), Faulty(aws, at, Killed(), carried_out))
        aws.clock.sleep(LEASE_SECONDS + 1)
        recovery(aws, two(), "second").failover()
        where = f"killed at call {at}: {whole.made[at - 1]}"
        assert disks(aws) == BOTH and aws.groups[FLEET].suspended == ["Launch"], where
        assert len(aws.templates[RUNS_OWN]) == 2, where


def test_an_instance_that_ended_is_replaced_with_its_own_disks_and_nobody_elses(again: Callable[[], FakeAws]) -> None:
    aws = again()
    fail_over(aws, two())
    group = aws.groups[FLEET]
    del group.instances[0]
    watching = recovery(aws, two())
    assert replacements.replace_missing(watching.context) == {"fleet": "instance 0 of 2 is missing"}
    for _ in range(3):
        aws.clock.sleep(60)
        told = replacements.replace_missing(watching.context)
    assert told == {"fleet": "2 instances, each with its own volumes"}
    assert sorted(map(str, disks(aws))) == sorted(map(str, BOTH)) and group.suspended == ["Launch"]


def test_all_instances_lost_at_once_come_back_one_after_the_other(again: Callable[[], FakeAws]) -> None:
    aws = again()
    fail_over(aws, two())
    aws.groups[FLEET].instances.clear()
    for _ in range(6):
        aws.clock.sleep(60)
        replacements.replace_missing(recovery(aws, two()).context)
    assert sorted(map(str, disks(aws))) == sorted(map(str, BOTH))


def test_nothing_is_launched_beside_a_run_that_moves_the_workload(again: Callable[[], FakeAws]) -> None:
    aws = again()
    fail_over(aws, two())
    context = recovery(aws, two()).context
    active = context.ledger.active(PRIMARY)
    context.ledger.set_active(PRIMARY, "switching", "a failback", active.epoch, active.epoch)
    aws.groups[FLEET].instances.clear()
    assert replacements.replace_missing(context) == {}


def test_more_instances_than_the_point_has_volumes_for_are_refused_before_anything_is_fenced(
    again: Callable[[], FakeAws],
) -> None:
    aws = again()
    with pytest.raises(StepFailed, match=r"volumes index of 2 instances, and fleet is 3: .* blank disks"):
        fail_over(aws, two(count=3))
    assert recovery(aws, two()).active().region == PRIMARY and not [each for each in aws.acts() if each[0] != "s3"]


def test_volumes_of_more_instances_than_come_up_are_named(again: Callable[[], FakeAws]) -> None:
    aws = again()
    journal = fail_over(aws, two(count=1))
    entry = journal.proven("restore-fleet")
    assert entry is not None and disks(aws) == BOTH[:1]
    assert [each.partition(" of ")[2] for each in entry.evidence["left"]] == ["/dev/sdf of i-2", "/dev/sdg of i-2"]


def test_read_only_copies_come_up_at_every_instance_and_are_replaced_by_auto_scaling_itself() -> None:
    taken = two(assign=SHARED)
    shared = taken.volumes[0]
    reference = VolumeReference(SHARED, sets=(VolumeSet(0, {"/dev/sdf": "snap-1"}, "i-1"),))
    found = launching.layout(taken, taken.computes[0], {shared.name: reference})
    assert found.devices == ({"/dev/sdf": "snap-1"},) and not found.problems
    assert not launching.spread(taken, taken.computes[0])


def test_different_device_names_are_each_at_the_instance_that_had_them() -> None:
    taken = two(size_gib={"/dev/sdf": 8, "/dev/sdk": 8})
    sets = [VolumeSet(number, {device: f"snap-{number}"}) for number, device in enumerate(("/dev/sdf", "/dev/sdk"))]
    found = launching.layout(taken, taken.computes[0], {"index": VolumeReference("launch-order", sets=tuple(sets))})
    blank = launching.blank_devices(taken, taken.computes[0])
    stack = {"BlockDeviceMappings": [{"DeviceName": each, "Ebs": {"VolumeSize": 8}} for each in sorted(blank)]}
    made = [launching.launch_data(stack, blank, devices, "")["BlockDeviceMappings"] for devices in found.devices]
    assert [[each["DeviceName"] for each in version] for version in made] == [["/dev/sdf"], ["/dev/sdk"]]


def launch_members(shape: str) -> set[str]:
    """The members of a version's data as AWS's model has them; two levels deep, as far as the stack's template goes."""
    found: Any = botocore.session.get_session().get_service_model("ec2").shape_for(shape)
    members = set()
    for name, each in found.members.items():
        inner = each.member if each.type_name == "list" else each
        members |= {f"{name}.{one}" for one in getattr(inner, "members", {})} or {name}
    return members


def test_a_runs_template_keeps_the_root_volume_and_every_other_setting_of_the_stacks() -> None:
    """A root volume of 500 GiB, the hop limit and the tags would be lost on the day, and only then."""
    root = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 500, "VolumeType": "gp3", "Iops": 6000, "Encrypted": True}}
    data = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "VolumeType": "io2", "Iops": 400, "KmsKeyId": "k"}}
    settings = {
        "MetadataOptions": {"HttpPutResponseHopLimit": 2, "State": "applied"},
        "EbsOptimized": False,
        "Monitoring": {"Enabled": True},
        "CpuOptions": {"CoreCount": 2},
        "CreditSpecification": {"CpuCredits": "standard"},
        "Placement": {"Tenancy": "dedicated"},
        "MaintenanceOptions": {"AutoRecovery": "disabled"},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "search"}]}],
    }
    stack = settings | {"BlockDeviceMappings": [root, data]}
    made = launching.launch_data(stack, {"/dev/sdf"}, {"/dev/sdf": "snap-1"}, "ami-2")
    mapped = {each["DeviceName"]: each["Ebs"] for each in made.pop("BlockDeviceMappings")}
    assert mapped == {
        "/dev/sdf": {"VolumeType": "io2", "Iops": 400, "SnapshotId": "snap-1"},
        "/dev/xvda": root["Ebs"],
    }
    assert made == settings | {"MetadataOptions": {"HttpPutResponseHopLimit": 2}, "ImageId": "ami-2"}


def test_nothing_that_aws_only_tells_is_sent_back_to_it_on_the_day() -> None:
    """AWS refuses a call with a member that it does not take: the failover would end there."""
    told, taken = (launch_members(f"{which}LaunchTemplateData") for which in ("Response", "Request"))
    data: dict[str, Any] = {}
    for member in told - taken:
        key, _, name = member.partition(".")
        data.setdefault(key, {})[name] = True
    assert {"MetadataOptions", "Operator"} <= data.keys()
    assert launching.launch_data(data, set(), {}, "") == {"BlockDeviceMappings": []}


def test_a_volume_group_that_the_point_lacks_is_no_blank_disk() -> None:
    taken = two(count=1)
    assert launching.layout(taken, taken.computes[0], {}).problems


def test_the_way_home_leaves_the_standby_as_the_stack_made_it(again: Callable[[], FakeAws]) -> None:
    aws = again()
    before = copy.deepcopy(aws.templates)
    fail_over(aws, two())
    aws.dark.clear()
    journal = run_failback(RecoveryContext(aws, two(), aws.clock, aws.fetch), "first", side_by_side=1)
    assert journal is not None and journal.state == SUCCEEDED
    group: Group = aws.groups[FLEET]
    assert aws.templates == before and group.names == (NAMES.launch_template("fleet"), "$Latest")
    assert not group.suspended and not group.instances


def test_a_snapshot_copy_that_is_gone_is_named_before_anything_is_fenced(again: Callable[[], FakeAws]) -> None:
    """The point was complete when it was made; somebody deleted a copy since, and an instance would come up blank."""
    aws = again()
    named = recovery(aws, two()).point("newest")
    gone = next(iter(volumes(next(each for each in named.parts if each.kind == "volumes").reference).copies))
    aws.snapshots[STANDBY].clear()
    with pytest.raises(StepFailed, match=f"points can be recovered from .*snapshot copy {gone} is gone in {STANDBY}"):
        fail_over(aws, two())
    assert recovery(aws, two()).active().region == PRIMARY


def test_a_point_from_which_an_instance_would_come_up_blank_is_partial(again: Callable[[], FakeAws]) -> None:
    """The group has grown since its volumes were attached: a failover would refuse the point, so it is partial."""
    aws = again()
    aws.clock.sleep(60)
    point = recovery(aws, two(count=3)).protect()
    assert point is not None and point.status == PARTIAL
    assert any("blank disks" in each for each in point.problems)


COUNTED_ONE_BY_ONE = (
    "describe_launch_template_versions",
    "create_launch_template",
    "create_launch_template_version",
    "delete_launch_template",
)


@pytest.mark.parametrize("count", [1, 2])
def test_a_dry_run_foretells_every_call_that_ec2_counts_one_by_one(count: int) -> None:
    """A run that waits for a token bucket is taken for one that hangs, or the time that was promised is another's."""
    of = two() if count > 1 else inventory(volumes=two().volumes)
    aws = protected(of)
    aws.dark = {PRIMARY}
    for book, run in ((runbooks.failover, run_failover), (runbooks.failback, run_failback)):
        aws.made.clear()
        assert run(recovery(aws, of).context, "me") is not None
        aws.dark = set()
        foretold = forecast.ec2_calls(book(of), of)
        made = {each: sum(call == ("ec2", each, STANDBY) for call in aws.made) for each in COUNTED_ONE_BY_ONE}
        assert made == {each: foretold[each] for each in COUNTED_ONE_BY_ONE}
