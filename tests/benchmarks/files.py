"""Files of a lake, as a statement makes them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa


def write(connection: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema, target: Path) -> None:
    """One file of the lake: the columns are cast to the schema, and those that the statement leaves out are null."""
    target.parent.mkdir(parents=True, exist_ok=True)
    connection.execute("set TimeZone = 'UTC'")
    columns = {name for name, *_ in connection.execute(f"describe {sql}").fetchall()}
    kinds = connection.from_arrow(schema.empty_table())
    casts = ", ".join(
        f'cast({name if name in columns else "null"} as {kind}) as "{name}"'
        for name, kind in zip(kinds.columns, kinds.types, strict=True)
    )
    connection.execute(f"copy (select {casts} from ({sql})) to '{target}' (format parquet)")
