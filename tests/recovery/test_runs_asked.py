"""What a user loses when one of these fails: a run that begins though all is over, or none though a region is lost."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import ChosenPointGone, LeaseHeld, StepFailed
from pilotlight.runtime.kinds.action import Absent, Proven, StepContext
from pilotlight.runtime.kinds.registry import by_kind
from pilotlight.runtime.naming import RECORD_RUNS
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.records.runs import FAILED, RUNNING, SUCCEEDED, SUPERSEDED, WITHDRAWN, Step
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs import run
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.runs.run import INTERRUPTED, close_dead, is_going_home, is_over, run_failover, under_way
from pilotlight.runtime.runs.watching import Unwatched
from pilotlight.runtime.store.lease import LEASE_SECONDS, Held
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING, SWITCHING
from support.fake_aws import MODELS_COPY, NAMES, PRIMARY, STANDBY, FakeAws, inventory, recovery_of
from support.fake_machines import Version

pytestmark = pytest.mark.acts_alone


def claimed(aws: FakeAws) -> Held:
    held = recovery_of(aws).context.ledger.leases.take("somebody")
    recovery_of(aws).context.ledger.claim(held, PRIMARY)
    return held


def says(aws: FakeAws, held: Held, region: str, state: str, name: str = "") -> RecoveryContext:
    context = recovery_of(aws).context
    context.ledger.set_active(region, state, name, held.epoch, held.epoch)
    return context


@pytest.mark.parametrize(
    ("region", "state", "later", "over"),
    [
        (STANDBY, SERVING, -1.0, True),
        (STANDBY, SERVING, 1.0, True),
        (PRIMARY, SERVING, 1.0, False),
        (PRIMARY, SERVING, 0.0, False),
        (PRIMARY, SERVING, -1.0, True),
        (STANDBY, FAILING_OVER, -1.0, False),
        (PRIMARY, SWITCHING, -1.0, False),
    ],
)
def test_a_failover_is_over_where_the_standby_serves_or_the_primary_does_since_it_was_called_for(
    aws: FakeAws, region: str, state: str, later: float, over: bool
) -> None:
    context = says(aws, claimed(aws), region, state)
    assert is_over(context, STANDBY, "failover", aws.clock.now() + later) is over
    assert is_going_home(context) is (state == SWITCHING)


def test_before_anything_ever_failed_over_nothing_is_over(aws: FakeAws) -> None:
    context = recovery_of(aws).context
    context.ledger._table.put("active", "active", {"region": PRIMARY, "epoch": 1, "since": "", "run": ""})
    assert not is_over(context, STANDBY, "failover", 0.0)


def test_a_run_is_under_way_where_the_record_names_it_and_it_has_not_succeeded(aws: FakeAws) -> None:
    held = claimed(aws)
    context = says(aws, held, STANDBY, SERVING, "1-failover")
    assert under_way(context, "failover") is None, "it has no journal"
    context.ledger.open_run("1-failover", "failover", held)
    found = under_way(context, "failover")
    assert found is not None and found.run == "1-failover" and under_way(context, "failback") is None
    assert not is_over(context, STANDBY, "failover", 0.0), "it is gone on with"
    context.ledger.close_run("1-failover", "failover", held, FAILED, "why")
    assert under_way(context, "failover") is not None
    context.ledger.close_run("1-failover", "failover", held, SUCCEEDED)
    assert under_way(context, "failover") is None and is_over(context, STANDBY, "failover", 0.0)


def test_a_run_that_died_before_its_fence_is_closed_once_nobody_can_be_at_it(aws: FakeAws) -> None:
    """It would be shown as running for ever; one that changed who serves is gone on with."""
    context = recovery_of(aws).context

    def states() -> dict[str, str]:
        return {each.run: each.state for each in context.ledger.runs() if each.run in ("1-failover", "2-failover")}

    held = claimed(aws)
    for name in ("1-failover", "2-failover"):
        context.ledger.open_run(name, "failover", held)
    says(aws, held, STANDBY, FAILING_OVER, "2-failover")
    close_dead(context, "me")
    assert states() == {"1-failover": RUNNING, "2-failover": RUNNING}, "its lease is not over"
    aws.clock.sleep(LEASE_SECONDS + 1)
    close_dead(context, "me")
    assert states() == {"1-failover": SUPERSEDED, "2-failover": RUNNING}
    epoch = context.ledger.leases.epoch()
    close_dead(context, "me")
    assert context.ledger.leases.epoch() == epoch, "nothing is left to close, and no lease is taken"


def test_a_person_who_interrupts_gives_the_lease_back_and_the_journal_says_so(aws: FakeAws) -> None:
    """The next one would wait for a lease that nobody holds."""

    class Interrupted(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "failover_global_cluster":
                raise KeyboardInterrupt
            return super().call(service, operation, region, **parameters)

    context = RecoveryContext(Interrupted(aws), inventory(), aws.clock, aws.fetch)
    with pytest.raises(KeyboardInterrupt):
        run_failover(context, "me", side_by_side=1)
    ledger = recovery_of(aws).context.ledger
    (journal,) = ledger.runs("failover")
    assert (journal.state, journal.reason) == (FAILED, INTERRUPTED)
    assert ledger.leases.holder()[1] <= aws.clock.now()
    assert recovery_of(aws).failover() is not None


def test_a_run_that_ends_gives_its_lease_back_however_it_ends(aws: FakeAws) -> None:
    context = recovery_of(aws).context
    aws.denied = {"rds:failover_global_cluster"}
    with pytest.raises(Exception, match="rds:failover_global_cluster"):
        run_failover(context, "me")
    assert context.ledger.leases.holder()[1] <= aws.clock.now()
    aws.denied = set()
    paused = run_failover(context, "me", deadline=aws.clock.now() + 5)
    assert paused is not None and paused.state == RUNNING
    assert context.ledger.leases.holder()[1] <= aws.clock.now()
    done = run_failover(context, "me")
    assert done is not None and (done.state, done.run) == (SUCCEEDED, paused.run)
    assert f"{RECORD_RUNS}{done.run}.json" in aws.s3.current(NAMES.vault_bucket), "a finished run has its record"
    assert context.ledger.leases.holder()[1] <= aws.clock.now()
    assert [each.evidence["holder"] for each in done.entries if each.step == "take-lease"] == ["me"] * 3
    assert done.entries[-1].step == "release-lease"
    assert run_failover(context, "me") is None


def test_a_run_waits_for_another_as_long_as_it_was_told_to(aws: FakeAws) -> None:
    context = recovery_of(aws).context
    context.ledger.leases.take("another")
    began = aws.clock.now()
    with pytest.raises(LeaseHeld):
        run_failover(context, "me", patience=5)
    assert 3 < aws.clock.now() - began <= 5
    assert run_failover(context, "me", patience=LEASE_SECONDS + 5) is not None


def test_a_choice_is_made_anew_a_few_times_and_not_for_ever(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something deletes copies as fast as they are chosen: a person looks."""
    monkeypatch.setattr(run, "CHOICES_MAX", 3)
    restore, tries = ACTIONS["restore"], list[str]()

    def gone(self: Any, work: StepContext) -> None:
        tries.append(work.chosen.point)
        raise work.point_gone("its copies are gone")

    monkeypatch.setattr(type(restore), "act", gone)
    with pytest.raises(ChosenPointGone):
        run_failover(recovery_of(aws).context, "me", side_by_side=1)
    assert len(tries) == 3
    (journal,) = recovery_of(aws).context.ledger.runs("failover")
    withdrawn = [each.step for each in journal.entries if each.state == WITHDRAWN]
    assert withdrawn.count("choose-point") == 2 and journal.state == FAILED


