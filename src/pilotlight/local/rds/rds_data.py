"""RDS Data API: SQL over HTTPS, run on the real PostgreSQL of a cluster's writer.

Source: Aurora User Guide, "Using the Amazon RDS Data API" with its limitations, and RDS Data API Reference,
"ExecuteStatement": the endpoint has to be enabled for the cluster, only a writer answers, the login is a secret, an
answer holds at most 1 MiB. One statement a call; transactions and batches are not built and are refused as unknown.
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
from typing import Any

import psycopg
from moto.core.exceptions import JsonRESTError
from moto.rds import models
from moto.rdsdata.responses import RDSDataServiceResponse
from psycopg.rows import tuple_row

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import kept_as_given, override
from pilotlight.local.rds.aurora import Aurora
from pilotlight.local.rds.aurora_database import Database, Role

STATEMENT_MILLISECONDS_MAX = 45_000
"""RDS Data API: a call is ended after 45 seconds."""
ANSWER_BYTES_MAX = 1024 * 1024
CONNECT_SECONDS = 5

_PARAMETER = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|::|:([a-zA-Z_][a-zA-Z0-9_]*)|(%)")
"""Texts and casts are passed over; `:name` is a parameter, and a bare percent sign must be doubled for psycopg."""

NATIVE: dict[type, str] = {bool: "booleanValue", int: "longValue", float: "doubleValue"}


def refused(code: str, message: str) -> JsonRESTError:
    """An error as the API answers it."""
    return JsonRESTError(code, message)


class DataApi(Behaviour):
    """Answers ExecuteStatement."""

    name = "rds-data"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._aurora = cloud.behaviour(Aurora)
        ours = self

        def execute_statement(response: Any) -> Any:
            return json.dumps(ours.execute(json.loads(response.body or "{}"), response.region))

        override(RDSDataServiceResponse, execute_statement=execute_statement)
        override(models.DBCluster, enable_http_endpoint=kept_as_given("_enable_http_endpoint"))

    def execute(self, asked: dict[str, Any], region: str) -> dict[str, Any]:
        """Run one statement."""
        database = self._writer(str(asked["resourceArn"]))
        if asked.get("transactionId"):
            raise refused("BadRequestException", "Transactions are not built in the embedded cloud")
        user, password = self._login(str(asked["secretArn"]), region)
        try:
            with psycopg.connect(
                host="127.0.0.1",
                port=database.running().port,
                user=user,
                password=password,
                dbname=asked.get("database") or database.cluster.database_name or "postgres",
                options=f"-c statement_timeout={STATEMENT_MILLISECONDS_MAX}",
                connect_timeout=CONNECT_SECONDS,
            ) as connection:
                return _run(connection, asked)
        except psycopg.Error as problem:
            raise refused("DatabaseErrorException", f"ERROR: {problem}".strip()) from problem

    def _writer(self, arn: str) -> Database:
        database = next((each for each in self._aurora.databases if each.arn == arn), None)
        if database is None:
            raise refused("DatabaseNotFoundException", f"DB cluster {arn} is not found")
        if not database.cluster.enable_http_endpoint:
            raise refused("HttpEndpointNotEnabledException", f"HttpEndpoint is not enabled for cluster {arn}")
        if database.role is not Role.WRITER or not database.is_serving or not database.instances:
            raise refused("DatabaseUnavailableException", f"The writer instance of {arn} is not available")
        return database

    def _login(self, secret: str, region: str) -> tuple[str, str]:
        backend = self.cloud.backend("secretsmanager", region)
        try:
            found = json.loads(backend.get_secret_value(secret, "", "AWSCURRENT")["SecretString"])
            return str(found["username"]), str(found["password"])
        except Exception as problem:
            raise refused("SecretsErrorException", f"Secret {secret} holds no login: {problem}") from problem


def _run(connection: psycopg.Connection[Any], asked: dict[str, Any]) -> dict[str, Any]:
    values = {each["name"]: _value(each["value"]) for each in asked.get("parameters") or []}
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(marked(str(asked["sql"])).encode(), values)
        if cursor.description is None:
            return {"numberOfRecordsUpdated": max(0, cursor.rowcount), "generatedFields": []}
        records = [[field(each) for each in row] for row in cursor.fetchall()]
        answer: dict[str, Any] = {"numberOfRecordsUpdated": 0, "records": records}
        if asked.get("includeResultMetadata"):
            answer["columnMetadata"] = [{"name": each.name, "label": each.name} for each in cursor.description]
    if len(json.dumps(records)) > ANSWER_BYTES_MAX:
        raise refused("BadRequestException", "Database returned more than the allowed response size limit")
    return answer


def marked(sql: str) -> str:
    """The statement with the marks that psycopg understands in the place of `:name` (pure)."""

    def mark(found: re.Match[str]) -> str:
        if found[1]:
            return f"%({found[1]})s"
        return found[0].replace("%", "%%")

    return _PARAMETER.sub(mark, sql)


def _value(given: dict[str, Any]) -> Any:
    if given.get("isNull"):
        return None
    for name in ("stringValue", "longValue", "doubleValue", "booleanValue"):
        if name in given:
            return given[name]
    raise refused("BadRequestException", f"A parameter of type {', '.join(given)} is not built in the embedded cloud")


def field(value: Any) -> dict[str, Any]:
    """A value of a row as the API types it; what JSON has no word for is text (pure)."""
    if value is None:
        return {"isNull": True}
    if type(value) in NATIVE:
        return {NATIVE[type(value)]: value}
    if isinstance(value, datetime.datetime):
        return {"stringValue": value.replace(tzinfo=None).isoformat(" ")}
    if isinstance(value, decimal.Decimal | str):
        return {"stringValue": str(value)}
    return {"stringValue": json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)}
