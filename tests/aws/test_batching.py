"""What a user loses when one of these fails: a step proven by what was before its act, or a region that throttles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from pilotlight.runtime.aws import paging
from pilotlight.runtime.aws.batching import Batched
from pilotlight.runtime.aws.client import aws_code, refused
from pilotlight.runtime.errors import CallRefused, PilotlightError, Throttled

REGION = "us-west-2"
SECONDS = 5.0
"""Of patience with threads."""


@dataclass
class Clusters:
    """RDS, as far as clusters are described and failed over. `held` keeps the answer of the next describing call back;
    what it says was so when it was asked."""

    status: dict[str, str]
    asked: list[dict[str, Any]] = field(default_factory=list)
    held: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    problem: Callable[[dict[str, Any]], PilotlightError | None] = lambda parameters: None

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "failover_db_cluster":
            self.status[parameters["DBClusterIdentifier"]] = "failing-over"
            return {}
        self.asked.append(parameters)
        named = parameters.get("DBClusterIdentifier")
        names = [named] if named else parameters["Filters"][0]["Values"]
        answer = [{"DBClusterIdentifier": each, "Status": self.status[each]} for each in names if each in self.status]
        held, self.held = self.held, None
        if held:
            self.reached.set()
            assert held.wait(SECONDS)
        if problem := self.problem(parameters):
            raise problem
        if named and not answer:
            raise refused(service, operation, region, "DBClusterNotFoundFault", "there is none")
        return {"DBClusters": answer}

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return paging.pages(self.call, service, operation, region, parameters)


def status(client: Batched, name: str) -> str:
    answer = client.call("rds", "describe_db_clusters", REGION, DBClusterIdentifier=name)
    return next((each["Status"] for each in answer["DBClusters"]), "not there")


def many(count: int) -> Clusters:
    return Clusters({f"c{number}": f"status of c{number}" for number in range(count)})


def gathered(aws: Clusters, names: list[str]) -> list[Any]:
    """What so many are told who ask while a call of somebody else's is on its way."""
    client, going = Batched(aws), threading.Event()
    aws.held = going
    with ThreadPoolExecutor(len(names) + 1) as pool:
        first = pool.submit(status, client, "c0")
        assert aws.reached.wait(SECONDS)
        others = [pool.submit(status, client, each) for each in names]
        while sum(len(each.gathering.names) if each.gathering else 0 for each in client._queues.values()) < len(names):
            pass
        going.set()
        assert first.result() == "status of c0"
        return [each.exception() or each.result() for each in others]


def test_a_look_after_an_act_is_not_answered_from_a_moment_before_it() -> None:
    aws = many(2)
    client = Batched(aws)
    assert status(client, "c1") == "status of c1"
    client.call("rds", "failover_db_cluster", REGION, DBClusterIdentifier="c1")
    assert status(client, "c1") == "failing-over"


def test_a_look_after_an_act_does_not_join_a_call_that_was_on_its_way_when_it_was_done() -> None:
    """A call begun before the act may tell of before it, however late its answer comes."""
    aws, going = many(2), threading.Event()
    client = Batched(aws)
    aws.held = going
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(status, client, "c1")
        assert aws.reached.wait(SECONDS)
        client.call("rds", "failover_db_cluster", REGION, DBClusterIdentifier="c1")
        after = pool.submit(status, client, "c1")
        going.set()
        assert (before.result(), after.result()) == ("status of c1", "failing-over")


def test_all_who_ask_while_a_call_is_on_its_way_are_answered_by_one() -> None:
    aws = many(80)
    names = [f"c{number}" for number in range(1, 80)]
    assert gathered(aws, names) == [f"status of {each}" for each in names]
    assert len(aws.asked) == 2


def test_more_than_one_call_takes_are_asked_for_by_several() -> None:
    aws = many(120)
    names = [f"c{number}" for number in range(1, 120)]
    assert gathered(aws, names) == [f"status of {each}" for each in names]
    assert len(aws.asked) == 3


def test_what_is_not_there_is_not_there_for_who_asks_for_it_and_for_nobody_else() -> None:
    aws = many(3)
    first, lost, second = gathered(aws, ["c1", "lost", "c2"])
    assert (first, second) == ("status of c1", "status of c2")
    assert aws_code(lost) == "DBClusterNotFoundFault", "as AWS tells it to one who asks alone"


def test_whoever_may_not_describe_several_at_once_asks_for_each_alone() -> None:
    """The operator's policy may be older than this edition, and a failover is no time to find that out."""
    aws = many(3)
    aws.problem = lambda asked: None if "DBClusterIdentifier" in asked else refused("rds", "d", REGION, "Denied", "no")
    assert gathered(aws, ["c1", "c2"]) == ["status of c1", "status of c2"]
    assert len([each for each in aws.asked if "Filters" in each]) == 1


def test_a_call_for_several_that_was_throttled_was_throttled_for_all_of_them() -> None:
    aws = many(3)
    throttled = Throttled(service="rds", operation="d", region=REGION, attempts=1)
    aws.problem = lambda asked: None if "DBClusterIdentifier" in asked else throttled
    assert gathered(aws, ["c1", "c2"]) == [throttled, throttled]


def test_who_is_alone_is_answered_as_before() -> None:
    aws = many(1)
    with pytest.raises(CallRefused) as refusal:
        status(Batched(aws), "lost")
    assert aws_code(refusal.value) == "DBClusterNotFoundFault"
    assert aws.asked == [{"DBClusterIdentifier": "lost"}]


def test_a_call_that_asks_for_more_than_names_is_passed_on_as_it_is() -> None:
    aws = many(2)
    given = {"Filters": [{"Name": "db-cluster-id", "Values": ["c1"]}], "MaxRecords": 20}
    Batched(aws).call("rds", "describe_db_clusters", REGION, **given)
    assert aws.asked == [given]
