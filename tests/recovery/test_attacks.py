"""What a user loses when one of these fails: the region that serves, to two processes, a wrong clock or a second loss.

The quick suite takes a few of the cases; all of them: `make test-long TESTS=tests/recovery/test_attacks.py`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from test_failback import Killed, failed_over
from test_late_acts import HOME, Interleaved, whole

from pilotlight.runtime.aws.wrappers import Faulty
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import LeaseHeld, PilotlightError
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs.run import run_failback, run_failover
from pilotlight.runtime.store.lease import LEASE_SECONDS
from pilotlight.runtime.store.ledger import SERVING
from support.fake_aws import CORPUS, CORPUS_COPY, PRIMARY, STANDBY, FakeAws, inventory, recovery_of

SKEW_SECONDS = 60.0
"""How far a machine's clock may be wrong that lost its NTP; twice the lease."""
DARK_CALLS = 60
"""How many calls a region is dark for: longer than any retry, shorter than the longest wait of a step."""
QUICK, PAIRS = 12, 37
"""Strides of the quick suite: it takes every so many-th case; pairs of the long one, which has 4,000 then."""

quick = pytest.mark.parametrize("stride", [QUICK, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])


class Skewed:
    """Another machine's clock, ahead of ours."""

    flows = False

    def __init__(self, ours: FakeClock) -> None:
        self.ours = ours

    def now(self) -> float:
        return self.ours.now() + SKEW_SECONDS

    def sleep(self, seconds: float) -> None:
        self.ours.sleep(seconds)


def lost(aws: FakeAws) -> FakeAws:
    aws.dark.add(PRIMARY)
    aws.made.clear()
    return aws


Attack = tuple[Callable[[FakeAws], FakeAws], Callable[..., Any], str]
RUNS: dict[str, Attack] = {"failover": (lost, run_failover, STANDBY), "failback": (failed_over, run_failback, PRIMARY)}
kinds = pytest.mark.parametrize("kind", list(RUNS))


def site_of(aws: FakeAws, client: Any) -> RecoveryContext:
    return RecoveryContext(client, inventory(), aws.clock, aws.fetch)


def calls_of(kind: str, again: Callable[[], FakeAws]) -> int:
    """How many calls the run makes that nobody disturbs."""
    prepare, run, _ = RUNS[kind]
    aws = prepare(again())
    run(site_of(aws, aws), "alone", side_by_side=1)
    return len(aws.made)


def ends(aws: FakeAws, kind: str, region: str) -> None:
    """Whoever comes next finishes what is left, and everything serves where it should; or, where an act was on its way
    as its run lost the lease and landed after the last look of the next one, people are told of that act."""
    _, run, _ = RUNS[kind]
    aws.clock.sleep(LEASE_SECONDS + 1)
    recovery = recovery_of(aws, "the next")
    run(recovery.context, "the next", side_by_side=1)
    aws.clock.sleep(600)
    if region == STANDBY:
        aws.groups[HOME].desired = 0  # its region is lost
    late = recovery.context.ledger.late_acts(recovery.active().epoch)
    if not late or region == STANDBY:
        whole(aws, region)
        return
    recovery.protect()
    heartbeat = recovery.context.ledger.sightings.heartbeat()
    assert heartbeat is not None and all(any(act.call in each for each in heartbeat.troubles) for act in late)
    assert (recovery.active().region, recovery.active().state) == (region, SERVING)


@quick
@kinds
def test_two_runners_that_meet_at_any_call_end_as_one(again: Callable[[], FakeAws], kind: str, stride: int) -> None:
    """One sleeps past its lease at this call; the other begins, and finishes; the first wakes up."""
    prepare, run, region = RUNS[kind]
    for at in range(1, calls_of(kind, again) + 1, stride):
        aws = prepare(again())

        def meanwhile(aws: FakeAws = aws) -> None:
            aws.clock.sleep(LEASE_SECONDS + 1)
            run(recovery_of(aws, "another").context, "another", side_by_side=1)

        with contextlib.suppress(PilotlightError):
            run(site_of(aws, Interleaved(aws, at, meanwhile)), "sleeper", side_by_side=1)
        ends(aws, kind, region)
        assert len(promotions_of(aws, kind)) <= 2, at


def promotions_of(aws: FakeAws, kind: str) -> list[str]:
    wanted = "failover_global_cluster" if kind == "failover" else "switchover_global_cluster"
    return [operation for _, operation, _ in aws.made if operation == wanted]


@quick
@kinds
def test_a_runner_whose_clock_is_a_minute_ahead_takes_over_at_any_call_and_harms_nothing(
    again: Callable[[], FakeAws], kind: str, stride: int
) -> None:
    """To its clock the lease is over while the holder is at work."""
    prepare, run, region = RUNS[kind]
    for at in range(1, calls_of(kind, again) + 1, stride):
        aws = prepare(again())

        def meanwhile(aws: FakeAws = aws) -> None:
            run(RecoveryContext(aws, inventory(), Skewed(aws.clock), aws.fetch), "ahead", side_by_side=1)

        with contextlib.suppress(PilotlightError):
            run(site_of(aws, Interleaved(aws, at, meanwhile)), "holder", side_by_side=1)
        aws.clock.sleep(SKEW_SECONDS)
        ends(aws, kind, region)


@quick
@pytest.mark.parametrize("second", [STANDBY, PRIMARY])
def test_a_way_home_during_which_a_region_is_lost_at_any_call_keeps_all_and_ends_once_it_is_back(
    again: Callable[[], FakeAws], second: str, stride: int
) -> None:
    for at in range(1, calls_of("failback", again) + 1, stride):
        aws = failed_over(again())
        written = aws.s3.current(CORPUS_COPY)
        client = Interleaved(aws, at, lambda aws=aws: aws.dark.add(second))  # type: ignore[misc]
        client = Interleaved(client, at + DARK_CALLS, aws.dark.clear)  # type: ignore[arg-type]
        with contextlib.suppress(PilotlightError):
            run_failback(site_of(aws, client), "first", side_by_side=1)
        aws.dark.clear()
        ends(aws, "failback", PRIMARY)
        assert aws.s3.current(CORPUS).items() >= written.items(), f"lost at call {at}"


@pytest.mark.long
@pytest.mark.timeout(3600)
@kinds
def test_a_run_killed_twice_at_any_two_calls_ends_in_the_same_state(again: Callable[[], FakeAws], kind: str) -> None:
    prepare, run, region = RUNS[kind]
    calls, tried = calls_of(kind, again), 0
    for first, second in pairs(calls, int(os.environ.get("PAIRS_STRIDE", PAIRS))):
        aws = prepare(again())
        for holder, at in (("first", first), ("second", second)):
            with contextlib.suppress(Killed):
                run(site_of(aws, Faulty(aws, at, Killed(), bool((first + second) % 2))), holder, side_by_side=1)
            aws.clock.sleep(LEASE_SECONDS + 1)
        ends(aws, kind, region)
        assert len(promotions_of(aws, kind)) <= 1, (first, second)
        tried += 1
    print(f"{kind}: {tried} pairs of kills of {calls} calls")


def pairs(calls: int, stride: int) -> Iterator[tuple[int, int]]:
    every = [(first, second) for first in range(1, calls + 1) for second in range(1, calls + 1)]
    yield from every[::stride]


def test_a_second_person_who_asks_while_a_run_is_under_way_is_told_who_has_the_lease(aws: FakeAws) -> None:
    recovery: Recovery = recovery_of(lost(aws))
    recovery.context.ledger.leases.take("the first")
    with pytest.raises(LeaseHeld, match="the first holds the lease"):
        recovery.failover(patience=0)
