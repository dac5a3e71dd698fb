"""Points know which software the standby region would launch: new images are copied, other changes told by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import StepFailed
from pilotlight.runtime.points.choose import newest_complete, newest_usable
from pilotlight.runtime.points.prune import GRACE_SECONDS
from pilotlight.runtime.points.retention import kept
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Inventory, Keep
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, Part, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import PointLine
from support.fake_aws import NAMES, PRIMARY, STANDBY, FakeAws, inventory, recovery_of, save
from support.fake_machines import TEMPLATE, Version
from support.inventories import changed

RUN_TEMPLATE = NAMES.run_template("fleet")


def launches(aws: FakeAws, **changes: str) -> None:
    """The user of the primary moves their launch template on."""
    aws.templates[TEMPLATE].append(Version(aws.templates[TEMPLATE][-1].data | changes))


def protect(aws: FakeAws, recovery: Recovery, times: int = 1) -> RecoveryPoint:
    """Scheduled runs, 20 s apart: a copy is finished by the next but one."""
    made = None
    for _ in range(times):
        aws.clock.sleep(20)
        made = recovery.protect()
    assert made is not None
    return made


def fleet(point: RecoveryPoint) -> Part:
    part = point.part("fleet")
    assert part is not None
    return part


def test_a_newer_image_of_the_primary_is_copied_without_a_deployment_and_the_failover_launches_it(
    aws: FakeAws, recovery: Recovery
) -> None:
    launches(aws, ImageId="ami-new")
    first = protect(aws, recovery)
    assert (first.status, first.outdated) == (PARTIAL, True)
    assert "the copy of image ami-new, which inference-fleet launches, is pending" in fleet(first).missing[0]
    second = protect(aws, recovery)
    assert second.status == COMPLETE
    copy = encode(fleet(second).reference)["image"]
    assert {each["Key"]: each["Value"] for each in aws.images[copy]["Tags"]}["pilotlight:source-image"] == "ami-new"
    aws.dark = {PRIMARY}
    recovery.failover()
    assert aws.groups[STANDBY, NAMES.group("fleet")].names[0] == RUN_TEMPLATE
    assert {each.data["ImageId"] for each in aws.templates[RUN_TEMPLATE]} == {copy}


def test_an_image_is_copied_once_however_often_the_schedule_runs(aws: FakeAws, recovery: Recovery) -> None:
    launches(aws, ImageId="ami-new")
    protect(aws, recovery, 4)
    assert sum(call == ("ec2", "copy_image", STANDBY) for call in aws.made) == 1


def test_a_copy_that_failed_is_told_with_the_reason_and_made_anew(aws: FakeAws, recovery: Recovery) -> None:
    launches(aws, ImageId="ami-new")
    protect(aws, recovery)
    (copy,) = [id for id in aws.images if id != "ami-2"]
    aws.images[copy]["state"] = "failed"
    told = protect(aws, recovery)
    assert any(f"the copy {copy} of ami-new is failed" in each for each in told.problems)
    assert protect(aws, recovery).status == COMPLETE


def test_user_data_that_was_never_deployed_makes_the_point_partial_and_says_what_and_what_to_do(
    aws: FakeAws, recovery: Recovery
) -> None:
    launches(aws, UserData="bmV3", KeyName="ops")
    made = protect(aws, recovery)
    assert made.status == PARTIAL and not fleet(made).proven
    (why,) = fleet(made).missing
    assert "version 2 of the launch template of inference-fleet has another KeyName, UserData" in why
    assert "pilotlight up" in why
    standing = {each.name: each for each in recovery.status().assets}["fleet"]
    assert standing.state == "UNPROTECTED" and why in standing.why


def test_a_new_version_that_says_the_same_is_no_difference(aws: FakeAws, recovery: Recovery) -> None:
    launches(aws)
    assert protect(aws, recovery).status == COMPLETE


def test_older_software_does_not_make_a_failover_fall_back_to_older_data(aws: FakeAws, recovery: Recovery) -> None:
    launches(aws, UserData="bmV3")
    save(aws, 80)
    made = protect(aws, recovery, 2)
    assert (made.status, made.outdated) == (PARTIAL, True)
    found = recovery.status().points
    assert found.newest_usable is not None and found.newest_usable.id == made.id
    assert found.newest_complete is not None and found.newest_complete.id < made.id
    aws.dark = {PRIMARY}
    journal = recovery.failover()
    preflight, chosen = journal.proven("preflight"), journal.proven("choose-point")
    assert preflight is not None and preflight.evidence["outdated"] == [f"fleet: {fleet(made).missing[0]}"]
    assert chosen is not None and chosen.evidence["point"] == made.id
    assert aws.parameters[STANDBY, NAMES.parameter("checkpoints")].endswith("step-000080/")


def test_data_that_is_missing_as_well_is_never_made_up_for_by_the_word_outdated(
    aws: FakeAws, recovery: Recovery
) -> None:
    launches(aws, UserData="bmV3")
    aws.denied = {"s3:list_object_versions"}
    made = protect(aws, recovery)
    assert (made.status, made.outdated) == (PARTIAL, False)


def test_a_primary_whose_template_may_not_be_read_proves_nothing_of_the_software_and_loses_no_data(
    aws: FakeAws, recovery: Recovery
) -> None:
    aws.denied = {"autoscaling:describe_auto_scaling_groups"}
    made = protect(aws, recovery)
    assert made.status == PARTIAL and not fleet(made).proven
    aws.denied = set()
    aws.templates[TEMPLATE] = []
    made = protect(aws, recovery)
    assert (made.status, made.outdated) == (PARTIAL, True)
    assert "inference-fleet" in fleet(made).missing[0]


def test_while_the_primary_is_silent_what_was_last_seen_of_its_software_counts(
    aws: FakeAws, recovery: Recovery
) -> None:
    launches(aws, UserData="bmV3")
    protect(aws, recovery)
    aws.dark = {PRIMARY}
    made = protect(aws, recovery)
    assert "another UserData" in fleet(made).missing[0]


def test_software_that_was_never_seen_is_not_proven_while_the_primary_is_silent() -> None:
    aws = FakeAws(FakeClock())
    recovery = recovery_of(aws)
    recovery.initialise()
    aws.dark = {PRIMARY}
    assert "never seen" in fleet(protect(aws, recovery)).missing[0]


def test_an_inventory_of_an_older_edition_says_that_nothing_was_recorded(aws: FakeAws) -> None:
    taken = inventory()
    older = changed(taken, computes=(replace(taken.computes[0], template={}),))
    made = protect(aws, _recovery(aws, older))
    assert "never recorded; run `pilotlight up`" in fleet(made).missing[0]


def test_instances_that_run_another_version_than_the_group_names_are_told_and_stop_nothing(
    aws: FakeAws, recovery: Recovery
) -> None:
    group = aws.groups[PRIMARY, "inference-fleet"]
    group.launched["i-1"] = (TEMPLATE, "1")
    launches(aws)
    made = protect(aws, recovery)
    assert made.status == COMPLETE
    assert any("1 instances were launched from another version" in each for each in made.problems)


def test_a_point_whose_image_a_later_deployment_replaced_is_used_with_that_deployments_image(
    aws: FakeAws, recovery: Recovery
) -> None:
    made = protect(aws, recovery)
    assert encode(fleet(made).reference)["image"] == "ami-2"
    aws.images = {"ami-3": dict(aws.images["ami-2"])}
    aws.templates[NAMES.launch_template("fleet")][0].data["ImageId"] = "ami-3"
    verified = {each.asset: each for each in recovery.verify("newest", deep=False).parts}["fleet"]
    assert verified.holds and "ami-3 of the last deployment is launched" in verified.remarks[0]
    aws.dark = {PRIMARY}
    chosen = recovery.failover().proven("choose-point")
    assert chosen is not None and chosen.evidence["images"] == {"fleet": "ami-3"}
    assert "image ami-2 is gone in us-west-2" in chosen.evidence["other_images"]["fleet"]


def test_without_any_image_nothing_is_fenced(aws: FakeAws, recovery: Recovery) -> None:
    protect(aws, recovery)
    aws.images = {}
    aws.dark = {PRIMARY}
    with pytest.raises(StepFailed, match="image ami-2 is gone"):
        recovery.failover()
    assert recovery.active().region == PRIMARY


def test_copies_that_no_point_names_and_nobody_launches_any_more_are_let_go(aws: FakeAws, recovery: Recovery) -> None:
    launches(aws, ImageId="ami-new")
    protect(aws, recovery, 2)
    launches(aws, ImageId="ami-newer")
    protect(aws, recovery, 2)
    assert len(aws.images) == 3, "points still name the first copy"
    few = _recovery(aws, replace(inventory(), keep=Keep(1, 0, 0)))
    protect(aws, few, 12)
    aws.clock.sleep(GRACE_SECONDS)
    protect(aws, few, 2)
    left = [image for image in aws.images if image != "ami-2"]
    assert left == [encode(fleet(protect(aws, few)).reference)["image"]]


def test_the_retention_policy_keeps_points_that_a_failover_would_use() -> None:
    lines = [PointLine("1", COMPLETE, "2026-01-01T00:00:00.000Z")]
    lines += [
        PointLine(str(hour), PARTIAL, f"2026-01-01T{hour:02d}:00:00.000Z", outdated=hour == 2) for hour in range(2, 20)
    ]
    assert {"1", "2"} <= kept(lines, Keep(0, 0, 0))
    complete, usable = newest_complete(lines), newest_usable(lines)
    assert complete is not None and usable is not None and (complete.id, usable.id) == ("1", "2")


def test_a_refused_point_is_not_used_whatever_its_software(aws: FakeAws, recovery: Recovery) -> None:
    launches(aws, UserData="bmV3")
    made = protect(aws, recovery)
    recovery.refuse(made.id, "no", "me")
    assert made.id not in {each.id for each in recovery.context.ledger.points() if each.usable}


def _recovery(aws: FakeAws, taken: Inventory) -> Recovery:
    return Recovery(RecoveryContext(aws, taken, aws.clock, aws.fetch), "test")
