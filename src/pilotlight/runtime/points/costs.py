"""What a run costs that somebody could still decide against: said before it begins, by asset (pure).

A failover of a region that answers throws away what that region holds beyond the newest usable point, and from its
fence on the two regions write apart. Nobody should learn that from the report.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.points import choose
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.point import Loss, RecoveryPoint


@dataclass(frozen=True)
class AssetLoss:
    """What one asset would lose at this moment: what was written after `as_of`; None where nothing of it is proven."""

    name: str
    loss: Loss | None
    as_of: str = ""


def losses(inventory: Inventory, point: RecoveryPoint | None, moment: str) -> tuple[AssetLoss, ...]:
    """By asset that holds data: everything beyond the point."""
    held = [asset for kind, asset in in_order(inventory) if kind.holds_state]
    return tuple(_of(inventory, point, each.name, moment) for each in held)


def _of(inventory: Inventory, point: RecoveryPoint | None, asset: str, moment: str) -> AssetLoss:
    part = point.part(asset) if point else None
    found = choose.loss(inventory, part, moment) if part else None
    return AssetLoss(asset, found, part.as_of if part and found else "")


def in_words(loss: Loss | None) -> str:
    """A loss as a person says it."""
    if loss is None:
        return "everything: nothing of it is proven"
    words = [f"up to {loss.seconds:.0f} s"]
    words += [f"{loss.steps} steps"] if loss.steps is not None else []
    words += [f"{loss.gpu_hours:g} GPU-hours"] if loss.gpu_hours is not None else []
    return ", ".join(words)


def of_failover(inventory: Inventory, point: RecoveryPoint | None, moment: str, forecast_seconds: float) -> list[str]:
    """What a failover costs while the primary answers, in sentences."""
    primary, standby = inventory.primary, inventory.standby
    age = f"{parse_stamp(moment) - parse_stamp(point.created_at):.0f} s old" if point else ""
    told = [f"the newest {kind_of(point)} recovery point is {point.id}, {age}" if point else "there is no usable point"]
    told += older_software(point) if point else []
    told += [f"{each.name} loses {in_words(each.loss)}" for each in losses(inventory, point, moment)]
    told.append(
        f"what is written in {primary} from now until it is fenced is split from what {standby} serves: "
        f"a failback keeps what {standby} has"
    )
    told.append(f"nothing is served for about {forecast_seconds:g} s (forecast; objective {inventory.rto_seconds:g} s)")
    return told


def kind_of(point: RecoveryPoint) -> str:
    """Complete; or usable, because it lacks the newest software alone."""
    return "usable" if point.outdated else "complete"


def older_software(point: RecoveryPoint) -> list[str]:
    """In which way the standby region would launch older software than the primary does, in sentences."""
    return [f"{part.asset} comes up with older software: {each}" for part in point.parts for each in part.outdated]


def of_failback(inventory: Inventory) -> list[str]:
    """What a failback costs beyond the minutes of its switch, in sentences; nothing where all of it comes home."""
    return [told for kind, asset in in_order(inventory) for told in kind.costs_of_failback(inventory, asset)]
