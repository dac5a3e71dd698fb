"""JSON as it must be: what Python's reader lets pass or falls over (json module, "Standard Compliance") is damage.

Names that occur twice, NaN and Infinity, nesting without end and numbers of thousands of digits are refused.
"""

from __future__ import annotations

import json
from typing import Any

from pilotlight.runtime.checkpoints.format import SAID_CHARACTERS_MAX, Damaged, File, Reader


def parse(data: bytes) -> Any:
    """The value; Damaged when the bytes are not exactly one JSON value."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise Damaged(f"is not JSON: {problem}"[:SAID_CHARACTERS_MAX]) from problem


def read_object(file: File, reader: Reader, at_most: int) -> dict[str, Any]:
    """A file of `at_most` bytes that is one JSON object and nothing else, not even the end of a line."""
    if file.size > at_most:
        raise Damaged(f"{file.size} bytes are too many")
    data = reader.read_range(file, 0, file.size)
    parsed = parse(data)
    if not isinstance(parsed, dict) or not data.startswith(b"{") or not data.endswith(b"}"):
        raise Damaged("is not a JSON object")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
