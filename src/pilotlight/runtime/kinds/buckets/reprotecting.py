"""After the way home the primary is protected again only when that was seen: rule in place, and a canary arrived."""

from __future__ import annotations

import json
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Underway, Wait, Watch
from pilotlight.runtime.naming import RULE_BEFORE, Names
from pilotlight.runtime.records.inventory import Datasets

ARRIVAL_SECONDS = 1800
"""S3 replication time control promises 15 minutes for 99.99 % of objects."""
CANARY = ".pilotlight/canary.json"


class Replicates(Watch):
    """The primary bucket has an enabled rule to the standby bucket."""

    wait = Wait(1, 1, "configuration; nothing brings it but `pilotlight up`")

    def ask(self, work: StepContext) -> Answer:
        """Read the rules."""
        asset, found = work.datasets(), _rules(work, work.datasets().primary_bucket)
        for rule in found:
            if rule["Status"] == "Enabled" and is_ours(work.inventory.names, asset, rule):
                return Proven({"rule": rule.get("ID", ""), "bucket": asset.primary_bucket})
        raise work.failed(_missing(asset, found))


def is_ours(names: Names, asset: Datasets, rule: dict[str, Any]) -> bool:
    """Whether a rule has our id, this edition's or an earlier one's, and leads to our copy (pure)."""
    to_copy = str(rule["Destination"]["Bucket"]).endswith(f":{asset.standby_bucket}")
    return to_copy and rule.get("ID") in (names.rule(asset.name), RULE_BEFORE)


def _missing(asset: Datasets, rules: list[dict[str, Any]]) -> str:
    there = ", ".join(f"{each.get('ID', '')} ({each['Status']}) to {each['Destination']['Bucket']}" for each in rules)
    return (
        f"s3://{asset.primary_bucket} has no enabled rule of ours to s3://{asset.standby_bucket}; it has "
        f"{there or 'none at all'}. What is written there is not copied until `pilotlight up` has put the rule back; "
        "another workload's rule has to be taken away first, which `pilotlight up` says by that workload's name"
    )


class CanaryArrives:
    """An object written to the primary bucket is in the standby bucket."""

    wait = Wait(ARRIVAL_SECONDS, 0.5, "replication time control: 15 minutes")

    def ask(self, work: StepContext) -> Answer:
        """Look for this run's canary on both sides."""
        asset = work.datasets()
        if _canary(work, work.inventory.standby, asset.standby_bucket) == work.run:
            return Proven({"canary": f"s3://{asset.standby_bucket}/{asset.prefix}{CANARY}", "run": work.run})
        if _canary(work, work.inventory.primary, asset.primary_bucket) == work.run:
            return Underway("the canary is written and has not arrived")
        return Absent("there is no canary")

    def act(self, work: StepContext) -> None:
        """Write it."""
        asset = work.datasets()
        work.client.call(
            "s3",
            "put_object",
            work.inventory.primary,
            Bucket=asset.primary_bucket,
            Key=asset.prefix + CANARY,
            Body=json.dumps({"run": work.run}).encode(),
            ContentType="application/json",
        )


class CanaryGone:
    """The canary is out of the user's bucket again."""

    wait = Wait(60, 1, "one delete marker")

    def ask(self, work: StepContext) -> Answer:
        """Look in the primary; the delete marker replicates like any other."""
        if _canary(work, work.inventory.primary, work.datasets().primary_bucket):
            return Absent("the canary is there")
        return Proven({"canary": "removed"})

    def act(self, work: StepContext) -> None:
        """Delete it."""
        asset = work.datasets()
        key = asset.prefix + CANARY
        work.client.call("s3", "delete_object", work.inventory.primary, Bucket=asset.primary_bucket, Key=key)


def _canary(work: StepContext, region: str, bucket: str) -> str:
    """The run that a canary names; empty where there is none."""
    found, key = "", work.datasets().prefix + CANARY
    try:
        body = work.client.call("s3", "get_object", region, Bucket=bucket, Key=key)["Body"]
        found = str(json.loads(body).get("run", ""))
    except CallRefused as refusal:
        if not says_absent(refusal):
            raise
    except ValueError:
        pass  # somebody else's object
    return found


def _rules(work: StepContext, bucket: str) -> list[dict[str, Any]]:
    """The replication rules of a primary bucket; none where it has no replication at all."""
    try:
        answer = work.client.call("s3", "get_bucket_replication", work.inventory.primary, Bucket=bucket)
    except CallRefused as refusal:
        if says_absent(refusal):
            return []
        raise
    found: list[dict[str, Any]] = answer["ReplicationConfiguration"]["Rules"]
    return found
