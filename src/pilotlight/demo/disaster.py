"""The disaster: the primary region goes dark in the middle of a checkpoint upload, and nobody does anything.

The moment is chosen so that of the checkpoint being uploaded some files have arrived in the standby region and others
have not. After that this file only watches: probe, metric, alarm, SNS, Lambda and the run are on their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.demo.diagnosis import diagnose
from pilotlight.demo.scene import Scene
from pilotlight.demo.traffic import Said
from pilotlight.demo.waiting import wait_for
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.records.runs import PROVEN, SUCCEEDED, Entry, Journal
from pilotlight.runtime.runs.watching import Beside

TORN_SECONDS = 20.0
RECOVERY_SECONDS = 75.0
"""Longer than any recovery that was measured; the objective is checked afterwards."""
COMMIT_SECONDS = 20.0
LOOK_SECONDS = 1.0
"""Between two looks at the journal while the run goes on: one small query."""


@dataclass(frozen=True)
class Told:
    """Tells the run's lines as they come, in seconds since the region went dark."""

    scene: Scene

    def wrote(self, run: str, entry: Entry) -> None:
        """One line."""
        seconds = parse_stamp(entry.at) - self.scene.disaster_at
        self.scene.talk(f"  {seconds:+6.1f} s  {entry.state:<9} {entry.step}")

    def beside(self, holder: str, seconds: float) -> None:
        """Nobody waits for a lease here."""


def darken(scene: Scene) -> None:
    """Cut the region off when a checkpoint is torn in the standby region."""
    step = wait_for(
        f"a checkpoint under way of which some files have arrived in {scene.standby}",
        lambda: _torn(scene),
        TORN_SECONDS,
        scene.stage.clock,
        lambda: diagnose(scene),
    )
    scene.stage.cloud.dark(scene.primary)
    for program in scene.of_primary:
        program.freeze()
    scene.disaster_at = scene.now()
    scene.mark("disaster", f"{scene.primary} goes dark while step {step} is uploaded", scene.disaster_at)


def _torn(scene: Scene) -> int | None:
    """The step under way, once some of its files have arrived in the standby region and more are still to come."""
    assert scene.trainer is not None
    started = scene.trainer.events("started")
    registered = {each["step"] for each in scene.trainer.events("registered")}
    if len(registered) < 2 or started[-1]["step"] in registered:
        return None
    step = int(started[-1]["step"])
    uploaded = [each for each in scene.trainer.events("uploaded") if each["step"] == step]
    arrived = scene.arrived(step)
    return step if 0 < len(arrived) < scene.facts.files_per_checkpoint and len(uploaded) > len(arrived) else None


def await_recovery(scene: Scene) -> Said:
    """The first correct answer from the standby region, at the same URL."""

    beside, looked_at = Beside(scene.recovery.context.ledger, Told(scene)), 0.0

    def answered() -> Said | None:
        nonlocal looked_at
        assert scene.client is not None
        if scene.now() - looked_at >= LOOK_SECONDS:
            looked_at = scene.now()
            beside.catch_up()
        return scene.client.first(scene.disaster_at, scene.standby, scene.saved())

    first = wait_for(
        f"a correct answer from {scene.standby}",
        answered,
        RECOVERY_SECONDS,
        scene.stage.clock,
        lambda: diagnose(scene),
    )
    scene.recovered_at = first.at
    scene.mark("service", f"first correct answer from {first.region}, step {first.step}", first.at)
    return first


def follow_run(scene: Scene) -> Journal:
    """Wait until the run has committed, and put what its journal says on the timeline."""

    def finished() -> Journal | None:
        return next((each for each in scene.recovery.runs("failover") if each.state == SUCCEEDED), None)

    journal = wait_for("the run's commit", finished, COMMIT_SECONDS, scene.stage.clock, lambda: diagnose(scene))
    scene.detected_at = parse_stamp(journal.started_at)
    scene.mark("detection", "alarm -> SNS -> Lambda: the failover run begins", scene.detected_at)
    for entry in journal.entries:
        if entry.state == PROVEN:
            scene.mark("recovery", entry.step, parse_stamp(entry.at))
    return journal
