"""Since when a bucket's replication rule is in place: what was written before is missing until something copies it.

S3 replicates what is written after the rule took effect and nothing older (S3 User Guide, "What does Amazon S3
replicate?"), and tells no time of its own: whoever sees a rule first remembers the moment. A rule that is gone, or that
may not be read, is no reason to believe that anything is on its way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.records.inventory import Datasets

GONE = "no enabled rule replicates s3://{bucket} to s3://{copy}; run `pilotlight up`"


@dataclass(frozen=True)
class Rule:
    """`since` in seconds since 1970, infinite where no rule is in place or known to be; then `why` says so."""

    since: float
    why: str = ""


ALWAYS = Rule(-math.inf)
"""A rule that was there before everything, for what is compared without one."""


def seen(context: RecoveryContext, asset: Datasets) -> Rule:
    """Look at the rule, and remember when it was first seen, or that it is gone."""
    sightings = context.ledger.sightings
    try:
        rules = _rules(context, asset)
    except CallRefused as refusal:
        return Rule(math.inf, f"its replication rule cannot be read: {refusal.facts['reason']}")
    if not any(_replicates(rule, asset) for rule in rules):
        sightings.keep_rule(asset.name, "")
        return Rule(math.inf, GONE.format(bucket=asset.primary_bucket, copy=asset.standby_bucket))
    since = sightings.rule_since(asset.name)
    if not since:
        since = _first_seen(context, asset)
        sightings.keep_rule(asset.name, since)
    return Rule(parse_stamp(since))


def _first_seen(context: RecoveryContext, asset: Datasets) -> str:
    """Now; or when both sides were found equal by an edition that did not look at rules yet."""
    before = context.ledger.protection(asset.name)
    proven = before is not None and before.state == "PROTECTED" and before.since
    return str(before.since) if before and proven else stamp(context.clock.now())


def _rules(context: RecoveryContext, asset: Datasets) -> list[dict[str, Any]]:
    try:
        answer = context.client.call(
            "s3", "get_bucket_replication", context.inventory.primary, Bucket=asset.primary_bucket
        )
    except CallRefused as refusal:
        if says_absent(refusal):
            return []
        raise
    found: list[dict[str, Any]] = answer["ReplicationConfiguration"]["Rules"]
    return found


def _replicates(rule: dict[str, Any], asset: Datasets) -> bool:
    return rule["Status"] == "Enabled" and str(rule["Destination"]["Bucket"]).endswith(f":{asset.standby_bucket}")
