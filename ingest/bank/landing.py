"""Landing of statements: all of the files given, or none.

A statement is known by its account, number and closing day; landed again it changes nothing, and one that then says something
else is refused. Its lines go first and the statement last: one that is in the lake is there with all of its lines.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.bank.camt import is_camt, read_camt
from ingest.bank.csv_export import BankMap, read_csv
from ingest.bank.mt940 import is_mt940, read_mt940
from ingest.bank.statement import Line, Statement, StatementRefused
from ingest.files import readers
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake
from ratehouse.streams import check, land

_SOURCE = "bank"


@dataclass(frozen=True)
class Landing:
    """What became of one statement.

    Attributes:
        statement: as it was read.
        already_landed: it was in the lake, complete; nothing was written.
    """

    statement: Statement
    already_landed: bool


@dataclass(frozen=True)
class _Batch:
    statement: Statement
    row: dict[str, Any]
    lines: list[dict[str, Any]]


def read_statements(path: Path, bank_map: BankMap | None = None) -> Iterator[Statement]:
    """The statements of a file, each proven; its format is told by its content.

    Args:
        path: MT940, camt.053, or CSV; gzipped or not.
        bank_map: says what the columns of a CSV export are.

    Raises:
        StatementRefused: a statement does not add up or cannot be read.
    """
    with readers.open_binary(path) as handle:
        content = handle.read()
    if is_camt(content):
        found = list(read_camt(content, str(path)))
    elif is_mt940(content):
        found = list(read_mt940(content, str(path)))
    elif bank_map is not None:
        found = [read_csv(path, bank_map)]
    else:
        raise StatementRefused(
            f"{path} is neither MT940 nor camt.053; for a CSV export say with --map what its columns are."
        )
    if not found:
        raise StatementRefused(f"{path} holds no statement.")
    for statement in found:
        statement.prove()
        yield statement


def land_statements(
    lake: Lake,
    paths: Sequence[Path],
    *,
    tenant_id: str,
    bank_map: BankMap | None = None,
    received_at: datetime | None = None,
) -> list[Landing]:
    """Land the statements of files. Nothing is landed before all of them were read and proven.

    Args:
        lake: where to.
        paths: the files.
        tenant_id: whose account it is.
        bank_map: for CSV exports.
        received_at: when they arrived (UTC; default now).

    Raises:
        StatementRefused: one does not add up, cannot be read, or is known with other content.
        LakeNotWritable: the lake takes no files; land them again once it does.
    """
    now = received_at or datetime.now(UTC)
    batches = [
        _batch(tenant_id, statement) for path in paths for statement in read_statements(path, bank_map)
    ]
    known = _known(lake, tenant_id)
    for batch in batches:
        held = known.setdefault(batch.row["statement_id"], batch.row["statement_hash"])
        if held != batch.row["statement_hash"]:
            raise StatementRefused(
                f"{batch.statement.file}: {batch.statement.name} is known with other lines or balances; the first"
                " copy counts. Nothing was landed; ask the bank which of the two is right.",
                reason_code="duplicate_conflict",
            )
        _check_rows(batch, tenant_id, now)
    return [_land(lake, batch, tenant_id, now) for batch in batches]


def _land(lake: Lake, batch: _Batch, tenant_id: str, now: datetime) -> Landing:
    options: dict[str, Any] = {
        "tenant_id": tenant_id,
        "source": _SOURCE,
        "batch_id": f"bank-{batch.row['statement_id']}",
        "received_at": now,
    }
    land(lake, "bank_lines", batch.lines, **options)
    done = land(lake, "bank_statements", [batch.row], **options)
    return Landing(batch.statement, done.already_landed)


def _check_rows(batch: _Batch, tenant_id: str, now: datetime) -> None:
    """Refuse a statement with a line that the lake would not take, before anything of it is there."""
    for stream, rows in (("bank_lines", batch.lines), ("bank_statements", [batch.row])):
        if not rows:
            continue
        judged = check(
            stream, rows, tenant_id=tenant_id, source=_SOURCE, batch_id="check", received_at=now
        ).rejected
        if judged.num_rows:
            raise StatementRefused(
                f"{batch.statement.file}: {batch.statement.name}: {judged['reason'][0].as_py()} Nothing was landed.",
                reason_code=judged["reason_code"][0].as_py(),
            )


def _known(lake: Lake, tenant_id: str) -> dict[str, str]:
    table = lake.read("raw/bank_statements")
    rows = [] if table is None else table.select(["tenant_id", "statement_id", "statement_hash"]).to_pylist()
    return {row["statement_id"]: row["statement_hash"] for row in rows if row["tenant_id"] == tenant_id}


def _batch(tenant_id: str, statement: Statement) -> _Batch:
    content = [_content(line) for line in statement.lines]
    balances = [None if value is None else f"{value:.4f}" for value in (statement.opening, statement.closing)]
    of = [tenant_id, statement.account, statement.currency]
    statement_hash = _digest([*of, balances, content])
    # An export has no number: it is what it says.
    own = [statement.number, statement.closed_on.isoformat()] if statement.number else [statement_hash]
    statement_id = "bs_" + _digest([*of, *own])[:24]
    # A line of a numbered statement is known within it, one of an export within its account, since exports overlap.
    within = statement_id if statement.number else None
    seen: Counter[str] = Counter()
    lines = []
    for line, said in zip(statement.lines, content, strict=True):
        key = canonical(said)
        seen[key] += 1
        lines.append(
            {
                "bank_line_id": "bl_" + _digest([*of, within, said, seen[key]])[:24],
                "amount": line.amount,
                "currency": statement.currency,
                "value_on": line.value_on,
                "booked_on": line.booked_on,
                "reference": line.reference or None,
                "counterparty": line.counterparty,
                "end_to_end_id": line.end_to_end_id,
                "bank_reference": line.bank_reference,
                "account": statement.account,
                "statement_id": statement_id,
            }
        )
    row = {
        "statement_id": statement_id,
        "account": statement.account,
        "currency": statement.currency,
        "number": statement.number,
        "opening_balance": statement.opening,
        "closing_balance": statement.closing,
        "opened_on": statement.opened_on,
        "closed_on": statement.closed_on,
        "line_count": len(lines),
        "statement_hash": statement_hash,
    }
    return _Batch(statement, row, lines)


def _content(line: Line) -> list[str | None]:
    """All that a line says, as text."""
    return [
        f"{line.amount:.4f}",
        line.value_on.isoformat(),
        line.booked_on.isoformat() if line.booked_on else None,
        line.reference,
        line.counterparty,
        line.end_to_end_id,
        line.bank_reference,
    ]


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()
