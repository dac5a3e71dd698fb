"""Events: the queue of the primary region that S3 tells of replication that failed or is late.

S3 sends events about replication to SQS, SNS and Lambda, not to EventBridge, and only to a queue of the bucket's own
region (S3 User Guide, "Receiving replication failure events with Amazon S3 Event Notifications" and "Granting
permissions to publish event notification messages to a destination"). That a bucket sends is said on the bucket, whose
notification configuration is the user's: `up` adds to it (deploy/bucket_events.py; docs/adr/0013-events.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import policies

KEPT_SECONDS = 14 * 24 * 3600
"""The longest that SQS keeps a message (SQS API, CreateQueue): schedules may be still for days."""
IN_HAND_SECONDS = 120
"""Whoever reads deletes within a minute what it has read; what a function that was ended had in its hands is there for
the next one soon, and not after the quarter of an hour that a function may take."""


@dataclass(frozen=True)
class EventsSpec:
    """One queue for all buckets of a workload."""

    region: str
    queue: str
    policy: str
    tags: dict[str, str]


@dataclass(frozen=True)
class EventsArgs:
    """What is made."""

    spec: EventsSpec


def events_spec(inventory: Inventory) -> EventsSpec | None:
    """The queue of this inventory; None where no bucket is replicated (pure)."""
    names, buckets = inventory.names, [each.primary_bucket for each in inventory.datasets]
    if not buckets:
        return None
    return EventsSpec(names.primary, names.events_queue, policies.text(policies.queue(names, buckets)), names.tags())


class Events(pulumi.ComponentResource):
    """Creates the queue and says who may send to it. Outputs: `queue_url`."""

    queue_url: pulumi.Output[str]

    def __init__(self, name: str, args: EventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Events", name, None, opts)
        spec = args.spec
        queue = aws.sqs.Queue(
            f"{name}-queue",
            region=spec.region,
            name=spec.queue,
            message_retention_seconds=KEPT_SECONDS,
            visibility_timeout_seconds=IN_HAND_SECONDS,
            sqs_managed_sse_enabled=True,
            tags=spec.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.sqs.QueuePolicy(
            f"{name}-queue-policy",
            region=spec.region,
            queue_url=queue.url,
            policy=spec.policy,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.queue_url = queue.url
        self.register_outputs({"queueUrl": self.queue_url})
