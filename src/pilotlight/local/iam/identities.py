"""Who calls: from an access key to a principal, and from a principal to the policies attached to it.

Keys are looked up in moto's IAM and STS, so whatever creates a user's key or assumes a role makes a caller. Source:
IAM User Guide, "IAM identifiers"; STS API Reference, "AssumedRoleUser". Signatures are not recomputed; a key that
nobody issued, a session token that does not belong to it, and a session past its end are refused.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend

from pilotlight.local.iam.policies import Principal
from pilotlight.local.overrides import original, override

MEMBER_ROLE = "OrganizationAccountAccessRole"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class UnknownKey(Exception):
    """The access key was issued by nobody, or was deactivated."""


class BadToken(Exception):
    """The session token does not belong to the access key."""


class ExpiredSession(Exception):
    """The session is past its end."""


class Identities:
    """Principals of one account, and of a member that it administers."""

    def __init__(self, account: str, root_access_key: str, member: str) -> None:
        self.account, self.member = account, member
        self._root_key = root_access_key
        self._sessions: dict[str, Any] = {}
        self._sessions_seen = {account: 0, member: 0}
        self._lock = threading.Lock()
        self.root = Principal("root", f"arn:aws:iam::{account}:root", account, user_id=account)
        self.anonymous = Principal("anonymous", "anonymous", "")

    def name_root(self) -> None:
        """Have moto's GetCallerIdentity say the root ARN for the root key, and not the user it makes up."""
        from moto.sts.models import STSBackend

        ask = original(STSBackend, "get_caller_identity")

        def get_caller_identity(backend: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
            if access_key_id == self._root_key:
                return self.root.user_id, self.root.arn, self.account
            told: tuple[str, str, str] = ask(backend, access_key_id, region)
            return told

        override(STSBackend, get_caller_identity=get_caller_identity)

    def open_member(self) -> None:
        """The role by which the account administers the member (AWS Organizations User Guide, "Accessing member
        accounts in an organization with AWS Organizations")."""
        trust = {"Effect": "Allow", "Principal": {"AWS": self.root.arn}, "Action": "sts:AssumeRole"}
        iam = self.iam(self.member)
        if any(each.name == MEMBER_ROLE for each in iam.get_roles()):
            return
        iam.create_role(
            MEMBER_ROLE, json.dumps({"Version": "2012-10-17", "Statement": [trust]}), "/", None, "", [], "3600"
        )
        iam.put_role_policy(MEMBER_ROLE, "AdministratorAccess", json.dumps(EVERYTHING))

    def iam(self, account: str) -> Any:
        """moto's IAM of an account."""
        return get_backend("iam")[account or self.account]["aws"]

    def principal(self, access_key: str, token: str | None) -> Principal:
        """Who holds the key; raises UnknownKey, BadToken or ExpiredSession."""
        if access_key == self._root_key:
            return self.root
        session = self._session(access_key)
        if session is not None:
            return self._role_session(session, token)
        return self._user(access_key)

    def documents(self, principal: Principal) -> list[str]:
        """Identity policies of a user (with its groups) or of a role; none where it was deleted."""
        iam = self.iam(principal.account)
        if principal.type == "role":
            return documents_of(next((role for role in iam.roles.values() if role.name == principal.name), None))
        user = iam.users.get(principal.name)
        groups = [group for group in iam.groups.values() if user in group.users]
        return [document for holder in (user, *groups) for document in documents_of(holder)]

    def boundary(self, principal: Principal) -> str | None:
        """The permissions boundary's document, where there is one."""
        holder = self.role(principal.role_arn) if principal.type == "role" else None
        arn = getattr(holder, "permissions_boundary_arn", None)
        policy = self.iam(principal.account).managed_policies.get(arn) if arn else None
        return policy_document(policy) if policy else None

    def role(self, arn: str) -> Any | None:
        """moto's role of this ARN, or None."""
        return next((role for role in self.iam(account_of(arn)).roles.values() if role.arn == arn), None)

    def role_principal(self, role_arn: str, session_name: str) -> Principal:
        """A role session as AWS services have it."""
        name, account = role_arn.rsplit("/", 1)[-1], account_of(role_arn) or self.account
        arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}"
        return Principal("role", arn, account, name, role_arn=role_arn)

    def _session(self, access_key: str) -> Any | None:
        with self._lock:
            for account, seen in self._sessions_seen.items():
                new = get_backend("sts")[account]["aws"].assumed_roles[seen:]
                self._sessions |= {session.access_key_id: session for session in new}
                self._sessions_seen[account] = seen + len(new)
        return self._sessions.get(access_key)

    def _role_session(self, session: Any, token: str | None) -> Principal:
        if token != session.session_token:
            raise BadToken
        if session.expiration.replace(tzinfo=session.expiration.tzinfo or UTC) < datetime.now(UTC):
            raise ExpiredSession
        principal = self.role_principal(session.role_arn, session.session_name)
        return Principal(**{**vars(principal), "user_id": session.user_id, "session_policy": session.policy or ""})

    def _user(self, access_key: str) -> Principal:
        for account in (self.account, self.member):
            iam = self.iam(account)
            user, key = iam.get_user_from_access_key_id(access_key), iam.access_keys.get(access_key)
            if user is not None and key is not None and key.status == "Active":
                return Principal("user", user.arn, account, user.name, user_id=user.id)
        raise UnknownKey


def account_of(arn: str) -> str:
    """The account in an ARN; empty where it is none."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""


def documents_of(holder: Any | None) -> list[str]:
    """Inline and attached policies of a user, group or role of moto's."""
    if holder is None:
        return []
    inline = holder.policies.values() if isinstance(holder.policies, dict) else holder.policies
    return [str(text) for text in inline] + [policy_document(policy) for policy in holder.managed_policies.values()]


def policy_document(policy: Any) -> str:
    """The document of a managed policy's default version."""
    return next((str(each.document) for each in policy.versions if each.is_default), "")
