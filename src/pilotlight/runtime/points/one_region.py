"""Points of one region: while the standby region serves, what it writes is kept there.

Nothing can be copied to a region that is lost, and it may be lost for months. Until it is home again a scheduled run
keeps what the standby region itself offers: versions of objects, continuous backups of databases, snapshots of volumes.
Such a point protects from what people and programs do to data, not from the loss of the region; it is marked so, no
failover goes by it, and restores do.
"""

from __future__ import annotations

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.kind import AssetKind, remarked
from pilotlight.runtime.kinds.registry import by_kind, in_order
from pilotlight.runtime.kinds.volumes.schedule import run_id
from pilotlight.runtime.points.choose import lacking
from pilotlight.runtime.records.inventory import Asset
from pilotlight.runtime.records.point import ONE_REGION, Part, RecoveryPoint
from pilotlight.runtime.store.lease import Held
from pilotlight.runtime.store.ledger import SERVING, PointLine
from pilotlight.runtime.store.record_bucket import locked


def is_alone(context: RecoveryContext) -> bool:
    """Whether the standby region serves, and nothing is changing that."""
    active = context.ledger.active(context.inventory.primary)
    return active.region == context.inventory.standby and active.state == SERVING


def keep(context: RecoveryContext, held: Held) -> RecoveryPoint:
    """Begin what the next points need, make one of what is kept now, and list it."""
    remarks = list[str]()
    for kind, assets in by_kind(context.inventory):
        with remarked(kind.name, remarks):
            remarks += kind.keep_up_alone(context, assets)
    parts = tuple(_part(context, kind, asset) for kind, asset in in_order(context.inventory))
    moment = stamp(context.clock.now())
    told = (*lacking(parts, f"in {context.inventory.standby} alone"), *remarks)
    made = RecoveryPoint(run_id(moment), context.inventory.workload, moment, ONE_REGION, parts, told)
    context.records.write_point(made, locked(context.inventory.lock, context.clock.now()))
    kept = tuple(name for part in parts if part.reference is not None for name in part.reference.stands_on)
    context.ledger.index_point(PointLine(made.id, made.status, made.created_at, kept), held)
    return made


def _part(context: RecoveryContext, kind: AssetKind[Asset], asset: Asset) -> Part:
    try:
        return kind.observe_alone(context, asset)
    except CallRefused as refusal:
        return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(refusal.message,))
