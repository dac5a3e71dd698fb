"""A rehearsal that flatters is worse than none: each check can fail, and says what it saw."""

from dataclasses import dataclass

from pilotlight.demo import checks
from pilotlight.report.record import Answer, Answers, AssetFigures, CallFigures, CheckpointFigures, ObjectiveFigures

SAVED = {20: "aa", 40: "bb"}
HOME, AWAY = Answer("us-east-1", 20, "aa"), Answer("us-west-2", 40, "bb")


def broken(found):
    return [check.name for check in found if not check.held]


def asset(rpo_seconds=1.0, kept_items=5):
    return AssetFigures("corpus", "dataset", "replication", rpo_seconds, 1, kept_items, 60.0)


def test_an_rto_or_rpo_beyond_its_objective_fails():
    wanted = ObjectiveFigures(60.0, 120.0)
    assert broken(checks.objectives((asset(),), 10.0, wanted)) == []
    assert len(broken(checks.objectives((asset(rpo_seconds=61.0),), 121.0, wanted))) == 2


def test_an_asset_of_which_nothing_survived_fails_whatever_its_rpo():
    assert broken(checks.objectives((asset(kept_items=0),), 1.0, ObjectiveFigures(60.0, 120.0)))


def test_serving_the_torn_checkpoint_fails():
    assert broken(checks.checkpoint(CheckpointFigures(60, 40, 40), torn=(2, 5))) == []
    assert broken(checks.checkpoint(CheckpointFigures(60, 40, 60), torn=(2, 5)))
    assert broken(checks.checkpoint(CheckpointFigures(60, 40, 20), torn=(2, 5)))


def test_a_checkpoint_that_was_not_torn_proves_nothing_and_fails():
    assert broken(checks.checkpoint(CheckpointFigures(60, 40, 40), torn=(0, 5)))
    assert broken(checks.checkpoint(CheckpointFigures(60, 40, 40), torn=(5, 5)))


def test_one_call_to_the_lost_region_or_a_global_control_plane_fails():
    assert broken(checks.independence(CallFigures(0, 0, 9), "us-east-1")) == []
    assert broken(checks.independence(CallFigures(1, 0, 9), "us-east-1"))
    assert broken(checks.independence(CallFigures(0, 1, 9), "us-east-1"))


def test_no_recorded_call_at_all_fails_because_nothing_was_looked_at():
    assert broken(checks.independence(CallFigures(0, 0, 0), "us-east-1"))


def test_weights_that_nobody_saved_are_a_wrong_answer():
    assert broken(checks.answers(Answers(HOME, AWAY, HOME), "us-east-1", "us-west-2", SAVED)) == []
    wrong = Answer("us-west-2", 40, "zz")
    assert len(broken(checks.answers(Answers(HOME, wrong, HOME), "us-east-1", "us-west-2", SAVED))) == 1


def test_an_answer_from_the_wrong_region_fails():
    assert len(broken(checks.answers(Answers(HOME, HOME, AWAY), "us-east-1", "us-west-2", SAVED))) == 2


def test_a_deployment_that_changes_something_fails():
    assert checks.unchanged("after the failover", 0).held
    assert not checks.unchanged("after the failover", 1).held


def test_a_stale_writer_that_is_let_through_fails():
    assert checks.refused("the stale writer", "epoch 1 < 2").held
    assert not checks.refused("the stale writer", "").held


@dataclass
class Recorded:
    service: str
    operation: str
    region: str


def test_calls_are_counted_by_what_they_depend_on():
    from pilotlight.demo.calls import split

    calls = [
        Recorded("rds", "FailoverGlobalCluster", "us-west-2"),
        Recorded("s3", "GetObject", "us-west-2"),
        Recorded("s3", "PutObject", "us-west-2"),
        Recorded("s3", "PutBucketPolicy", "us-west-2"),
        Recorded("iam", "PassRole", "us-east-1"),
        Recorded("ec2", "DescribeInstances", "us-east-1"),
    ]
    assert split(calls, "us-east-1") == CallFigures(primary=1, global_control_plane=2, standby=3)
