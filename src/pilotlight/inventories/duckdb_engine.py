"""DuckDB: one machine, files on its disk, and no more memory than it is given."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pilotlight.inventories.comparing import Rows
from pilotlight.inventories.dialects import DUCKDB, quoted
from pilotlight.runtime.errors import PackageMissing, QueryFailed

MEMORY_MIB = 384
"""DuckDB's own; Python and the files' buffers come on top, and the whole stays below 500 MB."""


class DuckDb:
    """Two views over Parquet files."""

    name, dialect = "duckdb", DUCKDB
    source, copy = "source_inventory", "copy_inventory"

    def __init__(self, connection: Any, source: Sequence[Path], copy: Sequence[Path]) -> None:
        self._connection = connection
        self.rows("set enable_progress_bar = false")
        for view, paths in ((self.source, source), (self.copy, copy)):
            names = ", ".join(quoted(str(path)) for path in paths)
            self.rows(f"create view {view} as select * from read_parquet([{names}])")

    def rows(self, statement: str) -> Rows:
        """See Engine.rows."""
        try:
            found: Rows = self._connection.execute(statement).fetchall()
        except package().Error as problem:
            raise QueryFailed(engine=self.name, reason=_first_line(problem)) from problem
        return found


@contextlib.contextmanager
def opened(
    source: Sequence[Path], copy: Sequence[Path], folder: Path, memory_mib: int = MEMORY_MIB, threads: int = 0
) -> Iterator[DuckDb]:
    """A DuckDB of its own; what does not fit into its memory goes to `folder`. As many threads as cores by default."""
    settings: dict[str, Any] = {
        "memory_limit": f"{memory_mib}MiB",
        "temp_directory": str(folder / "spilled"),
        "preserve_insertion_order": "false",
    } | ({"threads": threads} if threads else {})
    with contextlib.closing(package().connect(":memory:", config=settings)) as connection:
        yield DuckDb(connection, source, copy)


def package() -> ModuleType:
    """DuckDB, or PackageMissing."""
    try:
        import duckdb
    except ImportError as problem:
        raise PackageMissing(package="duckdb", extra="inventory", purpose="--engine duckdb") from problem
    return duckdb


def _first_line(problem: Exception) -> str:
    return str(problem).partition("\n")[0]
