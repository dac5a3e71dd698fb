"""Health: a checkpoint that is whole may still be unhealthy, and the metrics that its trainer saved beside it tell.

The declaration names a file in the checkpoint's folder: JSON (Hugging Face's `trainer_state.json` with its
`log_history`, or any other object) or JSON lines. A number anywhere in it that is NaN or infinite, or a last value of
the named key above the bound, makes the checkpoint unhealthy. One that is missing or cannot be read proves no health.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.checkpoints.format import Reader, Unreadable
from pilotlight.runtime.checkpoints.verify import Found

METRICS_BYTES_MAX = 8 * 1024 * 1024
"""A log of a hundred thousand steps fits; more is not a metric file."""
DEPTH_MAX = 64
"""Metric files are flat; what is nested deeper was made to break its reader."""


@dataclass(frozen=True)
class Rule:
    """What is declared: the file's name in the checkpoint's folder, and the bound on the last value of `key`."""

    file: str
    key: str = "loss"
    at_most: float | None = None


class _Unhealthy(Exception):
    """Why a file does not speak for its checkpoint."""


def ailment(found: Found, reader: Reader, rule: Rule) -> str:
    """Why this checkpoint must not be used, in words; empty when its metrics are sound."""
    file = found.candidate.named(rule.file)
    if file is None:
        return f"{rule.file} is missing, so its health is not known"
    if file.size > METRICS_BYTES_MAX:
        return f"{rule.file} has {file.size} bytes, too many to judge its health by"
    try:
        return judge(reader.read_range(file, 0, file.size) if file.size else b"", rule)
    except Unreadable as problem:
        return f"{rule.file} {problem}, so its health is not known"


def judge(data: bytes, rule: Rule) -> str:
    """The same from the file's bytes (pure)."""
    try:
        named = [(key, number) for value in _values(data) for key, number in _numbers(value, "", 0)]
    except _Unhealthy as problem:
        return f"{rule.file} {problem}, so its health is not known"
    for key, number in named:
        if not math.isfinite(number):
            return f"{rule.file}: {key or 'a value'} is {number}"
    return _bounded([number for key, number in named if key == rule.key], rule)


def _bounded(values: list[float], rule: Rule) -> str:
    if rule.at_most is None:
        return ""
    if not values:
        return f"{rule.file} has no {rule.key}, so its health is not known"
    if values[-1] > rule.at_most:
        return f"{rule.file}: {rule.key} is {values[-1]:g}, above {rule.at_most:g}"
    return ""


def _values(data: bytes) -> list[Any]:
    """One JSON value, or one a line."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise _Unhealthy("is not text") from problem
    try:
        return [_parsed(text)]
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
    try:
        return [_parsed(line) for line in lines]
    except ValueError as problem:
        raise _Unhealthy("is neither JSON nor JSON lines") from problem


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as problem:
        raise ValueError("nested too deeply") from problem


def _numbers(value: Any, key: str, depth: int) -> Iterator[tuple[str, float]]:
    """Every number with the key it stands under, in the order of the file; NaN that was written as text counts too."""
    if depth > DEPTH_MAX:
        raise _Unhealthy("is nested too deeply")
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _numbers(each, name, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each, key, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, _as_float(value)
    elif isinstance(value, str) and value.strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        yield key, float(value)


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
