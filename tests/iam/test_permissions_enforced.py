"""Each person and each role has what it needs and nothing more; whoever breaks this stops a failover or opens a hole.

The whole rehearsal runs with the documents that `pilotlight iam` prints enforced; then what was needed is compared with
what was granted. What a rehearsal cannot show is listed with its reason.
"""

from __future__ import annotations

import re

import pytest
from people_world import Rehearsed, rehearse

from pilotlight.stacks import people
from pilotlight.stacks.supplementary import besides

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

KEYS = "the embedded cloud does not ask for keys where S3, EBS, DynamoDB or Lambda use them for the caller"
REPLICATION = "S3 asks it of a replication role (S3 User Guide, 'Setting up permissions for live replication')"
BATCH = "S3 asks it of a role of Batch Replication (S3 User Guide, 'Configuring an IAM role')"
RETURNED = "only when protect fires between the region's return and the failback; tests/recovery has it"
FAILING = "nothing fails to replicate in the rehearsal (tests/local/test_replication_events.py)"
UNSHOWN = {
    r".*": {"kms:.*": KEYS},
    r"batch-.*": {"s3:.*": BATCH},
    r"(replication|reverse)-.*": {
        "s3:GetReplicationConfiguration": REPLICATION,
        "s3:ListBucket": REPLICATION,
        "s3:GetObjectVersionTagging": REPLICATION,
        "s3:GetObjectVersionAcl": REPLICATION,
        "s3:ReplicateTags": "no object of the rehearsal has tags",
        "s3:ReplicateDelete": "nothing is deleted while that rule is at work",
    },
    r"protect": {
        "autoscaling:(UpdateAutoScalingGroup|SuspendProcesses)": RETURNED,
        "s3:(Get|Put)BucketPolicy": RETURNED,
        "s3:DeleteObject": "nothing is old enough to be pruned",
        "dynamodb:DeleteItem": "nothing is old enough to be pruned",
        "ec2:CreateSnapshot": "no volume of the example is detached (tests/recovery/test_volumes_kept.py)",
        "ec2:DeleteSnapshot": "nothing is old enough to be pruned",
        "lambda:InvokeFunction": "a run whose copies take longer than one invocation calls itself (tests/recovery)",
        "ec2:(Copy|Deregister)Image": "nobody releases an image in the example (tests/workloads does)",
    },
    r"(protect|probe)": {"sqs:DeleteMessage": FAILING},
    r"probe": {"s3:ListBucketVersions": FAILING},
    r"recover": {
        "lambda:InvokeFunction": "a run that takes longer than one invocation calls itself",
        "ec2:CreateLaunchTemplateVersion": "the example has one instance; several have a version each (tests/recovery)",
    },
    r"instance-.*": {"s3:ListBucket": "the workload's own policy, translated as it is"},
}


@pytest.fixture(scope="module", params=[people.WITHIN, people.APART])
def rehearsed(request: pytest.FixtureRequest) -> Rehearsed:
    """Everybody does everything with their own documents; a permission too few ends it here, by name."""
    return rehearse(people.documents, request.param == people.APART)


def test_a_person_needs_everything_that_he_has(rehearsed: Rehearsed) -> None:
    recorded = people.recorded(rehearsed.inventory)
    assert set(recorded) == set(people.everybody(rehearsed.inventory)) == set(rehearsed.people)
    for who, kinds in recorded.items():
        granted = {(kind, action) for kind, actions in kinds.items() for action in actions}
        used = {(kind, action) for kind, actions in rehearsed.people[who].items() for action in actions}
        assert granted - used == set(), who


def test_every_journal_of_it_is_a_path_of_its_runbook(rehearsed: Rehearsed) -> None:
    assert {*rehearsed.runs} - {"fence-returned"} == {"failback", "failover"} and len(rehearsed.runs) >= 4
    assert rehearsed.not_paths == []
    assert rehearsed.without_lease == []


def test_a_role_needs_everything_that_it_has(rehearsed: Rehearsed) -> None:
    unused = {
        f"{role}: {action}"
        for role, granted in rehearsed.granted.items()
        for action in granted - rehearsed.roles[role]
        if not _is_unshown(role, action)
    }
    assert unused == set() and len(rehearsed.granted) >= 9


def _is_unshown(role: str, action: str) -> bool:
    purpose = role.removeprefix("pilotlight-inference-")
    return any(
        re.fullmatch(pattern, purpose) and any(re.fullmatch(each, action) for each in reasons)
        for pattern, reasons in UNSHOWN.items()
    )


def test_nothing_is_listed_that_is_not_so(rehearsed: Rehearsed) -> None:
    """What is called unseen must not have been seen."""
    for who, seen in people.recorded(rehearsed.inventory).items():
        listed = besides(who, rehearsed.inventory.vault is not None)
        assert all(action not in seen.get(each.kind, ()) for each in listed for action in each.actions), who
        assert all(each.reason for each in listed)
