"""Batched: a wrapper that asks once for all who ask for the same kind of thing in a region at the same time.

Who asks while nobody does is answered by their own call, as it is. Who asks while one is on its way is gathered, and
the next call asks for all of them. So nothing is kept: every answer is that of a call which was begun after it was
asked for, and no look sees what was before an act that it is to prove. Steps that wait for the same kind look at the
same moments (runs/engine.py), and cost two calls each time, however many they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.errors import CallRefused, PilotlightError

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """How things of one kind are described by their names."""

    items: str
    """The key of the answer under which they are listed."""
    name: str
    """The attribute of each that is its name."""
    alone: Callable[[list[str]], Parameters]
    """The parameters by which one who is alone asks."""
    names: Callable[[Parameters], Any]
    """What they ask for: the inverse of `alone` (None where it is something else)."""
    together: Callable[[list[str]], Parameters]
    names_max: int


def _filtered(items: str, name: str, by: str, more: Parameters) -> Listing:
    """Those that EC2 finds by a filter. EC2 User Guide, "List and filter your resources": a filter takes up to 200
    values."""

    def by_filter(names: list[str]) -> Parameters:
        return more | {"Filters": [{"Name": by, "Values": names}]}

    def names(asked: Parameters) -> Any:
        filters = asked.get("Filters") or [{}]
        return filters[0].get("Values")

    return Listing(items, name, by_filter, names, by_filter, 200)


LISTINGS: dict[tuple[str, str], Listing] = {
    ("autoscaling", "describe_auto_scaling_groups"): Listing(
        "AutoScalingGroups",
        "AutoScalingGroupName",
        lambda names: {"AutoScalingGroupNames": names},
        lambda asked: asked.get("AutoScalingGroupNames"),
        lambda names: {"AutoScalingGroupNames": names},
        50,
    ),
    ("rds", "describe_db_clusters"): Listing(
        "DBClusters",
        "DBClusterIdentifier",
        lambda names: {"DBClusterIdentifier": names[0]},
        lambda asked: [asked.get("DBClusterIdentifier")],
        lambda names: {"Filters": [{"Name": "db-cluster-id", "Values": names}], "MaxRecords": 100},
        100,
    ),
    ("rds", "describe_global_clusters"): Listing(
        "GlobalClusters",
        "GlobalClusterIdentifier",
        lambda names: {"GlobalClusterIdentifier": names[0]},
        lambda asked: [asked.get("GlobalClusterIdentifier")],
        lambda names: {"MaxRecords": 100},
        100_000,
    ),
    ("ec2", "describe_snapshots"): _filtered("Snapshots", "SnapshotId", "snapshot-id", {"OwnerIds": ["self"]}),
    ("ec2", "describe_images"): _filtered("Images", "ImageId", "image-id", {}),
}
"""By what each API takes (Auto Scaling API Reference, DescribeAutoScalingGroups: up to 50 names; RDS API Reference,
DescribeDBClusters: pages of up to 100, and DescribeGlobalClusters, which has no filter for names: all of the account
are read). DescribeScalingActivities takes one group, or is slow; DescribeLaunchTemplateVersions takes one template."""


@dataclass
class _Batch:
    """Who asked since the last call was begun, and what they came to know."""

    names: dict[str, None] = field(default_factory=dict)
    found: dict[str, dict[str, Any]] | None = None
    """By name, in small letters: RDS keeps names so, whatever was asked for."""
    problem: PilotlightError | None = None
    answered: Any = field(default_factory=lambda: threading.Lock())
    """Held until it is."""


@dataclass
class _Queue:
    """Of one kind in one region. `turn` is held while a call is on its way."""

    turn: Any = field(default_factory=lambda: threading.Lock())
    gathering: _Batch | None = None
    refused: bool = False
    """Whoever asks may not describe several at once (IAM): each asks alone from then on."""


@dataclass(frozen=True)
class _Asked:
    """One call as it was asked for."""

    service: str
    operation: str
    region: str
    parameters: Parameters
    listing: Listing
    names: list[str]


class Batched(Wrapper):
    """Reading calls of LISTINGS; all others pass. An error is that of the call; where a call for several is refused,
    each asks alone."""

    waits = True

    def __init__(self, inner: AwsClient) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._queues: dict[tuple[str, str, str], _Queue] = {}

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        listing = LISTINGS.get((service, operation))
        names = _names(listing, parameters) if listing else []
        if listing is None or not names:
            return self.inner.call(service, operation, region, **parameters)
        asked = _Asked(service, operation, region, parameters, listing, names)
        with self._lock:
            queue = self._queues.get((service, operation, region))
            if queue is None:
                queue = self._queues[service, operation, region] = _Queue()
            batch, leads = queue.gathering, queue.gathering is None
            if batch is None:
                batch = queue.gathering = _Batch()
                batch.answered.acquire()
            batch.names |= dict.fromkeys(names)
        if leads:
            return self._lead(asked, queue, batch)
        with batch.answered:
            pass
        return self._answer(asked, batch)

    def _lead(self, asked: _Asked, queue: _Queue, batch: _Batch) -> dict[str, Any]:
        """Wait for the turn, and ask for all who have come by then."""
        several = False
        try:
            with queue.turn:
                with self._lock:
                    queue.gathering = None
                    several = not set(batch.names) <= set(asked.names)
                if not several:
                    answer = self._alone(asked)
                    batch.found = _by_name(asked.listing, [answer])
                    return answer
                if not queue.refused:
                    batch.found = self._together(asked, list(batch.names))
        except CallRefused:
            if not several:
                raise
            queue.refused = True
        except PilotlightError as problem:
            batch.problem = problem
            raise
        finally:
            batch.answered.release()
        return self._answer(asked, batch)

    def _together(self, asked: _Asked, names: list[str]) -> dict[str, dict[str, Any]]:
        most, found = asked.listing.names_max, dict[str, dict[str, Any]]()
        for start in range(0, len(names), most):
            parameters = asked.listing.together(names[start : start + most])
            pages = self.inner.pages(asked.service, asked.operation, asked.region, **parameters)
            found |= _by_name(asked.listing, pages)
        return found

    def _answer(self, asked: _Asked, batch: _Batch) -> dict[str, Any]:
        """Theirs of what the batch came to."""
        if batch.problem is not None:
            raise batch.problem
        if batch.found is None:
            return self._alone(asked)
        there = [batch.found.get(name.lower()) for name in asked.names]
        if None in there:
            return self._alone(asked)  # how AWS says that it is not there is told by AWS
        return {asked.listing.items: there}

    def _alone(self, asked: _Asked) -> dict[str, Any]:
        return self.inner.call(asked.service, asked.operation, asked.region, **asked.parameters)


def _names(listing: Listing, parameters: Parameters) -> list[str]:
    """What is asked for by name; nothing where the call asks for anything else as well (pure)."""
    found = listing.names(parameters)
    wanted = [each for each in found or [] if each]
    return wanted if wanted and listing.alone(wanted) == parameters else []


def _by_name(listing: Listing, pages: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(each.get(listing.name, "")).lower(): each for page in pages for each in page[listing.items]}
