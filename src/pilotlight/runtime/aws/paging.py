"""Listings page by page on top of single calls, from botocore's own paginator data.

botocore's paginators cannot be asked to repeat one page, so a throttled page would lose the whole listing. Here each
page is one call through the wrappers. The data is botocore's `paginators-1.json` of each service, which names the input
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

from pilotlight.runtime.errors import ListingCut

Call = Callable[..., dict[str, Any]]

PAGES_MAX = 100_000
"""A hundred million objects of an S3 listing: what lies beyond is a ListingCut, never left out in silence."""
MORE = ("NextToken", "nextToken", "NextMarker", "Marker", "NextPageToken", "NextKeyMarker")
"""How answers of operations that botocore lists no pages of say that there is more; IsTruncated says it, too."""


def pages(
    call: Call, service: str, operation: str, region: str, parameters: dict[str, Any], pages_max: int = PAGES_MAX
) -> Iterator[dict[str, Any]]:
    """Every page; `call` has the signature of AwsClient.call. ListingCut where the listing does not come to its end."""
    rule = _rules(service).get(operation)
    asked = dict(parameters)
    for _ in range(pages_max):
        answer = call(service, operation, region, **asked)
        yield answer
        following = _following(rule, answer) if rule else {}
        if not following:
            if rule is None and _truncated(answer):
                raise _cut(service, operation, region, "there is more, and no way to ask for it")
            return
        if following.items() <= asked.items():
            raise _cut(service, operation, region, "its next page is the one that was just read")
        asked |= following
    raise _cut(service, operation, region, f"it has more than {pages_max} pages")


def _cut(service: str, operation: str, region: str, reason: str) -> ListingCut:
    return ListingCut(service=service, operation=operation, region=region, reason=reason, caller="in use", aws_code="")


def _truncated(answer: dict[str, Any]) -> bool:
    return bool(answer.get("IsTruncated")) or any(answer.get(name) for name in MORE)


def _following(rule: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The parameters that ask for the next page; empty after the last."""
    more = rule.get("more_results")
    if more and not _found(more, answer):
        return {}
    tokens = zip(_listed(rule["input_token"]), _listed(rule["output_token"]), strict=True)
    found = {name: _found(expression, answer) for name, expression in tokens}
    return {name: token for name, token in found.items() if token}


def _found(expression: str, answer: dict[str, Any]) -> Any:
    """Most expressions are the name of a key, for which nothing has to be interpreted."""
    return answer.get(expression) if expression.isidentifier() else jmespath.search(expression, answer)


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
