"""Copies, and uploads in parts, on condition that their key is what the caller says.

moto knows conditions of plain writes and of deletions.

S3 User Guide, "How to prevent object overwrites with conditional writes": CopyObject and CompleteMultipartUpload take
`If-Match` with an ETag and `If-None-Match` with `*`. Where the condition does not hold the answer is 412; where
there is nothing, or a delete marker, `If-Match` is answered with 404.
"""

from __future__ import annotations

from typing import Any

from moto.s3.exceptions import MissingKey, PreconditionFailed
from moto.s3.responses import S3Response

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override


class ConditionalWrites(Behaviour):
    """Looks at the conditions before moto writes."""

    name = "conditional writes"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        copy, post = original(S3Response, "copy_object"), original(S3Response, "_key_response_post")

        def copy_object(response: Any) -> Any:
            _require(response, response.parse_key_name())
            return copy(response)

        def key_response_post(
            response: Any, request: Any, body: bytes, bucket_name: str, query: dict[str, Any], key_name: str
        ) -> Any:
            if query.get("uploadId"):
                _require(response, key_name)
            return post(response, request, body, bucket_name, query, key_name)

        override(S3Response, copy_object=copy_object, _key_response_post=key_response_post)


def _require(response: Any, key: str) -> None:
    match, none = response.headers.get("If-Match"), response.headers.get("If-None-Match")
    if not match and not none:
        return
    there = response.backend.get_object(response.bucket_name, key)
    if none and there is not None:
        raise PreconditionFailed("If-None-Match")
    if match and there is None:
        raise MissingKey
    if match and match.strip('"') != there.etag.strip('"'):
        raise PreconditionFailed("If-Match")
