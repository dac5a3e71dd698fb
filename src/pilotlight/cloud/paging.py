"""Listings page by page on top of single calls, from botocore's own paginator data.

botocore's paginators cannot be asked to repeat one page, so a throttled page would lose the whole listing. Here each
page is one call through the coats. The data is botocore's `paginators-1.json` of each service, which names the input
and output tokens as JMESPath; an operation without an entry is one page.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader

Call = Callable[..., dict[str, Any]]

PAGES_MAX = 100_000
"""A hundred million objects of an S3 listing: a bound against a service that answers with the same page forever."""


def pages(
    call: Call, service: str, operation: str, region: str, parameters: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Every page; `call` has the signature of Door.call."""
    rule = _rules(service).get(operation)
    asked = dict(parameters)
    for _ in range(PAGES_MAX):
        answer = call(service, operation, region, **asked)
        yield answer
        following = _following(rule, answer) if rule else {}
        if not following or following.items() <= asked.items():
            return
        asked |= following


def _following(rule: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The parameters that ask for the next page; empty after the last."""
    more = rule.get("more_results")
    if more and not jmespath.search(more, answer):
        return {}
    tokens = zip(_listed(rule["input_token"]), _listed(rule["output_token"]), strict=True)
    found = {name: jmespath.search(expression, answer) for name, expression in tokens}
    return {name: token for name, token in found.items() if token}


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


@functools.lru_cache(maxsize=32)
def _rules(service: str) -> dict[str, Any]:
    """Operation in snake_case -> its entry in botocore's data."""
    try:
        data = Loader().load_service_model(service, "paginators-1")["pagination"]
    except (UnknownServiceError, DataNotFoundError):
        return {}
    return {xform_name(name): rule for name, rule in data.items()}
