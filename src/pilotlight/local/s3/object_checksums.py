"""Checksums and parts of objects, as HEAD and copies tell them; moto's GET tells them, too.

moto's HEAD leaves out whether a checksum is of the whole object or of its parts, knows no parts of replicas, and its
copies in one part keep the checksum of the source's parts. S3 User Guide, "Checking object integrity": a checksum of
parts ends with how many they are, and an object that CopyObject made has one of all its bytes. S3 API reference,
HeadObject, `partNumber`: the size of that part, and how many there are.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import S3Backend
from moto.s3.responses import S3Response
from moto.s3.utils import compute_checksum

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override
from pilotlight.local.s3.replicas import part_sizes

COMPOSITE = "COMPOSITE"
WHOLE = "FULL_OBJECT"


class ObjectChecksums(Behaviour):
    """Says of what a checksum is."""

    name = "object checksums"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        head, copy = original(S3Response, "head_object"), original(S3Backend, "copy_object")

        def head_object(
            response: Any, bucket_name: str, query: dict[str, Any], key_name: str, headers: dict[str, Any]
        ) -> Any:
            part = int(query.get("partNumber", ["0"])[0])
            asked = {name: value for name, value in query.items() if name != "partNumber"}
            status, told, body = head(response, bucket_name, asked if part else query, key_name, headers)
            if status == 200:
                version = query.get("versionId", [None])[0]
                found = response.backend.get_object(bucket_name, key_name, version)
                told |= _of_part(found, part) if part else _of_whole(found, told)
                status = 206 if part else status
            return status, told, body

        def copy_object(
            backend: Any, src_key: Any, dest_bucket_name: str, dest_key_name: str, *given: Any, **more: Any
        ) -> None:
            copy(backend, src_key, dest_bucket_name, dest_key_name, *given, **more)
            made = backend.get_object(dest_bucket_name, dest_key_name)
            if src_key.checksum_type == COMPOSITE and src_key.checksum_value:
                made.checksum_value = compute_checksum(made.value, src_key.checksum_algorithm).decode()
            made.checksum_type = WHOLE if made.checksum_value else None

        override(S3Response, head_object=head_object)
        override(S3Backend, copy_object=copy_object)


def _of_whole(version: Any, told: dict[str, Any]) -> dict[str, Any]:
    name = f"x-amz-checksum-{(version.checksum_algorithm or '').lower()}"
    if not told.get(name):
        return {}
    covers = version.checksum_type or WHOLE
    value = f"{version.checksum_value}-{version.checksum_parts}" if covers == COMPOSITE else version.checksum_value
    return {name: value, "x-amz-checksum-type": covers}


def _of_part(version: Any, number: int) -> dict[str, Any]:
    sizes = part_sizes(version)
    if not sizes:
        return {}
    size, before = sizes[number - 1], sum(sizes[: number - 1])
    return {
        "content-length": str(size),
        "content-range": f"bytes {before}-{before + size - 1}/{sum(sizes)}",
        "x-amz-mp-parts-count": str(len(sizes)),
    }
