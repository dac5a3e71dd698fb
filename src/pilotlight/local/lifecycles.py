"""Lifecycle configurations answer with the smallest size of object that they move to another storage class.

S3 API Reference, "PutBucketLifecycleConfiguration" and "GetBucketLifecycleConfiguration": the header
`x-amz-transition-default-minimum-object-size` is a request's and an answer's, and all_storage_classes_128K where the
request says nothing. moto answers that one always, and the PUT with nothing.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

from pilotlight.local.buckets import find_bucket
from pilotlight.local.cloud import Behaviour, Cloud
from pilotlight.local.grafts import graft, original

HEADER = "x-amz-transition-default-minimum-object-size"
DEFAULT = "all_storage_classes_128K"
KEPT_AS = "transition_default_minimum_object_size"


class Lifecycles(Behaviour):
    """Keeps the size that a configuration asked for, and tells it."""

    name = "lifecycles"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        put = original(S3Response, "_bucket_response_put")
        serialized = original(S3Response, "serialized")

        def bucket_put(response: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
            answer = put(response, request, bucket_name, querystring)
            bucket = find_bucket(bucket_name)
            if "lifecycle" not in querystring or bucket is None or answer != "":
                return answer
            setattr(bucket, KEPT_AS, request.headers.get(HEADER) or DEFAULT)
            return 200, {HEADER: getattr(bucket, KEPT_AS)}, ""

        def answered(response: Any, result: ActionResult) -> Any:
            told = getattr(result, "result", None)
            if isinstance(told, dict) and "TransitionDefaultMinimumObjectSize" in told:
                bucket = find_bucket(response.bucket_name)
                told["TransitionDefaultMinimumObjectSize"] = getattr(bucket, KEPT_AS, DEFAULT)
            return serialized(response, result)

        graft(S3Response, _bucket_response_put=bucket_put, serialized=answered)
