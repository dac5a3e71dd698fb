"""What a user loses when one of these fails: a run that resumes from data files of two saves, or a server that starts a
model without its variables. The fixtures are of TensorFlow; scripts/write_checkpoints_other.py wrote them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from damage import DAMAGES, FIXTURES, copied, damage, files, flipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from others import complete, judged_by, judged_deeply_by, never_judged, said

from pilotlight.runtime.checkpoints.claims import listing
from pilotlight.runtime.checkpoints.encodings.bundle import Bundle, Entry, read, samples
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, Damaged, File
from pilotlight.runtime.checkpoints.formats.tensorflow import SavedModel, TensorFlow
from pilotlight.runtime.checkpoints.readers import FolderReader

FORMATS = (SavedModel(), TensorFlow())
WRITTEN = {
    "tensorflow": [("ckpt-1100", "tensorflow", 1100), ("ckpt-1200", "tensorflow", 1200)],
    "tensorflow-sharded": [("model.ckpt-1300", "tensorflow", 1300)],
    "tensorflow-saved-model": [("", "tensorflow-saved-model", None)],
}
NOT_MISSED = {("assets/vocabulary.txt", how) for how in DAMAGES if how != "removed"} | {("fingerprint.pb", "removed")}
"""Nothing says what an asset holds, and older versions of TensorFlow write no fingerprint."""
CASES = [
    (fixture, file, how)
    for fixture in WRITTEN
    for file in files(fixture)
    for how in DAMAGES
    if file != "checkpoint" and (file, how) not in NOT_MISSED
]
"""`checkpoint` is a pointer."""


@pytest.mark.parametrize("fixture", WRITTEN)
def test_what_tensorflow_wrote_is_complete(fixture: str) -> None:
    verdicts = judged_by(FIXTURES / fixture, *FORMATS)
    assert [(each.path, each.format, each.step) for each in verdicts] == WRITTEN[fixture]
    assert len(complete(verdicts)) == len(complete(judged_deeply_by(FIXTURES / fixture, *FORMATS))) == len(verdicts)
    assert all(not each.unknown and each.bytes_read < BYTES_READ_MIN for each in verdicts)


@pytest.mark.parametrize(("fixture", "file", "how"), CASES)
def test_a_damaged_file_is_named_and_its_checkpoint_refused(tmp_path: Path, fixture: str, file: str, how: str) -> None:
    folder = copied(fixture, tmp_path)
    damage(folder, file, how)
    verdicts = judged_by(folder, *FORMATS)
    assert len(verdicts) == len(WRITTEN[fixture]) and len(complete(verdicts)) == len(verdicts) - 1
    assert file in said(verdicts)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_data_of_another_save_is_told_by_its_checksums(tmp_path: Path, suffix: str) -> None:
    folder = copied("tensorflow", tmp_path)
    shutil.copy(folder / f"ckpt-1100{suffix}", folder / f"ckpt-1200{suffix}")
    verdicts = judged_by(folder, *FORMATS)
    assert complete(verdicts) == ["ckpt-1100"] and "ckpt-1200.data-00000-of-00001: tensor" in said(verdicts)


def test_data_files_in_each_others_places_are_named(tmp_path: Path) -> None:
    folder = copied("tensorflow-sharded", tmp_path)
    one, other = (folder / f"model.ckpt-1300.data-0000{number}-of-00002" for number in (0, 1))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    verdicts = judged_by(folder, *FORMATS)
    assert not complete(verdicts) and one.name in said(verdicts) and other.name in said(verdicts)


def test_a_data_file_of_another_count_is_foreign(tmp_path: Path) -> None:
    folder = copied("tensorflow", tmp_path)
    shutil.copy(folder / "ckpt-1200.data-00000-of-00001", folder / "ckpt-1200.data-00001-of-00002")
    assert "ckpt-1200.data-00001-of-00002: foreign" in said(judged_by(folder, *FORMATS))


@pytest.mark.parametrize("staging", ["ckpt-9_temp/part-00000-of-00001", "ckpt-9.part-00000-of-00001"])
def test_what_was_not_merged_yet_is_no_checkpoint(tmp_path: Path, staging: str) -> None:
    (tmp_path / staging).parent.mkdir(exist_ok=True)
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(FIXTURES / "tensorflow" / f"ckpt-1200{suffix}", tmp_path / f"{staging}{suffix}")
    verdicts = judged_by(tmp_path, *FORMATS)
    assert not complete(verdicts) and "did not end" in said(verdicts)


def test_an_index_of_another_library_is_not_taken_for_a_torn_checkpoint(tmp_path: Path) -> None:
    for name in ("passages.index", "ivf-1200.index", "notes.meta"):
        (tmp_path / name).write_bytes(b"IxFI")
    assert not judged_by(tmp_path, *FORMATS)


def test_no_flipped_bit_of_an_index_passes(tmp_path: Path) -> None:
    """Every byte of it lies below a checksum, or in the footer."""
    whole = (FIXTURES / "tensorflow-sharded/model.ckpt-1300.index").read_bytes()
    path = tmp_path / "model.index"
    for at in range(len(whole)):
        path.write_bytes(flipped(whole, at, at % 8))
        with pytest.raises(Damaged):
            read(File("model.index", len(whole)), FolderReader(tmp_path))


def test_a_flipped_bit_of_data_is_seen_at_once_in_small_checkpoints_and_with_deep_in_large_ones(tmp_path: Path) -> None:
    folder = copied("tensorflow", tmp_path)
    data = folder / "ckpt-1200.data-00000-of-00001"
    for at in (0, 50, 200, 491):
        data.write_bytes(flipped((FIXTURES / "tensorflow" / data.name).read_bytes(), at))
        assert complete(judged_by(folder, *FORMATS)) == ["ckpt-1100"]
        assert complete(judged_deeply_by(folder, *FORMATS)) == ["ckpt-1100"]


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.index", "fingerprint.pb"])
def test_a_saved_model_is_one_checkpoint_whose_parts_are_looked_for(tmp_path: Path, file: str) -> None:
    folder = copied("tensorflow-saved-model", tmp_path)
    (folder / file).write_bytes(b"")
    (verdict,) = judged_by(folder, *FORMATS)
    assert not verdict.complete and file in said([verdict])


def test_a_model_whose_variables_are_gone_does_not_pass_for_one_that_has_none(tmp_path: Path) -> None:
    folder = copied("tensorflow-saved-model", tmp_path)
    shutil.rmtree(folder / "variables")
    assert "variables/variables.index: missing" in said(judged_by(folder, *FORMATS))


def test_variables_without_their_graph_are_a_model_in_the_making(tmp_path: Path) -> None:
    folder = copied("tensorflow-saved-model", tmp_path)
    (folder / "saved_model.pb").unlink()
    (verdict,) = judged_by(folder, *FORMATS)
    assert verdict.format == "tensorflow-saved-model" and "saved_model.pb: missing" in said([verdict])


def test_what_lies_below_a_saved_model_is_left_to_others(tmp_path: Path) -> None:
    folder = copied("tensorflow-saved-model", tmp_path)
    (folder / "run").mkdir()
    for path in (FIXTURES / "tensorflow").iterdir():
        shutil.copy(path, folder / "run")
    found = listing(FolderReader(folder), FORMATS).found
    assert [each.candidate.path for each in found] == ["", "run/ckpt-1100", "run/ckpt-1200"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["saved_model.pb", "fingerprint.pb"]), st.integers(0, 12_000), st.integers(0, 7))
def test_no_flipped_bit_of_a_graph_makes_a_judge_stumble(tmp_path: Path, file: str, at: int, bit: int) -> None:
    folder = tmp_path / "model"
    if not folder.exists():
        copied("tensorflow-saved-model", tmp_path).rename(folder)
    whole = (FIXTURES / "tensorflow-saved-model" / file).read_bytes()
    (folder / file).write_bytes(flipped(whole, at % len(whole), bit))
    assert not never_judged(judged_by(folder, *FORMATS))
    (folder / file).write_bytes(whole)


def test_data_of_another_save_of_a_large_checkpoint_is_told_by_its_smallest_tensors(tmp_path: Path) -> None:
    """Large: half of a gigabyte that no one reads lies behind the last tensor's place, so the length is wrong, too;
    what counts is that the step is compared."""
    folder = copied("tensorflow", tmp_path)
    data = folder / "ckpt-1200.data-00000-of-00001"
    shutil.copy(folder / "ckpt-1100.data-00000-of-00001", data)
    with data.open("r+b") as file:
        file.truncate(2**29)
    other = next(each for each in judged_by(folder, *FORMATS) if each.path == "ckpt-1200")
    assert "tensor step" in said([other]) and other.bytes_read < BYTES_READ_MIN


def test_what_is_read_of_many_data_files_is_bounded() -> None:
    entries = {number: [Entry(b"%d" % each, 1, [1024], number, 0, 4096) for each in range(9)] for number in range(500)}
    chosen = samples(Bundle(500, entries))
    assert sum(entry.size for each in chosen.values() for entry in each) <= BYTES_READ_MIN // 4
    assert len(samples(Bundle(2, {0: entries[0], 1: entries[1]}))[1]) == 9
