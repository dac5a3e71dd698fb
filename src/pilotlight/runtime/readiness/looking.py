"""What the probe looks at: a region's own services, the outside view, the groups, the writers, the newest checkpoint.

Three answers: healthy, lost, unknown (`sightings`). Lost is only what leads to a failover: the users' own name does not
answer, or, where there is none, all services of the region but one are silent. One service that is silent or refuses, a
group that is short, a writer that is not available are no lost region, and not healthy either: a person is told
(docs/adr/0012). Every service that is asked needs a right on one thing of the workload's own, or on nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable, Throttled
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.traffic.steps import url
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Compute, Database, Inventory
from pilotlight.runtime.store.sightings import HEALTHY, LOST, UNKNOWN

OUTSIDE_SECONDS = 2.0
"""A user does not wait longer; three failures in a row are needed for an alarm."""
SERVICES_LOST_MIN = 3
"""A region is never called lost by fewer silent services: AWS reports events of one or two services many times a year,
and a failover would bring nothing that needs the others (AWS, "Post-Event Summaries")."""
SERVICES_LEFT_MAX = 1
"""One service may still answer from a lost region, from a cache or an edge."""
WRITES = ("available", "backing-up")
"""States in which a cluster takes writes (Aurora User Guide, "Viewing DB cluster status")."""
SAVES_LATE = 3.0
"""A checkpoint is late when it is this many times the usual gap old: one slow save is no stop."""

Ask = Callable[[], dict[str, Any]]
ANSWERS, SILENT = "answers", "does not answer"
BY_ABSENCE = ("rds", "dynamodb")
"""Services that are asked for a name that need not exist: that it does not is an answer like any other."""


@dataclass(frozen=True)
class Service:
    """One service of a region, and what it said: it answers, it is silent, or why it refuses."""

    name: str
    said: str


@dataclass(frozen=True)
class View:
    """One look at a region: the verdict, and everything that is amiss, in words."""

    verdict: str
    amiss: tuple[str, ...]


def watched(inventory: Inventory, region: str) -> tuple[str, ...]:
    """What is looked at, in words (pure)."""
    return tuple(_watched(inventory, region))


def _watched(inventory: Inventory, region: str) -> Iterator[str]:
    if inventory.traffic:
        yield f"{url(inventory.traffic.record, inventory.traffic)} from outside"
    yield f"the services of {region}: {', '.join(_questions(inventory, region))}"
    for fleet in inventory.computes:
        yield f"the instances of {_group(inventory, fleet, region)} in service"
    for database in inventory.databases:
        yield f"the writer of {database.name}"
    for asset in inventory.datasets:
        if asset.kind == "checkpoints" and inventory.computes:
            yield f"the newest checkpoint of {asset.name} against its usual cadence"


def view(context: RecoveryContext, region: str) -> View:
    """Look at the region that serves, at everything side by side."""
    amiss: list[str] = []
    outside = _outside(context)
    services = ask(context, region)
    silent = [each.name for each in services if each.said == SILENT]
    amiss += [outside] if outside else []
    amiss += [f"{each.name} in {region} {each.said}" for each in services if each.said != ANSWERS]
    if not silent:
        amiss += _amiss(context, region)
    lost = bool(outside) if context.inventory.traffic else is_lost(services)
    return View(LOST if lost else UNKNOWN if amiss else HEALTHY, tuple(amiss))


def is_lost(services: tuple[Service, ...]) -> bool:
    """Whether so many services are silent that the region is (pure)."""
    silent = sum(each.said == SILENT for each in services)
    return silent >= max(SERVICES_LOST_MIN, len(services) - SERVICES_LEFT_MAX)


def answering(services: tuple[Service, ...]) -> str:
    """Whether a region that does not serve is there: healthy, lost or unknown (pure)."""
    if all(each.said == ANSWERS for each in services):
        return HEALTHY
    return LOST if is_lost(services) else UNKNOWN


def ask(context: RecoveryContext, region: str) -> tuple[Service, ...]:
    """Ask every service of a region side by side."""
    client = context.looking
    questions = _questions(context.inventory, region)
    with ThreadPoolExecutor(len(questions), thread_name_prefix="look") as pool:
        said = list(
            pool.map(lambda call: _said(lambda: client.call(call[0], call[1], region, **call[2])), questions.values())
        )
    return tuple(Service(name, each) for name, each in zip(questions, said, strict=True))


def _said(ask: Ask) -> str:
    try:
        ask()
    except RegionUnreachable:
        return SILENT
    except Throttled:
        return "throttles"
    except CallRefused as refusal:
        return (
            ANSWERS
            if says_absent(refusal) and refusal.facts["service"] in BY_ABSENCE
            else f"refuses ({refusal.facts['reason']})"
        )
    return ANSWERS


Question = tuple[str, str, dict[str, Any]]


def _questions(inventory: Inventory, region: str) -> dict[str, Question]:
    """Service -> the reading call by which it is asked."""
    asked: dict[str, Question] = {
        "EC2": ("ec2", "describe_availability_zones", {}),
        "RDS": ("rds", "describe_db_clusters", {"DBClusterIdentifier": _cluster(inventory, region)}),
        "DynamoDB": ("dynamodb", "describe_table", {"TableName": inventory.names.journal_table}),
    }
    if inventory.datasets:
        first = inventory.datasets[0]
        bucket = first.primary_bucket if region == inventory.primary else first.standby_bucket
        asked["S3"] = ("s3", "head_bucket", {"Bucket": bucket})
    if inventory.computes:
        names = [_group(inventory, each, region) for each in inventory.computes]
        asked["Auto Scaling"] = ("autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroupNames": names})
    return asked


def _cluster(inventory: Inventory, region: str) -> str:
    first = next(iter(inventory.databases), None)
    return _own_cluster(inventory, first, region) if first else asked_cluster(inventory.names)


def asked_cluster(names: Names) -> str:
    """The name by which RDS is asked where no database is declared: nothing has it, and that is the answer."""
    return names.standby_cluster("none")


def _own_cluster(inventory: Inventory, database: Database, region: str) -> str:
    return database.primary_cluster if region == inventory.primary else database.standby_cluster


def _group(inventory: Inventory, fleet: Compute, region: str) -> str:
    return fleet.primary_group if region == inventory.primary else fleet.standby_group


def _outside(context: RecoveryContext) -> str:
    """What is wrong with the users' own name; nothing where it answers, or there is none."""
    traffic = context.inventory.traffic
    if traffic is None:
        return ""
    answer = context.fetch(url(traffic.record, traffic), OUTSIDE_SECONDS)
    return "" if answer.status == 200 else f"{traffic.record}: {answer.told}"


