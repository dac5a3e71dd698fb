"""Compute groups: up to the count and in service, or down to nothing; with what AWS says when capacity is short.

The group's mixed instances policy walks the list of instance types by itself (Auto Scaling User Guide, "Allocation
strategies": prioritized); what it could not get is read from its scaling activities. Auto Scaling goes on trying, so
shortage of every type is only an error after some patience.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Underway, Wait
from pilotlight.runtime.kinds.autoscaling import launching, replacements
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.autoscaling.software import specification
from pilotlight.runtime.records.evidence import Restored
from pilotlight.runtime.records.runs import Arguments

SCALE_SECONDS = 900
"""Boot, user data and health checks of a GPU instance that loads weights."""
STOP_SECONDS = 900
"""Deregistration from balancers may take its full delay (300 s by default) before instances end."""
EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 120
"""Auto Scaling repeats a failed launch within this time, in other zones too."""
PAGE_RECORDS = 100
"""Auto Scaling API, DescribeScalingActivities: the most that one page holds; further pages are asked for."""
LAUNCH = "Launch"


@dataclass(frozen=True)
class OneInstance(Arguments):
    """Which instance, in launch order."""

    TAGS: ClassVar[tuple[str, ...]] = ("one-instance",)

    index: int = 0
    kind: str = field(default="one-instance", kw_only=True)


@dataclass(frozen=True)
class Stopping(Arguments):
    """`suspend` keeps the group from launching any instance: a fence."""

    TAGS: ClassVar[tuple[str, ...]] = ("stopping",)

    suspend: bool = False
    kind: str = field(default="stopping", kw_only=True)


def name_of(work: StepContext) -> str:
    """The group in the step's region."""
    asset = work.compute()
    return asset.standby_group if work.region == work.inventory.standby else asset.primary_group


class Scale:
    """The group has its count of instances in service. Arguments: region."""

    wait = Wait(SCALE_SECONDS, EVERY_SECONDS, "boot, user data, health checks")

    def ask(self, work: StepContext) -> Answer:
        """In service; or wished for, with what AWS refused so far; or not wished for."""
        found, count = _group(work), work.compute().count
        serving = [each for each in found["Instances"] if _serves(each)]
        if len(serving) >= count and LAUNCH not in suspended(found):
            return Proven({"instances": [_shown(each) for each in serving], "refused": self._refused(work)})
        if found["DesiredCapacity"] < count or LAUNCH in suspended(found):
            may = "" if LAUNCH not in suspended(found) else "; it may launch none"
            return Absent(f"{found['DesiredCapacity']} instances wished for, {len(serving)} in service{may}")
        return Underway(self._observed(work, found, len(serving), count))

    def act(self, work: StepContext) -> None:
        """Wish for the count; let the group launch again where a fence had stopped it."""
        found, count = _group(work), work.compute().count
        if LAUNCH in suspended(found):
            _processes(work, "resume_processes")
        _resize(work, MinSize=count, DesiredCapacity=count, MaxSize=max(count, found["MaxSize"]))

    def _observed(self, work: StepContext, found: dict[str, Any], serving: int, count: int) -> str:
        """Nothing is refused to a group that has all the instances that it wishes for, and they only boot."""
        refused = self._refused(work) if len(found["Instances"]) < found["DesiredCapacity"] else {}
        types = work.compute().instance_types
        patient = work.begun_at is None or work.clock.now() < work.begun_at + PATIENCE_SECONDS
        if refused and not patient and set(types) <= refused.keys():
            raise work.failed("none of the instance types is to be had: " + _listed(refused))
        return f"{serving} of {count} instances in service" + (f"; refused: {_listed(refused)}" if refused else "")

    def _refused(self, work: StepContext) -> dict[str, str]:
        """Instance type -> AWS's words, from the activities since the step began; `?` where they name no type."""
        since = stamp(work.begun_at) if work.begun_at else ""
        refused: dict[str, str] = {}
        for activity in _activities(work, since):
            if activity.get("StatusCode") == "Failed":
                words = str(activity.get("StatusMessage", ""))
                named = [kind for kind in work.compute().instance_types if kind in words] or ["?"]
                refused |= {kind: words for kind in named if kind not in refused}
        return refused


