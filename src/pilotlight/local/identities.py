"""Who calls: from an access key to a principal, and from a principal to the policies attached to it.

Keys are looked up in moto's IAM and STS, so whatever creates a user's key or assumes a role makes a caller. Source:
IAM User Guide, "IAM identifiers"; STS API Reference, "AssumedRoleUser". Signatures are not recomputed; a key that
nobody issued, a session token that does not belong to it, and a session past its end are refused.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend

from pilotlight.local.policies import Principal


class UnknownKey(Exception):
    """The access key was issued by nobody, or was deactivated."""


class BadToken(Exception):
    """The session token does not belong to the access key."""


class ExpiredSession(Exception):
    """The session is past its end."""


class Identities:
    """Principals of one account."""

    def __init__(self, account: str, root_access_key: str) -> None:
        self.account = account
        self._root_key = root_access_key
        self._sessions: dict[str, Any] = {}
        self._sessions_seen = 0
        self._lock = threading.Lock()
        self.root = Principal("root", f"arn:aws:iam::{account}:root", account, user_id=account)
        self.anonymous = Principal("anonymous", "anonymous", "")

    def name_root(self) -> None:
        """Have moto's GetCallerIdentity say the root ARN for the root key, and not the user it makes up."""
        from moto.sts.models import STSBackend

        ask = STSBackend.get_caller_identity

        def get_caller_identity(backend: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
            if access_key_id == self._root_key:
                return self.root.user_id, self.root.arn, self.account
            return ask(backend, access_key_id, region)

        setattr(STSBackend, "get_caller_identity", get_caller_identity)  # noqa: B010

    @property
    def iam(self) -> Any:
        """moto's IAM of the account."""
        return get_backend("iam")[self.account]["aws"]

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
        if principal.kind == "role":
            return documents_of(self.iam.roles.get(self._role_id(principal.name)))
        user = self.iam.users.get(principal.name)
        groups = [group for group in self.iam.groups.values() if user in group.users]
        return [document for holder in (user, *groups) for document in documents_of(holder)]

    def boundary(self, principal: Principal) -> str | None:
        """The permissions boundary's document, where there is one."""
        holder = self.role(principal.role_arn) if principal.kind == "role" else None
        arn = getattr(holder, "permissions_boundary_arn", None)
        policy = self.iam.managed_policies.get(arn) if arn else None
        return policy_document(policy) if policy else None

    def role(self, arn: str) -> Any | None:
        """moto's role of this ARN, or None."""
        return next((role for role in self.iam.roles.values() if role.arn == arn), None)

    def role_principal(self, role_arn: str, session_name: str) -> Principal:
        """A role session as AWS services have it."""
        name = role_arn.rsplit("/", 1)[-1]
        arn = f"arn:aws:sts::{self.account}:assumed-role/{name}/{session_name}"
        return Principal("role", arn, self.account, name, role_arn=role_arn)

    def _role_id(self, name: str) -> str | None:
        return next((key for key, role in self.iam.roles.items() if role.name == name), None)

    def _session(self, access_key: str) -> Any | None:
        sessions = get_backend("sts")[self.account]["aws"].assumed_roles
        with self._lock:
            for session in sessions[self._sessions_seen :]:
                self._sessions[session.access_key_id] = session
                self._sessions_seen += 1
        return self._sessions.get(access_key)

    def _role_session(self, session: Any, token: str | None) -> Principal:
        if token != session.session_token:
            raise BadToken
        if session.expiration.replace(tzinfo=session.expiration.tzinfo or UTC) < datetime.now(UTC):
            raise ExpiredSession
        principal = self.role_principal(session.role_arn, session.session_name)
        return Principal(**{**vars(principal), "user_id": session.user_id, "session_policy": session.policy or ""})

    def _user(self, access_key: str) -> Principal:
        user = self.iam.get_user_from_access_key_id(access_key)
        key = self.iam.access_keys.get(access_key)
        if user is None or key is None or key.status != "Active":
            raise UnknownKey
        return Principal("user", user.arn, self.account, user.name, user_id=user.id)


def documents_of(holder: Any | None) -> list[str]:
    """Inline and attached policies of a user, group or role of moto's."""
    if holder is None:
        return []
    inline = holder.policies.values() if isinstance(holder.policies, dict) else holder.policies
    return [str(text) for text in inline] + [policy_document(policy) for policy in holder.managed_policies.values()]


def policy_document(policy: Any) -> str:
    """The document of a managed policy's default version."""
    return next((str(each.document) for each in policy.versions if each.is_default), "")
