"""Replication metrics by rule: how much waits, how long it has waited, how much failed.

Source: S3 User Guide, "Metrics and dimensions: S3 Replication metrics in CloudWatch" (namespace AWS/S3, dimensions
SourceBucket, DestinationBucket and RuleId), told only for rules that ask for metrics, in the region of the source.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.s3.replication_rules import Rule, rules_of

if TYPE_CHECKING:
    from pilotlight.local.s3.replication import Task

METRIC_SECONDS = 5.0
"""Real seconds between two measurements; S3 measures every minute."""

Way = tuple[str, str, str]


class Measures:
    """Counts tasks as they begin and end."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pending: dict[Way, dict[int, Task]] = {}
        self._failed: dict[Way, int] = {}
        self._lock = threading.Lock()

    def begun(self, task: Task) -> None:
        """A task waits."""
        with self._lock:
            self._pending.setdefault(_way(task), {})[task.number] = task

    def ended(self, task: Task, *, failed: bool) -> None:
        """It is done, or failed."""
        with self._lock:
            self._pending.get(_way(task), {}).pop(task.number, None)
            if failed:
                self._failed[_way(task)] = self._failed.get(_way(task), 0) + 1

    def tell(self) -> None:
        """Tell CloudWatch."""
        for bucket in list(self._cloud.backend("s3", "aws").buckets.values()):
            if getattr(bucket, "replication", None) and not self._cloud.is_dark(bucket.region_name):
                for rule in rules_of(bucket.replication):
                    if rule.has_metrics:
                        self._tell(bucket, rule)

    def _tell(self, bucket: Any, rule: Rule) -> None:
        way = (bucket.name, rule.destination, rule.id)
        with self._lock:
            waiting = list(self._pending.get(way, {}).values())
            failed = self._failed.pop(way, 0)
        now = time.monotonic()
        values = {
            "OperationsPendingReplication": (len(waiting), "Count"),
            "BytesPendingReplication": (sum(task.size_bytes for task in waiting), "Bytes"),
            "ReplicationLatency": (max((now - task.since for task in waiting), default=0.0), "Seconds"),
            "OperationsFailedReplication": (failed, "Count"),
        }
        names = ("SourceBucket", "DestinationBucket", "RuleId")
        dimensions = [{"Name": name, "Value": value} for name, value in zip(names, way, strict=True)]
        data = [
            {"MetricName": name, "Value": value, "Unit": unit, "Dimensions": dimensions}
            for name, (value, unit) in values.items()
        ]
        self._cloud.backend("cloudwatch", bucket.region_name).put_metric_data("AWS/S3", data)


def _way(task: Task) -> Way:
    return task.bucket, task.destination, task.rule_id
