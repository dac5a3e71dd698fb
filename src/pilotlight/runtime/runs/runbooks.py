"""The runbooks: orders of phases, as data (pure). A dry run prints them; the engine executes them.

    failover: preflight, fence, choose, restore, start, check, traffic, commit
    failback: preflight, fence, sync, quiesce, final sync, hand over, restore, start, check, traffic, rest, commit,
              protect

Fence first, commit last. Every kind of asset gives its steps to a phase (kinds/registry.py) and does not know in which
runbook; what they need of earlier phases is said here. Steps that need nothing of one another run side by side. A new
kind of run is a new function here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pilotlight.runtime.kinds.phases import (
    CHECK,
    CHOOSE,
    COMMIT,
    FENCE,
    FINAL_SYNC,
    HAND_OVER,
    PREFLIGHT,
    PRIMARY,
    PROTECT,
    QUIESCE,
    REST,
    RESTORE,
    STANDBY,
    START,
    SYNC,
    TRAFFIC,
)
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.records.inventory import Asset, Inventory
from pilotlight.runtime.records.runs import LOOKED_AGAIN, Arguments, LookingAgain, Runbook, Saying, Step, Where
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING, SWITCHING

FAILOVER = "failover"
FAILBACK = "failback"
FENCE_RETURNED = "fence-returned"

USERS_FIRST = (FENCE, REST)
"""Phases in which what uses is stopped before what it uses: writers before what they write to."""

Needs = Callable[[Asset], tuple[str, ...]]
"""The steps of earlier phases that steps about an asset need."""


def failover(inventory: Inventory) -> Runbook:
    """The standby region takes over. No step of it calls the primary region or a control plane that lives there."""
    run = _Phases(FAILOVER, inventory)
    run.step(PREFLIGHT, "preflight", "point-exists")
    run.say_active(FENCE, "fence", STANDBY, FAILING_OVER, raises=True, needs=run.of(PREFLIGHT))
    run.step(CHOOSE, "choose-point", needs=run.of(FENCE))
    run.assets(RESTORE, STANDBY, run.all_of(CHOOSE))
    run.assets(START, STANDBY, run.what_it_uses(RESTORE, CHOOSE))
    run.step(CHECK, "checks", "healthy", STANDBY, needs=run.lasting(RESTORE, START) or run.of(CHOOSE))
    run.traffic(STANDBY)
    run.look_again(STANDBY, RESTORE, START, CHECK, TRAFFIC)
    run.say_active(COMMIT, "commit", STANDBY, SERVING, needs=(LOOKED_AGAIN,))
    return run.runbook()


def failback(inventory: Inventory) -> Runbook:
    """The way home, with no object and no row lost."""
    run = _Phases(FAILBACK, inventory)
    run.step(PREFLIGHT, "primary-answers", arguments=PRIMARY)
    run.assets(FENCE, PRIMARY, run.all_of(PREFLIGHT))
    run.assets(SYNC, PRIMARY, run.its_own(FENCE, PREFLIGHT))
    fenced = run.of(FENCE, SYNC) or run.of(PREFLIGHT)
    run.say_active(QUIESCE, "quiesce", STANDBY, SWITCHING, raises=True, settle=True, needs=fenced)
    run.assets(FINAL_SYNC, PRIMARY, run.all_of(QUIESCE))
    run.assets(HAND_OVER, PRIMARY, run.all_of(QUIESCE))
    moved = run.of(FINAL_SYNC, HAND_OVER) or run.of(QUIESCE)
    run.step(HAND_OVER, "keep-by-hand", arguments=PRIMARY, needs=moved, lasts=False)
    run.say_active(HAND_OVER, "hand-over", PRIMARY, SWITCHING, needs=("keep-by-hand",))
    run.assets(RESTORE, PRIMARY, lambda asset: ("hand-over",))
    run.assets(START, PRIMARY, lambda asset: run.of(RESTORE) or ("hand-over",))
    run.step(CHECK, "checks", "healthy", PRIMARY, needs=run.of(START) or run.of(RESTORE) or ("hand-over",))
    run.traffic(PRIMARY)
    run.assets(REST, STANDBY, lambda asset: run.of(TRAFFIC) or run.of(CHECK))
    run.look_again(PRIMARY, HAND_OVER, RESTORE, START, CHECK, TRAFFIC, REST)
    run.say_active(COMMIT, "commit", PRIMARY, SERVING, needs=(LOOKED_AGAIN,))
    run.step(COMMIT, "forget-by-hand", arguments=PRIMARY, needs=("commit",))
    run.assets(PROTECT, PRIMARY, lambda asset: ("commit",))
    return run.runbook()


def fence_returned(inventory: Inventory) -> Runbook:
    """The lost region answers again while the standby serves: nothing may start or be written there."""
    run = _Phases(FENCE_RETURNED, inventory)
    run.assets(FENCE, PRIMARY, lambda asset: ())
    return run.runbook()


class _Phases:
    """A runbook while it is put together, phase by phase, in the order in which steps are added."""

    def __init__(self, kind: str, inventory: Inventory) -> None:
        self._kind, self._inventory = kind, inventory
        self._steps: list[Step] = []

    def runbook(self) -> Runbook:
        """As it is now."""
        return Runbook(self._kind, self._inventory.workload, tuple(self._steps))

    # -- adding ------------------------------------------------------------------------------------------------

    def step(
        self,
        phase: str,
        name: str,
        action: str = "",
        arguments: Arguments = STANDBY,
        needs: tuple[str, ...] = (),
        lasts: bool = True,
    ) -> None:
        """One of the workload as a whole."""
        self._steps.append(Step(name, action or name, "", needs, arguments, phase, lasts))

    def say_active(
        self,
        phase: str,
        name: str,
        where: Where,
        state: str,
        needs: tuple[str, ...],
        raises: bool = False,
        settle: bool = False,
    ) -> None:
        """Who serves, in which state; nobody looks at that again, it is what runs are told apart by."""
        told = Saying(where.region, state, raises, settle)
        self.step(phase, name, "say-active", told, tuple(dict.fromkeys(needs)), False)

    def assets(self, phase: str, where: Where, needs: Needs) -> None:
        """What the kinds give to the phase; first steps of a chain need what the phase does."""
        assets = list(in_order(self._inventory))
        for kind, asset in reversed(assets) if phase in USERS_FIRST else assets:
            for each in kind.steps(phase, self._inventory, asset, where):
                self._steps.append(replace(each, phase=phase, needs=each.needs or needs(asset)))

    def traffic(self, where: Where) -> None:
        """The users' own name, where there is one."""
        if self._inventory.traffic:
            self.step(TRAFFIC, "traffic", "move-traffic", where, self.of(CHECK))

    def look_again(self, where: Where, *phases: str) -> None:
        """Before a run says that a region serves: what could have been changed since it was proven (again.py)."""
        names = self.lasting(*phases)
        self.step(COMMIT, LOOKED_AGAIN, arguments=LookingAgain(where.region, names), needs=names)

    # -- what came before --------------------------------------------------------------------------------------

    def of(self, *phases: str) -> tuple[str, ...]:
        """Names of the steps of these phases."""
        return tuple(each.name for each in self._steps if each.phase in phases)

    def lasting(self, *phases: str) -> tuple[str, ...]:
        """The same, without what need not be so any more later."""
        return tuple(each.name for each in self._steps if each.phase in phases and each.lasts)

    def all_of(self, phase: str) -> Needs:
        """Every step of a phase."""
        return lambda asset: self.of(phase)

    def its_own(self, phase: str, instead: str) -> Needs:
        """Those of a phase that are about the asset itself; all of another one where there is none."""
        return lambda asset: self._about((asset.name,), phase) or self.of(instead)

    def what_it_uses(self, phase: str, instead: str) -> Needs:
        """Those about it and what it uses: what it does not use may take longer."""
        return lambda asset: self._about((asset.name, *asset.uses), phase) or self.of(instead)

    def _about(self, assets: tuple[str, ...], phase: str) -> tuple[str, ...]:
        return tuple(each.name for each in self._steps if each.phase == phase and each.asset in assets)
