"""What a user loses when one of these fails: an inference fleet that starts in the standby region with half a model.
The fixtures are of gguf-py; scripts/write_checkpoints_other.py wrote them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from damage import DAMAGES, FIXTURES, copied, damage, files, flipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from others import complete, judged_by, judged_deeply_by, never_judged, said

from pilotlight.runtime.checkpoints.claims import listing
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, BudgetSpent, Metered
from pilotlight.runtime.checkpoints.formats.gguf import Gguf
from pilotlight.runtime.checkpoints.readers import FolderReader

SINGLE, SPLIT = "model-Q8_0.gguf", "split-00001-of-00003.gguf"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied("gguf", tmp_path)


def owner(file: str) -> str:
    return SINGLE if file == SINGLE else SPLIT


def test_what_gguf_py_wrote_is_complete_and_parts_are_one_checkpoint() -> None:
    verdicts = judged_by(FIXTURES / "gguf", Gguf())
    assert complete(verdicts) == [SINGLE, SPLIT] == [verdict.path for verdict in verdicts]
    assert complete(judged_deeply_by(FIXTURES / "gguf", Gguf())) == [SINGLE, SPLIT]


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("file", files("gguf"))
def test_a_damaged_file_is_named_and_its_model_refused(folder: Path, file: str, how: str) -> None:
    damage(folder, file, how)
    verdicts = judged_by(folder, Gguf())
    assert owner(file) not in complete(verdicts)
    assert file in said(verdicts) or (how == "removed" and file == SINGLE)


@pytest.mark.parametrize(
    ("file", "at"),
    [
        *((file, at) for file in files("gguf") for at in (*range(5), 8, 9, 15, 16, 17, 23, 24, 25, 31)),
        *((SINGLE, at) for at in (52, 56)),
    ],
)
def test_no_flipped_byte_of_the_header_passes(folder: Path, file: str, at: int) -> None:
    """Magic, version, counts, the length of the first key, and where its value is a text, its type and length."""
    (folder / file).write_bytes(flipped((FIXTURES / "gguf" / file).read_bytes(), at, 1 if at == 4 else 0))
    verdicts = judged_by(folder, Gguf())
    assert owner(file) not in complete(verdicts)


def test_every_number_of_the_tensor_table_is_held_against_the_others(folder: Path) -> None:
    whole = (FIXTURES / "gguf" / SINGLE).read_bytes()
    name = b"blk.0.ffn_up.weight"
    table = whole.index(name) + len(name)
    for at in (table, table + 4, table + 12, table + 20, table + 24):
        (folder / SINGLE).write_bytes(flipped(whole, at, 1))
        assert SINGLE not in complete(judged_by(folder, Gguf())), f"byte {at - table} of the table's entry"


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, 3), (2, 3)])
def test_parts_in_each_others_places_are_named(folder: Path, one: int, other: int) -> None:
    first, second = (folder / f"split-0000{number}-of-00003.gguf" for number in (one, other))
    shutil.copy(FIXTURES / "gguf" / first.name, second)
    shutil.copy(FIXTURES / "gguf" / second.name, first)
    verdicts = judged_by(folder, Gguf())
    assert complete(verdicts) == [SINGLE]
    assert first.name in said(verdicts) and second.name in said(verdicts)


def test_a_part_renamed_to_a_whole_model_does_not_pass_for_one(folder: Path) -> None:
    (folder / "split-00002-of-00003.gguf").rename(folder / "other.gguf")
    verdicts = judged_by(folder, Gguf())
    assert complete(verdicts) == [SINGLE]
    assert "part 2 of 3" in said(verdicts)


def test_a_part_of_another_model_brings_another_number_of_tensors(folder: Path) -> None:
    part = folder / "split-00002-of-00003.gguf"
    body = part.read_bytes()
    part.write_bytes(body.replace(b"blk.0.norm.weight", b"token_embd.weight"))
    assert part.read_bytes() != body
    assert "token_embd.weight is in it and in" in said(judged_by(folder, Gguf()))


def test_a_name_that_claims_a_hundred_thousand_parts_is_answered_in_few_lines(folder: Path) -> None:
    shutil.copy(folder / SINGLE, folder / "many-00001-of-99999.gguf")
    (many,) = (each for each in judged_by(folder, Gguf()) if each.path.startswith("many"))
    assert not many.complete and len(many.problems) < 30


def test_a_table_of_a_billion_entries_costs_no_memory_and_little_reading(tmp_path: Path) -> None:
    with (tmp_path / "big.gguf").open("wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 0))
        file.truncate(2**33)
    (verdict,) = judged_by(tmp_path, Gguf())
    assert not verdict.complete and verdict.bytes_read <= 2**33 // 1000


def test_a_model_of_gigabytes_is_judged_by_its_first_bytes(tmp_path: Path) -> None:
    name = b"blk.weight"
    header = struct.pack("<4sIQQ", b"GGUF", 3, 1, 0) + struct.pack("<Q", len(name)) + name
    header += struct.pack("<IQQIQ", 2, 2**20, 2**12, 0, 0)
    with (tmp_path / "big.gguf").open("wb") as file:
        file.write(header)
        file.truncate(-(-len(header) // 32) * 32 + 2**34)
    (verdict,) = judged_by(tmp_path, Gguf())
    assert verdict.complete and verdict.bytes_read < BYTES_READ_MIN


def test_a_vocabulary_alone_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "vocab.gguf").write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 0))
    assert "vocabulary" in said(judged_by(tmp_path, Gguf()))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(files("gguf")), st.integers(0, 2000), st.integers(0, 7))
def test_no_flipped_bit_makes_a_judge_stumble(folder: Path, file: str, at: int, bit: int) -> None:
    whole = (FIXTURES / "gguf" / file).read_bytes()
    (folder / file).write_bytes(flipped(whole, at % len(whole), bit))
    assert not never_judged(judged_by(folder, Gguf()))
    (folder / file).write_bytes(whole)


def test_a_vocabulary_of_today_is_within_what_the_format_asks_to_read(tmp_path: Path) -> None:
    """A model of Llama 3's vocabulary, small enough that a thousandth of it is less than its header."""

    def texts(key: bytes, count: int) -> bytes:
        return (
            struct.pack("<Q", len(key))
            + key
            + struct.pack("<IIQ", 9, 8, count)
            + count * (struct.pack("<Q", 8) + bytes(8))
        )

    header = struct.pack("<4sIQQ", b"GGUF", 3, 1, 2) + texts(b"tokens", 128_256) + texts(b"merges", 280_147)
    header += struct.pack("<Q", 1) + b"w" + struct.pack("<IQIQ", 1, 2**30, 24, 0)
    with (tmp_path / "llama.gguf").open("wb") as file:
        file.write(header)
        file.truncate(-(-len(header) // 32) * 32 + 2**30)
    reader = FolderReader(tmp_path)
    (found,) = listing(reader, (Gguf(),)).found
    metered = Metered(reader, 1000 * Gguf.bytes_read_min)
    assert Gguf().verify(found.candidate, metered) == ()
    assert BYTES_READ_MIN < len(header) <= metered.bytes_read < 2 * len(header) < Gguf.bytes_read_min


def test_a_budget_that_ends_is_not_called_damage_of_a_file(tmp_path: Path) -> None:
    reader = FolderReader(FIXTURES / "gguf")
    (found, *_) = listing(reader, (Gguf(),)).found
    metered = Metered(reader, 0)
    metered.budget = 100
    with pytest.raises(BudgetSpent):
        Gguf().verify(found.candidate, metered)


def test_a_file_ends_with_its_last_value_or_with_the_padding_behind_it_and_nowhere_else(tmp_path: Path) -> None:
    header = struct.pack("<4sIQQ", b"GGUF", 3, 1, 0) + struct.pack("<Q", 1) + b"w" + struct.pack("<IQIQ", 1, 5, 24, 0)
    start = -(-len(header) // 32) * 32
    whole = header.ljust(start, b"\0") + bytes(32)
    sound = []
    for size in range(len(whole) + 2):
        (tmp_path / "m.gguf").write_bytes((whole + b"\0\0")[:size])
        sound += [size - start] if complete(judged_by(tmp_path, Gguf())) else []
    assert sound == [5, 32]
