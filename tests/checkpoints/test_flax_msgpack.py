"""What a user loses when one of these fails: a JAX run that resumes from a torn state, or not at all.
The fixtures are of flax; scripts/write_checkpoints_other.py wrote them. transformers' shards, and arrays in chunks
(Flax begins with those at a gibibyte), are built here by hand from the writers' source."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
from damage import DAMAGES, FIXTURES, copied, damage, files, flipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from others import complete, judged_by, judged_deeply_by, never_judged, said

from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN
from pilotlight.runtime.checkpoints.formats.flax_msgpack import Flax

FILES = files("flax")
WHOLE = (FIXTURES / "flax" / "checkpoint_1200").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied("flax", tmp_path)


def one(tmp_path: Path, body: bytes, name: str = "flax_model.msgpack") -> str:
    """What is said of one file; empty when it is complete."""
    (tmp_path / name).write_bytes(body)
    (verdict,) = judged_by(tmp_path, Flax())
    assert not never_judged([verdict])
    return "" if verdict.complete else said([verdict])


def array(shape: tuple[int, ...], dtype: str = "float32", size: int = 0, kind: int = 1) -> bytes:
    """An array of zeros as flax packs it; `size` lies about the bytes."""
    width = {"float32": 4, "int32": 4, "bfloat16": 2}[dtype]
    count = size or width * (shape[0] if shape else 1)
    inner = b"\x93" + bytes([0x90 | len(shape)]) + bytes(shape) + bytes([0xA0 | len(dtype)]) + dtype.encode()
    inner += b"\xc4" + bytes([count]) + bytes(count)
    return b"\xc7" + bytes([len(inner), kind]) + inner


def test_what_flax_wrote_is_complete_at_the_step_that_name_or_state_tell() -> None:
    verdicts = judged_by(FIXTURES / "flax", Flax())
    assert [(each.path, each.step) for each in verdicts] == [
        ("checkpoint_1100", 1100),
        ("checkpoint_1200", 1200),
        ("flax_model.msgpack", 77),
    ]
    assert complete(verdicts) == FILES == complete(judged_deeply_by(FIXTURES / "flax", Flax()))


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_named_and_refused(folder: Path, file: str, how: str) -> None:
    damage(folder, file, how)
    verdicts = judged_by(folder, Flax())
    assert file not in complete(verdicts)
    assert file in said(verdicts) or how == "removed"


def test_every_byte_of_the_structure_counts(tmp_path: Path) -> None:
    """The heads of the map, of each array, of its shape, dtype and bytes; not letters of names, nor values."""
    for head in (WHOLE.index(b"\xa6kernel") + 7, WHOLE.index(b"\xa4bias") + 5):
        heads = [0, head, head + 1, head + 2, head + 3, head + 4, head + 5]
        for at in heads:
            for bit in range(8):
                assert one(tmp_path, flipped(WHOLE, at, bit), "checkpoint_9"), f"bit {bit} of byte {at}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x81\xa1a" + array((3,), size=11), "another number"),
        (b"\x81\xa1a" + array((3,), kind=7), "extension of type 7"),
        (b"\x82\xa1a" + array((3,)) + b"\xa1a" + array((3,)), "twice"),
        (b"\x82\xa1a" + array((3,)), "claims"),
        (b"\x81\xa1a" + array((3,)) + b"\xc0", "ends at"),
        (b"\x81\xa1a\xc1", "nothing begins"),
        (b"\x81\x01" + array((3,)), "no text"),
        (b"\x81\xa1a\x01", "no arrays"),
        (b"\x91" + array((3,)), "does not begin with a map"),
        (b"\x82\xa1a" + array((3,)) + b"\xa1b\xd9\x12//GDAPlaceholder:b", "a folder beside"),
        (b"\x81\xa1a" * 5000 + b"\x01", "without end"),
        (b"\xdf\xff\xff\xff\xff\xa1a" + array((3,)), "claims"),
    ],
)
def test_what_flax_would_not_read_is_refused_with_the_reason(tmp_path: Path, body: bytes, why: str) -> None:
    assert why in one(tmp_path, body)


def test_an_array_in_chunks_has_all_of_them(tmp_path: Path) -> None:
    def chunked(*chunks: bytes) -> bytes:
        body = b"\x81\xa1w\x83\xb9__msgpack_chunked_array__\xc3\xa5shape\x81\xa10\x06\xa6chunks" + bytes(
            [0x80 | len(chunks)]
        )
        return body + b"".join(b"\xa1" + str(number).encode() + chunk for number, chunk in enumerate(chunks))

    assert one(tmp_path, chunked(array((4,)), array((2,)))) == ""
    assert "4 elements in its chunks, not 6" in one(tmp_path, chunked(array((4,))))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """transformers, modeling_flax_utils.py: each shard a map of its own, names joined by / in the index."""
    folder = tmp_path / "sharded"
    folder.mkdir()
    (folder / "flax_model-00001-of-00002.msgpack").write_bytes(b"\x81\xa1m\x81\xa1a" + array((3,)))
    (folder / "flax_model-00002-of-00002.msgpack").write_bytes(b"\x81\xa1m\x81\xa1b" + array((3,)))
    weights = {f"m/{name}": f"flax_model-0000{number}-of-00002.msgpack" for number, name in ((1, "a"), (2, "b"))}
    (folder / "flax_model.msgpack.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}))
    return folder


def test_shards_are_complete_together(shards: Path) -> None:
    assert complete(judged_by(shards, Flax())) == ["flax_model.msgpack.index.json"]


@pytest.mark.parametrize("file", ["flax_model-00001-of-00002.msgpack", "flax_model.msgpack.index.json"])
@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_shard_is_named(shards: Path, file: str, how: str) -> None:
    damage(shards, file, how)
    verdicts = judged_by(shards, Flax())
    assert verdicts and not complete(verdicts) and file in said(verdicts)


def test_a_shard_in_anothers_place_is_told_by_its_arrays(shards: Path) -> None:
    shutil.copy(shards / "flax_model-00001-of-00002.msgpack", shards / "flax_model-00002-of-00002.msgpack")
    assert "flax_model-00002-of-00002.msgpack: array m/" in said(judged_by(shards, Flax()))


def test_a_state_of_gigabytes_is_judged_by_the_heads_of_its_arrays(tmp_path: Path) -> None:
    size = 2**30
    inner = b"\x93\x91\xce" + struct.pack(">I", size // 4) + b"\xa7float32\xc6" + struct.pack(">I", size)
    with (tmp_path / "checkpoint_5").open("wb") as file:
        file.write(b"\x84")
        for name in b"abcd":
            file.write(b"\xa1" + bytes([name]) + b"\xc9" + struct.pack(">I", len(inner) + size) + b"\x01" + inner)
            file.seek(size, 1)
        file.truncate(file.tell())
    (verdict,) = judged_by(tmp_path, Flax())
    assert verdict.complete and verdict.step == 5 and verdict.bytes_read < BYTES_READ_MIN // 32


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_no_flipped_bit_makes_a_judge_stumble(tmp_path: Path, at: int, bit: int) -> None:
    one(tmp_path, flipped(WHOLE, at, bit))
