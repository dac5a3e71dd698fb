"""What a user loses when one of these fails: the only copy of their data, to a `destroy` that took "no" for "none"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pilotlight.deploy.current import current_inventory, deployed_stacks, serving
from pilotlight.deploy.destroy import RULES, Destroy
from pilotlight.engine.results import Deployment
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import (
    CallRefused,
    NoCredentials,
    NotErased,
    OnlyCopy,
    PilotlightError,
    RegionUnreachable,
    ServesFromStandby,
    StateMissing,
    Throttled,
)
from pilotlight.runtime.kinds.buckets.notifications import with_ours
from pilotlight.runtime.records.inventory import Traffic
from pilotlight.runtime.store.ledger import SERVING, SWITCHING, Ledger
from pilotlight.runtime.store.record_bucket import RecordBucket, kept_inventory
from pilotlight.runtime.store.table import Table
from pilotlight.workload.load import load
from support.fake_aws import ACCOUNT, CORPUS, CORPUS_COPY, NAMES, PRIMARY, STANDBY, FakeAws, inventory

Trouble = Callable[[str, str, str], PilotlightError]
FRONT = cast(Traffic, inventory().traffic)


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
        self.engine = SimpleNamespace(
            held=lambda stack: (), unprotect=lambda stack, urns: None, let_go=lambda stack, urns: None
        )

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


def kept_stacks(aws: FakeAws) -> tuple[str, ...] | None:
    kept = kept_inventory(NAMES, aws)
    return None if kept is None else kept.stacks


@pytest.mark.parametrize(
    ("before", "gone", "left"),
    [
        (("vault", "primary", "standby"), ["standby"], ("vault", "primary")),
        (("vault", "primary", "standby"), ["standby", "primary"], ("vault",)),
        (("vault",), ["standby"], ("vault",)),
        ((), ["standby"], ("vault",)),
        ((), ["primary"], ("vault",)),
    ],
)
def test_the_vault_says_which_stacks_are_left(
    aws: FakeAws, before: tuple[str, ...], gone: list[str], left: tuple[str, ...]
) -> None:
    """An edition before this one told none: there is a vault all the same, which nobody would know."""
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_inventory(inventory(stacks=before))
    destroy(aws, *gone)
    assert kept_stacks(aws) == left


def test_where_nothing_was_kept_a_destroy_keeps_nothing(aws: FakeAws) -> None:
    destroy(aws, "standby")
    assert kept_stacks(aws) is None


def test_stacks_go_in_an_order_in_which_none_needs_one_that_is_gone(aws: FakeAws) -> None:
    assert destroy(aws, "vault", "primary", "standby").asked == ["standby", "primary", "vault"]


def test_what_holds_nothing_is_not_asked_for_before_copies_go(aws: FakeAws) -> None:
    """A group without a state may be gone already; a database may not."""
    aws.denied = {"autoscaling:describe_auto_scaling_groups"}
    assert destroy(aws, "standby").asked == ["standby"]
    aws.denied = {"rds:describe_db_clusters"}
    with pytest.raises(OnlyCopy):
        with_database(aws, "standby")


@pytest.mark.parametrize("made", ["deleted in the standby", "overwritten at home", "deleted everywhere"])
def test_what_differs_from_its_original_is_the_only_copy_of_it(aws: FakeAws, made: str) -> None:
    aws.s3.write(CORPUS, "a", b"1")
    aws.clock.sleep(5)
    aws.s3.arrive()
    if made == "deleted in the standby":
        aws.s3.delete_object(CORPUS_COPY, "a")
    elif made == "deleted everywhere":
        aws.s3.delete_object(CORPUS, "a")
        aws.clock.sleep(5)
        aws.s3.arrive()
    else:
        aws.s3.write(CORPUS_COPY, "a", b"more than one", replicate=False)
        with pytest.raises(OnlyCopy, match=r"1 object\(s\) of"):
            destroy(Erasing(aws), "vault")
        return
    assert destroy(Erasing(aws), "vault").asked == ["vault"]


class Erasing(Wrapper):
    """S3 erases versions by their ids; `refused` are keys whose versions stay, with what S3 says."""

    def __init__(self, inner: FakeAws, refused: dict[str, dict[str, str]] | None = None) -> None:
        super().__init__(inner)
        self.refused, self.batches = refused or {}, list[int]()

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation != "delete_objects":
            return super().call(service, operation, region, **parameters)
        items, objects = parameters["Delete"]["Objects"], self.inner.s3.objects[parameters["Bucket"]]  # type: ignore[attr-defined]
        self.batches.append(len(items))
        for each in items:
            if each["Key"] not in self.refused:
                kept = [one for one in objects[each["Key"]] if one.id != each["VersionId"]]
                objects[each["Key"]] = kept
                if not kept:
                    del objects[each["Key"]]
        told = [{"Key": each["Key"]} | self.refused[each["Key"]] for each in items if each["Key"] in self.refused]
        return {"Errors": told} if told else {}


def erase(client: Any) -> list[str]:
    """What a destroy of the vault says."""
    told = list[str]()
    Destroy(inventory(databases=()), client, client, Acts(), told.append).run(["vault"])  # type: ignore[arg-type]
    return told


def filled(aws: FakeAws, count: int) -> FakeAws:
    for number in range(count):
        aws.s3.write(CORPUS, f"k{number:04d}", b"1", replicate=False)
        aws.s3.write(CORPUS_COPY, f"k{number:04d}", b"1", replicate=False)
    return aws


def test_every_version_and_every_delete_marker_of_the_vault_is_erased(aws: FakeAws) -> None:
    filled(aws, 2)
    aws.s3.write(CORPUS_COPY, "k0000", b"1", replicate=False)
    aws.s3.delete_object(CORPUS_COPY, "k0001")
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_inventory(inventory())
    client = Erasing(aws)
    assert erase(client) == [
        f"  vault: 4 versions erased from {CORPUS_COPY}",
        f"  vault: 1 versions erased from {NAMES.vault_bucket}",
    ]
    assert not aws.s3.objects[CORPUS_COPY] and not aws.s3.objects[NAMES.vault_bucket]
    assert erase(Erasing(aws)) == [], "nothing is said of what was empty"


def test_no_call_asks_s3_to_erase_more_than_it_takes_at_once(aws: FakeAws) -> None:
    client = Erasing(filled(aws, 1001))
    assert erase(client) == [f"  vault: 1001 versions erased from {CORPUS_COPY}"]
    assert client.batches == [1000, 1]


@pytest.mark.parametrize(
    ("said", "reason"), [({"Message": "Access Denied", "Code": "AccessDenied"}, "Access Denied"), ({"Code": "X"}, "X")]
)
def test_a_version_that_s3_does_not_erase_ends_the_destroy_with_what_is_left(
    aws: FakeAws, said: dict[str, str], reason: str
) -> None:
    """The stack would be deleted, and the bucket with what nobody could erase would be nobody's."""
    filled(aws, 1003)
    acts = Acts()
    client = Erasing(aws, {"k1001": said, "k1002": said})
    with pytest.raises(NotErased) as problem:
        Destroy(inventory(databases=()), client, client, acts).run(["vault"])  # type: ignore[arg-type]
    facts = problem.value.facts
    assert (facts["erased"], facts["first"], facts["reason"], acts.asked) == (1001, "k1001", reason, [])


