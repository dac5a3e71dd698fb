"""Reading a dataset's part of a point again in the standby bucket, object by object, against its manifest.

Shallow: the version that the manifest names is there, of the same size and entity tag, and what lies on top of it, if
anything, came by replication (a replica keeps its version id: S3 User Guide, "What does Amazon S3 replicate?"). Deep:
every byte is read and compared with the object's checksum (content.py); where S3 keeps none, it is said.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.buckets.content import DAMAGED, EQUAL, UNCOMPARED, Compared, Content
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current, current

PROBLEMS_MAX = 50
"""How many are named; all are counted."""
MARKER = "a delete marker"


@dataclass
class Reread:
    """What was found. `problems`, `undecided`: sentences about objects that are not as the point says, and about those
    that could not be read; `compared`: by which checksum every byte of how many agreed; `uncompared`: why of how many
    nothing could be compared."""

    objects: int = 0
    damaged: int = 0
    unread: int = 0
    bytes_read: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    uncompared: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)

    def damage(self, problem: str) -> None:
        """One object that is not as the point says."""
        self.damaged += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def read(self, found: Compared) -> None:
        """One object whose bytes were asked for."""
        self.bytes_read += found.bytes_read
        if found.state == EQUAL:
            self.compared[found.by] += 1
        elif found.state == UNCOMPARED:
            self.uncompared[found.why] += 1
        elif found.state == DAMAGED:
            self.damage(found.why)
        else:
            self.unread += 1
            if len(self.undecided) < PROBLEMS_MAX:
                self.undecided.append(found.why)


def reread(
    client: AwsClient,
    standby: Bucket,
    primary: Bucket,
    wanted: Iterable[Current],
    deep: bool,
    progress: Callable[[int], None] = lambda objects: None,
) -> Reread:
    """Look at every object of a manifest; `wanted` in the order of the keys."""
    found = Reread()

    def sound() -> Iterator[Current | None]:
        """Of each that is wanted in turn: what is to be read; None where it is not there as it was."""
        for item, key in _joined(wanted, current(client, standby)):
            problem = standing(item, key) or _covered(client, primary, item, key)
            if problem:
                found.damage(problem)
            yield None if problem else item

    with Content(client, standby) if deep else contextlib.nullcontext() as content:
        for compared in content.compared(sound()) if content else (None for _ in sound()):
            if compared:
                found.read(compared)
            found.objects += 1
            progress(found.objects)
    return found


def standing(item: Current, now: Current | None) -> str:
    """Whether the version that was proven is still there, in words of what is wrong (pure)."""
    if now is None:
        return f"{item.key} is gone from the standby bucket, with all its versions"
    there = next((each for each in (now, *now.older) if each.version == item.version and not each.deleted), None)
    if there is None:
        return f"{item.key}: version {item.version} is gone from the standby bucket"
    if (there.size, there.etag) != (item.size, item.etag):
        proven = f"{item.size} bytes, {item.etag} were proven"
        return f"{item.key}: version {item.version} has {there.size} bytes, {there.etag}; {proven}"
    return ""


def _covered(client: AwsClient, primary: Bucket, item: Current, now: Current | None) -> str:
    """Whether something that the primary never had lies on top of it."""
    if now is None or now.version == item.version:
        return ""
    what = MARKER if now.deleted else "a version"
    try:
        theirs = next(current(client, Bucket(primary.region, primary.name, item.key)), None)
    except (CallRefused, RegionUnreachable) as problem:
        return f"{item.key} is covered by {what} {now.version}; whether the primary has it cannot be told: {problem}"
    if theirs is not None and theirs.key == item.key and _same(now, theirs):
        return ""
    return f"{item.key} is covered by {what} ({now.version}) that the primary never had: made in the standby bucket"


def _same(copy: Current, source: Current) -> bool:
    """A replica has its source's version id; a backfilled copy has its source's bytes."""
    if any(copy.version == each.version for each in (source, *source.older)):
        return True
    return (copy.deleted, copy.size, copy.etag) == (source.deleted, source.size, source.etag)


def _joined(wanted: Iterable[Current], there: Iterator[Current]) -> Iterator[tuple[Current, Current | None]]:
    """Every wanted object with the current state of its key; keys that the manifest does not name are newer than it."""
    key = next(there, None)
    for item in wanted:
        while key is not None and key.key.encode() < item.key.encode():
            key = next(there, None)
        yield item, key if key is not None and key.key == item.key else None
