"""Where checkpoints are read from: a prefix of a bucket, through the AWS client, or a local folder.

Both read a file only as it was listed: S3 by its entity tag (`IfMatch`), so that a checkpoint overwritten meanwhile is
an unreadable one and not a mixture of two.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.aws.pages import OBJECTS
from pilotlight.runtime.checkpoints.format import UNDECIDED, File, Undecided, Unreadable
from pilotlight.runtime.errors import CallRefused

if TYPE_CHECKING:
    from pilotlight.runtime.aws.client import AwsClient

CHANGED = ("PreconditionFailed", "InvalidRange")
"""S3 API reference, GetObject: another entity tag than the one that was listed, or fewer bytes."""


class BucketReader:
    """Files below s3://bucket/prefix, in one region; keys are relative to the prefix. What is gone or was overwritten
    since it was listed is unreadable; any other refusal (a key, a permission) says nothing of the file."""

    waits = True
    """Each reading is waited for, so many are begun at once."""

    def __init__(self, client: AwsClient, region: str, bucket: str, prefix: str = "") -> None:
        self._client, self._region, self.bucket, self.prefix = client, region, bucket, prefix

    def files(self) -> Iterator[File]:
        """See Reader.files; folder markers (empty keys ending in /) are no files."""
        return (file for files, _ in self.pages() for file in files)

    def pages(self, folder: str = "") -> Iterator[tuple[list[File], bool]]:
        """Every file below a folder, page by page, as far as they are consumed; and whether more follow."""
        for page in self._client.pages("s3", OBJECTS, self._region, Bucket=self.bucket, Prefix=self.prefix + folder):
            yield self._files_of(page), bool(page.get("IsTruncated"))

    def folder(self, path: str) -> tuple[list[File], list[str]]:
        """What lies directly in a folder: its files, and the paths of the folders in it, below the reader's root."""
        files, folders = list[File](), list[str]()
        where = {"Bucket": self.bucket, "Prefix": self.prefix + path, "Delimiter": "/"}
        for page in self._client.pages("s3", OBJECTS, self._region, **where):
            files += self._files_of(page)
            folders += [str(each["Prefix"]).removeprefix(self.prefix) for each in page.get("CommonPrefixes", [])]
        return files, folders

    def _files_of(self, page: dict[str, Any]) -> list[File]:
        return [_file(item, self.prefix) for item in page.get("Contents", []) if not item["Key"].endswith("/")]

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range."""
        where = {"Bucket": self.bucket, "Key": self.prefix + file.key, "Range": f"bytes={start}-{start + length - 1}"}
        condition = ({"IfMatch": file.etag} if file.etag else {}) | self.which(file)
        try:
            body: bytes = self._client.call("s3", "get_object", self._region, **where, **condition)["Body"]
        except CallRefused as refusal:
            said = f"cannot be read: {refusal.facts['reason']}"
            if says_absent(refusal) or aws_code(refusal) in CHANGED:
                raise Unreadable(said) from refusal
            raise Undecided(f"{UNDECIDED}: {said}") from refusal
        return body

    def which(self, file: File) -> dict[str, str]:
        """What of GetObject names the version that was listed; nothing where that is the current one."""
        return {}


def _file(item: dict[str, object], prefix: str) -> File:
    modified = item.get("LastModified")
    return File(
        key=str(item["Key"]).removeprefix(prefix),
        size=int(str(item["Size"])),
        etag=str(item.get("ETag", "")),
        modified_at=modified.isoformat() if modified is not None and hasattr(modified, "isoformat") else "",
    )


LEADS_OUT = "is a link that leads out of the folder, and is not followed"


class FolderReader:
    """Files below a local folder, or one file alone. Links that lead out of it are listed and not followed, but for
    those of a Hugging Face cache (huggingface_hub, file_download.py: `snapshots/<revision>/<name>` links to
    `blobs/<hash>`)."""

    def __init__(self, place: Path) -> None:
        self._only = place.name if place.is_file() else ""
        self._folder = (place.parent if self._only else place).resolve()
        self._blobs = self._folder.parent.parent / "blobs" if self._folder.parent.name == "snapshots" else None

    def files(self) -> Iterator[File]:
        """See Reader.files, folder by folder in the order of names; a link that leads nowhere is a file of no bytes."""
        with os.scandir(self._folder) as entries:
            found = [each for each in entries if not self._only or each.name == self._only]
        yield from self._listed(found, "")

    def _listed(self, entries: list[os.DirEntry[str]], below: str) -> Iterator[File]:
        for entry in sorted(entries, key=lambda each: each.name):
            key = below + entry.name
            if entry.is_dir(follow_symlinks=False):
                with os.scandir(entry.path) as inside:
                    found = list(inside)
                yield from self._listed(found, f"{key}/")
            elif entry.is_symlink():
                if not entry.is_dir():
                    link = Path(entry.path)
                    size = link.stat().st_size if link.exists() else 0
                    yield File(key, size, refused=LEADS_OUT if self._leads_out(link) else "")
            elif entry.is_file():
                yield File(key, entry.stat().st_size)

    def _leads_out(self, link: Path) -> bool:
        """Only links can: folders that are links are not gone into."""
        target = link.resolve()
        allowed = [self._folder, *([self._blobs.resolve()] if self._blobs else [])]
        return not any(target.is_relative_to(each) for each in allowed)

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range."""
        if file.refused:
            raise Unreadable(file.refused)
        try:
            opened = os.open(f"{self._folder}/{file.key}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                return _read(opened, start, length)
            finally:
                os.close(opened)
        except FileNotFoundError as problem:
            raise Unreadable(f"cannot be read: {problem.strerror}") from problem
        except OSError as problem:
            raise Undecided(f"{UNDECIDED}: cannot be read: {problem.strerror}") from problem


def _read(opened: int, start: int, length: int) -> bytes:
    """So many bytes, or those that there are; one call of the system may give fewer."""
    found = os.pread(opened, length, start)
    if len(found) == length or not found:
        return found
    pieces = [found]
    while found and length > (got := sum(map(len, pieces))):
        pieces.append(found := os.pread(opened, length - got, start + got))
    return b"".join(pieces)
