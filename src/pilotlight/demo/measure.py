"""What was lost, computed from the numbered data itself: what was acknowledged against what is there (pure).

An item counts when its writer was told that it is written. RPO is the time between the disaster and the newest moment
up to which every acknowledged item survived.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Acknowledged:
    """One item that a writer was told is written: its number and when (seconds since the epoch)."""

    number: int
    at: float


@dataclass(frozen=True)
class Loss:
    """Lost and kept items, and the RPO in seconds."""

    lost: tuple[int, ...]
    kept: int
    rpo_seconds: float


def read_log(path: Path) -> list[dict[str, Any]]:
    """The events of one acknowledgement log; a last line cut short by a kill is left out."""
    if not path.exists():
        return []
    events = []
    for line in path.read_text().splitlines():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return events


def acknowledged(events: Iterable[dict[str, Any]], event: str, number: str, before: float) -> list[Acknowledged]:
    """The items of one kind acknowledged before this moment, in their order."""
    found = [Acknowledged(int(each[number]), each["at"]) for each in events if each["event"] == event]
    return [each for each in found if each.at <= before]


def loss(items: list[Acknowledged], present: Collection[int], disaster_at: float) -> Loss:
    """Compare what was acknowledged with the numbers that are there."""
    there = set(present)
    lost = [item for item in items if item.number not in there]
    kept = len(items) - len(lost)
    if not lost:
        return Loss((), kept, 0.0)
    first_lost = min(item.at for item in lost)
    safe = [item.at for item in items if item.at < first_lost]
    safe_until = max(safe) if safe else first_lost
    return Loss(tuple(item.number for item in lost), kept, disaster_at - safe_until)


def newest_loss(items: list[Acknowledged], newest: int, disaster_at: float) -> Loss:
    """The same for data of which only one prefix can survive (volumes, checkpoints): all up to `newest` is there."""
    return loss(items, [item.number for item in items if item.number <= newest], disaster_at)
