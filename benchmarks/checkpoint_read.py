"""How much of a checkpoint of 10 GB is read to judge it: safetensors in one file and in eight, GGUF, torch.save.

The files are sparse: what describes them is real, the tensors are holes. Limit: 1 MiB, or 0.1 % of the bytes where that
is more. Peer: reading it whole, as hashing would.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import verify_all

BYTES = 10 * 1000**3
TENSORS, SHARDS = 400, 8
COLUMNS = 4096


def safetensors(path: Path, total: int, tensors: range) -> None:
    """A file of so many bytes, with a header for as many tensors of equal size."""
    rows = total // len(tensors) // (COLUMNS * 2)
    size = rows * COLUMNS * 2
    header = {
        _tensor(number): {
            "dtype": "BF16",
            "shape": [rows, COLUMNS],
            "data_offsets": [place * size, (place + 1) * size],
        }
        for place, number in enumerate(tensors)
    }
    body = json.dumps(header).encode()
    with path.open("wb") as opened:
        opened.write(len(body).to_bytes(8, "little") + body)
        opened.truncate(8 + len(body) + len(tensors) * size)


def _tensor(number: int) -> str:
    return f"model.layers.{number}.mlp.weight"


def one_file(folder: Path) -> None:
    """safetensors."""
    safetensors(folder / "model.safetensors", BYTES, range(TENSORS))


def eight_files(folder: Path) -> None:
    """safetensors with an index."""
    each = TENSORS // SHARDS
    names = [f"model-{number + 1:05d}-of-{SHARDS:05d}.safetensors" for number in range(SHARDS)]
    for number, name in enumerate(names):
        safetensors(folder / name, BYTES // SHARDS, range(number * each, (number + 1) * each))
    index = {"metadata": {}, "weight_map": {_tensor(number): names[number // each] for number in range(TENSORS)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def gguf(folder: Path) -> None:
    """One file of GGUF, BF16 (ggml's type 30), aligned to 32 bytes."""
    rows = BYTES // TENSORS // (COLUMNS * 2)
    size = rows * COLUMNS * 2
    table = b""
    for number in range(TENSORS):
        name = _tensor(number).encode()
        table += struct.pack("<Q", len(name)) + name + struct.pack("<I2QIQ", 2, COLUMNS, rows, 30, number * size)
    head = b"GGUF" + struct.pack("<IQQ", 3, TENSORS, 0) + table
    with (folder / "model.gguf").open("wb") as opened:
        opened.write(head + bytes(-len(head) % 32))
        opened.truncate(opened.tell() + TENSORS * size)


class _Storage:
    """What a storage is called in the pickle."""

    def __init__(self, key: str, elements: int) -> None:
        self.id = (key, elements)


class _Pickler(pickle._Pickler):  # the one in Python can be told how a name is written
    def persistent_id(self, value: object) -> object:
        return ("storage", _Storage, value.id[0], "cpu", value.id[1]) if isinstance(value, _Storage) else None

    def save_global(self, obj: object, name: str | None = None) -> None:
        self.write(b"ctorch\nFloatStorage\n")


def torch_archive(folder: Path) -> None:
    """One archive of torch.save: a member for each storage, uncompressed, ZIP64."""
    size = BYTES // TENSORS // 4 * 4
    described = io.BytesIO()
    _Pickler(described, protocol=2).dump({_tensor(n): _Storage(str(n), size // 4) for n in range(TENSORS)})
    small = {"data.pkl": described.getvalue(), "byteorder": b"little", "version": b"3\n"}
    directory, count = bytearray(), 0
    with (folder / "model.pt").open("wb") as opened:
        for name, body in [*small.items(), *((f"data/{number}", None) for number in range(TENSORS))]:
            full, at, count = f"archive/{name}".encode(), opened.tell(), count + 1
            crc, length = (zlib.crc32(body), len(body)) if body is not None else (0, size)
            padding = -(at + 30 + len(full) + 4) % 64
            extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
            opened.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", 0, 0x808, 0, 0, 0, 0, 0, 0, len(full), len(extra)))
            opened.write(full + extra + (body or b""))
            opened.seek(length if body is None else 0, 1)
            opened.write(struct.pack("<4s3L", b"PK\x07\x08", crc, length, length))
            wide = struct.pack("<2HQ", 1, 8, at) if at >= 2**32 else b""
            where = at if not wide else 2**32 - 1
            fixed = (b"PK\x01\x02", 0, 0, 0x808, 0, 0, 0, crc, length, length, len(full), len(wide), 0, 0, 0, 0, where)
            directory += struct.pack("<4s6H3L5H2L", *fixed) + full + wide
        start = opened.tell()
        end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 0x031E, 45, 0, 0, count, count, len(directory), start)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
        narrow = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), 2**32 - 1, 0)
        opened.write(bytes(directory) + end + locator + narrow)


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "safetensors": one_file,
    "safetensors, 8 files": eight_files,
    "gguf": gguf,
    "torch.save": torch_archive,
}


def main() -> int:
    """Print bytes read, as ratios to the limit and to the whole."""
    kept = True
    for name, write in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            began = time.perf_counter()
            (verdict,) = verify_all(FolderReader(Path(folder)))
            seconds = time.perf_counter() - began
        state = "complete" if verdict.complete else f"NOT complete: {verdict.problems[0]}"
        limit = verdict.bytes_read / max(BYTES_READ_MIN, verdict.bytes_total / 1000)
        print(f"{name:<22}{verdict.bytes_total:>14,} bytes, {state}")
        print(f"  read{verdict.bytes_read:>30,} bytes in {seconds * 1000:.0f} ms")
        print(f"  {verdict.bytes_read / BYTES_READ_MIN:.3f} of 1 MiB, {limit:.4f} of the limit,", end=" ")
        print(f"{verdict.bytes_read / verdict.bytes_total:.7f} of the whole")
        kept = kept and verdict.complete and verdict.bytes_read < BYTES_READ_MIN
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
