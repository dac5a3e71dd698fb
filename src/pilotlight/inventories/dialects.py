"""What differs between the engines' SQL; everything else is one text, in statements.py.

The fingerprints of two engines are different numbers and are never compared with each other: both sides of a comparison
are read by one engine. What the engines must agree on is the answer, and tests compare it.

A fingerprint is the xor of one hash a row, so no part of that hash may be a mere xor, sum or product of a column: the
parts would cancel out, and two keys that had changed their contents with each other would go unseen. DuckDB's `hash` of
several columns is such a one (its last column is xored in), and is hashed once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """The parts of a statement that one engine says in its own way."""

    fingerprint: str
    """An aggregate of `key`, `size` and `version` in which the order of rows is of no account."""
    group: str
    """What keys of one `{prefix}` have in common and others have not: the prefix itself, or what is grouped faster."""
    any_key: str
    """A `key` of a group, whichever."""
    milliseconds: str
    """Milliseconds since 1970 of the column `last_modified_date`."""
    literal: Callable[[str], str]
    """A text as a literal."""


def quoted(text: str) -> str:
    """As the SQL standard writes a text (pure)."""
    return "'" + text.replace("'", "''") + "'"


def hexadecimal(text: str) -> str:
    """As Spark reads it whatever its settings say of quotes and backslashes (pure)."""
    plain = not set(text) & {"'", "\\"}
    return quoted(text) if plain else f"decode(unhex('{text.encode().hex()}'), 'UTF-8')"


DUCKDB = Dialect(
    fingerprint="bit_xor(hash(hash(key, size, version)))",
    # DuckDB groups numbers faster than texts. That two of a million prefixes have one hash of 64 bits is met once in
    # 37 million comparisons.
    group="hash({prefix})",
    any_key="any_value(key)",
    milliseconds="epoch_ms(last_modified_date)",
    literal=quoted,
)
SPARK = Dialect(
    # Spark SQL, "xxhash64": the hash of each column is the seed of the next one's.
    fingerprint="bit_xor(xxhash64(key, size, version))",
    group="{prefix}",
    any_key="any_value(key)",
    milliseconds="unix_millis(cast(last_modified_date as timestamp))",
    literal=hexadecimal,
)
TRINO = Dialect(
    # Trino, "Aggregate functions": `checksum` depends on no order. Its xor, bitwise_xor_agg, came with Trino 447, and
    # Athena's documents do not say whether its engine version 3 has it. One text a row: a row of columns is hashed
    # as a sum.
    fingerprint="checksum(concat(cast(size as varchar), ' ', coalesce(version, ''), ' ', key))",
    group="{prefix}",
    any_key="arbitrary(key)",
    # S3 User Guide, "Querying Amazon S3 Inventory with Amazon Athena": the column is a bigint of the external table.
    milliseconds="last_modified_date",
    literal=quoted,
)
