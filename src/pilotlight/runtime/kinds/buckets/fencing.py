"""A region that returns is fenced before anything else is done there: no instance starts, no object is written.

The bucket policy gets one statement, `PilotlightFence`, beside what the user has in it: it denies writing to everyone
but the replication roles and whoever carries out the run. S3 User Guide, "Bucket policies": an explicit deny wins
over any permission. The statement is taken out again, and the rest of the policy was never touched.
"""

from __future__ import annotations

import json
from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Wait

FENCE = "PilotlightFence"
DENIED = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]


class FenceBucket:
    """The primary bucket denies writing."""

    wait = Wait(60, 1, "bucket policies are read by S3 within seconds")

    def ask(self, work: StepContext) -> Answer:
        """Whether the statement is there and lets this caller through."""
        found = _fence_in(_policy(work))
        if found is None:
            return Absent("writing is not denied")
        if not set(_allowed(work)) <= set(_exempt(found)):
            return Absent("the fence would stop this run too")
        if work.ledger.fenced_at(work.step.asset) is None:
            return Absent("since when writing is denied is not kept")
        return Proven({"bucket": work.datasets().primary_bucket, "statement": FENCE})

    def act(self, work: StepContext) -> None:
        """Put the statement beside what is there; who is let through already stays so."""
        policy = _policy(work)
        before = _fence_in(policy)
        exempt = sorted({*_allowed(work), *(_exempt(before) if before else [])})
        _write(work, with_fence(policy, work.datasets().primary_bucket, work.datasets().prefix, exempt))
        work.ledger.keep_fence(work.step.asset, anew=before is None)


class OpenBucket:
    """The primary bucket takes writes again: the statement is gone, everything else is as it was."""

    wait = Wait(60, 1, "bucket policies are read by S3 within seconds")

    def ask(self, work: StepContext) -> Answer:
        """Whether it is gone."""
        if _fence_in(_policy(work)) is None:
            return Proven({"bucket": work.datasets().primary_bucket, "statement": "removed"})
        return Absent("writing is denied")

    def act(self, work: StepContext) -> None:
        """Take it out; a policy of nothing else is deleted."""
        work.ledger.forget_fence(work.step.asset)
        policy = without_fence(_policy(work))
        if policy["Statement"]:
            _write(work, policy)
        else:
            bucket = work.datasets().primary_bucket
            work.client.call("s3", "delete_bucket_policy", work.inventory.primary, Bucket=bucket)


def with_fence(policy: dict[str, Any], bucket: str, prefix: str, exempt: list[str]) -> dict[str, Any]:
    """The policy with the fence in it, once (pure)."""
    fence = {
        "Sid": FENCE,
        "Effect": "Deny",
        "Principal": "*",
        "Action": DENIED,
        "Resource": f"arn:{PARTITION}:s3:::{bucket}/{prefix}*",
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": exempt}},
    }
    rest = without_fence(policy)
    return rest | {"Statement": [*rest["Statement"], fence]}


def without_fence(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy as the user has it (pure)."""
    statements = _statements(policy)
    return policy | {"Statement": [each for each in statements if each.get("Sid") != FENCE]}


def principal(arn: str) -> str:
    """The IAM ARN that policies compare: of a role for its sessions, else the caller's own (pure).

    arn:aws:sts::1:assumed-role/R/session -> arn:aws:iam::1:role/*R, because a session's ARN does not tell the path.
    """
    if ":assumed-role/" not in arn:
        return arn
    head, _, rest = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/*{rest.split('/')[0]}"


def _allowed(work: StepContext) -> list[str]:
    """Who writes through the fence: replication, both ways where it goes so, and the caller of this run."""
    inventory, asset = work.inventory, work.datasets()
    ways = ("replication",) if inventory.vault else ("replication", "reverse")
    roles = [inventory.names.role(f"{way}-{asset.name}") for way in ways]
    caller = str(work.client.call("sts", "get_caller_identity", inventory.standby)["Arn"])
    return [*(f"arn:{PARTITION}:iam::{inventory.account}:role/{role}" for role in roles), principal(caller)]


def _policy(work: StepContext) -> dict[str, Any]:
    return policy_of(work, work.datasets().primary_bucket)


def policy_of(work: StepContext, bucket: str) -> dict[str, Any]:
    """A primary bucket's policy; one without statements where there is none."""
    try:
        text = work.client.call("s3", "get_bucket_policy", work.inventory.primary, Bucket=bucket)["Policy"]
    except CallRefused as refusal:
        if says_absent(refusal):
            return {"Version": "2012-10-17", "Statement": []}
        raise
    found: dict[str, Any] = json.loads(text)
    return found


def _write(work: StepContext, policy: dict[str, Any]) -> None:
    bucket = work.datasets().primary_bucket
    work.client.call("s3", "put_bucket_policy", work.inventory.primary, Bucket=bucket, Policy=json.dumps(policy))


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found = policy.get("Statement", [])
    return list(found) if isinstance(found, list) else [found]


def _fence_in(policy: dict[str, Any]) -> dict[str, Any] | None:
    return next((each for each in _statements(policy) if each.get("Sid") == FENCE), None)


def _exempt(fence: dict[str, Any]) -> list[str]:
    found = fence["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    return list(found) if isinstance(found, list) else [found]
