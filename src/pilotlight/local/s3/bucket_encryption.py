"""A bucket's encryption says which kinds of encryption it refuses, and new buckets refuse keys of the customer's.

S3 User Guide, "Blocking or unblocking SSE-C for a general purpose bucket": since April 2026 SSE-C is blocked in new
buckets; PutBucketEncryption's BlockedEncryptionTypes says SSE-C, or NONE to allow it. moto keeps it and never tells.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import ServerSideEncryptionConfigurationNotFoundError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

BLOCKED = "BlockedEncryptionTypes"
BLOCKED_IN_NEW_BUCKETS = ("SSE-C",)


class BucketEncryption(Behaviour):
    """Answers GetBucketEncryption in full."""

    name = "bucket encryption"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)

        def get(response: Any) -> Any:
            response.data["Action"] = "GetBucketEncryption"
            found = response.backend.get_bucket_encryption(response.bucket_name)
            if not found:
                raise ServerSideEncryptionConfigurationNotFoundError(bucket_name=response.bucket_name)
            rules = [told(found["Rule"])]
            return response.serialized(ActionResult({"ServerSideEncryptionConfiguration": {"Rules": rules}}))

        override(S3Response, get_bucket_encryption=get)
        override(S3Backend, create_bucket=_owned_by_its_owner)


def _owned_by_its_owner(backend: Any, *args: Any, **kwargs: Any) -> Any:
    """Of new buckets all objects are the owner's, unless another rule is asked for (S3 User Guide, "Controlling
    ownership of objects and disabling ACLs for your bucket"); moto has no rule then."""
    made = original(S3Backend, "create_bucket")(backend, *args, **kwargs)
    made.ownership_rule = "BucketOwnerEnforced"
    return made


def told(rule: dict[str, Any]) -> dict[str, Any]:
    """A kept rule as S3 answers it (pure)."""
    return {
        "ApplyServerSideEncryptionByDefault": rule["ApplyServerSideEncryptionByDefault"],
        "BucketKeyEnabled": str(rule.get("BucketKeyEnabled")).lower() == "true",
        BLOCKED: {"EncryptionType": _blocked(rule)},
    }


def _blocked(rule: dict[str, Any]) -> list[str]:
    given = (rule.get(BLOCKED) or {}).get("EncryptionType") or BLOCKED_IN_NEW_BUCKETS
    return [given] if isinstance(given, str) else list(given)
