"""What a user loses when one of these fails: a word of protection that is not true any more, or a request unseen."""

from __future__ import annotations

import dataclasses
from typing import Any

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.readiness import bounds
from pilotlight.runtime.readiness.probe import probe
from pilotlight.runtime.readiness.standing import UNKNOWN
from pilotlight.runtime.records.inventory import Notify
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import FAILING_OVER
from support.fake_aws import CORPUS, PRIMARY, STANDBY, FakeAws, inventory, older

OBJECTIVE = 600.0


def of(aws: FakeAws, **changes: Any) -> Recovery:
    changes = {"rpo_seconds": OBJECTIVE} | changes
    return Recovery(RecoveryContext(aws, inventory(**changes), aws.clock, aws.fetch), "test")


def settled(aws: FakeAws, **changes: Any) -> Recovery:
    """All that was written has arrived, and everybody has looked a moment ago."""
    recovery = of(aws, **changes)
    aws.s3.arrive()
    for _ in range(2):
        aws.clock.sleep(20)
        recovery.protect()
    aws.clock.sleep(1)
    probe(recovery.context)
    return recovery


def states(recovery: Recovery) -> dict[str, str]:
    return {each.name: each.state for each in recovery.status().assets}


def test_all_is_good_only_where_all_was_seen_a_moment_ago(aws: FakeAws) -> None:
    found = settled(aws).status()
    assert found.problems == () and found.is_good
    assert {each.state for each in found.assets} == {"PROTECTED"}
    assert all(each.age_seconds is not None and each.age_seconds < 60 for each in found.assets)
    newest = found.points.newest_complete
    assert newest is not None and newest.age_seconds < 60
    assert [each.name for each in found.alarms][:2] == ["active-unhealthy", "active-unknown"]


def test_nothing_is_protected_right_after_up_whose_objects_are_from_before_the_rule() -> None:
    aws = older()
    aws.s3.write(CORPUS, "young", b"written a moment before the rule", replicate=False)
    aws.clock.sleep(0.5)
    recovery = of(aws, rpo_seconds=86_400.0)
    recovery.initialise()
    assert states(recovery)["corpus"] == "UNPROTECTED", "never compared"
    recovery.protect()
    corpus = recovery.status().assets[0]
    assert corpus.state == "UNPROTECTED" and "31 object(s) from before the replication rule" in corpus.why
    assert "pilotlight backfill" in corpus.why
    recovery.backfill(recovery.context.inventory.datasets[0])
    assert states(recovery)["corpus"] == "PROTECTED"


def test_a_bucket_whose_rule_is_gone_is_not_protected_though_nothing_is_missing_yet(aws: FakeAws) -> None:
    recovery = settled(aws)
    del aws.s3.rules[CORPUS]
    recovery.protect()
    corpus = recovery.status().assets[0]
    assert corpus.state == "UNPROTECTED" and "no enabled rule" in corpus.why and "pilotlight up" in corpus.why
    aws.s3.write(CORPUS, "between", b"no rule takes it up")
    aws.clock.sleep(5)
    aws.s3.rules[CORPUS] = inventory().datasets[0].standby_bucket
    recovery.protect()
    assert "1 object(s) from before the replication rule" in recovery.status().assets[0].why, (
        "young, and not on its way"
    )


def test_a_rule_that_may_not_be_read_protects_nothing(aws: FakeAws) -> None:
    recovery = settled(aws)
    aws.denied.add("s3:get_bucket_replication")
    recovery.protect()
    corpus = recovery.status().assets[0]
    assert corpus.state == "UNPROTECTED" and "cannot be read" in corpus.why


def test_with_the_schedule_disabled_everything_becomes_unknown_and_is_told(aws: FakeAws) -> None:
    recovery = settled(aws)
    aws.clock.sleep(bounds.evidence_seconds(recovery.context.inventory) + 60)
    probe(recovery.context)
    found = recovery.status()
    assert {each.state for each in found.assets} == {UNKNOWN}
    told = " ".join(found.problems)
    assert "the newest complete recovery point is" in told and "the scheduled run began" in told
    assert "does the schedule of protect run?" in told


def test_a_probe_that_looks_no_more_leaves_nothing_healthy(aws: FakeAws) -> None:
    recovery = settled(aws)
    for _ in range(6):
        aws.clock.sleep(60)
        recovery.protect()
    assert [each for each in recovery.status().problems if "the probe looked" in each]