def test_a_vault_whose_table_or_bucket_is_gone_already_is_taken_down_all_the_same(aws: FakeAws) -> None:
    gone = Troubled(aws, "dynamodb:update_table", _code("ResourceNotFoundException"))
    assert destroy(gone, "vault").asked == ["vault"]
    with pytest.raises(CallRefused):
        destroy(Troubled(aws, "dynamodb:update_table", _code("AccessDeniedException")), "vault")


def test_everything_of_the_vault_may_be_deleted_once_it_was_named(aws: FakeAws) -> None:
    freed: list[tuple[str, list[str]]] = []
    acts = Acts()
    held = [SimpleNamespace(urn="a", type="any", protect=True), SimpleNamespace(urn="b", type="any", protect=False)]
    acts.engine = SimpleNamespace(held=lambda stack: held, unprotect=lambda stack, urns: freed.append((stack, urns)))
    Destroy(inventory(databases=()), aws, aws, acts).run(["vault"])  # type: ignore[arg-type]
    assert freed == [("vault", ["a"])]


def rules_told(client: Any) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """(what a destroy of the primary says, what it lets go of)."""
    told, gone, acts = list[str](), list[tuple[str, list[str]]](), Acts()
    held = [
        SimpleNamespace(urn=urn, type=RULES, id=id, protect=False)
        for urn, id in (("ours", CORPUS), ("other", "another-bucket"))
    ] + [SimpleNamespace(urn="bucket", type="aws:s3/bucket:Bucket", id=CORPUS, protect=False)]
    acts.engine = SimpleNamespace(
        held=lambda stack: held,
        unprotect=lambda stack, urns: None,
        let_go=lambda stack, urns: gone.append((stack, urns)),
    )
    of = inventory(databases=(), datasets=inventory().datasets[:1])
    Destroy(of, client, client, acts, told.append).run(["primary"])  # type: ignore[arg-type]
    return told, gone


