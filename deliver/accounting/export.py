"""The journal of a month as files: those that an accounting system imports, and generic ones.

Everything is made before anything is written: a role without an account, or an entry that cannot be said, writes no file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deliver.accounting.journal import AccountingError, load_books, load_entries, load_table
from deliver.accounting.parts import files_of, split
from deliver.accounting.targets import TARGETS
from deliver.documents.model import connect_serving
from ratehouse.canonical_json import canonical
from ratehouse.settings import Settings
from ratehouse.spreadsheets import safe

FORMATS = ("csv", "parquet", *(f"{name}-{kind}" for name in TARGETS for kind in ("csv", "json")))
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def export(settings: Settings, tenant_id: str, period: str, form: str, folder: Path) -> list[Path]:
    """Write the journal of a month; the same journal gives the same files, and files of that name are replaced.

    Args:
        settings: the installation; the journal comes from its serving file.
        tenant_id: whose journal.
        period: the month of posting, YYYY-MM.
        form: one of FORMATS.
        folder: where to.

    Raises:
        AccountingError: nothing was posted, or something cannot be said in that format; no file was written.
    """
    check_month(period)
    if form not in FORMATS:
        raise AccountingError(f"There is no format {form}; use one of {', '.join(FORMATS)}.")
    with connect_serving(settings.serving_path) as connection:
        books = load_books(connection, tenant_id)
        table = load_table(connection, tenant_id, period)
        if not table.num_rows:
            raise AccountingError(f"Nothing is posted in {period} for {tenant_id}.")
        if form in ("csv", "parquet"):
            contents = {f"journal.{form}": _csv_of(table) if form == "csv" else _parquet_of(table)}
        else:
            name, kind = form.split("-")
            target = TARGETS[name]
            entries = load_entries(connection, tenant_id, period)
            parts = [part for entry in entries for part in split(entry, target.limits)]
            if kind == "json":
                payload = target.wrap([target.payload(part, books) for part in parts])
                contents = {f"{name}.json": canonical(payload).encode()}
            else:
                files = files_of(parts, target.limits.rows)
                contents = {
                    f"{name}-{number:03d}.csv": _csv(
                        target.header, (row for part in file for row in target.rows(part, books))
                    )
                    for number, file in enumerate(files, 1)
                }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, content in contents.items():
        path = folder / f"{tenant_id}-{period}-{suffix}"
        fresh = path.with_name(f".{path.name}.tmp")
        fresh.write_bytes(content)
        written.append(fresh.replace(path))
    return written


def check_month(period: str) -> None:
    """Refuse what is no month.

    Raises:
        AccountingError: it is not written as 2026-10.
    """
    if not _MONTH.fullmatch(period):
        raise AccountingError(f"{period!r} is no month; write it as 2026-10.")


def _csv(header: list[str], rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _csv_of(table: pa.Table) -> bytes:
    def cell(value: Any) -> str:
        return safe(value) if isinstance(value, str) else "" if value is None else str(value)

    return _csv(table.column_names, ([cell(value) for value in row.values()] for row in table.to_pylist()))


def _parquet_of(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
