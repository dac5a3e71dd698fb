"""The runbooks: what is done, in which order, as data (pure). A dry run prints them; the engine executes them.

Fence first, commit last. Steps that need nothing of one another have no edge between them and run side by side; the
`uses` edges of the declaration say what a compute group must wait for. A new kind of run is a new function here.
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.kinds.autoscaling.launching import spread
from pilotlight.runtime.points.observation import CHECKPOINTS
from pilotlight.runtime.records.inventory import Compute, Inventory
from pilotlight.runtime.records.runs import LOOKED_AGAIN, Runbook, Step
from pilotlight.runtime.runs.again import STEPS
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING, SWITCHING

FAILOVER = "failover"
FAILBACK = "failback"
FENCE_RETURNED = "fence-returned"
PRIMARY: dict[str, Any] = {"region": "primary"}
STANDBY: dict[str, Any] = {"region": "standby"}


def failover(inventory: Inventory) -> Runbook:
    """The standby region takes over. No step of it calls the primary region or a control plane that lives there."""
    told = [_told(each.name) for each in inventory.datasets if each.kind == CHECKPOINTS]
    promoted = [_about("promote", each.name, "choose-point", STANDBY) for each in inventory.databases]
    restored = [_about("restore", each.name, "choose-point", STANDBY) for each in inventory.computes]
    ready = (*told, *promoted, *restored)
    launched = [step for each in inventory.computes for step in _launched(inventory, each, ready)]
    scaled = [step for step in launched if step.name.startswith("scale-")]
    checks = Step("checks", "healthy", needs=_names(*ready, *scaled) or ("choose-point",), arguments=STANDBY)
    moved = _traffic(inventory, STANDBY, "checks")
    return _runbook(
        FAILOVER,
        inventory,
        Step("preflight", "point-exists"),
        _saying("fence", STANDBY, FAILING_OVER, "preflight", raises=True),
        Step("choose-point", "choose-point", needs=("fence",)),
        *ready,
        *launched,
        checks,
        *moved,
        _looking_again(STANDBY, *ready, *scaled, checks, *moved),
        _saying("commit", STANDBY, SERVING, LOOKED_AGAIN),
    )


def failback(inventory: Inventory) -> Runbook:
    """The way home, with no object and no row lost: fence, bring home, quiesce, switch, open, prove, protect again."""
    fences = _fences(inventory, "primary-answers")
    rejoined = [_about("rejoins", each.name, "primary-answers", PRIMARY, "rejoin") for each in inventory.databases]
    synced = [_about("bring-home", each.name, f"fence-bucket-{each.name}", {}, "sync") for each in inventory.datasets]
    final = [_about("bring-home", each.name, "quiesce", {"final": True}, "final-sync") for each in inventory.datasets]
    switched = [_about("switch-back", each.name, "quiesce", PRIMARY, "switch") for each in inventory.databases]
    opened = [_about("open-bucket", each.name, "hand-over", PRIMARY) for each in inventory.datasets]
    told = [
        _about("tell-checkpoint", each.name, "hand-over", PRIMARY)
        for each in inventory.datasets
        if each.kind == CHECKPOINTS
    ]
    started = [
        Step(f"scale-{each.name}", "scale", each.name, _names(*opened, *told) or ("hand-over",), PRIMARY)
        for each in inventory.computes
    ]
    checks = Step("checks", "healthy", needs=_names(*started) or ("hand-over",), arguments=PRIMARY)
    moved = _traffic(inventory, PRIMARY, "checks")
    resting = _at_rest(inventory, _names(*moved) or ("checks",))
    return _runbook(
        FAILBACK,
        inventory,
        Step("primary-answers", "primary-answers", arguments=PRIMARY),
        *fences,
        *rejoined,
        *synced,
        _saying("quiesce", STANDBY, SWITCHING, *_names(*fences, *rejoined, *synced), raises=True, settle=True),
        *final,
        *switched,
        Step("keep-by-hand", "keep-by-hand", "", _names(*final, *switched) or ("quiesce",), PRIMARY),
        _saying("hand-over", PRIMARY, SWITCHING, "keep-by-hand"),
        *opened,
        *told,
        *started,
        checks,
        *moved,
        *resting,
        _looking_again(PRIMARY, *switched, *opened, *told, *started, checks, *moved, *resting),
        _saying("commit", PRIMARY, SERVING, LOOKED_AGAIN),
        Step("forget-by-hand", "forget-by-hand", "", ("commit",), PRIMARY),
        *_protected_again(inventory),
    )


def fence_returned(inventory: Inventory) -> Runbook:
    """The lost region answers again while the standby serves: nothing may start or be written there."""
    return _runbook(FENCE_RETURNED, inventory, *_fences(inventory))


def _fences(inventory: Inventory, *needs: str) -> list[Step]:
    groups = [
        Step(f"fence-compute-{each.name}", "stop", each.name, needs, PRIMARY | {"suspend": True})
        for each in inventory.computes
    ]
    buckets = [
        Step(f"fence-bucket-{each.name}", "fence-bucket", each.name, needs, PRIMARY) for each in inventory.datasets
    ]
    return [*groups, *buckets]


def _at_rest(inventory: Inventory, needs: tuple[str, ...]) -> list[Step]:
    stopped = [Step(f"rest-{each.name}", "stop", each.name, needs, STANDBY) for each in inventory.computes]
    forgotten = [
        Step(f"forget-checkpoint-{each.name}", "forget-checkpoint", each.name, needs, STANDBY)
        for each in inventory.datasets
        if each.kind == CHECKPOINTS
    ]
    given_back = [
        Step(f"forget-template-{each.name}", "forget-template", each.name, (f"rest-{each.name}",), STANDBY)
        for each in inventory.computes
    ]
    return [*stopped, *given_back, *forgotten]


def _protected_again(inventory: Inventory) -> list[Step]:
    followed = [_about("follows", each.name, "commit", STANDBY, "reprotect") for each in inventory.databases]
    rules = [_about("replicates", each.name, "commit", PRIMARY) for each in inventory.datasets]
    canaries = [_about("canary-arrives", each.name, f"replicates-{each.name}", PRIMARY) for each in inventory.datasets]
    gone = [_about("canary-gone", each.name, f"canary-arrives-{each.name}", PRIMARY) for each in inventory.datasets]
    return [*followed, *rules, *canaries, *gone]


def _told(asset: str) -> Step:
    return _about("tell-checkpoint", asset, "choose-point", STANDBY)


def _launched(inventory: Inventory, asset: Compute, ready: tuple[Step, ...]) -> list[Step]:
    """A group starts when what it uses, and its own volumes, are ready; what it does not use may take longer. Where
    instances have volumes of their own they are launched one after the other, each from its version."""
    needs = tuple(step.name for step in ready if step.asset in (*asset.uses, asset.name)) or ("choose-point",)
    if not spread(inventory, asset):
        return [Step(f"scale-{asset.name}", "scale", asset.name, needs, STANDBY)]
    ones: list[Step] = []
    for index in range(asset.count):
        after = (ones[-1].name,) if ones else needs
        ones.append(Step(f"launch-{asset.name}-{index}", "launch-one", asset.name, after, STANDBY | {"index": index}))
    return [*ones, Step(f"scale-{asset.name}", "hold", asset.name, (ones[-1].name,), STANDBY)]


def _traffic(inventory: Inventory, side: dict[str, Any], *needs: str) -> list[Step]:
    return [Step("traffic", "move-traffic", needs=needs, arguments=side)] if inventory.traffic else []


def _looking_again(side: dict[str, Any], *steps: Step) -> Step:
    """Before a run says that a region serves: what could have been changed since it was proven (steps/again.py)."""
    names = list(_names(*steps))
    return Step(LOOKED_AGAIN, "look-again", needs=tuple(names), arguments=side | {STEPS: names})


def _saying(name: str, side: dict[str, Any], state: str, *needs: str, **more: bool) -> Step:
    return Step(name, "say-active", needs=tuple(dict.fromkeys(needs)), arguments=side | {"state": state} | more)


def _about(action: str, asset: str, need: str, arguments: dict[str, Any], verb: str = "") -> Step:
    return Step(f"{verb or action}-{asset}", action, asset, (need,), arguments)


def _names(*steps: Step) -> tuple[str, ...]:
    return tuple(step.name for step in steps)


def _runbook(kind: str, inventory: Inventory, *steps: Step) -> Runbook:
    return Runbook(kind, inventory.workload, steps)
