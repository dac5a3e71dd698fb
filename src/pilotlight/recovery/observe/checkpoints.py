"""The newest checkpoint that is complete in the standby bucket, found by reading it there, marker or no marker.

`not_after` is how new a checkpoint may be to fit to the datasets it was trained on: one that is newer than their
watermark may refer to objects which have not arrived, and the next older one is taken. A folder that was found
complete, and has not changed since, is not read again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pilotlight.checkpoints import verify
from pilotlight.checkpoints.format import Problem, Verdict
from pilotlight.checkpoints.readers import BucketReader
from pilotlight.clock import parse_stamp, stamp
from pilotlight.cloud.door import Door
from pilotlight.records.inventory import Datasets, Inventory
from pilotlight.records.point import Part
from pilotlight.recovery.ledger import Ledger

REFUSED_MAX = 10
"""How many incomplete checkpoints a paper describes, the newest first."""
PROBLEMS_MAX = 5


def newest(
    door: Door,
    region: str,
    bucket: str,
    asset: Datasets,
    acceptable: Callable[[Verdict], bool] = lambda verdict: True,
    ledger: Ledger | None = None,
) -> verify.Newest:
    """The newest complete checkpoint of an asset in one of its buckets; without a ledger everything is read anew."""
    reader = BucketReader(door, region, bucket, asset.prefix)
    if ledger is None:
        return verify.newest_complete(reader, asset.format, acceptable)
    place = f"{asset.name}@{region}"
    remembered = partial(ledger.remembers, place)
    found = verify.newest_complete(reader, asset.format, acceptable, remembered)
    if found.complete and found.complete.bytes_read:
        ledger.remember(place, found.complete.path, found.fingerprint)
    return found


def observe(door: Door, inventory: Inventory, asset: Datasets, ledger: Ledger, not_after: float | None = None) -> Part:
    """The part of checkpoints; `not_after` in seconds since 1970."""

    def fits(verdict: Verdict) -> bool:
        return not_after is None or not verdict.written_at or parse_stamp(verdict.written_at) <= not_after

    found = newest(door, inventory.standby, asset.standby_bucket, asset, fits, ledger)
    if found.complete is None:
        reason = f"no checkpoint below s3://{asset.standby_bucket}/{asset.prefix} is complete"
        return Part(asset.name, asset.kind, asset.mechanism, False, "", {}, evidence(found), (reason, *_reasons(found)))
    written = found.complete.written_at
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=True,
        true_at=stamp(parse_stamp(written)) if written else "",
        reference=reference(asset.standby_bucket, asset, found.complete),
        evidence=evidence(found),
    )


def reference(bucket: str, asset: Datasets, verdict: Verdict) -> dict[str, object]:
    """What a run needs to use a checkpoint."""
    return {"bucket": bucket, "prefix": asset.prefix + verdict.path, "step": verdict.step, "format": verdict.format}


def evidence(found: verify.Newest) -> dict[str, object]:
    """What was looked at: steps, bytes, and what is wrong with those that were refused."""
    complete = found.complete
    return {
        "newest_started_step": found.newest_started_step,
        "newest_complete_step": complete.step if complete else None,
        "bytes_total": complete.bytes_total if complete else 0,
        "bytes_read": complete.bytes_read if complete else 0,
        "refused": [
            {"path": each.path, "step": each.step, "problems": [_told(problem) for problem in _problems(each)]}
            for each in found.refused[:REFUSED_MAX]
        ],
    }


def _problems(verdict: Verdict) -> tuple[Problem, ...]:
    return verdict.problems[:PROBLEMS_MAX]


def _told(problem: Problem) -> str:
    return f"{problem.file}: {problem.what}"


def _reasons(found: verify.Newest) -> tuple[str, ...]:
    return tuple(
        f"{each.path} {_told(problem)}" for each in found.refused[:REFUSED_MAX] for problem in _problems(each)[:1]
    )
