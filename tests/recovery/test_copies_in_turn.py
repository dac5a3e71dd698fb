"""What a user loses when one of these fails: hours in which volumes have no copy though the region had room for one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pilotlight.runtime.clock import FakeClock, parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.handlers import protect as handler
from pilotlight.runtime.kinds.volumes import schedule
from pilotlight.runtime.kinds.volumes.observe import COPY, SNAPSHOT, TURN
from pilotlight.runtime.points.protect import TURN_SECONDS
from pilotlight.runtime.records.inventory import Inventory, Volumes
from pilotlight.runtime.records.point import COMPLETE, PARTIAL
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.lease import PROTECT, RUN
from pilotlight.runtime.store.ledger import FAILING_OVER
from support.fake_aws import PRIMARY, STANDBY, FakeAws, inventory
from support.fake_machines import COPIES_AT_ONCE

COPY_SECONDS = 61.0
"""No multiple of a turn's."""
DEADLINE_SECONDS = 875.0
PER_INSTANCE = 20
HOUR = 3600.0


def cloud(volumes: int) -> FakeAws:
    """Instances with twenty volumes each."""
    aws = FakeAws(FakeClock())
    aws.copy_seconds = COPY_SECONDS
    aws.instances.clear()
    aws.volumes.clear()
    for first in range(0, volumes, PER_INSTANCE):
        numbers = range(first, min(first + PER_INSTANCE, volumes))
        aws.attach(f"i-{first:05}", float(first), {f"/dev/sd{each - first:02}": f"vol-{each:05}" for each in numbers})
    return aws


def workload(asset: str = "index", name: str = "inference", every_seconds: float = HOUR) -> Inventory:
    group = Volumes(asset, "backup", asset, {}, {})
    alone: dict[str, Any] = {"datasets": (), "databases": (), "computes": (), "traffic": None}
    return inventory(workload=name, volumes=(group,), every_seconds=every_seconds, **alone)


def recovery(aws: FakeAws, of: Inventory) -> Recovery:
    return Recovery(RecoveryContext(aws, of, aws.clock, aws.fetch), "protect")


def bound(volumes: int) -> float:
    """Snapshots take as long as copies here; copies go twenty at a time."""
    return COPY_SECONDS + math.ceil(volumes / COPIES_AT_ONCE) * COPY_SECONDS


def waves(volumes: int) -> int:
    return 1 + math.ceil(volumes / COPIES_AT_ONCE)


def test_a_hundred_volumes_are_in_a_complete_point_as_soon_as_twenty_copies_at_a_time_allow() -> None:
    aws = cloud(100)
    began = aws.clock.now()
    made = recovery(aws, workload()).protect(deadline=began + DEADLINE_SECONDS)
    assert made is not None and made.status == COMPLETE and made.parts[0].evidence["copies"] == 100
    assert aws.clock.now() - began <= bound(100) + waves(100) * TURN_SECONDS
    assert not aws.copies_refused


def test_what_lambda_has_no_time_for_is_gone_on_with_at_once_and_not_an_hour_later() -> None:
    aws, of = cloud(400), workload()
    began = aws.clock.now()
    event: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for _ in range(4):
        told = handler.answer(recovery(aws, of), event, aws.clock.now() + DEADLINE_SECONDS, "protect")
        if not aws.invoked:
            break
        event = json.loads(aws.invoked.pop()["Payload"])
    assert told["status"] == COMPLETE
    assert aws.clock.now() - began <= 1.1 * bound(400)


def test_a_run_that_waits_for_copies_has_let_go_of_its_lease_when_the_next_one_comes() -> None:
    aws, of = cloud(400), workload(every_seconds=120.0)
    aws.copy_seconds = 600.0
    for _ in range(3):
        began = aws.clock.now()
        assert recovery(aws, of).protect(deadline=began + DEADLINE_SECONDS) is not None
        holder, until = recovery(aws, of).context.ledger.leases.holder(PROTECT)
        assert aws.clock.now() - began < 120.0 and until <= aws.clock.now(), holder
        aws.clock.sleep(began + 120.0 - aws.clock.now())