def _amiss(context: RecoveryContext, region: str) -> list[str]:
    """What is wrong with the parts of the workload in a region whose services answer."""
    found = list[str]()
    for check in (_groups, _writers):
        try:
            found += check(context, region)
        except (CallRefused, Throttled, RegionUnreachable) as problem:
            found.append(problem.message)
    return found + (_late(context) if region == context.inventory.primary else [])


def _groups(context: RecoveryContext, region: str) -> list[str]:
    found = list[str]()
    for fleet in context.inventory.computes:
        name = _group(context.inventory, fleet, region)
        seen = group(context.looking, region, name)
        wanted = int(seen.get("DesiredCapacity", 0))
        serving = sum(each.get("LifecycleState") == "InService" for each in seen.get("Instances", []))
        if not seen or serving < wanted:
            found.append(f"{name}: {serving} of {wanted} instances in service" if seen else f"there is no group {name}")
    return found


def _writers(context: RecoveryContext, region: str) -> list[str]:
    found = list[str]()
    for database in context.inventory.databases:
        name = _own_cluster(context.inventory, database, region)
        answer = context.looking.call("rds", "describe_db_clusters", region, DBClusterIdentifier=name)
        status = next((str(each.get("Status", "")) for each in answer["DBClusters"]), "not there")
        if status not in WRITES:
            found.append(f"cluster {name} is {status}")
    return found


def _late(context: RecoveryContext) -> list[str]:
    """Checkpoints that do not come as they used to, while a group that would write them is up."""
    if not any(_is_up(context, fleet) for fleet in context.inventory.computes):
        return []
    found = list[str]()
    for asset in context.inventory.datasets:
        usual = context.ledger.sightings.cadence(asset.name) if asset.kind == "checkpoints" else None
        if usual is None:
            continue
        age = parse_stamp(usual.at) - parse_stamp(usual.newest_at)
        if age > SAVES_LATE * usual.usual_seconds:
            found.append(
                f"{asset.name}: the newest checkpoint was {age:.0f} s old at {usual.at}, usually one comes every "
                f"{usual.usual_seconds:.0f} s"
            )
    return found


def _is_up(context: RecoveryContext, fleet: Compute) -> bool:
    try:
        return int(group(context.looking, context.inventory.primary, fleet.primary_group).get("DesiredCapacity", 0)) > 0
    except (CallRefused, Throttled, RegionUnreachable):
        return False
