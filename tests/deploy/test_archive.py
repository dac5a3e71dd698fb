"""The Lambda archive: the same code gives the same bytes, and it holds the recovery runtime and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from pilotlight.deploy import archive


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
