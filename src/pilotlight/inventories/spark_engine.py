"""Spark: the same SQL by many machines, or by this one.

The session is the one that is there (a notebook's, a job's on EMR), or is made by what the environment says
(`spark-submit --master`, SPARK_CONF_DIR); without any it is this machine's. A session of this machine reads fetched
files; one of a cluster reads s3:// itself, as EMR does (EMR Release Guide, "Work with storage and file systems").
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from pilotlight.inventories.comparing import Rows
from pilotlight.inventories.dialects import SPARK
from pilotlight.runtime.errors import PackageMissing, QueryFailed

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
}
"""Times of inventories are UTC; a sum that is too large is an error and no other number."""
LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "8",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}
"""Of a session of this machine: nothing listens outside it, and few partitions, for few cores."""


class Spark:
    """Two temporary views over Parquet files."""

    name, dialect = "spark", SPARK
    source, copy = "source_inventory", "copy_inventory"

    def __init__(self, session: Any) -> None:
        self._session = session

    @property
    def is_local(self) -> bool:
        """Whether its workers see the files of this machine."""
        return str(self._session.sparkContext.master).startswith("local")

    def read(self, source: Sequence[str], copy: Sequence[str]) -> Spark:
        """With these files, by path or by s3:// URL."""
        for view, paths in ((self.source, source), (self.copy, copy)):
            with _told():
                self._session.read.parquet(*paths).createOrReplaceTempView(view)
        return self

    def rows(self, statement: str) -> Rows:
        """See Engine.rows."""
        with _told():
            found: Rows = self._session.sql(statement).collect()
        return found


@contextlib.contextmanager
def opened(master: str = "local[*]") -> Iterator[Spark]:
    """The session that is there, left as it is but for SETTINGS; or one that is stopped at the end."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as problem:
        raise PackageMissing(package="pyspark", extra="spark", purpose="--engine spark") from problem
    active = SparkSession.getActiveSession()
    builder = SparkSession.builder.appName("pilotlight compare")
    if active is None and "SPARK_ENV_LOADED" not in os.environ:
        builder = builder.master(master)
        for name, value in LOCAL.items():
            builder = builder.config(name, value)
    with _told():
        session = active or builder.getOrCreate()
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    try:
        yield Spark(session)
    finally:
        if active is None:
            session.stop()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Spark's errors as ours."""
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, OSError) as problem:
        raise QueryFailed(engine="spark", reason=str(problem).partition("\n")[0]) from problem
