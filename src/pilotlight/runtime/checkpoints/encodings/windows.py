"""A file read from its beginning by few ranged reads: fields one after the other, large values left out.

What is read grows while fields follow each other, and begins small behind a value that was left out: little more is
read than is looked at, in few requests. Every length is held against the end before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from pilotlight.runtime.checkpoints.format import BudgetSpent, Damaged, File, Reader

FIRST_READ_BYTES = 4096
JUMP_READ_BYTES = 256
READ_BYTES_MAX = 512 * 1024


class Window:
    """`position` is where the next field begins; nothing beyond `end` belongs to it."""

    def __init__(self, file: File, reader: Reader, start: int = 0, end: int | None = None) -> None:
        self.file, self._reader = file, reader
        self.position, self.end = start, file.size if end is None else min(end, file.size)
        self._data, self._at = b"", start
        self._next = FIRST_READ_BYTES

    @classmethod
    def over(cls, data: bytes) -> Window:
        """The same over bytes that were read already."""
        return cls(File("", len(data)), _Held(data))

    def take(self, count: int) -> bytes:
        """So many bytes, and on."""
        start = self._advanced(count) - self._at
        if not 0 <= start <= len(self._data) - count:
            self._fill(count)
            start = 0
        return self._data[start : start + count]

    def skip(self, count: int) -> None:
        """On, without reading."""
        self._advanced(count)

    def byte(self) -> int:
        """The next byte as a number."""
        return self.take(1)[0]

    def _advanced(self, count: int) -> int:
        """Where the field begins, now that the position is behind it."""
        start = self.position
        if not 0 <= count <= self.end - start:
            raise Damaged(f"claims {count} bytes at {start}, it ends at {self.end}")
        self.position = start + count
        return start

    def _fill(self, count: int) -> None:
        """Have at least the bytes that were just taken; what is there already is kept."""
        start = self.position - count
        offset = start - self._at
        kept = self._data[offset:] if 0 <= offset <= len(self._data) else None
        if kept is None:
            kept, self._next = b"", JUMP_READ_BYTES
        begin = start + len(kept)
        wanted = self.position - begin
        self._data, self._at = kept + self._read(begin, wanted), start

    def _read(self, begin: int, wanted: int) -> bytes:
        """More than is wanted now, unless the budget ends before it."""
        ahead = min(max(wanted, self._next), self.end - begin)
        self._next = min(2 * max(self._next, FIRST_READ_BYTES // 2), READ_BYTES_MAX)
        try:
            return self._reader.read_range(self.file, begin, ahead)
        except BudgetSpent:
            return self._reader.read_range(self.file, begin, wanted)


class _Held:
    """Bytes as a Reader."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def files(self) -> Iterator[File]:
        """See Reader.files."""
        return iter(())

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range."""
        return self._data[start : start + length]
