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
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable, Throttled
from pilotlight.runtime.kinds.kind import Question
from pilotlight.runtime.kinds.registry import by_kind
from pilotlight.runtime.kinds.traffic.steps import url
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.store.sightings import HEALTHY, LOST, UNKNOWN

OUTSIDE_SECONDS = 2.0
"""A user does not wait longer; three failures in a row are needed for an alarm."""
SERVICES_LOST_MIN = 3
"""A region is never called lost by fewer silent services: AWS reports events of one or two services many times a year,
and a failover would bring nothing that needs the others (AWS, "Post-Event Summaries")."""
SERVICES_LEFT_MAX = 1
"""One service may still answer from a lost region, from a cache or an edge."""

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
    for kind, assets in by_kind(inventory):
        yield from kind.watched(inventory, assets, region)


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
    questions = _questions(context.inventory, region)

    def said(asked: Question) -> str:
        return _said(lambda: context.looking.call(asked.client, asked.operation, region, **asked.parameters))

    with ThreadPoolExecutor(len(questions), thread_name_prefix="look") as pool:
        heard = list(pool.map(said, questions.values()))
    return tuple(Service(name, each) for name, each in zip(questions, heard, strict=True))


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


def _questions(inventory: Inventory, region: str) -> dict[str, Question]:
    """Service -> the reading call by which it is asked: of each kind's questions to a service the first."""
    table = {"TableName": inventory.names.journal_table}
    nobody = {"DBClusterIdentifier": asked_cluster(inventory.names)}
    always = (
        Question("EC2", "ec2", "describe_availability_zones"),
        Question("RDS", "rds", "describe_db_clusters", nobody),
        Question("DynamoDB", "dynamodb", "describe_table", table),
    )
    firsts = dict[str, Question]()
    for kind, assets in by_kind(inventory):
        for each in kind.questions(inventory, assets, region):
            firsts.setdefault(each.service, each)
    return {each.service: each for each in always} | firsts


def asked_cluster(names: Names) -> str:
    """The name by which RDS is asked where no database is declared: nothing has it, and that is the answer."""
    return names.standby_cluster("none")


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
    for kind, assets in by_kind(context.inventory):
        try:
            found += kind.amiss(context, assets, region)
        except (CallRefused, Throttled, RegionUnreachable) as problem:
            found.append(problem.message)
    return found
