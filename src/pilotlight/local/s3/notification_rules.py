"""What a notification configuration says: which of its entries want an event, and which two S3 does not take together.

Source: S3 User Guide, "Configuring event notifications using object key name filtering" (values are percent-encoded,
with `+` for a space; entries for the same event must not overlap in their prefixes, or, where those do, in their
suffixes) and "Supported event types" (`s3:Replication:*` is all of a family). Entries are moto's `Notification`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any
from urllib.parse import unquote_plus

OVERLAP = "Configurations overlap. Configurations on the same bucket cannot share a common event type."


def wants(entry: Any, event: str, key: str) -> bool:
    """Whether an entry is for this event (`s3:Replication:OperationFailedReplication`) of this key (pure)."""
    prefix, suffix = _filter(entry)
    return any(_covers(each, event) for each in entry.events) and key.startswith(prefix) and key.endswith(suffix)


def overlap(entries: Iterable[Any]) -> bool:
    """Whether two entries are for one event and one key (pure)."""
    return any(_share_events(*pair) and _share_keys(*pair) for pair in combinations(entries, 2))


def _share_events(one: Any, other: Any) -> bool:
    return any(_covers(a, b) or _covers(b, a) for a in one.events for b in other.events)


def _share_keys(one: Any, other: Any) -> bool:
    (prefix, suffix), (second_prefix, second_suffix) = _filter(one), _filter(other)
    prefixes = prefix.startswith(second_prefix) or second_prefix.startswith(prefix)
    return prefixes and (suffix.endswith(second_suffix) or second_suffix.endswith(suffix))


def _covers(asked: str, event: str) -> bool:
    return asked == event or (asked.endswith("*") and event.startswith(asked[:-1]))


def _filter(entry: Any) -> tuple[str, str]:
    """(prefix, suffix), decoded."""
    rules = (entry.filters or {}).get("S3Key", {}).get("FilterRule", [])
    found = {str(each["Name"]).lower(): unquote_plus(str(each["Value"])) for each in rules}
    return found.get("prefix", ""), found.get("suffix", "")
