"""What must be so in every disaster, looked at in AWS itself: at each act that could break it, and at the end."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from disaster_world import BUCKETS, FLEET, DisasterAws, current
from scheduling import Process

from model.checker import problems as not_a_path
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.kinds.volumes.reference import VolumeReference
from pilotlight.runtime.naming import RECORD_POINTS
from pilotlight.runtime.records.point import read_reference
from pilotlight.runtime.records.runs import FAILED, PROVEN, RUNNING, SUCCEEDED, SUPERSEDED, WITHDRAWN, Runbook
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.store.lease import PROTECT, RUN
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING
from support.fake_aws import NAMES, PRIMARY, STANDBY, inventory, recovery_of

ONE_WRITER, RECORD, PROOF, TRAFFIC = "one-writer", "record-goes-forward", "proof-stands-at-commit", "traffic-to-proven"
CHOSEN, LISTED, KEPT, NEWER = (
    "chosen-copies-stay",
    "listed-can-be-recovered",
    "acknowledged-is-kept",
    "newer-bytes-stay",
)
FENCED = "no-act-after-the-lease-is-lost"
NEEDED = "no-failover-that-is-over"
JOURNAL = "journal-is-a-path"
RUNBOOKS = {"failover": runbooks.failover, "failback": runbooks.failback, "fence-returned": runbooks.fence_returned}
ENDS, WHOLE, REST = "runs-end", "whole-at-rest", "second-loss-keeps-the-rest"
INVARIANTS = {
    ONE_WRITER: "the database's writer, running compute and open buckets are on one side at commit and at rest",
    RECORD: "the active record never goes to an older epoch, and an older run never writes it after a newer began",
    FENCED: "no act is sent by a run, or a scheduled run, whose lease another has taken",
    NEEDED: "an alarm fails over only the region that has served since before the alarm",
    PROOF: "what a run has proven is so when it says that a region serves, whatever an older run did late",
    TRAFFIC: "traffic is moved only to a region that answers",
    CHOSEN: "copies of the point that an unfinished run has chosen are not deleted",
    LISTED: "every point that is listed as usable can be recovered from",
    KEPT: "every object that the workload was told is written is there after the way home, or named as lost",
    NEWER: "no older bytes come over newer ones",
    ENDS: "every run succeeds, fails with a reason, is superseded, or waits for a person",
    JOURNAL: "every line of every journal is one that the protocol lets its holder write there",
    WHOLE: "at rest one region serves whole: writer, compute, buckets, traffic, as the record says",
    REST: "after a second loss the newest point is there still, and can be recovered from",
}
ACTING = ("rds", "autoscaling", "ec2", "s3", "ssm", "cloudwatch")
"""Services whose acts a lease is for; people are told, and a function is invoked, by whoever has lost one, too."""
CLOCKS_SECONDS = 125.0
"""Two clocks that are a minute off, each its way."""
AFTER_LOOK_SECONDS = 5.0
"""The last look before a commit is a few calls long; what an older run does while it lasts, or later, is found by who
looks next (docs/adr/0019), not by this run."""


_ACTIVE = (NAMES.journal_table, "active", "active")


@dataclass(frozen=True)
class Broken:
    """An invariant that did not hold, at a virtual second."""

    invariant: str
    at: float
    what: str


@dataclass(frozen=True)
class Written:
    """An object that the workload was told is written."""

    key: str
    body: bytes
    region: str
    at: float


@dataclass
class Judge:
    """Of one disaster."""

    aws: DisasterAws
    began: float
    broken: list[Broken] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    written: list[Written] = field(default_factory=list)
    held: dict[tuple[str, str], int] = field(default_factory=dict)
    """(holder, lease) -> the epoch that it took and has not given back."""
    newest: dict[str, int] = field(default_factory=dict)
    """Lease -> the newest epoch."""
    deleted: set[str] = field(default_factory=set)
    """Copies that somebody else deleted: no fault of who lists them."""
    acts_by: dict[str, str] = field(default_factory=dict)
    """Holder -> the lease that it took last: what its acts are for now."""
    seen_at: dict[str, float] = field(default_factory=dict)
    """Process that an alarm began -> when it went off."""
    late_at: float = 0.0
    """When an act of an older epoch last took effect."""
    looked_at: dict[str, float] = field(default_factory=dict)

    def check(self, invariant: str, problems: list[str]) -> None:
        """Hold it against what was found."""
        self.checked[invariant] += 1
        if problems:
            at = round(self.aws.clock.now() - self.began, 2)
            self.broken.append(Broken(invariant, at, "; ".join(problems)))

    # -- acts --------------------------------------------------------------------------------------------------

    def before(self, service: str, operation: str, region: str, parameters: dict[str, Any]) -> Any:
        """What has to be known of the moment before an act."""
        if service == "dynamodb":
            return self._raw()
        if operation in ("delete_snapshot", "deregister_image"):
            self._delete(parameters.get("SnapshotId") or parameters["ImageId"], region)
        if operation == "copy_object":
            self._copied(parameters)
        if operation.startswith("create_launch_template"):
            self._goes_by()
        return None

    def after(self, who: Process, service: str, operation: str, region: str, given: dict[str, Any], was: Any) -> None:
        """An act took effect."""
        if service == "dynamodb":
            self._said(who, operation, given, was)
            return
        if service in ACTING and self.stale(who, RUN):
            self.late_at = self.aws.clock.now()
            self.reached["an older run's act took effect"] += 1
        if operation == "put_metric_data":
            self._traffic(who, given)

    def _said(self, who: Process, operation: str, given: dict[str, Any], was: dict[str, Any]) -> None:
        if operation == "update_item" and given["Key"]["pk"]["S"] == "lease":
            self._leased(who, given)
        elif operation == "transact_write_items":
            for each in given["TransactItems"]:
                item = each.get("Put", {}).get("Item", {})
                if item.get("step", {}).get("S") == "look-again" and item["state"]["S"] == PROVEN:
                    self.looked_at[item["pk"]["S"].removeprefix("run#")] = self.aws.clock.now()
        if self._raw() is not was:
            self._recorded(who, _plain(was), self.record())

    def _leased(self, who: Process, given: dict[str, Any]) -> None:
        lease = given["Key"]["sk"]["S"]
        item = self.item("lease", lease)
        if item["holder"] != who.name:
            return
        if float(item["expires_at"]) == 0:
            self.held.pop((who.name, lease), None)
            self.acts_by[who.name] = PROTECT
            return
        if self.held.get((who.name, lease)) != int(item["epoch"]):
            self.acts_by[who.name] = lease
        self.held[who.name, lease] = int(item["epoch"])
        self.newest[lease] = max(self.newest.get(lease, 0), int(item["epoch"]))

    def stale(self, who: Process, lease: str) -> bool:
        """Whether a process goes on by an epoch of a lease that another has taken since."""
        epoch = self.held.get((who.name, lease))
        return epoch is not None and epoch < self.newest[lease]

    def begins(self, who: Process, service: str, operation: str, region: str) -> None:
        """An act is sent: nothing of the schedule comes between the look at the lease and this."""
        lease = self.acts_by.get(who.name, RUN)
        epoch = self.held.get((who.name, lease))
        if epoch is not None:
            told = f"{who.name} sends {service}:{operation} in {region} by epoch {epoch} of {lease}"
            self.check(FENCED, [f"{told}; {self.newest[lease]} is taken"] if self.stale(who, lease) else [])

    def _recorded(self, who: Process, was: dict[str, Any], now: dict[str, Any]) -> None:
        held, before = int(now.get("held", 0)), int(was.get("held", 0))
        mine = self.held.get((who.name, RUN), 0)
        problems = []
        if int(now["epoch"]) < int(was.get("epoch", 0)) or held < before:
            problems.append(f"{who.name}: epoch {was.get('epoch')} (held {before}) became {now['epoch']} (held {held})")
        said = any(now.get(name) != was.get(name) for name in ("region", "state", "run"))
        if said and mine and mine < before:
            problems.append(f"{who.name} of epoch {mine} says {now['region']} {now['state']}; {before} had begun")
        self.check(RECORD, problems)
        if said and now["state"] == FAILING_OVER and was.get("state") == SERVING and who.name in self.seen_at:
            self._needed(who, was)
        if said and now["state"] == SERVING and now["run"]:
            self._committed(now["region"], now["run"])

    def _needed(self, who: Process, was: dict[str, Any]) -> None:
        since = parse_stamp(was["since"]) if was.get("since") else 0.0
        over = was["region"] == STANDBY or since > self.seen_at[who.name] + CLOCKS_SECONDS
        alarm = stamp(self.seen_at[who.name])
        told = f"{who.name} of an alarm at {alarm} begins; {was['region']} serves since {was['since']}"
        self.check(NEEDED, [told] if over else [])

    def _committed(self, region: str, run: str) -> None:
        if self.late_at > self.looked_at.get(run, self.aws.clock.now()) - AFTER_LOOK_SECONDS and run in self.looked_at:
            self.reached["an older run's act came after the last look"] += 1
            return
        self.check(PROOF, self.lacking(region))
        self.check(ONE_WRITER, self.beside(region, at_rest=False))

    def arrives(self, service: str) -> None:
        """An act whose sender had no answer in time is about to take effect."""
        if service in ACTING:
            self.late_at = self.aws.clock.now()

    def _traffic(self, who: Process, given: dict[str, Any]) -> None:
        for datum in given["MetricData"]:
            if datum["MetricName"] != "StandbyActive":
                continue
            target = STANDBY if datum["Value"] >= 1 else PRIMARY
            moved = self.aws.metrics["StandbyActive"][-2:]
            if len(moved) == 2 and moved[0] == moved[1]:
                continue
            group = self.aws.groups[target, FLEET[target]]
            serves = target in self.aws.dark or any(self.aws.clock.now() >= at for _, at in group.instances)
            if not serves and self.late_at > self.aws.clock.now() - AFTER_LOOK_SECONDS:
                # Its own late act, or another's between its look and its act: the probe moves traffic back
                # (docs/adr/0019), and at rest it is where the record says.
                self.reached["traffic beside a late act"] += 1
                continue
            self.check(TRAFFIC, [] if serves else [f"traffic goes to {target}, where nothing is in service"])

    def _copied(self, given: dict[str, Any]) -> None:
        """By the workload's own times: the source's bytes against what is current at the target."""
        bucket, key = given["Bucket"], given["Key"]
        there = current(self.aws, bucket, key)
        source = next(
            (each for each in self.aws.s3.objects[given["CopySource"]["Bucket"]].get(given["CopySource"]["Key"], ())
             if each.id == given["CopySource"]["VersionId"]), None
        )  # fmt: skip
        times = {each.body: each.at for each in self.written if each.key == key}
        if there is None or source is None or given.get("IfMatch", there.etag) != there.etag:
            return  # it is refused
        if "IfNoneMatch" in given and not there.deleted:
            return  # it is refused
        if not {there.body, source.body} <= set(times):
            return
        older = times[source.body] < times[there.body]
        self.check(NEWER, [f"{key}: {source.body!r} comes over {there.body!r} in {bucket}"] if older else [])

    def _delete(self, copy: str, region: str) -> None:
        if region != STANDBY:
            return
        for run, names in self.chosen().items():
            self.check(CHOSEN, [f"{copy} is deleted, and run {run} goes by it"] if copy in names else [])
        for point, names in self.listed().items():
            self.check(LISTED, [f"{copy} is deleted, and point {point} is listed"] if copy in names else [])

    def _goes_by(self) -> None:
        """Instances are about to come up with copies of the chosen point."""
        there = set(self.aws.snapshots[STANDBY]) | set(self.aws.images) | self.deleted
        for run, names in self.chosen().items():
            self.check(CHOSEN, [f"run {run} goes by {sorted(names - there)}"] if names - there else [])

    # -- looks at AWS itself -----------------------------------------------------------------------------------

    def items(self, pk: str) -> list[dict[str, Any]]:
        """Items of the journal table, plain."""
        table = self.aws.dynamodb
        return [_plain(table.items[key]) for key in table.partitions.get((NAMES.journal_table, pk), ())]

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        """One of them."""
        return _plain(self.aws.dynamodb.items.get((NAMES.journal_table, pk, sk), {}))

    def _raw(self) -> dict[str, Any]:
        found: dict[str, Any] = self.aws.dynamodb.items.get(_ACTIVE, {})
        return found

    def record(self) -> dict[str, Any]:
        """The active record."""
        return self.item("active", "active")

    def lacking(self, region: str) -> list[str]:
        """What the region that serves does not have."""
        aws, found = self.aws, list[str]()
        if aws.writer != region:
            found.append(f"{region} serves, and the writer is in {aws.writer}")
        group = aws.groups[region, FLEET[region]]
        if group.desired < 1 or not group.instances or "Launch" in group.suspended:
            found.append(f"{FLEET[region]} has {len(group.instances)} of {group.desired}, suspended {group.suspended}")
        found += [f"{each} denies writing" for each in BUCKETS[region] if region == PRIMARY and aws.fenced(each)]
        if (aws.metrics.get("StandbyActive", [0.0])[-1] >= 1) != (region == STANDBY):
            found.append(f"{region} serves, and traffic goes to the other")
        return found

    def beside(self, region: str, at_rest: bool) -> list[str]:
        """What the other region has still."""
        other = PRIMARY if region == STANDBY else STANDBY
        group, found = self.aws.groups[other, FLEET[other]], list[str]()
        if other == PRIMARY and not at_rest:
            return found
        if group.desired or (group.instances and other == STANDBY):
            found.append(f"{region} serves, and {FLEET[other]} has {group.desired} instances")
        if other == PRIMARY:
            found += [
                f"{region} serves, and {each} takes writes" for each in BUCKETS[PRIMARY] if not self.aws.fenced(each)
            ]
        return found

    def journals(self) -> dict[str, dict[str, Any]]:
        """Run -> its header."""
        return {each["sk"]: self.item(f"run#{each['sk']}", "run") for each in self.items("runs")}

    def chosen(self) -> dict[str, set[str]]:
        """Unfinished run -> the copies of the point that it goes by."""
        found, active = {}, self.record()
        for run, header in self.journals().items():
            if header.get("state") != RUNNING and not (active.get("run") == run and header.get("state") == FAILED):
                continue
            evidence: dict[str, Any] = {}
            for each in self.items(f"run#{run}"):
                if each.get("step") == "choose-point" and each["state"] in (PROVEN, WITHDRAWN):
                    evidence = json.loads(each["evidence"]) if each["state"] == PROVEN else {}
            launched = any(
                each.get("step", "").startswith("scale-") and each["state"] == PROVEN
                for each in self.items(f"run#{run}")
            )
            names = _copies(evidence.get("volumes", {})) | set(evidence.get("images", {}).values())
            if names and not launched:
                found[run] = names
        return found

    def listed(self) -> dict[str, set[str]]:
        """Usable point that is listed -> the copies that it names."""
        found = {}
        for line in self.items("points"):
            if line["status"] == "complete":
                found[line["sk"]] = self.copies_of(line["sk"])
        return found

    def copies_of(self, point: str) -> set[str]:
        """Snapshots that a point's record names; `record` where it cannot be read."""
        version = current(self.aws, NAMES.vault_bucket, f"{RECORD_POINTS}{point}.json")
        if version is None or version.deleted:
            return {"record"}
        return set(_copies_named(version.body))

    # -- the end -----------------------------------------------------------------------------------------------

    def points(self, second_loss: bool) -> None:
        """Every listed point against what is there."""
        there = set(self.aws.snapshots[STANDBY]) | set(self.aws.images)
        listed = self.listed()
        there |= self.deleted
        lost = {point: sorted(names - there) for point, names in listed.items() if names - there}
        self.check(LISTED, [f"point {point} lacks {names}" for point, names in lost.items()])
        if second_loss:
            self.check(
                REST, [] if set(listed) - set(lost) or self.deleted else ["no point is left that can be recovered from"]
            )

    def runs(self) -> None:
        """How each of them ended."""
        problems = []
        for run, header in self.journals().items():
            state, reason = header.get("state"), header.get("reason", "")
            if state == RUNNING and not self._fenced(run):
                self.reached["run that died before its fence stands as running"] += 1
                continue
            if state not in (SUCCEEDED, SUPERSEDED) and not (state == FAILED and reason):
                problems.append(f"{run} is {state} {reason}")
        self.check(ENDS, problems)
        for journal in recovery_of(self.aws).runs():
            if journal.kind in RUNBOOKS:
                self.check(JOURNAL, not_a_path(journal, _runbook(journal.kind)))

    def _fenced(self, run: str) -> bool:
        """Whether it came as far as changing anything; one that died before is left behind (runtime/runs/run.py)."""
        begun = {each.get("step") for each in self.items(f"run#{run}")}
        return bool(begun - {None, "take-lease", "preflight"})

    def rest(self) -> None:
        """One region serves whole, and nothing of the other does."""
        record = self.record()
        problems = [] if record["state"] == SERVING else [f"{record['region']} is {record['state']}"]
        self.check(WHOLE, problems or self.lacking(record["region"]))
        self.check(ONE_WRITER, self.beside(record["region"], at_rest=True))

    def objects(self) -> None:
        """Each key says what was written to it last; what was written before is below it."""
        self.aws.s3.cut = self.aws.dark
        self.aws.s3.arrive()
        region = self.record()["region"]
        bucket = BUCKETS[region][0]
        last: dict[str, Written] = {}
        for each in sorted(self.written, key=lambda each: each.at):
            last[each.key] = each
        problems = []
        for key, wanted in sorted(last.items()):
            found = current(self.aws, bucket, key)
            if found is None or found.deleted or found.body != wanted.body:
                says = found.body if found else "nothing"
                problems.append(f"{key}: {wanted.body!r} was written in {wanted.region}, {bucket} says {says!r}")
        self.check(KEPT, problems[:3])


@cache
def _runbook(kind: str) -> Runbook:
    return RUNBOOKS[kind](inventory())


@lru_cache(maxsize=256)
def _copies_named(record: bytes) -> frozenset[str]:
    """Snapshots in the record of a point."""
    parts = json.loads(record)["parts"]
    return frozenset(_copies({each["asset"]: each["reference"] for each in parts if each["kind"] == "volumes"}))


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: next(iter(each.values())) for name, each in item.items()}


def _copies(volumes: dict[str, Any]) -> set[str]:
    named = (read_reference(VolumeReference, each or {}) for each in volumes.values())
    return {copy for each in named if each for copy in each.copies}
