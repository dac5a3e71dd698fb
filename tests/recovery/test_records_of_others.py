"""What a user loses when one of these fails: every further recovery point, for one tag or record that somebody changed,
or that another edition wrote."""

from __future__ import annotations

import json

import pytest

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.errors import StepFailed
from pilotlight.runtime.kinds.volumes.snapshots import listed, runs
from pilotlight.runtime.points import choose
from pilotlight.runtime.records.point import COMPLETE, Part
from pilotlight.runtime.records.runs import Entry
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store import rosters
from pilotlight.runtime.store.rosters import Place, Roster
from support.fake_aws import PRIMARY, STANDBY, FakeAws, inventory


@pytest.mark.parametrize("region", [PRIMARY, STANDBY])
@pytest.mark.parametrize(
    ("tag", "value"), [("pilotlight:true-at", "yesterday"), ("pilotlight:true-at", ""), ("pilotlight:set-size", "two")]
)
def test_a_tag_that_somebody_changed_costs_one_snapshot_and_no_scheduled_run(
    aws: FakeAws, recovery: Recovery, region: str, tag: str, value: str
) -> None:
    for snapshot in aws.snapshots[region].values():
        assert any(each["Key"] == tag for each in snapshot["Tags"])
        snapshot["Tags"] = [each | ({"Value": value} if each["Key"] == tag else {}) for each in snapshot["Tags"]]
    asset = inventory().volumes[0]
    found = listed(recovery.context.client, region, inventory().workload, asset.name)
    assert found and not runs(found), "a snapshot that tells no moment is of no run"
    for _ in range(6):
        aws.clock.sleep(60)
        recovery.protect()
    assert recovery.points(1)[0].status == COMPLETE, "new snapshots are made, and count"


def test_a_roster_of_a_newer_edition_is_read_as_far_as_it_is_known() -> None:
    place = Place("vol-1", "/dev/sdf", "i-1", 0)
    kept = json.loads(rosters.to_text(Roster("run", stamp(0.0), (place,))))
    kept["places"][0].append("what this edition does not know")
    assert rosters.from_text(json.dumps(kept)).places == (place,)


def test_a_point_of_an_edition_that_told_less_of_its_checkpoints_still_says_what_it_lacks() -> None:
    older = Part("runs", "checkpoints", "replication", False, "", {}, {"passed_over": [{"path": "step-1"}]}, ("torn",))
    assert list(choose.unhealthy([older])) == []
    newer = {"path": "step-2", "why": "its loss is NaN", "unhealthy": True}
    told = Part("runs", "checkpoints", "replication", False, "", {}, {"passed_over": [{"path": "step-1"}, newer]})
    assert list(choose.unhealthy([told])) == ["runs has no healthy checkpoint: step-2 its loss is NaN."]


def test_whether_a_bucket_is_protected_is_read_of_a_record_that_says_less(recovery: Recovery) -> None:
    recovery.context.ledger._table.put("protection", "corpus", {"state": "PROTECTED", "since": stamp(0.0)})
    found = recovery.context.ledger.protection("corpus")
    assert found is not None and (found.state, found.compared_at, found.objects) == ("PROTECTED", "", 0)


class Forgetful:
    """Whoever watches, and makes the journal of this run one of before checkpoints were declared."""

    def wrote(self, run: str, entry: Entry) -> None:
        entry.evidence.pop("checkpoints", None)

    def beside(self, holder: str, seconds: float) -> None:
        raise AssertionError("nobody else runs")


def test_a_run_whose_point_knew_nothing_of_an_asset_fails_by_its_name(aws: FakeAws, recovery: Recovery) -> None:
    """A run of before the asset was declared, taken up after: a sentence, no traceback."""
    aws.dark.add(PRIMARY)
    with pytest.raises(StepFailed, match="names no checkpoint of it"):
        recovery.failover(observer=Forgetful())
