"""The order of a recovery is data: fences before acts, commit after proof, no step that waits for itself."""

from __future__ import annotations

from pilotlight.runtime.records.codec import dumps, loads
from pilotlight.runtime.records.runs import Runbook
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.runs.register import ACTIONS
from support.fake_aws import STANDBY, inventory

BOTH = (runbooks.failover(inventory()), runbooks.failback(inventory()), runbooks.fence_returned(inventory()))


def order(runbook: Runbook) -> dict[str, set[str]]:
    """Step -> everything that must be proven before it, near and far. Fails on a need that comes later."""
    before: dict[str, set[str]] = {}
    for step in runbook.steps:
        before[step.name] = set(step.needs).union(*(before[need] for need in step.needs))
    return before


def test_every_need_is_an_earlier_step_and_every_action_is_known() -> None:
    for runbook in BOTH:
        assert len(order(runbook)) == len(runbook.steps), "names are unique"
        assert {step.action for step in runbook.steps} <= ACTIONS.keys()


def test_failover_fences_before_it_promotes_and_commits_after_traffic() -> None:
    before = order(runbooks.failover(inventory()))
    assert before["fence"] == {"preflight"}
    acting = before.keys() - {"preflight", "fence"}
    assert all("fence" in before[step] for step in acting)
    assert before["commit"] >= {"traffic", "checks", "promote-registry", "scale-fleet"}


def test_a_group_waits_for_what_it_uses_and_no_more() -> None:
    one, *_ = inventory().computes
    without = runbooks.failover(inventory(computes=(type(one)(**(vars(one) | {"uses": ()})),)))
    assert "promote-registry" in order(runbooks.failover(inventory()))["scale-fleet"]
    assert "promote-registry" not in order(without)["scale-fleet"]
    assert "promote-registry" in order(without)["checks"]


def test_failback_opens_the_primary_only_after_it_was_handed_over() -> None:
    before = order(runbooks.failback(inventory()))
    for step in ("open-bucket-corpus", "scale-fleet", "tell-checkpoint-checkpoints"):
        assert before[step] >= {"hand-over", "quiesce", "switch-registry", "final-sync-corpus", "fence-compute-fleet"}
    assert "commit" in before["canary-arrives-corpus"]


def test_every_step_of_failover_acts_in_the_standby_region() -> None:
    for step in runbooks.failover(inventory()).steps:
        assert step.arguments.region == "standby", STANDBY


def test_a_runbook_without_databases_volumes_or_traffic_still_ends_in_a_commit() -> None:
    bare = inventory(databases=(), volumes=(), computes=(), datasets=(), traffic=None)
    for runbook in (runbooks.failover(bare), runbooks.failback(bare)):
        assert "checks" in order(runbook)["commit"]


def test_runbooks_are_records() -> None:
    for runbook in BOTH:
        assert loads(Runbook, dumps(runbook), "a runbook") == runbook


def test_a_runbook_is_an_order_of_phases_and_every_step_is_in_one() -> None:
    failover, failback, fence = ([step.phase for step in book.steps] for book in BOTH)
    assert list(dict.fromkeys(failover)) == [
        "preflight", "fence", "choose", "restore", "start", "check", "traffic", "commit",
    ]  # fmt: skip
    assert list(dict.fromkeys(failback)) == [
        "preflight", "fence", "sync", "quiesce", "final sync", "hand over", "restore", "start", "check", "traffic",
        "rest", "commit", "protect",
    ]  # fmt: skip
    assert set(fence) == {"fence"} and "" not in (*failover, *failback)


def test_writers_are_stopped_before_what_they_write_to_where_steps_are_done_one_by_one() -> None:
    names = [step.name for step in BOTH[1].steps]
    assert names.index("fence-compute-fleet") < names.index("fence-bucket-corpus")
    assert names.index("rest-fleet") < names.index("forget-checkpoint-checkpoints")
