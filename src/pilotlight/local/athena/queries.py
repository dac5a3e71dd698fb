"""Athena's queries, run by DuckDB on the files that an external table names.

Athena API Reference, "StartQueryExecution", "GetQueryExecution", "GetQueryResults"; Athena User Guide, "CREATE TABLE":
an external table is a folder, and with SymlinkTextInputFormat the files that the lists in it name. moto takes queries
and runs none. A query runs while it is started, so it has ended when it is first asked for.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.athena.models import AthenaBackend, QueryResults
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

FUNCTIONS = ("create macro checksum(x) as sum(hash(x) // 65536)",)
"""What Trino has and DuckDB has not, of what is used here (Trino, "Aggregate functions"); the numbers are others."""
KEYS_MAX = 100_000
"""Objects of a table's folder."""
NO_OUTPUT = (
    "No output location provided. You did not provide an output location for your query results. Please specify an "
    "output location for your query results either in the request or in the workgroup."
)
REASON_KEPT_AS = "state_change_reason"

_CREATE = re.compile(r"^\s*create\s+external\s+table\s+(?:if\s+not\s+exists\s+)?([\w.`]+)\s*\((.*?)\)\s", re.I | re.S)
_LOCATION = re.compile(r"\blocation\s+'s3://([^/']+)/([^']*)'", re.I)
_DROP = re.compile(r"^\s*drop\s+table\s+(?:if\s+exists\s+)?([\w.`]+)\s*$", re.I)
_DATA_DEFINITION = re.compile(r"^\s*(create|drop|alter|msck|show|describe)\b", re.I)


class Failed(Exception):
    """What Athena says of a query that failed."""


@dataclass(frozen=True)
class Table:
    """An external table: column -> type, and the folder."""

    columns: dict[str, str]
    bucket: str
    folder: str
    is_listed: bool
    """Whether the folder holds lists of files and not the files."""


