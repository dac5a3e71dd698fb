"""An inventory that is compared wrongly calls a bucket protected that is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inventories.inventory_worlds import BEGUN, PATIENCE, expected, world
from pilotlight.inventories import comparing, duckdb_engine, statements
from pilotlight.inventories.compared import Compared
from pilotlight.inventories.comparing import Engine, chosen, compare
from pilotlight.inventories.dialects import DUCKDB, SPARK, hexadecimal
from pilotlight.inventories.manifest import BucketInventory
from pilotlight.inventories.statements import LENGTHS, Question, after, within
from pilotlight.runtime.errors import QueryFailed
from support.inventory_files import Row, parquet

LATER = BEGUN + 3600


def side(name: str, created_at: float = BEGUN) -> BucketInventory:
    return BucketInventory("us-east-1", name, created_at, "lists", f"s3://lists/{name}/manifest.json", ())


@contextmanager
def duckdb(folder: Path, source: Iterable[Row], copy: Iterable[Row]) -> Iterator[Engine]:
    """Each side in two files."""
    paths = []
    for name, rows in (("source", list(source)), ("copy", list(copy))):
        half = len(rows) // 2
        halves = enumerate((rows[:half], rows[half:]))
        paths.append([parquet(folder / f"{name}-{n}.parquet", name, each) for n, each in halves])
    with duckdb_engine.opened(*paths, folder) as engine:
        yield engine


def by_duckdb(folder: Path, source: Iterable[Row], copy: Iterable[Row], prefix: str = "") -> Compared:
    with duckdb(folder, source, copy) as engine:
        return compare(engine, "corpus", prefix, side("source"), side("copy"), PATIENCE, LATER)


def counts(found: Compared) -> dict[str, int]:
    told = {**found.strengths, **found.unsettled, "waiting": found.waiting, "extra": found.extra}
    return {state: count for state, count in told.items() if count}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("prefix", ["", "corpus/", "corpus/it's"])
def test_what_an_inventory_says_is_what_one_key_after_the_other_says(tmp_path: Path, seed: int, prefix: str) -> None:
    source, copy = world(seed, 3_000, planted=60 if seed % 2 else 3_000)
    found = by_duckdb(tmp_path, source, copy, prefix)
    assert counts(found) == dict(expected(source, copy, prefix))
    assert found.settled == sum(found.strengths.values())


@pytest.mark.parametrize("length", [1, 8, 16, 19, 400])
def test_the_answer_does_not_depend_on_the_length_of_the_prefixes(tmp_path: Path, length: int) -> None:
    source, copy = world(1, 2_000, planted=40)
    with duckdb(tmp_path, source, copy) as engine:
        asked = Question(engine.source, engine.copy, engine.dialect, length=length,
                         waiting_since_ms=int((BEGUN - PATIENCE) * 1000))  # fmt: skip
        _, differing = comparing._fingerprints(engine, asked)
        found, _ = comparing._states(engine, asked, differing)
        whole = by_duckdb(tmp_path, source, copy)
    joined_keys = {state: keys for state, (keys, _) in found.items()}
    for state in ("missing", "different"):
        assert joined_keys.get(state, 0) == whole.unsettled[state]
    for state in ("etag", "size"):
        assert joined_keys.get(state, 0) == whole.strengths.get(state, 0)


@pytest.mark.parametrize("dialect", [DUCKDB])
def test_two_objects_that_changed_their_contents_with_each_other_are_seen(tmp_path: Path, dialect: object) -> None:
    """The xor of a hash that is itself a xor of its columns does not see it."""
    source = [Row(f"corpus/{n}", f"v{n}", BEGUN - 9_999, 7, f"e{n}") for n in range(100)]
    swapped = {3: 4, 4: 3}
    copy = [Row(f"corpus/{n}", f"v{swapped.get(n, n)}", BEGUN - 9_999, 7, f"e{swapped.get(n, n)}") for n in range(100)]
    found = by_duckdb(tmp_path, source, copy)
    assert found.strengths == {"version": 98, "size": 2} and not found.equal
    assert found.keys["size"] == ("corpus/3", "corpus/4")


def test_equal_sides_are_read_by_fingerprints_alone(tmp_path: Path) -> None:
    source, _ = world(3, 2_000, planted=0)
    found = by_duckdb(tmp_path, source, source)
    assert found.equal and found.prefixes == () and found.strengths == {"version": 2_000}


def test_an_empty_inventory_is_not_equal_to_a_full_one(tmp_path: Path) -> None:
    source, _ = world(3, 500, planted=0)
    assert by_duckdb(tmp_path, source, []).unsettled["missing"] == 500
    assert by_duckdb(tmp_path, [], source).extra == 500


def test_of_objects_before_versioning_the_etag_counts(tmp_path: Path) -> None:
    source = [Row(f"old/{n}", "null", BEGUN - 9_999, 7, f"e{n}") for n in range(100)]
    assert by_duckdb(tmp_path, source, source).strengths == {"etag": 100}
    bare = [Row(each.key, "null", each.modified, 7, None) for each in source]
    found = by_duckdb(tmp_path, bare, bare)
    assert found.strengths == {"size": 100} and not found.equal
    assert any("not proven" in sentence for sentence in found.cannot_prove)


def test_more_prefixes_differ_than_a_statement_names(tmp_path: Path) -> None:
    source = [Row(f"{n:06d}", f"v{n}", BEGUN - 9_999) for n in range(3_000)]
    copy = [Row(each.key, f"c{each.version}", each.modified + 1) for each in source]
    found = by_duckdb(tmp_path, source, copy)
    assert counts(found) == {"etag": 3_000}
    assert not found.prefixes_all


def test_what_was_written_after_an_older_inventory_of_the_copy_is_waiting(tmp_path: Path) -> None:
    row = Row("corpus/new", "v1", BEGUN - PATIENCE - 100)
    with duckdb(tmp_path, [row], []) as engine:
        found = compare(engine, "corpus", "", side("source"), side("copy", BEGUN - 3600), PATIENCE, LATER)
    assert (found.waiting, found.unsettled) == (1, {"missing": 0, "different": 0})
    assert "the source's is 1.0 h old" in found.cannot_prove[0] and "the copy's is 2.0 h old" in found.cannot_prove[0]


def test_the_keys_of_each_state_are_named_and_no_more_than_can_be_read(tmp_path: Path) -> None:
    source = [Row(f"k{n:03d}", f"v{n}", BEGUN - 9_999) for n in range(100)]
    found = by_duckdb(tmp_path, source, source[:10])
    assert found.unsettled["missing"] == 90
    assert found.keys["missing"] == tuple(f"k{n:03d}" for n in range(10, 10 + statements.NAMED_MAX))


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("a/", "a0"),
        ("a", "b"),
        ("\ud7ff", "\ue000"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff", ""),
        ("\uffff", "\U00010000"),
    ],
)
def test_the_end_of_a_prefix_is_behind_all_that_begin_with_it(prefix: str, end: str) -> None:
    assert after(prefix) == end


def test_a_prefix_that_is_a_whole_key_is_that_key_alone() -> None:
    asked = Question("s", "c", DUCKDB, length=4)
    assert within(asked, ["ab", "abcd"]) == (
        "((key < 'abcd' and key = 'ab') or (key >= 'abcd' and (key >= 'abcd' and key < 'abce'))) and 1 = 1"
    )
    assert within(asked, []) == "1 = 0 and 1 = 1"


def test_spark_is_given_no_quote_or_backslash_of_a_key() -> None:
    assert hexadecimal("a/b") == "'a/b'"
    assert hexadecimal("it's") == "decode(unhex('69742773'), 'UTF-8')"
    assert SPARK.literal("a\\") == "decode(unhex('615c'), 'UTF-8')"


def test_prefixes_are_as_long_as_the_data_asks_for() -> None:
    few = [1] * len(LENGTHS)
    assert chosen(1_000, few, 100_000_000) == LENGTHS[-1]
    assert chosen(50_000, [1, 1, 1, 4, 5, 40, 400, *few[7:]], 100_000_000) == 20
    assert chosen(50_000, [1, 1, 1, 2, 2, 400, 400, *few[7:]], 100_000_000) == 20, "the next has 800,000"
    assert chosen(200_000, [1, 1, 30, *few[3:]], 4_000_000_000) == 12, "a sample in one folder"
    assert chosen(0, [0] * len(LENGTHS), 0) == 4


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but torn")
    with (
        pytest.raises(QueryFailed, match="duckdb did not answer"),
        duckdb_engine.opened([tmp_path / "a.parquet"], [tmp_path / "a.parquet"], tmp_path),
    ):
        pass
