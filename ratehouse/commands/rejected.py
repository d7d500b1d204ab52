"""`ratehouse rejected`: rows that were refused at the door. The work is done in `ratehouse.rejects`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ratehouse.errors import RatehouseError

if TYPE_CHECKING:
    from ratehouse.rejects import Fix

app = typer.Typer(
    help="Rows that were refused when they arrived: look at them, land them again.", no_args_is_help=True
)

_Tenant = Annotated[str, typer.Option("--tenant", help="Whose rows.")]
_StreamName = Annotated[str | None, typer.Option("--stream", help="Only rows of this stream.")]
_Reason = Annotated[str | None, typer.Option("--reason", help="Only rows with this reason code.")]


@app.command("list")
def list_command(
    tenant: _Tenant,
    stream: _StreamName = None,
    reason: _Reason = None,
    limit: Annotated[int, typer.Option("--limit", help="Rows shown; 0 shows all.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with payload, no limit.")
    ] = False,
) -> None:
    """List rejected rows with reason, file and line."""
    from ratehouse.lake import Lake
    from ratehouse.rejects import rejected_rows
    from ratehouse.settings import Settings

    lake = Lake(Settings.load().lake_url)
    rows = rejected_rows(lake, tenant_id=tenant, stream=_known(stream), reason_code=reason).to_pylist()
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row | {"recorded_at": row["recorded_at"].isoformat()}, ensure_ascii=False))
        return
    console = Console(soft_wrap=True)
    if not rows:
        console.print("No rejected rows.")
        return
    shown = rows if limit == 0 else rows[-limit:]
    table = Table("reject_id", "stream", "reason", "", "where", "recorded_at", "replayed")
    for row in shown:
        where = f"{Path(row['file']).name}:{row['line']}" if row["file"] else row["source"]
        at = f"{row['recorded_at']:%Y-%m-%d %H:%M:%S}Z"
        done = "yes" if row["replayed"] else ""
        table.add_row(row["reject_id"], row["stream"], row["reason_code"], row["reason"], where, at, done)
    console.print(table)
    waiting = Counter(row["reason_code"] for row in rows if not row["replayed"])
    counts = ", ".join(f"{code} {count}" for code, count in sorted(waiting.items())) or "none"
    newest = f" (the newest {len(shown)} shown)" if len(shown) < len(rows) else ""
    console.print(f"{len(rows)} rejected rows{newest}; waiting for a fix: {counts}")


@app.command("replay")
def replay_command(
    tenant: _Tenant,
    stream: _StreamName = None,
    reason: _Reason = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="key=value: replace a field of every row; repeatable.")
    ] = None,
    map_file: Annotated[
        Path | None,
        typer.Option(
            "--map", help="YAML map over the row's own fields, as for `ingest file`; needs --stream."
        ),
    ] = None,
) -> None:
    """Land rejected rows again, as they are or with fields replaced. What is refused again stays rejected."""
    from ratehouse.lake import Lake
    from ratehouse.rejects import replacements, replay
    from ratehouse.settings import Settings

    fields = replacements(assignments or [], _known(stream))
    if map_file and not stream:
        raise RatehouseError("--map is written for one stream; name it with --stream.")
    mapped = _mapped(map_file, stream) if map_file and stream else None

    def fix(row: dict[str, Any]) -> dict[str, Any]:
        return {**(mapped(row) if mapped else {}), **fields}

    result = replay(
        Lake(Settings.load().lake_url), tenant_id=tenant, stream=stream, reason_code=reason, fix=fix
    )
    console = Console(soft_wrap=True)
    still = ", ".join(f"{code} {count}" for code, count in sorted(result.still_rejected.items()))
    console.print(f"Replayed {result.accepted} rows. Still rejected: {still or 'none'}.")
    if result.unreadable:
        console.print(
            f"{result.unreadable} are broken lines of a file: correct the file and import it again."
        )


def _mapped(map_file: Path, stream: str) -> Fix:
    """A map as a function of one row; fields of the map that come out blank leave the row's own."""
    import polars as pl

    from ingest.files.mapping import FileMap
    from ratehouse.canonical_json import canonical

    file_map = FileMap.load(map_file, stream)

    def one(row: dict[str, Any]) -> dict[str, Any]:
        cells = {k: v if isinstance(v, str) else canonical(v) for k, v in row.items() if v is not None}
        frame = pl.DataFrame({key: pl.Series([value], dtype=pl.String) for key, value in cells.items()})
        made = file_map.apply(frame).row(0, named=True)
        return {key: value for key, value in made.items() if value is not None}

    return one


def _known(stream: str | None) -> str | None:
    from ratehouse.streams import STREAMS

    if stream is not None and stream not in STREAMS:
        raise RatehouseError(f"There is no stream {stream}. The streams are {', '.join(STREAMS)}.")
    return stream
