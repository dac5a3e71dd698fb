"""Secrets Manager answers with what it documents of an operation, and no more.

Secrets Manager API Reference, "DescribeSecret" (VersionIdsToStages) and "PutSecretValue" (ARN, Name, VersionId,
VersionStages). moto makes one document for several operations; a client that parses for itself sees all of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.secretsmanager.responses import SecretsManagerResponse

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

NOT_SAID = {"describe_secret": "SecretVersionsToStages", "put_secret_value": "ReplicationStatus"}
"""Operation -> the member that it does not have: ListSecrets' and CreateSecret's."""


class SecretAnswers(Behaviour):
    """Leaves out what the operation does not have."""

    name = "secret answers"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        override(SecretsManagerResponse, **{name: _without(name, member) for name, member in NOT_SAID.items()})


def _without(operation: str, member: str) -> Callable[[Any], str]:
    moto = original(SecretsManagerResponse, operation)

    def answer(response: Any) -> str:
        found = json.loads(moto(response))
        found.pop(member, None)
        return json.dumps(found)

    return answer
