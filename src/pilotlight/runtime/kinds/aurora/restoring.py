"""A database as it was, in a new cluster beside: to a point in time, or from a snapshot that was kept.

RDS API reference, RestoreDBClusterToPointInTime and RestoreDBClusterFromSnapshot: both make a cluster alone, which
takes an instance once it is available. It gets the source's subnet group, security groups, parameter group and key;
what serves is not touched. In place is refused: a member of a global database cannot be replaced without taking the
global database apart, so the endpoint is printed, and whoever runs the workload points it there. The new cluster's name
begins as all of ours do, so that whoever may restore need not be allowed to make any other.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import BadOption, CallRefused, NotRestorable
from pilotlight.runtime.kinds.aurora.observe import AVAILABLE, cluster
from pilotlight.runtime.kinds.restore import Item, PlanFile, Planned, Restored, Tell, Wanted
from pilotlight.runtime.naming import TAG_ASSET
from pilotlight.runtime.records.inventory import Database

TO_TIME, FROM_SNAPSHOT, INSTANCE = "restore-to-time", "restore-snapshot", "create-instance"
TAG_PLAN = "pilotlight:plan"
NAME_CHARACTERS_MAX = 61
"""RDS API reference: a cluster's name has 63 characters; two are for its instance's."""
WAIT_SECONDS, EVERY_SECONDS = 3 * 3600.0, 5.0
"""Aurora User Guide, "Restoring a DB cluster to a specified time": minutes to hours, by size and by distance from the
nearest backup."""


def plan(context: RecoveryContext, asset: Database, wanted: Wanted) -> Planned:
    """A cluster and its instance; NotRestorable where the moment lies in no window and no snapshot is that old."""
    name = f"{context.inventory.names.project}-{wanted.beside.lower()}"
    _check(asset, wanted, name)
    source_name = asset.primary_cluster if wanted.region == context.inventory.primary else asset.standby_cluster
    found = cluster(context.client, wanted.region, source_name)
    if not found:
        instead = "Name the other region by --region"
        raise NotRestorable(
            asset=asset.name, region=wanted.region, reason=f"there is no {source_name}", instead=instead
        )
    part = wanted.point.part(asset.name) if wanted.point else None
    moment = parse_stamp(part.as_of) if part and part.as_of else wanted.moment
    source = {"cluster": source_name} | _like(found) | {"engine": asset.engine}
    if _within(found, moment):
        made = Item(name, source | {"time": stamp(moment)}, TO_TIME)
    else:
        made = Item(name, source | _snapshot(context, asset, wanted, found, source_name, moment), FROM_SNAPSHOT)
    instance = {"class": _class(context, wanted.region, found), "engine": asset.engine}
    items = [made, Item(f"{name}-1", instance, INSTANCE)]
    where = {"region": wanted.region, "in_place": False, "cluster": name, "serves_on": source_name}
    return Planned(where, iter(items), {"dollars": 0.0})


def restore(context: RecoveryContext, asset: Database, plan: PlanFile, tell: Tell) -> Restored:
    """Make both, or go on with them; the endpoint is in the evidence."""
    done, region = Restored(asset.name, plan.id), str(plan.where["region"])
    items = list(plan.items())
    for number, item in enumerate(items, 1):
        made = (
            _instance(context, plan, item, region) if item.action == INSTANCE else _cluster(context, plan, item, region)
        )
        if not made:
            done.leave(item.item, "there is one of this name that this plan did not make; name another by --beside")
            break
        state = _awaited(context, region, item, tell, number, len(items))
        if state != AVAILABLE:
            done.leave(item.item, f"it is {state} after {WAIT_SECONDS:.0f} s; the same plan goes on with it")
            break
        done.done += 1
    found = cluster(context.client, region, str(plan.where["cluster"]))
    if found and not done.left:
        done.evidence |= {"endpoint": f"{found.get('Endpoint', '')}:{found.get('Port', '')}"}
        done.evidence |= {"cluster": str(found.get("DBClusterArn", "")), "serves_on": plan.where["serves_on"]}
    return done


def _check(asset: Database, wanted: Wanted, name: str) -> None:
    if wanted.in_place:
        reason = "a member of a global database is not replaced in place"
        instead = f"Restore beside (--beside {asset.name}-restored), and point the workload to its endpoint"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
    given = wanted.beside.lower()
    plain = given.replace("-", "").isalnum() and given[0] != "-" and "--" not in given and not given.endswith("-")
    if not plain or not given.isascii() or len(name) > NAME_CHARACTERS_MAX:
        most = NAME_CHARACTERS_MAX - (len(name) - len(given))
        expected = f"up to {most} letters, digits and single hyphens; the workload's own prefix is put before it"
        raise BadOption(option="--beside", value=wanted.beside, reason="is no name of a cluster", expected=expected)


def _within(found: dict[str, Any], moment: float) -> bool:
    """Whether a moment lies in the window that automated backups can be restored to."""
    earliest, latest = found.get("EarliestRestorableTime"), found.get("LatestRestorableTime")
    if earliest is None or latest is None:
        return False
    return float(earliest.timestamp()) <= moment <= float(latest.timestamp())


def _snapshot(
    context: RecoveryContext, asset: Database, wanted: Wanted, found: dict[str, Any], source: str, moment: float
) -> dict[str, Any]:
    """The newest snapshot of the cluster that was complete by then."""
    pages = context.client.pages("rds", "describe_db_cluster_snapshots", wanted.region, DBClusterIdentifier=source)
    kept = [each for page in pages for each in page["DBClusterSnapshots"] if each.get("Status") == AVAILABLE]
    old = [each for each in kept if each["SnapshotCreateTime"].timestamp() <= moment]
    if not old:
        window = [found.get(name) for name in ("EarliestRestorableTime", "LatestRestorableTime")]
        told = " to ".join(stamp(each.timestamp()) for each in window if each)
        reason = (
            f"{stamp(moment)} is outside of what its backups reach ({told or 'nothing'}), and no snapshot is that old"
        )
        instead = "Name a moment in that window, or another region"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
    newest = max(old, key=lambda each: each["SnapshotCreateTime"])
    taken = stamp(newest["SnapshotCreateTime"].timestamp())
    return {"snapshot": str(newest["DBClusterSnapshotIdentifier"]), "time": taken}


def _like(found: dict[str, Any]) -> dict[str, Any]:
    """What the new cluster gets of the source."""
    groups = [str(each["VpcSecurityGroupId"]) for each in found.get("VpcSecurityGroups", [])]
    told = {
        "version": found.get("EngineVersion"),
        "subnet_group": found.get("DBSubnetGroup"),
        "parameter_group": found.get("DBClusterParameterGroup"),
        "security_groups": groups,
        "key": found.get("KmsKeyId"),
    }
    return {name: value for name, value in told.items() if value}


def _class(context: RecoveryContext, region: str, found: dict[str, Any]) -> str:
    """Of the instance that the source has, the writer's first."""
    members = sorted(found.get("DBClusterMembers", []), key=lambda each: not each.get("IsClusterWriter"))
    for each in members[:1]:
        name = each["DBInstanceIdentifier"]
        answer = context.client.call("rds", "describe_db_instances", region, DBInstanceIdentifier=name)
        return str(answer["DBInstances"][0]["DBInstanceClass"])
    return "db.r6g.large"