def test_two_workloads_share_the_copies_of_a_region_and_neither_is_refused() -> None:
    aws = cloud(60)
    groups = [workload("index", "inference"), workload("shards", "training")]
    aws.keys = {each.names.key_alias for each in groups}
    contexts = [recovery(aws, each).context for each in groups]
    for each in contexts:
        schedule.keep_up(each, each.inventory.volumes)
    began, most = aws.clock.now(), 0
    turns = [schedule.copy_in_turns(each, each.inventory.volumes) for each in contexts]
    while turns:
        turns = [each for each in turns if next(each, None) is not None]
        most = max(most, sum(aws.clock.now() < each["done"] for each in aws.snapshots[STANDBY].values()))
        aws.clock.sleep(TURN_SECONDS)
    assert len(aws.snapshots[STANDBY]) == 120 and most == COPIES_AT_ONCE and not aws.copies_refused
    assert aws.clock.now() - began <= bound(120) + (waves(120) + 1) * TURN_SECONDS


def test_room_that_somebody_else_took_meanwhile_is_no_error_and_the_copy_is_begun_later() -> None:
    """What was listed a moment ago is no promise: another workload's run looked at the same time."""
    aws, of = cloud(40), workload()
    seen = aws.ec2_describe_snapshots

    def blind(region: str, **given: Any) -> dict[str, Any]:
        asked = [each["Name"] for each in given.get("Filters") or []]
        return {"Snapshots": []} if asked == ["status"] else seen(region, **given)

    aws.ec2_describe_snapshots = blind  # type: ignore[method-assign]
    made = recovery(aws, of).protect(deadline=aws.clock.now() + DEADLINE_SECONDS)
    assert made is not None and made.status == COMPLETE and aws.copies_refused
    assert not [each for each in made.problems if "ResourceLimitExceeded" in each]


def test_a_point_says_which_volumes_wait_and_for_what() -> None:
    aws, of = cloud(30), workload()
    first = recovery(aws, of).protect()
    assert first is not None
    (states,) = first.parts[0].evidence["waiting"].values()
    assert len(states[SNAPSHOT]) == 30
    aws.clock.sleep(COPY_SECONDS + 1)
    second = recovery(aws, of).protect()
    assert second is not None and second.status == PARTIAL
    (states,) = second.parts[0].evidence["waiting"].values()
    assert (len(states[COPY]), len(states[TURN])) == (20, 10)
    assert sum("it waits for one of the 20 copies" in each for each in second.parts[0].missing) == 10
    assert any("10 snapshots wait for their copy" in each for each in second.problems)


