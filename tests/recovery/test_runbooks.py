"""The order of a recovery is data: fences before acts, commit after proof, no step that waits for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pilotlight.runtime.records.codec import dumps, loads
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.runs import LookingAgain, Runbook, Saying
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.runs.register import ACTIONS
from support.fake_aws import STANDBY, inventory

ALL = (runbooks.failover, runbooks.failback, runbooks.fence_returned)


def order(runbook: Runbook) -> dict[str, set[str]]:
    """Step -> everything that must be proven before it, near and far. Fails on a need that comes later."""
    before: dict[str, set[str]] = {}
    for step in runbook.steps:
        before[step.name] = set(step.needs).union(*(before[need] for need in step.needs))
    return before


def test_every_need_is_an_earlier_step_and_every_action_is_known() -> None:
    for runbook in (each(inventory()) for each in ALL):
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
    for runbook in (each(inventory()) for each in ALL):
        assert loads(Runbook, dumps(runbook), "a runbook") == runbook


def test_a_runbook_is_an_order_of_phases_and_every_step_is_in_one() -> None:
    failover, failback, fence = ([step.phase for step in book.steps] for book in (each(inventory()) for each in ALL))
    assert list(dict.fromkeys(failover)) == [
        "preflight", "fence", "choose", "restore", "start", "check", "traffic", "commit",
    ]  # fmt: skip
    assert list(dict.fromkeys(failback)) == [
        "preflight", "fence", "sync", "quiesce", "final sync", "hand over", "restore", "start", "check", "traffic",
        "rest", "commit", "protect",
    ]  # fmt: skip
    assert set(fence) == {"fence"} and "" not in (*failover, *failback)


def test_writers_are_stopped_before_what_they_write_to_where_steps_are_done_one_by_one() -> None:
    names = [step.name for step in runbooks.failback(inventory()).steps]
    assert names.index("fence-compute-fleet") < names.index("fence-bucket-corpus")
    assert names.index("rest-fleet") < names.index("forget-checkpoint-checkpoints")


def needs(runbook: Runbook) -> dict[str, set[str]]:
    return {step.name: set(step.needs) for step in runbook.steps}


def test_a_bucket_comes_home_as_soon_as_its_own_fence_stands() -> None:
    """It would wait for every other bucket, or be copied while the primary's group still writes."""
    home = needs(runbooks.failback(inventory()))
    assert home["sync-corpus"] == {"fence-bucket-corpus"}
    assert home["sync-checkpoints"] == {"fence-bucket-checkpoints"}
    assert home["fence-bucket-corpus"] == {"primary-answers"}


NOTHING: dict[str, Any] = {"databases": (), "volumes": (), "computes": (), "datasets": (), "traffic": None}
DATA = {name: each for name, each in NOTHING.items() if name != "datasets"}
AWAY = {
    "preflight": "",
    "fence": "preflight",
    "choose-point": "fence",
    "tell-checkpoint-checkpoints": "choose-point",
    "promote-registry": "choose-point",
    "restore-fleet": "choose-point",
    "scale-fleet": "promote-registry restore-fleet tell-checkpoint-checkpoints",
    "checks": "promote-registry restore-fleet scale-fleet tell-checkpoint-checkpoints",
    "traffic": "checks",
    "look-again": "checks promote-registry restore-fleet scale-fleet tell-checkpoint-checkpoints traffic",
    "commit": "look-again",
}
HOME = {
    "primary-answers": "",
    "fence-compute-fleet": "primary-answers",
    "fence-bucket-checkpoints": "primary-answers",
    "fence-bucket-corpus": "primary-answers",
    "sync-corpus": "fence-bucket-corpus",
    "sync-checkpoints": "fence-bucket-checkpoints",
    "rejoin-registry": "primary-answers",
    "quiesce": "fence-bucket-checkpoints fence-bucket-corpus fence-compute-fleet rejoin-registry sync-checkpoints "
    "sync-corpus",
    "final-sync-corpus": "quiesce",
    "final-sync-checkpoints": "quiesce",
    "switch-registry": "quiesce",
    "keep-by-hand": "final-sync-checkpoints final-sync-corpus switch-registry",
    "hand-over": "keep-by-hand",
    "open-bucket-corpus": "hand-over",
    "open-bucket-checkpoints": "hand-over",
    "tell-checkpoint-checkpoints": "hand-over",
    "scale-fleet": "open-bucket-checkpoints open-bucket-corpus tell-checkpoint-checkpoints",
    "checks": "scale-fleet",
    "traffic": "checks",
    "rest-fleet": "traffic",
    "forget-template-fleet": "rest-fleet",
    "forget-checkpoint-checkpoints": "traffic",
    "look-again": "checks forget-checkpoint-checkpoints forget-template-fleet open-bucket-checkpoints "
    "open-bucket-corpus rest-fleet scale-fleet switch-registry tell-checkpoint-checkpoints traffic",
    "commit": "look-again",
    "forget-by-hand": "commit",
    "replicates-corpus": "commit",
    "canary-arrives-corpus": "replicates-corpus",
    "canary-gone-corpus": "canary-arrives-corpus",
    "replicates-checkpoints": "commit",
    "canary-arrives-checkpoints": "replicates-checkpoints",
    "canary-gone-checkpoints": "canary-arrives-checkpoints",
    "reprotect-registry": "commit",
}
DATA_HOME = {
    name: HOME[name]
    for name in HOME
    if not any(each in name for each in ("fleet", "registry", "traffic"))
    } | {
    "quiesce": "fence-bucket-checkpoints fence-bucket-corpus sync-checkpoints sync-corpus",
    "keep-by-hand": "final-sync-checkpoints final-sync-corpus",
    "checks": "open-bucket-checkpoints open-bucket-corpus tell-checkpoint-checkpoints",
    "forget-checkpoint-checkpoints": "checks",
    "look-again": "checks forget-checkpoint-checkpoints open-bucket-checkpoints open-bucket-corpus "
    "tell-checkpoint-checkpoints",
}  # fmt: skip


