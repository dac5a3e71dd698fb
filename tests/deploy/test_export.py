"""What a user loses when one of these fails: their own files, or a project that is not what `up` deploys."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "stacks"))

from stack_recording import record
from stack_samples import inventory

from pilotlight.deploy.export import export
from pilotlight.runtime.errors import FolderNotOurs
from pilotlight.stacks import program, project


def test_the_project_is_a_few_lines_and_what_they_need(tmp_path: Path) -> None:
    names = export(inventory(), tmp_path / "infra")
    assert set(names) == {path.name for path in (tmp_path / "infra").iterdir()}
    assert "project.run(Path(__file__).parent)" in (tmp_path / "infra/__main__.py").read_text()
    assert "pulumi-aws==" in (tmp_path / "infra/requirements.txt").read_text()
    with zipfile.ZipFile(tmp_path / "infra" / project.ARCHIVE) as archive:
        assert archive.testzip() is None


def test_its_program_registers_what_up_registers(tmp_path: Path) -> None:
    export(inventory(), tmp_path)
    theirs = record(lambda: project.run(tmp_path), stack="vault")
    ours = record(lambda: program.vault(inventory()), stack="vault")
    by_name = [{(each.type, each.name): each for each in recorded.resources} for recorded in (theirs, ours)]
    assert by_name[0] and by_name[0] == by_name[1], "the order is that of tasks, and varies"


def test_a_second_export_keeps_the_settings_of_stacks_and_what_else_lies_there(tmp_path: Path) -> None:
    folder = tmp_path / "infra"
    first = export(inventory(), folder)
    (folder / "Pulumi.vault.yaml").write_text("encryptionsalt: v1:precious\n")
    (folder / "__main__.py").write_text("old")
    (folder / "venv").mkdir()
    assert export(inventory(), folder) == first
    assert (folder / "Pulumi.vault.yaml").read_text() == "encryptionsalt: v1:precious\n"
    assert "project.run" in (folder / "__main__.py").read_text() and (folder / "venv").is_dir()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("precious")
    with pytest.raises(FolderNotOurs, match=r"mine\.py"):
        export(inventory(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