class LaunchOne(Scale):
    """One more instance, from the version with its own volumes. Arguments: OneInstance.

    Nothing else may be launched from that version: the group's wish is raised by one, and the next step moves on.
    """

    def ask(self, work: StepContext) -> Answer:
        """Whether an instance of this version is a member."""
        found, index, version = _group(work), work.arguments(OneInstance).index, _version(work)
        members = launching.members(found, _restored(work).template)
        instance = next((each for each, of in members.items() if of == version), "")
        if instance:
            return Proven({"index": index, "instance": instance, "version": version})
        named = specification(found)
        if named.get("Version") == version and launching.launches(found) and found["DesiredCapacity"] > index:
            return Underway(self._observed(work, found, len(members), work.compute().count))
        return Absent(f"no instance was launched from version {version} yet")

    def act(self, work: StepContext) -> None:
        """Point the group at the version, let it launch, wish for one more."""
        found, wished = _group(work), work.arguments(OneInstance).index + 1
        name = _restored(work).template
        sizes = {"MinSize": 0, "DesiredCapacity": wished, "MaxSize": max(work.compute().count, found["MaxSize"])}
        if not launching.launches(found):
            launching.let_launch(work.client, work.region, found, True)
        launching.point(work.client, work.region, found, name, _version(work), **sizes)


class Hold(Scale):
    """Every instance is in service, each with its own volumes, and the group launches none by itself: it would get
    another one's. What ends is replaced by the scheduled probe (replacements.py). Arguments: region."""

    def ask(self, work: StepContext) -> Answer:
        """By index; what is missing is launched anew."""
        found, restored = _group(work), _restored(work)
        held = replacements.held_by(restored)
        if isinstance(replacements.decide(found, held), replacements.Idle):
            serving = [each for each in found["Instances"] if _serves(each)]
            if len(serving) >= len(held.versions):
                return Proven({"instances": [_shown(each) for each in serving], "refused": self._refused(work)})
            return Underway(self._observed(work, found, len(serving), len(held.versions)))
        return Absent(replacements.told(found, held))

    def act(self, work: StepContext) -> None:
        """What the probe would do at its next look."""
        found, restored = _group(work), _restored(work)
        held = replacements.held_by(restored)
        replacements.act(work.client, work.region, found, held)


class Stop:
    """The group has no instances. Arguments: Stopping."""

    wait = Wait(STOP_SECONDS, EVERY_SECONDS, "deregistration delays")

    def ask(self, work: StepContext) -> Answer:
        """Nothing there and nothing wished for."""
        found = _group(work)
        wished, there = found["DesiredCapacity"], len(found["Instances"])
        closed = LAUNCH in suspended(found) or not work.arguments(Stopping).suspend
        if wished or not closed:
            return Absent(f"{wished} instances wished for, {there} there")
        if there:
            return Underway(f"{there} instances are ending")
        return Proven({"group": found["AutoScalingGroupName"], "instances": 0, "suspended": suspended(found)})

    def act(self, work: StepContext) -> None:
        """First nothing new, then none at all."""
        if work.arguments(Stopping).suspend:
            _processes(work, "suspend_processes")
        _resize(work, MinSize=0, DesiredCapacity=0)


def _restored(work: StepContext) -> Restored:
    """What the step before has proven: the run's template, and its version by index."""
    found = work.proof(replacements.RESTORED + work.step.asset, Restored)
    if found is None:
        raise work.failed("no template of this run is proven")
    return found


def _version(work: StepContext) -> str:
    return str(_restored(work).versions[work.arguments(OneInstance).index])


def _group(work: StepContext) -> dict[str, Any]:
    found = group(work.client, work.region, name_of(work))
    if not found:
        raise work.failed(f"there is no Auto Scaling group {name_of(work)}")
    return found


def _serves(instance: dict[str, Any]) -> bool:
    return bool(instance["LifecycleState"] == "InService" and instance["HealthStatus"].lower() == "healthy")


def _shown(instance: dict[str, Any]) -> dict[str, str]:
    return {
        "id": instance["InstanceId"],
        "type": instance.get("InstanceType", ""),
        "zone": instance.get("AvailabilityZone", ""),
    }


def suspended(found: dict[str, Any]) -> list[str]:
    """The processes of a group that do not run."""
    return [each["ProcessName"] for each in found.get("SuspendedProcesses", [])]


def _resize(work: StepContext, **sizes: int) -> None:
    work.client.call(
        "autoscaling", "update_auto_scaling_group", work.region, AutoScalingGroupName=name_of(work), **sizes
    )


def _processes(work: StepContext, operation: str) -> None:
    work.client.call(
        "autoscaling", operation, work.region, AutoScalingGroupName=name_of(work), ScalingProcesses=[LAUNCH]
    )


def _activities(work: StepContext, since: str) -> Iterator[dict[str, Any]]:
    """The activities that began since then, the newest first, page by page."""
    name = name_of(work)
    for page in work.client.pages(
        "autoscaling", "describe_scaling_activities", work.region, AutoScalingGroupName=name, MaxRecords=PAGE_RECORDS
    ):
        for activity in page["Activities"]:
            if stamp(activity["StartTime"].timestamp()) < since:
                return
            yield activity


def _listed(refused: dict[str, str]) -> str:
    return "; ".join(f"{kind}: {words}" for kind, words in sorted(refused.items()))
