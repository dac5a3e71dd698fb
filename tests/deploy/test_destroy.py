"""What a user loses when one of these fails: the only copy of their data, to a `destroy` that took "no" for "none"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pilotlight.deploy.current import current_inventory, serving
from pilotlight.deploy.destroy import Destroy
from pilotlight.engine.results import Deployment
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import (
    CallRefused,
    NoCredentials,
    OnlyCopy,
    PilotlightError,
    RegionUnreachable,
    ServesFromStandby,
    Throttled,
)
from pilotlight.runtime.store.ledger import SERVING, SWITCHING, Ledger
from pilotlight.runtime.store.record_bucket import RecordBucket
from pilotlight.runtime.store.table import Table
from pilotlight.workload.load import load
from support.fake_aws import ACCOUNT, CORPUS, CORPUS_COPY, NAMES, PRIMARY, STANDBY, FakeAws, inventory

Trouble = Callable[[str, str, str], PilotlightError]


def _code(code: str) -> Trouble:
    return lambda service, operation, region: refused(service, operation, region, code, code)


TROUBLES: dict[str, Trouble] = {
    "denied": _code("AccessDeniedException"),
    "validation": _code("ValidationException"),
    "throttled": lambda service, operation, region: Throttled(
        service=service, operation=operation, region=region, attempts=1
    ),
    "silent": lambda service, operation, region: RegionUnreachable(region=region, service=service, operation=operation),
    "signed out": lambda service, operation, region: NoCredentials(reason="ExpiredToken"),
}


class Troubled(Wrapper):
    """One call is met with trouble, all others are answered."""

    def __init__(self, inner: Any, call: str, trouble: Trouble) -> None:
        super().__init__(inner)
        self.met, self.trouble = call, trouble

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if f"{service}:{operation}" == self.met:
            raise self.trouble(service, operation, region)
        return super().call(service, operation, region, **parameters)


class Acts:
    """Operations that delete nothing and say what they were asked to delete."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.engine = SimpleNamespace(held=lambda stack: (), unprotect=lambda stack, urns: None)

    def check_state(self, stacks: Iterable[str]) -> None:
        """There is one."""

    def destroy(self, stacks: Iterable[str]) -> Deployment:
        self.asked += stacks
        return Deployment(inventory(), ())


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws(FakeClock())


def ledger(aws: FakeAws) -> Ledger:
    return Ledger(Table(aws, STANDBY, NAMES.journal_table), NAMES.workload, aws.clock)


def serve(aws: FakeAws, region: str, state: str = SERVING) -> None:
    held = ledger(aws).leases.take("a run")
    ledger(aws).claim(held, PRIMARY)
    ledger(aws).set_active(region, state, "run-1", held.epoch, held.epoch)


def destroy(client: Any, *stacks: str) -> Acts:
    acts = Acts()
    try:
        Destroy(inventory(databases=()), client, client, acts).run(stacks)  # type: ignore[arg-type]
    except PilotlightError:
        assert acts.asked == [], "something was deleted before it was refused"
        raise
    return acts


@pytest.mark.parametrize("trouble", TROUBLES)
def test_after_a_failover_a_journal_that_cannot_be_read_never_opens_the_way_to_what_serves(
    aws: FakeAws, trouble: str
) -> None:
    serve(aws, STANDBY)
    with pytest.raises((CallRefused, Throttled, RegionUnreachable, NoCredentials)):
        destroy(Troubled(aws, "dynamodb:get_item", TROUBLES[trouble]), "standby")


def test_what_serves_in_the_standby_region_is_not_destroyed(aws: FakeAws) -> None:
    serve(aws, STANDBY)
    with pytest.raises(ServesFromStandby) as problem:
        destroy(aws, "standby")
    assert STANDBY in problem.value.message


def test_what_a_failback_is_moving_is_not_destroyed(aws: FakeAws) -> None:
    serve(aws, PRIMARY, SWITCHING)
    with pytest.raises(ServesFromStandby) as problem:
        destroy(aws, "standby")
    assert SWITCHING in problem.value.message


def test_without_a_journal_table_nothing_ever_failed_over_and_a_destroy_goes_on(aws: FakeAws) -> None:
    absent = Troubled(aws, "dynamodb:get_item", _code("ResourceNotFoundException"))
    assert destroy(absent, "standby").asked == ["standby"]
    assert serving(NAMES, absent).region == PRIMARY


