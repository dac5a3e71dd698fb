"""What people are told: what is seen, since when, what would be lost, and the command to type.

One message for each thing that needs a person, through the workload's own topic, which e-mail addresses and HTTPS
endpoints are subscribed to. Everything is read in the standby region. Subjects are ASCII without line breaks and below
100 characters, messages at most 256 KB (SNS API Reference, "Publish").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import PilotlightError, RecordUnreadable
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.naming import ACTIVE_UNKNOWN, POINTS_STALE, PROTECT_FAILING, REPLICATION_FAILED, UNREPLICATED
from pilotlight.runtime.points.choose import newest_usable
from pilotlight.runtime.points.costs import in_words, kind_of, losses, older_software
from pilotlight.runtime.readiness.standing import Known, standings
from pilotlight.runtime.records.evidence import Chosen, LookedAgain
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.records.runs import CHOSEN, LOOKED_AGAIN, Journal, proofs
from pilotlight.runtime.store.ledger import Request

SUBJECT_LENGTH_MAX = 99
LINES_MAX = 200
"""Assets and reasons that a message names; the rest is counted. A thousand lines would be read by nobody."""
NAMED_MAX = 3
"""How many objects a sentence names; the journal's evidence names more."""
ON_AWS = " --target aws"
"""How a command reaches AWS; in a rehearsal it is left out."""

TOLD = {
    ACTIVE_UNKNOWN: "it is not known to be healthy, and its region is not known to be lost; nothing was started",
    UNREPLICATED: "objects are not replicated in time: a disaster would lose them; nothing was started",
    REPLICATION_FAILED: "S3 says that it failed to replicate objects: a disaster would lose them; nothing was started",
    POINTS_STALE: "there is no recent complete recovery point: a failover would lose more; nothing was started",
    PROTECT_FAILING: "the scheduled run cannot do all it has to; nothing was started",
}
"""Alarm -> what it says to a person. Others are told directly, or start a run."""


@dataclass(frozen=True)
class Notice:
    """One message."""

    subject: str
    text: str


def tell(context: RecoveryContext, notice: Notice) -> None:
    """Publish it. CallRefused and RegionUnreachable say that nobody was told."""
    names = context.inventory.names
    context.client.call(
        "sns",
        "publish",
        names.standby,
        TopicArn=names.people_topic_arn,
        Subject=notice.subject,
        Message=notice.text,
    )


def asked(context: RecoveryContext, request: Request, target: str = ON_AWS) -> Notice:
    """A failover waits for a word."""
    workload, standby = context.inventory.workload, context.inventory.standby
    lines = (
        f"{workload}: a failover to {standby} waits for your word.",
        "",
        f"Seen: {request.reason}",
        f"Since: {request.alarm_at or request.requested_at}",
        *_looked(context),
        "",
        *_lost(context),
        "",
        "To fail over, type, with the declaration of the workload:",
        f"  pilotlight failover workload.yaml --approve{target}",
        "To look first:",
        f"  pilotlight status workload.yaml{target}",
        "",
        "When the alarm ends, this request ends with it; the next alarm asks anew.",
    )
    return _notice(f"{workload}: a failover to {standby} waits for your word", lines)


def over(context: RecoveryContext, request: Request) -> Notice:
    """The alarm behind a request has ended."""
    workload = context.inventory.workload
    lines = (
        f"{workload}: the alarm behind the request of {request.requested_at} ended at {request.over_at}, and with it "
        "the request.",
        "Nothing was failed over, and nothing is waited for. The next alarm asks anew.",
        *_looked(context),
    )
    return _notice(f"{workload}: a failover is not asked for any more", lines)


def begun(context: RecoveryContext, reason: str, target: str = ON_AWS) -> Notice:
    """A failover begins by itself."""
    workload, standby = context.inventory.workload, context.inventory.standby
    lines = (
        f"{workload}: a failover to {standby} begins by itself, as the declaration says (trigger: automatic).",
        "",
        f"Seen: {reason}",
        *_looked(context),
        "",
        *_lost(context),
        "",
        "Nothing is asked of you. To follow it:",
        f"  pilotlight status workload.yaml{target}",
    )
    return _notice(f"{workload}: a failover to {standby} begins", lines)


def done(context: RecoveryContext, journal: Journal, target: str = ON_AWS) -> Notice:
    """A failover has ended well; from now on nothing copies what is written."""
    inventory = context.inventory
    lines = (
        f"{inventory.workload} serves in {inventory.standby} since {journal.finished_at} (run {journal.run}, begun "
        f"{journal.started_at}).",
        *cautions(journal),
        f"What is written there has no copy in another region until it goes home. When {inventory.primary} answers "
        "again:",
        f"  pilotlight failback workload.yaml{target}",
    )
    return _notice(f"{inventory.workload}: serves in {inventory.standby}", lines)


