"""KMS keys by whatever name a caller gives: id, ARN, alias or ARN of an alias.

Source: KMS Developer Guide, "Key identifiers (KeyId)".
"""

from __future__ import annotations

from typing import Any

from pilotlight.local.kernel.cloud import Cloud


def managed_key(cloud: Cloud, region: str, service: str) -> str:
    """The ARN of the key that a service makes for itself the first time it needs one: alias/aws/<service> (KMS
    Developer Guide, "AWS managed keys")."""
    alias = f"alias/aws/{service}"
    key = find_key(cloud, region, alias)
    if key is None:
        backend = cloud.backend("kms", region)
        key = backend.keys[backend._generate_default_keys(alias)]
    return str(key.arn)


def find_key(cloud: Cloud, region: str, named: str) -> Any | None:
    """moto's record of an enabled key of this region; None where there is none."""
    if named.startswith("arn:") and named.split(":")[3] != region:
        return None
    short = named.split(":", 5)[-1] if named.startswith("arn:") else named
    identity = short.removeprefix("key/")
    account = named.split(":")[4] if named.startswith("arn:") else cloud.account
    for key in list(cloud.backend("kms", region, account).keys.values()):
        if (key.id == identity or short in key.aliases) and key.enabled:
            return key
    return None
