"""May this caller do this? Identity policies, resource policies, boundaries and trust, as AWS combines them.

Source: IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic": an explicit Deny anywhere
wins; else an Allow of the identity or of the resource's own policy is needed, and of both where the resource is another
account's; a boundary or a session policy only takes away. A key policy must allow the caller or hand the answer to the
account (KMS Developer Guide, "Key policies").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from moto.backends import get_backend
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from pilotlight.local.iam.conditions import values_of
from pilotlight.local.iam.identities import Identities
from pilotlight.local.iam.needs import Need
from pilotlight.local.iam.policies import Log, Principal, Question, Verdict, evaluate, silent_log
from pilotlight.local.overrides import override
from pilotlight.local.wire.buckets import find_bucket

MANAGED_KEY = "aws-s3"
"""Of AWS's own key for S3 in a region, which moto keeps no record of."""
ASSUME_ACTIONS = frozenset({"sts:AssumeRole", "sts:TagSession"})


Use = tuple[str, str, str, str]
"""Principal, region, action, resource: a permission that was needed and there."""
USES_KEPT_MAX = 50_000
"""Different ones; a whole rehearsal has some thousand, most of them one for each object."""


class Denied(Exception):
    """The first need that is not met; the message is AWS's own: principal, action, resource, and who decided."""

    def __init__(self, principal: Principal, need: Need, reason: str) -> None:
        self.principal = principal
        self.need = need
        self.message = (
            f"User: {principal.arn} is not authorized to perform: {need.action} on resource: {need.resource} {reason}"
        )
        super().__init__(self.message)


class Access:
    """Decides for an account, and for the member that it administers."""

    def __init__(self, account: str, root_access_key: str, member: str) -> None:
        self.account = account
        self.identities = Identities(account, root_access_key, member)
        self.log: Log = silent_log
        self.uses: set[Use] = set()

    def install(self) -> None:
        """Be the only one who decides: moto's own reading of bucket policies knows no principals and conditions."""
        self.identities.name_root()
        self.identities.open_member()

        def get_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
            return PermissionResult.PERMITTED

        override(FakeBucket, get_permission=get_permission)

    def check(self, principal: Principal, needs: Iterable[Need], region: str) -> None:
        """Raise Denied at the first need that is not met."""
        for need in needs:
            reason = self.refusal(principal, need, region)
            if reason:
                raise Denied(principal, need, reason)
            self._note(principal.label, region, need)

    def role_allows(self, role_arn: str, action: str, resource: str, context: Mapping[str, Any] | None) -> bool:
        """The same decision for an AWS service that acts with a role; a role that does not exist may nothing."""
        if self.identities.role(role_arn) is None:
            return False
        keys = {str(key).lower(): values_of(value) for key, value in (context or {}).items()}
        need = Need(action, resource, keys)
        region = resource.split(":")[3] if resource.count(":") >= 5 else ""
        if self.refusal(self.identities.role_principal(role_arn, "service"), need, region) is not None:
            return False
        self._note(role_arn, region, need)
        return True

    def _note(self, label: str, region: str, need: Need) -> None:
        if len(self.uses) < USES_KEPT_MAX:
            self.uses.add((label, region, need.action, need.resource))

    def refusal(self, principal: Principal, need: Need, region: str) -> str | None:
        """None if it is allowed, else the end of AWS's sentence."""
        context = {**_context_of(principal, region), **need.context}
        question = Question(need.action, need.resource, context, principal)
        own = self._resource_verdict(question)
        if own is Verdict.DENY:
            return "with an explicit deny in a resource-based policy"
        theirs = bool(principal.account) and self._owner(question) not in ("", principal.account)
        if (theirs or _needs_own_policy(question)) and own is Verdict.SILENT:
            return f"because no resource-based policy allows the {question.action} action"
        if principal.type == "root":
            return None
        return self._identity_refusal(principal, question, Verdict.SILENT if theirs else own)

    def _owner(self, question: Question) -> str:
        """The account of a bucket, a key or a role; empty for what only the caller's own account is asked about."""
        if question.action.startswith("s3:"):
            bucket = _bucket(question.resource)
            return str(bucket.account_id) if bucket is not None else ""
        named = question.resource.split(":")
        return named[4] if question.action.startswith(("kms:", "sts:")) and len(named) > 4 else ""

    def _identity_refusal(self, principal: Principal, question: Question, own: Verdict) -> str | None:
        identity = self._verdict(self.identities.documents(principal), question)
        if identity is Verdict.DENY:
            return "with an explicit deny in an identity-based policy"
        allowed = identity is Verdict.ALLOW and self._within_limits(principal, question)
        if own is Verdict.ALLOW:
            return None
        return None if allowed else f"because no identity-based policy allows the {question.action} action"

    def _verdict(self, documents: Iterable[str], question: Question) -> Verdict:
        return evaluate(documents, question, self.log)

    def _within_limits(self, principal: Principal, question: Question) -> bool:
        limits = [self.identities.boundary(principal), principal.session_policy]
        return all(self._verdict([limit], question) is Verdict.ALLOW for limit in limits if limit)

    def _resource_verdict(self, question: Question) -> Verdict:
        policy = self._resource_policy(question)
        return self._verdict([policy], question) if policy else Verdict.SILENT

    def _resource_policy(self, question: Question) -> str | None:
        """The policy on the bucket, the key, the queue or the role that is asked about."""
        service = question.action.partition(":")[0]
        if service == "s3":
            return _bucket_policy(question.resource)
        if service == "kms" and ":key/" in question.resource:
            return _key_policy(question.resource)
        if service == "sqs":
            return _queue_policy(question.resource)
        if question.action in ASSUME_ACTIONS:
            role = self.identities.role(question.resource)
            return str(role.assume_role_policy_document) if role else None
        return None