def cautions(journal: Journal) -> tuple[str, ...]:
    """What the run went on without: points that it passed over, checkpoints that it could not read; and what an older
    run did late, which it has looked at again."""
    chosen, again = journal.proven(CHOSEN), journal.proven(LOOKED_AGAIN)
    went_on_with = chosen.read(Chosen) if chosen else Chosen()
    late = again.read(LookedAgain).late_acts if again else ()
    taken = went_on_with.checkpoints.items()
    return (
        *(f"Point {each.point} is newer and was passed over: {each.why}." for each in went_on_with.passed_over),
        *(f"{name}: {each.caution}." for name, each in taken if each.caution),
        *(
            f"Run {each.run} (epoch {each.epoch}) did {each.call} in {each.region} at {each.at}, when "
            f"its lease was lost; what that touches was looked at again."
            for each in late
        ),
        *_left_at_home(journal),
    )


def _left_at_home(journal: Journal) -> Iterator[str]:
    """What a way home left in the primary buckets as it was: objects that never left, and newer versions."""
    for entry in (each for each in proofs(journal.entries).values() if each.step.startswith("final-sync-")):
        asset, told = entry.step.removeprefix("final-sync-"), entry.evidence
        for count, keys, what in (
            ("strays", "stray_keys", "objects are in the primary bucket alone, and were left there"),
            ("kept", "kept_keys", "objects of the primary bucket are newer than the standby's, and were kept"),
        ):
            if told.get(count):
                named = ", ".join(told[keys][:NAMED_MAX])
                yield f"{asset}: {told[count]} {what}: {named}{', ...' if told[count] > NAMED_MAX else ''}."


def failed(context: RecoveryContext, problem: PilotlightError, target: str = ON_AWS) -> Notice:
    """A failover needs a person to go on."""
    workload = context.inventory.workload
    lines = (
        f"{workload}: the failover to {context.inventory.standby} has stopped and does not go on by itself.",
        "",
        f"Why: {problem.message}",
        f"What to do: {problem.advice}",
        "",
        "A run goes on from where it stopped, and repeats nothing that is proven:",
        f"  pilotlight failover workload.yaml{target}",
    )
    return _notice(f"{workload}: the failover has stopped and needs you", lines)


def rings(context: RecoveryContext, alarm: str, reason: str, since: str, target: str = ON_AWS) -> Notice:
    """One of the alarms that start nothing (`TOLD`)."""
    workload = context.inventory.workload
    lines = (
        f"{workload}: {TOLD[alarm]}.",
        "",
        f"Seen: {reason}",
        f"Since: {since}",
        *_looked(context),
        *_troubles(context),
        *_unprotected(context),
        "",
        *_lost(context),
        "",
        "To see all of it with its age, and what would help:",
        f"  pilotlight status workload.yaml{target}",
    )
    return _notice(f"{workload}: {alarm}", lines)


def _notice(subject: str, lines: tuple[str, ...]) -> Notice:
    plain = subject.encode("ascii", "replace").decode()
    kept = lines if len(lines) <= LINES_MAX else (*lines[:LINES_MAX], f"... and {len(lines) - LINES_MAX} lines more")
    return Notice(plain[:SUBJECT_LENGTH_MAX], "\n".join(kept) + "\n")


# -- what is seen, and what would be lost ----------------------------------------------------------------------


def _looked(context: RecoveryContext) -> Iterator[str]:
    look = context.ledger.sightings.look()
    if look is None:
        yield "The probe has not looked yet."
        return
    yield f"The probe, at {look.at}: {look.region} is {look.verdict} since {look.since}"
    yield from (f"  {each}" for each in look.told)


def _troubles(context: RecoveryContext) -> Iterator[str]:
    heartbeat = context.ledger.sightings.heartbeat()
    if heartbeat is None:
        yield "The scheduled run has not begun once."
        return
    yield f"The scheduled run began at {heartbeat.at}"
    yield from (f"  {each}" for each in heartbeat.troubles)


def _unprotected(context: RecoveryContext) -> Iterator[str]:
    ledger = context.ledger
    protections = {
        asset.name: ledger.protection(asset.name) for kind, asset in in_order(context.inventory) if kind.replicated
    }
    found = {name: each for name, each in protections.items() if each}
    lines = ledger.points()
    point = _record(context, lines[0].id) if lines else None
    active, look = ledger.active(context.inventory.primary), ledger.sightings.look()
    for each in standings(context.inventory, Known(context.clock.now(), active, found, point, look)):
        if each.why:
            yield f"  {each.name} is {each.state}: {each.why}"


def _lost(context: RecoveryContext) -> Iterator[str]:
    """By asset, if the primary region ended now."""
    newest, now = newest_usable(context.ledger.points()), context.clock.now()
    point = _record(context, newest.id) if newest else None
    if point is None:
        yield "There is no complete recovery point: a failover would find none to start from."
        return
    age = now - parse_stamp(point.created_at)
    yield f"What a failover now would lose, by the newest {kind_of(point)} recovery point {point.id} ({age:.0f} s old):"
    for each in losses(context.inventory, point, stamp(now)):
        after = f", written after {each.as_of}" if each.as_of else ""
        yield f"  {each.name}: {in_words(each.loss)}{after}"
    yield from (f"  {each}" for each in older_software(point))


def _record(context: RecoveryContext, point: str) -> RecoveryPoint | None:
    """A message that lacks one is worth more than none."""
    try:
        return context.records.point(point)
    except RecordUnreadable:
        return None
