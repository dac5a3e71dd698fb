"""The rehearsal's table of contents: each line a chapter, in this order, and nobody types anything in between."""

from __future__ import annotations

from collections.abc import Callable

from pilotlight.demo import after, before, checks, disaster
from pilotlight.demo.breakage import BREAKAGES
from pilotlight.demo.calls import count
from pilotlight.demo.profile import ENDING
from pilotlight.demo.scene import Options, Scene
from pilotlight.demo.stage import open_stage
from pilotlight.report.record import Answers, Check, FailbackFigures, ObjectiveFigures, Report
from pilotlight.runtime.clock import stamp
from pilotlight.workload.load import load


def rehearse(options: Options, talk: Callable[[str], None], finish: Callable[[Scene, Report], None]) -> Report:
    """Run the whole main job; `finish` sees the scene before the stage is taken down."""
    workload = load(options.example / "workload.yaml")
    regions = (workload.regions.primary, workload.regions.standby)
    with open_stage(options.seed, options.keep, regions) as stage:
        scene = Scene(options, stage, workload, talk)
        report = _play(scene)
        finish(scene, report)
        if options.profile:
            options.profile.enter(ENDING)
        return report


def _play(scene: Scene) -> Report:
    with scene.phase("example", f"Deploying the user's own infrastructure in {scene.primary}"):
        before.deploy_example(scene)
    with scene.phase("up", "pilotlight up: vault, primary, standby"):
        before.protect(scene)
    with scene.phase("backfill", "Backfill: what was there before the rules is copied and proven"):
        scene.talk("  " + before.backfill(scene))
    _break(scene)
    with scene.phase("points", "Live traffic; waiting for the schedule to make recovery points"):
        before.start_traffic(scene)
        before.await_points(scene)
    with scene.phase("second_up", "Deploying again"):
        after.up_again(scene, "before the failover")
    scene.answers["before"] = after.newest(scene)
    with scene.phase("outage", f"{scene.primary} goes dark; from here on nobody does anything"):
        disaster.darken(scene)
        first = disaster.await_recovery(scene)
        journal = disaster.follow_run(scene)
    scene.answers["after_failover"] = after.answer(first)
    with scene.phase("measure", "Measuring what was lost"):
        after.measure(scene, first)
        after.write_in_standby(scene)
    with scene.phase("up_after_failover", f"Deploying again, with {scene.primary} dark"):
        after.up_again(scene, "after the failover")
    with scene.phase("return", f"{scene.primary} comes back"):
        after.return_region(scene)
    with scene.phase("failback", "pilotlight failback"):
        home = after.go_home(scene)
        scene.answers["after_failback"] = after.answer(after.final_answer(scene, scene.now()))
    return _report(scene, home, {entry.step: entry.evidence for entry in journal.entries if entry.evidence})


def _break(scene: Scene) -> None:
    if scene.options.break_what:
        scene.talk(f"  Taking away: {scene.options.break_what}")
        BREAKAGES[scene.options.break_what](scene.stage.cloud, scene.built)


def _report(scene: Scene, home: FailbackFigures, evidence: dict[str, dict[str, object]]) -> Report:
    assert scene.checkpoint is not None
    wanted = ObjectiveFigures(scene.workload.objectives.rpo_seconds, scene.workload.objectives.rto_seconds)
    rto = scene.recovered_at - scene.disaster_at
    calls = count(scene)
    answers = Answers(**scene.answers)
    assets = tuple(scene.assets)
    held = [
        *checks.objectives(assets, rto, wanted),
        *checks.checkpoint(scene.checkpoint, scene.torn),
        *checks.independence(calls, scene.primary),
        *checks.answers(answers, scene.primary, scene.standby, scene.saved()),
        *(checks.unchanged(when, changes) for when, changes in scene.changes.items()),
        Check("the failback lost no object and no row", home.lost_items == 0, f"{home.lost_items} items lost"),
        *scene.checks,
    ]
    return Report(
        workload=scene.workload.workload,
        primary=scene.primary,
        standby=scene.standby,
        seed=scene.options.seed,
        objectives=wanted,
        disaster_at=stamp(scene.disaster_at),
        detected_at=stamp(scene.detected_at),
        recovered_at=stamp(scene.recovered_at),
        rto_seconds=round(rto, 3),
        assets=assets,
        checkpoint=scene.checkpoint,
        calls_during_failover=calls,
        answers=answers,
        failback=home,
        second_up_changes=scene.changes["before the failover"],
        up_after_failover_changes=scene.changes["after the failover"],
        phases_seconds=scene.phases,
        timeline=scene.timeline(),
        checks=tuple(held),
        evidence=evidence,
    )
