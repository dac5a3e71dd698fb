"""What a user loses when one of these fails: a JAX model with a part of an array missing, or a sound one refused."""

from __future__ import annotations

import json
import struct

import pytest
from layouts import FIXTURES, Files, Kept, written

from pilotlight.runtime.checkpoints.format import UNDECIDED, Verdict
from pilotlight.runtime.checkpoints.formats import zarr
from pilotlight.runtime.checkpoints.verify import find, verify, verify_all

STEP = "20/"
KERNEL = f"{STEP}layer.kernel/"


@pytest.fixture
def files() -> Files:
    return {
        name: body for name, body in written(FIXTURES / "corpus" / "orbax-tree-without-ocdbt").items() if STEP in name
    }


def verdict(files: Files) -> Verdict:
    (found,) = verify_all(Kept(files))
    return found


def described(files: Files, **changes: object) -> Files:
    """The kernel's description, changed."""
    told = json.loads(files[KERNEL + zarr.DESCRIPTION]) | changes
    return files | {KERNEL + zarr.DESCRIPTION: json.dumps(told, separators=(",", ":")).encode()}


def tree(files: Files, **changes: object) -> Files:
    told = json.loads(files[f"{STEP}_METADATA"]) | changes
    return files | {f"{STEP}_METADATA": json.dumps(told).encode()}


def said(files: Files) -> dict[str, str]:
    return {each.file: each.what for each in verdict(files).problems}


def frame(blocks: int) -> bytes:
    """One zstd frame of so many stored blocks of 128 KiB."""
    body = b"".join(
        struct.pack("<I", (number == blocks - 1) | 131072 << 3)[:3] + bytes(131072) for number in range(blocks)
    )
    return b"\x28\xb5\x2f\xfd" + bytes([0b10100000]) + struct.pack("<I", blocks * 131072) + body


def test_an_array_that_is_not_packed_is_as_long_as_its_shape_says(files: Files) -> None:
    plain = described(files, compressor=None)
    assert "32 for each part" in said(plain)["layer.kernel/0.0"]
    assert verdict(plain | {KERNEL + "0.0": bytes(32)}).complete


def test_every_part_of_the_grid_has_to_be_there_and_no_other(files: Files) -> None:
    parts = described(files, chunks=[2, 2], compressor=None)
    assert said(parts | {KERNEL + "0.0": bytes(16)}) == {"layer.kernel/1.0": "missing: a part of the array"}
    assert verdict(parts | {KERNEL + "0.0": bytes(16), KERNEL + "1.0": bytes(16)}).complete
    assert "foreign" in said(files | {KERNEL + "0.1": bytes(16)})["layer.kernel/0.1"]


def test_where_parts_of_zeros_are_left_out_one_that_lacks_is_called_neither_lost_nor_whole(files: Files) -> None:
    """TensorStore leaves them out by default: a bucket that lost one looks the same."""
    older = tree(files, store_array_data_equal_to_fill_value=False)
    assert verdict(older).complete, "all are there"
    del older[KERNEL + "0.0"]
    assert "nothing tells which" in said(older)["layer.kernel/0.0"] and not verdict(older).complete


def test_a_description_of_very_many_parts_names_few_and_counts_the_rest(files: Files) -> None:
    many = described(files, shape=[900_000, 1], chunks=[1, 1])
    found = verdict(many).problems
    assert len(found) < 30 and any("parts more" in each.what for each in found)
    assert "too many" in said(described(files, shape=[10**9, 10**9], chunks=[1, 1]))["layer.kernel/.zarray"]


@pytest.mark.parametrize(
    "changes",
    [
        {"zarr_format": 3},
        {"shape": "4"},
        {"shape": [4]},
        {"chunks": [0, 2]},
        {"dtype": 7},
        {"dtype": "|V"},
        {"shape": None},
    ],
)
def test_a_description_that_is_not_known_is_said_so(files: Files, changes: dict[str, object]) -> None:
    assert "layer.kernel/.zarray" in said(described(files, **changes))


def test_another_compressor_is_not_guessed_at(files: Files) -> None:
    assert "cannot be judged" in said(described(files, compressor={"id": "blosc"}))["layer.kernel/0.0"]


def test_very_many_blocks_are_undecided_until_everything_may_be_read(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zarr, "BLOCKS_MAX", 3)
    large = described(files, shape=[8, 32768], chunks=[8, 32768]) | {KERNEL + "0.0": frame(8)}
    (found,) = find(Kept(large))
    few = verify(found, Kept(large))
    assert not few.complete and few.undecided and few.problems[0].what.startswith(UNDECIDED)
    assert verify(found, Kept(large), least=found.candidate.bytes_total).complete
    torn = large | {KERNEL + "0.0": frame(8)[:-1]}
    (found,) = find(Kept(torn))
    assert not verify(found, Kept(torn), least=found.candidate.bytes_total).complete
