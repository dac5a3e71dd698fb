"""The checksums that S3 keeps of objects, as fast as this machine computes them.

awscrt is AWS's own library of them: faster than memory is read, and what it made of neighbouring ranges it joins. Where
it is not installed (`pip install 'pilotlight[content]'`; a Lambda function has what its runtime has) the standard
library serves, and its two gaps are filled by Python, which is only for small objects: `bytes_max` says how small.
Source: S3 User Guide, "Checking object integrity".
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pilotlight.runtime.checkpoints.encodings.crc32c import crc32c

CHECKSUMS = ("CRC64NVME", "SHA256", "SHA1", "CRC32C", "CRC32")
"""As S3 names them, the strongest evidence first."""
MD5 = "MD5"
"""What entity tags are made of."""
PYTHON_BYTES_MAX = 8 * 1024 * 1024
"""One or two seconds of Python."""
BYTES_MAX = 50 * 1024**4
"""More than S3 takes (50 TB an object)."""


class Running(Protocol):
    """A checksum that is being made; hashlib's objects are."""

    def update(self, data: bytes, /) -> None:
        """Of these bytes, too."""
        ...

    def digest(self) -> bytes:
        """Of all bytes until now, as S3 encodes it: big-endian."""
        ...


@dataclass(frozen=True)
class Algorithm:
    """One of `CHECKSUMS`, or MD5."""

    name: str
    start: Callable[[], Running]
    join: Callable[[bytes, bytes, int], bytes] | None = None
    """(digest, digest of what follows, how many bytes follow) -> digest of both; None where only order makes it."""
    bytes_max: int = BYTES_MAX
    """Larger objects take too long."""

    def of(self, data: bytes) -> bytes:
        """Of these bytes."""
        made = self.start()
        made.update(data)
        return made.digest()


Function = Callable[[bytes, int], int]


class _Crc:
    """A function of bytes and of what was made of the bytes before them, as a hash."""

    def __init__(self, function: Function, size: int) -> None:
        self._function, self._size, self._value = function, size, 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@functools.cache
def algorithms(fast: bool = True) -> dict[str, Algorithm]:
    """Name -> algorithm; not `fast`: without awscrt, wherever it is installed."""
    library = _installed() if fast else None
    hashes: dict[str, Callable[[], Running]] = {
        "SHA256": hashlib.sha256,
        "SHA1": functools.partial(hashlib.sha1, usedforsecurity=False),
        MD5: functools.partial(hashlib.md5, usedforsecurity=False),
    }
    found = {name: Algorithm(name, start) for name, start in hashes.items()}
    sizes = {"CRC64NVME": 8, "CRC32C": 4, "CRC32": 4}
    return found | {name: _crc(name, size, library) for name, size in sizes.items()}


def _crc(name: str, size: int, library: Any) -> Algorithm:
    if library is None:
        function: Function = {"CRC64NVME": crc64nvme, "CRC32C": crc32c, "CRC32": zlib.crc32}[name]
        limit = BYTES_MAX if function is zlib.crc32 else PYTHON_BYTES_MAX
        return Algorithm(name, functools.partial(_Crc, function, size), bytes_max=limit)
    combine = getattr(library, f"combine_{name.lower()}")

    def join(first: bytes, second: bytes, follow: int) -> bytes:
        joined: int = combine(int.from_bytes(first, "big"), int.from_bytes(second, "big"), follow)
        return joined.to_bytes(size, "big")

    return Algorithm(name, functools.partial(_Crc, getattr(library, name.lower()), size), join)


def _installed() -> Any:
    """awscrt's functions; None where it is not installed, or is older than those that join."""
    try:
        from awscrt import checksums
    except ImportError:
        return None
    return checksums if hasattr(checksums, "combine_crc64nvme") else None


def crc64nvme(data: bytes, crc: int = 0) -> int:
    """CRC-64/NVME (NVM Express NVM Command Set Specification 1.0c, 5.2.1.3.4): reflected, polynomial
    0xAD93D23594C93659. About 10 MB a second."""
    table = _table()
    crc ^= 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFFFFFFFFFF


@functools.cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x9A6C9329AC4BC9B5 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)
