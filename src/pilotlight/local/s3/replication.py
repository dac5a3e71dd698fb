"""S3 replication: asynchronous, per object, by rules that were put before the object, by a role that may do it.

Source: S3 User Guide, "Replicating objects within and across Regions", "What does Amazon S3 replicate?", "Getting
replication status information", "Setting up permissions for live replication", "Using S3 Replication metrics". moto
keeps a configuration and does nothing. Here a version that matches is PENDING, then COMPLETED or for good FAILED;
its replica is REPLICA and is not replicated again. Each object has its own delay, so order is not kept, as in S3.
While a region it needs is lost, an object stays PENDING; it is replicated when the region is back.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from pilotlight.local.kernel.cloud import Behaviour, Call, Cloud
from pilotlight.local.s3.replicas import REPLICA, add_marker, add_object, find_version, is_marker, set_tags, tags_of
from pilotlight.local.s3.replication_api import replace_operations
from pilotlight.local.s3.replication_metrics import METRIC_SECONDS, Measures
from pilotlight.local.s3.replication_permissions import Permissions
from pilotlight.local.s3.replication_rules import Rule, first_by_destination, rules_of
from pilotlight.local.wire.buckets import find_bucket

DELAY_SECONDS = 0.3
"""Mean time until a small object is replicated, in real seconds; S3 takes seconds for most objects."""

BYTES_PER_SECOND = 125_000_000
"""What a large object adds: 1 Gbit/s, the default rate of S3 Replication Time Control."""

PENDING, COMPLETED, FAILED = "PENDING", "COMPLETED", "FAILED"
VERSION, TAGS = "version", "tags"
DONE, UNTRACKED = "", "untracked"
"""What becomes of a task, or one of S3's own words for why it failed: S3 User Guide, "Amazon S3 replication failure
reasons". Untracked: the version was deleted before, or its rule is not there any more."""


@dataclass(order=True)
class Task:
    """One version, or its tags, for one destination."""

    due: float
    number: int
    bucket: str = field(compare=False)
    name: str = field(compare=False)
    version: str = field(compare=False)
    destination: str = field(compare=False)
    rule_id: str = field(compare=False)
    what: str = field(compare=False)
    size_bytes: int = field(compare=False)
    since: float = field(compare=False)


class Watcher(Protocol):
    """Who is told of tasks, while S3 stands still."""

    def begun(self, task: Task, rule: Rule, version: Any) -> None:
        """One waits."""

    def ended(self, task: Task, outcome: str) -> None:
        """It is over; DONE, UNTRACKED or a reason."""


