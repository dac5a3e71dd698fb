"""What a user loses when one of these fails: a JAX run that resumes from a step of which only the markers arrived."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from damage import DAMAGES, FIXTURES, accuses, copied, damage, files, judged

from pilotlight.runtime.checkpoints.encodings.ocdbt import Database
from pilotlight.runtime.checkpoints.encodings.ocdbt_fields import Node, Span, Version
from pilotlight.runtime.checkpoints.format import Verdict
from pilotlight.runtime.checkpoints.formats.orbax import _same_entries

ITEM = "1200/default/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied("orbax", tmp_path)


def of_1200(folder: Path) -> Verdict:
    return next(verdict for verdict in judged(folder) if "1200" in verdict.path)


def told(verdict: Verdict, file: str) -> str:
    return next(each.what for each in verdict.problems if each.file == file)


def test_what_orbax_wrote_is_complete() -> None:
    verdicts = judged(FIXTURES / "orbax")
    assert [(each.path, each.format, each.step, each.complete) for each in verdicts] == [
        ("1100/", "orbax", 1100, True),
        ("1200/", "orbax", 1200, True),
    ]
    assert not any(each.problems or each.unknown for each in verdicts)


def test_of_a_step_that_names_no_items_the_folders_with_a_tree_are_its_items(folder: Path) -> None:
    """Older editions wrote no names; data below an item is no item."""
    path = folder / "1200/_CHECKPOINT_METADATA"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"item_handlers": {}}))
    verdict = of_1200(folder)
    assert verdict.complete, verdict.problems
    (folder / "1200/default/_METADATA").unlink()
    assert not of_1200(folder).complete


def test_a_step_is_complete_also_when_it_is_looked_at_alone() -> None:
    (verdict,) = judged(FIXTURES / "orbax/1200")
    assert (verdict.path, verdict.complete) == ("", True)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("file", files("orbax"))
def test_every_damaged_file_is_named_and_its_step_refused(folder: Path, file: str, how: str) -> None:
    damage(folder, file, how)
    verdicts = judged(folder)
    assert accuses(verdicts, file), f"{file} {how} was not found"
    assert sum(each.complete for each in verdicts) == 1, "the other step has nothing to do with it"


@pytest.mark.parametrize(
    "file",
    [
        "_CHECKPOINT_METADATA",
        "commit_success.txt",
        "default/commit_success.txt",
        "default/manifest.ocdbt",
        "default/ocdbt.process_0/manifest.ocdbt",
    ],
)
def test_a_file_of_another_step_is_named(folder: Path, file: str) -> None:
    shutil.copy(folder / "1100" / file, folder / "1200" / file)
    assert accuses(judged(folder), f"1200/{file}")


def test_a_copy_without_its_markers_is_told_apart_from_an_unfinished_step(folder: Path) -> None:
    (folder / "1200/commit_success.txt").unlink()
    whole = told(of_1200(folder), "commit_success.txt")
    next((folder / ITEM / "d").iterdir()).unlink()
    torn = told(of_1200(folder), "commit_success.txt")
    assert "all that it stands for is here" in whole and "may delete it" in whole
    assert "was not finished, or has not arrived whole" in torn


def test_a_step_that_was_still_being_written_is_refused(folder: Path) -> None:
    (folder / "1200").rename(folder / "1200.orbax-checkpoint-tmp-17")
    verdict = of_1200(folder)
    assert (verdict.step, verdict.complete) == (1200, False)
    assert "never committed" in verdict.problems[0].what


def test_a_step_without_a_time_of_commit_was_never_finished(folder: Path) -> None:
    path = folder / "1200/_CHECKPOINT_METADATA"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"commit_timestamp_nsecs": None}))
    assert "never finished" in told(of_1200(folder), "_CHECKPOINT_METADATA")


def test_a_data_file_that_nothing_names_is_foreign(folder: Path) -> None:
    shutil.copy(next((folder / "1100/default/d").iterdir()), folder / ITEM / "d")
    (name,) = {path.name for path in (folder / "1100/default/d").iterdir()}
    assert "foreign" in told(of_1200(folder), f"default/d/{name}")


def test_trees_of_two_saves_under_right_names_are_told_apart(folder: Path) -> None:
    """The merged tree of this step, and of its process an older one: each whole, together not what was saved."""
    processes = folder / ITEM / "ocdbt.process_0/d"
    newest, older = processes / "83dbad42280a36fcbf3c3fb9021219a7", processes / "e751e59410c463b5a55a41b94c9d4f0d"
    newest.write_bytes(older.read_bytes())
    assert not of_1200(folder).complete


def test_a_tree_that_holds_other_values_is_named_by_the_file_of_its_newest_root() -> None:
    """Each of both may be the one of another step: both are named, by their paths in the checkpoint."""

    def database(folder: str, path: str, entries: set[int]) -> Database:
        root = Node(Span(path, 0, 9), 0, "", "") if path else None
        return Database(folder, [Version(root, 1, 0)], entries=entries)

    merged, process = database("default/", "d/ab", {1, 2}), database("default/ocdbt.process_0/", "", {1})
    found = list(_same_entries(merged, [process]))
    assert [each.file for each in found] == ["default/d/ab", "default/ocdbt.process_0/manifest.ocdbt"]
    assert not list(_same_entries(merged, [process, database("default/ocdbt.process_1/", "", {2})]))


def test_an_item_without_files_is_missing_also_where_its_handler_is_not_known(folder: Path) -> None:
    path = folder / "1200/_CHECKPOINT_METADATA"
    metadata = json.loads(path.read_text())
    metadata["item_handlers"] |= {"dataset": "grain.checkpoint.CheckpointHandler"}
    path.write_text(json.dumps(metadata))
    assert told(of_1200(folder), "dataset/") == "missing"
    (folder / "1200/dataset").mkdir()
    (folder / "1200/dataset/process_0-of-1.json").write_text("{}")
    assert "cannot be judged" in told(of_1200(folder), "dataset/")


def test_items_that_the_metadata_names_must_be_there(folder: Path) -> None:
    path = folder / "1200/_CHECKPOINT_METADATA"
    metadata = json.loads(path.read_text())
    metadata["item_handlers"] |= {"dataset": "orbax.checkpoint.JsonCheckpointHandler"}
    path.write_text(json.dumps(metadata))
    assert told(of_1200(folder), "dataset/") == "missing"
    (folder / "1200/dataset").mkdir()
    (folder / "1200/dataset/metadata").write_text('{"epoch": 3}')
    (folder / "1200/dataset/commit_success.txt").write_text("Checkpoint commit was successful to /a/1200/dataset")
    assert of_1200(folder).complete


def test_a_tree_whose_arrays_should_lie_outside_of_ocdbt_and_do_not_is_refused(folder: Path) -> None:
    path = folder / ITEM / "_METADATA"
    path.write_text(path.read_text().replace('"use_ocdbt": true', '"use_ocdbt": false'))
    assert not of_1200(folder).complete


def test_zarr_of_version_3_outside_of_ocdbt_is_not_guessed_at(folder: Path) -> None:
    path = folder / ITEM / "_METADATA"
    text = path.read_text().replace('"use_ocdbt": true', '"use_ocdbt": false')
    path.write_text(text.replace('"use_zarr3": false', '"use_zarr3": true'))
    assert "cannot be judged" in told(of_1200(folder), "default/_METADATA")


@pytest.mark.parametrize("name", ["commit_success.txt", "default/commit_success.txt"])
def test_a_marker_that_cannot_be_read_is_named_once_and_makes_nothing_complete(folder: Path, name: str) -> None:
    (folder / "1200" / name).write_bytes(b"\xff\xfe\xff")
    verdict = of_1200(folder)
    assert not verdict.complete
    said = [each.what for each in verdict.problems if each.file == name]
    assert len(said) == 1 and "decode" in said[0]
    assert len(verdict.problems) == 1, "of the other markers nothing is wrong"


def test_files_that_a_broken_tree_names_are_not_called_foreign(folder: Path) -> None:
    """Somebody would delete the data that a new copy of one small file makes whole again."""
    (folder / "1200/default/ocdbt.process_0/manifest.ocdbt").write_bytes(b"broken")
    verdict = of_1200(folder)
    assert not verdict.complete
    assert not [each for each in verdict.problems if each.what.startswith("foreign")]