class Ruled(Wrapper):
    """The bucket of the corpus has these rules."""

    def __init__(self, inner: FakeAws, *ids: str) -> None:
        super().__init__(inner)
        self.ids = ids

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation != "get_bucket_replication":
            return super().call(service, operation, region, **parameters)
        where = {"Bucket": f"arn:aws:s3:::{CORPUS_COPY}"}
        rules = [{"ID": each, "Status": "Enabled", "Destination": where} for each in self.ids]
        return {"ReplicationConfiguration": {"Role": "", "Rules": rules}}


def test_replication_rules_that_are_not_ours_alone_stay_and_are_told(aws: FakeAws) -> None:
    """S3 keeps one configuration a bucket: another's copies would stop coming."""
    aws.s3.notifications.clear()
    assert rules_told(Ruled(aws, NAMES.rule("corpus"))) == ([], [])
    told, gone = rules_told(Ruled(aws, NAMES.rule("corpus"), "of-another"))
    assert gone == [("primary", ["ours"])]
    assert len(told) == 1 and f"({NAMES.rule('corpus')}, of-another); they stay" in told[0]
    absent = Troubled(aws, "s3:get_bucket_replication", _code("ReplicationConfigurationNotFoundError"))
    assert rules_told(absent) == ([], [])
    with pytest.raises(CallRefused):
        rules_told(Troubled(aws, "s3:get_bucket_replication", _code("AccessDenied")))


def test_a_bucket_tells_a_queue_that_goes_no_more_and_the_users_notifications_stay(aws: FakeAws) -> None:
    theirs = {"EventBridgeConfiguration": {}}
    aws.s3.notifications[CORPUS] = with_ours(theirs, NAMES, inventory().datasets[0])
    assert destroy(aws, "standby").asked == ["standby"] and aws.s3.notifications[CORPUS] != theirs
    assert destroy(aws, "primary").asked == ["primary"] and aws.s3.notifications[CORPUS] == theirs
    with pytest.raises(CallRefused):
        destroy(Troubled(aws, "s3:get_bucket_notification_configuration", _code("AccessDenied")), "primary")


