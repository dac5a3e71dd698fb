"""Recovery: all that commands, handlers and the rehearsal ask of the runtime, each one line to the file it is in.

`open_recovery` puts the wrappers around boto3; whoever has an inventory and a client of their own builds a Recovery.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.fetch import Fetch, fetch
from pilotlight.runtime.aws.pacing import Bound, Paced
from pilotlight.runtime.aws.wrappers import Retrying
from pilotlight.runtime.clock import Clock, SystemClock, parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import (
    BadOption,
    NoSuchPoint,
    NothingToApprove,
    RecordUnreadable,
    RestorePlanUnusable,
)
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.buckets import backfill as filling
from pilotlight.runtime.kinds.buckets import batch, protection
from pilotlight.runtime.kinds.checkpoints.kind import CheckpointFolder
from pilotlight.runtime.kinds.checkpoints.listing import choose, list_checkpoints
from pilotlight.runtime.kinds.kind import Progress, named, silent
from pilotlight.runtime.kinds.registry import kind_of
from pilotlight.runtime.kinds.restore import PlanFile, Restored, Tell, Wanted
from pilotlight.runtime.points import protect
from pilotlight.runtime.points import verify as verifying
from pilotlight.runtime.points.protect import ScheduledRun
from pilotlight.runtime.points.verify import Verification
from pilotlight.runtime.readiness.status import Status
from pilotlight.runtime.readiness.status import status as standing_whole
from pilotlight.runtime.records.inventory import Asset, Datasets, Inventory
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.records.runs import Journal, Runbook
from pilotlight.runtime.runs import fence_returned, forecast, runbooks
from pilotlight.runtime.runs import run as runs
from pilotlight.runtime.runs.watching import UNWATCHED, Observer
from pilotlight.runtime.store.lease import PATIENCE_SECONDS, RUN
from pilotlight.runtime.store.ledger import Active, PointLine, Protection, Request
from pilotlight.runtime.store.record_bucket import NOTHING_THERE, RecordBucket

NEWEST = "newest"
POINTS_SHOWN = 50
"""Records read for a listing; the index has all."""


@dataclass(frozen=True)
class Recovery:
    """One workload. `holder` names this process in leases: unique among all that may run."""

    context: RecoveryContext
    holder: str

    # -- keeping -----------------------------------------------------------------------------------------------

    def initialise(self) -> Active:
        """Write the inventory's record and the first active record; an active record that exists stays."""
        self.context.records.write_inventory(self.context.inventory)
        return self.context.ledger.initialise(self.context.inventory.primary)

    def protect(self, deadline: float | None = None) -> RecoveryPoint | None:
        """The point of one scheduled run."""
        return self.scheduled_run(deadline).point

    def scheduled_run(self, deadline: float | None = None) -> ScheduledRun:
        """A recovery point while the primary serves; else the returned primary is fenced. Runs that died before they
        changed anything are closed."""
        runs.close_dead(self.context, self.holder)
        fence_returned.fence_returned(self.context, self.holder)
        return protect.protect(self.context, self.holder, fence_returned.fences_left, deadline)

    def go_on(self, until: float, deadline: float) -> ScheduledRun:
        """With what a scheduled run left under way, until the next one is due."""
        return protect.go_on(self.context, self.holder, until, deadline)

    def backfill(
        self, asset: Datasets, progress: filling.Progress = filling.silent, reads: bool = False
    ) -> filling.Backfilled:
        """Copy what replication does not, and prove both sides equal, with `reads` byte by byte where S3 keeps no
        checksum; NotCopied, NotProtected when they are not."""
        return filling.backfill(self.context, asset, progress, reads)

    def hand_over(self, asset: Datasets, tell: batch.Tell = batch.silent) -> filling.Backfilled:
        """The same by S3 Batch Replication; BatchJobFailed, NotProtected when it did not do it."""
        return batch.backfill(self.context, asset, tell)

    def prove(self, asset: Datasets) -> filling.Proof:
        """Compare both sides, copy nothing."""
        return filling.prove(self.context, asset)

    def protections(self) -> dict[str, Protection]:
        """Whether each bucket is protected, by asset, as it was last compared."""
        return {asset.name: protection.of(self.context, asset) for asset in self.context.inventory.datasets}

    # -- bringing back -----------------------------------------------------------------------------------------

    def failover(
        self,
        deadline: float | None = None,
        patience: float = PATIENCE_SECONDS,
        seen_at: float | None = None,
        observer: Observer = UNWATCHED,
    ) -> Journal | None:
        """Run, or go on with, the failover; None when the standby serves already, or who serves has changed since what
        calls for it was seen."""
        journal = runs.run_failover(
            self.context, self.holder, deadline, patience=patience, seen_at=seen_at, observer=observer
        )
        if journal:
            self.context.ledger.settle_request(journal.run)
        return journal

    def is_over(self, seen_at: float | None) -> bool:
        """Whether nothing calls for a failover any more that did at this moment; now, where none is given."""
        context = self.context
        seen = context.clock.now() if seen_at is None else seen_at
        return runs.is_over(context, context.inventory.standby, runbooks.FAILOVER, seen)

    def under_way(self, kind: str, active: Active | None = None) -> Journal | None:
        """The run of this kind that changed who serves, where it has not succeeded; without its entries. By the active
        record that was just read, else as it is now."""
        return runs.under_way(self.context, kind, active)

    def is_going_home(self) -> bool:
        """Whether a failback is changing who serves: nothing begins a failover by itself then."""
        return runs.is_going_home(self.context)

    def failback(
        self,
        deadline: float | None = None,
        patience: float = PATIENCE_SECONDS,
        observer: Observer = UNWATCHED,
    ) -> Journal | None:
        """Run, or go on with, the failback; None when the primary serves already, or since this waited."""
        return runs.run_failback(self.context, self.holder, deadline, patience=patience, observer=observer)

    def runbook(self, kind: str) -> Runbook:
        """What would be done, for a dry run."""
        return {"failover": runbooks.failover, "failback": runbooks.failback}[kind](self.context.inventory)

    def lower_bound(self, kind: str) -> Bound | None:
        """The least time that AWS's token buckets let it take."""
        return forecast.lower_bound(self.runbook(kind), self.context.inventory)

    def request(self, reason: str) -> Request:
        """Leave a failover to a person's word."""
        return self.context.ledger.ask_for_approval(reason)

    def waiting(self) -> Request:
        """The request that waits for a person's word; NothingToApprove where none does."""
        found = self.context.ledger.open_request()
        if found is None:
            raise NothingToApprove(workload=self.context.inventory.workload)
        return found

    def approve(self, by: str) -> Request:
        """A person's word for the request that waits; NothingToApprove where none does."""
        self.waiting()
        return self.context.ledger.approve(by)

    def wanted(self, to: str, region: str = "", **more: Any) -> Wanted:
        """What a person asks to be restored: a moment with its zone or a point's id, in this region or the one that
        serves. BadOption, NoSuchPoint where it names none."""
        inventory = self.context.inventory
        if region not in ("", inventory.primary, inventory.standby):
            expected = f"{inventory.primary} or {inventory.standby}"
            raise BadOption(option="--region", value=region, reason="is neither of the workload's", expected=expected)
        moment, point = restoring.moment_of(to), None
        if moment is None:
            point = self.point(to)
            moment = parse_stamp(point.created_at)
        elif moment > self.context.clock.now():
            raise BadOption(option="--to", value=to, reason="is still to come", expected=restoring.EXPECTED_TO)
        return Wanted(region or self.active().region, moment, point, **more)

    def plan_restore(self, asset: Asset, wanted: Wanted, into: IO[str]) -> dict[str, Any]:
        """Write the plan of a restore as it is made; its totals. Nothing is changed by this."""
        kind, context = kind_of(asset), self.context
        planned = kind.plan_restore(context, asset, wanted)
        planned.where |= {"serves": self.active().region == wanted.region}
        return restoring.write(into, asset.name, asset.kind, wanted, planned, context.clock.now())

    def restore(self, plan: PlanFile, tell: Tell = restoring.silent) -> Restored:
        """Do what a plan says, or go on with it; RestorePlanUnusable where it is another workload's, or of a region
        that served when it was made and does not now; LeaseHeld where a run goes on that it would get in the way of."""
        asset = next((each for each in self.context.inventory.assets if each.name == plan.asset), None)
        if asset is None or asset.kind != plan.kind:
            reason = f"{self.context.inventory.workload} has no {plan.kind} {plan.asset}"
            raise RestorePlanUnusable(path=str(plan.path), reason=reason)
        serves = self.active().region == plan.where["region"]
        if serves != plan.where.get("serves"):
            reason = f"{plan.where['region']} {'serves now' if serves else 'does not serve any more'}"
            raise RestorePlanUnusable(path=str(plan.path), reason=reason)
        kind, leases = kind_of(asset), self.context.ledger.leases
        alone = kind.restores_alone and bool(plan.where.get("in_place"))
        with leases.during(self.holder, RUN) if alone else contextlib.nullcontext():
            return kind.restore(self.context, asset, plan, tell)

    # -- looking -----------------------------------------------------------------------------------------------

    def active(self) -> Active:
        """Which region serves, since which epoch."""
        return self.context.ledger.active(self.context.inventory.primary)

    def status(self) -> Status:
        """Where the workload stands, with the age of all that is known."""
        return standing_whole(self.context)

    def points(self, limit: int = POINTS_SHOWN) -> list[RecoveryPoint]:
        """The newest recovery points, the newest first; one that is pruned between listing and reading is left out."""
        found = [self._point(line) for line in self.context.ledger.points()[:limit]]
        return [point for point in found if point is not None]

    def points_count(self) -> int:
        """How many there are in all."""
        return len(self.context.ledger.points())

    def point(self, named: str) -> RecoveryPoint:
        """One point by its id, the beginning of it, or `newest`; NoSuchPoint where that is none, or more than one."""
        lines = self.context.ledger.points()
        chosen = lines[:1] if named == NEWEST else [each for each in lines if named and each.id.startswith(named)]
        found = self._point(chosen[0]) if len(chosen) == 1 else None
        if found is None:
            known = f"{len(chosen)} begin with it" if chosen else f"the newest is {lines[0].id if lines else 'none'}"
            raise NoSuchPoint(workload=self.context.inventory.workload, point=named, known=known)
        return found

    def verify(self, named: str, deep: bool, progress: Progress = silent) -> Verification:
        """Read every part of a point again where it is needed, in the standby region."""
        moment = stamp(self.context.clock.now())
        return verifying.verify_point(self.context, self.point(named), deep, moment, progress)

    def refuse(self, named: str, why: str, by: str, alone: bool = False) -> tuple[str, ...]:
        """Refuse a point and the checkpoints that it names; the ids of all points that fall with it.

        A checkpoint that one person found unhealthy is so in every point, so those that name it are refused too;
        of an asset that is no longer declared there are points alone to refuse. `alone`: the point has lost copies, and
        its checkpoints are as good as they were.
        """
        ledger, point = self.context.ledger, self.point(named)
        rejected = set() if alone else set(protect.line(point).checkpoints)
        below = {each.name: each.prefix for each in self.context.inventory.datasets}
        for asset, _, prefix in (each.partition("#") for each in sorted(rejected)):
            if asset in below:
                ledger.reject_checkpoint(asset, prefix.removeprefix(below[asset]), why, by)
        fallen = [line.id for line in ledger.points() if line.id == point.id or rejected & set(line.checkpoints)]
        for each in fallen:
            ledger.refuse_point(each, f"refused by {by} with {point.id}: {why}")
        return tuple(fallen)

    def _point(self, line: PointLine) -> RecoveryPoint | None:
        """The record, with what was said of it since."""
        try:
            point = self.context.records.point(line.id)
            return replace(point, status=line.status, problems=(line.why, *point.problems)) if line.why else point
        except RecordUnreadable as problem:
            if problem.facts["reason"] == NOTHING_THERE:
                return None
            raise

    def runs(self, kind: str = "", limit: int | None = None) -> list[Journal]:
        """The runs of a kind, or of all, the newest first; at most `limit` where that is given."""
        return self.context.ledger.runs(kind, limit)

    def newest_complete_step(self) -> int:
        """The newest step that is complete in the standby bucket at this moment, read anew; -1 where there is none."""
        steps = [-1]
        for asset in named(self.context.inventory.assets, CheckpointFolder.name):
            found = choose(
                list_checkpoints(self.context.client, self.context.inventory.standby, asset.standby_bucket, asset),
                asset,
                {},
            )
            steps += [found.newest_complete_step] if found.newest_complete_step is not None else []
        return max(steps)


def wrapped(client: AwsClient, clock: Clock, rng: random.Random) -> AwsClient:
    """The AWS client as every run has it: paced, then retried."""
    return Retrying(Paced(client, clock), clock, rng)


def open_recovery(inventory: Inventory, holder: str, clock: Clock | None = None, look: Fetch = fetch) -> Recovery:
    """The recovery of this workload, with AWS behind it."""
    clock = clock or SystemClock()
    return Recovery(RecoveryContext(wrapped(BotoClient(), clock, random.Random()), inventory, clock, look), holder)


def open_from_environment(environment: Mapping[str, str], holder: str, eyes: AwsClient | None = None) -> Recovery:
    """The recovery of a Lambda function, which knows where the vault and the inventory are. `eyes`: see
    RecoveryContext."""
    clock = SystemClock()
    client = wrapped(BotoClient(), clock, random.Random())
    records = RecordBucket(client, environment["PILOTLIGHT_STANDBY_REGION"], environment["PILOTLIGHT_VAULT_BUCKET"])
    return Recovery(RecoveryContext(client, records.inventory(), clock, fetch, eyes), holder)
