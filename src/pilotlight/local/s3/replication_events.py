"""What S3 tells of replication, object by object: failed, late, there after all, no longer tracked.

Source: S3 User Guide, "Receiving replication failure events with Amazon S3 Event Notifications" (a rule needs metrics;
the two about the threshold need Replication Time Control too), "Supported event types". The threshold is the rule's
EventThreshold, in AWS time: its minutes pass as fast here as all of AWS's.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.s3.event_messages import Replicated, duration, replication_event
from pilotlight.local.s3.event_notifications import EventNotifications
from pilotlight.local.s3.replicas import is_marker
from pilotlight.local.s3.replication import DONE, TAGS, UNTRACKED, Replication, Task
from pilotlight.local.s3.replication_rules import Rule
from pilotlight.local.wire.buckets import find_bucket

FAILED_EVENT = "s3:Replication:OperationFailedReplication"
MISSED_EVENT = "s3:Replication:OperationMissedThreshold"
LATE_EVENT = "s3:Replication:OperationReplicatedAfterThreshold"
UNTRACKED_EVENT = "s3:Replication:OperationNotTracked"
LOOK_SECONDS = 0.5
"""Real seconds between two looks at what is late."""


@dataclass(frozen=True)
class Tracked:
    """An operation that is not done yet: since when, in seconds of a monotonic clock, and the threshold in AWS seconds,
    where the rule has one."""

    about: Replicated
    since: float
    threshold_seconds: float | None
    is_told: bool = False


class ReplicationEvents(Behaviour):
    """Watches replication."""

    name = "replication-events"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._events = cloud.behaviour(EventNotifications)
        self._tracked: dict[int, Tracked] = {}
        self._lock = threading.Lock()
        cloud.behaviour(Replication).watchers.append(self)

    def start(self) -> None:
        self.cloud.every(LOOK_SECONDS, self.look, "replication events")

    def begun(self, task: Task, rule: Rule, version: Any) -> None:
        """A version waits to be replicated."""
        if rule.has_metrics:
            threshold = None if rule.threshold_minutes is None else rule.threshold_minutes * 60.0
            with self._lock:
                self._tracked[task.number] = Tracked(_about(task, version), task.since, threshold)

    def ended(self, task: Task, outcome: str) -> None:
        """DONE, UNTRACKED, or why it failed."""
        with self._lock:
            tracked = self._tracked.pop(task.number, None)
        if tracked is None:
            return
        if self._is_late(tracked) and not tracked.is_told:
            self._tell_missed(tracked)
        if outcome == UNTRACKED:
            self._tell(UNTRACKED_EVENT, tracked)
        elif outcome != DONE:
            self._tell(FAILED_EVENT, tracked, failureReason=outcome)
        elif self._is_late(tracked):
            took = (time.monotonic() - tracked.since) * self.cloud.pace
            self._tell(LATE_EVENT, tracked, threshold=_threshold(tracked), replicationTime=duration(took))

    def look(self) -> None:
        """Tell of everything that has missed its threshold since; a lost region tells nothing until it is back."""
        with self._lock:
            late = {
                number: each
                for number, each in self._tracked.items()
                if not each.is_told and self._is_late(each) and not self.cloud.is_dark(each.about.region)
            }
            self._tracked |= {number: replace(each, is_told=True) for number, each in late.items()}
        for each in late.values():
            self._tell_missed(each)

    def _is_late(self, tracked: Tracked) -> bool:
        seconds = tracked.threshold_seconds
        return seconds is not None and time.monotonic() - tracked.since > self.cloud.real_seconds(seconds)

    def _tell_missed(self, tracked: Tracked) -> None:
        self._tell(MISSED_EVENT, tracked, threshold=_threshold(tracked))

    def _tell(self, event: str, tracked: Tracked, **more: str) -> None:
        request, now, about = secrets.token_hex(8).upper(), time.time(), tracked.about
        self._events.notify(
            about.bucket,
            event,
            about.key,
            lambda entry: json.dumps(replication_event(event, about, entry, request, now, more)),
        )


def _threshold(tracked: Tracked) -> str:
    return duration(tracked.threshold_seconds or 0.0)


def _about(task: Task, version: Any) -> Replicated:
    source, marker = find_bucket(task.bucket), is_marker(version)
    assert source is not None
    operation = "OBJECT_DELETE" if marker else "OBJECT_PUT_TAGGING" if task.what == TAGS else "OBJECT_PUT"
    return Replicated(
        bucket=task.bucket,
        account=str(source.account_id),
        region=str(source.region_name),
        key=task.name,
        version=task.version,
        size_bytes=None if marker else int(version.size),
        etag="" if marker else str(version.etag).strip('"'),
        rule_id=task.rule_id,
        destination=task.destination,
        operation=operation,
        requested_at=time.time(),
    )
