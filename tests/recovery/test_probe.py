"""What a user loses when one of these fails: the alarm that starts a recovery, or traffic in the right region."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotlight.runtime.aws.fetch import Fetched
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.naming import METRIC_ACTIVE_HEALTHY, METRIC_POINT_AGE, METRIC_PROTECT_AGE
from pilotlight.runtime.readiness.looking import watched
from pilotlight.runtime.readiness.probe import probe
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import FAILING_OVER, SWITCHING
from pilotlight.runtime.store.sightings import HEALTHY, LOST, UNKNOWN
from support.fake_aws import NAMES, PRIMARY, STANDBY, FakeAws, inventory, recovery_of, save


def of(aws: FakeAws, **changes: Any) -> Recovery:
    return Recovery(RecoveryContext(aws, inventory(**changes), aws.clock, aws.fetch), "test")


def without_traffic(aws: FakeAws, **changes: Any) -> Recovery:
    """Buckets, volumes, a database and a training group that nobody asks anything from outside."""
    return of(aws, traffic=None, **changes)


def published(aws: FakeAws, recovery: Recovery) -> dict[str, float]:
    aws.metrics.clear()
    probe(recovery.context)
    return {name: values[-1] for name, values in aws.metrics.items()}


def test_a_workload_that_answers_is_healthy(aws: FakeAws) -> None:
    seen = probe(recovery_of(aws).context)
    assert seen.healthy and seen.active == PRIMARY
    found = published(aws, recovery_of(aws))
    assert (found["ActiveHealthy"], found["ProbeHeartbeat"], found["StandbyActive"]) == (1.0, 1.0, 0.0)


def test_a_lost_region_is_unhealthy_and_the_beat_goes_on(aws: FakeAws) -> None:
    aws.dark.add(PRIMARY)
    seen = probe(recovery_of(aws).context)
    assert seen.verdict == LOST and "no answer" in seen.answer
    assert (aws.metrics["ActiveHealthy"][-1], aws.metrics["ProbeHeartbeat"][-1]) == (0.0, 1.0)


@pytest.mark.parametrize("computes", [True, False])
def test_a_region_is_lost_for_a_workload_that_nobody_asks_from_outside(aws: FakeAws, computes: bool) -> None:
    changes: dict[str, Any] = {} if computes else {"computes": (), "databases": (), "volumes": ()}
    recovery = without_traffic(aws, **changes)
    assert published(aws, recovery)[METRIC_ACTIVE_HEALTHY] == 1.0
    aws.dark.add(PRIMARY)
    assert published(aws, recovery)[METRIC_ACTIVE_HEALTHY] == 0.0
    look = recovery.context.ledger.sightings.look()
    assert look is not None and look.verdict == LOST and any("EC2" in each for each in look.told)


def test_one_silent_service_calls_no_region_lost_and_nothing_healthy(aws: FakeAws) -> None:
    aws.silent.add((PRIMARY, "s3"))
    recovery = without_traffic(aws)
    assert METRIC_ACTIVE_HEALTHY not in published(aws, recovery), "missing data alarms, and starts nothing"
    look = recovery.context.ledger.sightings.look()
    assert look is not None and look.verdict == UNKNOWN and look.told == (f"S3 in {PRIMARY} does not answer",)
    aws.silent |= {(PRIMARY, each) for each in ("ec2", "rds", "autoscaling")}
    assert published(aws, recovery)[METRIC_ACTIVE_HEALTHY] == 0.0, "one of five still answers"


def test_a_probe_that_may_not_look_says_so_and_not_healthy(aws: FakeAws) -> None:
    aws.denied |= {"s3:head_bucket", "ec2:describe_availability_zones", "rds:describe_db_clusters"}
    aws.denied |= {"dynamodb:describe_table", "autoscaling:describe_auto_scaling_groups"}
    recovery = without_traffic(aws)
    assert METRIC_ACTIVE_HEALTHY not in published(aws, recovery), (
        "refused is not lost either: nothing may fail over by it"
    )
    look = recovery.context.ledger.sightings.look()
    assert look is not None and "refuses" in look.told[0] and "AccessDenied" in look.told[0]


def test_a_group_that_is_short_and_a_writer_that_is_down_are_told(aws: FakeAws) -> None:
    recovery = without_traffic(aws)
    aws.groups[PRIMARY, "inference-fleet"].instances = [("i-1", aws.clock.now() + 1000)]
    assert probe(recovery.context).answer == "inference-fleet: 0 of 1 instances in service"
    aws.groups[PRIMARY, "inference-fleet"].instances = [("i-1", 0.0)]
    aws.database_status = "inaccessible-encryption-credentials"
    assert probe(recovery.context).verdict == UNKNOWN and "inaccessible" in probe(recovery.context).answer


def test_training_that_saves_no_checkpoints_any_more_is_told_while_its_group_is_up() -> None:
    aws = FakeAws(FakeClock())
    recovery = without_traffic(aws)
    recovery.initialise()
    for step in range(20, 120, 20):
        save(aws, step)
        aws.clock.sleep(60)
    recovery.protect()
    assert probe(recovery.context).verdict == HEALTHY
    aws.clock.sleep(250)
    recovery.protect()
    assert "usually one comes every 60 s" in probe(recovery.context).answer
    aws.groups[PRIMARY, "inference-fleet"].desired = 0
    assert probe(recovery.context).verdict == HEALTHY, "training that was ended saves nothing, and nothing is wrong"


def test_with_the_schedule_switched_off_the_ages_grow_and_the_alarms_get_them(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    before = published(aws, recovery)
    aws.clock.sleep(1000)
    after = published(aws, recovery)
    assert after[METRIC_POINT_AGE] - before[METRIC_POINT_AGE] == 1000
    assert after[METRIC_PROTECT_AGE] - before[METRIC_PROTECT_AGE] == 1000
    recovery.protect()
    assert published(aws, recovery)[METRIC_PROTECT_AGE] < 100


def test_before_the_first_point_its_age_counts_from_the_deployment() -> None:
    aws = FakeAws(FakeClock())
    recovery = of(aws, taken_at="2023-11-14T22:00:20.000Z")
    assert published(aws, recovery)[METRIC_POINT_AGE] == aws.clock.now() - 1_699_999_220


def test_the_standby_that_serves_is_watched_and_the_lost_region_is_looked_for(aws: FakeAws) -> None:
    aws.dark.add(PRIMARY)
    recovery = recovery_of(aws)
    recovery.failover()
    aws.clock.sleep(20)
    assert probe(recovery.context).verdict == HEALTHY
    look = recovery.context.ledger.sightings.look()
    assert look is not None and (look.region, look.home) == (STANDBY, LOST)
    aws.dark.clear()
    probe(recovery.context)
    look = recovery.context.ledger.sightings.look()
    assert look is not None and look.home == HEALTHY


def test_traffic_stays_in_the_standby_region_after_a_failover(aws: FakeAws) -> None:
    aws.dark.add(PRIMARY)
    recovery = recovery_of(aws)
    recovery.failover()
    aws.metrics.clear()
    probe(recovery.context)
    assert aws.metrics["StandbyActive"] == [1.0]


def test_while_a_run_moves_traffic_the_probe_does_not_pull_it_back(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    held = recovery.context.ledger.leases.take("a run")
    recovery.context.ledger.claim(held, PRIMARY)
    recovery.context.ledger.set_active("us-west-2", FAILING_OVER, "run", held.epoch, held.epoch)
    probe(recovery.context)
    assert "StandbyActive" not in aws.metrics


def test_a_region_that_a_run_is_bringing_up_is_not_called_lost(aws: FakeAws) -> None:
    """Else three such minutes of a way home are an alarm, and the region that serves since then is failed over."""
    recovery = recovery_of(aws)
    held = recovery.context.ledger.leases.take("a run")
    recovery.context.ledger.claim(held, PRIMARY)
    recovery.context.ledger.set_active(PRIMARY, SWITCHING, "20260102-failback", held.epoch, held.epoch)
    aws.dark.add(PRIMARY)
    assert METRIC_ACTIVE_HEALTHY not in published(aws, recovery)
    look = recovery.context.ledger.sightings.look()
    assert look is not None and look.verdict == UNKNOWN
    assert look.told[0] == f"{PRIMARY} is switching, by run 20260102-failback" and len(look.told) > 1


def test_every_workload_has_at_least_three_services_watched() -> None:
    bare = inventory(datasets=(), computes=(), databases=(), traffic=None)
    (told,) = watched(bare, PRIMARY)
    assert told == f"the services of {PRIMARY}: EC2, RDS, DynamoDB"
    assert NAMES.standby_cluster("none") == "pilotlight-inference-none-standby"


def test_an_answer_names_its_region_in_a_header_or_in_its_json() -> None:
    assert Fetched(200, headers={"x-region": "us-west-2"}).region == "us-west-2"
    assert Fetched(200, b'{"region": "us-east-1"}').region == "us-east-1"
    assert Fetched(200, b"[1]").region == "" and Fetched(200, b"\xff").region == ""


def test_a_look_during_which_the_workload_moved_does_not_move_traffic_back(aws: FakeAws) -> None:
    """The look began before the way home and ended after it: its word sent everybody to the region at rest."""
    aws.dark.add(PRIMARY)
    recovery = recovery_of(aws)
    recovery.failover()
    aws.dark.clear()
    aws.clock.sleep(60)
    began = list[str]()

    class Slow(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if service != "dynamodb" and not began:
                began.append(operation)
                recovery.failback()
            return super().call(service, operation, region, **parameters)

    context = replace(recovery.context, client=Slow(aws))
    before = len(aws.metrics["StandbyActive"]), len(aws.metrics.get("ActiveHealthy", []))
    seen = probe(context)
    assert began and recovery.active().region == PRIMARY
    assert aws.metrics["StandbyActive"][-1] == 0.0 and seen.verdict == UNKNOWN
    assert len(aws.metrics["StandbyActive"]) == before[0] + 1, "the way home's own, and no other"
    assert len(aws.metrics.get("ActiveHealthy", [])) == before[1]
