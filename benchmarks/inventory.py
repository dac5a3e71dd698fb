"""Two inventories compared, against reading them at all and against DuckDB's own full outer join of them (B2).

Peers, in the same run and each in a process of its own: (a) a bare scan of key, size and version id of both sides,
below which no comparison comes; (b) `full outer join` on the key. 30 differences are planted in places far apart, and
every way has to find them. Seconds are those of a core, to which what others do on the machine adds little; seconds of
the clock are printed beside them. The join may take as much memory as it likes; ours has a limit.

    benchmarks/inventory.py            2 million rows a side
    benchmarks/inventory.py --full     100 million rows a side, 5 times: 15 GB of disk and about an hour
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from pilotlight.inventories import duckdb_engine
from pilotlight.inventories.comparing import compare
from pilotlight.inventories.manifest import BucketInventory

ROWS, ROWS_FULL = 2_000_000, 100_000_000
TIMES, TIMES_FULL = 3, 5
PLANTED = 30
SCAN_RATIO_MAX = 1.35
JOIN_RATIO_MIN = 5.0
PEAK_MB_MAX = 500
SPARK_ROWS_MAX = 5_000_000
"""Beyond, Spark on one machine is not what anybody would take."""
FILES = 4
"""Parquet files of a side."""
THREADS = 2
FOUND = {"missing": 10, "different": 10, "size": 10}
KEY = "printf('ckpt/run-%04d/step-%06d/shard-%05d.distcp', i // 100000, (i // 1000) % 100, i % 1000)"
BEGUN, WRITTEN = 1_790_000_000.0, 1_700_000_000
OUT = Path(__file__).parents[1] / "build" / "bench" / "B2.json"
WAYS = ("scan", "ours", "join")


def synthesise(folder: Path, rows: int) -> None:
    """Both sides: the shape of ../shared/bench/inventory_sql.py with the fields of S3 Inventory."""
    step = rows // PLANTED
    planted = f"(i % {step} = {step // 2})"
    with duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": "true"}) as connection:
        for side in ("source", "copy"):
            fate = f"case when {planted} then (i // {step}) % 3 else -1 end" if side == "copy" else "-1"
            for number in range(FILES):
                start, end = rows * number // FILES, rows * (number + 1) // FILES
                connection.execute(f"""copy (
                  select 'corpus' as bucket, {KEY} as key,
                    md5('v' || i || case when fate in (1, 2) then 'x' else '' end) as version_id,
                    true as is_latest, false as is_delete_marker,
                    (1048576 + i % 4096 + case when fate = 1 then 1 else 0 end)::bigint as size,
                    make_timestamp(({WRITTEN} + i % 1000000)::bigint * 1000000)::timestamptz as last_modified_date,
                    md5(i || case when fate = 2 then 'x' else '' end) as e_tag,
                    'STANDARD' as storage_class, 'COMPLETED' as replication_status, 'CRC64NVME' as checksum_algorithm
                  from (select i, {fate} as fate from range({start}, {end}) as numbers(i)) where fate <> 0
                ) to '{folder}/{side}-{number}.parquet' (format parquet, compression snappy)""")


def files(folder: Path) -> tuple[list[Path], list[Path]]:
    """(source, copy)."""
    source, copy = (sorted(folder.glob(f"{side}-*.parquet")) for side in ("source", "copy"))
    return source, copy


def side(name: str) -> BucketInventory:
    """As it is located in S3; only its time counts here."""
    return BucketInventory("us-east-1", name, BEGUN, "lists", f"s3://lists/{name}/manifest.json", ())


def told(found: Any) -> dict[str, int]:
    """The planted differences, by state."""
    counts = {**found.unsettled, "size": found.strengths.get("size", 0)}
    return {state: count for state, count in counts.items() if count}


def ours(folder: Path) -> dict[str, int]:
    source, copy = files(folder)
    with duckdb_engine.opened(source, copy, folder, threads=THREADS) as engine:
        return told(compare(engine, "corpus", "", side("corpus"), side("copy"), 900.0, BEGUN + 3600))


def by_spark(folder: Path) -> dict[str, int]:
    from pilotlight.inventories import spark_engine

    with spark_engine.opened(f"local[{THREADS}]") as spark:
        source, copy = ([str(path) for path in paths] for paths in files(folder))
        return told(compare(spark.read(source, copy), "corpus", "", side("corpus"), side("copy"), 900.0, BEGUN + 3600))


def peer(folder: Path, way: str) -> dict[str, int]:
    source, copy = (f"read_parquet({[str(path) for path in paths]})" for paths in files(folder))
    spilled = folder / "spilled-by-peers"
    with duckdb.connect(config={"threads": THREADS, "temp_directory": str(spilled)}) as connection:
        if way == "scan":
            both = f"select * from {source} union all select * from {copy}"
            connection.execute(f"select sum(length(key) + size + length(version_id)) from ({both})").fetchall()
            return {}
        found = connection.execute(f"""
            select case when c.key is null then 'missing' when s.size <> c.size then 'different' else 'size' end,
              count(*)
            from {source} s full outer join {copy} c on s.key = c.key
            where s.key is null or c.key is null or s.size <> c.size or s.version_id <> c.version_id
            group by 1""").fetchall()
        return {str(state): int(count) for state, count in found}


def once(way: str, folder: Path) -> dict[str, Any]:
    """In this process: seconds and peak memory of one way."""
    began, before = time.perf_counter(), time.process_time()
    found = {"ours": ours, "spark": by_spark}.get(way, lambda place: peer(place, way))(folder)
    seconds, core = time.perf_counter() - began, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"seconds": seconds, "core_seconds": core, "peak_mb": peak, "found": found}


def measured(way: str, folder: Path) -> dict[str, Any]:
    """The same in a process of its own."""
    asked = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
    answer: dict[str, Any] = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    if way != "scan" and answer["found"] != FOUND:
        raise SystemExit(f"{way} found {answer['found']}, planted were {FOUND}")
    return answer


def medians(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Of each figure; of memory the highest."""
    found = {name: statistics.median(each[name] for each in runs) for name in ("seconds", "core_seconds")}
    return found | {"peak_mb": max(each["peak_mb"] for each in runs)}


