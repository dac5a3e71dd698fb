"""Which name of a runbook is which class: the whole vocabulary of what a run can do."""

from __future__ import annotations

from pilotlight.records.runs import LOOKED_AGAIN
from pilotlight.recovery.steps import choosing, compute, databases, fencing, front, handing, homecoming, reprotecting
from pilotlight.recovery.steps.action import Action
from pilotlight.recovery.steps.again import LookAgain
from pilotlight.recovery.steps.restoring import ForgetTemplate, Restore
from pilotlight.recovery.steps.standing import SayActive

ACTIONS: dict[str, Action] = {
    "point-exists": choosing.PointExists(),
    "say-active": SayActive(),
    "choose-point": choosing.ChoosePoint(),
    "tell-checkpoint": choosing.TellCheckpoint(),
    "forget-checkpoint": choosing.ForgetCheckpoint(),
    "promote": databases.Promote(),
    "switch-back": databases.SwitchBack(),
    "follows": databases.Follows(),
    "rejoins": databases.Rejoins(),
    "restore": Restore(),
    "forget-template": ForgetTemplate(),
    "launch-one": compute.LaunchOne(),
    "hold": compute.Hold(),
    "scale": compute.Scale(),
    "stop": compute.Stop(),
    "healthy": front.Healthy(),
    "move-traffic": front.MoveTraffic(),
    "primary-answers": fencing.PrimaryAnswers(),
    "fence-bucket": fencing.FenceBucket(),
    "open-bucket": fencing.OpenBucket(),
    "keep-by-hand": handing.KeepByHand(),
    "forget-by-hand": handing.ForgetByHand(),
    "bring-home": homecoming.BringHome(),
    "replicates": reprotecting.Replicates(),
    "canary-arrives": reprotecting.CanaryArrives(),
    "canary-gone": reprotecting.CanaryGone(),
}
"""Action name -> the one instance; actions hold no state."""
ACTIONS[LOOKED_AGAIN] = LookAgain(ACTIONS)
