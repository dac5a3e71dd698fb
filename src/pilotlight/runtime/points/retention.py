"""The retention policy: which recovery points stay (pure).

Of points that a run may use the newest of each hour, day and week stays, as many of each as the declaration says; of
points of one region, which restores use, as many. The newest complete point and the newest usable one stay whatever
the policy says, and so do the newest few of any status, which tell what goes on.
"""

from __future__ import annotations

from collections.abc import Iterable

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.points.choose import newest_complete, newest_usable
from pilotlight.runtime.records.inventory import Keep
from pilotlight.runtime.records.point import ONE_REGION
from pilotlight.runtime.store.ledger import PointLine

RECENT = 10
"""Points of any status that stay, so that a person sees what was tried last."""
HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS
WEEK_SECONDS = 7 * DAY_SECONDS


def kept(points: Iterable[PointLine], keep: Keep) -> set[str]:
    """The ids of the points that stay."""
    newest_first = sorted(points, key=lambda each: each.created_at, reverse=True)
    usable = [each for each in newest_first if each.usable]
    newest = (newest_complete(newest_first), newest_usable(newest_first))
    stay = {each.id for each in newest_first[:RECENT]} | {each.id for each in newest if each}
    alone = [each for each in newest_first if each.status == ONE_REGION]
    for seconds, rungs in ((HOUR_SECONDS, keep.hourly), (DAY_SECONDS, keep.daily), (WEEK_SECONDS, keep.weekly)):
        for those in (usable, alone):
            stay |= set(_newest_of_each(those, seconds)[:rungs])
    return stay


def _newest_of_each(newest_first: list[PointLine], seconds: int) -> list[str]:
    """The newest point of every hour, day or week that has one, the newest first."""
    found: dict[int, str] = {}
    for each in newest_first:
        found.setdefault(int(parse_stamp(each.created_at) // seconds), each.id)
    return list(found.values())
