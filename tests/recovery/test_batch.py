"""What a user loses when one of these fails: a paid job for millions of objects, made twice or believed too soon."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import BatchJobFailed, NotProtected
from pilotlight.runtime.kinds.buckets import batch
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import CORPUS, CORPUS_COPY, PRIMARY, FakeAws, inventory, older, recovery_of

ASSET = inventory().datasets[0]
JOB = "s3control"


class Batching(Wrapper):
    """S3 Control beside the rest: a job is done after some looks; `lost` keys fail, and stay where they are."""

    def __init__(self, inner: FakeAws, lost: tuple[str, ...] = (), looks: int = 3, ends: str = "Complete") -> None:
        super().__init__(inner)
        self._aws, self._lost, self._left, self._ends = inner, lost, looks, ends
        self.asked: list[dict[str, Any]] = []
        self.known: dict[str, str] = {}
        self.dies_after_making = False

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if service != JOB:
            return super().call(service, operation, region, **parameters)
        assert region == PRIMARY, "a job is made where the source is"
        return getattr(self, operation)(**parameters)

    def create_job(self, **parameters: Any) -> dict[str, Any]:
        self.asked.append(parameters)
        id = self.known.setdefault(parameters["ClientRequestToken"], f"job-{len(self.known) + 1}")
        if self.dies_after_making:
            raise KeyboardInterrupt
        return {"JobId": id}

    def describe_job(self, **parameters: str) -> dict[str, Any]:
        id = parameters["JobId"]
        if id not in self.known.values():
            raise refused(JOB, "describe_job", PRIMARY, "NotFoundException", "no such job")
        self._left -= 1
        if self._left > 0:
            return {"Job": {"JobId": id, "Status": "Active", "ProgressSummary": {"TotalNumberOfTasks": 30}}}
        done = self._replicated() if self._ends == "Complete" else 0
        counts = {"NumberOfTasksSucceeded": done, "NumberOfTasksFailed": len(self._lost)}
        reasons = [] if self._ends == "Complete" else [{"FailureCode": "AccessDenied", "FailureReason": "the role"}]
        told = {"JobId": id, "Status": self._ends, "FailureReasons": reasons}
        return {"Job": told | {"ProgressSummary": {"TotalNumberOfTasks": done + len(self._lost)} | counts}}

    def _replicated(self) -> int:
        done = 0
        for key, versions in self._aws.s3.objects[CORPUS].items():
            if key not in self._lost and key not in self._aws.s3.objects[CORPUS_COPY]:
                self._aws.s3.objects[CORPUS_COPY][key] = [versions[-1]]
                done += 1
        return done


def recovery(client: Batching, aws: FakeAws) -> Recovery:
    return Recovery(RecoveryContext(client, inventory(), aws.clock, aws.fetch), "test")


def test_the_work_is_handed_over_waited_for_and_proven() -> None:
    aws = older()
    client = Batching(aws)
    seen: list[batch.Progress] = []
    done = recovery(client, aws).hand_over(ASSET, seen.append)
    assert (done.copied, done.proven) == (30, 30)
    assert [each.status for each in seen] == ["Active", "Active", "Complete"]
    assert recovery(client, aws).protections()["corpus"].state == "PROTECTED"


def test_only_what_was_never_replicated_or_failed_is_asked_for_and_the_jobs_own_role() -> None:
    aws = older()
    client = Batching(aws)
    recovery(client, aws).hand_over(ASSET)
    (asked,) = client.asked
    wanted = asked["ManifestGenerator"]["S3JobManifestGenerator"]
    assert wanted["Filter"]["ObjectReplicationStatuses"] == ["NONE", "FAILED"]
    assert wanted["SourceBucket"].endswith(f":::{CORPUS}")
    assert asked["RoleArn"].endswith("batch-corpus") and asked["Operation"] == {"S3ReplicateObject": {}}


def test_a_second_call_waits_for_the_job_under_way() -> None:
    aws = older()
    client = Batching(aws)

    def killed(progress: batch.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recovery(client, aws).hand_over(ASSET, killed)
    aws.clock.sleep(100)
    assert recovery(client, aws).hand_over(ASSET).proven == 30
    assert len(client.asked) == 1


def test_a_job_that_was_made_but_not_remembered_is_made_once() -> None:
    aws = older()
    client = Batching(aws)
    client.dies_after_making = True
    with pytest.raises(KeyboardInterrupt):
        recovery(client, aws).hand_over(ASSET)
    client.dies_after_making = False
    aws.clock.sleep(100)
    recovery(client, aws).hand_over(ASSET)
    assert len(client.known) == 1, "the same token, so the same job"


def test_a_job_that_failed_is_told_with_its_reason_and_the_next_one_is_new() -> None:
    aws = older()
    client = Batching(aws, ends="Failed")
    with pytest.raises(BatchJobFailed, match="the role"):
        recovery(client, aws).hand_over(ASSET)
    again = Batching(aws)
    aws.clock.sleep(100)
    assert recovery(again, aws).hand_over(ASSET).proven == 30
    assert again.asked[0]["ClientRequestToken"] != client.asked[0]["ClientRequestToken"]


def test_objects_that_the_job_could_not_replicate_leave_the_bucket_unprotected() -> None:
    aws = older()
    client = Batching(aws, lost=("old/0007",))
    with pytest.raises(NotProtected):
        recovery(client, aws).hand_over(ASSET)
    assert "old/0007" in recovery(client, aws).protections()["corpus"].why


def test_a_job_that_s3_has_forgotten_is_not_waited_for() -> None:
    aws = older()
    recovery_of(aws).context.ledger.keep_job("corpus", "token", "job-of-last-year")
    assert recovery(Batching(aws), aws).hand_over(ASSET).proven == 30
