"""One call to AWS as a person types it, for when no run can go on (runs/by_hand.py)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

CLI_SERVICES = {"s3": "s3api"}
"""Where the AWS CLI calls a service by another name than boto3."""


@dataclass(frozen=True)
class Command:
    """One call to AWS, as boto3 names it, and what it is for; `find` is a query that gives a value which is not known
    before: parameter name -> words of a command whose answer it is."""

    what: str
    service: str
    operation: str
    region: str
    parameters: dict[str, Any]
    find: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """As a person types it, for the AWS CLI."""
        service = CLI_SERVICES.get(self.service, self.service)
        told = ["aws", service, self.operation.replace("_", "-"), "--region", self.region]
        options = (word for name, value in self.parameters.items() for word in _option(name, value))
        shown = shlex.join([*told, *options])
        return shown + "".join(f' {_dashed(name)} "$({query})"' for name, query in self.find.items())


def _option(name: str, value: Any) -> list[str]:
    if value is True:
        return [_dashed(name)]
    if isinstance(value, list):
        return [_dashed(name), *(str(each) for each in value)]
    return [_dashed(name), str(value)]


def _dashed(name: str) -> str:
    return "--" + "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
