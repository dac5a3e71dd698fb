"""The Lambda archive: the same code gives the same bytes, and it holds the recovery runtime and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from pilotlight.deploy import archive

SIZE_BYTES_MAX = 480_000
"""A third above what it is; beyond it something came in that belongs elsewhere."""
MODULES_MAX = 160


def _printed(code: str, built: Path) -> str:
    """What Python says with this archive as its only source of ours."""
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-west-2", "PYTHONPATH": str(built)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=built.parent, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_same_code_gives_the_same_bytes_so_a_second_up_changes_no_function(tmp_path: Path) -> None:
    first, second = archive.build(tmp_path / "one"), archive.build(tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()


def test_only_the_recovery_runtime_is_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(archive.build(tmp_path)) as opened:
        names = opened.namelist()
    assert names == sorted(names)
    inside = {name.removeprefix("pilotlight/").split("/")[0] for name in names}
    assert inside == {"__init__.py", "runtime"}
    assert all(name.endswith(".py") for name in names)


def test_it_stays_small_and_the_probe_that_runs_every_minute_loads_no_format_of_checkpoints(tmp_path: Path) -> None:
    """A cold start reads the archive and imports from it (Lambda Developer Guide, "Lambda quotas": 50 MB zipped); how
    long importing takes is a benchmark, benchmarks/start.py."""
    built = archive.build(tmp_path)
    assert built.stat().st_size < SIZE_BYTES_MAX
    code = "import sys, pilotlight.runtime.handlers.{name}; print(*sys.modules)"
    loaded = {name: _printed(code.format(name=name), built).split() for name in ("probe", "protect", "recover")}
    for name, modules in loaded.items():
        ours = [each for each in modules if each.startswith("pilotlight")]
        assert len(ours) < MODULES_MAX, name
        assert not [each for each in ours if ".checkpoints.formats" in each], name


def test_its_handlers_can_be_imported_with_the_archive_alone(tmp_path: Path) -> None:
    built = archive.build(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import pilotlight.runtime.handlers.recover as found; "
        "assert found.__file__.startswith(sys.argv[1]), found.__file__"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(built)],
        cwd=tmp_path,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-west-2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
