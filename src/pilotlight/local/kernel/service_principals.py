"""May one AWS service act on a resource, and may it assume a role? Resource policies and trust policies, evaluated.

Source: IAM User Guide, "AWS JSON policy elements: Principal" and "AWS global condition context keys" (aws:SourceArn,
aws:SourceAccount); SNS Developer Guide, "Default access policy" (a topic is open to its owner's account, alarms too).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.local.iam.policies import Principal, Question, Verdict, evaluate
from pilotlight.local.kernel.cloud import Cloud


@dataclass(frozen=True)
class ServiceRequest:
    """What a service wants to do on behalf of one of its resources."""

    service: str
    action: str
    resource: str
    source_arn: str
    account: str

    @property
    def principals(self) -> tuple[Principal, ...]:
        """The service itself, and anybody, which is how a policy's "*" with a condition on the owner reaches it."""
        arn = f"arn:aws:iam::{self.account}:{self.service}"
        return Principal("service", arn, self.account, name=self.service), Principal("anonymous", "anonymous", "")

    @property
    def context(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {"aws:sourceaccount": (self.account,), "aws:sourceowner": (self.account,)}
        if self.source_arn:
            found["aws:sourcearn"] = (self.source_arn,)
        return found


def policy_permits(policy: Mapping[str, Any], request: ServiceRequest) -> bool:
    """Whether a resource policy lets the service do it."""
    document = json.dumps(policy)
    questions = [Question(request.action, request.resource, request.context, each) for each in request.principals]
    return max(evaluate([document], question) for question in questions) is Verdict.ALLOW


def role_trusts(cloud: Cloud, role_arn: str, service: str) -> bool:
    """Whether the role exists and its trust policy lets the service assume it."""
    roles = list(cloud.backend("iam", "global").roles.values())
    role = next((each for each in roles if each.arn == role_arn), None)
    if role is None:
        return False
    given = role.assume_role_policy_document or "{}"
    policy = json.loads(given) if isinstance(given, str) else given
    return policy_permits(policy, ServiceRequest(service, "sts:AssumeRole", role_arn, "", cloud.account))
