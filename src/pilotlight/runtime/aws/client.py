"""The AWS client: what every room that talks to AWS may rely on, however many wrappers are around it.

Every call names its region: nothing in this project has a default region, because a default that points to the lost
region is how a recovery fails. Operations are named as in boto3 (`describe_volumes`), services too (`ec2`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Protocol

from pilotlight.runtime.errors import CallRefused

READING = ("describe_", "get_", "list_", "head_", "query", "scan", "batch_get_")
"""How the operations that change nothing begin, over all services used here."""


class AwsClient(Protocol):
    """One call to AWS."""

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """The answer. CallRefused: AWS said no and nothing was done. Throttled: not done, may be tried again.
        RegionUnreachable: no answer; whether an acting call was carried out is unknown. A body is bytes."""
        ...

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every page of a listing, fetched as it is consumed. Errors as `call`, at the page they concern."""
        ...


@functools.lru_cache(maxsize=1024)
def is_reading(operation: str) -> bool:
    """Whether an operation changes nothing, so that it may be repeated and needs no fence."""
    return operation.startswith(READING)


def aws_code(error: CallRefused) -> str:
    """AWS's own error code, e.g. `ConditionalCheckFailedException`; empty where there is none."""
    return str(error.facts.get("aws_code", ""))


def refused(service: str, operation: str, region: str, code: str, reason: str, caller: str = "") -> CallRefused:
    """The error of a call that AWS, or a wrapper, did not carry out."""
    return CallRefused(
        service=service,
        operation=operation,
        region=region,
        reason=reason.rstrip("."),
        caller=caller or "in use",
        aws_code=code,
    )
