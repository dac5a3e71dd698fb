"""Before the disaster: the user's own infrastructure, protection, backfill, live traffic, recovery points."""

from __future__ import annotations

import json
from collections.abc import Callable

from pilotlight.demo.diagnosis import diagnose
from pilotlight.demo.scene import Scene
from pilotlight.demo.traffic import Client, Program, Said
from pilotlight.demo.waiting import wait_for
from pilotlight.demo.witness import Witness
from pilotlight.engine.embedded import Engine
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.errors import CheckFailed
from pilotlight.runtime.records.point import COMPLETE, RecoveryPoint

EXAMPLE_STACK = "example"
PROGRAM_SECONDS = 30.0
POINT_SECONDS = 45.0
"""Several recovery points of every asset fit into this at the rehearsal's pace."""
SERVING_SECONDS = 30.0
PREDICT = "/predict"


def deploy_example(scene: Scene) -> None:
    """The user's infrastructure, and data that was there before anybody thought of protection."""
    engine = Engine(scene.stage.folder / "example-state", "inference-service")
    config = {"inference-service:standbyRegion": scene.standby}
    engine.update(EXAMPLE_STACK, scene.options.example, config=config, region=scene.primary)
    scene.outputs = {name: str(value) for name, value in engine.outputs(EXAMPLE_STACK).items()}
    _witnesses(scene)
    environment = {
        "REGION": scene.primary,
        "SEED": str(scene.options.seed),
        "CORPUS_BUCKET": scene.outputs["corpus_bucket"],
        "MODEL_BUCKET": scene.outputs["model_bucket"],
        "DATABASE_URL": scene.witnesses[scene.primary].url(scene.outputs["database_cluster"]),
    }
    earlier = _run(scene, "earlier", scene.primary, environment)
    if earlier.process.wait(PROGRAM_SECONDS) != 0:
        raise CheckFailed(count=1, lines=f"the data from before protection was not written: {earlier.output()}")


def _witnesses(scene: Scene) -> None:
    secrets = scene.stage.cloud.client("secretsmanager", scene.primary)
    login = json.loads(secrets.get_secret_value(SecretId=scene.outputs["database_secret"])["SecretString"])
    for region in (scene.primary, scene.standby):
        scene.witnesses[region] = Witness(
            scene.stage.cloud,
            region,
            login["username"],
            login["password"],
            scene.outputs["database_name"],
            scene.facts,
        )


def protect(scene: Scene) -> None:
    """`pilotlight up`: the three stacks, through the embedded engine."""
    scene.open_recovery(scene.up())


def backfill(scene: Scene) -> str:
    """Copy what was there before the rules, prove both sides equal; returns what was copied and proven."""
    proven = [scene.recovery.backfill(asset) for asset in scene.built.datasets]
    return ", ".join(f"{each.asset} {each.copied} copied, {each.proven} proven" for each in proven)


def start_traffic(scene: Scene) -> None:
    """Writer, trainer and client; then wait until the front door answers with saved weights."""
    scene.writer = start(scene, "writer", scene.primary)
    scene.trainer = start(scene, "trainer", scene.primary)
    assert scene.built.traffic is not None
    scene.front_door = f"{scene.stage.front_door}/{scene.built.traffic.record}"
    scene.client = Client(scene.front_door + PREDICT)
    scene.client.start()
    scene.stage.clients.append(scene.client)
    first = wait_for("an answer at the front door", _answered(scene), SERVING_SECONDS, scene.stage.clock)
    scene.mark("service", f"the front door answers from {first.region}, step {first.step}", first.at)


def _answered(scene: Scene) -> Callable[[], Said | None]:
    return lambda: scene.client.first(0.0, scene.primary, scene.saved()) if scene.client else None


def start(scene: Scene, name: str, region: str, **more: str) -> Program:
    """Run one of the example's traffic programs against one region, as its deployment would start it there."""
    return _run(scene, name, region, _environment(scene, region) | more)


def _run(scene: Scene, name: str, region: str, environment: dict[str, str]) -> Program:
    number = len(scene.stage.programs)
    program = Program.start(
        name,
        scene.options.example / "traffic" / f"{name}.py",
        scene.stage.folder / f"{number:02d}-{name}-{region}.log",
        environment,
    )
    scene.stage.programs.append(program)
    return program


def _environment(scene: Scene, region: str) -> dict[str, str]:
    """What a program needs to know of its region, as its deployment would tell it."""
    corpus, models = scene.bucket("dataset", region), scene.bucket("checkpoints", region)
    return {
        "REGION": region,
        "SEED": str(scene.options.seed),
        "CORPUS_BUCKET": corpus,
        "MODEL_BUCKET": models,
        "DATABASE_URL": scene.witnesses[region].url(scene.cluster(region)),
        "JOURNAL_TABLE": scene.names.journal_table,
        "JOURNAL_REGION": scene.standby,
    }


def await_points(scene: Scene) -> RecoveryPoint:
    """The schedule fires by itself until a recovery point of the live traffic is complete."""
    since = scene.now()

    def complete() -> RecoveryPoint | None:
        points = scene.recovery.points()
        return next((each for each in points if each.status == COMPLETE and parse_stamp(each.created_at) > since), None)

    point = wait_for(
        "a complete recovery point", complete, POINT_SECONDS, scene.stage.clock, lambda: lacking(scene, since)
    )
    scene.mark("detection", f"recovery point {point.id} is complete")
    return point


def lacking(scene: Scene, since: float) -> str:
    """What the newest point since that moment says is missing, or why there is none."""
    newest = next((each for each in scene.recovery.points() if parse_stamp(each.created_at) > since), None)
    if newest is not None:
        return "; ".join(newest.problems)
    serving = scene.recovery.active()
    return f"no recovery point was made, {serving.region} is {serving.state}: " + diagnose(scene)
