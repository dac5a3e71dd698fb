"""The one SQL text: fingerprints of both sides by prefix, then only the prefixes that differ, key by key.

Columns are those of S3 Inventory (S3 User Guide, "Amazon S3 Inventory list"). What counts as equal, and how strongly
it is known, is as in runtime/kinds/buckets/listing.py: `strength` and `settled`. Keys are compared as bytes of UTF-8 in
all three engines, so the keys of a prefix are a range, and files whose rows are in order are read there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pilotlight.inventories.dialects import Dialect

NAMED_MAX = 20
"""How many keys of one state are named; all are counted."""
RANGES_MAX = 256
"""Prefixes that differ and are named in a statement; Athena takes 262,144 bytes of it (Athena User Guide, "Service
Quotas"). Where more differ the statement finds them anew."""
LENGTHS: tuple[int, ...] = (*range(4, 65, 4), 80, 96, 128, 192, 256, 512)
"""Lengths of prefixes that are tried; an object's key has at most 1,024 bytes (S3 User Guide, "Naming objects")."""

VERSION, ETAG, SIZE = "version", "etag", "size"
MISSING, DIFFERENT, WAITING, EXTRA = "missing", "different", "waiting", "extra"
DELETED, NOTHING = "deleted", "nothing"
NAMED = (MISSING, DIFFERENT, SIZE, WAITING, EXTRA)
"""States whose keys somebody wants to see."""


@dataclass(frozen=True)
class Question:
    """Two tables with the columns of S3 Inventory, and below which prefix they are compared."""

    source: str
    copy: str
    dialect: Dialect
    prefix: str = ""
    length: int = 0
    """Of the prefixes that get a fingerprint."""
    waiting_since_ms: int = 0
    """What was written at this time or later may be on its way."""

    def by(self, length: int) -> Question:
        """The same with prefixes of this length."""
        return replace(self, length=length)


def rows(table: str) -> str:
    """How many rows there are, of versions and delete markers."""
    return f"select count(*) from {table}"


def gauge(question: Question, rows_max: int) -> str:
    """Of the first rows: how many there are, and how many prefixes of each of LENGTHS they have."""
    counts = ", ".join(f"count(distinct substr(key, 1, {length}))" for length in LENGTHS)
    where = _below(question)
    return f"select count(*), {counts} from (select key from {question.source} where {where} limit {rows_max}) as first"


def fingerprints(question: Question) -> str:
    """(alike, prefix, objects): of all prefixes that are alike one row, with 1, and then of each that is not."""
    return f"""
with {_prints(question)}
select alike, case when alike = 1 then '' else prefix end as prefix, sum(objects) as objects
from prints group by 1, 2 order by 1 desc, 2 limit {RANGES_MAX + 2}"""


def states(question: Question, differing: Sequence[str]) -> str:
    """Of the prefixes that differ: (state, keys, of them delete markers of the source, ''); and (state, place, 0, key)
    of the first keys of each state that somebody wants to see."""
    wanted = ", ".join(f"'{state}'" for state in NAMED)
    return f"""
with {_states(question, differing)}
select state, count(*) as keys, sum(marked) as marked, '' as key from states group by 1
union all
select state, place, 0, key from (
  select state, key, row_number() over (partition by state order by key) as place
  from states where state in ({wanted})) as placed
where place <= {NAMED_MAX}"""


def markers(question: Question) -> str:
    """How many keys of the source are deleted."""
    return (
        f"select count(*) from {question.source} "
        f"where is_latest and coalesce(is_delete_marker, false) and {_below(question)}"
    )


def _prints(question: Question) -> str:
    return f"""source_prints as ({_side(question, question.source)}),
copy_prints as ({_side(question, question.copy)}),
prints as (
  select coalesce(s.prefix, c.prefix) as prefix, coalesce(s.objects, 0) as objects,
    case when s.objects = c.objects and s.bytes = c.bytes and s.print = c.print and s.versions = s.objects
      then 1 else 0 end as alike
  from source_prints s full outer join copy_prints c on s.prefix = c.prefix)"""


def _side(question: Question, table: str) -> str:
    """Objects without a version id get no fingerprint that would prove anything: their prefixes are joined."""
    prefix = f"substr(key, 1, {question.length})"
    return f"""
  select substr({question.dialect.any_key}, 1, {question.length}) as prefix,
    count(*) as objects, count(version) as versions, sum(size) as bytes, {question.dialect.fingerprint} as print
  from (select key, {_VERSION} as version, size from {table}
    where is_latest and not coalesce(is_delete_marker, false) and {_below(question)}) as objects
  group by {question.dialect.group.format(prefix=prefix)}"""


_VERSION = "nullif(nullif(version_id, ''), 'null')"
"""Objects from before versioning have none."""


def _states(question: Question, differing: Sequence[str]) -> str:
    """A delete marker and a key that was never there are the same to the copy, as `settled` has it. One version id with
    two sizes cannot be; it is told as different."""
    many = len(differing) > RANGES_MAX
    before = f"{_prints(question)},\n" if many else ""
    where = (
        f"substr(key, 1, {question.length}) in (select prefix from prints where alike = 0) and {_below(question)}"
        if many
        else within(question, differing)
    )
    both = "not s.deleted and not coalesce(c.deleted, true)"
    return f"""{before}source_current as ({_current(question, question.source, where)}),
copy_current as ({_current(question, question.copy, where)}),
source_older as (
  select key, {_VERSION} as version from {question.source} where not is_latest and {where}),
states as (
  select coalesce(s.key, c.key) as key,
    case when s.deleted then 1 else 0 end as marked,
    case
      when s.key is null and c.deleted then '{NOTHING}'
      when s.key is null and c.modified >= {question.waiting_since_ms} then '{WAITING}'
      when s.key is null then '{EXTRA}'
      when s.deleted and coalesce(c.deleted, true) then '{DELETED}'
      when {both} and s.version = c.version and s.size = c.size then '{VERSION}'
      when {both} and s.size = c.size and s.etag <> '' and s.etag = c.etag then '{ETAG}'
      when {both} and s.size = c.size and o.key is null and c.modified >= s.modified then '{SIZE}'
      when greatest(s.modified, coalesce(c.modified, 0)) >= {question.waiting_since_ms} then '{WAITING}'
      when not s.deleted and coalesce(c.deleted, true) then '{MISSING}'
      else '{DIFFERENT}' end as state
  from source_current s full outer join copy_current c on s.key = c.key
  left join source_older o on o.key = c.key and o.version = c.version)"""


def _current(question: Question, table: str, where: str) -> str:
    return f"""
  select key, {_VERSION} as version, size, e_tag as etag, {question.dialect.milliseconds} as modified,
    coalesce(is_delete_marker, false) as deleted
  from {table} where is_latest and {where}"""


def within(question: Question, prefixes: Sequence[str]) -> str:
    """The keys of these prefixes and no others (pure)."""
    return f"{_any(question, sorted(prefixes, key=str.encode))} and {_below(question)}"


def _any(question: Question, prefixes: Sequence[str]) -> str:
    """Halves of halves: of a few hundred ranges a row is compared with ten, and a file's statistics with all."""
    if len(prefixes) > 1:
        middle = len(prefixes) // 2
        at = question.dialect.literal(prefixes[middle])
        lower, upper = (_any(question, half) for half in (prefixes[:middle], prefixes[middle:]))
        return f"((key < {at} and {lower}) or (key >= {at} and {upper}))"
    return _one(question, prefixes[0]) if prefixes else "1 = 0"


def _one(question: Question, prefix: str) -> str:
    """A prefix that is shorter than the others is a whole key."""
    if len(prefix) < question.length:
        return f"key = {question.dialect.literal(prefix)}"
    return between(question, prefix)


def _below(question: Question) -> str:
    return between(question, question.prefix) if question.prefix else "1 = 1"


def between(question: Question, prefix: str) -> str:
    """The keys that begin so, as a range, which statistics of files answer (pure)."""
    literal, end = question.dialect.literal, after(prefix)
    upper = f" and key < {literal(end)}" if end else ""
    return f"(key >= {literal(prefix)}{upper})"


def after(prefix: str) -> str:
    """The first text behind all that begin with this one, in the order of UTF-8; empty where there is none (pure)."""
    kept = prefix.rstrip(chr(0x10FFFF))
    if not kept:
        return ""
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)
