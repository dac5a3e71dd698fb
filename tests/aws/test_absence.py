"""What a user loses when one of these fails: a refusal is taken for "there is none", and something is built on that."""

from __future__ import annotations

import pytest
from botocore import xform_name
from botocore.session import Session

from pilotlight.runtime.aws.absence import ABSENT, says_absent
from pilotlight.runtime.aws.client import refused

UNMODELLED = ("s3", "ec2")
"""S3 and EC2 list their codes on one page of their API references, not with each operation."""
OF_QUERY = {"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue"}
"""SQS has moved from the query protocol to JSON and answers the codes of the one before, in a header; botocore has
no list of them (SQS API Reference, "GetQueueUrl", Errors)."""


def modelled(call: str) -> set[str]:
    service, operation = call.split(":")
    model = Session().get_service_model(service)
    name = next(each for each in model.operation_names if xform_name(each) == operation)
    shapes = model.operation_model(name).error_shapes
    named = {str(shape.metadata.get("error", {}).get("code") or shape.name) for shape in shapes}
    return {OF_QUERY.get(each, each) for each in named}


@pytest.mark.parametrize("call", [each for each in ABSENT if each.split(":")[0] not in UNMODELLED])
def test_every_code_is_one_that_aws_describes_for_this_very_call(call: str) -> None:
    assert ABSENT[call] <= modelled(call)


@pytest.mark.parametrize("call", ABSENT)
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "403", "400", "KMSKeyNotFoundFault", ""])
def test_no_other_refusal_is_taken_for_none(call: str, code: str) -> None:
    service, operation = call.split(":")
    assert not says_absent(refused(service, operation, "us-west-2", code, code))


def test_a_call_that_nobody_decided_on_is_never_taken_for_none() -> None:
    assert not says_absent(refused("ec2", "describe_volumes", "us-west-2", "InvalidVolume.NotFound", "gone"))
