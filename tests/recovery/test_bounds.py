"""What a user loses when one of these fails: the word that a list was cut, so that the rest counts as looked at."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from test_engine import Switch, engine

from pilotlight.runtime.checkpoints.format import Problem, Verdict
from pilotlight.runtime.errors import RunGivenUp, StepFailed
from pilotlight.runtime.handlers.recover import GO_ON_MAX, Call, drive
from pilotlight.runtime.kinds.autoscaling.steps import Scale
from pilotlight.runtime.kinds.buckets import manifests
from pilotlight.runtime.kinds.buckets import observe as datasets
from pilotlight.runtime.kinds.buckets.kind import UNLISTED
from pilotlight.runtime.kinds.buckets.listing import Current
from pilotlight.runtime.kinds.buckets.observe import NAMED_MAX
from pilotlight.runtime.kinds.checkpoints import observe as checkpoints
from pilotlight.runtime.kinds.checkpoints.listing import Choice
from pilotlight.runtime.kinds.checkpoints.observe import REFUSED_MAX
from pilotlight.runtime.records.point import PARTIAL
from pilotlight.runtime.records.runs import PROVEN, Entry, Step
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import CUT, EVIDENCE_BYTES_MAX
from support.fake_aws import CORPUS, FakeAws, inventory, recovery_of


def test_objects_that_are_not_named_are_counted_in_the_point(aws: FakeAws, recovery: Recovery) -> None:
    for number in range(NAMED_MAX + 7):
        aws.s3.write(CORPUS, f"never/{number:03}", b"x", replicate=False)
    aws.clock.sleep(100)
    point = recovery.protect()
    assert point is not None and point.status == PARTIAL
    assert any(f"and 7 more of s3://{CORPUS} have not arrived" in each for each in point.problems)


def test_a_listing_that_is_cut_is_a_part_that_is_not_proven(
    aws: FakeAws, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = aws.s3.list_object_versions

    def cut(Bucket: str, **parameters: Any) -> Any:  # noqa: N803 - as AWS names it
        return whole(Bucket=Bucket, **parameters) | ({"IsTruncated": True} if Bucket == CORPUS else {})

    monkeypatch.setattr(aws.s3, "list_object_versions", cut)
    point = recovery.protect()
    assert point is not None and point.status == PARTIAL
    assert any("corpus is not proven" in each and "no way to ask for it" in each for each in point.problems)


def test_a_dataset_too_large_to_be_listed_does_not_hold_unseen(
    aws: FakeAws, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "OBJECTS_MAX", 2)
    aws.clock.sleep(60)
    point = recovery.protect()
    assert point is not None and any("3 objects are proven now and not listed" in each for each in point.problems)
    found = recovery.verify("newest", deep=False)
    assert not found.holds
    assert next(each for each in found.parts if each.asset == "corpus").problems == (UNLISTED,)


def test_incomplete_checkpoints_beyond_those_described_are_counted() -> None:
    wrong = tuple(Problem(f"file-{number}", "is torn") for number in range(8))
    torn = tuple(Verdict(f"step-{number}/", "dcp", number, False, wrong, 0, 0, "") for number in range(REFUSED_MAX + 3))
    part = checkpoints.observe(inventory().datasets[1], Choice(None, 1, None, torn), None)
    assert part.evidence["refused_count"] == REFUSED_MAX + 3
    assert part.evidence["refused"][0]["problems"][-1] == "and 3 more"
    assert "and 3 more that are not named here" in part.missing


def test_a_manifest_says_how_many_objects_it_does_not_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "OBJECTS_MAX", 1)
    found = manifests.Manifest("corpus")
    found.add(Current("a", "1", 0.0))
    assert found.key and not found.unlisted
    found.add(Current("b", "1", 0.0))
    assert not found.key and "2 objects" in found.unlisted


def test_a_run_that_is_not_done_after_all_its_invocations_is_given_up_aloud(aws: FakeAws, recovery: Recovery) -> None:
    aws.dark.add(inventory().primary)
    with pytest.raises(RunGivenUp, match=f"not finished after {GO_ON_MAX} invocations of pilotlight-recover"):
        drive(recovery, Call("alarm", goes_on=GO_ON_MAX), aws.clock.now() + 7, "pilotlight-recover")
    assert not aws.invoked


def test_no_step_goes_on_with_evidence_that_was_cut(aws: FakeAws) -> None:
    made = engine(aws, (Step("a", "switch"),), {"switch": Switch()})
    long = {"volumes": {"index": "x" * (EVIDENCE_BYTES_MAX + 1)}}
    ledger = recovery_of(aws).context.ledger
    ledger.append("run", Entry("choose-point", PROVEN, "2026-01-01T00:00:00.000Z", 1, long), 1, made.held)
    journal = ledger.journal("run")
    assert journal is not None and CUT in journal.entries[0].evidence
    made.entries += journal.entries
    with pytest.raises(StepFailed, match="too long for one entry"):
        made._evidence_of("choose-point")
    assert len(json.dumps(long)) > EVIDENCE_BYTES_MAX


def test_refusals_on_a_further_page_of_activities_are_seen(aws: FakeAws, recovery: Recovery) -> None:
    at = datetime.fromtimestamp(aws.clock.now() + 1, tz=UTC)
    done = {"StatusCode": "Successful", "StartTime": at}
    refused = {"StatusCode": "Failed", "StatusMessage": "no g5.xlarge capacity", "StartTime": at}
    asked = []

    def activities(region: str, AutoScalingGroupName: str, MaxRecords: int, NextToken: str = "") -> dict[str, Any]:  # noqa: N803
        asked.append(NextToken)
        return {"Activities": [refused]} if NextToken else {"Activities": [done] * MaxRecords, "NextToken": "2"}

    aws.autoscaling_describe_scaling_activities = activities  # type: ignore[method-assign]
    step = next(each for each in recovery.runbook("failover").steps if each.action == "scale")
    made = engine(aws, (step,), {"scale": Switch()})
    work = dataclasses.replace(made._work(step), begun_at=aws.clock.now())
    assert Scale()._refused(work) == {"g5.xlarge": "no g5.xlarge capacity"} and asked == ["", "2"]


def test_a_point_is_looked_for_as_far_back_as_is_said() -> None:
    part = datasets.observe_alone(inventory().datasets[0], None)
    assert not part.proven and "none of the newest 50 points" in part.missing[0]
