"""SQS as services send to it: only where the queue's policy lets them. What callers do with queues is moto's.

Source: SQS Developer Guide, "Using identity-based policies with Amazon SQS" and "Custom Amazon SQS policy examples"
(a service is let in by the queue's policy alone); SQS API Reference, "SetQueueAttributes" (what is not named stays as
it is; moto lets go of the policy).
"""

from __future__ import annotations

from typing import Any

from moto.sqs.models import Queue

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kernel.service_principals import ServiceRequest, policy_permits
from pilotlight.local.overrides import original, override

SEND = "sqs:SendMessage"
_set_attributes = original(Queue, "_set_attributes")


class Queues(Behaviour):
    """Takes messages of services."""

    name = "queues"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)

        def set_attributes(self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
            kept = {"Policy": self.policy} if "Policy" not in attributes and hasattr(self, "_policy_json") else {}
            _set_attributes(self, {**kept, **attributes}, now)

        override(Queue, _set_attributes=set_attributes)

    def takes(self, arn: str, service: str, source_arn: str, account: str) -> bool:
        """Whether there is such a queue and its policy lets this service send to it for a resource of this account."""
        queue = self._find(arn)
        if queue is None:
            return False
        return policy_permits(queue._policy_json, ServiceRequest(service, SEND, arn, source_arn, account))

    def send(self, arn: str, body: str) -> None:
        """Put a message into a queue that is there; whether it is taken was asked before."""
        queue = self._find(arn)
        if queue is not None:
            self._backend(arn).send_message(queue_name=queue.name, message_body=body)

    def _find(self, arn: str) -> Any | None:
        return self._backend(arn).queues.get(arn.rpartition(":")[2])

    def _backend(self, arn: str) -> Any:
        _, _, _, region, account, _ = arn.split(":")
        return self.cloud.backend("sqs", region, account)
