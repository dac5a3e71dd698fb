"""When a schedule fires: `rate()`, `cron()` and `at()` of EventBridge Scheduler, as pure arithmetic on UTC seconds.

Source: EventBridge Scheduler User Guide, "Schedule types in EventBridge Scheduler". A rate begins at its start; cron
has six fields (minutes hours day-of-month month day-of-week year) with * , - / ? L W # as AWS has them; `at` is once.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
SEARCH_DAYS_MAX = 366 * 5
"""How far ahead a cron expression is searched; five years hold every leap day."""


class ExpressionInvalid(ValueError):
    """A schedule expression EventBridge Scheduler would refuse; the message is AWS's."""

    def __init__(self, expression: str) -> None:
        super().__init__(f"Invalid Schedule Expression {expression}.")


@dataclass(frozen=True)
class Expression:
    """`after(moment)` is the first firing later than the moment, None when there is none left."""

    text: str
    after: Callable[[float], float | None]


def parse(text: str, begins: float) -> Expression:
    """Read an expression; `begins` is the schedule's start (or creation), from which a rate counts."""
    kind = re.fullmatch(r"(rate|cron|at)\((.+)\)", text.strip())
    if kind is None:
        raise ExpressionInvalid(text)
    reader = {"rate": _rate, "cron": _cron, "at": _at}[kind[1]]
    try:
        return Expression(text, reader(kind[2].strip(), begins))
    except (ValueError, KeyError, IndexError) as error:
        raise ExpressionInvalid(text) from error


def _rate(body: str, begins: float) -> Callable[[float], float | None]:
    match = re.fullmatch(r"(\d+) (minute|hour|day)s?", body)
    if match is None or int(match[1]) < 1:
        raise ValueError(body)
    interval = int(match[1]) * UNIT_SECONDS[match[2]]

    def after(moment: float) -> float:
        if moment < begins:
            return begins
        return begins + ((moment - begins) // interval + 1) * interval

    return after


def _at(body: str, begins: float) -> Callable[[float], float | None]:
    once = datetime.strptime(body, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
    return lambda moment: once if moment < once else None


def _cron(body: str, begins: float) -> Callable[[float], float | None]:
    minutes, hours, days, months, weekdays, years = body.split()
    if (days == "?") == (weekdays == "?") and not (days == "*" and weekdays == "*"):
        raise ValueError("one of day-of-month and day-of-week must be ?")
    at_minutes, at_hours = sorted(_field(minutes, 0, 59)), sorted(_field(hours, 0, 23))
    in_months = _field(months, 1, 12, MONTHS)
    in_years = _field(years, 1970, 2199)
    _day_matches(datetime(2024, 1, 1, tzinfo=UTC), days, weekdays)

    def after(moment: float) -> float | None:
        start = datetime.fromtimestamp(moment, tz=UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        for _ in range(SEARCH_DAYS_MAX):
            if day.month in in_months and day.year in in_years and _day_matches(day, days, weekdays):
                times = (day.replace(hour=hour, minute=minute) for hour in at_hours for minute in at_minutes)
                found = next((time for time in times if time >= start), None)
                if found is not None:
                    return found.timestamp()
            day += timedelta(days=1)
        return None

    return after


def _field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in ("*", "?"):
            begin, end = low, high
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else (high if step else begin)
        if not (low <= begin <= high and low <= end <= high):
            raise ValueError(text)
        values.update(range(begin, end + 1, int(step or 1)))
    return frozenset(values)


def _number(text: str, names: dict[str, int] | None) -> int:
    lookup = {key.upper(): value for key, value in (names or {}).items()}
    return lookup.get(text.upper()) or int(text)


def _day_matches(day: datetime, days: str, weekdays: str) -> bool:
    return _month_day_matches(day, days) and _weekday_matches(day, weekdays)


def _month_day_matches(day: datetime, days: str) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    if days == "L":
        return day.day == length
    if days.endswith("W"):
        return day.day == _nearest_weekday(day, int(days[:-1]), length)
    return day.day in _field(days, 1, 31)


def _nearest_weekday(day: datetime, wanted: int, length: int) -> int:
    if not 1 <= wanted <= 31:
        raise ValueError(wanted)
    target = day.replace(day=min(wanted, length))
    if target.weekday() == calendar.SATURDAY:
        return target.day - 1 if target.day > 1 else target.day + 2
    if target.weekday() == calendar.SUNDAY:
        return target.day + 1 if target.day < length else target.day - 2
    return target.day


def _weekday_matches(day: datetime, weekdays: str) -> bool:
    number = (day.weekday() + 1) % 7 + 1
    length = calendar.monthrange(day.year, day.month)[1]
    if "#" in weekdays:
        wanted, _, nth = weekdays.partition("#")
        return number == _number(wanted, DAYS) and (day.day - 1) // 7 + 1 == int(nth)
    if weekdays == "L":
        return number == DAYS["SAT"]
    if weekdays.endswith("L"):
        return number == _number(weekdays[:-1], DAYS) and day.day + 7 > length
    return number in _field(weekdays, 1, 7, DAYS)