def main() -> int:
    """Print the figures and keep them; 1 where a goal is not met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rows", type=int, help="of a side")
    parser.add_argument("--times", type=int)
    parser.add_argument("--way", choices=[*WAYS, "spark"])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(once(options.way, options.folder)))
        return 0
    quick = bool(os.environ.get("BENCH_QUICK"))
    rows = options.rows or (ROWS_FULL if options.full else ROWS // 10 if quick else ROWS)
    times = options.times or (TIMES_FULL if options.full else 1 if quick else TIMES)
    with tempfile.TemporaryDirectory(prefix="pilotlight-") as place:
        folder = options.folder or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        if not all(files(folder)):
            synthesise(folder, rows)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(times):
            for way in WAYS:
                runs[way].append(measured(way, folder))
        spark = importlib.util.find_spec("pyspark") is not None and rows <= SPARK_ROWS_MAX
        by = measured("spark", folder) if spark else None
    return kept(rows, times, {way: medians(each) for way, each in runs.items()}, by)


def kept(rows: int, times: int, found: dict[str, dict[str, float]], spark: dict[str, Any] | None) -> int:
    """Print, and write B2.json."""
    ratios = {
        name: {
            "to_scan": found["ours"][name] / found["scan"][name],
            "join_to_ours": found["join"][name] / found["ours"][name],
        }
        for name in ("core_seconds", "seconds")
    }
    core = ratios["core_seconds"]
    peak = found["ours"]["peak_mb"]
    met = core["to_scan"] <= SCAN_RATIO_MAX and core["join_to_ours"] >= JOIN_RATIO_MIN and peak <= PEAK_MB_MAX
    record = {
        "schema": "pilotlight/benchmark/1",
        "id": "B2",
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "duckdb": duckdb.__version__},
        "rows_a_side": rows,
        "times": times,
        "ours": found["ours"],
        "peers": {way: found[way] for way in ("scan", "join")},
        "spark": spark,
        "limit": {"to_scan_max": SCAN_RATIO_MAX, "join_to_ours_min": JOIN_RATIO_MIN, "peak_mb_max": PEAK_MB_MAX},
        "ratios": ratios,
        "goal": "core seconds at most 1.35 of a scan's, a join's at least 5 times ours, at most 500 MB",
        "met": met,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(record, indent=2) + "\n")
    print(f"{rows:,} rows a side, median of {times}, {PLANTED} differences found by each")
    for way in WAYS:
        each = found[way]
        print(f"{way:6} {each['core_seconds']:8.2f} s of a core {each['seconds']:8.2f} s  {each['peak_mb']:7,.0f} MB")
    if spark:
        print(f"spark  {'':21} {spark['seconds']:8.2f} s, the same answer")
    print(f"ours / scan {core['to_scan']:.2f} (at most {SCAN_RATIO_MAX})")
    print(f"join / ours {core['join_to_ours']:.2f} (at least {JOIN_RATIO_MIN})")
    print(f"peak {peak:,.0f} MB (at most {PEAK_MB_MAX}): {'met' if met else 'NOT met'}")
    return int(not met and not os.environ.get("BENCH_QUICK"))


if __name__ == "__main__":
    sys.exit(main())
