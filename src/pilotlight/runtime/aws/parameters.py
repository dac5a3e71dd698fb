"""SSM parameters, by which a recovered workload, or a person, is told something (Systems Manager API Reference)."""

from __future__ import annotations

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused


def read(client: AwsClient, region: str, name: str) -> str:
    """What a parameter says; empty where there is none."""
    try:
        return str(client.call("ssm", "get_parameter", region, Name=name)["Parameter"]["Value"])
    except CallRefused as refusal:
        if says_absent(refusal):
            return ""
        raise


def write(client: AwsClient, region: str, name: str, value: str) -> None:
    """Say this, whatever it said before."""
    client.call("ssm", "put_parameter", region, Name=name, Value=value, Type="String", Overwrite=True)
