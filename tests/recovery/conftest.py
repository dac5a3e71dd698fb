"""A protected workload on a small AWS, at the moment before a disaster."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest

from model.checker import problems_of
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import CORPUS, FakeAws, recovery_of, save


def protected() -> FakeAws:
    """Its newest point is complete, step 40 is complete in the standby region, step 60 is torn there."""
    aws = FakeAws(FakeClock())
    recovery = recovery_of(aws)
    recovery.initialise()
    for number in range(3):
        aws.s3.write(CORPUS, f"shards/{number}", f"data {number}".encode())
    save(aws, 20)
    save(aws, 40)
    for _ in range(4):
        aws.clock.sleep(20)
        recovery.protect()
    save(aws, 60, files=2)
    aws.clock.sleep(2)
    aws.s3.arrive()
    return aws


@pytest.fixture(scope="session")
def _protected_once() -> FakeAws:
    return protected()


@pytest.fixture
def aws(request: pytest.FixtureRequest, _protected_once: FakeAws) -> Iterator[FakeAws]:
    """Whatever runs a test made in it, their journals are paths of their runbooks; not those that it wrote by hand.
    And nothing was done while nobody had a lease, but by the tests that are marked: they ask one step, or one part."""
    made = copy.deepcopy(_protected_once)
    made.without_lease.clear()
    yield made
    assert problems_of(recovery_of(made)) == []
    if request.node.get_closest_marker("acts_alone") is None:
        assert made.without_lease == []


@pytest.fixture
def recovery(aws: FakeAws) -> Recovery:
    return recovery_of(aws)


@pytest.fixture
def again(_protected_once: FakeAws) -> Callable[[], FakeAws]:
    """The same moment, as often as it is wanted."""
    return lambda: copy.deepcopy(_protected_once)
