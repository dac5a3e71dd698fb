"""Every call is one that AWS knows: a parameter misspelt here would be found on the day of the disaster."""

from __future__ import annotations

from functools import cache

import boto3
import pytest
from botocore.handlers import handle_copy_source_param
from botocore.validate import ParamValidator

from pilotlight.runtime.aws.wrappers import Made, Recording
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.readiness.probe import probe
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import CORPUS, CORPUS_COPY, MODELS_COPY, PRIMARY, FakeAws, inventory, recovery_of, save


@cache
def client(service: str) -> object:
    return boto3.client(service, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")


def wrong(made: Made) -> str:
    """What botocore's service model says against a call; empty when nothing."""
    known = client(made.service)
    operation = known.meta.method_to_api_mapping[made.operation]  # type: ignore[attr-defined]
    parameters = dict(made.parameters)
    if "CopySource" in parameters:
        handle_copy_source_param(parameters)
    shape = known.meta.service_model.operation_model(operation).input_shape  # type: ignore[attr-defined]
    return str(ParamValidator().validate(parameters, shape).generate_report())


@pytest.fixture(scope="module")
def everything() -> list[Made]:
    """Protecting, probing, backfilling, failing over, fencing what returned, going home."""
    aws = FakeAws(FakeClock())
    recording = Recording(aws)
    recovery = Recovery(RecoveryContext(recording, inventory(), aws.clock, aws.fetch), "test")
    recovery.initialise()
    aws.s3.write(CORPUS, "old", b"old", replicate=False)
    save(aws, 20)
    recovery.backfill(inventory().datasets[0])
    for _ in range(30):
        aws.clock.sleep(30)
        recovery.protect()
    probe(recovery.context)
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.s3.write(CORPUS_COPY, "new", b"new", replicate=False)
    aws.s3.delete_object(CORPUS_COPY, "old")
    save(aws, 40, bucket=MODELS_COPY)
    aws.dark.clear()
    recovery.protect()
    recovery.failback()
    assert recovery_of(aws).active().region == PRIMARY
    return recording.made


def test_every_call_is_one_that_the_service_model_allows(everything: list[Made]) -> None:
    problems = {f"{made.service}:{made.operation}: {wrong(made)}" for made in everything if wrong(made)}
    assert not problems


def test_the_rehearsal_of_calls_is_a_whole_one(everything: list[Made]) -> None:
    acts = {made.operation for made in everything}
    assert acts >= {
        "create_snapshots",
        "copy_snapshot",
        "delete_snapshot",
        "copy_object",
        "failover_global_cluster",
        "switchover_global_cluster",
        "create_launch_template",
        "delete_launch_template",
        "update_auto_scaling_group",
        "suspend_processes",
        "resume_processes",
        "put_bucket_policy",
        "delete_bucket_policy",
        "put_parameter",
        "delete_parameter",
        "put_metric_data",
    }