class Replication(Behaviour):
    """Carries versions from bucket to bucket."""

    name = "replication"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.measures = Measures(cloud)
        self.watchers: list[Watcher] = []
        self._permissions = Permissions(cloud)
        self._mean_seconds = DELAY_SECONDS
        self._numbers = itertools.count()
        self._fresh: list[tuple[str, Any, str]] = []
        self._queue: list[Task] = []
        self._parked: list[Task] = []
        self._held = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="replication", daemon=True)
        replace_operations(self)

    def start(self) -> None:
        self._thread.start()
        self.cloud.every(METRIC_SECONDS, self.measures.tell, "replication metrics")

    def after(self, call: Call) -> None:
        """What the call wrote has its status before the caller has an answer."""
        if call.service == "s3" and self._fresh:
            self._judge_fresh()

    def lightened(self, region: str) -> None:
        """What stood still goes on."""
        with self._wake:
            parked, self._parked = self._parked, []
            for task in parked:
                self._push(task)

    def stop(self) -> None:
        with self._wake:
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def set_delay(self, mean_seconds: float) -> None:
        """Mean time until a small object is replicated, for what is written from now on."""
        self._mean_seconds = mean_seconds

    def hold(self) -> None:
        """Stand still: what is written waits; nothing is under way any more when this returns."""
        with self._wake:
            self._held = True
        with self.cloud.lock("s3"):
            return

    def go_on(self) -> None:
        """End a hold."""
        with self._wake:
            self._held = False
            self._wake.notify_all()

    def notice(self, bucket: str, version: Any, what: str) -> None:
        """A version was written, or its tags were; judged once the call has given it its metadata and tags."""
        with self._wake:
            self._fresh.append((bucket, version, what))
            self._wake.notify_all()

    def eligible(self, bucket: str) -> Iterator[Any]:
        """Every version and marker of a bucket that some rule of today selects, whatever its status."""
        source = self._bucket(bucket)
        assert source is not None
        for name in list(source.keys):
            for version in source.keys.getlist(name):
                if version.version_id != "null" and self._rules_for(source, version, VERSION):
                    yield version

    def again(self, bucket: str, version: Any) -> bool:
        """Replicate what lies there already, by the rules of today; whether any selects it."""
        rules = self._rules_for(self._bucket(bucket), version, VERSION)
        for rule in first_by_destination(rules):
            self._begin(bucket, version, rule, VERSION)
        return bool(rules)

    # -- which objects ---------------------------------------------------------------------------------------

    def _judge_fresh(self) -> None:
        with self.cloud.lock("s3"):
            with self._wake:
                fresh, self._fresh = self._fresh, []
            for bucket, version, what in fresh:
                self._judge(bucket, version, what)

    def _judge(self, bucket: str, version: Any, what: str) -> None:
        source = self._bucket(bucket)
        if version.version_id == "null":
            return
        for rule in first_by_destination(self._rules_for(source, version, what)):
            self._begin(bucket, version, rule, what)

    def _rules_for(self, source: Any, version: Any, what: str) -> list[Rule]:
        configuration = getattr(source, "replication", None)
        return [each for each in rules_of(configuration or {}) if self._wants(source, each, version, what)]

    def _wants(self, source: Any, rule: Rule, version: Any, what: str) -> bool:
        if is_marker(version):
            return rule.selects_marker(version.name)
        if version.encryption == "aws:kms" and not rule.selects_kms:
            return False
        if not rule.selects(version.name, tags_of(self._backend(source), version)):
            return False
        if what == VERSION:
            return True
        if _status(version) == REPLICA:
            return rule.replicates_modifications
        return rule.destination in _statuses(version) and _statuses(version)[rule.destination] != PENDING

    def _begin(self, bucket: str, version: Any, rule: Rule, what: str) -> None:
        _set_status(version, rule.destination, PENDING)
        now = time.monotonic()
        size = 0 if is_marker(version) or what == TAGS else int(version.size)
        task = Task(
            due=now,
            number=next(self._numbers),
            bucket=bucket,
            name=version.name,
            version=version.version_id,
            destination=rule.destination,
            rule_id=rule.id,
            what=what,
            size_bytes=size,
            since=now,
        )
        self.measures.begun(task)
        for watcher in self.watchers:
            watcher.begun(task, rule, version)
        with self._wake:
            self._push(task)

    def _push(self, task: Task) -> None:
        wait = self._mean_seconds * self.cloud.random.uniform(0.5, 1.5) + task.size_bytes / BYTES_PER_SECOND
        task.due = time.monotonic() + wait
        heapq.heappush(self._queue, task)
        self._wake.notify_all()

    # -- when ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self.cloud.stopping.is_set():
            try:
                self._judge_fresh()
                for task in self._take_due():
                    self._carry_out(task)
            except Exception:
                self.cloud.log(f"replication: {traceback.format_exc()}")

    def _take_due(self) -> list[Task]:
        """The tasks whose time has come; waits for the next one, for something fresh, or for the end."""
        with self._wake:
            if not self._fresh and not self.cloud.stopping.is_set():
                is_waiting = self._queue and not self._held
                self._wake.wait(self._queue[0].due - time.monotonic() if is_waiting else None)
            due: list[Task] = []
            while self._queue and not self._held and self._queue[0].due <= time.monotonic():
                due.append(heapq.heappop(self._queue))
            return due

    def _carry_out(self, task: Task) -> None:
        with self.cloud.lock("s3"):
            if self._held:
                with self._wake:
                    heapq.heappush(self._queue, task)
                return
            version = find_version(self._bucket(task.bucket), task.name, task.version)
            if version is None:
                self._end(task, UNTRACKED, failed=False)
                return
            if self._is_cut(task):
                with self._wake:
                    self._parked.append(task)
                return
            outcome = self._replicate(task, version)
            _set_status(version, task.destination, COMPLETED if outcome == DONE else FAILED)
            self._end(task, outcome, failed=outcome != DONE)

    def _end(self, task: Task, outcome: str, *, failed: bool) -> None:
        self.measures.ended(task, failed=failed)
        for watcher in self.watchers:
            watcher.ended(task, outcome)

    def _is_cut(self, task: Task) -> bool:
        buckets = (self._bucket(task.bucket), self._bucket(task.destination))
        return any(bucket is not None and self.cloud.is_dark(bucket.region_name) for bucket in buckets)

    # -- how -------------------------------------------------------------------------------------------------

    def _replicate(self, task: Task, version: Any) -> str:
        """DONE once the replica is there; everything else is for good."""
        source, target = self._bucket(task.bucket), self._bucket(task.destination)
        configuration = getattr(source, "replication", None) or {}
        rule = next((each for each in rules_of(configuration) if each.id == task.rule_id and each.is_enabled), None)
        if rule is None:
            return UNTRACKED
        if target is None:
            return "DstBucketNotFound"
        if not target.is_versioned:
            return "DstBucketUnversioned"
        if getattr(source, "object_lock_enabled", False) and not target.object_lock_enabled:
            return "DstBucketObjectLockConfigMissing"
        permissions = self._permissions.of(str(configuration["Role"]), source, target)
        if not permissions.may_assume():
            return "AssumeRoleNotPermitted"
        if is_marker(version):
            return (
                self._add_marker(target, version) if permissions.may_delete(version.name) else "DstDelObjNotPermitted"
            )
        if task.what == TAGS:
            return permissions.untagged(version.name) or self._copy_tags(source, target, version)
        key_arn = permissions.replica_key(version, rule)
        refused = permissions.uncopied(version, key_arn)
        if refused:
            return refused
        if find_version(target, version.name, version.version_id) is None:
            replica = add_object(target, version, rule, key_arn)
            if not permissions.untagged(version.name):
                set_tags(self._backend(target), replica, tags_of(self._backend(source), version))
        return DONE

    def _add_marker(self, target: Any, version: Any) -> str:
        if find_version(target, version.name, version.version_id) is None:
            add_marker(target, version)
        return DONE

    def _copy_tags(self, source: Any, target: Any, version: Any) -> str:
        replica = find_version(target, version.name, version.version_id)
        if replica is None:
            return "DstVersionNotFound"
        set_tags(self._backend(target), replica, tags_of(self._backend(source), version))
        return DONE

    def _backend(self, bucket: Any) -> Any:
        return self.cloud.backend("s3", "aws", bucket.account_id)

    def _bucket(self, name: str) -> Any | None:
        return find_bucket(name)


def _status(version: Any) -> str | None:
    return getattr(version, "replication_status", None)


def _statuses(version: Any) -> dict[str, str]:
    found: dict[str, str] = version.__dict__.setdefault("replication_statuses", {})
    return found


def _set_status(version: Any, destination: str, status: str) -> None:
    """With several destinations: PENDING until all are done, FAILED if any failed. A replica stays one."""
    statuses = _statuses(version)
    statuses[destination] = status
    if _status(version) != REPLICA:
        told = set(statuses.values())
        version.replication_status = next(each for each in (PENDING, FAILED, COMPLETED) if each in told)
