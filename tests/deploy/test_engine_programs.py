"""Programs from a folder, progress, results, and what is left to do after a deployment that failed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pilotlight.engine.acts import Event
from pilotlight.engine.embedded import Engine
from pilotlight.engine.provider import Place
from pilotlight.engine.resources.waiting import until
from pilotlight.runtime.errors import DeploymentFailed
from support.made_up_provider import Thing, World, engine_of, urn


def project(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: proj\nruntime: python\n")
    (folder / "beside.py").write_text(f"NAME = {folder.name!r}\n")
    (folder / "__main__.py").write_text(textwrap.dedent(text))
    return folder


def test_two_folders_with_modules_of_the_same_name_do_not_meet(tmp_path: Path, embedded: Engine) -> None:
    text = "import pulumi\nfrom beside import NAME\npulumi.export('name', NAME)\n"
    outputs = [embedded.update("dev", project(tmp_path / name, text)).outputs for name in ("one with space", "two")]
    assert outputs == [{"name": "one with space"}, {"name": "two"}]
    assert "beside" not in sys.modules


def test_progress_is_told_as_it_happens_and_results_have_durations(embedded: Engine, world: World) -> None:
    told: list[tuple[str, str, int]] = []

    def on_event(event: Event) -> None:
        told.append((event.operation, event.urn, len(world.calls)))

    result = embedded.update("dev", lambda: Thing("it", value=1), on_event=on_event)
    assert told[-1] == ("create", urn("it"), 0)
    assert set(result.counts) == {"create", "update", "replace", "delete", "same"}
    made = next(each for each in result.operations if each.urn == urn("it"))
    assert made.keys == ("name", "value")
    assert 0 < made.seconds <= result.seconds


def test_after_a_failure_destroy_still_waits_for_aws(tmp_path: Path, world: World) -> None:
    engine = engine_of(tmp_path, world)
    waited: list[int] = []
    kind: Any = type(engine.types["test:index:Thing"])

    class Slow(kind):  # type: ignore[misc]
        def delete(self, place: Place, id_: str, outputs: Any) -> None:
            until("it is gone", lambda: waited.append(1) or len(waited) > 1, 5.0)  # type: ignore[func-returns-value]
            super().delete(place, id_, outputs)

    engine.types = {"test:index:Thing": Slow(world)}
    world.broken.add("bad")
    with pytest.raises(DeploymentFailed):
        engine.update("dev", lambda: [Thing("good", name="good"), Thing("bad", name="bad")])
    assert engine.destroy("dev").counts["delete"] >= 1
    assert world.things == {}


def test_a_failure_says_one_sentence_and_prints_no_traceback(tmp_path: Path) -> None:
    script = f"""
    import gc, sys
    sys.path.insert(0, {str(Path(__file__).parents[1])!r})
    from pathlib import Path
    from support.made_up_provider import Thing, World, engine_of
    world = World()
    world.broken.add("bad")
    def program():
        bad = Thing("bad", name="bad")
        for number in range(5):
            Thing(f"after-{{number}}", value=bad.arn)
    try:
        engine_of(Path(sys.argv[1]), world).update("dev", program)
    except Exception as problem:
        print(problem)
    gc.collect()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "bad is broken" in done.stdout
    assert done.stderr == ""
