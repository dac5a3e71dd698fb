"""AWS clients for deploying: one per service, region and role, from the environment's credentials and endpoint.

A role of another account is assumed where it is asked for, and again before its credentials end, so that an act may
take longer than a session lasts (IAM User Guide, "Role chaining": one hour at most where the caller is a role too).
"""

from __future__ import annotations

import os
from functools import cache, partial
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from pilotlight.naming import PREFIX

GLOBAL_REGION = "us-east-1"
"""Where IAM and Route 53 are called (AWS Fault Isolation Boundaries, "Global services")."""
GLOBAL_SERVICES = frozenset({"iam", "route53"})
ATTEMPTS = 4


def client(service: str, region: str, role: str = "") -> Any:
    """A client that is kept for as long as credentials and endpoint stay the same; `role` is an ARN to assume."""
    place = GLOBAL_REGION if service in GLOBAL_SERVICES else region
    return _client(
        service, place, role, region, os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_ACCESS_KEY_ID")
    )


@cache
def _client(service: str, place: str, role: str, region: str, endpoint: str | None, key: str | None) -> Any:
    config = Config(retries={"total_max_attempts": ATTEMPTS, "mode": "standard"}, connect_timeout=3, read_timeout=30)
    session = assumed(role, region) if role else boto3.session.Session()
    return session.client(service, region_name=place, config=config)


def assumed(role: str, region: str) -> Any:
    """A boto3 session of this role; the STS of `region` is asked, when the first call is made and not before."""
    session = botocore.session.Session()
    session.register_component("credential_provider", CredentialResolver([_Assumed(role, region)]))
    return boto3.session.Session(botocore_session=session)


class _Assumed(CredentialProvider):  # type: ignore[misc]
    """The one source of credentials of such a session."""

    METHOD = "assume-role"

    def __init__(self, role: str, region: str) -> None:
        super().__init__()
        self._role, self._region = role, region

    def load(self) -> Any:
        own = botocore.session.Session()
        fetcher = AssumeRoleCredentialFetcher(
            partial(own.create_client, region_name=self._region),
            own.get_credentials(),
            self._role,
            extra_args={"RoleSessionName": PREFIX},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def error_code(problem: Exception) -> str:
    """AWS's own code of an error, or an empty text when the error is not AWS's."""
    response = getattr(problem, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