def _needs_own_policy(question: Question) -> bool:
    """Where the resource's own policy must speak: assuming roles, and using keys."""
    if question.action in ASSUME_ACTIONS:
        return True
    return question.action.startswith("kms:") and ":key/" in question.resource and "*" not in question.resource


def _bucket(resource: str) -> Any | None:
    return find_bucket(resource.removeprefix("arn:aws:s3:::").partition("/")[0])


def _bucket_policy(resource: str) -> str | None:
    bucket = _bucket(resource)
    policy = bucket.policy if bucket is not None else None
    return policy.decode() if isinstance(policy, bytes) else policy


def _queue_policy(arn: str) -> str | None:
    if arn.count(":") != 5:
        return None
    _, _, _, region, account, name = arn.split(":")
    backends = get_backend("sqs")[account]
    queue = backends[region].queues.get(name) if region in backends else None
    return queue.policy if queue is not None else None


def _key_policy(arn: str) -> str | None:
    region, account, identity = arn.split(":")[3], arn.split(":")[4], arn.rsplit("/", 1)[-1]
    if identity == MANAGED_KEY:
        return _managed_key_policy(region, account)
    backends = get_backend("kms")[account]
    key = backends[region].keys.get(identity) if region in backends else None
    return str(key.policy) if key is not None and key.policy else None


def _managed_key_policy(region: str, account: str) -> str:
    """AWS's own key for S3: whoever of the account S3 lets in (KMS Developer Guide, "AWS managed keys")."""
    condition = {"kms:CallerAccount": account, "kms:ViaService": f"s3.{region}.amazonaws.com"}
    use = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Statement": [use | {"Condition": {"StringEquals": condition}}]})


def _context_of(principal: Principal, region: str) -> dict[str, tuple[str, ...]]:
    """Global condition keys (IAM User Guide, "AWS global condition context keys"); loopback counts as TLS."""
    context: dict[str, tuple[str, ...]] = {
        "aws:securetransport": ("true",),
        "aws:principalarn": (principal.role_arn or principal.arn,),
        "aws:principalaccount": (principal.account,),
        "aws:principaltype": (PRINCIPAL_TYPES.get(principal.type, "Service"),),
        "aws:userid": (principal.user_id,),
        "aws:requestedregion": (region,),
        "aws:sourceip": ("127.0.0.1",),
        "kms:calleraccount": (principal.account,),
    }
    return context | ({"aws:username": (principal.name,)} if principal.type == "user" else {})


PRINCIPAL_TYPES = {"root": "Account", "user": "User", "role": "AssumedRole", "anonymous": "Anonymous"}