def test_a_dark_primary_that_nobody_asks_from_outside_is_seen(aws: FakeAws) -> None:
    recovery = settled(aws, traffic=None)
    aws.dark.add(PRIMARY)
    probe(recovery.context)
    recovery.protect()
    found = recovery.status()
    assert {each.state for each in found.assets} == {UNKNOWN}
    assert found.problems[0].startswith(f"{PRIMARY} is lost since")


def test_after_a_failover_nothing_is_protected_and_what_would_help_is_said(aws: FakeAws) -> None:
    recovery = settled(aws)
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.clock.sleep(30)
    probe(recovery.context)
    found = recovery.status()
    assert {each.state for each in found.assets} == {"UNPROTECTED"}
    assert all(each.since == found.active.since and "no copy in another region" in each.why for each in found.assets)
    aws.dark.clear()
    probe(recovery.context)
    assert all("`pilotlight failback` goes home" in each.why for each in recovery.status().assets)


def test_after_the_way_home_what_was_proven_before_counts_no_more(aws: FakeAws) -> None:
    recovery = settled(aws)
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.dark.clear()
    recovery.failback()
    point = dataclasses.replace(recovery.points(1)[0], created_at="2023-11-14T22:13:20.000Z")
    assert point.created_at < recovery.active().since
    assert UNKNOWN in states(recovery).values() and "PROTECTED" not in set(states(recovery).values()) - {UNKNOWN}


def test_while_a_run_moves_the_workload_nothing_is_known(aws: FakeAws) -> None:
    recovery = settled(aws)
    held = recovery.context.ledger.leases.take("a run")
    recovery.context.ledger.claim(held, PRIMARY)
    recovery.context.ledger.set_active(STANDBY, FAILING_OVER, "run", held.epoch, held.epoch)
    assert set(states(recovery).values()) == {UNKNOWN}


def test_volumes_older_than_their_objective_are_not_protected(aws: FakeAws) -> None:
    recovery = settled(aws)
    volumes = dataclasses.replace(recovery.context.inventory.volumes[0], rpo_seconds=1.0)
    strict = of(aws, volumes=(volumes,))
    found = {each.name: each for each in strict.status().assets}["index"]
    assert found.state == "UNPROTECTED" and "1 s are asked" in found.why


def test_alarms_that_ring_are_missing_or_cannot_be_read_are_told(aws: FakeAws) -> None:
    recovery = settled(aws)
    aws.alarms |= {
        "unreplicated": "ALARM",
        "points-stale": "INSUFFICIENT_DATA",
        "protect-silent": "",
        "standby-active": "ALARM",
    }
    told = " ".join(recovery.status().problems)
    assert "alarm unreplicated rings" in told and "points-stale is INSUFFICIENT_DATA" in told
    assert "protect-silent is MISSING" in told and "standby-active" not in told
    aws.denied.add("cloudwatch:describe_alarms")
    assert any("alarms cannot be read" in each for each in recovery.status().problems)


def test_a_request_is_first_and_who_would_not_be_asked_is_told(aws: FakeAws) -> None:
    notify = Notify(("oncall@example.com", "lead@example.com"))
    recovery = settled(aws, trigger="approval", notify=notify)
    aws.subscribed = {("email", "oncall@example.com"): "PendingConfirmation"}
    assert recovery.status().problems == (
        "not everybody would be asked: oncall@example.com (not confirmed), lead@example.com; nobody would be",
    )
    recovery.request("the alarm rang")
    first, second, *_ = recovery.status().problems
    assert first.startswith("a failover waits for a person since") and first.endswith("the alarm rang")
    assert second == "nobody was told of this request"
    aws.subscribed = {("email", each): f"arn:aws:sns:{each}" for each in notify.email}
    assert not [each for each in recovery.status().problems if "would be asked" in each]


def test_a_declaration_that_names_nobody_is_told_so(aws: FakeAws) -> None:
    found = settled(aws, trigger="approval").status()
    assert found.is_good and found.remarks == (
        "the declaration has no `notify`: a failover waits for a word, and nobody is asked for it",
    )


def test_status_reads_the_standby_region_alone(aws: FakeAws) -> None:
    recovery = settled(aws)
    aws.made.clear()
    recovery.status()
    assert {region for _, _, region in aws.made} == {STANDBY}
    assert not aws.acts()
