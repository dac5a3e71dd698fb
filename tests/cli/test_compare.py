"""What `pilotlight compare` says to whoever typed it, and with which exit code a script goes on."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest

from pilotlight.cli import compare as verb
from pilotlight.inventories import duckdb_engine, request, spark_engine
from pilotlight.inventories.compared import Compared, Side, limits
from pilotlight.inventories.request import EngineName, Request, carried_out
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import BadOption, PackageMissing
from pilotlight.runtime.kinds.buckets.listing import Bucket
from pilotlight.runtime.records.codec import dumps, loads
from support.fake_aws import CORPUS, CORPUS_COPY, FakeAws
from support.fake_aws import inventory as built
from support.fake_names import PRIMARY, STANDBY

SOURCE = Side(PRIMARY, CORPUS, "", "2026-01-02T00:00:00.000Z", "s3://lists/m/manifest.json", 2, 110, ("csv: is CSV",))
COPY = dataclasses.replace(SOURCE, region=STANDBY, bucket=CORPUS_COPY, passed_over=())
FOUND = Compared(
    asset="corpus",
    engine="duckdb",
    source=SOURCE,
    copy=COPY,
    settled=100,
    strengths={"version": 97, "etag": 1, "size": 2},
    waiting=3,
    unsettled={"missing": 4, "different": 0},
    extra=1,
    keys={"missing": ("corpus/a",), "size": ("corpus/b",)},
    cannot_prove=limits(0.0, 3600.0, -900.0, 7200.0, 2),
)


def test_what_is_proven_and_what_is_not_stand_in_different_lines(capsys: pytest.CaptureFixture[str]) -> None:
    verb._tell(FOUND)
    out, err = capsys.readouterr()
    assert "97 proven by version id" in out and "2 of equal size, not proven" in out
    assert "missing  4" in out and "missing: corpus/a" in out and "waiting  3" in out
    assert "the source's is 2.0 h old (1970-01-01T00:00:00.000Z) and the copy's is 1.0 h old" in out
    assert "no checksum values" in out and "what was written or deleted since is in neither" in out
    assert "passed over: csv: is CSV" in err


def test_the_error_counts_and_names_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert verb._found(FOUND) == "4 missing, 2 of equal size only, first corpus/a"


@pytest.mark.parametrize(
    ("changes", "equal"),
    [
        ({"unsettled": {"missing": 0}, "strengths": {"version": 5}}, True),
        ({"unsettled": {"missing": 0}, "strengths": {"version": 5, "size": 1}}, False),
        ({"unsettled": {"different": 1}, "strengths": {"version": 5}}, False),
        ({"unsettled": {"overdue": 1}, "strengths": {"version": 5}}, False),
    ],
)
def test_only_what_is_proven_is_equal(changes: dict[str, Any], equal: bool) -> None:
    assert dataclasses.replace(FOUND, **changes).equal is equal


def test_the_result_is_a_record_that_can_be_read_again() -> None:
    text = dumps(FOUND)
    assert '"schema": "pilotlight/compare/1"' in text
    assert loads(Compared, text, "result.json") == FOUND


def test_an_asset_that_is_none_is_told_with_the_nearest() -> None:
    with pytest.raises(BadOption, match="corpus"):
        verb._named(built(), "corpse")
    assert verb._named(built(), "checkpoints").prefix == "checkpoints/"


@pytest.mark.parametrize(
    ("package", "engine", "extra"),
    [("duckdb", EngineName.DUCKDB, "inventory"), ("pyspark.sql", EngineName.SPARK, "spark")],
)
def test_a_package_that_is_missing_is_named_before_anything_is_called(
    package: str, engine: EngineName, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    aws = FakeAws(FakeClock())
    asked = Request("corpus", Bucket(PRIMARY, CORPUS), Bucket(STANDBY, CORPUS_COPY), 60.0, float("-inf"))
    with pytest.raises(PackageMissing) as problem:
        carried_out(asked, engine, aws, FakeClock(), lambda text: None)
    assert f"pip install 'pilotlight[{extra}]'" in problem.value.advice
    assert aws.made == []


def test_the_engines_are_those_that_the_help_names() -> None:
    assert [each.value for each in EngineName] == ["listing", "duckdb", "spark", "athena"]
    assert {duckdb_engine.DuckDb.name, spark_engine.Spark.name, request.athena_engine.Athena.name} < set(EngineName)