# -- what a point comes to -------------------------------------------------------------------------------------


def work(aws: FakeAws, action: str, client: Any = None, **of: Any) -> StepContext:
    context = RecoveryContext(client or aws, inventory(**of), aws.clock, aws.fetch)
    return StepContext(Step(action, action), "failover", "run", 1, context, lambda name: {}, None, lambda: None)


def test_nothing_is_fenced_for_a_recovery_that_no_point_allows(aws: FakeAws) -> None:
    asks = ACTIONS["point-exists"]
    found = asks.ask(work(aws, "point-exists"))
    assert isinstance(found, Proven) and "passed_over" not in found.evidence
    for each in aws.snapshots[STANDBY].values():
        each["done"] = aws.clock.now() + 1000
    with pytest.raises(StepFailed, match=r"none of \d+ points can be recovered from \(point .*is pending"):
        asks.ask(work(aws, "point-exists"))


def test_a_choice_stands_while_its_point_is_usable_and_names_what_is_newer(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    asks, ledger = ACTIONS["choose-point"], recovery.context.ledger
    assert isinstance(asks.ask(work(aws, "choose-point")), Absent)
    usable = [each.id for each in ledger.points() if each.usable]
    asks.act(work(aws, "choose-point"))
    assert ledger.chosen_point("run") == usable[0]
    first = asks.ask(work(aws, "choose-point"))
    assert isinstance(first, Proven) and "passed_over" not in first.evidence
    assert first.evidence["checkpoints"]["checkpoints"]["step"] == 40
    aws.clock.sleep(61)
    newer = recovery.protect()
    assert newer is not None
    found = asks.ask(work(aws, "choose-point"))
    assert isinstance(found, Proven) and found.evidence["point"] == usable[0]
    assert found.evidence["passed_over"] == [{"point": newer.id, "why": "it was listed after the choice"}]
    ledger.refuse_point(usable[0], "it diverged")
    refused = asks.ask(work(aws, "choose-point"))
    assert isinstance(refused, Absent) and refused.observed == f"point {usable[0]} is refused"
    ledger.choose_point("run", "a point that nobody has")
    assert isinstance(asks.ask(work(aws, "choose-point")), Absent)


def fleet_of(**changed: Any) -> Any:
    kind, (asset,) = next(each for each in by_kind(inventory()) if each[0].name == "compute")
    return kind, dataclasses.replace(asset, **changed)


def test_a_group_comes_up_from_the_points_image_or_else_from_the_last_deployments(aws: FakeAws) -> None:
    newest = recovery_of(aws).point("newest")
    kind, asset = fleet_of()
    usable = kind.usable(work(aws, "choose-point"), asset, newest)
    assert usable.problems == () and usable.evidence == {"images": {"fleet": "ami-2"}}
    nothing = RecoveryPoint("p", "inference", newest.created_at, "complete", ())
    lacking = kind.usable(work(aws, "choose-point"), asset, nothing)
    assert len(lacking.problems) == 1 and "blank disks" in lacking.problems[0]
    part = next(each for each in newest.parts if each.asset == "fleet")
    other = dataclasses.replace(part, reference=dataclasses.replace(part.reference, image="ami-gone"))  # type: ignore[type-var]
    moved = dataclasses.replace(newest, parts=tuple(other if each is part else each for each in newest.parts))
    found = kind.usable(work(aws, "choose-point"), asset, moved)
    assert found.problems == () and found.evidence["images"] == {"fleet": "ami-2"}
    assert "image ami-gone is gone in us-west-2; ami-2 of the last deployment is launched" in str(found.evidence)
    aws.images.clear()
    lost = kind.usable(work(aws, "choose-point"), asset, newest)
    assert any("image ami-2 is gone" in each for each in lost.problems)


def verified(aws: FakeAws, name: str, deep: bool = False) -> Any:
    found = recovery_of(aws).verify("newest", deep)
    return next(each for each in found.parts if each.asset == name)


def test_a_part_that_is_read_again_says_how_much_was_looked_at(aws: FakeAws) -> None:
    checkpoints = verified(aws, "checkpoints")
    assert (checkpoints.looked_at, checkpoints.problems) == (3, ()) and checkpoints.bytes_read > 0
    deeply = verified(aws, "checkpoints", deep=True)
    assert deeply.problems == () and deeply.bytes_read > checkpoints.bytes_read
    assert verified(aws, "fleet").looked_at == 1 and verified(aws, "registry").looked_at == 1
    index = verified(aws, "index")
    assert index.looked_at == 2 and index.remarks == ()
    assert "the bytes inside snapshot copies are not read" in verified(aws, "index", deep=True).remarks[0]
    aws.images.clear()
    lost = verified(aws, "fleet")
    assert any("ami-2 is gone" in each for each in lost.problems) and lost.remarks == (), "a problem is no remark"


def test_a_group_that_comes_up_from_another_image_than_its_points_holds_and_is_remarked(aws: FakeAws) -> None:
    aws.images["ami-3"] = aws.images.pop("ami-2")
    aws.templates[NAMES.launch_template("fleet")].append(Version({"ImageId": "ami-3"}))
    found = verified(aws, "fleet")
    assert found.problems == () and "ami-3 of the last deployment is launched" in found.remarks[0]


def test_a_checkpoint_that_is_gone_from_the_standby_is_told_by_its_path(aws: FakeAws) -> None:
    for key in [key for key in aws.s3.objects[MODELS_COPY] if "step-000040" in key]:
        del aws.s3.objects[MODELS_COPY][key]
    found = verified(aws, "checkpoints")
    assert found.problems == (f"step-000040/ is gone from s3://{MODELS_COPY}/checkpoints/",)


def test_a_point_tells_the_newest_step_that_either_region_has_begun(aws: FakeAws) -> None:
    """Steps that were begun and are torn are lost with the primary."""
    recovery = Recovery(RecoveryContext(aws, inventory(), aws.clock, aws.fetch), "test")
    point = recovery.protect()
    assert point is not None
    part = point.part("checkpoints")
    assert part is not None and part.evidence["newest_started_step"] == 60
    assert part.loss is not None and part.loss.steps == 20
    aws.s3.write(MODELS_COPY, "checkpoints/step-000080/model-00001-of-00002.safetensors", b"torn", replicate=False)
    aws.clock.sleep(61)
    later = recovery.protect()
    assert later is not None
    part = later.part("checkpoints")
    assert part is not None and part.evidence["newest_started_step"] == 80
    assert stamp(aws.clock.now())[:10] == later.created_at[:10]


# -- who asks for a failover by itself while the workload goes home ----------------------------------------------


def test_an_alarm_during_a_failback_does_not_wait_for_its_lease(aws: FakeAws) -> None:
    """The function would wait its whole time beside a failback that a person has begun, and end in an error."""
    held = claimed(aws)
    context = says(aws, held, PRIMARY, SWITCHING)
    before = aws.clock.now()
    assert run_failover(context, "recover", patience=5, seen_at=before) is None
    assert aws.clock.now() == before and context.ledger.leases.epoch() == held.epoch


def test_an_alarm_that_waited_while_a_failback_began_promotes_nothing(aws: FakeAws) -> None:
    """Neither region is known to be lost: what was written last would be."""
    held = recovery_of(aws).context.ledger.leases.take("somebody")
    began = aws.clock.now()

    class GoesHome(Unwatched):
        def beside(self, holder: str, seconds: float) -> None:
            recovery_of(aws).context.ledger.claim(held, PRIMARY)
            says(aws, held, PRIMARY, SWITCHING).ledger.leases.release(held)

    context = recovery_of(aws).context
    assert run_failover(context, "recover", patience=5, seen_at=began, observer=GoesHome()) is None
    assert (aws.promotions, context.ledger.runs("failover")) == (0, [])
    assert context.ledger.leases.holder()[1] <= aws.clock.now(), "whoever goes on with the failback is let in"
    assert context.ledger.leases.holder()[0] == "recover"
