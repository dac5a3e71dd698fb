"""Where replication and moto's S3 meet: the configuration, what is written, and what is told of an object.

Source: S3 API Reference, "PutBucketReplication", "GetBucketReplication", "PutBucketVersioning" (versioning cannot be
suspended under a replication configuration), "HeadObject" (x-amz-replication-status).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.s3 import models, responses
from moto.s3.exceptions import ReplicationConfigurationNotFoundError, S3ClientError

from pilotlight.local.overrides import original, override
from pilotlight.local.s3.replication_rules import Unacceptable, check, read, rules_of
from pilotlight.local.wire.buckets import find_bucket

if TYPE_CHECKING:
    from pilotlight.local.s3.replication import Replication

FakeKey: Any = models.FakeKey
S3Backend: Any = models.S3Backend
S3Response: Any = responses.S3Response

_put_object = original(S3Backend, "put_object")
_set_delete_marker = original(S3Backend, "_set_delete_marker")
_put_tagging = original(S3Backend, "put_object_tagging")
_delete_tagging = original(S3Backend, "delete_object_tagging")
_put_versioning = original(S3Backend, "put_bucket_versioning")
_response_dict = original(FakeKey, "response_dict")


def replace_operations(replication: Replication) -> None:
    """Make this the replication that moto's S3 leads to."""
    _replace_configuration(replication)
    _replace_writing(replication)
    _replace_telling()


def _replace_configuration(replication: Replication) -> None:
    def from_xml(self: Any, xml: Any) -> dict[str, Any]:
        return dict(_refusing(lambda: read(xml)))

    def put(self: Any, bucket_name: str, configuration: dict[str, Any]) -> None:
        for rule in configuration["Rules"]:
            rule.setdefault("ID", secrets.token_hex(15))
            rule.setdefault("Priority", 0)
        _refusing(lambda: check(configuration))
        for rule in rules_of(configuration):
            _refusing(lambda name=rule.destination: _check_destination(replication, self, name))  # type: ignore[misc]
        self.get_bucket(bucket_name).replication = configuration

    def get(self: Any) -> Any:
        self.data["Action"] = "GetBucketReplication"
        configuration = self.backend.get_bucket_replication(self.bucket_name)
        if not configuration:
            raise ReplicationConfigurationNotFoundError(bucket_name=self.bucket_name)
        return self.serialized(ActionResult({"ReplicationConfiguration": configuration}))

    def put_versioning(self: Any, bucket_name: str, status: str) -> None:
        if status != "Enabled" and getattr(self.get_bucket(bucket_name), "replication", None):
            text = "A replication configuration is present on this bucket, so the versioning state cannot be changed."
            raise _refusal("InvalidBucketState", text)
        _put_versioning(self, bucket_name, status)

    override(S3Response, _replication_config_from_xml=from_xml)
    override(S3Response, get_bucket_replication=get)
    override(S3Backend, put_bucket_replication=put)
    override(S3Backend, put_bucket_versioning=put_versioning)


def _replace_writing(replication: Replication) -> None:
    def put_object(self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        written = _put_object(self, bucket_name, *args, **kwargs)
        _notice(replication, self, bucket_name, written, "version")
        return written

    def set_delete_marker(self: Any, bucket_name: str, key_name: str) -> Any:
        marker = _set_delete_marker(self, bucket_name, key_name)
        _notice(replication, self, bucket_name, marker, "version")
        return marker

    def put_tagging(self: Any, key: Any, tags: Any) -> Any:
        told = _put_tagging(self, key, tags)
        if getattr(key, "replication_status", None):
            _notice(replication, self, key.bucket_name, key, "tags")
        return told

    def delete_tagging(self: Any, bucket_name: str, key_name: str, version_id: str | None = None) -> None:
        _delete_tagging(self, bucket_name, key_name, version_id)
        key = self.get_object(bucket_name, key_name, version_id=version_id)
        if getattr(key, "replication_status", None):
            _notice(replication, self, bucket_name, key, "tags")

    override(S3Backend, put_object=put_object)
    override(S3Backend, _set_delete_marker=set_delete_marker)
    override(S3Backend, put_object_tagging=put_tagging)
    override(S3Backend, delete_object_tagging=delete_tagging)


def _replace_telling() -> None:
    def response_dict(self: Any) -> dict[str, Any]:
        told: dict[str, Any] = _response_dict.fget(self)
        status = getattr(self, "replication_status", None)
        return told | {"x-amz-replication-status": status} if status else told

    override(FakeKey, response_dict=property(response_dict))


def _notice(replication: Replication, backend: Any, bucket: str, version: Any, what: str) -> None:
    if getattr(backend.get_bucket(bucket), "replication", None):
        replication.notice(bucket, version, what)


def _check_destination(replication: Replication, backend: Any, name: str) -> None:
    bucket = find_bucket(name)
    if bucket is None:
        raise Unacceptable("InvalidRequest", "Destination bucket must exist.")
    if replication.cloud.is_dark(bucket.region_name):
        raise Unacceptable("InternalError", f"The Region {bucket.region_name} of bucket {name} does not answer.")
    if not bucket.is_versioned:
        raise Unacceptable("InvalidRequest", "Destination bucket must have versioning enabled.")


def _refusing(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Unacceptable as problem:
        raise _refusal(problem.code, str(problem)) from problem


def _refusal(code: str, message: str) -> S3ClientError:
    return S3ClientError(code, message)
