"""The Condition block of an IAM policy: does it hold for one request?

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys". A key that the
request lacks fails a positive operator and passes a negated one; IfExists passes it. An operator that is not built
raises Unsupported, and whoever asked must decide against the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Context = Mapping[str, tuple[str, ...]]
"""Condition keys in lower case with their values."""

Test = Callable[[str, str], bool]


class Unsupported(Exception):
    """A condition operator that is not built."""


def holds(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether every operator holds for every key."""
    return all(
        _operator_holds(operator, key, values_of(expected), context)
        for operator, pairs in condition.items()
        for key, expected in pairs.items()
    )


def values_of(value: Any) -> tuple[str, ...]:
    """One value or a list of them, as IAM policies allow for every element."""
    if value is None:
        return ()
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def matches(pattern: str, text: str) -> bool:
    """`*` stands for any characters, `?` for one; nothing else is special."""
    return bool(_wildcard(pattern).match(text))


def fill_variables(text: str, context: Context) -> str:
    """Policy variables like ${aws:username}; one without a value is left as it is, and so matches nothing."""
    if "${" not in text:
        return text
    return re.sub(r"\$\{([^},]+)\}", lambda found: (context.get(found[1].lower()) or (found[0],))[0], text)


@lru_cache(maxsize=4096)
def _wildcard(pattern: str) -> re.Pattern[str]:
    translated = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.compile(f"{translated}\\Z", re.DOTALL)


def _operator_holds(operator: str, key: str, expected: tuple[str, ...], context: Context) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    actual = context.get(key.lower(), ())
    if name == "Null":
        return (not actual) == (expected[:1] == ("true",))
    test, negated = _test(name)
    if not actual:
        return _absent(quantifier, if_exists, negated)
    filled = tuple(fill_variables(value, context) for value in expected)
    results = [any(test(value, wanted) for wanted in filled) != negated for value in actual]
    return any(results) if quantifier == "ForAnyValue" else all(results)


def _absent(quantifier: str, if_exists: bool, negated: bool) -> bool:
    if quantifier == "ForAnyValue":
        return False
    return if_exists or negated or quantifier == "ForAllValues"


def _test(name: str) -> tuple[Test, bool]:
    negated = name.replace("Not", "", 1) if "Not" in name else ""
    test = TESTS.get(negated or name)
    if test is None:
        raise Unsupported(name)
    return test, bool(negated)


def _number(compare: Callable[[float, float], bool]) -> Test:
    def test(actual: str, wanted: str) -> bool:
        try:
            return compare(float(actual), float(wanted))
        except ValueError:
            return False

    return test


def _date(compare: Callable[[float, float], bool]) -> Test:
    def test(actual: str, wanted: str) -> bool:
        try:
            return compare(_moment(actual), _moment(wanted))
        except ValueError:
            return False

    return test


def _moment(text: str) -> float:
    if text.replace(".", "", 1).isdigit():
        return float(text)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _equal(actual: str, wanted: str) -> bool:
    return actual == wanted


def _equal_ignoring_case(actual: str, wanted: str) -> bool:
    return actual.lower() == wanted.lower()


def _like(actual: str, wanted: str) -> bool:
    return matches(wanted, actual)


TESTS: dict[str, Test] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_ignoring_case,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": _equal_ignoring_case,
    "NumericEquals": _number(lambda actual, wanted: actual == wanted),
    "NumericLessThan": _number(lambda actual, wanted: actual < wanted),
    "NumericLessThanEquals": _number(lambda actual, wanted: actual <= wanted),
    "NumericGreaterThan": _number(lambda actual, wanted: actual > wanted),
    "NumericGreaterThanEquals": _number(lambda actual, wanted: actual >= wanted),
    "DateEquals": _date(lambda actual, wanted: actual == wanted),
    "DateLessThan": _date(lambda actual, wanted: actual < wanted),
    "DateLessThanEquals": _date(lambda actual, wanted: actual <= wanted),
    "DateGreaterThan": _date(lambda actual, wanted: actual > wanted),
    "DateGreaterThanEquals": _date(lambda actual, wanted: actual >= wanted),
}
"""Positive operators; `Not` before the comparison negates. ArnEquals and ArnLike behave alike in IAM."""
