"""What a user loses when one of these fails: a JAX run that resumes from a step of which only the markers arrived."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from damage import DAMAGES, FIXTURES, accuses, copied, damage, files, judged

from pilotlight.runtime.checkpoints.encodings.ocdbt import Database, Walk
from pilotlight.runtime.checkpoints.encodings.ocdbt_fields import Node, Span, Version
from pilotlight.runtime.checkpoints.format import Candidate, File, Verdict
from pilotlight.runtime.checkpoints.formats.orbax import _covered, _same_entries
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import find

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


def changed(folder: Path, name: str, **fields: Any) -> None:
    """A JSON file of step 1200 with these fields in it; None removes one."""
    path = folder / "1200" / name
    told = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({key: each for key, each in told.items() if each != "nothing"}))


@pytest.mark.parametrize("name", ["item_handlers", "init_timestamp_nsecs", "commit_timestamp_nsecs"])
def test_a_steps_metadata_that_lacks_what_orbax_writes_is_refused(folder: Path, name: str) -> None:
    changed(folder, "_CHECKPOINT_METADATA", **{name: "nothing"})
    assert told(of_1200(folder), "_CHECKPOINT_METADATA") == f"has no {name}"


@pytest.mark.parametrize("time", [0, -1, True, "1795435047743221736"])
def test_a_time_that_is_none_accuses_no_database_of_being_of_another_checkpoint(folder: Path, time: object) -> None:
    changed(folder, "_CHECKPOINT_METADATA", init_timestamp_nsecs=time, commit_timestamp_nsecs=time)
    assert of_1200(folder).complete


MINUTE = 60 * 10**9


@pytest.mark.parametrize(
    ("begun", "committed"), [(MINUTE, None), (None, -MINUTE), (MINUTE, MINUTE), (-MINUTE, -MINUTE)]
)
def test_a_tree_that_was_not_written_between_the_two_times_is_named_with_the_file_that_tells_them(
    folder: Path, begun: int | None, committed: int | None
) -> None:
    path = folder / "1200/_CHECKPOINT_METADATA"
    times = json.loads(path.read_text())
    moved = {"init_timestamp_nsecs": begun, "commit_timestamp_nsecs": committed}
    changed(folder, path.name, **{name: times[name] + by for name, by in moved.items() if by is not None})
    verdict = of_1200(folder)
    for name in ("_CHECKPOINT_METADATA", "default/manifest.ocdbt", "default/ocdbt.process_0/manifest.ocdbt"):
        assert "was not written at the same time" in told(verdict, name)


def test_a_tree_is_in_time_up_to_the_moment_of_its_commit(folder: Path) -> None:
    reader, parts = FolderReader(folder), ("default/", "default/ocdbt.process_0/")
    (_, found) = find(reader)
    versions = [each for part in parts for each in Walk(found.candidate, part, reader).walk().versions]
    first, last = (most(each.committed_nsecs for each in versions) for most in (min, max))
    changed(folder, "_CHECKPOINT_METADATA", init_timestamp_nsecs=first, commit_timestamp_nsecs=last)
    assert of_1200(folder).complete
    changed(folder, "_CHECKPOINT_METADATA", init_timestamp_nsecs=first + 1, commit_timestamp_nsecs=last)
    assert not of_1200(folder).complete
    changed(folder, "_CHECKPOINT_METADATA", init_timestamp_nsecs=first, commit_timestamp_nsecs=last - 1)
    assert not of_1200(folder).complete


def item(folder: Path, handler: str, files: dict[str, str]) -> Verdict:
    """Step 1200 with another item, kept by this handler."""
    default = json.loads((FIXTURES / "orbax/1200/_CHECKPOINT_METADATA").read_text())["item_handlers"]
    changed(folder, "_CHECKPOINT_METADATA", item_handlers=default | {"extra": handler})
    shutil.rmtree(folder / "1200/extra", ignore_errors=True)
    (folder / "1200/extra").mkdir()
    for name, text in files.items():
        (folder / "1200/extra" / name).write_text(text)
    return of_1200(folder)


def test_an_item_of_json_is_whole_where_each_of_its_files_is(folder: Path) -> None:
    marker = {"commit_success.txt": "Checkpoint commit was successful to /a/1200/extra"}
    handler = "orbax.checkpoint.JsonCheckpointHandler"
    assert item(folder, handler, marker | {"metadata": "{}"}).complete
    assert told(item(folder, handler, marker), "extra/") == "missing"
    assert "not JSON" in told(item(folder, handler, marker | {"metadata": "{"}), "extra/metadata")
    assert told(item(folder, handler, {"metadata": "{}"}), "extra/commit_success.txt").startswith("missing")


def named(*names: str) -> dict[str, str]:
    return {base64.b64encode(name.encode()).decode(): "{}" for name in names}


def test_shardings_speak_of_every_array_of_the_tree_and_of_no_other(folder: Path) -> None:
    name = "default/_sharding"
    tree = [f"layer{n}.{part}" for n in range(4) for part in "bw"]
    tree = [each for each in tree if base64.b64encode(each.encode()).decode() in (folder / "1200" / name).read_text()]
    (folder / "1200" / name).write_text(json.dumps(named(*tree)))
    assert of_1200(folder).complete
    (folder / "1200" / name).write_text(json.dumps(named(*tree[1:])))
    assert told(of_1200(folder), name) == f"does not speak of {tree[0]}, which the tree has"
    (folder / "1200" / name).write_text(json.dumps(named(*tree, "other.w")))
    assert told(of_1200(folder), name) == "speaks of other.w, which the tree does not have"
    first, *rest = named(*tree)
    for other in ("no base 64", f"{first[:2]}!{first[2:]}"):
        (folder / "1200" / name).write_text(json.dumps(dict.fromkeys([other, *rest], "{}")))
        assert told(of_1200(folder), name) == "holds a name that is not in base 64"


def test_what_each_process_says_of_its_arrays_speaks_of_the_trees(folder: Path) -> None:
    name = "default/array_metadatas/process_0"
    path = folder / "1200" / name
    written = json.loads(path.read_text())["array_metadatas"]
    path.write_text(json.dumps({"array_metadatas": written[1:]}))
    assert of_1200(folder).complete, "another process may have the others"
    other = {"array_metadata": {"param_name": "other.w"}}
    path.write_text(json.dumps({"array_metadatas": [*written, other]}))
    assert told(of_1200(folder), name) == "speaks of other.w, which the tree does not have"
    path.write_text(json.dumps({"array_metadatas": [{}]}))
    assert told(of_1200(folder), name) == "describes an array in a way that is not known"
    path.write_text(json.dumps({"array_metadatas": written}))
    path.with_name("process_1").write_text("{}")
    assert told(of_1200(folder), "default/array_metadatas/process_1").startswith("describes an array")


def test_a_tree_of_an_edition_that_describes_no_arrays_lacks_none_of_their_descriptions(folder: Path) -> None:
    shutil.rmtree(folder / "1200/default/array_metadatas")
    assert told(of_1200(folder), "default/array_metadatas/process_0") == "missing"
    changed(folder, "default/_METADATA", store_array_data_equal_to_fill_value="nothing")
    assert of_1200(folder).complete


def test_a_tree_without_arrays_has_no_shardings(folder: Path) -> None:
    tree = json.loads((folder / "1200/default/_METADATA").read_text())["tree_metadata"]
    for each in tree.values():
        each["value_metadata"]["value_type"] = "scalar"
    changed(folder, "default/_METADATA", tree_metadata=tree)
    (folder / "1200/default/_sharding").unlink()
    assert "_sharding" not in {each.file.rpartition("/")[2] for each in of_1200(folder).problems}


@pytest.mark.parametrize("tree", [[], {"w": {}}, {"w": {"value_metadata": {"value_type": "jax.Array"}}}, {"w": 5}])
def test_a_tree_that_is_described_otherwise_is_refused(folder: Path, tree: object) -> None:
    changed(folder, "default/_METADATA", tree_metadata=tree)
    assert told(of_1200(folder), "default/_METADATA")


def test_a_tree_without_its_description_and_its_manifest_is_told_by_the_description_alone(folder: Path) -> None:
    (folder / "1200/default/_METADATA").unlink()
    assert told(of_1200(folder), "default/_METADATA") == "missing"
    (folder / "1200/default/manifest.ocdbt").unlink()
    assert {each.file for each in of_1200(folder).problems} == {"default/_METADATA"}


def test_a_data_file_that_is_longer_than_what_is_named_in_it_is_refused(folder: Path) -> None:
    (path,) = (folder / ITEM / "d").iterdir()
    path.write_bytes(path.read_bytes() + b"x")
    assert "what is named in it ends at 310" in told(of_1200(folder), f"default/d/{path.name}")


def covered(files: dict[str, int], *databases: Database) -> list[tuple[str, str]]:
    """What is wrong with files of these sizes that these databases name."""
    candidate = Candidate("9/", tuple(File(f"9/{name}", size) for name, size in files.items()))
    return [(each.file, each.what) for each in _covered(candidate, list(files), list(databases))]


def test_a_file_ends_where_the_last_of_what_is_named_in_it_does() -> None:
    """Values of several trees lie in one file."""
    spans = {Span("d/ab", 0, 9): "manifest.ocdbt", Span("d/ab", 20, 5): "d/root", Span("d/ab", 9, 11): "d/root"}
    assert covered({"d/ab": 25}, Database("", spans=spans)) == []
    assert covered({"d/ab": 24}, Database("", spans=spans)) == [
        ("d/ab", "has 24 bytes, what is named in it ends at 25")
    ]
    assert covered({}, Database("", spans=spans)) == [("d/ab", "missing; manifest.ocdbt names it")]


def test_files_of_two_checkpoints_in_one_folder_accuse_the_tree_that_names_what_is_not_here() -> None:
    """Somebody would delete the stray, which may be the data, and keep the tree of another step."""
    tree = Database("default/", spans={Span("d/ab", 0, 9): "default/manifest.ocdbt"})
    assert covered({"default/d/cd": 9}, tree) == [
        ("default/d/ab", "missing; default/manifest.ocdbt names it"),
        ("default/d/cd", "foreign: no tree names it"),
        (
            "default/manifest.ocdbt",
            "names files that are not here, and others lie here: it may be of another checkpoint",
        ),
    ]
    assert covered({"default/d/ab": 9, "default/_METADATA": 3}, tree) == [], "only data files are named by trees"


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("commit_success.txt", "of somebody", "is not what Orbax writes into it"),
        ("commit_success.txt", "Checkpoint commit was successful to ", "is not what Orbax writes into it"),
        ("commit_success.txt", "Checkpoint commit was successful to /a/1100", "was written for 1100"),
        ("default/commit_success.txt", "Checkpoint commit was successful to /a/1200/other", "was written for other"),
        ("default/commit_success.txt", "Checkpoint commit was successful to /a/1100/default", "was written for 1100"),
    ],
)
def test_a_marker_of_another_folder_is_named(folder: Path, name: str, text: str, what: str) -> None:
    (folder / "1200" / name).write_text(text)
    verdict = of_1200(folder)
    assert told(verdict, name).startswith(what) and len(verdict.problems) == 1


@pytest.mark.parametrize("where", ["/a/1200/default", "/a/1200.orbax-checkpoint-tmp/default", "default"])
def test_a_marker_of_an_item_names_the_steps_folder_as_it_was_called_when_it_was_written(
    folder: Path, where: str
) -> None:
    path = folder / "1200/default/commit_success.txt"
    path.write_text(f"Checkpoint commit was successful to {where}")
    assert of_1200(folder).complete


def test_the_markers_of_a_step_that_is_looked_at_alone_may_name_any_folder(folder: Path) -> None:
    (verdict,) = judged(folder / "1200")
    assert verdict.complete
    (folder / "1200/commit_success.txt").write_text("Checkpoint commit was successful to /a/7")
    (verdict,) = judged(folder / "1200")
    assert verdict.complete, "nobody knows what it is called"
    (folder / "1200/default/commit_success.txt").write_text("Checkpoint commit was successful to /a/7/other")
    (verdict,) = judged(folder / "1200")
    assert told(verdict, "default/commit_success.txt").startswith("was written for other")


def test_an_item_that_was_saved_alone_is_judged_by_its_tree(folder: Path) -> None:
    shutil.move(folder / "1200/default", folder / "alone")
    (verdict,) = judged(folder / "alone")
    assert [each.file for each in verdict.problems] == ["_CHECKPOINT_METADATA"]
    (folder / "alone/_METADATA").unlink()
    (verdict,) = judged(folder / "alone")
    assert told(verdict, "_METADATA") == "missing"


def test_a_steps_metadata_that_says_nothing_at_all_is_refused_for_each_thing_that_it_lacks(folder: Path) -> None:
    """Whether it was ever committed, and of which items, nobody would know; and it was called complete."""
    (folder / "1200/_CHECKPOINT_METADATA").write_text("{}")
    verdict = of_1200(folder)
    assert not verdict.complete
    assert [each.what for each in verdict.problems if each.file == "_CHECKPOINT_METADATA"] == [
        "has no item_handlers",
        "has no init_timestamp_nsecs",
        "has no commit_timestamp_nsecs",
    ]
