"""docs/guide/5-repair.md as somebody types it: every block of it, in one shell, in its order.

What a user loses when it fails: the one page that is read with a ransom note on the other screen.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pilotlight.demo import before
from pilotlight.demo.scene import Options, Scene
from pilotlight.demo.stage import open_stage
from pilotlight.workload.load import load

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guide" / "5-repair.md"
EXAMPLE = ROOT / "examples" / "inference-service"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = '#!/bin/sh\nexec {python} {how} "$@"\n'
RUN = "-c \"import sys; sys.argv[0] = 'pilotlight'; from pilotlight.cli.main import main; main()\""


def test_every_step_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == 8
    with open_stage(7, False, ("us-east-1", "us-west-2")) as stage:
        scene = Scene(Options(EXAMPLE, seed=7), stage, load(EXAMPLE / "workload.yaml"), lambda text: None)
        before.deploy_example(scene)
        before.protect(scene)
        before.backfill(scene)
        before.start_traffic(scene)
        before.await_points(scene)
        stage.close_traffic()
        s3 = stage.cloud.client("s3", scene.primary)
        good = bodies(s3, "shards/")
        said = typed("\n".join(blocks), tmp_path, stage.folder)
        assert bodies(s3, "shards/") == good, said
        assert bodies(s3, "before-tuesday/shards/") == good
        folders = s3.list_objects_v2(Bucket=scene.bucket("checkpoints", scene.primary), Prefix="checkpoints/looked-at/")
        assert folders["KeyCount"] > 1
        volumes = stage.cloud.client("ec2", scene.standby).describe_volumes(
            Filters=[{"Name": "tag:pilotlight:restored", "Values": ["tuesday"]}]
        )
        assert {each["State"] for each in volumes["Volumes"]} == {"available"}
        (made,) = stage.cloud.client("rds", scene.primary).describe_db_clusters(
            DBClusterIdentifier=f"{scene.names.project}-before-delete"
        )["DBClusters"]
        assert made["Status"] == "available" and f"endpoint: {made['Endpoint']}:{made['Port']}" in said
    for told in ("README-RANSOM.txt", "for requests", "restored and seen, 0 not"):
        assert told in said


def bodies(s3: object, prefix: str) -> dict[str, bytes]:
    bucket = "inference-corpus-123456789012"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])  # type: ignore[attr-defined]
    return {
        each["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()  # type: ignore[attr-defined]
        for each in found
    }


def typed(script: str, folder: Path, cloud: Path) -> str:
    """What a shell says to it, in a folder with the declaration, for a person whose cloud this is."""
    programs, home = folder / "programs", folder / "home"
    programs.mkdir()
    for name, how in (("pilotlight", RUN), ("python3", "")):
        (programs / name).write_text(PROGRAM.format(python=sys.executable, how=how))
        (programs / name).chmod(0o755)
    (home / ".pilotlight").mkdir(parents=True)
    (home / ".pilotlight" / "local").symlink_to(cloud)
    shutil.copy(EXAMPLE / "workload.yaml", folder)
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT / "src"),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
