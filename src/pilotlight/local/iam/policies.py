"""IAM policy documents, evaluated: what they say about one action on one resource by one principal.

Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements". An explicit Deny wins. A resource
policy that names the account (its root) grants nothing by itself: it leaves the answer to identity policies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from pilotlight.local.iam.conditions import Context, Unsupported, fill_variables, holds, matches, values_of

Statement = Mapping[str, Any]


class Verdict(IntEnum):
    """What policies say, the strongest last."""

    SILENT = 0
    ACCOUNT = 1
    ALLOW = 2
    DENY = 3


@dataclass(frozen=True)
class Principal:
    """Who calls: `type` is root, user, role, service or anonymous; `arn` as in CloudTrail."""

    type: str
    arn: str
    account: str
    name: str = ""
    user_id: str = ""
    role_arn: str = ""
    session_policy: str = ""

    @property
    def label(self) -> str:
        """How the call record names it."""
        return self.type if self.type in ("root", "anonymous") else self.arn

    @property
    def names(self) -> frozenset[str]:
        """Every way in which a policy can name exactly this principal."""
        return frozenset(name for name in (self.arn, self.role_arn) if name)


@dataclass(frozen=True)
class Question:
    """May `principal` do `action` on `resource`?"""

    action: str
    resource: str
    context: Context
    principal: Principal | None = None


Log = Callable[[str], None]


def silent_log(text: str) -> None:
    """Where nobody wants to know."""


def evaluate(documents: Iterable[str], question: Question, log: Log = silent_log) -> Verdict:
    """The strongest verdict of all statements of all documents."""
    verdict = Verdict.SILENT
    for document in documents:
        for statement in statements_of(document):
            verdict = max(verdict, _verdict(statement, question, log))
            if verdict is Verdict.DENY:
                return verdict
    return verdict


@lru_cache(maxsize=2048)
def statements_of(document: str) -> tuple[Statement, ...]:
    """The statements of a policy document; one that is not JSON says nothing."""
    try:
        found = json.loads(document).get("Statement", [])
    except (ValueError, AttributeError):
        return ()
    return (found,) if isinstance(found, dict) else tuple(found)


def _verdict(statement: Statement, question: Question, log: Log) -> Verdict:
    if not (_action_matches(statement, question) and _resource_matches(statement, question)):
        return Verdict.SILENT
    reach = _principal_reach(statement, question.principal)
    denies = statement.get("Effect") == "Deny"
    if reach is Verdict.SILENT or not _conditions_hold(statement, question, denies, log):
        return Verdict.SILENT
    return Verdict.DENY if denies else reach


def _action_matches(statement: Statement, question: Question) -> bool:
    wanted = question.action.lower()
    if "NotAction" in statement:
        return not any(matches(each.lower(), wanted) for each in values_of(statement["NotAction"]))
    return any(matches(each.lower(), wanted) for each in values_of(statement.get("Action")))


def _resource_matches(statement: Statement, question: Question) -> bool:
    def named(element: str) -> bool:
        patterns = (fill_variables(each, question.context) for each in values_of(statement[element]))
        return any(matches(pattern, question.resource) for pattern in patterns)

    if "NotResource" in statement:
        return not named("NotResource")
    return named("Resource") if "Resource" in statement else True


def _principal_reach(statement: Statement, principal: Principal | None) -> Verdict:
    """ALLOW where the principal itself is meant, ACCOUNT where its account is; identity policies have none."""
    if "NotPrincipal" in statement:
        return Verdict.SILENT if _reach(statement["NotPrincipal"], principal) else Verdict.ALLOW
    if "Principal" not in statement:
        return Verdict.ALLOW
    return _reach(statement["Principal"], principal)


def _reach(element: Any, principal: Principal | None) -> Verdict:
    if principal is None:
        return Verdict.SILENT
    if element == "*":
        return Verdict.ALLOW
    if not isinstance(element, Mapping):
        return Verdict.SILENT
    if principal.type == "service":
        return Verdict.ALLOW if principal.name in values_of(element.get("Service")) else Verdict.SILENT
    named = values_of(element.get("AWS"))
    if "*" in named or principal.names & set(named):
        return Verdict.ALLOW
    account = {principal.account, f"arn:aws:iam::{principal.account}:root"}
    return Verdict.ACCOUNT if principal.type != "anonymous" and account & set(named) else Verdict.SILENT


def _conditions_hold(statement: Statement, question: Question, denies: bool, log: Log) -> bool:
    """A condition nobody here understands never helps the caller: it stops an Allow and lets a Deny stand."""
    try:
        return holds(statement.get("Condition") or {}, question.context)
    except Unsupported as operator:
        log(f"condition operator {operator} is not built; {question.action} on {question.resource} is refused")
        return denies