@pytest.mark.parametrize(
    ("of", "changes", "wanted"),
    [
        (runbooks.failover, {}, AWAY),
        (runbooks.failback, {}, HOME),
        (
            runbooks.failover,
            NOTHING,
            {
                "preflight": "",
                "fence": "preflight",
                "choose-point": "fence",
                "checks": "choose-point",
                "look-again": "checks",
                "commit": "look-again",
            },
        ),
        (
            runbooks.failback,
            NOTHING,
            {
                "primary-answers": "",
                "quiesce": "primary-answers",
                "keep-by-hand": "quiesce",
                "hand-over": "keep-by-hand",
                "checks": "hand-over",
                "look-again": "checks",
                "commit": "look-again",
                "forget-by-hand": "commit",
            },
        ),
        (
            runbooks.failover,
            DATA,
            {
                "preflight": "",
                "fence": "preflight",
                "choose-point": "fence",
                "tell-checkpoint-checkpoints": "choose-point",
                "checks": "tell-checkpoint-checkpoints",
                "look-again": "checks tell-checkpoint-checkpoints",
                "commit": "look-again",
            },
        ),
        (runbooks.failback, DATA, DATA_HOME),
        (runbooks.fence_returned, DATA, {"fence-bucket-checkpoints": "", "fence-bucket-corpus": ""}),
    ],
)
def test_what_waits_for_what_is_written_down_for_a_run_of_everything_and_of_little(
    of: Callable[[Inventory], Runbook], changes: dict[str, Any], wanted: dict[str, str]
) -> None:
    """A need that is lost lets a step act before it may; one too many makes a run longer than it was promised."""
    runbook = of(inventory(**changes))
    assert {step.name: " ".join(sorted(step.needs)) for step in runbook.steps} == wanted
    assert [step.name for step in runbook.steps] == [*wanted]
    passing = {"fence", "quiesce", "hand-over", "keep-by-hand", "commit"}
    assert {step.name for step in runbook.steps if not step.lasts} == passing & set(wanted)


@pytest.mark.parametrize("of", ALL)
def test_what_users_stand_on_stops_after_them(of: Callable[[Inventory], Runbook]) -> None:
    """Writers before what they write to, where a region is fenced or put to rest."""
    names = [step.name for step in of(inventory()).steps]
    for group, bucket in (
        ("fence-compute-fleet", "fence-bucket-corpus"),
        ("rest-fleet", "forget-checkpoint-checkpoints"),
    ):
        if group in names and bucket in names:
            assert names.index(group) < names.index(bucket)


def test_without_users_names_nothing_moves_them_and_the_rest_follows_the_checks() -> None:
    bare = inventory(traffic=None)
    assert "traffic" not in needs(runbooks.failover(bare)) and "traffic" in needs(runbooks.failover(inventory()))
    rest = [step for step in runbooks.failback(bare).steps if step.phase == "rest"]
    assert rest and all("checks" in order(runbooks.failback(bare))[step.name] for step in rest)
    with_names = [step for step in runbooks.failback(inventory()).steps if step.phase == "rest"]
    assert all("traffic" in order(runbooks.failback(inventory()))[step.name] for step in with_names)


def test_the_last_look_looks_at_all_that_lasts_and_at_nothing_that_a_later_step_changes() -> None:
    for runbook in (each(inventory()) for each in ALL[:2]):
        again = next(step for step in runbook.steps if step.name == "look-again")
        assert isinstance(again.arguments, LookingAgain)
        assert again.arguments.steps == again.needs
        lasting = {step.name for step in runbook.steps if step.lasts}
        assert set(again.needs) <= lasting
        assert not {"keep-by-hand", "fence", "quiesce", "hand-over", "commit"} & set(again.needs)
        assert {"checks", "traffic"} <= set(again.needs)


def test_only_the_first_word_of_a_run_raises_the_epoch_and_only_a_failback_lets_readers_settle() -> None:
    """A word that raises it again shuts out the run's own steps; one that settles makes an outage longer."""
    told = {
        (runbook.kind, step.name): (step.arguments.region, step.arguments.raises, step.arguments.settle)
        for runbook in (runbooks.failover(inventory()), runbooks.failback(inventory()))
        for step in runbook.steps
        if isinstance(step.arguments, Saying)
    }
    assert told == {
        ("failover", "fence"): ("standby", True, False),
        ("failover", "commit"): ("standby", False, False),
        ("failback", "quiesce"): ("standby", True, True),
        ("failback", "hand-over"): ("primary", False, False),
        ("failback", "commit"): ("primary", False, False),
    }
