"""What every effect at the edge does with facts: read those of its streams, and append one if nobody else has.

Belongs here: reading and appending. Does not belong here: what a fact of mail, of payments or of the journal says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.streams import check, empty


def append(
    lake: Lake,
    stream: str,
    facts: Sequence[Mapping[str, Any]],
    *,
    tenant_id: str,
    source: str,
    name: str,
    error: type[RatehouseError],
) -> bool:
    """Write facts of one tenant as the file `name`, whole; False, and nothing changed, if there is one of that name already.

    Not through `streams.land`: whether the file was there before is the very question here. Who creates it has what it claims.

    Args:
        lake: where to.
        stream: a name of STREAMS.
        facts: its rows.
        tenant_id: whose facts.
        source: who tells them.
        name: of the file; says what is told, and which telling of it this is.
        error: raised if a fact is not in order.
    """
    checked = check(
        stream, facts, tenant_id=tenant_id, source=source, batch_id=name, received_at=datetime.now(UTC)
    )
    if checked.rejected.num_rows:
        raise error(f"A fact of {stream} is not in order: {checked.rejected['reason'][0]}.")
    return lake.write(f"raw/{stream}", name, checked.accepted)


def register(connection: duckdb.DuckDBPyConnection, lake: Lake, streams: Sequence[str]) -> None:
    """Let queries of a connection, which is in UTC from here on, read the facts of streams under the streams' names."""
    lake.register(connection)
    connection.execute("set TimeZone = 'UTC'")
    for stream in streams:
        files = lake.files(f"raw/{stream}")
        facts: pa.Table = empty(stream)
        if files:
            # Files from before a column was added do not have it.
            read = connection.read_parquet(files, union_by_name=True).to_arrow_table()
            facts = pa.concat_tables([facts, read], promote_options="permissive")
        connection.register(stream, facts)


def tenant_document(serving: duckdb.DuckDBPyConnection, tenant_id: str) -> dict[str, Any] | None:
    """A tenant's normalised tenant.yaml as it was published; None if there is no such tenant."""
    rows = serving.execute("select document from marts.tenants where tenant_id = ?", [tenant_id]).fetchall()
    return json.loads(rows[0][0]) if rows else None
