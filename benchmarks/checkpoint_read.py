"""How much of a checkpoint is read to judge it: a 10 GB safetensors file, as a share of what the limit allows.

The file is sparse: its header is real, its tensors are holes. Peer: reading it whole, as hashing would.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from pilotlight.checkpoints.format import BYTES_READ_MIN
from pilotlight.checkpoints.readers import FolderReader
from pilotlight.checkpoints.verify import verify_all

BYTES = 10 * 1000**3
TENSORS = 400


def write_sparse(path: Path, total: int = BYTES, tensors: int = TENSORS) -> None:
    """A file of so many bytes, with a header for as many tensors of equal size."""
    rows = total // tensors // (4096 * 2)
    size = rows * 4096 * 2
    header = {
        f"model.layers.{number}.mlp.weight": {
            "dtype": "BF16",
            "shape": [rows, 4096],
            "data_offsets": [number * size, (number + 1) * size],
        }
        for number in range(tensors)
    }
    body = json.dumps(header).encode()
    with path.open("wb") as opened:
        opened.write(len(body).to_bytes(8, "little") + body)
        opened.truncate(8 + len(body) + tensors * size)


def main() -> int:
    """Print bytes read, as ratios to the limit and to the whole."""
    with tempfile.TemporaryDirectory() as folder:
        write_sparse(Path(folder) / "model.safetensors")
        began = time.perf_counter()
        (verdict,) = verify_all(FolderReader(Path(folder)))
        seconds = time.perf_counter() - began
    print(f"checkpoint   {verdict.bytes_total:>14,} bytes, {'complete' if verdict.complete else 'NOT complete'}")
    print(f"read         {verdict.bytes_read:>14,} bytes in {seconds * 1000:.0f} ms")
    print(f"to the limit {verdict.bytes_read / BYTES_READ_MIN:>14.3f} of 1 MiB")
    print(f"to the whole {verdict.bytes_read / verdict.bytes_total:>14.7f}")
    return 0 if verdict.complete and verdict.bytes_read < BYTES_READ_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
