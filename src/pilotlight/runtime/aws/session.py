"""Sessions with AWS; and clients for deploying: one per service, region and role, from the environment's settings.

Every session of a process reads botocore's descriptions of the services once: read anew for each client they are
0.1 to 0.3 s of work, most of what a first deployment of sixty resources did on this side.

A role of another account is assumed where it is asked for, and again before its credentials end, so that an act may
take longer than a session lasts (IAM User Guide, "Role chaining": one hour at most where the caller is a role too).
"""

from __future__ import annotations

import os
import threading
from functools import cache, partial
from typing import Any

import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from pilotlight.runtime.arns import GLOBAL_SERVICES
from pilotlight.runtime.naming import PREFIX

ATTEMPTS = 4
_MAKING = threading.Lock()


def opened() -> Any:
    """A botocore session with the environment's settings; ProfileNotFound where they name a profile that is none."""
    session = botocore.session.Session()
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session


@cache
def _loader(data_path: str | None) -> Any:
    return botocore.loaders.create_loader(data_path)


def client(service: str, region: str, role: str = "") -> Any:
    """A client that is kept for as long as credentials and endpoint stay the same; `role` is an ARN to assume."""
    place = GLOBAL_SERVICES.get(service, region)
    with _MAKING:  # the many resources of a stack ask for the same client at once
        return _client(
            service, place, role, region, os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_ACCESS_KEY_ID")
        )


@cache
def _client(service: str, place: str, role: str, region: str, endpoint: str | None, key: str | None) -> Any:
    config = Config(retries={"total_max_attempts": ATTEMPTS, "mode": "standard"}, connect_timeout=3, read_timeout=30)
    session = assumed(role, region) if role else opened()
    return session.create_client(service, region_name=place, config=config)


def assumed(role: str, region: str) -> Any:
    """A session of this role; the STS of `region` is asked, when the first call is made and not before."""
    session = opened()
    session.register_component("credential_provider", CredentialResolver([_Assumed(role, region)]))
    return session


class _Assumed(CredentialProvider):  # type: ignore[misc]
    """The one source of credentials of such a session."""

    METHOD = "assume-role"

    def __init__(self, role: str, region: str) -> None:
        super().__init__()
        self._role, self._region = role, region

    def load(self) -> Any:
        own = opened()
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
