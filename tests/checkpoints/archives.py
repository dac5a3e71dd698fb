"""Archives as `torch.save` writes them, made of a pickle and storages: for what no fixture has."""

from __future__ import annotations

import struct
import zlib

ALIGNMENT = 64


def archive(
    pickle: bytes,
    storages: dict[str, bytes] | None = None,
    root: str = "archive",
    method: int = 0,
    version: bytes = b"3\n",
) -> bytes:
    """miniz's form: nothing compressed, descriptors behind the data, padding in the extra field, ZIP64 at the end."""
    members = {"data.pkl": pickle, "byteorder": b"little", "version": version}
    members |= {f"data/{key}": body for key, body in (storages or {}).items()}
    out, directory = bytearray(), bytearray()
    for name, body in members.items():
        full, offset, crc = f"{root}/{name}".encode(), len(out), zlib.crc32(body)
        padding = -(offset + 30 + len(full) + 4) % ALIGNMENT
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        out += struct.pack("<4s5H3L2H", b"PK\x03\x04", 0, 0x808, method, 0, 0, 0, 0, 0, len(full), len(extra))
        out += full + extra + body + struct.pack("<4s3L", b"PK\x07\x08", crc, len(body), len(body))
        fixed = (b"PK\x01\x02", 0, 0, 0x808, method, 0, 0, crc, len(body), len(body), len(full), 0, 0, 0, 0, 0, offset)
        directory += struct.pack("<4s6H3L5H2L", *fixed) + full
    return bytes(out) + ended(bytes(directory), len(members), len(out))


def ended(directory: bytes, count: int, start: int) -> bytes:
    """The directory and what follows it."""
    end = start + len(directory)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 0x031E, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    narrow = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)
    return directory + wide + locator + narrow
