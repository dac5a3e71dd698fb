"""AWS clients for deploying: one per service and region, from the environment's credentials and endpoint."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

GLOBAL_REGION = "us-east-1"
"""Where IAM and Route 53 are called (AWS Fault Isolation Boundaries, "Global services")."""
GLOBAL_SERVICES = frozenset({"iam", "route53"})
ATTEMPTS = 4


def client(service: str, region: str) -> Any:
    """A client that is kept for as long as credentials and endpoint stay the same."""
    place = GLOBAL_REGION if service in GLOBAL_SERVICES else region
    return _client(service, place, os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_ACCESS_KEY_ID"))


@cache
def _client(service: str, region: str, endpoint: str | None, key: str | None) -> Any:
    config = Config(retries={"total_max_attempts": ATTEMPTS, "mode": "standard"}, connect_timeout=3, read_timeout=30)
    return boto3.session.Session().client(service, region_name=region, config=config)


def error_code(problem: Exception) -> str:
    """AWS's own code of an error, or an empty text when the error is not AWS's."""
    response = getattr(problem, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
