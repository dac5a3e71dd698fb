"""What a user loses when one of these fails: a model that took weeks to train and does not open in the standby region.
The fixtures are of Keras and h5py; scripts/write_checkpoints_other.py wrote them."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from damage import DAMAGES, FIXTURES, copied, damage, files, flipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from others import complete, judged_by, judged_deeply_by, never_judged, said

from pilotlight.runtime.checkpoints.encodings.hdf5 import SIGNATURE
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN
from pilotlight.runtime.checkpoints.formats.keras import Keras

FILES = files("keras")
SHARDS = files("keras-sharded")
SUPERBLOCKS = {0: "superblock-0.hdf5", 2: "superblock-2.hdf5", 3: "superblock-3.hdf5"}
ARCHIVE = (FIXTURES / "keras/model.keras").read_bytes()


def one(tmp_path: Path, name: str, body: bytes) -> str:
    """What is said of one file; empty when it is complete."""
    (tmp_path / name).write_bytes(body)
    (verdict,) = judged_by(tmp_path, Keras())
    (tmp_path / name).unlink()
    assert not never_judged([verdict])
    return "" if verdict.complete else said([verdict])


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def unpacked() -> dict[str, bytes]:
    """The members of the fixture."""
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_keras_and_h5py_wrote_is_complete() -> None:
    verdicts = judged_by(FIXTURES / "keras", Keras())
    assert complete(verdicts) == FILES == complete(judged_deeply_by(FIXTURES / "keras", Keras()))
    assert {each.path: each.step for each in verdicts}["epoch-07.weights.h5"] == 7
    versions = {version: (FIXTURES / "keras" / name).read_bytes()[8] for version, name in SUPERBLOCKS.items()}
    assert all(version == byte for version, byte in versions.items())


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_named_and_refused(tmp_path: Path, file: str, how: str) -> None:
    shutil.copy(FIXTURES / "keras" / file, tmp_path)
    damage(tmp_path, file, how)
    verdicts = judged_by(tmp_path, Keras())
    assert not complete(verdicts) and (file in said(verdicts) or how == "removed")


@pytest.mark.parametrize("version", SUPERBLOCKS)
def test_no_flipped_byte_of_a_superblock_passes(tmp_path: Path, version: int) -> None:
    """In version 0 nothing depends on the free-space address, on how wide the nodes of trees are, on the root's name,
    and on whether its entry keeps where its B-tree lies."""
    whole = (FIXTURES / "keras" / SUPERBLOCKS[version]).read_bytes()
    free = [*range(16, 20), *range(32, 40), *range(56, 64), 72, *range(76, 80)] if version == 0 else []
    for at in range(96 if version == 0 else 48):
        if at not in free:
            assert one(tmp_path, "weights.h5", flipped(whole, at)), f"byte {at}"


@pytest.mark.parametrize("version", SUPERBLOCKS)
def test_a_file_that_its_writer_did_not_close_is_refused(tmp_path: Path, version: int) -> None:
    whole = bytearray((FIXTURES / "keras" / SUPERBLOCKS[version]).read_bytes())
    whole[20 if version == 0 else 11] |= 1
    assert "not closed" in one(tmp_path, "weights.h5", bytes(whole))


def test_a_root_group_that_was_overwritten_with_zeros_is_missed(tmp_path: Path) -> None:
    for version, name in SUPERBLOCKS.items():
        whole = (FIXTURES / "keras" / name).read_bytes()
        begin = 96 if version == 0 else 48
        assert "root group" in one(tmp_path, "weights.h5", whole[:begin] + bytes(len(whole) - begin))


def test_a_block_of_the_users_before_the_superblock_is_stepped_over(tmp_path: Path) -> None:
    """HDF5 moves what the superblock says by where it found it."""
    whole = (FIXTURES / "keras/superblock-0.hdf5").read_bytes()
    assert one(tmp_path, "weights.h5", bytes(512) + whole) == ""
    assert "superblock says" in one(tmp_path, "weights.h5", bytes(512) + whole[:-1])
    assert "does not begin" in one(tmp_path, "weights.h5", bytes(500) + whole)


@pytest.mark.parametrize("file", SHARDS)
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_shard_is_named(tmp_path: Path, file: str, how: str) -> None:
    folder = copied("keras-sharded", tmp_path)
    assert complete(judged_by(folder, Keras())) == ["model.weights.json"]
    damage(folder, file, how)
    verdicts = judged_by(folder, Keras())
    assert verdicts and not complete(verdicts) and file in said(verdicts)


def test_a_shard_that_the_map_does_not_name_is_foreign(tmp_path: Path) -> None:
    folder = copied("keras-sharded", tmp_path)
    shutil.copy(folder / SHARDS[-1], folder / "model_00007.weights.h5")
    assert "model_00007.weights.h5: foreign" in said(judged_by(folder, Keras()))


def test_a_map_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = copied("keras-sharded", tmp_path)
    for names in ("../model_00000.weights.h5", 7, ["a.h5"]):
        (folder / "model.weights.json").write_text(json.dumps({"metadata": {}, "weight_map": {"/a": names}}))
        assert "no shard" in said(judged_by(folder, Keras()))


def test_saves_of_every_epoch_are_not_taken_for_shards(tmp_path: Path) -> None:
    for epoch in (1, 2):
        shutil.copy(FIXTURES / "keras/epoch-07.weights.h5", tmp_path / f"run_0000{epoch}.weights.h5")
    verdicts = judged_by(tmp_path, Keras())
    assert [(each.path, each.step) for each in verdicts] == [
        ("run_00001.weights.h5", 1),
        ("run_00002.weights.h5", 2),
    ]
    assert len(complete(verdicts)) == 2


@pytest.mark.parametrize("lost", ["config.json", "metadata.json", "model.weights.h5"])
def test_an_archive_without_one_of_its_members_is_refused(tmp_path: Path, lost: str) -> None:
    members = unpacked()
    assert one(tmp_path, "model.keras", packed(members)) == ""
    del members[lost]
    assert f"has no member {lost}" in one(tmp_path, "model.keras", packed(members))


def test_an_archive_whose_member_is_torn_is_refused_however_it_is_packed(tmp_path: Path) -> None:
    members = unpacked()
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert one(tmp_path, "model.keras", packed(members, method)) == ""
    torn = members | {"model.weights.h5": members["model.weights.h5"][:-1]}
    assert "superblock says" in one(tmp_path, "model.keras", packed(torn))
    assert "is not JSON" in one(tmp_path, "model.keras", packed(members | {"config.json": b"{"}))


def test_no_flipped_byte_of_a_small_archives_members_passes(tmp_path: Path) -> None:
    for name in ("config.json", "model.weights.h5"):
        start = ARCHIVE.index(unpacked()[name])
        for at in (0, 30, 900):
            assert one(tmp_path, "model.keras", flipped(ARCHIVE, start + at))
    assert one(tmp_path, "model.keras", b"x" + ARCHIVE) and one(tmp_path, "model.keras", ARCHIVE[:-30] + ARCHIVE[-22:])


def test_an_archive_that_claims_a_terabyte_is_not_unpacked(tmp_path: Path) -> None:
    body = bytearray(packed(unpacked() | {"assets/a": b"\0" * 1000}, zipfile.ZIP_DEFLATED))
    central = body.rindex(b"PK\1\2")
    body[central + 24 : central + 28] = (2**31).to_bytes(4, "little")
    assert "claims" in one(tmp_path, "model.keras", bytes(body))


def test_an_archive_of_gigabytes_is_judged_by_its_directory_and_its_superblock(tmp_path: Path) -> None:
    """The members in front are sparse; with `deep` every byte of them would be read."""
    size, path = 2**29, tmp_path / "big.keras"
    weights = bytearray((FIXTURES / "keras/superblock-2.hdf5").read_bytes())
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json"):
            archive.writestr(name, "{}")
        info = zipfile.ZipInfo("model.weights.h5")
        archive.writestr(info, bytes(weights))
    with zipfile.ZipFile(path) as archive:
        central = archive.start_dir
        directory = path.read_bytes()[central:]
    front = path.read_bytes()[:central]
    grown = directory.replace(len(weights).to_bytes(4, "little"), size.to_bytes(4, "little"))
    grown = grown[:-6] + (central - len(weights) + size).to_bytes(4, "little") + grown[-2:]
    with path.open("wb") as file:
        file.write(front)
        file.truncate(central - len(weights) + size)
        file.seek(0, io.SEEK_END)
        file.write(grown)
    (verdict,) = judged_by(tmp_path, Keras())
    assert verdict.bytes_read < BYTES_READ_MIN // 64
    assert said([verdict]) == f"big.keras: has {size} bytes, its superblock says {len(weights)}"
    assert front.index(SIGNATURE) > 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2500), st.integers(0, 7), st.booleans())
def test_no_flipped_bit_makes_a_judge_stumble(tmp_path: Path, at: int, bit: int, from_the_end: bool) -> None:
    one(tmp_path, "model.keras", flipped(ARCHIVE, len(ARCHIVE) - 1 - at % 400 if from_the_end else at, bit))
    weights = (FIXTURES / "keras/superblock-0.hdf5").read_bytes()
    one(tmp_path, "weights.h5", flipped(weights, at % 120, bit))
