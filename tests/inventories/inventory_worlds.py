"""Two sides with everything that keys, versions and delete markers can be; and what a person reading them one by one
would say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from pilotlight.runtime.kinds.buckets.listing import DIFFERENT, ETAG, SIZE, VERSION, Current, joined, settled
from support.inventory_files import Row

BEGUN = 1_790_000_000.0
PATIENCE = 900.0
KEYS = (
    "a", "ab", "corpus/0001.tar", "corpus/it's", "corpus/back\\slash", "corpus/%_[x]", "corpus/\u00e9", "corpus/\ud7ff",
    "corpus/\U0001f600/x", "corpus/\uffff", "corpus/\U0010ffff", "corpus/\U0010ffff\U0010ffff/z", "corpus/\ue000",
)  # fmt: skip
"""Keys that some engine might read in another way than another."""
FATES = ("same", "same", "same", "same", "etag", "size", "missing", "different", "older", "deleted", "both deleted",
         "marker only", "undeleted", "late", "extra", "late extra", "old", "unversioned")  # fmt: skip


def world(seed: int, keys: int, planted: int) -> tuple[list[Row], list[Row]]:
    """(source, copy); `planted` of the keys meet another fate than being the same."""
    rng = random.Random(seed)
    names = [*KEYS, *(f"corpus/run-{n // 50:03d}/shard-{n % 50:04d}.tar" for n in range(keys - len(KEYS)))]
    odd = set(rng.sample(range(len(names)), min(planted, len(names))))
    source, copy = list[Row](), list[Row]()
    for number, key in enumerate(names):
        fate = rng.choice(FATES) if number in odd else "same"
        ours, theirs = _rows(rng, key, fate, number)
        source += ours
        copy += theirs
    return source, copy


def _rows(rng: random.Random, key: str, fate: str, number: int) -> tuple[list[Row], list[Row]]:
    version, size, etag = f"v{number}-{rng.getrandbits(64):x}", rng.randrange(1, 10**12), f"{rng.getrandbits(128):x}"
    at = BEGUN - PATIENCE - rng.uniform(60, 10**6)
    late = BEGUN - rng.uniform(0, PATIENCE - 1)
    row = Row(key, version, at, size, etag)
    gone = Row(key, f"m{number}", at + 1, None, None, deleted=True)
    was = Row(key, version, at, size, etag, latest=False)
    newer = Row(key, f"n{number}", at + 2, size, f"{etag}x")
    return {
        "same": ([row], [row]),
        "etag": ([row], [Row(key, f"c{number}", at + 5, size, etag)]),
        "size": ([row], [Row(key, f"c{number}", at + 5, size, f"{etag}-2")]),
        "missing": ([row], []),
        "different": ([row], [Row(key, f"c{number}", at + 5, size + 1, etag)]),
        "older": ([newer, was], [row]),
        "deleted": ([gone, was], [row]),
        "both deleted": ([gone, was], [gone, was]),
        "marker only": ([gone], []),
        "undeleted": ([row], [gone, was]),
        "late": ([Row(key, version, late, size, etag)], []),
        "extra": ([], [row]),
        "late extra": ([], [Row(key, version, late, size, etag)]),
        "old": ([row, Row(key, f"o{number}", at - 9, size, etag, latest=False)], [row]),
        "unversioned": ([Row(key, rng.choice(["null", "", None]), at, size, etag)], [Row(key, "null", at, size, etag)]),
    }[fate]


def expected(source: Iterable[Row], copy: Iterable[Row], prefix: str = "") -> Counter[str]:
    """State -> keys, by `settled` of the listing, one key after the other."""
    found: Counter[str] = Counter()
    since = BEGUN - PATIENCE
    for ours, theirs in joined(*(_currents(each, prefix) for each in (source, copy))):
        if ours is None:
            if theirs is not None and not theirs.deleted:
                found["waiting" if theirs.modified >= since else "extra"] += 1
            continue
        strength = settled(ours, theirs)
        if strength != DIFFERENT:
            found[{VERSION: "version", ETAG: "etag", SIZE: "size"}[strength]] += 1
        elif max(ours.modified, theirs.modified if theirs else 0) >= since:
            found["waiting"] += 1
        else:
            found["missing" if not ours.deleted and (theirs is None or theirs.deleted) else "different"] += 1
    return found


def _currents(rows: Iterable[Row], prefix: str) -> list[Current]:
    chains: dict[str, list[Current]] = {}
    for row in rows:
        if row.key.startswith(prefix):
            each = Current(row.key, row.version or "", row.modified, row.size or 0, row.etag or "", row.deleted)
            chains.setdefault(row.key, []).insert(0 if row.latest else len(chains.get(row.key, [])), each)
    newest = [Current(*(getattr(chain[0], name) for name in ("key", "version", "modified", "size", "etag", "deleted")),
                      older=tuple(chain[1:])) for chain in chains.values()]  # fmt: skip
    return sorted(newest, key=lambda each: each.key.encode())
