"""What a user loses when one of these fails: memory without end, or weights that are not the ones they saved."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from archives import archive, ended
from damage import FIXTURES, judged

from pilotlight.runtime.checkpoints import deep, verify
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, Verdict
from pilotlight.runtime.checkpoints.readers import FolderReader

EMPTY = pickle.dumps({}, 2)


def of(tmp_path: Path, body: bytes) -> Verdict:
    (tmp_path / "model.pt").write_bytes(body)
    (verdict,) = judged(tmp_path)
    return verdict


def told(tmp_path: Path, body: bytes) -> str:
    verdict = of(tmp_path, body)
    assert not verdict.complete
    return verdict.problems[0].what


def test_an_archive_as_torch_writes_it_is_whole(tmp_path: Path) -> None:
    assert of(tmp_path, archive(EMPTY)).complete


def test_a_zip_bomb_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("model/data.pkl", b"\0" * 50_000_000)
    (verdict,) = judged(tmp_path)
    assert not verdict.complete and "not opened" in verdict.problems[0].what
    assert verdict.bytes_read <= BYTES_READ_MIN


@pytest.mark.parametrize("name", ["../evil/data.pkl", "/etc/data.pkl", "a\\b/data.pkl", "a\nb/data.pkl"])
def test_a_member_whose_name_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    assert "leads out" in told(tmp_path, archive(EMPTY, root=name.removesuffix("/data.pkl")))


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**12])
def test_lengths_without_sense_are_refused(tmp_path: Path, length: int) -> None:
    body = archive(EMPTY)
    start = body.rfind(b"PK\x06\x06")
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 0x031E, 45, 0, 0, 3, 3, length, 0)
    assert told(tmp_path, body[:start] + wide + body[start + len(wide) :])


def test_members_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    body = archive(EMPTY)
    start = body.find(b"PK\x01\x02")
    second = body.find(b"PK\x01\x02", start + 4)
    end = body.rfind(b"PK\x06\x06")
    twice = body[start:second].replace(b"data.pkl", b"data.pk2")
    assert told(tmp_path, body[:start] + ended(body[start:end] + twice, 4, start))


def test_a_storage_that_is_shorter_than_its_tensor_is_refused(tmp_path: Path) -> None:
    source = (FIXTURES / "torch-zip/last.ckpt").read_bytes()
    with zipfile.ZipFile(FIXTURES / "torch-zip/last.ckpt") as opened:
        kept = {name.partition("/")[2]: opened.read(name) for name in opened.namelist()}
    storages = {name.removeprefix("data/"): body for name, body in kept.items() if name.startswith("data/")}
    assert of(tmp_path, archive(kept["data.pkl"], storages)).complete and len(source) > 100_000
    storages["3"] = storages["3"][:-4]
    assert "storage 3 has 4092 bytes, the pickle says 4096" in told(tmp_path, archive(kept["data.pkl"], storages))
    del storages["3"]
    assert "no member for storage 3" in told(tmp_path, archive(kept["data.pkl"], storages))


def test_old_files_that_are_one_bare_pickle_are_not_judged_complete(tmp_path: Path) -> None:
    assert told(tmp_path, pickle.dumps({"state_dict": {}}, 2) * 3)


def large(folder: Path, elements: int = 8_000_000) -> Path:
    """One tensor of so many float32 under PyTorch's own pickle for one."""
    with zipfile.ZipFile(FIXTURES / "hf-bin-sharded/pytorch_model-00001-of-00003.bin") as opened:
        body = opened.read("pytorch_model-00001-of-00003/data.pkl")
    old, new = b"M\x00\x04", b"J" + struct.pack("<i", elements)
    storages = {str(number): b"\1" * (4 * elements if number == 0 else 4096) for number in range(3)}
    first = body.find(old)
    folder.mkdir()
    (folder / "model.pt").write_bytes(archive(body[:first] + new + body[first + len(old) :], storages))
    return folder


def test_a_large_file_is_judged_by_a_small_part_of_it(tmp_path: Path) -> None:
    (verdict,) = judged(large(tmp_path / "big"))
    assert verdict.complete and verdict.bytes_total > 30_000_000
    assert verdict.bytes_read <= 256 * 1024


def test_bytes_of_a_large_tensor_that_changed_are_found_by_reading_all(tmp_path: Path) -> None:
    folder = large(tmp_path / "big")
    path = folder / "model.pt"
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    reader = FolderReader(folder)
    (found,) = verify.find(reader)
    assert verify.verify(found, reader).complete, "no checksum of it is within the budget"
    (problem,) = deep.verify_deeply(found, reader).problems
    assert problem.file == "model.pt" and "CRC-32" in problem.what


def test_the_crc_of_these_archives_is_the_one_that_python_knows(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(archive(EMPTY, {"0": b"abc"}))
    with zipfile.ZipFile(tmp_path / "model.pt") as opened:
        assert opened.testzip() is None and zlib.crc32(b"abc") == opened.getinfo("archive/data/0").CRC
