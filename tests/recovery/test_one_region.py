"""What a user loses when one of these fails: months of work in the standby region, by one `DELETE` without `WHERE`,
while the home region is gone."""

from __future__ import annotations

import pytest

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.volumes.reference import VolumeReference
from pilotlight.runtime.naming import METRIC_POINT_AGE
from pilotlight.runtime.points import choose
from pilotlight.runtime.points.retention import RECENT, kept
from pilotlight.runtime.readiness.probe import ages
from pilotlight.runtime.readiness.status import status
from pilotlight.runtime.records.inventory import Keep
from pilotlight.runtime.records.point import COMPLETE, ONE_REGION, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import PointLine
from support.fake_aws import CORPUS_COPY, MODELS_COPY, NAMES, PRIMARY, STANDBY, FakeAws, checkpoint

INTERVAL = 60.0


@pytest.fixture
def away(aws: FakeAws, recovery: Recovery) -> FakeAws:
    """The primary region is lost, the standby serves; each of its instances has the volumes of the point."""
    aws.dark.add(PRIMARY)
    recovery.failover()
    for number, (instance, at) in enumerate(aws.groups[STANDBY, NAMES.group("fleet")].instances):
        aws.attach(
            instance, at, {"/dev/sdf": f"vol-s{number}f", "/dev/sdg": f"vol-s{number}g"}, {"/dev/sdz": f"z{number}"}
        )
    aws.clock.sleep(INTERVAL)
    return aws


def made(recovery: Recovery) -> RecoveryPoint:
    found = recovery.protect()
    assert found is not None and found.status == ONE_REGION
    return found


def test_what_the_standby_writes_is_in_points_of_its_own_from_the_failover_on(
    away: FakeAws, recovery: Recovery
) -> None:
    made(recovery)
    away.clock.sleep(INTERVAL)
    for name, body in checkpoint(80).items():
        away.s3.write(MODELS_COPY, f"checkpoints/step-80/{name}", body)
    away.s3.write(CORPUS_COPY, "shards/new", b"written in the standby")
    away.clock.sleep(1)
    point = made(recovery)
    assert all(part.proven for part in point.parts), point.problems
    corpus, models, index, registry = (point.part(each) for each in ("corpus", "checkpoints", "index", "registry"))
    assert corpus and parse_stamp(corpus.as_of) >= away.clock.now() - 1
    assert models and models.reference and "step-80" in str(models.reference)
    assert registry and parse_stamp(registry.as_of) == pytest.approx(away.clock.now() - 300, abs=1)
    assert index and isinstance(index.reference, VolumeReference)
    assert [sorted(each.snapshots) for each in index.reference.sets] == [["/dev/sdf", "/dev/sdg"]]


def test_no_failover_goes_by_what_one_region_keeps(away: FakeAws, recovery: Recovery) -> None:
    before = choose.newest_usable(recovery.context.ledger.points())
    made(recovery)
    assert choose.newest_usable(recovery.context.ledger.points()) == before


def test_snapshots_of_the_standby_are_no_copies_of_the_primary(away: FakeAws, recovery: Recovery) -> None:
    made(recovery)
    away.clock.sleep(INTERVAL)
    own = made(recovery).reference("index", VolumeReference)
    away.dark.clear()
    away.clock.sleep(5)
    recovery.failback()
    away.clock.sleep(5)
    point = recovery.protect()
    found = point.reference("index", VolumeReference) if point else None
    assert own and found and not set(own.copies) & set(found.copies)


def test_snapshots_go_with_the_points_that_stand_on_them(away: FakeAws, recovery: Recovery) -> None:
    for _ in range(RECENT + 25):
        made(recovery)
        away.clock.sleep(INTERVAL)
    away.clock.sleep(1000)
    made(recovery)
    own = [each for each in away.snapshots[STANDBY].values() if each["asset"] == "index@standby"]
    listed = [each for each in recovery.context.ledger.points() if each.status == ONE_REGION]
    assert 0 < len(own) <= 2 * (len(listed) + 2) < 2 * (RECENT + 20)


def test_what_is_not_kept_is_named(away: FakeAws, recovery: Recovery) -> None:
    away.s3.unversioned.add(CORPUS_COPY)
    away.backups_lag_seconds = None
    told = made(recovery).problems
    assert any("keeps no versions" in each for each in told)
    assert any("tells no moment" in each for each in told)
    assert any("index is not proven in us-west-2 alone" in each for each in told)


def test_status_says_what_is_kept_and_that_it_is_one_region(away: FakeAws, recovery: Recovery) -> None:
    before = {each.name: each.why for each in status(recovery.context).assets}
    assert all("no point of us-west-2 alone was made yet" in why for why in before.values())
    made(recovery)
    found = status(recovery.context)
    assert all(each.state == "UNPROTECTED" for each in found.assets)
    told = {each.name: each.why for each in found.assets}
    assert "kept in us-west-2 alone, as of" in told["corpus"] and "no copy in another region" in told["corpus"]
    assert found.points.newest_alone is not None
    away.clock.sleep(24 * 3600)
    assert any("newest recovery point of us-west-2 alone is" in each for each in status(recovery.context).problems)


def test_the_age_of_points_is_that_of_the_region_that_serves(away: FakeAws, recovery: Recovery) -> None:
    context: RecoveryContext = recovery.context
    made(recovery)
    away.clock.sleep(30)
    assert ages(context, context.ledger.active(PRIMARY))[METRIC_POINT_AGE] == pytest.approx(30, abs=1)


def test_nothing_is_made_while_a_run_moves_the_workload(aws: FakeAws, recovery: Recovery) -> None:
    ledger = recovery.context.ledger
    with ledger.leases.during("failover", "run") as held:
        ledger.claim(held, PRIMARY)
        ledger.set_active(STANDBY, "failing-over", "r1", held.epoch, held.epoch)
    assert recovery.protect() is None


def test_points_of_one_region_stay_by_the_same_policy_and_push_out_no_other() -> None:
    lines = [PointLine(f"c{hour}", COMPLETE, f"2026-01-01T{hour:02}:30:00.000Z") for hour in range(5)]
    alone = [PointLine(f"o{hour}", ONE_REGION, f"2026-01-02T{hour:02}:30:00.000Z") for hour in range(20)]
    stay = kept([*lines, *alone], Keep(hourly=5, daily=0, weekly=0))
    assert {each.id for each in lines} <= stay and {f"o{hour}" for hour in range(15, 20)} <= stay
