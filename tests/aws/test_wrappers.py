"""What a user loses when one of these fails: a recovery that throttles itself, repeats an act, or acts too late."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.runtime.aws import wrappers
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.pacing import MARGIN, Paced, bucket_of
from pilotlight.runtime.aws.wrappers import Faulty, Fenced, Made, ReadOnly, Recording, Retrying, Wrapper, with_innermost
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import (
    ActedLate,
    CallRefused,
    EpochStale,
    ListingCut,
    RegionUnreachable,
    Throttled,
    TimeIsUp,
)


class Scripted:
    """A door that answers with what it was given, one after the other, and then with an empty answer."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.calls.append((operation, parameters))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Any:
        return Wrapper(self).pages(service, operation, region, **parameters)


def throttled() -> Throttled:
    return Throttled(service="ec2", operation="create_snapshots", region="us-east-1", attempts=1)


def silent() -> RegionUnreachable:
    return RegionUnreachable(service="ec2", operation="create_snapshots", region="us-east-1")


def retrying(inner: Scripted) -> tuple[Retrying, FakeClock]:
    clock = FakeClock()
    return Retrying(inner, clock, random.Random(1)), clock


def test_throttling_is_waited_out() -> None:
    client, clock = retrying(Scripted(throttled(), throttled(), {"done": True}))
    started = clock.now()
    assert client.call("ec2", "create_snapshots", "us-east-1") == {"done": True}
    assert 0 < clock.now() - started < 1


def test_throttling_without_end_is_told_once_with_the_number_of_attempts() -> None:
    inner = Scripted(*(throttled() for _ in range(50)))
    with pytest.raises(Throttled, match=f"throttled {wrappers.THROTTLED_ATTEMPTS_MAX} times"):
        retrying(inner)[0].call("ec2", "create_snapshots", "us-east-1")
    assert len(inner.calls) == wrappers.THROTTLED_ATTEMPTS_MAX


def test_an_act_whose_outcome_is_unknown_is_not_repeated() -> None:
    inner = Scripted(silent(), {"done": True})
    with pytest.raises(RegionUnreachable):
        retrying(inner)[0].call("ec2", "copy_snapshot", "us-east-1")
    assert len(inner.calls) == 1


def test_a_reading_call_is_tried_again_and_a_lost_region_is_given_up_soon() -> None:
    assert retrying(Scripted(silent(), {"read": 1}))[0].call("ec2", "describe_volumes", "us-east-1") == {"read": 1}
    inner = Scripted(*(silent() for _ in range(50)))
    client, clock = retrying(inner)
    started = clock.now()
    with pytest.raises(RegionUnreachable):
        client.call("ec2", "describe_volumes", "us-east-1")
    assert clock.now() - started < 2


def test_a_refusal_is_not_tried_again() -> None:
    refusal = CallRefused(service="s3", operation="get_object", region="us-east-1", reason="no", caller="me")
    inner = Scripted(refusal)
    with pytest.raises(CallRefused):
        retrying(inner)[0].call("s3", "get_object", "us-east-1")
    assert len(inner.calls) == 1


def test_a_throttled_page_does_not_lose_the_listing() -> None:
    inner = Scripted({"Snapshots": [1], "NextToken": "a"}, throttled(), {"Snapshots": [2]})
    pages = list(retrying(inner)[0].pages("ec2", "describe_snapshots", "us-east-1", OwnerIds=["self"]))
    assert [page["Snapshots"] for page in pages] == [[1], [2]]
    assert inner.calls[-1] == ("describe_snapshots", {"OwnerIds": ["self"], "NextToken": "a"})


def test_listings_of_versions_go_on_after_key_and_version() -> None:
    first = {"Versions": [1], "IsTruncated": True, "NextKeyMarker": "k", "NextVersionIdMarker": "v"}
    inner = Scripted(first, {"Versions": [2], "IsTruncated": False})
    list(inner.pages("s3", "list_object_versions", "us-east-1", Bucket="b"))
    assert inner.calls[1][1] == {"Bucket": "b", "KeyMarker": "k", "VersionIdMarker": "v"}


def test_a_service_that_repeats_its_token_does_not_hold_a_run_for_ever() -> None:
    inner = Scripted(*({"Snapshots": [], "NextToken": "same"} for _ in range(9)))
    with pytest.raises(ListingCut, match="the one that was just read"):
        list(inner.pages("ec2", "describe_snapshots", "us-east-1"))
    assert len(inner.calls) == 2


