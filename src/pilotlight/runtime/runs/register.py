"""Which name of a runbook is which class: the whole vocabulary of what a run can do."""

from __future__ import annotations

from pilotlight.runtime.kinds.action import Action
from pilotlight.runtime.kinds.registry import KINDS
from pilotlight.runtime.kinds.traffic import steps as traffic
from pilotlight.runtime.records.runs import LOOKED_AGAIN
from pilotlight.runtime.runs import choosing, handing
from pilotlight.runtime.runs.again import LookAgain
from pilotlight.runtime.runs.returning import PrimaryAnswers
from pilotlight.runtime.runs.standing import SayActive

ACTIONS: dict[str, Action] = {
    "point-exists": choosing.PointExists(),
    "say-active": SayActive(),
    "choose-point": choosing.ChoosePoint(),
    "healthy": traffic.Healthy(),
    "move-traffic": traffic.MoveTraffic(),
    "primary-answers": PrimaryAnswers(),
    "keep-by-hand": handing.KeepByHand(),
    "forget-by-hand": handing.ForgetByHand(),
}
"""Action name -> the one instance; actions hold no state."""
for _kind in KINDS:
    ACTIONS |= _kind.actions
ACTIONS[LOOKED_AGAIN] = LookAgain(ACTIONS)
