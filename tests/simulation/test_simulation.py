"""Many seeds: random writes, random delays, the region ends at a random call. The chosen point must be true.

What a user loses when one of these fails: the one thing a recovery point is for. A few seeds run with the quick suite;
`make simulate SEEDS=200` runs more. A seed that fails is named, and fails again with `SEED=<number>`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import oracle
import pytest
from world import GLOBAL, Sight, World, make_role

from pilotlight.local.kernel.cloud import ROOT_ACCESS_KEY, ROOT_SECRET_KEY, Cloud
from pilotlight.local.rds.rds_data import DataApi
from pilotlight.local.s3.replication import Replication
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.errors import RecordUnreadable
from pilotlight.runtime.points import choose
from pilotlight.runtime.records.point import COMPLETE, RecoveryPoint
from support.data_cloud import EAST, buckets, client, databases, make_global, running

SEEDS_QUICK = 4
FIRINGS_MAX = 12
ACTS_BETWEEN_MAX = 8


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), [*databases(), *buckets(), DataApi()]) as started:
        patch = pytest.MonkeyPatch()
        for name, value in environment(started).items():
            patch.setenv(name, value)
        make_global(started, GLOBAL)
        client(started, "rds", EAST).modify_db_cluster(DBClusterIdentifier=f"{GLOBAL}-east", EnableHttpEndpoint=True)
        make_role(started)
        yield started
        patch.undo()


def environment(cloud: Cloud) -> dict[str, str]:
    """What points any AWS client of this process at the cloud."""
    return {
        "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_SECRET_KEY,
        "AWS_ENDPOINT_URL": cloud.router_url,
    }


@dataclass
class Outcome:
    """What became of one seed."""

    points: list[tuple[RecoveryPoint, Sight]] = field(default_factory=list)
    chosen: str = ""


def play(world: World) -> Outcome:
    """Acts and scheduled runs in turns until the region ends, then two more scheduled runs, then the choice."""
    outcome = Outcome()
    for _ in range(FIRINGS_MAX):
        for _ in range(world.rng.randrange(1, ACTS_BETWEEN_MAX)):
            world.act()
        _keep(outcome, world)
        if world.cloud.is_dark(EAST):
            break
    world.cloud.darken(EAST)
    for _ in range(2):
        _keep(outcome, world)
    line = choose.newest_complete(world.recovery.context.ledger.points())
    outcome.chosen = line.id if line else ""
    return outcome


def _keep(outcome: Outcome, world: World) -> None:
    point = world.fire()
    if point is not None:
        outcome.points.append((point, world.sight))


def judge(world: World, outcome: Outcome) -> None:
    """The oracle's word on every point, and on the choice among them."""
    consistent = []
    for point, sight in outcome.points:
        if point.status == COMPLETE:
            assert not oracle.lies(world, point, sight)
            assert not oracle.inconsistencies(world, point, sight)
            consistent.append(point.id)
        elif oracle.all_proven(point):
            assert oracle.inconsistencies(world, point, sight), (
                f"{point.id} holds together, and is called {point.problems}"
            )
        _is_newest_checkpoint(world, point, sight)
    assert outcome.chosen == (consistent[-1] if consistent else ""), (
        "a newer point was as good, or a worse one was taken"
    )


def _is_newest_checkpoint(world: World, point: RecoveryPoint, sight: Sight) -> None:
    corpus, models = point.part("corpus"), point.part("models")
    assert corpus is not None and models is not None
    if corpus.proven:
        assert getattr(models.reference, "step", None) == oracle.best(world, sight, parse_stamp(corpus.as_of))


def seeds() -> list[int]:
    if one := os.environ.get("SEED"):
        return [int(one)]
    return list(range(1, int(os.environ.get("SEEDS", SEEDS_QUICK)) + 1))


@pytest.mark.timeout(3600)
def test_the_chosen_point_is_consistent_and_the_newest_that_is(cloud: Cloud) -> None:
    points = chosen = partial = 0
    for seed in seeds():
        world = World(cloud, seed)
        try:
            outcome = play(world)
            judge(world, outcome)
        except (AssertionError, RecordUnreadable) as problem:
            raise AssertionError(f"seed {seed}: {problem}") from problem
        finally:
            cloud.lighten(EAST)
            cloud.behaviour(Replication).set_delay(0.05)
        points += len(outcome.points)
        chosen += bool(outcome.chosen)
        partial += sum(point.status != COMPLETE for point, _ in outcome.points)
    told = f"{points} points made, {partial} not complete, {chosen} seeds had a point to choose"
    print(f"\n{len(seeds())} seeds run, {told}", file=sys.stderr)
    assert chosen >= len(seeds()) / 4 and partial, "seeds that never have a point, or never lack one, prove nothing"