class Leaving(Wrapper):
    """A global cluster that its members leave; what was asked of Aurora, in order."""

    def __init__(self, inner: FakeAws, arn: str, as_reader: bool = False, snapshot: str = "") -> None:
        super().__init__(inner)
        self.members, self.as_reader, self.asked = {arn}, as_reader, list[tuple[str, str]]()
        self.snapshot, self.looks = snapshot, 0

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "describe_global_clusters":
            found: list[dict[str, Any]] = [{"DBClusterArn": each} for each in self.members]
            if self.as_reader:
                found = [{"DBClusterArn": "the writer", "Readers": sorted(self.members)}]
            return {"GlobalClusters": [{"GlobalClusterMembers": found}, {}]}
        if operation == "describe_db_clusters" and self.asked:
            self.looks += 1
            return {"DBClusters": [{"Status": "promoting" if self.looks == 1 else "available"}]}
        if operation in ("remove_from_global_cluster", "modify_db_cluster", "delete_db_cluster_snapshot"):
            self.asked.append((operation, region))
        if operation == "remove_from_global_cluster":
            self.members.discard(parameters["DbClusterIdentifier"])
        if operation == "delete_db_cluster_snapshot" and self.snapshot:
            raise refused(service, operation, region, self.snapshot, self.snapshot)
        if operation == "modify_db_cluster":
            assert parameters["DeletionProtection"] is False and parameters["ApplyImmediately"] is True
            assert self.looks == 2, "one that is promoted still cannot be changed"
        if operation in ("remove_from_global_cluster", "modify_db_cluster", "delete_db_cluster_snapshot"):
            return {}
        return super().call(service, operation, region, **parameters)


def leave(client: Any, stack: str) -> list[str]:
    told = list[str]()
    Destroy(inventory(datasets=()), client, client, Acts(), told.append).run([stack])  # type: ignore[arg-type]
    return told


@pytest.mark.parametrize("as_reader", [False, True])
def test_a_copy_leaves_its_global_cluster_before_it_may_be_deleted(aws: FakeAws, as_reader: bool) -> None:
    client = Leaving(aws, inventory().databases[0].standby_arn, as_reader)
    told = leave(client, "standby")
    assert client.asked == [
        ("remove_from_global_cluster", STANDBY),
        ("delete_db_cluster_snapshot", STANDBY),
        ("modify_db_cluster", STANDBY),
    ]
    name = NAMES.final_snapshot("registry")
    assert told == [f"  standby: snapshot {name} of an earlier destroy deleted, a new one takes its place"]


def test_the_users_own_cluster_leaves_and_stays_as_protected_as_it_was(aws: FakeAws) -> None:
    client = Leaving(aws, inventory().databases[0].primary_arn)
    assert leave(client, "primary") == [] and client.asked == [("remove_from_global_cluster", PRIMARY)]


def test_a_last_snapshot_that_may_not_be_made_room_for_stops_the_destroy(aws: FakeAws) -> None:
    """The copy would be deleted, and the snapshot of it refused because its name is taken."""
    arn = inventory().databases[0].standby_arn
    assert leave(Leaving(aws, arn, snapshot="DBClusterSnapshotNotFoundFault"), "standby") == []
    with pytest.raises(CallRefused):
        leave(Leaving(aws, arn, snapshot="AccessDenied"), "standby")


def test_a_cluster_that_may_not_leave_or_be_looked_at_stops_the_destroy(aws: FakeAws) -> None:
    inner: Any = Leaving(aws, inventory().databases[0].standby_arn)
    for call in ("rds:remove_from_global_cluster", "rds:describe_global_clusters"):
        with pytest.raises(CallRefused):
            leave(Troubled(inner, call, _code("AccessDenied")), "standby")


def test_without_anything_kept_a_primary_that_does_not_answer_is_no_empty_account(aws: FakeAws, tmp_path: Path) -> None:
    declared = tmp_path / "workload.yaml"
    declared.write_text(DECLARATION)
    aws.dark.add(PRIMARY)
    with pytest.raises(RegionUnreachable):
        current_inventory(load(declared), ACCOUNT, aws, aws.clock)


def test_after_a_failover_what_the_vault_keeps_is_deployed_again_and_nothing_is_surveyed(
    aws: FakeAws, tmp_path: Path
) -> None:
    declared = tmp_path / "workload.yaml"
    declared.write_text(DECLARATION)
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_inventory(inventory())
    serve(aws, STANDBY)
    aws.made.clear()
    assert current_inventory(load(declared), ACCOUNT, aws, aws.clock) == inventory()
    assert PRIMARY not in {region for _, _, region in aws.made}


