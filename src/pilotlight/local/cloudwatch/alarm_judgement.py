"""What state a metric alarm is in, decided from its data points alone.

Source: Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms", chapters "Evaluating an alarm" and "Configuring
how CloudWatch alarms treat missing data" with its two tables of examples (the tests are those tables). CloudWatch
looks at more data points than the alarm needs, prefers real ones, and fills in missing ones only when it must.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

EXTRA_DATAPOINTS = 2
"""How far past the evaluation periods CloudWatch looks back; its examples show three periods and a range of five."""

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
WORDS: Mapping[str, str] = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


@dataclass(frozen=True)
class Rule:
    """The part of an alarm that decides."""

    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing_data: str

    def breaches(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.threshold)


@dataclass(frozen=True)
class Judgement:
    """A state and the sentence that explains it."""

    state: str
    reason: str


def evaluation_range(evaluation_periods: int) -> int:
    """How many data points CloudWatch tries to retrieve."""
    return evaluation_periods + EXTRA_DATAPOINTS


def judge(points: Sequence[float | None], rule: Rule, current: str) -> Judgement:
    """The state after looking at `points`, oldest first, None where a period has no data."""
    real = [value for value in points if value is not None]
    if len(real) >= rule.evaluation_periods:
        latest = real[-rule.evaluation_periods :]
        return _spoken(_count(latest, rule, 0), latest, rule)
    state = _FILLED[rule.missing_data](points, real, rule, current)
    return _unfilled_reason(state, real, rule)


def _count(values: Sequence[float], rule: Rule, filled: int) -> str:
    breaching = sum(rule.breaches(value) for value in values) + filled
    return "ALARM" if breaching >= rule.datapoints_to_alarm else "OK"


def _missing(points: Sequence[float | None], real: list[float], rule: Rule, current: str) -> str:
    if not real:
        return "INSUFFICIENT_DATA"
    if _count(real, rule, 0) == "ALARM":
        return "ALARM"
    if not all(rule.breaches(value) for value in real):
        return "OK"
    oldest = next(age for age, value in zip(range(len(points), 0, -1), points, strict=True) if value is not None)
    return "ALARM" if oldest >= rule.datapoints_to_alarm else current


def _ignore(points: Sequence[float | None], real: list[float], rule: Rule, current: str) -> str:
    if real and _count(real, rule, 0) == "ALARM":
        return "ALARM"
    if real and not all(rule.breaches(value) for value in real):
        return "OK"
    return current


def _breaching(points: Sequence[float | None], real: list[float], rule: Rule, current: str) -> str:
    return _count(real, rule, rule.evaluation_periods - len(real))


def _not_breaching(points: Sequence[float | None], real: list[float], rule: Rule, current: str) -> str:
    return _count(real, rule, 0)


_FILLED: Mapping[str, Callable[[Sequence[float | None], list[float], Rule, str], str]] = {
    "missing": _missing,
    "ignore": _ignore,
    "breaching": _breaching,
    "notBreaching": _not_breaching,
}


def _spoken(state: str, latest: list[float], rule: Rule) -> Judgement:
    """The sentence CloudWatch writes about real data points."""
    concerned = [value for value in latest if rule.breaches(value) == (state == "ALARM")]
    verb = "was" if len(concerned) == 1 else "were"
    negation = "" if state == "ALARM" else "not "
    values = ", ".join(f"{value}" for value in reversed(concerned))
    minimum = rule.datapoints_to_alarm if state == "ALARM" else rule.evaluation_periods - rule.datapoints_to_alarm + 1
    transition = "OK -> ALARM" if state == "ALARM" else "ALARM -> OK"
    plural = "datapoint" if minimum == 1 else "datapoints"
    return Judgement(
        state,
        f"Threshold Crossed: {len(concerned)} out of the last {rule.evaluation_periods} datapoints [{values}] {verb} "
        f"{negation}{WORDS[rule.comparison]} the threshold ({rule.threshold}) "
        f"(minimum {minimum} {plural} for {transition} transition).",
    )


def _unfilled_reason(state: str, real: list[float], rule: Rule) -> Judgement:
    if state == "INSUFFICIENT_DATA":
        unknown = rule.evaluation_periods - len(real)
        return Judgement(state, f"Insufficient Data: {unknown} datapoints were unknown.")
    if real:
        return _spoken(state, real, rule)
    treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(rule.missing_data, "Ignored")
    periods = "datapoint was" if rule.evaluation_periods == 1 else "datapoints were"
    return Judgement(
        state,
        f"Threshold Crossed: no datapoints were received for {rule.evaluation_periods} "
        f"{'period' if rule.evaluation_periods == 1 else 'periods'} and {rule.evaluation_periods} missing {periods} "
        f"treated as [{treated}].",
    )