class Lease:
    """A lease that is lost after so many looks at it."""

    def __init__(self, looks: int) -> None:
        self.left, self.late = looks, list[str]()

    def confirm(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise EpochStale(workload="inference", held=2, current=3)

    def note(self, made: Made) -> None:
        self.late.append(made.operation)

    def fence(self, inner: AwsClient) -> AwsClient:
        return Fenced(inner, self.confirm, self.note)


def test_a_run_of_an_older_epoch_may_read_and_not_act() -> None:
    inner, lease = Scripted(), Lease(0)
    client = lease.fence(inner)
    client.call("rds", "describe_global_clusters", "us-west-2")
    with pytest.raises(EpochStale, match="holds epoch 2, the workload is at epoch 3"):
        client.call("rds", "failover_global_cluster", "us-west-2")
    assert [operation for operation, _ in inner.calls] == ["describe_global_clusters"] and not lease.late


def test_an_act_that_ends_after_its_lease_was_lost_is_noted_as_late() -> None:
    """Whether it took effect before or after what the newer run has proven, nobody else could tell."""
    inner, lease = Scripted(), Lease(3)
    client = lease.fence(inner)
    client.call("ssm", "put_parameter", "us-west-2")
    with pytest.raises(ActedLate, match="ssm:delete_parameter in us-west-2 was let through by epoch 2") as told:
        client.call("ssm", "delete_parameter", "us-west-2")
    assert "nothing was done" not in told.value.message
    assert lease.late == ["delete_parameter"] and len(inner.calls) == 2


def test_an_act_without_an_answer_is_looked_at_as_if_it_was_done() -> None:
    silence = RegionUnreachable(region="us-west-2", service="ssm", operation="put_parameter")
    lease = Lease(1)
    with pytest.raises(EpochStale):
        lease.fence(Scripted(silence)).call("ssm", "put_parameter", "us-west-2")
    assert lease.late == ["put_parameter"]


def test_the_lease_is_looked_at_before_every_attempt_and_not_once_before_all_of_them() -> None:
    """Ten throttled attempts take a minute: a run that lost its lease in the first second acted in the last one."""
    inner, lease = Scripted(throttled(), throttled(), throttled()), Lease(2)
    clock = FakeClock()
    client = with_innermost(Retrying(Paced(inner, clock), clock, random.Random(7)), lease.fence)
    with pytest.raises(EpochStale):
        client.call("rds", "failover_global_cluster", "us-west-2")
    assert len(inner.calls) == 2


def test_a_door_for_reading_lets_nothing_else_through() -> None:
    client = ReadOnly(Scripted())
    client.call("s3", "list_objects_v2", "us-west-2")
    with pytest.raises(CallRefused, match="for reading only"):
        client.call("s3", "put_object", "us-west-2")


def test_every_attempt_is_recorded_pages_included() -> None:
    client = Recording(Scripted({"NextToken": "a"}, silent()))
    with pytest.raises(RegionUnreachable):
        list(client.pages("ec2", "describe_snapshots", "us-east-1"))
    assert [(made.operation, made.region) for made in client.made] == [("describe_snapshots", "us-east-1")] * 2


@pytest.mark.parametrize(("carried_out", "reached"), [(False, 1), (True, 2)])
def test_a_fault_can_come_before_an_act_or_after_it(carried_out: bool, reached: int) -> None:
    inner = Scripted()
    client = Faulty(inner, 2, KeyboardInterrupt(), carried_out)
    client.call("s3", "put_object", "us-west-2")
    with pytest.raises(KeyboardInterrupt):
        client.call("s3", "put_object", "us-west-2")
    assert len(inner.calls) == reached


@given(st.integers(1, 400), st.sampled_from(["create_snapshots", "copy_image", "copy_snapshot", "describe_volumes"]))
def test_no_more_calls_are_made_than_the_published_bucket_allows(calls: int, operation: str) -> None:
    clock = FakeClock()
    client = Paced(Scripted(), clock)
    started = clock.now()
    for _ in range(calls):
        client.call("ec2", operation, "us-east-1")
    _, capacity, refill = bucket_of(operation)
    elapsed = clock.now() - started
    assert calls <= capacity + refill * elapsed
    bound = max(0.0, (calls - capacity * MARGIN) / (refill * MARGIN))
    assert elapsed <= bound * 1.01 + 0.01, "pacing costs nothing beyond the bucket itself"


def test_regions_and_actions_have_buckets_of_their_own() -> None:
    clock = FakeClock()
    client = Paced(Scripted(), clock)
    started = clock.now()
    calls: list[Callable[[], dict[str, Any]]] = [
        lambda: client.call("ec2", "copy_image", "us-east-1"),
        lambda: client.call("ec2", "copy_image", "us-west-2"),
        lambda: client.call("rds", "describe_db_clusters", "us-east-1"),
    ]
    for call in calls:
        for _ in range(80):
            call()
    assert clock.now() == started


def test_a_call_is_tried_again_as_often_as_is_said_and_the_last_answer_counts() -> None:
    attempts = wrappers.THROTTLED_ATTEMPTS_MAX
    inner = Scripted(*(throttled() for _ in range(attempts - 1)), {"done": True})
    assert retrying(inner)[0].call("ec2", "create_snapshots", "us-east-1") == {"done": True}
    reads = wrappers.UNREACHABLE_ATTEMPTS_MAX
    inner = Scripted(*(silent() for _ in range(reads - 1)), {"read": 1})
    assert retrying(inner)[0].call("ec2", "describe_volumes", "us-east-1") == {"read": 1}
    inner = Scripted(*(silent() for _ in range(reads)), {"read": 1})
    with pytest.raises(RegionUnreachable):
        retrying(inner)[0].call("ec2", "describe_volumes", "us-east-1")


def test_waits_between_attempts_double_up_to_a_limit() -> None:
    """Without one a run would sleep for minutes; without doubling it would keep the bucket empty."""
    asked = list[tuple[float, float]]()

    class Chance(random.Random):
        def uniform(self, a: float, b: float) -> float:
            asked.append((a, b))
            return b

    inner, clock = Scripted(*(throttled() for _ in range(9))), FakeClock()
    Retrying(inner, clock, Chance()).call("ec2", "create_snapshots", "us-east-1")
    assert asked == [(0, wait) for wait in (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0)]


def test_from_the_moment_on_nothing_is_let_through() -> None:
    inner, clock = Scripted(), FakeClock()
    client = wrappers.Until(inner, "w", clock, clock.now() + 10)
    clock.sleep(9.9)
    client.call("ec2", "create_snapshots", "us-east-1")
    clock.sleep(0.1)
    with pytest.raises(TimeIsUp):
        client.call("ec2", "describe_volumes", "us-east-1")
    assert len(inner.calls) == 1


def test_a_fault_is_met_at_its_call_alone_before_or_after_it_was_carried_out() -> None:
    for carried_out, reached in ((False, 2), (True, 3)):
        inner = Scripted()
        client = Faulty(inner, 2, KeyError("fault"), carried_out)
        client.call("s", "first", "us-east-1")
        with pytest.raises(KeyError):
            client.call("s", "second", "us-east-1")
        client.call("s", "third", "us-east-1")
        assert (len(inner.calls), client.calls) == (reached, 3)
    refusing = Faulty(Scripted(throttled()), 1, KeyError("fault"), True)
    with pytest.raises(KeyError):
        refusing.call("s", "first", "us-east-1")


def test_what_is_attempted_is_recorded_in_order_whatever_becomes_of_it() -> None:
    client = Recording(Scripted(throttled()))
    with pytest.raises(Throttled):
        client.call("ec2", "create_snapshots", "us-east-1", Name="a")
    client.call("ec2", "describe_volumes", "us-west-2")
    assert client.made == [
        Made("ec2", "create_snapshots", "us-east-1", {"Name": "a"}),
        Made("ec2", "describe_volumes", "us-west-2"),
    ]


def test_a_client_for_reading_lets_no_act_through_and_every_look() -> None:
    inner = Scripted()
    with pytest.raises(CallRefused):
        ReadOnly(inner).call("ec2", "create_snapshots", "us-east-1")
    ReadOnly(inner).call("ec2", "describe_volumes", "us-east-1")
    assert [operation for operation, _ in inner.calls] == ["describe_volumes"]


def test_an_act_without_an_answer_is_told_as_late_where_the_lease_was_lost_meanwhile() -> None:
    """It may have been carried out, and the newer run has to know."""
    for looks, late in ((2, 0), (1, 1)):
        lease = Lease(looks)
        client = Fenced(Scripted(silent()), lease.confirm, lambda made, lease=lease: lease.late.append(made.operation))  # type: ignore[misc]
        with pytest.raises((RegionUnreachable, ActedLate)) as problem:
            client.call("ec2", "create_snapshots", "us-east-1")
        assert len(lease.late) == late and isinstance(problem.value, ActedLate) is bool(late)


def test_what_waits_is_not_what_a_new_innermost_is_put_around() -> None:
    inner = Scripted()
    client = Retrying(wrappers.Until(Recording(inner), "w", FakeClock(), 1e12), FakeClock(), random.Random(1))
    made = list[AwsClient]()

    def innermost(each: AwsClient) -> AwsClient:
        made.append(each)
        return Recording(each)

    again = with_innermost(client, innermost)
    assert isinstance(again, Retrying) and isinstance(again.inner, wrappers.Until)
    assert isinstance(again.inner.inner, Recording) and again.inner.inner.inner is made[0]
    assert isinstance(made[0], Recording) and made[0].inner is inner
    assert isinstance(client.inner, wrappers.Until) and client.inner.inner is made[0], "the other client is as it was"
