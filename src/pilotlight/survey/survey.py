"""The survey: what the declaration names is looked up in the primary region and becomes the Inventory.

Reads only, through the AWS client. Whatever is missing or not as it must be is collected, and told at once as
SurveyProblems; a survey with a problem gives no inventory, so nothing is ever half protected. Names of what will be
built come from `naming`, never from AWS. Assets are read kind by kind: kinds/<kind>/survey.py.
"""

from __future__ import annotations

from pilotlight.kinds.registry import aspect
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.records import inventory as record
from pilotlight.survey import keys, names, traffic
from pilotlight.survey.findings import Findings
from pilotlight.survey.kind import KindSurvey, Look
from pilotlight.workload.model import Workload


def survey(
    client: AwsClient,
    workload: Workload,
    account: str,
    clock: Clock,
    kept: record.Inventory | None = None,
    vault: AwsClient | None = None,
) -> record.Inventory:
    """The inventory of this workload, read in its primary region; SurveyProblems names everything that is amiss.

    `kept`: what the last `up` made, which is not looked for again; `vault`: the client of the account of the copies.
    """
    given = workload.names(account)
    findings = Findings(client, given.primary)
    look = Look(findings, workload, given, kept)
    kinds: dict[str, KindSurvey] = aspect("survey")
    order = list(kinds)
    for name, asset in sorted(workload.assets.items(), key=lambda each: order.index(each[1].kind)):
        found = kinds[asset.kind].survey(look, name, asset)
        look.found += [found] if found is not None else []
    for one in kinds.values():
        one.check(look)
    front = traffic.survey(look)
    keys.check(findings, given)
    names.check(findings, workload, given, look.originals, kept, vault if workload.vault else client)
    findings.settle()
    return record.Inventory(
        workload=workload.workload,
        account=account,
        primary=given.primary,
        standby=given.standby,
        rpo_seconds=workload.objectives.rpo_seconds,
        rto_seconds=workload.objectives.rto_seconds,
        trigger=workload.trigger,
        every_seconds=workload.points.every_seconds,
        keep=record.Keep(workload.points.keep.hourly, workload.points.keep.daily, workload.points.keep.weekly),
        lock=_lock(workload),
        vault=record.VaultAccount(workload.vault.account, workload.vault.role) if workload.vault else None,
        assets=tuple(look.found),
        traffic=front,
        notify=record.Notify(workload.notify.email, workload.notify.https) if workload.notify else record.Notify(),
        taken_at=stamp(clock.now()),
        zones=look.zones,
        remarks=tuple(findings.remarks),
    )


def _lock(workload: Workload) -> record.Lock | None:
    lock = workload.points.lock
    return record.Lock(lock.mode, lock.lock_seconds) if lock else None