def test_who_serves_is_read_consistently(aws: FakeAws) -> None:
    seen: list[Any] = []

    class Watching(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            seen.append(parameters.get("ConsistentRead"))
            return super().call(service, operation, region, **parameters)

    serving(NAMES, Watching(aws))
    assert seen == [True], "an eventually consistent read may say that the primary serves after it was fenced"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_originals_that_cannot_be_seen_are_taken_for_lost_and_the_copies_stay(aws: FakeAws, trouble: str) -> None:
    with pytest.raises((OnlyCopy, Throttled, NoCredentials)):
        destroy(Troubled(aws, "s3:head_bucket", TROUBLES[trouble]), "standby")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_vault_whose_copies_cannot_be_compared_is_not_emptied(aws: FakeAws, trouble: str) -> None:
    with pytest.raises((CallRefused, Throttled, RegionUnreachable, NoCredentials)):
        destroy(Troubled(aws, "s3:list_object_versions", TROUBLES[trouble]), "standby", "vault")


def test_an_object_that_only_the_vault_has_is_not_erased_wherever_it_lies(aws: FakeAws) -> None:
    aws.s3.write(CORPUS, "data/a", b"1")
    aws.clock.sleep(5)
    aws.s3.arrive()
    aws.s3.write(CORPUS_COPY, "written-in-standby/b", b"2", replicate=False)
    with pytest.raises(OnlyCopy) as problem:
        destroy(aws, "vault")
    assert "written-in-standby/b" in problem.value.message


DECLARATION = """
version: 1
workload: inference
regions: {primary: us-east-1, standby: us-west-2}
objectives: {rpo: 15m, rto: 15m}
assets:
  corpus: {kind: dataset, bucket: inference-corpus-123456789012}
"""


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_deployment_does_not_survey_the_lost_region_because_the_journal_said_no(
    aws: FakeAws, trouble: str, tmp_path: Path
) -> None:
    declared = tmp_path / "workload.yaml"
    declared.write_text(DECLARATION)
    serve(aws, STANDBY)
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_inventory(inventory())
    client = Troubled(aws, "dynamodb:get_item", TROUBLES[trouble])
    with pytest.raises((CallRefused, Throttled, RegionUnreachable, NoCredentials)):
        current_inventory(load(declared), ACCOUNT, client, aws.clock)


def with_database(client: Any, *stacks: str) -> Acts:
    acts = Acts()
    Destroy(inventory(), client, client, acts).run(stacks)  # type: ignore[arg-type]
    return acts


def test_a_global_cluster_that_is_gone_already_stops_no_destroy(aws: FakeAws) -> None:
    absent = Troubled(aws, "rds:describe_global_clusters", _code("GlobalClusterNotFoundFault"))
    assert with_database(absent, "standby").asked == ["standby"]


def test_a_bucket_of_the_vault_that_may_not_be_emptied_is_told_and_not_passed_over(aws: FakeAws) -> None:
    class OnceCompared(Troubled):
        """The comparison is answered; the listing for the erasure is not."""

        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if parameters.get("Bucket") == NAMES.vault_bucket:
                return super().call(service, operation, region, **parameters)
            return self.inner.call(service, operation, region, **parameters)

    with pytest.raises(CallRefused):
        destroy(OnceCompared(aws, "s3:list_object_versions", _code("AccessDenied")), "vault")


def test_a_cluster_that_cannot_leave_yet_is_asked_again_before_anything_is_deleted(aws: FakeAws) -> None:
    """It is being changed: whoever goes on waits half an hour for a departure that nobody has asked for again."""
    asked: list[str] = []

    class Busy(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "remove_from_global_cluster":
                asked.append(str(parameters["DbClusterIdentifier"]))
                if len(asked) == 1:
                    raise refused(service, operation, region, "InvalidDBClusterStateFault", "is being modified")
                return {}
            if operation == "describe_global_clusters":
                members = [{"DBClusterArn": inventory().databases[0].standby_arn}] if len(asked) < 2 else []
                return {"GlobalClusters": [{"GlobalClusterMembers": members}]}
            if operation in ("modify_db_cluster", "delete_db_cluster_snapshot"):
                return {}
            return super().call(service, operation, region, **parameters)

    assert with_database(Busy(aws), "standby").asked == ["standby"]
    assert len(asked) == 2


def test_what_the_vault_keeps_is_gone_by_where_the_primary_does_not_answer(aws: FakeAws, tmp_path: Path) -> None:
    declared = tmp_path / "workload.yaml"
    declared.write_text(DECLARATION)
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_inventory(inventory())
    aws.dark.add(PRIMARY)
    assert current_inventory(load(declared), ACCOUNT, aws, aws.clock) == inventory()


def test_a_vault_that_is_named_is_emptied_and_its_table_may_be_deleted(aws: FakeAws) -> None:
    Destroy(inventory(databases=()), aws, aws, Acts()).run(["vault"])  # type: ignore[arg-type]
    assert aws.s3.current(CORPUS_COPY) == {} and not aws.dynamodb.protected


def test_what_is_protected_by_our_own_wish_is_let_go_before_its_stack_is_deleted(aws: FakeAws) -> None:
    freed: list[tuple[str, list[str]]] = []
    acts, ours = Acts(), "aws:rds/cluster:Cluster"
    held = [SimpleNamespace(urn="a", type=ours, protect=True), SimpleNamespace(urn="b", type="a key", protect=True)]
    acts.engine = SimpleNamespace(held=lambda stack: held, unprotect=lambda stack, urns: freed.append((stack, urns)))
    Destroy(inventory(databases=()), aws, aws, acts).run(["standby"])  # type: ignore[arg-type]
    assert freed == [("standby", ["a"])], "what objects at home are encrypted with stays protected"
