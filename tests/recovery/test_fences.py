"""What a user loses when one of these fails: a bucket that takes writes it must not, or none that it should."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import RecordUnreadable, StepFailed
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext
from pilotlight.runtime.kinds.buckets.failback_sync import Syncing
from pilotlight.runtime.kinds.buckets.fencing import DENIED, FENCE, with_fence, without_fence
from pilotlight.runtime.kinds.buckets.reprotecting import is_ours
from pilotlight.runtime.naming import RULE_BEFORE
from pilotlight.runtime.records.inventory import VaultAccount, Volumes
from pilotlight.runtime.records.runs import INTENDED, Entry, Step, Where
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.store.ledger import FAILING_OVER
from support.fake_aws import (
    CORPUS,
    CORPUS_COPY,
    MODELS,
    MODELS_COPY,
    NAMES,
    PRIMARY,
    STANDBY,
    FakeAws,
    inventory,
    recovery_of,
    save,
)

pytestmark = pytest.mark.acts_alone

THERE = Where("primary")


def work(
    aws: Any, action: str, where: Where, asset: str = "corpus", chosen: Any = None, client: Any = None
) -> StepContext:
    step = Step(action, action, asset, arguments=where)
    context = RecoveryContext(client or aws, inventory(), aws.clock, aws.fetch)
    evidence = chosen or {}
    return StepContext(step, "failback", "run", 1, context, lambda name: evidence, None, lambda: None)


def asked(aws: FakeAws, action: str, where: Where = THERE, **more: Any) -> Answer:
    return ACTIONS[action].ask(work(aws, action, where, **more))


MINE = {"Sid": "Mine", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def test_the_fence_denies_writing_below_the_prefix_to_all_but_those_it_names() -> None:
    fenced = with_fence({"Version": "2012-10-17", "Statement": [MINE]}, "b", "p/", ["arn:one", "arn:two"])
    (mine, fence) = fenced["Statement"]
    assert mine == MINE and (fence["Sid"], fence["Effect"], fence["Principal"]) == (FENCE, "Deny", "*")
    assert fence["Action"] == DENIED and "arn:aws:s3:::b/p/*" in str(fence["Resource"])
    assert fence["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": ["arn:one", "arn:two"]}}
    again = with_fence(fenced, "b", "p/", ["arn:one"])
    assert [each["Sid"] for each in again["Statement"]] == ["Mine", FENCE], "once"
    assert without_fence(again)["Statement"] == [MINE]
    one = with_fence({"Version": "2012-10-17", "Statement": MINE}, "b", "", ["arn:one"])
    assert [each["Sid"] for each in one["Statement"]] == ["Mine", FENCE], "a list of one that is no list"
    assert without_fence({"Version": "2012-10-17"})["Statement"] == []


def test_a_fence_stands_where_it_lets_this_run_through_and_since_when_is_kept(aws: FakeAws) -> None:
    ledger = recovery_of(aws).context.ledger
    ledger.forget_fence("corpus")
    assert isinstance(asked(aws, "fence-bucket"), Absent)
    ACTIONS["fence-bucket"].act(work(aws, "fence-bucket", THERE))
    began = ledger.fenced_at("corpus")
    assert isinstance(asked(aws, "fence-bucket"), Proven) and began == aws.clock.now()
    aws.clock.sleep(60)
    ACTIONS["fence-bucket"].act(work(aws, "fence-bucket", THERE))
    assert ledger.fenced_at("corpus") == began, "it was fenced all the time"
    ledger.forget_fence("corpus")
    found = asked(aws, "fence-bucket")
    assert isinstance(found, Absent) and "since when" in found.observed
    ACTIONS["open-bucket"].act(work(aws, "open-bucket", THERE))
    aws.clock.sleep(60)
    ACTIONS["fence-bucket"].act(work(aws, "fence-bucket", THERE))
    assert ledger.fenced_at("corpus") == aws.clock.now(), "it took writes in between"


def test_who_was_let_through_a_fence_stays_so_when_another_goes_on(aws: FakeAws) -> None:
    policy = with_fence({"Version": "2012-10-17", "Statement": [MINE]}, CORPUS, "", ["arn:aws:iam::1:role/before"])
    aws.s3.policies[CORPUS] = json.dumps(policy)
    assert isinstance(asked(aws, "fence-bucket"), Absent)
    ACTIONS["fence-bucket"].act(work(aws, "fence-bucket", THERE))
    exempt = json.loads(aws.s3.policies[CORPUS])["Statement"][-1]["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    assert "arn:aws:iam::1:role/before" in exempt and exempt == sorted(exempt) and len(exempt) == 4


@pytest.mark.parametrize("beside", [[MINE], []])
def test_a_bucket_is_opened_by_taking_out_the_fence_alone(aws: FakeAws, beside: list[dict[str, str]]) -> None:
    aws.s3.policies[CORPUS] = json.dumps(with_fence({"Version": "2012-10-17", "Statement": beside}, CORPUS, "", ["a"]))
    assert isinstance(asked(aws, "open-bucket"), Absent)
    ACTIONS["open-bucket"].act(work(aws, "open-bucket", THERE))
    assert isinstance(asked(aws, "open-bucket"), Proven)
    left = aws.s3.policies.get(CORPUS)
    assert (json.loads(left)["Statement"] if left else []) == beside and (left is None) is (not beside)


def test_a_rule_is_ours_by_its_id_and_where_it_leads() -> None:
    corpus = inventory().datasets[0]

    def rule(id: str, to: str) -> dict[str, Any]:
        return {"ID": id, "Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{to}"}}

    for id in (NAMES.rule("corpus"), RULE_BEFORE):
        assert is_ours(NAMES, corpus, rule(id, CORPUS_COPY))
        assert not is_ours(NAMES, corpus, rule(id, MODELS_COPY))
    assert not is_ours(NAMES, corpus, rule("another", CORPUS_COPY))
    assert not is_ours(NAMES, corpus, rule(NAMES.rule("corpus"), f"not-{CORPUS_COPY}"))


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([], "it has none at all"),
        ([("another", "Enabled")], "it has another (Enabled) to"),
        ([(RULE_BEFORE, "Disabled")], "(Disabled) to"),
        ([("another", "Enabled"), (RULE_BEFORE, "Enabled")], ""),
    ],
)
def test_replication_is_proven_by_an_enabled_rule_of_ours(
    aws: FakeAws, rules: list[tuple[str, str]], wanted: str
) -> None:
    class Ruled(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation != "get_bucket_replication":
                return super().call(service, operation, region, **parameters)
            where = {"Bucket": f"arn:aws:s3:::{CORPUS_COPY}"}
            return {"ReplicationConfiguration": {"Rules": [
                {"ID": id, "Status": status, "Destination": where} for id, status in rules]}}  # fmt: skip

    if wanted:
        with pytest.raises(StepFailed) as problem:
            asked(aws, "replicates", client=Ruled(aws))
        assert wanted in problem.value.message
    else:
        found = asked(aws, "replicates", client=Ruled(aws))
        assert isinstance(found, Proven) and found.evidence["rule"] == RULE_BEFORE


# -- what the workload is told to resume from --------------------------------------------------------------------


def chosen(step: int) -> dict[str, Any]:
    reference = {"kind": "checkpoints", "bucket": MODELS_COPY, "prefix": f"checkpoints/step-{step:06d}/", "step": step}
    return {"point": "p", "checkpoints": {"checkpoints": reference | {"format": "safetensors-sharded"}}}


def test_the_standbys_workload_is_told_what_the_run_chose_and_the_primarys_what_is_newest_there(aws: FakeAws) -> None:
    there, here = Where("standby"), Where("primary")
    name = NAMES.parameter("checkpoints")
    for where, region, uri in (
        (there, STANDBY, f"s3://{MODELS_COPY}/checkpoints/step-000020/"),
        (here, PRIMARY, f"s3://{MODELS}/checkpoints/step-000080/"),
    ):
        if region == PRIMARY:
            save(aws, 80)
        made = work(aws, "tell-checkpoint", where, "checkpoints", chosen(20))
        assert isinstance(ACTIONS["tell-checkpoint"].ask(made), Absent)
        ACTIONS["tell-checkpoint"].act(made)
        found = ACTIONS["tell-checkpoint"].ask(made)
        assert isinstance(found, Proven) and found.evidence == {"uri": uri}
        assert aws.parameters[region, name] == uri
        aws.parameters[region, name] = "s3://another/"
        assert isinstance(ACTIONS["tell-checkpoint"].ask(made), Absent)
    with pytest.raises(StepFailed, match="it was declared later"):
        ACTIONS["tell-checkpoint"].ask(work(aws, "tell-checkpoint", there, "checkpoints", {"point": "p"}))


def test_a_standby_at_rest_is_told_nothing(aws: FakeAws) -> None:
    made = work(aws, "forget-checkpoint", Where("standby"), "checkpoints")
    aws.parameters.pop((STANDBY, NAMES.parameter("checkpoints")), None)
    assert isinstance(ACTIONS["forget-checkpoint"].ask(made), Proven)
    ACTIONS["forget-checkpoint"].act(made)
    aws.parameters[STANDBY, NAMES.parameter("checkpoints")] = "s3://b/"
    assert isinstance(ACTIONS["forget-checkpoint"].ask(made), Absent)
    ACTIONS["forget-checkpoint"].act(made)
    assert isinstance(ACTIONS["forget-checkpoint"].ask(made), Proven)


def test_without_a_whole_checkpoint_nothing_is_told(aws: FakeAws) -> None:
    aws.s3.objects[MODELS].clear()
    with pytest.raises(StepFailed, match=r"no checkpoint below s3://.* is complete and may be used"):
        asked(aws, "tell-checkpoint", asset="checkpoints")


# -- the words of a step -----------------------------------------------------------------------------------------


def test_a_step_acts_in_the_region_that_it_was_told(aws: FakeAws) -> None:
    assert work(aws, "a", Where("primary")).region == PRIMARY
    assert work(aws, "a", Where("standby")).region == STANDBY


def test_a_step_about_what_is_declared_no_more_or_otherwise_fails_by_its_name(aws: FakeAws) -> None:
    with pytest.raises(StepFailed, match="gone is no asset of the inventory any more") as problem:
        work(aws, "a", THERE, "gone").datasets()
    assert (problem.value.facts["asset"], problem.value.facts["region"]) == ("gone", PRIMARY)
    made = work(aws, "a", THERE, "corpus")
    assert made.datasets().name == "corpus" and work(aws, "a", THERE, "index").asset(Volumes).name == "index"
    for wrong in (made.database, made.compute):
        with pytest.raises(StepFailed):
            wrong()
    assert work(aws, "a", THERE, "").failed("why").facts["asset"] == "inference", "of the workload as a whole"


def test_evidence_that_was_never_given_is_none_and_what_cannot_be_read_is_said(aws: FakeAws) -> None:
    assert work(aws, "a", THERE).chosen.point == ""
    assert work(aws, "a", THERE, chosen=chosen(20)).chosen.checkpoints["checkpoints"].step == 20
    with pytest.raises(RecordUnreadable):
        _ = work(aws, "a", THERE, chosen={"checkpoints": 5}).chosen


def brings(aws: FakeAws, begun_at: float | None = None, **of: Any) -> tuple[float, list[str]]:
    """(seconds that it takes to bring the corpus home, what was asked of S3)."""
    step = Step("sync-corpus", "bring-home", "corpus", arguments=Syncing())
    context = RecoveryContext(aws, inventory(**of), aws.clock, aws.fetch)
    began, before = aws.clock.now(), len(aws.made)
    made = StepContext(step, "failback", "run", 1, context, lambda name: {}, begun_at, lambda: None)
    ACTIONS["bring-home"].act(made)
    return aws.clock.now() - began, [each[1] for each in aws.made[before:] if each[0] == "s3"]


def test_bringing_home_takes_no_longer_than_what_is_missing_needs(aws: FakeAws) -> None:
    """Each bucket would cost seconds of the way home, and ten listings of a bucket of millions."""
    recovery_of(aws).context.ledger.keep_fence("corpus", anew=True)
    seconds, asked_for = brings(aws)
    assert seconds == 0 and set(asked_for) == {"list_object_versions"} and len(asked_for) == 2
    aws.s3.write(CORPUS_COPY, "arrives", b"x")
    seconds, asked_for = brings(aws)
    assert 1 <= seconds <= 2 and "copy_object" not in asked_for, "replication brought it"
    aws.s3.write(CORPUS_COPY, "never-arrives", b"x", replicate=False)
    seconds, asked_for = brings(aws)
    assert seconds == 5 and asked_for.count("copy_object") == 1
    assert asked_for.count("list_object_versions") == 2 * (5 + 1 + 1), "a second pass has nothing to do"
    assert aws.s3.current(CORPUS)["never-arrives"] == b"x"
    aws.s3.write(CORPUS_COPY, "of-another-account", b"x", replicate=False)
    seconds, _ = brings(aws, vault=VaultAccount("999999999999", "vault"))
    assert seconds == 0 and "of-another-account" in aws.s3.current(CORPUS), "no rule leads back from there"


def test_a_standby_whose_run_left_no_journal_may_have_served(aws: FakeAws) -> None:
    """Nothing would come home of what was written there."""
    ledger = recovery_of(aws).context.ledger
    ledger.keep_fence("corpus", anew=True)
    held = ledger.leases.take("a run")
    ledger.claim(held, PRIMARY)
    ledger.set_active(STANDBY, FAILING_OVER, "a run without a journal", held.epoch, held.epoch)
    step = Step("sync-corpus", "bring-home", "corpus", arguments=Syncing())
    context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
    made = StepContext(step, "failback", "run", 1, context, lambda name: {}, aws.clock.now(), lambda: None)
    found = ACTIONS["bring-home"].ask(made)
    assert isinstance(found, Proven) and found.evidence["settled"] and "never_served" not in found.evidence


@pytest.mark.parametrize(
    ("begun", "served"),
    [("scale-fleet", True), ("promote-registry", True), ("traffic", True), ("restore-fleet", False)],
)
def test_a_standby_has_served_once_its_run_has_begun_anything_by_which_it_may_have_written(
    aws: FakeAws, begun: str, served: bool
) -> None:
    """What was written there would be taken for a copy, and stay when the workload goes home."""
    ledger = recovery_of(aws).context.ledger
    ledger.initialise(PRIMARY)
    ledger.keep_fence("corpus", anew=True)
    held = ledger.leases.take("a run")
    ledger.claim(held, PRIMARY)
    ledger.open_run("1-failover", "failover", held)
    ledger.append("1-failover", Entry(begun, INTENDED, "2026-01-01T00:00:00.000Z", held.epoch), 0, held)
    ledger.set_active(STANDBY, FAILING_OVER, "1-failover", held.epoch, held.epoch, away=False)
    step = Step("sync-corpus", "bring-home", "corpus", arguments=Syncing())
    context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
    made = StepContext(step, "failback", "run", 1, context, lambda name: {}, aws.clock.now(), lambda: None)
    found = ACTIONS["bring-home"].ask(made)
    assert isinstance(found, Proven) and bool(found.evidence.get("never_served")) is not served


def test_without_knowing_since_when_the_primary_takes_no_writes_nothing_is_brought_home(aws: FakeAws) -> None:
    """What was written there meanwhile would be taken for older, and covered."""
    recovery_of(aws).context.ledger.forget_fence("corpus")
    with pytest.raises(StepFailed, match="since when the primary bucket takes no writes is not known"):
        asked(aws, "bring-home", Syncing())


def test_a_way_home_keeps_its_lease_while_it_waits_for_replicas_and_while_it_copies(aws: FakeAws) -> None:
    """Hours of copying: another process would take the run up beside it."""
    recovery_of(aws).context.ledger.keep_fence("corpus", anew=True)
    aws.s3.write(CORPUS_COPY, "never-arrives", b"x", replicate=False)
    kept, began = list[float](), aws.clock.now()
    step = Step("sync-corpus", "bring-home", "corpus", arguments=Syncing())
    context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
    made = StepContext(
        step, "failback", "run", 1, context, lambda name: {}, None, lambda: kept.append(aws.clock.now() - began)
    )
    ACTIONS["bring-home"].act(made)
    assert kept[:5] == [0, 1, 2, 3, 4] and kept[5:], "at every look, and at every object"
