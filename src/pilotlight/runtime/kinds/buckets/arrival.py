"""The versions of one key: which of the newest have not arrived in the copy, and since when it waits for them.

A replica keeps its version id (S3 User Guide, "What does Amazon S3 replicate?"), so it tells of which version it is.
S3 tells whole seconds, and lists versions and delete markers apart, so which of two of one second was later is not
known: what the copy lacks counts as the later one.
"""

from __future__ import annotations

import math

from pilotlight.runtime.kinds.buckets.listing import DIFFERENT, SIZE, Current, settled


def waiting_since(source: Current, copy: Current | None, overdue_before: float) -> float:
    """When the first of the versions was written that have not arrived above the newest that has (pure).

    A key that is overwritten again and again has a newest version that is always young; what counts is its state.
    """
    return _unseen(source, copy, overdue_before)[-1].modified


def was_there(source: Current, copy: Current | None, overdue_before: float) -> bool:
    """Whether a key that is deleted on both sides was there a moment ago, in a version that never arrived (pure).

    Then the copy was never what the source was, and the watermark may not lie between.
    """
    recent = source.deleted and source.modified >= overdue_before
    return recent and not all(one.deleted for one in _unseen(source, copy, overdue_before))


def _unseen(source: Current, copy: Current | None, overdue_before: float) -> list[Current]:
    """The newest versions of a key, as far back as none has arrived; the newest of all is always among them (pure).

    A deletion needs not arrive where nothing lies. But what it deleted a moment ago, and never arrived, was there: the
    search goes on below it. What was deleted before `overdue_before` lies before every watermark that is proven, and
    may be from before the rule.
    """
    arrived = {each.version for each in (copy, *copy.older)} if copy else set[str]()
    if source.version in arrived:
        return [source]
    is_replica = copy is not None and any(each.version == copy.version for each in source.older)

    def was_held(one: Current) -> bool:
        """Whether the copy is in the state of this version, of which it has no replica."""
        return (one.deleted or not is_replica) and settled(one, copy) not in (DIFFERENT, SIZE)

    def order(one: Current) -> tuple[int, bool, bool]:
        return -math.floor(one.modified), one.version in arrived, was_held(one)

    found = [source]
    for each in sorted(source.older, key=order):
        is_recent_deletion = each.deleted and each.modified >= overdue_before
        if each.version in arrived or (was_held(each) and not is_recent_deletion):
            break
        found.append(each)
    while len(found) > 1 and found[-1].deleted and was_held(found[-1]):
        found.pop()
    return found
