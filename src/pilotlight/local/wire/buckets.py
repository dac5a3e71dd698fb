"""Where buckets live: a request for a bucket of another region is redirected, and nothing is made or read across.

Source: S3 API Reference, "Error responses" (PermanentRedirect, IllegalLocationConstraintException) and "CreateBucket";
S3 User Guide, "Virtual hosting of buckets". moto keeps all buckets in one place; here each answers in its region only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from moto.backends import get_backend

from pilotlight.local.wire.answers import Refusal
from pilotlight.local.wire.operations import Operation

CLASSIC_REGION = "us-east-1"
"""The region that a bucket without a location constraint is in."""


def find_bucket(name: str) -> Any | None:
    """moto's record of a bucket, in whichever account it is: names are unique among all of them."""
    accounts = list(get_backend("s3").values())
    return next((each["aws"].buckets[name] for each in accounts if name in each["aws"].buckets), None)


def bucket_region(bucket: str) -> str | None:
    """The region of an existing bucket."""
    found = find_bucket(bucket)
    return str(found.region_name) if found is not None else None


def bucket_in_path(path: str) -> str:
    """The bucket of a path-style request."""
    return path.lstrip("/").partition("/")[0]


def to_path_style(environ: dict[str, Any]) -> None:
    """Turn `bucket.localhost` or `bucket.s3.anything` into path style, the only one moto is asked with."""
    host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0]
    for suffix in (".s3.localhost", ".localhost"):
        if host.endswith(suffix):
            bucket = host.removesuffix(suffix)
            break
    else:
        bucket = host.partition(".s3.")[0] if ".s3." in host else ""
    if bucket and bucket != "s3":
        environ["PATH_INFO"] = f"/{bucket}{environ.get('PATH_INFO', '/')}"
        environ["RAW_URI"] = f"/{quote(bucket)}{environ.get('RAW_URI', '/')}"


def refusal(operation: Operation, region: str) -> Refusal | None:
    """Why S3 in this region does not take the call, or None."""
    bucket = str(operation.params.get("Bucket", ""))
    if operation.name == "CreateBucket":
        return _wrong_location(operation.params, region)
    home = bucket_region(bucket) if bucket else None
    if home is None or home == region or operation.name == "GetBucketLocation":
        return None
    message = (
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint."
    )
    endpoint = f"{bucket}.s3.{home}.amazonaws.com"
    return Refusal("redirect", message, (("Endpoint", endpoint), ("Bucket", bucket), ("Region", home)))


def copy_source(params: Mapping[str, Any]) -> tuple[str, str, str | None] | None:
    """(bucket, key, version) that a copy reads, or None."""
    source = params.get("CopySource")
    if not source:
        return None
    path, _, query = str(source).partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, query.removeprefix("versionId=") or None


def region_of_source(operation: Operation) -> str | None:
    """The region that a copy reads from, where the source exists."""
    source = copy_source(operation.params)
    return bucket_region(source[0]) if source else None


def _wrong_location(params: Mapping[str, Any], region: str) -> Refusal | None:
    wanted = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if (wanted or CLASSIC_REGION) == region and wanted != CLASSIC_REGION:
        return None
    given = wanted or "unspecified"
    text = f"The {given} location constraint is incompatible for the region specific endpoint this request was sent to."
    return Refusal("location", text)
