"""A scheduled run that its limit ends must not keep the next ones out: meanwhile no point is made at all."""

from __future__ import annotations

import pytest

from pilotlight.runtime.errors import TimeIsUp
from support.fake_aws import FakeAws, recovery_of


def test_a_scheduled_run_whose_time_is_up_lets_the_next_one_in_at_once(aws: FakeAws) -> None:
    recovery = recovery_of(aws, "slow")
    with pytest.raises(TimeIsUp, match="gave its lease back"):
        recovery.protect(deadline=aws.clock.now())
    before = aws.clock.now()
    point = recovery_of(aws, "next").protect(deadline=aws.clock.now() + 60)
    assert point is not None
    assert aws.clock.now() - before < 30
