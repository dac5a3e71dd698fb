"""Where checkpoints are read from: a prefix of a bucket, through the door, or a local folder.

Both read a file only as it was listed: S3 by its entity tag (`IfMatch`), so that a checkpoint overwritten meanwhile is
an unreadable one and not a mixture of two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.checkpoints.format import File, Unreadable
from pilotlight.errors import CallRefused

if TYPE_CHECKING:
    from pilotlight.cloud.door import Door


class BucketReader:
    """Files below s3://bucket/prefix, in one region; keys are relative to the prefix."""

    def __init__(self, door: Door, region: str, bucket: str, prefix: str = "") -> None:
        self._door, self._region, self.bucket, self.prefix = door, region, bucket, prefix

    def files(self) -> Iterator[File]:
        """See Reader.files; folder markers (empty keys ending in /) are no files."""
        pages = self._door.pages("s3", "list_objects_v2", self._region, Bucket=self.bucket, Prefix=self.prefix)
        for page in pages:
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    yield _file(item, self.prefix)

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range."""
        where = {"Bucket": self.bucket, "Key": self.prefix + file.key, "Range": f"bytes={start}-{start + length - 1}"}
        condition = {"IfMatch": file.etag} if file.etag else {}
        try:
            body: bytes = self._door.call("s3", "get_object", self._region, **where, **condition)["Body"]
        except CallRefused as refusal:
            raise Unreadable(f"cannot be read: {refusal.facts['reason']}") from refusal
        return body


def _file(item: dict[str, object], prefix: str) -> File:
    modified = item.get("LastModified")
    return File(
        key=str(item["Key"]).removeprefix(prefix),
        size=int(str(item["Size"])),
        etag=str(item.get("ETag", "")),
        modified_at=modified.isoformat() if modified is not None and hasattr(modified, "isoformat") else "",
    )


class FolderReader:
    """Files below a local folder; links that lead out of it are not followed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def files(self) -> Iterator[File]:
        """See Reader.files."""
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and path.resolve().is_relative_to(self._folder):
                yield File(path.relative_to(self._folder).as_posix(), path.stat().st_size)

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range."""
        try:
            with (self._folder / file.key).open("rb") as opened:
                opened.seek(start)
                return opened.read(length)
        except OSError as problem:
            raise Unreadable(f"cannot be read: {problem.strerror}") from problem
