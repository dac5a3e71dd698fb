"""What a user loses when one of these fails: a point that was let go while it was needed, or kept and worth nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import RecordUnreadable, RegionUnreachable
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.pruning import unneeded_copies, unneeded_rosters, unneeded_sources
from pilotlight.runtime.points import choose
from pilotlight.runtime.points.protect import unsettled
from pilotlight.runtime.points.prune import GRACE_SECONDS, prune
from pilotlight.runtime.points.retention import DAY_SECONDS, RECENT, WEEK_SECONDS, kept
from pilotlight.runtime.records.inventory import Keep
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, REFUSED, Part, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import PointLine
from pilotlight.runtime.store.rosters import Roster
from support.fake_aws import PRIMARY, FakeAws, inventory, recovery_of


def snapshot(at: int, done: bool, source: str = "") -> snapshots.Snapshot:
    state, name = snapshots.COMPLETED if done else "pending", f"set{at}"
    return snapshots.Snapshot(f"s{at}{source}", "v", state, name, 1, stamp(float(at)), "d", source, run=name)


def lines_of(*told: tuple[float, str]) -> list[PointLine]:
    return [PointLine(f"p{number}", status, stamp(at)) for number, (at, status) in enumerate(told)]


def test_what_the_policy_keeps_is_the_newest_of_each_hour_day_and_week_and_a_few_more() -> None:
    """A week in which nobody looked would leave no point of before it."""
    weeks = lines_of(*((week * WEEK_SECONDS, COMPLETE) for week in range(RECENT + 5)))
    stay = {int(each[1:]) for each in kept(weeks, Keep(hourly=0, daily=0, weekly=RECENT + 2))}
    assert stay == set(range(3, RECENT + 5))
    assert len(kept(weeks, Keep(0, 0, 0))) == RECENT
    days = lines_of(*((day * DAY_SECONDS, COMPLETE) for day in range(RECENT + 5)))
    assert len(kept(days, Keep(hourly=0, daily=RECENT + 1, weekly=0))) == RECENT + 1
    two = lines_of((10.0, COMPLETE), (20.0, COMPLETE), *((30.0 + n, PARTIAL) for n in range(RECENT)))
    assert kept(two, Keep(1, 0, 0)) == {"p1", *(f"p{n}" for n in range(2, RECENT + 2))}
    assert kept(two, Keep(0, 0, 0)) == {"p1", *(f"p{n}" for n in range(2, RECENT + 2))}, "the newest complete one"


def test_a_recovery_may_use_what_is_complete_or_lacks_software_alone_and_nobody_refused() -> None:
    lines = [
        PointLine("old", COMPLETE, "1"),
        PointLine("software", PARTIAL, "2", outdated=True),
        PointLine("partial", PARTIAL, "3"),
        PointLine("refused", REFUSED, "4"),
        PointLine("refused software", REFUSED, "5", outdated=True),
    ]
    assert [each.id for each in choose.usable_newest_first(lines)] == ["software", "old"]
    newest, complete = choose.newest_usable(lines), choose.newest_complete(lines)
    assert newest is not None and newest.id == "software" and complete is not None and complete.id == "old"
    assert choose.newest_usable(lines[2:]) is None is choose.newest_complete(lines[1:])


def parts_of(**changed: Any) -> tuple[Part, ...]:
    """A dataset, and checkpoints that use it and are older."""
    corpus = Part("corpus", "dataset", "replication", True, "2026-01-01T00:00:05.000Z")
    models = Part("checkpoints", "checkpoints", "replication", True, "2026-01-01T00:00:00.000Z")
    return tuple(
        dataclasses.replace(each, **changed.get(each.asset, {})) if each.asset in changed else each
        for each in (corpus, models)
    )


SICK = {"path": "p/", "why": "sick", "unhealthy": True}


def made_of(parts: tuple[Part, ...]) -> RecoveryPoint:
    return choose.point(inventory(), "1", "2026-01-01T00:01:00.000Z", parts, ("a remark.",))


@pytest.mark.parametrize(
    ("changed", "status", "outdated", "problems"),
    [
        ({}, COMPLETE, False, []),
        ({"corpus": {"proven": False, "missing": ("a key", "another")}}, PARTIAL, False, [
            "corpus is not proven in the standby region: a key.",
            "corpus is not proven in the standby region: another.",
        ]),
        ({"corpus": {"proven": False}}, PARTIAL, False, [
            "corpus is not proven in the standby region: nothing was found.",
        ]),
        ({"corpus": {"proven": False, "missing": ("older",), "outdated": ("software",)}}, PARTIAL, True, [
            "corpus is not proven in the standby region: older.",
        ]),
        ({"checkpoints": {"proven": False, "evidence": {"passed_over": [SICK]}}},
         REFUSED, False, [
            "checkpoints has no healthy checkpoint: p/ sick.",
            "checkpoints is not proven in the standby region: nothing was found.",
        ]),
        ({"checkpoints": {"evidence": {"passed_over": [SICK]}}},
         COMPLETE, False, []),
        ({"checkpoints": {"proven": False, "evidence": {"passed_over": [{"path": "p/", "why": "torn"}]}}},
         PARTIAL, False, ["checkpoints is not proven in the standby region: nothing was found."]),
    ],
)  # fmt: skip
def test_a_point_is_called_what_its_parts_make_it(
    changed: dict[str, Any], status: str, outdated: bool, problems: list[str]
) -> None:
    made = made_of(parts_of(**changed))
    assert (made.status, made.outdated) == (status, outdated)
    assert list(made.problems) == [*problems, "a remark."]


@pytest.mark.parametrize(
    ("corpus", "models", "holds"),
    [
        ({"as_of": "2026-01-01T00:00:05.000Z"}, {"as_of": "2026-01-01T00:00:05.000Z"}, False),
        ({"as_of": "2026-01-01T00:00:05.001Z"}, {"as_of": "2026-01-01T00:00:05.000Z"}, True),
        ({"as_of": ""}, {}, True),
        ({}, {"as_of": ""}, True),
        ({"proven": False, "as_of": "2025-01-01T00:00:00.000Z"}, {}, True),
        ({"as_of": "2025-01-01T00:00:00.000Z"}, {"proven": False}, True),
        ({"as_of": "2025-01-01T00:00:00.000Z", "kind": "volumes"}, {}, True),
    ],
)
def test_what_a_checkpoint_refers_to_has_to_be_older_than_what_is_proven_of_its_data(
    corpus: dict[str, Any], models: dict[str, Any], holds: bool
) -> None:
    parts = parts_of(corpus=corpus, checkpoints=models)
    assert (not list(choose.edges(inventory(), parts))) is holds
    assert not list(choose.edges(inventory(), parts[:1])) and not list(choose.edges(inventory(), parts[1:]))


def test_a_point_that_only_waits_for_what_is_on_its_way_is_worth_another_look() -> None:
    late = {"checkpoints": {"as_of": "2026-01-01T00:00:09.000Z"}}
    assert unsettled(inventory(), made_of(parts_of(**late)))
    assert not unsettled(inventory(), made_of(parts_of()))
    assert not unsettled(inventory(), made_of(parts_of(**late, corpus={"proven": False})))
    lost = {"corpus": {"proven": False, "missing": ("x",)}}
    assert not unsettled(inventory(), made_of(parts_of(**lost)))


def test_what_is_lost_with_the_primary_is_told_of_what_is_proven_and_declared() -> None:
    corpus, _ = parts_of()
    told = choose.loss(inventory(), corpus, "2026-01-01T00:01:05.000Z")
    assert told is not None and told.seconds == 60.0
    for part in (
        dataclasses.replace(corpus, proven=False),
        dataclasses.replace(corpus, as_of=""),
        dataclasses.replace(corpus, asset="declared no more"),
    ):
        assert choose.loss(inventory(), part, "2026-01-01T00:01:05.000Z") is None
    fleet = Part("fleet", "compute", "warm", True, "2026-01-01T00:00:00.000Z")
    assert choose.loss(inventory(), fleet, "2026-01-01T00:01:05.000Z") is None, "it holds nothing that could be lost"


def copied(at: int, of: str, **changed: Any) -> snapshots.Snapshot:
    return dataclasses.replace(snapshot(at, True, of), **changed)


def test_copies_stay_while_they_are_the_newest_or_a_kept_point_names_them() -> None:
    old, new = copied(1, "a"), copied(3, "c")
    assert unneeded_copies([old, new], ()) == [old]
    assert unneeded_copies([old], ()) == [] == unneeded_copies([], ())
    for needed in ("set1",):
        assert unneeded_copies([old, new], {needed}) == []
    of_run = dataclasses.replace(old, run="a-run", set="a-set")
    assert unneeded_copies([of_run, new], {"a-run"}) == [] == unneeded_copies([of_run, new], {"a-set"})
    other = dataclasses.replace(of_run, id="other", set="another-set")
    assert unneeded_copies([of_run, other, new], {"a-set"}) == [other], "points of older editions name sets"
    beside = copied(3, "d", id="s3d", set="another", run="run-b")
    assert unneeded_copies([new, beside], ()) == [], "of one moment none is older"
    begun = dataclasses.replace(snapshot(9, False), source="x")
    assert unneeded_copies([new, begun], ()) == [], "what is under way proves nothing yet"


def test_of_the_primary_the_snapshot_behind_the_newest_copy_stays_for_the_next() -> None:
    sources = [snapshot(at, True) for at in (1, 2, 3)]
    copy = [copied(2, "b", run="set2")]
    assert [each.id for each in unneeded_sources(sources, copy)] == ["s1"]
    assert unneeded_sources(sources, []) == []
    torn = dataclasses.replace(snapshot(2, True), run_size=2)
    assert unneeded_sources([snapshot(1, True), torn, snapshot(3, True)], []) == [torn], "it can never be whole"
    assert unneeded_sources([torn], []) == [], "it may be being taken"


def test_rosters_older_than_the_newest_complete_run_go_and_the_newest_stays() -> None:
    def roster(run: str) -> Roster:
        return Roster(run, "2026-01-01T00:00:00Z", ())

    kept_ones = [roster("set1"), roster("set3"), roster("set2")]
    complete = [copied(2, "b", run="set2")]
    assert unneeded_rosters(kept_ones, complete) == [roster("set1")]
    assert unneeded_rosters(kept_ones, []) == []
    assert unneeded_rosters([roster("set1")], complete) == [], "it alone remembers the place of a detached volume"
    assert unneeded_rosters([], complete) == []


@pytest.mark.parametrize(("code", "raised"), [("InvalidSnapshot.InUse", False), ("InvalidSnapshot.NotFound", False),
                                              ("UnauthorizedOperation", True)])  # fmt: skip
def test_a_snapshot_that_cannot_go_now_is_met_again_and_one_that_may_not_go_is_told(
    aws: FakeAws, code: str, raised: bool
) -> None:
    class Refusing(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "delete_snapshot":
                raise refused(service, operation, region, code, code)
            return super().call(service, operation, region, **parameters)

    recovery = Recovery(RecoveryContext(Refusing(aws), inventory(), aws.clock, aws.fetch), "test")
    for _ in range(4):
        aws.clock.sleep(61)
        assert recovery.protect() is not None
    heartbeat = recovery.context.ledger.sightings.heartbeat()
    assert heartbeat is not None and bool(heartbeat.troubles) is raised


def test_a_primary_that_falls_silent_while_snapshots_are_pruned_costs_nothing(aws: FakeAws, recovery: Recovery) -> None:
    class Silent(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "delete_snapshot" and region == PRIMARY:
                raise RegionUnreachable(region=region, service=service, operation=operation)
            return super().call(service, operation, region, **parameters)

    silent = Recovery(RecoveryContext(Silent(aws), inventory(), aws.clock, aws.fetch), "test")
    for _ in range(4):
        aws.clock.sleep(61)
        assert silent.protect() is not None


@pytest.mark.acts_alone
def test_what_a_point_stood_on_stays_as_long_as_whoever_read_of_it_may_live(aws: FakeAws) -> None:
    context = recovery_of(aws).context
    (*_, oldest) = context.ledger.points()
    context.ledger.let_go(oldest)
    aws.clock.sleep(GRACE_SECONDS)
    prune(context, True)
    assert [line.id for line, _ in context.ledger.gone_points()] == [oldest.id]
    assert context.records.point(oldest.id).id == oldest.id
    aws.clock.sleep(0.001)
    prune(context, True)
    assert context.ledger.gone_points() == []
    with pytest.raises(RecordUnreadable):
        context.records.point(oldest.id)
