"""Athena: queries over external tables, answered by DuckDB."""