def test_what_is_deployed_is_told_by_the_vault_or_else_by_its_journal(aws: FakeAws) -> None:
    absent = Troubled(aws, "dynamodb:get_item", _code("ResourceNotFoundException"))
    assert deployed_stacks(NAMES, absent) == ()
    assert deployed_stacks(NAMES, aws) == ("vault",)
    with pytest.raises(CallRefused):
        deployed_stacks(NAMES, Troubled(aws, "dynamodb:get_item", _code("AccessDeniedException")))
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_inventory(inventory(stacks=("vault", "primary")))
    assert deployed_stacks(NAMES, absent) == ("vault", "primary")


def test_a_copy_that_is_a_member_for_a_while_after_it_was_asked_to_leave_is_not_changed_before(aws: FakeAws) -> None:
    """Aurora refuses that, and the destroy would stop half way."""
    arn = inventory().databases[0].standby_arn

    class Lingering(Leaving):
        lingers = 1

        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "describe_global_clusters" and self.asked and self.lingers:
                self.lingers -= 1
                return {"GlobalClusters": [{"GlobalClusterMembers": [{"DBClusterArn": arn}]}]}
            if operation == "modify_db_cluster":
                assert not self.lingers
            return super().call(service, operation, region, **parameters)

    client = Lingering(aws, arn)
    leave(client, "standby")
    assert [each for each, _ in client.asked][-1] == "modify_db_cluster"


class Zone(Wrapper):
    """The zone of the workload's name; what was changed in it."""

    def __init__(self, inner: FakeAws, *sides: str) -> None:
        super().__init__(inner)
        self.changes = list[dict[str, Any]]()
        self.records = [{"Name": FRONT.record, "Type": "A", "SetIdentifier": NAMES.record(each)} for each in sides]

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "list_resource_record_sets":
            return {"ResourceRecordSets": self.records, "IsTruncated": False}
        if operation == "change_resource_record_sets":
            self.changes += parameters["ChangeBatch"]["Changes"]
            return {}
        return super().call(service, operation, region, **parameters)


def test_the_record_that_users_ask_for_is_given_back_with_the_standby_and_with_no_other_stack(aws: FakeAws) -> None:
    """The workload would have no name any more once the failover pair is deleted."""
    simple = {"Name": FRONT.record, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "before"}]}
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_record(simple)
    zone = Zone(aws, "primary", "standby")
    destroy(zone, "primary")
    assert zone.changes == []
    destroy(zone, "standby")
    assert [each["Action"] for each in zone.changes] == ["DELETE", "DELETE", "UPSERT"]
    assert zone.changes[-1]["ResourceRecordSet"]["ResourceRecords"] == [{"Value": FRONT.primary_balancer_dns}]
    acts, silent = Acts(), Zone(aws, "primary", "standby")
    Destroy(inventory(databases=(), traffic=None), silent, silent, acts).run(["standby"])  # type: ignore[arg-type]
    assert (acts.asked, silent.changes) == (["standby"], []), "nobody declared a name"


def test_without_its_state_nothing_of_a_workload_is_looked_at_or_let_go(aws: FakeAws) -> None:
    """A state that was lost knows of nothing: the vault would be emptied, and its stack be left there for ever."""

    class Lost(Acts):
        def check_state(self, stacks: Iterable[str]) -> None:
            raise StateMissing(**dict.fromkeys(("workload", "stack", "stacks", "place", "backend", "region"), "x"))

    filled(aws, 1)
    acts, client = Lost(), Erasing(aws)
    aws.made.clear()
    with pytest.raises(StateMissing):
        Destroy(inventory(databases=()), client, client, acts).run(["vault"])  # type: ignore[arg-type]
    assert (client.batches, acts.asked, aws.made) == ([], [], [])
