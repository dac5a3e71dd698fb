"""Whether a bucket is protected: a word that has to be earned by a proof, and is lost again by itself.

UNPROTECTED until a comparison of both sides found nothing overdue; UNPROTECTED again as soon as one finds an object
that replication did not bring within the objective. Every firing of `protect` and every backfill compares. The state is
kept in the journal table, so that `status` tells it while the primary region is dark.
"""

from __future__ import annotations

from collections.abc import Iterable

from pilotlight.errors import CallRefused, RegionUnreachable
from pilotlight.records.inventory import Datasets
from pilotlight.records.point import Part
from pilotlight.recovery.ledger import Protection
from pilotlight.recovery.site import Site

PROTECTED = "PROTECTED"
UNPROTECTED = "UNPROTECTED"
NOT_PROVEN = "never compared with its copy"


def of(site: Site, asset: Datasets) -> Protection:
    """The state of one bucket."""
    return site.ledger.protection(asset.name) or Protection(UNPROTECTED, "", NOT_PROVEN)


def judge_parts(site: Site, parts: Iterable[Part]) -> None:
    """After a firing: every bucket that it compared."""
    by_name = {part.asset: part for part in parts}
    for asset in site.inventory.datasets:
        evidence = by_name[asset.name].evidence
        if "overdue" in evidence and "primary" not in evidence:
            keys = [str(key) for key in evidence.get("overdue_keys", [])]
            judge(site, asset, int(evidence["overdue"]), keys, int(evidence.get("settled", 0)))


def judge(site: Site, asset: Datasets, missing: int, keys: list[str], objects: int) -> Protection:
    """Keep what a comparison found; `since` is when the state last changed."""
    if not missing:
        return site.ledger.set_protection(asset.name, PROTECTED, "", objects)
    first = f", first {keys[0]} ({_status(site, asset, keys[0])})" if keys else ""
    why = f"{missing} object(s) did not arrive in time{first}"
    return site.ledger.set_protection(asset.name, UNPROTECTED, why, objects)


def _status(site: Site, asset: Datasets, key: str) -> str:
    """S3's own word on one object: S3 User Guide, "Getting replication status information"."""
    try:
        head = site.door.call("s3", "head_object", site.inventory.primary, Bucket=asset.primary_bucket, Key=key)
    except (CallRefused, RegionUnreachable) as problem:
        return f"its replication status cannot be read: {problem.facts.get('reason', 'no answer')}"
    status = str(head.get("ReplicationStatus", ""))
    if not status:
        return "no rule has taken it up: it was there before, or the rule leaves it out; run `pilotlight backfill`"
    return f"replication {status}"
