"""Databases: promote the secondary, wait for the old primary to rejoin, switch back with nothing lost.

Aurora User Guide, "Using switchover or failover in Amazon Aurora Global Database": a managed failover with data loss
allowed is called in the region that is to take over; the old primary is rebuilt as a secondary by Aurora itself when
its region is back; a switchover needs both and loses nothing. A call while one of them is under way is refused by
Aurora, so `ask` tells that state apart.
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Underway, Wait, Watch
from pilotlight.runtime.kinds.aurora.observe import AVAILABLE, RESYNCING, cluster, global_cluster, member

MOVING = ("failing-over", "switching-over", "modifying", "promoting")
PROMOTE_SECONDS = 900
"""Aurora User Guide: recovery time "in the order of minutes"; workshops measure under one for the promotion."""
REJOIN_SECONDS = 3600
"""The old primary's storage volume may have to be built anew from the new one."""
SWITCH_SECONDS = 900
EVERY_SECONDS = 1.0


class WriterIn:
    """Whether the writer of the global cluster is this region's member, and open."""

    def ask(self, work: StepContext) -> Answer:
        """Writer and available; or moving; or elsewhere."""
        together = global_cluster(work.client, work.inventory.standby, work.database())
        if not together:
            raise work.failed(f"there is no global cluster {work.database().global_cluster}")
        mine = member(together, self.arn(work))
        if not mine:
            raise work.failed(f"{self.arn(work)} is not a member of {work.database().global_cluster}")
        own = cluster(work.client, work.region, self.identifier(work))
        return _judged(together, mine, own)

    def arn(self, work: StepContext) -> str:
        """The member of the step's region."""
        database = work.database()
        return database.standby_arn if work.region == work.inventory.standby else database.primary_arn

    def identifier(self, work: StepContext) -> str:
        """The cluster of the step's region."""
        database = work.database()
        return database.standby_cluster if work.region == work.inventory.standby else database.primary_cluster


def _judged(together: dict[str, Any], mine: dict[str, Any], own: dict[str, Any]) -> Answer:
    status, state = together.get("Status", AVAILABLE), own.get("Status", "not there")
    seen = f"global cluster {status}, cluster {state}, {'writer' if mine['IsWriter'] else 'reader'}"
    if together.get("FailoverState") or status in MOVING or (mine["IsWriter"] and state != AVAILABLE):
        return Underway(seen)
    if not mine["IsWriter"]:
        return Absent(seen)
    return Proven({"writer": own["DBClusterArn"], "endpoint": own.get("Endpoint", ""), "status": status})


class Promote(WriterIn):
    """The standby member becomes the writer, whatever the lost region still held."""

    wait = Wait(PROMOTE_SECONDS, EVERY_SECONDS, "Aurora: order of minutes")

    def act(self, work: StepContext) -> None:
        """FailoverGlobalCluster with data loss allowed, in the standby region."""
        work.client.call(
            "rds",
            "failover_global_cluster",
            work.region,
            GlobalClusterIdentifier=work.database().global_cluster,
            TargetDbClusterIdentifier=work.database().standby_arn,
            AllowDataLoss=True,
        )


class SwitchBack(WriterIn):
    """The primary's member becomes the writer again, once both hold the same. Arguments: region=primary."""

    wait = Wait(SWITCH_SECONDS, EVERY_SECONDS, "Aurora waits until the target has caught up")

    def act(self, work: StepContext) -> None:
        """SwitchoverGlobalCluster, in the region of the present writer."""
        work.client.call(
            "rds",
            "switchover_global_cluster",
            work.inventory.standby,
            GlobalClusterIdentifier=work.database().global_cluster,
            TargetDbClusterIdentifier=work.database().primary_arn,
        )


class Rejoins(Watch, WriterIn):
    """The primary's member is there for the way home: a reader that follows, or the writer still, where the failover
    was given up before it moved it."""

    wait = Wait(REJOIN_SECONDS, EVERY_SECONDS, "Aurora may have to build the member's storage anew")

    def ask(self, work: StepContext) -> Answer:
        """The writer and open, with nothing under way; else as `Follows` says."""
        found = super().ask(work)
        return found if isinstance(found, Proven) else Follows().ask(work)


class Follows(Watch, WriterIn):
    """This region's member is a reader that follows: after a return, and after the way home."""

    wait = Wait(REJOIN_SECONDS, EVERY_SECONDS, "Aurora may have to build the member's storage anew")

    def ask(self, work: StepContext) -> Answer:
        """A member, not the writer, and available."""
        together = global_cluster(work.client, work.inventory.standby, work.database())
        mine = member(together, self.arn(work))
        own = cluster(work.client, work.region, self.identifier(work))
        seen = f"global cluster {together.get('Status', 'not there')}, cluster {own.get('Status', 'not there')}"
        if not mine or mine["IsWriter"] or together.get("FailoverState") or together.get("Status") in MOVING:
            return Underway(f"{seen}, not a reader that follows")
        if own.get("Status") != AVAILABLE or mine.get("SynchronizationStatus") == RESYNCING:
            return Underway(f"{seen}, {mine.get('SynchronizationStatus', 'synchronization not told')}")
        return Proven({"member": own["DBClusterArn"], "synchronization": mine.get("SynchronizationStatus", "not told")})
