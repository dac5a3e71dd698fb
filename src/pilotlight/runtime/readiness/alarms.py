"""The alarms of a workload, and who is subscribed to what people are told: read in the standby region, for `status`.

An alarm that is not there, or whose state CloudWatch does not know, is not quiet: it is unknown. A subscription that
nobody confirmed reaches nobody (SNS Developer Guide, "Confirming an Amazon SNS subscription").
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import ALARMS, STANDBY_ACTIVE

OK, RINGS = "OK", "ALARM"
MISSING = "MISSING"
PENDING = "PendingConfirmation"


@dataclass(frozen=True)
class AlarmState:
    """One alarm: `state` is CloudWatch's, or MISSING where there is no such alarm."""

    name: str
    state: str
    since: str = ""
    why: str = ""

    @property
    def is_quiet(self) -> bool:
        """Whether it tells nothing to worry about; `standby-active` only tells Route 53 where traffic goes."""
        return self.state == OK or (self.name == STANDBY_ACTIVE and self.state == RINGS)


@dataclass(frozen=True)
class Channel:
    """Who is told: `confirmed` addresses, those that are `pending`, and those that are declared and not subscribed."""

    confirmed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def reaches_somebody(self) -> bool:
        return bool(self.confirmed)


def alarms(context: RecoveryContext) -> tuple[AlarmState, ...]:
    """Every alarm of this workload; CallRefused where they may not be looked at."""
    names = context.inventory.names
    wanted = {names.alarm(purpose): purpose for purpose in ALARMS}
    answer = context.client.call("cloudwatch", "describe_alarms", names.standby, AlarmNames=list(wanted))
    found = {
        wanted[each["AlarmName"]]: AlarmState(
            wanted[each["AlarmName"]],
            str(each["StateValue"]),
            stamp(each["StateUpdatedTimestamp"].timestamp()),
            str(each.get("StateReason", "")),
        )
        for each in answer["MetricAlarms"]
        if each["AlarmName"] in wanted
    }
    return tuple(found.get(purpose, AlarmState(purpose, MISSING)) for purpose in ALARMS)


def channel(context: RecoveryContext) -> Channel:
    """Who hears what people are told; CallRefused where that may not be looked at."""
    names, notify = context.inventory.names, context.inventory.notify
    wanted = (*notify.email, *notify.https)
    pages = context.client.pages("sns", "list_subscriptions_by_topic", names.standby, TopicArn=names.people_topic_arn)
    found = {
        str(each["Endpoint"]): str(each["SubscriptionArn"]) for page in pages for each in page.get("Subscriptions", [])
    }
    return Channel(
        confirmed=tuple(each for each, arn in found.items() if arn.startswith("arn:")),
        pending=tuple(each for each, arn in found.items() if not arn.startswith("arn:")),
        missing=tuple(each for each in wanted if each not in found),
    )


def refusal(problem: CallRefused) -> str:
    """Why something cannot be read, in short."""
    return str(problem.facts["reason"])
