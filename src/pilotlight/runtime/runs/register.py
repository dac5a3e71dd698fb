"""Which name of a runbook is which class: the whole vocabulary of what a run can do."""

from __future__ import annotations

from pilotlight.runtime.kinds.action import Action
from pilotlight.runtime.kinds.aurora import steps as databases
from pilotlight.runtime.kinds.autoscaling import steps as compute
from pilotlight.runtime.kinds.autoscaling.restoring import ForgetTemplate, Restore
from pilotlight.runtime.kinds.buckets import failback_sync, fencing, reprotecting
from pilotlight.runtime.kinds.traffic import steps as front
from pilotlight.runtime.records.runs import LOOKED_AGAIN
from pilotlight.runtime.runs import choosing, handing
from pilotlight.runtime.runs.again import LookAgain
from pilotlight.runtime.runs.standing import SayActive

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
    "bring-home": failback_sync.BringHome(),
    "replicates": reprotecting.Replicates(),
    "canary-arrives": reprotecting.CanaryArrives(),
    "canary-gone": reprotecting.CanaryGone(),
}
"""Action name -> the one instance; actions hold no state."""
ACTIONS[LOOKED_AGAIN] = LookAgain(ACTIONS)
