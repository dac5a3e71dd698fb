"""Instances with volumes of their own are replaced with the same ones: the probe looks every minute while it serves.

Auto Scaling launches what is missing from the version that the group names, whichever instance that is; a group whose
instances differ is therefore kept from launching. Here the version of the one that is missing is named, one instance is
launched, and the group is held again. Its disks begin from the point's snapshots; those of the instance that ended are
kept (`DeleteOnTermination` is false), and the journal of the run names what each index had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.autoscaling import launching
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.autoscaling.software import specification
from pilotlight.runtime.records.evidence import Restored
from pilotlight.runtime.records.inventory import Compute
from pilotlight.runtime.store.ledger import SERVING

RESTORED = "restore-"


@dataclass(frozen=True)
class Held:
    """A group's template of the run, and its version by index."""

    template: str
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Idle:
    """Every instance is a member, and the group launches none."""


@dataclass(frozen=True)
class Launch:
    """One more instance, of this index."""

    index: int


@dataclass(frozen=True)
class Wait:
    """The instance of this index is being launched."""

    index: int


@dataclass(frozen=True)
class Close:
    """All are there: the group may launch none by itself."""


Decision = Idle | Launch | Wait | Close


def decide(found: Mapping[str, Any], held: Held) -> Decision:
    """What a group with volumes of its own for each instance needs now (pure)."""
    members = launching.members(found, held.template)
    there = set(members.values())
    missing = [index for index, version in enumerate(held.versions) if version not in there]
    if not missing:
        return Close() if launching.launches(found) else Idle()
    named = specification(found)
    asked = (held.template, held.versions[missing[0]]) == (named.get("LaunchTemplateName"), named.get("Version"))
    wished = found["DesiredCapacity"] == len(members) + 1
    return Wait(missing[0]) if asked and wished and launching.launches(found) else Launch(missing[0])


def told(found: Mapping[str, Any], held: Held) -> str:
    """How it stands, in words (pure)."""
    members = launching.members(found, held.template)
    twice = [version for version, times in Counter(members.values()).items() if times > 1]
    also = f"; several have the volumes of version {', '.join(twice)}" if twice else ""
    match decide(found, held):
        case Idle():
            return f"{len(members)} instances, each with its own volumes{also}"
        case Close():
            return f"all {len(members)} are there; the group may still launch by itself{also}"
        case Launch(index) | Wait(index):
            return f"instance {index} of {len(held.versions)} is missing{also}"


def act(client: AwsClient, region: str, found: Mapping[str, Any], held: Held) -> None:
    """Do what was decided. The wish is what is there and the one that is missing, so that no other is launched."""
    match decide(found, held):
        case Close():
            launching.let_launch(client, region, found, False)
        case Launch(index):
            wished = len(launching.members(found, held.template)) + 1
            sizes = {"MinSize": 0, "DesiredCapacity": wished}
            launching.point(client, region, found, held.template, held.versions[index], **sizes)
            if not launching.launches(found):
                launching.let_launch(client, region, found, True)


def replace_missing(context: RecoveryContext) -> dict[str, str]:
    """Look at every such group while the standby serves, and do one thing for each that needs it. Group -> words."""
    spread = [each for each in context.inventory.computes if launching.spread(context.inventory, each)]
    if not spread:
        return {}
    active = context.ledger.active(context.inventory.primary)
    if active.region != context.inventory.standby or active.state != SERVING:
        return {}
    return {each.name: _kept(context, each, active.run) for each in spread}


def _kept(context: RecoveryContext, asset: Compute, run: str) -> str:
    """A refusal is told, and does not keep the other groups from being looked at."""
    try:
        region = context.inventory.standby
        held = _held(context, asset, run)
        found = group(context.client, region, asset.standby_group)
        if held is None or not found:
            return "no run has launched it with volumes of its own"
        words = told(found, held)
        if (now := context.ledger.active(context.inventory.primary)).run != run or now.state != SERVING:
            return f"who serves is being changed by run {now.run}"
        act(context.client, region, found, held)
        return words
    except CallRefused as refusal:
        return refusal.message


def _held(context: RecoveryContext, asset: Compute, run: str) -> Held | None:
    """What the run that made the standby serve has proven."""
    journal = context.ledger.journal(run)
    entry = journal.proven(RESTORED + asset.name) if journal else None
    found = entry.read(Restored) if entry else None
    if found is None or len(found.versions) < 2:
        return None
    return held_by(found)


def held_by(found: Restored) -> Held:
    """What a group is held to by what its run has proven (pure)."""
    return Held(found.template, tuple(str(each) for each in found.versions))