# -- carrying out ----------------------------------------------------------------------------------------------


def _cluster(context: RecoveryContext, plan: PlanFile, item: Item, region: str) -> bool:
    """Whether the plan's cluster is there now; False where another has its name."""
    there = cluster(context.client, region, item.item)
    if there:
        return _is_of(there, plan)
    assert item.source is not None, "a cluster is made of another"
    of = item.source
    given = {
        "DBClusterIdentifier": item.item,
        "DBSubnetGroupName": of.get("subnet_group"),
        "VpcSecurityGroupIds": of.get("security_groups"),
        "DBClusterParameterGroupName": of.get("parameter_group"),
        "KmsKeyId": of.get("key"),
        "Tags": _tags(plan),
    }
    asked = {name: value for name, value in given.items() if value}
    if item.action == TO_TIME:
        moment = datetime.fromtimestamp(parse_stamp(of["time"]), UTC)
        asked |= {"SourceDBClusterIdentifier": of["cluster"], "RestoreToTime": moment}
        context.client.call("rds", "restore_db_cluster_to_point_in_time", region, **asked)
    else:
        asked |= {"SnapshotIdentifier": of["snapshot"], "Engine": of["engine"]}
        context.client.call("rds", "restore_db_cluster_from_snapshot", region, **asked)
    return True


def _instance(context: RecoveryContext, plan: PlanFile, item: Item, region: str) -> bool:
    assert item.source is not None, "an instance has a class"
    there = _instance_there(context, region, item.item)
    if there:
        return str(there.get("DBClusterIdentifier")) == str(plan.where["cluster"])
    context.client.call(
        "rds",
        "create_db_instance",
        region,
        DBInstanceIdentifier=item.item,
        DBClusterIdentifier=plan.where["cluster"],
        DBInstanceClass=item.source["class"],
        Engine=item.source["engine"],
        PubliclyAccessible=False,
        Tags=_tags(plan),
    )
    return True


def _instance_there(context: RecoveryContext, region: str, name: str) -> dict[str, Any]:
    try:
        answer = context.client.call("rds", "describe_db_instances", region, DBInstanceIdentifier=name)
    except CallRefused as refusal:
        if says_absent(refusal):
            return {}
        raise
    found: dict[str, Any] = next(iter(answer["DBInstances"]), {})
    return found


def _awaited(context: RecoveryContext, region: str, item: Item, tell: Tell, number: int, total: int) -> str:
    """The status that it has come to; AVAILABLE, or what it is when the time is up."""
    until = context.clock.now() + WAIT_SECONDS
    while True:
        if item.action == INSTANCE:
            state = str(_instance_there(context, region, item.item).get("DBInstanceStatus", "not there"))
        else:
            state = str(cluster(context.client, region, item.item).get("Status", "not there"))
        tell(f"{item.item} is {state}", number, total)
        if state == AVAILABLE or context.clock.now() >= until:
            return state
        context.clock.sleep(EVERY_SECONDS)


def _tags(plan: PlanFile) -> list[dict[str, str]]:
    return [{"Key": TAG_ASSET, "Value": plan.asset}, {"Key": TAG_PLAN, "Value": plan.id}]


def _is_of(there: dict[str, Any], plan: PlanFile) -> bool:
    return any(each == {"Key": TAG_PLAN, "Value": plan.id} for each in there.get("TagList", []))
