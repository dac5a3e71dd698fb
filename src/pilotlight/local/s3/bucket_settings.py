"""Settings of buckets that moto does not keep: who pays for requests, and the smallest size that a lifecycle moves.

S3 API Reference, "PutBucketRequestPayment" and "GetBucketRequestPayment": `Payer`, BucketOwner until it is changed;
moto answers as if the bucket's objects were asked for. "PutBucketLifecycleConfiguration" and
"GetBucketLifecycleConfiguration": the header `x-amz-transition-default-minimum-object-size` is a request's and an
answer's, and all_storage_classes_128K where the request says nothing. moto answers that one always, the PUT nothing.
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override
from pilotlight.local.wire.buckets import find_bucket

HEADER = "x-amz-transition-default-minimum-object-size"
DEFAULT = "all_storage_classes_128K"
KEPT_AS = "transition_default_minimum_object_size"
PAYER_KEPT_AS = "request_payer"
OWNER = "BucketOwner"
_PAYER = re.compile(r"<Payer>(\w+)</Payer>")


class BucketSettings(Behaviour):
    """Keeps what was asked for, and tells it."""

    name = "bucket settings"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        put, get = original(S3Response, "_bucket_response_put"), original(S3Response, "_bucket_response_get")
        serialized = original(S3Response, "serialized")

        def bucket_put(response: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
            bucket = find_bucket(bucket_name)
            if "requestPayment" in querystring and bucket is not None:
                payer = _PAYER.search(response.body.decode())
                setattr(bucket, PAYER_KEPT_AS, payer[1] if payer else OWNER)
                return ""
            answer = put(response, request, bucket_name, querystring)
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

        def bucket_get(response: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
            bucket = find_bucket(bucket_name)
            if "requestPayment" not in querystring or bucket is None:
                return get(response, bucket_name, querystring)
            response.data["Action"] = "GetBucketRequestPayment"
            return response.serialized(ActionResult({"Payer": getattr(bucket, PAYER_KEPT_AS, OWNER)}))

        override(S3Response, _bucket_response_put=bucket_put, _bucket_response_get=bucket_get, serialized=answered)
