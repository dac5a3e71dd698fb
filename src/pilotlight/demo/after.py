"""After the recovery: what was lost, what deploying again does, the region's return, and the way home.

Figures come from the data: acknowledgement logs on one side, buckets, tables and volumes on the other.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Collection

from pilotlight.demo import checks
from pilotlight.demo.before import start
from pilotlight.demo.measure import Acknowledged, Loss, acknowledged, loss, newest_loss
from pilotlight.demo.scene import Scene
from pilotlight.demo.traffic import Program, Said
from pilotlight.demo.waiting import wait_for
from pilotlight.report.record import Answer, AssetFigures, CheckpointFigures, FailbackFigures
from pilotlight.runtime.kinds.kind import named
from pilotlight.runtime.points import costs

FIRST_STANDBY_NUMBER = 1_000_000
"""Numbers of the promoted region start here, so that a fork would show as numbers below it."""
WRITES_SECONDS = 15.0
REFUSAL_SECONDS = 20.0
REJOIN_SECONDS = 40.0
SERVING_SECONDS = 30.0
STANDBY_WRITES = 20


def measure(scene: Scene, first: Said) -> None:
    """Loss by asset, before anything new is written."""
    disaster = scene.disaster_at
    witness = scene.witnesses[scene.standby]
    assert scene.writer is not None and scene.trainer is not None
    objects = acknowledged(scene.writer.events(), "object", "n", disaster)
    rows = acknowledged(scene.writer.events(), "row", "n", disaster)
    saved = acknowledged(scene.trainer.events(), "registered", "step", disaster)
    arrived = witness.numbered(scene.bucket("dataset", scene.standby), scene.facts.objects)
    _figure(scene, "dataset", loss(objects, arrived, disaster))
    _figure(scene, "checkpoints", newest_loss(saved, first.step, disaster))
    _figure(scene, "volumes", _volumes(scene))
    _figure(scene, "database", loss(rows, witness.rows(scene.cluster(scene.standby)), disaster))
    _checkpoint(scene, first)


def _checkpoint(scene: Scene, first: Said) -> None:
    assert scene.trainer is not None
    begun = max(each["step"] for each in scene.trainer.events("started"))
    scene.torn = (len(scene.arrived(begun)), scene.facts.files_per_checkpoint)
    scene.checkpoint = CheckpointFigures(begun, scene.recovery.newest_complete_step(), first.step)


def _volumes(scene: Scene) -> Loss:
    """The recovered instance tells the newest record on each volume; the frozen region's volumes hold all of them."""
    assert scene.built.traffic is not None
    with urllib.request.urlopen(f"{scene.front_door}/volumes", timeout=5) as response:
        newest = json.load(response)
    recovered = min(int(each["n"]) for each in newest["volumes"].values())
    return newest_loss(_records(scene), recovered, scene.disaster_at)


def _records(scene: Scene) -> list[Acknowledged]:
    """Every record on the primary's first volume, read where the embedded cloud keeps its bytes."""
    volume = next(iter(scene.built.volumes[0].devices.values()))
    lines = (scene.stage.cloud.directory / "volumes" / volume / scene.facts.volume_file).read_text().splitlines()
    records = [line.split() for line in lines if len(line.split()) == 2]
    return [Acknowledged(int(number), float(at)) for number, at in records if float(at) <= scene.disaster_at]


def write_in_standby(scene: Scene) -> None:
    """The promoted region takes writes: a writer and a trainer of the new epoch go on there."""
    last = scene.checkpoint.recovered_step if scene.checkpoint else 0
    scene.standby_writer = start(scene, "writer", scene.standby, FIRST=str(FIRST_STANDBY_NUMBER))
    scene.standby_trainer = start(
        scene, "trainer", scene.standby, FIRST=str(last + scene.facts.step), SEED=str(scene.options.seed + 1)
    )

    def written() -> int | None:
        assert scene.standby_writer is not None
        rows = len(scene.standby_writer.events("row"))
        return rows if rows >= STANDBY_WRITES else None

    rows = wait_for(
        "writes in the promoted region", written, WRITES_SECONDS, scene.stage.clock, scene.standby_writer.output
    )
    scene.mark("service", f"{scene.standby} has taken {rows} new rows")


