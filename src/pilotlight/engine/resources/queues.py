"""SQS: queues and their policies. A queue's id is its URL, as pulumi-aws has it."""

from __future__ import annotations

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import absent, tag_map, unlike, with_tags
from pilotlight.engine.resources.tagging import retag
from pilotlight.engine.resources.waiting import until

WAIT_SECONDS = 180.0
"""As the provider waits; SQS says that a deleted queue may be seen for a minute (SQS API Reference, DeleteQueue)."""


class Queue(ResourceType):
    """aws.sqs.Queue, no FIFO."""

    type = "aws:sqs/queue:Queue"
    replace_on = frozenset({"name"})
    name_key = "name"
    numbers = {"messageRetentionSeconds": "MessageRetentionPeriod", "visibilityTimeoutSeconds": "VisibilityTimeout"}
    switches = {"sqsManagedSseEnabled": "SqsManagedSseEnabled"}

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        sqs = place.client("sqs")
        url = sqs.create_queue(
            QueueName=inputs["name"], Attributes=self._attributes(inputs), tags=inputs.get("tags") or {}
        )["QueueUrl"]
        return url, self._outputs(place, url, inputs)

    def _attributes(self, inputs: Properties) -> dict[str, str]:
        """SQS takes every value as text."""
        there = {aws: str(int(inputs[key])) for key, aws in self.numbers.items() if inputs.get(key) is not None}
        return there | {aws: str(bool(inputs[key])).lower() for key, aws in self.switches.items() if key in inputs}

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: _attributes_of(place, id_))
        if found is None:
            return None
        there = {key: found.get(aws) for key, aws in (self.numbers | self.switches).items()}
        there["tags"] = tag_map(place.client("sqs").list_queue_tags(QueueUrl=id_).get("Tags"))
        return self._outputs(place, id_, inputs) | unlike(inputs, there)

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        retag(place, "sqs", id_, old, new)
        if self._attributes(old) != self._attributes(new):
            place.client("sqs").set_queue_attributes(QueueUrl=id_, Attributes=self._attributes(new))
        return self._outputs(place, id_, new)

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("sqs").delete_queue(QueueUrl=id_))
        until(f"queue {outputs['name']} is gone", lambda: not absent(lambda: _attributes_of(place, id_)), WAIT_SECONDS)

    def _outputs(self, place: Place, url: str, inputs: Properties) -> Properties:
        arn = _attributes_of(place, url)["QueueArn"]
        return {**inputs, **with_tags(inputs), "id": url, "url": url, "arn": arn, "region": place.region}


class QueuePolicy(ResourceType):
    """aws.sqs.QueuePolicy."""

    type = "aws:sqs/queuePolicy:QueuePolicy"
    replace_on = frozenset({"queueUrl"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        return inputs["queueUrl"], self.update(place, inputs["queueUrl"], {}, inputs)

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        policy = (absent(lambda: _attributes_of(place, id_)) or {}).get("Policy")
        return {**inputs, "id": id_, **unlike(inputs, {"policy": policy})} if policy else None

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        self._set(place, id_, new["policy"])
        return {**new, "id": id_}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: self._set(place, id_, ""))

    def _set(self, place: Place, url: str, policy: str) -> None:
        place.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _attributes_of(place: Place, url: str) -> Properties:
    found: Properties = place.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found
