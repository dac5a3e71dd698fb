"""What is really there: reads buckets, databases and volumes of one region through AWS APIs and PostgreSQL.

Nothing here decides; it looks, so that figures come from the data and not from what a run says of itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pilotlight.demo.traffic_facts import TrafficFacts
from pilotlight.local.handle import LocalCloud

CONNECT_SECONDS = 3


@dataclass(frozen=True)
class Witness:
    """Looks at one region."""

    cloud: LocalCloud
    region: str
    user: str
    password: str
    database: str
    facts: TrafficFacts

    def client(self, service: str) -> Any:
        return self.cloud.client(service, self.region)

    def keys(self, bucket: str, prefix: str) -> dict[str, int]:
        """Key -> size of every current object below a prefix."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def numbered(self, bucket: str, prefix: str) -> set[int]:
        """The numbers of numbered objects."""
        return {int(key.rsplit("/", 1)[-1].split(".")[0]) for key in self.keys(bucket, prefix)}

    def url(self, cluster: str) -> str:
        """libpq URL of a cluster's writer endpoint in this region."""
        found = self.client("rds").describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]
        return f"postgresql://{self.user}:{self.password}@{found['Endpoint']}:{found['Port']}/{self.database}"

    @contextlib.contextmanager
    def connect(self, cluster: str) -> Iterator[psycopg.Connection]:
        """A connection that commits each statement."""
        with psycopg.connect(self.url(cluster), autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection

    def rows(self, cluster: str) -> set[int]:
        """The numbers of numbered rows."""
        with self.connect(cluster) as connection:
            select = sql.SQL("SELECT {} FROM {}").format(*self._names())
            return {row[0] for row in connection.execute(select)}

    def registered(self, cluster: str) -> dict[int, str]:
        """Step -> sha256 of every checkpoint registered."""
        with self.connect(cluster) as connection:
            return dict(connection.execute("SELECT step, sha256 FROM models").fetchall())

    def refuses_rows(self, cluster: str) -> str:
        """Try to write a row where none may be written; returns the refusal, or an empty text when it was taken."""
        try:
            with self.connect(cluster) as connection:
                column, table = self._names()
                connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES (-1)").format(table, column))
        except psycopg.Error as problem:
            return str(problem).splitlines()[0]
        return ""

    def _names(self) -> tuple[sql.Identifier, sql.Identifier]:
        """(column, table) of the numbered rows."""
        return sql.Identifier(self.facts.column), sql.Identifier(self.facts.table)
