"""The engine by itself, with steps made for the purpose: what is proven, what is repeated, and when it stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.clock import FakeClock, stamp
from pilotlight.runtime.errors import (
    CallRefused,
    EpochStale,
    PilotlightError,
    RegionUnreachable,
    StepFailed,
    StepTimedOut,
    Throttled,
)
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Underway, Wait
from pilotlight.runtime.records.runs import (
    FAILED,
    INTENDED,
    LOOKED_AGAIN,
    PROVEN,
    WITHDRAWN,
    Entry,
    LookingAgain,
    Runbook,
    Step,
)
from pilotlight.runtime.runs.engine import ACTS_MAX, Engine, Paused
from pilotlight.runtime.store.lease import LEASE_SECONDS, RENEW_SECONDS, Held
from pilotlight.runtime.store.ledger import CUT
from support.fake_aws import STANDBY, FakeAws, recovery_of


@dataclass
class Switch:
    """Is on `after_seconds` after it was acted on."""

    after_seconds: float = 0.0
    takes: Callable[[], None] = lambda: None
    wait: Wait = field(default_factory=lambda: Wait(30, 1, "a test"))
    acted_at: list[float] = field(default_factory=list)

    def ask(self, work: StepContext) -> Answer:
        if not self.acted_at:
            return Absent("off")
        if work.clock.now() < self.acted_at[0] + self.after_seconds:
            return Underway("turning on")
        return Proven({"on": True})

    def act(self, work: StepContext) -> None:
        self.takes()
        self.acted_at.append(work.clock.now())


def engine(aws: FakeAws, steps: tuple[Step, ...], actions: dict[str, Switch], **more: object) -> Engine:
    recovery = recovery_of(aws)
    held: Held = recovery.context.ledger.leases.take("test")
    recovery.context.ledger.open_run("run", "test", held)
    return Engine(recovery.context, Runbook("test", "inference", steps), "run", held, actions, **more)  # type: ignore[arg-type]


def states(aws: FakeAws) -> list[tuple[str, str]]:
    journal = recovery_of(aws).context.ledger.journal("run")
    assert journal is not None
    return [(entry.step, entry.state) for entry in journal.entries]


def test_a_step_is_intended_before_it_acts_and_proven_after(aws: FakeAws) -> None:
    seen: list[list[tuple[str, str]]] = []
    switch = Switch(takes=lambda: seen.append(states(aws)))
    engine(aws, (Step("a", "switch"),), {"switch": switch}).execute()
    assert seen == [[("a", INTENDED)]]
    assert states(aws) == [("a", INTENDED), ("a", PROVEN)]


def test_what_is_so_already_is_only_proven(aws: FakeAws) -> None:
    switch = Switch(acted_at=[0.0])
    engine(aws, (Step("a", "switch"),), {"switch": switch}).execute()
    assert states(aws) == [("a", PROVEN)] and len(switch.acted_at) == 1


def test_what_was_begun_is_waited_for_and_not_begun_again(aws: FakeAws) -> None:
    switch = Switch(after_seconds=10)
    engine(aws, (Step("a", "switch"),), {"switch": switch}).execute()
    assert len(switch.acted_at) == 1


def test_a_wait_that_is_longer_than_a_lease_keeps_it(aws: FakeAws) -> None:
    """Else a second process takes over a run that is sound and only waits."""
    held = list[bool]()

    class Watched(Switch):
        def ask(self, work: StepContext) -> Answer:
            held.append(work.ledger.leases.holder()[1] > work.clock.now())
            return super().ask(work)

    wait = Wait(LEASE_SECONDS * 6, 1, "a test")
    engine(aws, (Step("a", "switch"),), {"switch": Watched(LEASE_SECONDS * 4, wait=wait)}).execute()
    assert len(held) > LEASE_SECONDS * 3 and all(held)
    assert aws.made.count(("dynamodb", "update_item", STANDBY)) < len(held) / 4, "and not with every look"


def test_a_step_that_is_never_proven_times_out_and_says_what_was_seen(aws: FakeAws) -> None:
    started = aws.clock.now()
    with pytest.raises(StepTimedOut, match="not proven within 30 s: turning on"):
        engine(aws, (Step("a", "switch"),), {"switch": Switch(after_seconds=1e9)}).execute()
    assert 30 <= aws.clock.now() - started < 33
    assert states(aws)[-1] == ("a", FAILED)


def test_an_act_without_an_answer_is_asked_for_before_it_is_tried_again(aws: FakeAws) -> None:
    tries: list[int] = []

    def silent() -> None:
        tries.append(1)
        raise RegionUnreachable(region="us-west-2", service="s", operation="o")

    with pytest.raises(StepTimedOut):
        engine(aws, (Step("a", "switch"),), {"switch": Switch(takes=silent)}).execute()
    assert len(tries) == ACTS_MAX


def test_an_act_that_was_taken_is_not_repeated_while_nothing_is_seen_of_it_yet(aws: FakeAws) -> None:
    """A list that is read late would make a second promotion of it."""
    acts: list[float] = []

    class Late(Switch):
        def ask(self, work: StepContext) -> Answer:
            seen = bool(acts) and work.clock.now() >= acts[0] + 10
            return Proven({"on": True}) if seen else Absent("not listed")

    engine(aws, (Step("a", "switch"),), {"switch": Late(takes=lambda: acts.append(aws.clock.now()))}).execute()
    assert len(acts) == 1


def test_steps_that_need_nothing_of_one_another_run_side_by_side(aws: FakeAws) -> None:
    together = threading.Barrier(2, timeout=10)

    def meet() -> None:
        together.wait()

    actions = {"one": Switch(takes=meet), "two": Switch(takes=meet)}
    engine(aws, (Step("a", "one"), Step("b", "two")), actions).execute()
    assert not together.broken


def test_a_step_waits_for_its_needs(aws: FakeAws) -> None:
    actions = {"one": Switch(after_seconds=5), "two": Switch()}
    engine(aws, (Step("b", "two", needs=("a",)), Step("a", "one")), actions).execute()
    assert actions["two"].acted_at[0] >= actions["one"].acted_at[0] + 5


def test_after_a_failure_nothing_new_is_begun(aws: FakeAws) -> None:
    def refuse() -> None:
        raise StepFailed(step="a", asset="x", region="us-west-2", reason="no", runbook="test")

    actions = {"one": Switch(takes=refuse), "two": Switch()}
    with pytest.raises(StepFailed):
        engine(aws, (Step("a", "one"), Step("b", "two", needs=("a",))), actions).execute()
    assert not actions["two"].acted_at


def test_a_step_whose_needs_never_come_is_an_error_and_no_success(aws: FakeAws) -> None:
    with pytest.raises(StepFailed, match="it needs nothing-of-that-name"):
        engine(aws, (Step("a", "one", needs=("nothing-of-that-name",)),), {"one": Switch()}).execute()


def test_a_long_wait_keeps_the_lease(aws: FakeAws) -> None:
    switch = Switch(after_seconds=LEASE_SECONDS * 4, wait=Wait(LEASE_SECONDS * 5, 1, "a test"))
    running = engine(aws, (Step("a", "switch"),), {"switch": switch})
    running.execute()
    _, until = recovery_of(aws).context.ledger.leases.holder()
    assert until > aws.clock.now()


def test_a_run_that_lost_its_lease_while_it_waited_ends(aws: FakeAws) -> None:
    def lose() -> None:
        aws.clock.sleep(LEASE_SECONDS + 1)
        recovery_of(aws, "another").context.ledger.leases.take("another")

    with pytest.raises(EpochStale):
        engine(aws, (Step("a", "switch"),), {"switch": Switch(after_seconds=5, takes=lose)}).execute()


def test_at_the_deadline_it_stops_between_two_asks(aws: FakeAws) -> None:
    switch = Switch(after_seconds=20)
    with pytest.raises(Paused):
        engine(aws, (Step("a", "switch"),), {"switch": switch}, deadline=aws.clock.now() + 5).execute()
    assert states(aws) == [("a", INTENDED)]


def test_what_stands_on_a_step_that_is_withdrawn_begins_anew_however_far_it_stands(aws: FakeAws) -> None:
    """Instances would come up from the point whose copies are gone."""
    steps = (Step("a", "one"), Step("b", "two", needs=("a",)), Step("c", "three", needs=("b",)), Step("d", "four"))
    running = engine(aws, steps, {name: Switch() for name in ("one", "two", "three", "four")})
    running.execute()
    running.withdraw("a", "gone")
    assert [name for name, state in states(aws) if state == WITHDRAWN] == ["a", "b", "c"]


def test_instances_that_came_up_have_come_up_though_their_step_begins_anew(aws: FakeAws) -> None:
    """They may have written on volumes of the chosen point: another one is not taken by itself any more."""
    steps = (Step("choose", "one"), Step("scale", "two", needs=("choose",)))
    running = engine(aws, steps, {name: Switch() for name in ("one", "two")})
    assert not running.has_begun(("two",), "choose")
    running.execute()
    running.withdraw("scale", "a late act stopped them")
    assert running.has_begun(("two",), "choose")
    running.withdraw("choose", "its copies are gone")
    assert not running.has_begun(("two",), "choose")


def test_a_step_may_take_as_long_as_its_wait_says_and_not_a_moment_more(aws: FakeAws) -> None:
    for after, proven in ((29.0, True), (31.0, False)):
        switch, made = Switch(after_seconds=after), FakeAws(FakeClock())
        running = engine(made, (Step("a", "switch"),), {"switch": switch})
        if proven:
            running.execute()
        else:
            with pytest.raises(StepTimedOut):
                running.execute()


def test_the_time_of_a_wait_begins_with_the_last_act(aws: FakeAws) -> None:
    """An act that took long itself would leave its effect no time."""
    switch = Switch(after_seconds=29.0)
    switch.takes = lambda: aws.clock.sleep(20)
    engine(aws, (Step("a", "switch"),), {"switch": switch}).execute()


def test_a_look_that_gives_no_answer_while_a_step_waits_is_no_reason_to_give_up(aws: FakeAws) -> None:
    class Deaf(Switch):
        def ask(self, work: StepContext) -> Answer:
            if self.acted_at and work.clock.now() < self.acted_at[0] + 3:
                raise Throttled(service="s", operation="o", region=STANDBY, attempts=1)
            return super().ask(work)

    switch = Deaf()
    engine(aws, (Step("a", "switch"),), {"switch": switch}).execute()
    assert len(switch.acted_at) == 1


def test_an_act_that_is_refused_ends_its_step_and_is_written_down(aws: FakeAws) -> None:
    def refuse() -> None:
        raise refused("rds", "failover_global_cluster", STANDBY, "AccessDenied", "no")

    with pytest.raises(CallRefused):
        engine(aws, (Step("a", "switch"),), {"switch": Switch(takes=refuse)}).execute()
    journal = recovery_of(aws).context.ledger.journal("run")
    assert journal is not None and journal.entries[-1].state == FAILED
    assert "rds:failover_global_cluster" in journal.entries[-1].evidence["reason"]


@pytest.mark.parametrize(("left", "stops"), [(30.0, False), (21.0, False), (20.0, True), (0.0, True)])
def test_a_run_stops_before_the_deadline_by_the_wait_that_it_would_begin(
    aws: FakeAws, left: float, stops: bool
) -> None:
    """A function that is ended by force leaves its lease, and the next one waits for that."""
    switch = Switch(after_seconds=15.0, wait=Wait(60, 20, "a test"))
    running = engine(aws, (Step("a", "switch"),), {"switch": switch}, deadline=aws.clock.now() + left)
    if stops:
        with pytest.raises(Paused):
            running.execute()
    else:
        running.execute()
    assert bool(switch.acted_at) is (left > 0)


def test_steps_that_an_earlier_process_proved_are_not_asked_for_again(aws: FakeAws) -> None:
    asked = list[str]()

    class Asking(Switch):
        def ask(self, work: StepContext) -> Answer:
            asked.append(work.step.name)
            return super().ask(work)

    steps = (Step("a", "one"), Step("b", "two", needs=("a",)))
    first = engine(aws, steps, {"one": Asking(), "two": Asking(acted_at=[0.0])})
    first.execute()
    asked.clear()
    again = Engine(first.context, first.runbook, "run", first.held, first.actions, entries=first.entries, written=9)
    again.execute()
    assert asked == []


def looking(aws: FakeAws, lasts: bool = True, looked: bool = False) -> tuple[Engine, Switch]:
    """A run that another process has taken up: `a` and what stands on it were proven at the epoch before."""
    steps = (
        Step("a", "one"),
        Step("b", "two", needs=("a",)),
        Step(LOOKED_AGAIN, "two", needs=("b",), arguments=LookingAgain(steps=("a",) if lasts else ())),
    )
    switch = Switch(acted_at=[0.0])
    running = engine(aws, steps, {"one": switch, "two": Switch(acted_at=[0.0])})
    names = ["a", "b", *([LOOKED_AGAIN] if looked else [])]
    running.entries = [Entry(name, PROVEN, stamp(aws.clock.now()), running.held.epoch - 1, {}) for name in names]
    running.written = len(names)
    return running, switch


@pytest.mark.parametrize(
    ("lasts", "looked", "undone", "withdrawn"),
    [
        (True, False, True, ["a", "b"]),
        (True, False, False, []),
        (False, False, True, []),
        (True, True, True, []),
    ],
)
def test_what_a_late_act_has_undone_since_another_process_proved_it_begins_anew(
    aws: FakeAws, lasts: bool, looked: bool, undone: bool, withdrawn: list[str]
) -> None:
    """Traffic would wait for instances that nobody wishes for any more."""
    running, switch = looking(aws, lasts, looked)
    if undone:
        switch.acted_at.clear()
    running.look_back()
    assert [name for name, state in states(aws) if state == WITHDRAWN] == withdrawn
    entries = [Entry(each.step, each.state, each.at, running.held.epoch, {}) for each in running.entries]
    running = replace(running, entries=entries)
    if not withdrawn:
        switch.acted_at.clear()
        running.look_back()
        assert not states(aws), "what this process has proven itself is not looked at"


def test_what_gives_no_answer_is_not_called_undone(aws: FakeAws) -> None:
    running, switch = looking(aws)
    switch.ask = lambda work: Underway("it is on its way")  # type: ignore[method-assign]
    running.look_back()
    assert states(aws) == []


def test_evidence_that_was_cut_is_no_evidence(aws: FakeAws) -> None:
    """A step would go on with the names of what it needs and none of their values."""
    running = engine(aws, (Step("a", "one"),), {"one": Switch(acted_at=[0.0])})
    running.execute()
    assert running._evidence_of("a") == {"on": True} and running._evidence_of("b") == {}
    running.entries.append(Entry("a", PROVEN, stamp(aws.clock.now()), 2, {CUT: "9 bytes of evidence"}))
    with pytest.raises(StepFailed, match="too long for one entry"):
        running._evidence_of("a")


def test_a_wait_begins_anew_after_its_step_was_withdrawn(aws: FakeAws) -> None:
    steps = (Step("a", "one"),)
    running = engine(aws, steps, {"one": Switch()})
    running.execute()
    first = running._intended_at(steps[0])
    running.withdraw("a", "gone")
    assert first is not None and running._intended_at(steps[0]) is None
    aws.clock.sleep(100)
    running.actions["one"].acted_at.clear()  # type: ignore[attr-defined]
    running.execute()
    assert running._intended_at(steps[0]) == first + 100


def test_steps_in_order_and_side_by_side_prove_the_same(aws: FakeAws) -> None:
    steps = (Step("c", "three", needs=("a", "b")), Step("a", "one"), Step("b", "two"))
    actions = {name: Switch() for name in ("one", "two", "three")}
    engine(aws, steps, actions, side_by_side=1).execute()
    assert [name for name, state in states(aws) if state == PROVEN] == ["a", "b", "c"]


def test_a_line_that_another_step_wrote_in_vain_is_an_error_of_its_own_step_too(aws: FakeAws) -> None:
    """It would go on as if its intention stood in the journal."""
    steps = (Step("a", "on"), Step("b", "on"))
    running = engine(aws, steps, {"on": Switch()})
    raised = list[PilotlightError]()

    def write(step: Step) -> None:
        try:
            running._write(step, INTENDED, {})
        except PilotlightError as problem:
            raised.append(problem)

    def refuses(**given: object) -> dict[str, object]:
        aws.dynamodb.transact_write_items = transact  # type: ignore[method-assign]
        raise refused("dynamodb", "transact_write_items", STANDBY, "AccessDenied", "not now")

    threads = [threading.Thread(target=write, args=(each,), daemon=True) for each in steps]
    transact = aws.dynamodb.transact_write_items
    aws.dynamodb.transact_write_items = refuses  # type: ignore[method-assign]
    with running._writing:
        for each in threads:
            each.start()
        until = time.monotonic() + 10
        while len(running._coming) < 2 and time.monotonic() < until:
            time.sleep(0.01)
    for each in threads:
        each.join(10)
    assert [type(each) for each in raised] == [CallRefused, CallRefused]


def test_looks_of_one_step_go_side_by_side_where_steps_do_and_in_order_where_they_do_not(aws: FakeAws) -> None:
    """Two groups would be looked at one after the other at every look; or a run of one step at a time is none."""
    together = threading.Barrier(2)
    assert sorted(engine(aws, (), {}, side_by_side=4)._looks([lambda: together.wait(10)] * 2)) == [0, 1]
    aws.clock.sleep(LEASE_SECONDS + 1)
    alone = engine(aws, (), {}, side_by_side=1)
    assert alone._looks([threading.get_ident] * 3) == [threading.get_ident()] * 3
    assert alone._looks([]) == []


def test_a_lease_is_written_when_it_is_due_and_not_at_every_look_of_a_wait(aws: FakeAws) -> None:
    """Hundreds of steps that wait at once would each write to the one item that all of them stand on."""
    running = engine(aws, (Step("a", "on"),), {"on": Switch(after_seconds=25)})
    aws.made.clear()
    running.execute()
    assert 1 <= aws.made.count(("dynamodb", "update_item", STANDBY)) <= 25 / RENEW_SECONDS + 1
