"""Manifests: what a dataset's part of a point consists of, object by object, so that it can be read again later.

One line an object, `[key, version, size, entity tag]` as the standby bucket has them, in the order of the keys,
gzipped. Named by the digest of its lines: while a dataset stays the same, all its points share one manifest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, cast

from pilotlight.runtime.kinds.buckets.listing import Current
from pilotlight.runtime.naming import RECORD_MANIFESTS

OBJECTS_MAX = 1_000_000
"""A list of as many is some tens of megabytes in the vault; a larger dataset is counted, not listed."""
LATER = "whether they are still there later cannot be told by `pilotlight points verify`"
MEMORY_BYTES_MAX = 8 * 1024 * 1024
"""What is longer waits on disk until it is written."""
LINES_BYTES_MAX = 256 * 1024
"""Of each range of keys; there are up to a hundred."""


class Lines:
    """Those of one range of keys."""

    def __init__(self) -> None:
        self._file = cast(IO[bytes], tempfile.SpooledTemporaryFile(LINES_BYTES_MAX))  # noqa: SIM115 - read by whoever takes them
        self.objects = 0

    def add_all(self, items: Iterable[Current]) -> None:
        """Objects of the standby bucket, in the order of their keys."""
        for item in items:
            self.objects += 1
            if self.objects <= OBJECTS_MAX:
                self._file.write(_line(item))

    def read(self) -> Iterator[bytes]:
        """All of them, once."""
        self._file.seek(0)
        with self._file:
            yield from self._file


class Manifest:
    """Collects the lines of one asset as they stream by."""

    def __init__(self, asset: str) -> None:
        self._asset = asset
        self._file = cast(IO[bytes], tempfile.SpooledTemporaryFile(MEMORY_BYTES_MAX))  # noqa: SIM115 - `body` gives it away
        self._lines = gzip.GzipFile(fileobj=self._file, mode="wb", mtime=0)
        self._digest = hashlib.sha256()
        self.objects = 0

    def add(self, item: Current) -> None:
        """One object of the standby bucket, behind those that were added."""
        self.objects += 1
        if self.objects <= OBJECTS_MAX:
            self._write(_line(item))

    def take(self, lines: Lines) -> None:
        """Those of the next range of keys."""
        self.objects += lines.objects
        if self.objects <= OBJECTS_MAX:
            for line in lines.read():
                self._write(line)

    def _write(self, line: bytes) -> None:
        self._digest.update(line)
        self._lines.write(line)

    @property
    def key(self) -> str:
        """Where it is kept in the vault; empty for a dataset that is too large to be listed."""
        if self.objects > OBJECTS_MAX:
            return ""
        return f"{RECORD_MANIFESTS}{self._asset}/{self._digest.hexdigest()}.jsonl.gz"

    @property
    def unlisted(self) -> str:
        """What a point says of a dataset that is too large to be listed; empty for any other."""
        if self.objects <= OBJECTS_MAX:
            return ""
        return f"its {self.objects} objects are proven now and not listed, which {OBJECTS_MAX} at most are; {LATER}"

    def body(self) -> IO[bytes]:
        """Its bytes, from the beginning; nothing can be added any more."""
        self._lines.close()
        self._file.seek(0)
        return self._file


def _line(item: Current) -> bytes:
    return json.dumps([item.key, item.version, item.size, item.etag]).encode() + b"\n"


def lines(body: IO[bytes]) -> Iterator[Current]:
    """The objects of a manifest, one at a time."""
    with gzip.open(body, "rb") as opened:
        for line in opened:
            key, version, size, etag = json.loads(line)
            yield Current(key, version, 0.0, size, etag)
