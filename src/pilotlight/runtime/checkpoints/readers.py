"""Where checkpoints are read from: a prefix of a bucket, through the AWS client, or a local folder.

Both read a file only as it was listed: S3 by its entity tag (`IfMatch`), so that a checkpoint overwritten meanwhile is
an unreadable one and not a mixture of two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.checkpoints.format import UNDECIDED, File, Undecided, Unreadable
from pilotlight.runtime.errors import CallRefused

if TYPE_CHECKING:
    from pilotlight.runtime.aws.client import AwsClient

CHANGED = ("PreconditionFailed", "InvalidRange")
"""S3 API reference, GetObject: another entity tag than the one that was listed, or fewer bytes."""


class BucketReader:
    """Files below s3://bucket/prefix, in one region; keys are relative to the prefix. What is gone or was overwritten
    since it was listed is unreadable; any other refusal (a key, a permission) says nothing of the file."""

    def __init__(self, client: AwsClient, region: str, bucket: str, prefix: str = "") -> None:
        self._client, self._region, self.bucket, self.prefix = client, region, bucket, prefix

    def files(self) -> Iterator[File]:
        """See Reader.files; folder markers (empty keys ending in /) are no files."""
        pages = self._client.pages("s3", "list_objects_v2", self._region, Bucket=self.bucket, Prefix=self.prefix)
        for page in pages:
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    yield _file(item, self.prefix)

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range."""
        where = {"Bucket": self.bucket, "Key": self.prefix + file.key, "Range": f"bytes={start}-{start + length - 1}"}
        condition = {"IfMatch": file.etag} if file.etag else {}
        try:
            body: bytes = self._client.call("s3", "get_object", self._region, **where, **condition)["Body"]
        except CallRefused as refusal:
            said = f"cannot be read: {refusal.facts['reason']}"
            if says_absent(refusal) or aws_code(refusal) in CHANGED:
                raise Unreadable(said) from refusal
            raise Undecided(f"{UNDECIDED}: {said}") from refusal
        return body


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
        """See Reader.files; a link that leads nowhere is a file of no bytes."""
        for path in [self._folder / self._only] if self._only else sorted(self._folder.rglob("*")):
            if path.is_file() or (path.is_symlink() and not path.is_dir()):
                size = path.stat().st_size if path.exists() else 0
                refused = LEADS_OUT if self._leads_out(path) else ""
                yield File(path.relative_to(self._folder).as_posix(), size, refused=refused)

    def _leads_out(self, path: Path) -> bool:
        target = path.resolve()
        allowed = [self._folder, *([self._blobs.resolve()] if self._blobs else [])]
        return not any(target.is_relative_to(each) for each in allowed)

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range."""
        if file.refused:
            raise Unreadable(file.refused)
        try:
            with (self._folder / file.key).open("rb") as opened:
                opened.seek(start)
                return opened.read(length)
        except FileNotFoundError as problem:
            raise Unreadable(f"cannot be read: {problem.strerror}") from problem
        except OSError as problem:
            raise Undecided(f"{UNDECIDED}: cannot be read: {problem.strerror}") from problem