def up_again(scene: Scene, when: str) -> None:
    """Deploy again; the number of changes is a figure of the report."""
    scene.changes[when] = scene.up().changes


def return_region(scene: Scene) -> None:
    """The lost region comes back as it was; its writers and its database must be refused."""
    scene.stage.cloud.light(scene.primary)
    for program in scene.of_primary:
        program.thaw()
    scene.mark("failback", f"{scene.primary} is back")
    for program in scene.of_primary:
        refusal = wait_for(
            f"the refusal of the stale {program.name}",
            _refusal(program),
            REFUSAL_SECONDS,
            scene.stage.clock,
            program.output,
        )
        scene.checks.append(checks.refused(f"the stale {program.name}", refusal))
    scene.mark("failback", "the stale writer and trainer are refused: an older epoch")
    stale = scene.witnesses[scene.primary]
    refusal = wait_for(
        "the old database's refusal",
        lambda: stale.refuses_rows(scene.cluster(scene.primary)) or None,
        REFUSAL_SECONDS,
        scene.stage.clock,
    )
    scene.checks.append(checks.refused("a row in the old database", refusal))


def _refusal(program: Program) -> Callable[[], str | None]:
    return lambda: next((str(each["why"]) for each in program.events("refused")), None)


def go_home(scene: Scene) -> FailbackFigures:
    """`failback`: resynchronise, switch over, protect again; then count what that lost."""
    for each in costs.of_failback(scene.built):
        scene.talk(f"  Stays behind - {each}")
    started = scene.now()
    scene.recovery.failback()
    seconds = scene.now() - started
    scene.mark("failback", f"serving from {scene.primary} again")
    lost = _lost_on_the_way_home(scene)
    return FailbackFigures(lost, round(seconds, 3))


def _lost_on_the_way_home(scene: Scene) -> int:
    """Everything the standby region acknowledged has to be in the primary now."""
    witness, until = scene.witnesses[scene.primary], scene.now()
    assert scene.standby_writer is not None and scene.standby_trainer is not None
    events = scene.standby_writer.events()
    objects = witness.numbered(scene.bucket("dataset", scene.primary), scene.facts.objects)
    pairs: list[tuple[list[Acknowledged], Collection[int]]] = [
        (acknowledged(events, "row", "n", until), witness.rows(scene.cluster(scene.primary))),
        (acknowledged(events, "object", "n", until), objects),
        (
            acknowledged(scene.standby_trainer.events(), "registered", "step", until),
            witness.registered(scene.cluster(scene.primary)),
        ),
    ]
    return sum(len(loss(items, present, until).lost) for items, present in pairs)


def final_answer(scene: Scene, since: float) -> Said:
    """A correct answer from home."""

    def answered() -> Said | None:
        assert scene.client is not None
        return scene.client.first(since, scene.primary, scene.saved())

    return wait_for(
        f"a correct answer from {scene.primary}",
        answered,
        SERVING_SECONDS,
        scene.stage.clock,
        lambda: str(scene.client.said[-1]) if scene.client and scene.client.said else "no answer at all",
    )


def answer(said: Said) -> Answer:
    """As the report shows it."""
    return Answer(said.region, said.step, said.sha256)


def newest(scene: Scene) -> Answer:
    """What the front door says now."""
    assert scene.client is not None
    said = scene.client.newest()
    assert said is not None
    return answer(said)


def _figure(scene: Scene, kind: str, found: Loss) -> None:
    """Keep one asset's line of the report."""
    asset = named(scene.built.assets, kind)[0]
    scene.assets.append(
        AssetFigures(
            name=asset.name,
            kind=kind,
            mechanism=asset.mechanism,
            rpo_seconds=round(found.rpo_seconds, 3),
            lost_items=len(found.lost),
            kept_items=found.kept,
            objective_seconds=asset.rpo_seconds,
        )
    )