class Queries(Behaviour):
    """Answers queries."""

    name = "athena"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._lock = threading.Lock()
        self._tables: dict[tuple[int, str], Table] = {}
        taken, told, ours = (
            original(AthenaBackend, "start_query_execution"),
            original(AthenaResponse, "get_query_execution"),
            self,
        )

        def start_query_execution(backend: Any, query: str, context: Any, config: Any, workgroup: Any, *more: Any,
                                  **named: Any) -> str:  # fmt: skip
            if not _output(backend, config, workgroup):
                raise JsonRESTError("InvalidRequestException", NO_OUTPUT)
            started = str(taken(backend, query, context, config, workgroup, *more, **named))
            ours.carry_out(backend, started, query)
            return started

        def get_query_execution(response: Any) -> str:
            answer = json.loads(told(response))
            execution = response.athena_backend.executions[answer["QueryExecution"]["QueryExecutionId"]]
            reason = getattr(execution, REASON_KEPT_AS, "")
            if reason:
                answer["QueryExecution"]["Status"]["StateChangeReason"] = reason
            return json.dumps(answer)

        override(AthenaBackend, start_query_execution=start_query_execution)
        override(AthenaResponse, get_query_execution=get_query_execution)

    def carry_out(self, backend: Any, execution: str, query: str) -> None:
        """Run a query that moto has taken, and keep its answer, or why it failed, where moto looks for it."""
        try:
            with self._lock:
                names, rows = self._run(backend, query)
        except Failed as problem:
            backend.executions[execution].status = "FAILED"
            setattr(backend.executions[execution], REASON_KEPT_AS, str(problem))
            return
        header = [{"Data": [{"VarCharValue": name} for name in names]}] if names else []
        kept = [*header, *({"Data": [_value(each) for each in row]} for row in rows)]
        columns = [{"Name": name, "Label": name, "Type": "varchar"} for name in names]
        backend.query_results[execution] = QueryResults(rows=kept, column_info=columns)
        backend._store_query_result_in_s3(execution)

    def _run(self, backend: Any, query: str) -> tuple[list[str], Sequence[Sequence[Any]]]:
        created, dropped = _CREATE.match(query), _DROP.match(query)
        if created:
            self._create(backend, created, query)
            return [], []
        if dropped:
            self._tables.pop((id(backend), _short(dropped[1])), None)
            return [], []
        if _DATA_DEFINITION.match(query):
            raise Failed("NOT_SUPPORTED: of data definition, external tables alone are built in the embedded cloud")
        return self._select(backend, query)

    def _create(self, backend: Any, created: re.Match[str], query: str) -> None:
        place, name = _LOCATION.search(query), _short(created[1])
        if place is None:
            raise Failed("FAILED: SemanticException [Error 10004]: LOCATION is missing")
        if (id(backend), name) in self._tables:
            raise Failed(f"FAILED: Execution Error: AlreadyExistsException(message:Table {name} already exists.)")
        columns = dict(each.split() for each in created[2].lower().split(","))
        listed = "SymlinkTextInputFormat" in query
        self._tables[id(backend), name] = Table(columns, place[1], place[2], listed)

    def _select(self, backend: Any, query: str) -> tuple[list[str], Sequence[Sequence[Any]]]:
        try:
            import duckdb
        except ImportError as problem:
            raise Failed("the embedded cloud's Athena needs the package duckdb: pip install duckdb") from problem
        with duckdb.connect(":memory:") as connection:
            try:
                for function in FUNCTIONS:
                    connection.execute(function)
                for (of, name), table in self._tables.items():
                    if of == id(backend) and re.search(rf"\b{name}\b", query, re.I):
                        self._view(connection, name, table)
                found = connection.execute(query)
                return [each[0] for each in found.description or ()], found.fetchall()
            except duckdb.CatalogException as problem:
                raise Failed(f"TABLE_NOT_FOUND or FUNCTION_NOT_FOUND: {problem}") from problem
            except duckdb.Error as problem:
                raise Failed(f"GENERIC_USER_ERROR: {problem}") from problem

    def _view(self, connection: Any, name: str, table: Table) -> None:
        """A column that is declared a bigint and written as a time is milliseconds: that is how Parquet keeps it."""
        paths = ", ".join(f"'{path}'" for path in self._files(table))
        if not paths:
            columns = ", ".join(f"null::{_type(type_)} as {column}" for column, type_ in table.columns.items())
            connection.execute(f"create view {name} as select {columns} where false")
            return
        files = f"read_parquet([{paths}])"
        described = connection.execute(f"select column_name, column_type from (describe select * from {files})")
        written = dict(described.fetchall())
        times = {name for name, type_ in table.columns.items() if type_ == "bigint" and _is_time(written.get(name, ""))}
        columns = ", ".join(f"epoch_ms({each}) as {each}" if each in times else each for each in table.columns)
        connection.execute(f"create view {name} as select {columns} from {files}")

    def _files(self, table: Table) -> list[Path]:
        s3 = self.cloud.backend("s3", self.cloud.regions[0])
        folder = self.cloud.directory / "athena"
        folder.mkdir(exist_ok=True)
        with self.cloud.lock("s3"):
            keys = sorted(_listed(s3, table), key=lambda each: str(each.name))
            places = [(table.bucket, each.name) for each in keys]
            if table.is_listed:
                lines = [line for each in keys for line in each.value.decode().split()]
                places = [_place(line) for line in lines]
            return [_kept(folder, s3.get_object(bucket, key), f"{bucket}/{key}") for bucket, key in places]


def _listed(s3: Any, table: Table) -> set[Any]:
    found: set[Any] = s3.list_objects(s3.get_bucket(table.bucket), table.folder, None, None, KEYS_MAX)[0]
    return found


def _kept(folder: Path, found: Any, place: str) -> Path:
    if found is None:
        raise Failed(
            f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://{place}: The specified key does not exist."
        )
    path = folder / f"{hashlib.sha256(f'{place} {found.etag}'.encode()).hexdigest()[:32]}.parquet"
    if not path.exists():
        path.write_bytes(found.value)
    return path


def _place(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _short(name: str) -> str:
    """Without its database."""
    return name.replace("`", "").rpartition(".")[2].lower()


def _type(type_: str) -> str:
    return "varchar" if type_ == "string" else type_


def _is_time(type_: str) -> bool:
    return type_.startswith("TIMESTAMP")


def _output(backend: Any, config: Any, workgroup: str | None) -> str:
    """Where answers go: the request says it, or the workgroup."""
    group = backend.work_groups.get(workgroup or "primary")
    usual = (group.configuration.get("ResultConfiguration") or {}) if group else {}
    return str((config or {}).get("OutputLocation") or usual.get("OutputLocation") or "")


def _value(value: Any) -> dict[str, str]:
    """Every value is text; there is none where it is null."""
    if value is None:
        return {}
    return {"VarCharValue": str(value).lower() if isinstance(value, bool) else str(value)}
