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
from layouts import Files, Kept
from pickled import Stored, pickled

from pilotlight.runtime.checkpoints import deep, verify
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, File, Verdict
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


class Asked(Kept):
    """Files in memory that remember which bytes were asked for."""

    def __init__(self, contents: Files) -> None:
        super().__init__(contents)
        self.asked: list[tuple[int, int]] = []

    def read_range(self, file: File, start: int, length: int) -> bytes:
        self.asked.append((start, length))
        return super().read_range(file, start, length)


@pytest.mark.parametrize(
    ("storage", "what"),
    [
        (Stored("0", 1), ""),
        (Stored("0", 2), "storage 0 has 4 bytes, the pickle says 8"),
        (Stored("1", 1), "no member for storage 1"),
        (Stored("0", 1, "OtherStorage"), "of a kind that is not known"),
        (Stored(0, 1), "of a kind that is not known"),
        (Stored("0", True), "of a kind that is not known"),
        (Stored("0", -1), "of a kind that is not known"),
    ],
)
def test_what_the_pickle_says_of_a_storage_is_compared_with_its_member(
    tmp_path: Path, storage: Stored, what: str
) -> None:
    body = archive(pickled({"w": storage}), {"0": b"abcd"})
    verdict = of(tmp_path, body)
    assert verdict.complete == (not what) and what in "".join(each.what for each in verdict.problems)


def test_a_storage_of_no_elements_is_one_and_one_of_two_lengths_is_none(tmp_path: Path) -> None:
    assert of(tmp_path, archive(pickled([Stored("0", 0), Stored("0", 0)]), {"0": b""})).complete
    assert "names storage 0 with two lengths" in told(
        tmp_path, archive(pickled([Stored("0", 1), Stored("0", 2)]), {"0": b"abcd"})
    )


def test_a_member_that_the_pickle_does_not_name_is_of_another_file(tmp_path: Path) -> None:
    assert "data/1 that its pickle does not name" in told(
        tmp_path, archive(pickled([Stored("0", 1)]), {"0": b"abcd", "1": b"abcd"})
    )
    beside = archive(EMPTY, {"../notes": b""}, root="archive").replace(b"data/../notes", b"data_of_notes")
    assert "data_of_notes that its pickle does not name" in told(tmp_path, beside)


def test_an_archive_whose_pickle_lies_elsewhere_is_none_of_pytorchs(tmp_path: Path) -> None:
    assert "it has no data.pkl" in told(tmp_path, archive(EMPTY, root="a/b"))


@pytest.mark.parametrize("size", [0, 3, 4, 21])
def test_a_file_of_a_few_bytes_is_no_archive(tmp_path: Path, size: int) -> None:
    assert "are too few for an archive" in told(tmp_path, b"x" * size)


def test_a_small_member_of_a_large_file_that_changed_is_found_without_reading_all(tmp_path: Path) -> None:
    folder = large(tmp_path / "big")
    path = folder / "model.pt"
    whole = path.read_bytes()
    for member in (b"little", b"3\n"):
        at = whole.index(member, whole.index(b"archive/byteorder" if member == b"little" else b"archive/version"))
        path.write_bytes(whole[:at] + b"X" + whole[at + 1 :])
        (verdict,) = judged(folder)
        assert "CRC-32" in verdict.problems[0].what, member


@pytest.mark.parametrize(("length", "found"), [(4096, True), (4097, False)])
def test_a_line_of_a_large_file_is_compared_and_what_is_no_line_is_not_read(length: int, found: bool) -> None:
    """A name is no promise of a size: gigabytes may lie under it, and the verdict would be undecided."""
    line = b"3" * length
    body = archive(pickled(Stored("0", 400_000)), {"0": b"\1" * 1_600_000}, version=line)
    at = body.index(line)
    (verdict,) = verify.verify_all(Kept({"model.pt": body[:at] + b"4" + body[at + 1 :]}))
    assert verdict.complete is not found


def test_a_large_file_is_judged_by_two_reads() -> None:
    """Every one of them is a request to S3."""
    reader = Asked({"model.pt": archive(pickled(Stored("0", 400_000)), {"0": b"\1" * 1_600_000})})
    (found,) = verify.find(reader)
    assert verify.verify(found, reader).complete
    assert len(reader.asked) == 2, "the directory at its end, and the pickle at its beginning"


def test_a_small_file_is_read_once() -> None:
    reader = Asked({"model.pt": archive(pickled(Stored("0", 1000)), {"0": b"\1" * 4000})})
    (found,) = verify.find(reader)
    assert verify.verify(found, reader).complete and len(reader.asked) == 1


def test_many_large_files_of_one_checkpoint_share_what_may_be_read() -> None:
    """Each by itself would be within the budget; together they would be undecided."""
    one = archive(pickled(Stored("0", 2000)), {"0": b"\1" * 8000})
    files = {f"run/checkpoint-3/rng_state_{rank}.pth": one for rank in range(100)}
    files |= {f"run/checkpoint-3/{name}": one for name in ("optimizer.pt", "scheduler.pt", "pytorch_model.bin")}
    reader = Asked(files | {"run/checkpoint-3/trainer_state.json": b"{}"})
    (found,) = verify.find(reader)
    verdict = verify.verify(found, reader)
    assert verdict.complete, verdict.problems
    assert verdict.bytes_total > 640 * 1024 and verdict.bytes_read <= BYTES_READ_MIN
    assert max(length for _, length in reader.asked) == 256 * 1024 // 104


def test_a_folder_is_read_whole_up_to_what_the_smallest_budget_allows() -> None:
    """A bit that changed in a small one is found without asking for more."""
    frame = len(archive(pickled(Stored("0", 163000)), {"0": b""}))
    for more, found in ((0, True), (1, False)):
        size = 640 * 1024 - frame + more
        kind = Stored("0", size, "ByteStorage")
        body = archive(pickled(kind), {"0": b"\1" * size})
        body = body[:300_000] + b"\2" + body[300_001:]
        (verdict,) = verify.verify_all(Kept({"model.pt": body}))
        assert len(body) == 640 * 1024 + more and verdict.complete is not found