def test_a_copy_that_fails_at_once_is_begun_once_a_scheduled_run_and_not_every_few_seconds() -> None:
    aws, of = cloud(2), workload()
    seen = aws.ec2_describe_snapshots

    def failed(region: str, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = seen(region, **given)
        return {"Snapshots": [each | {"State": "error"} if region == STANDBY else each for each in found["Snapshots"]]}

    aws.ec2_describe_snapshots = failed  # type: ignore[method-assign]
    made = recovery(aws, of).protect(deadline=aws.clock.now() + DEADLINE_SECONDS)
    assert made is not None and made.status == PARTIAL
    assert len(aws.snapshots[STANDBY]) == 2


def test_nothing_further_is_copied_once_the_standby_serves() -> None:
    aws, of = cloud(60), workload()
    recovery(aws, of).protect()
    aws.clock.sleep(COPY_SECONDS + 1)
    keeping = recovery(aws, of)
    before = aws.ec2_copy_snapshot

    def lost(*given: Any, **parameters: Any) -> Any:
        found = before(*given, **parameters)
        ledger = keeping.context.ledger
        with ledger.leases.during("failover", RUN) as held:
            ledger.claim(held, of.primary)
            ledger.set_active(STANDBY, FAILING_OVER, "a run", held.epoch, held.epoch)
        aws.ec2_copy_snapshot = before  # type: ignore[method-assign]
        return found

    aws.ec2_copy_snapshot = lost  # type: ignore[method-assign]
    keeping.protect(deadline=aws.clock.now() + DEADLINE_SECONDS)
    assert len(aws.snapshots[STANDBY]) == COPIES_AT_ONCE


def test_who_waits_for_copies_is_told_when_they_end() -> None:
    aws, of = cloud(100), workload()
    recovery(aws, of).protect(deadline=aws.clock.now() + DEADLINE_SECONDS)
    aws.clock.sleep(HOUR)
    recovery(aws, of).protect()
    aws.clock.sleep(COPY_SECONDS + 1)
    began = aws.clock.now()
    told = recovery(aws, of).protect()
    assert told is not None
    (waits,) = [each for each in told.problems if "wait for their copy" in each]
    ends = parse_stamp(waits.rstrip(".").rsplit(" ", 1)[1])
    aws.clock.sleep(1)
    recovery(aws, of).protect(deadline=began + DEADLINE_SECONDS)
    assert ends - began == 5 * COPY_SECONDS
    assert aws.clock.now() - began == pytest.approx(ends - began, rel=0.05)


def test_a_run_that_has_nothing_to_wait_for_makes_one_point() -> None:
    """A second one, of the same moment, pushes an older one out of those that are kept."""
    aws = cloud(0)
    keeping = recovery(aws, inventory(volumes=(), databases=(), computes=(), traffic=None, every_seconds=HOUR))
    assert keeping.protect(deadline=aws.clock.now() + DEADLINE_SECONDS) is not None
    assert len(keeping.context.ledger.points()) == 1


def test_a_primary_that_falls_silent_while_copies_are_waited_for_leaves_the_point_that_was_made() -> None:
    """The point that would follow had looked at nothing there, and said that it had."""
    aws, of = cloud(40), workload()
    keeping = recovery(aws, of)
    sleep = aws.clock.sleep

    def darkens(seconds: float) -> None:
        sleep(seconds)
        if len(aws.snapshots[STANDBY]) == 40:
            aws.dark.add(PRIMARY)

    aws.clock.sleep = darkens  # type: ignore[method-assign]
    made = keeping.protect(deadline=aws.clock.now() + DEADLINE_SECONDS)
    assert made is not None and PRIMARY in aws.dark
    assert [each.id for each in keeping.context.ledger.points()] == [made.id]


def test_a_refusal_while_copies_are_waited_for_costs_no_point_and_is_no_failure() -> None:
    """The point is made already: the schedule would call the run failed, and wake somebody."""
    aws, of = cloud(40), workload()
    keeping, sleep = recovery(aws, of), aws.clock.sleep

    def denies(seconds: float) -> None:
        sleep(seconds)
        if keeping.context.ledger.points():
            aws.denied = {"dynamodb:get_item"}

    aws.clock.sleep = denies  # type: ignore[method-assign]
    assert keeping.protect(deadline=aws.clock.now() + DEADLINE_SECONDS) is not None


def test_nothing_is_gone_on_with_once_the_standby_serves() -> None:
    """Copies of a region that was lost would be begun, under a lease that nobody else gets meanwhile."""
    aws, of = cloud(40), workload()
    keeping = recovery(aws, of)
    keeping.protect()
    ledger = keeping.context.ledger
    with ledger.leases.during("failover", RUN) as held:
        ledger.claim(held, of.primary)
        ledger.set_active(STANDBY, FAILING_OVER, "a run", held.epoch, held.epoch)
    aws.clock.sleep(COPY_SECONDS + 1)
    before = ledger.leases.epoch(PROTECT)
    gone_on = keeping.go_on(aws.clock.now() + HOUR, aws.clock.now() + DEADLINE_SECONDS)
    assert gone_on.point is None and gone_on.waits_until is None
    assert ledger.leases.epoch(PROTECT) == before and not aws.snapshots[STANDBY]
