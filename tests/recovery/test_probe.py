"""What a user loses when one of these fails: the alarm that starts a recovery, or traffic in the right region."""

from __future__ import annotations

from doors import PRIMARY, FakeAws, desk_of
from pilotlight.recovery.fetch import Fetched
from pilotlight.recovery.ledger import FAILING_OVER
from pilotlight.recovery.probe import probe


def test_a_workload_that_answers_is_healthy(aws: FakeAws) -> None:
    seen = probe(desk_of(aws).site)
    assert seen.healthy and seen.active == PRIMARY
    assert {name: values[-1] for name, values in aws.metrics.items() if name != "UnreplicatedObjects"} == {
        "ActiveHealthy": 1.0,
        "ProbeBeat": 1.0,
        "StandbyActive": 0.0,
    }


def test_a_lost_region_is_unhealthy_and_the_beat_goes_on(aws: FakeAws) -> None:
    aws.dark.add(PRIMARY)
    seen = probe(desk_of(aws).site)
    assert not seen.healthy and "no answer" in seen.answer
    assert (aws.metrics["ActiveHealthy"][-1], aws.metrics["ProbeBeat"][-1]) == (0.0, 1.0)


def test_traffic_stays_in_the_standby_region_after_a_failover(aws: FakeAws) -> None:
    aws.dark.add(PRIMARY)
    desk = desk_of(aws)
    desk.failover()
    aws.metrics.clear()
    probe(desk.site)
    assert aws.metrics["StandbyActive"] == [1.0]


def test_while_a_run_moves_traffic_the_probe_does_not_pull_it_back(aws: FakeAws) -> None:
    desk = desk_of(aws)
    held = desk.site.ledger.leases.take("a run")
    desk.site.ledger.set_active("us-west-2", FAILING_OVER, "run", held.epoch, held.epoch)
    probe(desk.site)
    assert "StandbyActive" not in aws.metrics


def test_an_answer_names_its_region_in_a_header_or_in_its_json() -> None:
    assert Fetched(200, headers={"x-region": "us-west-2"}).region == "us-west-2"
    assert Fetched(200, b'{"region": "us-east-1"}').region == "us-east-1"
    assert Fetched(200, b"[1]").region == "" and Fetched(200, b"\xff").region == ""
