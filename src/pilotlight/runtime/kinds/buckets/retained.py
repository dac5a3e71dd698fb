"""How long a bucket's lifecycle lets old versions live: whether something of a key may have been taken.

S3 User Guide, "Elements to describe lifecycle actions": NoncurrentVersionExpiration takes a version so many days after
it was overwritten or deleted, and leaves the newest NewerNoncurrentVersions. Only rules that stand now can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.buckets.listing import Bucket
from pilotlight.runtime.kinds.buckets.versions import History

SECONDS_A_DAY = 86400


@dataclass(frozen=True)
class Expiry:
    """One rule that takes noncurrent versions below a prefix."""

    rule: str
    prefix: str
    days: int
    newer: int = 0

    def may_have_taken(self, key: History, now: float) -> bool:
        """Whether what lay below the oldest entry of a key can be gone by this rule (pure)."""
        old = key.oldest.seconds + self.days * SECONDS_A_DAY <= now
        return old and key.older >= self.newer and key.key.startswith(self.prefix)


def expiries(client: AwsClient, bucket: Bucket) -> tuple[Expiry, ...]:
    """The enabled rules of a bucket that take noncurrent versions; those by tag or size count for all keys."""
    try:
        answer = client.call("s3", "get_bucket_lifecycle_configuration", bucket.region, Bucket=bucket.name)
    except CallRefused as refusal:
        if says_absent(refusal):
            return ()
        raise
    return tuple(each for rule in answer.get("Rules", []) for each in _expiry(rule))


def _expiry(rule: dict[str, Any]) -> list[Expiry]:
    taken = rule.get("NoncurrentVersionExpiration") or {}
    if rule.get("Status") != "Enabled" or not taken.get("NoncurrentDays"):
        return []
    wanted = rule.get("Filter") or {}
    prefix = wanted.get("Prefix") or (wanted.get("And") or {}).get("Prefix") or rule.get("Prefix") or ""
    newer = int(taken.get("NewerNoncurrentVersions") or 0)
    return [Expiry(str(rule.get("ID", "")), str(prefix), int(taken["NoncurrentDays"]), newer)]


def lost(key: History, rules: tuple[Expiry, ...], now: float) -> str:
    """Why nothing can be said of a key at a moment that is before everything that is left of it; empty where it was
    not there (pure)."""
    since = stamp(key.oldest.seconds)
    if key.oldest.deleted:
        return f"what was deleted at {since} is gone: a lifecycle rule, or somebody, took its versions"
    for each in rules:
        if each.may_have_taken(key, now):
            return (
                f"what it was before {since} is not known: lifecycle rule {each.rule or '(no name)'} takes versions "
                f"{each.days} days after they are overwritten"
            )
    return ""
