"""The issue step: gives due documents their number and hash and appends them to the ledger, once.

SQL decides what is due (`int_invoicing__due_documents`, `int_invoicing__due_lines`) and which credit it uses
(`int_credits__due_draws`, `int_credits__due_note_uses`); nothing here computes an amount. A run is
visible when its row in `ledger/runs` is: that file is written last, so a process killed half-way leaves nothing behind that
anybody reads, and the next run issues the same documents again under the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa

from ratehouse import __version__
from ratehouse.lake import Lake
from ratehouse.ledger_schema import (
    COMMITTED_BY,
    CREDIT_DRAWS,
    CREDIT_NOTE_USES,
    INVOICE_LINES,
    INVOICES,
    RELATIONS,
    RUNS,
)
from ratehouse.price_book_source import plain

# A document's seal covers all that the ledger says of it and its lines, but for itself and the run that wrote it.
_UNSEALED = ("content_hash", "run_key")
_PLACEHOLDER = re.compile(r"\{(?P<name>[a-z_]+)[^}]*\}")


@dataclass(frozen=True)
class Issued:
    """What one issue step wrote. `run_key` is None when nothing was due."""

    run_key: str | None
    documents: int
    lines: int
    invoice_ids: tuple[tuple[str, str], ...]  # (tenant_id, invoice_id), in the order of their numbers


def issue(
    connection: duckdb.DuckDBPyConnection, lake: Lake, *, tenants: Sequence[str] | None = None
) -> Issued:
    """Issue every due document in one append.

    Args:
        connection: the warehouse, built on the facts and the ledger as they are now.
        lake: where the ledger lives.
        tenants: whose documents; None means every tenant's.

    Returns:
        What was issued; nothing due is no run, and writes nothing.
    """
    documents = rows_of(
        connection,
        "intermediate.int_invoicing__due_documents",
        "tenant_id, customer_id, currency, kind desc, first_subscription_id, document_key",
    )
    # A draft waits, refreshed every night, until its grace is over; what is blocked, for what it lacks.
    documents = [document for document in documents if not _waits(document)]
    if tenants is not None:
        documents = [document for document in documents if document["tenant_id"] in tenants]
    if not documents:
        return Issued(None, 0, 0, ())
    lines = rows_of(connection, "intermediate.int_invoicing__due_lines", "tenant_id, document_key, line_no")
    draws = rows_of(connection, "intermediate.int_credits__due_draws", "tenant_id, document_key, grant_id")
    uses = rows_of(
        connection,
        "intermediate.int_credits__due_note_uses",
        "tenant_id, document_key, invoice_id, invoice_document_key",
    )
    last = {
        (tenant, series): (seq, content_hash)
        for tenant, series, seq, content_hash in connection.execute(
            "select tenant_id, series, max(seq), max_by(content_hash, seq) from ledger.invoices group by all"
        ).fetchall()
    }
    counts = {
        (tenant, customer, kind): count
        for tenant, customer, kind, count in connection.execute(
            "select tenant_id, customer_id, kind, count(*) from ledger.invoices group by all"
        ).fetchall()
    }
    keys = {(document["tenant_id"], document["document_key"]) for document in documents}
    lines, draws, uses = (
        [row for row in rows if (row["tenant_id"], row["document_key"]) in keys]
        for rows in (lines, draws, uses)
    )
    # The same facts on the same ledger are the same run, whoever starts it and however often.
    run_key = digest([documents, lines, draws, uses, sorted(last.items())])
    by_document: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        by_document.setdefault((line["tenant_id"], line["document_key"]), []).append(line)

    issued: list[dict[str, Any]] = []
    issued_lines: list[dict[str, Any]] = []
    for document in documents:
        own_lines = by_document[document["tenant_id"], document["document_key"]]
        issued.append(_number(document, last, counts, run_key))
        issued_lines.extend(_identify(document, line, issued[-1]) for line in own_lines)
        _seal(issued[-1], issued_lines[-len(own_lines) :], last)
    of_key = {
        (document["tenant_id"], document["document_key"]): own
        for document, own in zip(documents, issued, strict=True)
    }
    runs = _runs(issued, issued_lines, run_key)
    for relation, schema, rows in (
        ("credit_draws", CREDIT_DRAWS, [_draw(draw, of_key) for draw in draws]),
        ("credit_note_uses", CREDIT_NOTE_USES, [_use(use, of_key) for use in uses]),
        ("invoice_lines", INVOICE_LINES, issued_lines),
        ("invoices", INVOICES, issued),
        ("runs", RUNS, runs),
    ):
        if rows:
            lake.write(f"ledger/{relation}", run_key, pa.Table.from_pylist(rows, schema=schema))
    return Issued(
        run_key, len(issued), len(issued_lines), tuple((d["tenant_id"], d["invoice_id"]) for d in issued)
    )


def ledger_files(lake: Lake) -> dict[str, list[str]]:
    """The ledger's files by relation; those of runs and closes that were never committed are left out."""
    committed = {
        last: {_name(file) for file in lake.files(f"ledger/{last}")} for last in set(COMMITTED_BY.values())
    }
    return {
        relation: [
            file
            for file in lake.files(f"ledger/{relation}")
            if _name(file) in committed[COMMITTED_BY[relation]]
        ]
        for relation in RELATIONS
    }


def series_of(number_format: str, kind: str, issued_on: date, customer_id: str = "") -> str:
    """The series a document is numbered in: its kind's own prefix and the year of issue.

    A format that counts per customer has a series per customer, which never restarts.
    """
    text = _prefixed(number_format, kind)
    if "{customer_seq" in text and "{seq" not in text:
        return _PLACEHOLDER.sub("", text) + customer_id
    return _PLACEHOLDER.sub(lambda found: str(issued_on.year) if found["name"] == "year" else "", text)


def _number(
    document: dict[str, Any],
    last: dict[tuple[str, str], tuple[int, str]],
    counts: dict[tuple[str, str, str], int],
    run_key: str,
) -> dict[str, Any]:
    tenant, kind, issued_on = document["tenant_id"], document["kind"], document["issued_on"]
    customer_id = document["customer_id"]
    series = series_of(document["number_format"], kind, issued_on, customer_id)
    seq, previous_hash = last.get((tenant, series), (0, ""))
    seq += 1
    counts[tenant, customer_id, kind] = counts.get((tenant, customer_id, kind), 0) + 1
    number = _prefixed(document["number_format"], kind).format(
        year=issued_on.year,
        month=f"{issued_on.month:02d}",
        customer_id=customer_id,
        customer_seq=counts[tenant, customer_id, kind],
        seq=seq,
    )
    return {
        **{name: document.get(name) for name in INVOICES.names},
        "invoice_id": digest([tenant, series, seq])[:24],
        "invoice_number": number,
        "series": series,
        "seq": seq,
        # Instants of the record are the run's own clock, so that a reproduced run is identical to the byte.
        "issued_at": document["known_as_of"],
        "code_version": __version__,
        "run_key": run_key,
        "previous_hash": previous_hash,
    }


def _seal(
    document: dict[str, Any], lines: list[dict[str, Any]], last: dict[tuple[str, str], tuple[int, str]]
) -> None:
    document["content_hash"] = seal(_as_kept([document], INVOICES)[0], _as_kept(lines, INVOICE_LINES))
    last[document["tenant_id"], document["series"]] = (document["seq"], document["content_hash"])


def seal(document: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> str:
    """The hash of a document and its lines as the ledger keeps them; through `previous_hash`, of every document before it too.

    What is null is left out, so that a column which the ledger gains later changes no seal.
    """
    return digest(
        [
            {name: value for name, value in row.items() if value is not None and name not in _UNSEALED}
            for row in (document, *lines)
        ]
    )


def altered(connection: duckdb.DuckDBPyConnection, tenant_id: str | None = None) -> list[str]:
    """Documents of the ledger that are not what was issued, a sentence each; none if `tenant_id`'s (or all) are intact.

    Every hash is computed again from the rows, and compared with the one given at issue and with the one that the next document
    of the series names.
    """
    where = "" if tenant_id is None else f"where tenant_id = '{tenant_id.replace(chr(39), chr(39) * 2)}'"
    documents = f"(select * from ledger.invoices {where})"
    lines = groupby(
        _streamed(
            connection,
            f"select lines.* from ledger.invoice_lines as lines inner join {documents} as documents using (tenant_id, invoice_id)"
            " order by documents.tenant_id, documents.series, documents.seq, lines.line_no",
            INVOICE_LINES,
        ),
        key=_identity,
    )
    own_key, own_lines = next(lines, (None, iter(())))
    found: list[str] = []
    heads: dict[tuple[str, str], str] = {}
    for document in _streamed(
        connection, f"select * from {documents} order by tenant_id, series, seq", INVOICES
    ):
        what, series = (
            f"{document['invoice_number']} of {document['tenant_id']}",
            (document["tenant_id"], document["series"]),
        )
        rows: list[dict[str, Any]] = []
        if own_key == _identity(document):
            rows = list(own_lines)
            own_key, own_lines = next(lines, (None, iter(())))
        if document["previous_hash"] != heads.get(series, ""):
            found.append(f"{what} does not follow the document before it")
        if seal(document, rows) != document["content_hash"]:
            found.append(f"{what} is not what was issued")
        heads[series] = document["content_hash"]
    return found


def _identity(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["tenant_id"], row["invoice_id"]


def _streamed(connection: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """A ledger may be larger than memory."""
    reader = connection.cursor().sql(sql).to_arrow_reader(10_000)
    for batch in reader or ():
        yield from _as_kept(batch.to_pylist(), schema)


def _as_kept(rows: list[dict[str, Any]], schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows with the columns and types of the ledger."""
    return list(pa.Table.from_pylist(rows, schema=schema).to_pylist())


def _identify(document: dict[str, Any], line: dict[str, Any], issued: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: line.get(name) for name in INVOICE_LINES.names},
        "invoice_id": issued["invoice_id"],
        "line_id": f"{issued['invoice_id']}-{line['line_no']}",
        "billing_as_of": issued["billing_as_of"],
        "issued_at": issued["issued_at"],
        "run_key": issued["run_key"],
    }


def _waits(document: dict[str, Any]) -> bool:
    is_draft, blocked_by = document.pop("is_draft"), document.pop("blocked_by")
    return bool(is_draft) or blocked_by is not None


def _draw(draw: dict[str, Any], of_key: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    invoice = of_key[draw["tenant_id"], draw["document_key"]]
    return {
        **{name: draw.get(name) for name in CREDIT_DRAWS.names},
        "invoice_id": invoice["invoice_id"],
        "issued_at": invoice["issued_at"],
        "run_key": invoice["run_key"],
    }


def _use(use: dict[str, Any], of_key: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    note = of_key[use["tenant_id"], use["document_key"]]
    # An invoice of the same run has its identity only now.
    invoice_id = use["invoice_id"] or of_key[use["tenant_id"], use["invoice_document_key"]]["invoice_id"]
    return {
        **{name: use.get(name) for name in CREDIT_NOTE_USES.names},
        "credit_note_id": note["invoice_id"],
        "invoice_id": invoice_id,
        "issued_at": note["issued_at"],
        "run_key": note["run_key"],
    }


def _runs(invoices: list[dict[str, Any]], lines: list[dict[str, Any]], run_key: str) -> list[dict[str, Any]]:
    tenants = {invoice["tenant_id"]: invoice for invoice in invoices}
    return [
        {
            "run_key": run_key,
            "tenant_id": tenant,
            "billing_as_of": invoice["billing_as_of"],
            "known_as_of": invoice["known_as_of"],
            "documents": sum(other["tenant_id"] == tenant for other in invoices),
            "lines": sum(line["tenant_id"] == tenant for line in lines),
            "issued_at": invoice["issued_at"],
            "code_version": __version__,
        }
        for tenant, invoice in tenants.items()
    ]


def _prefixed(number_format: str, kind: str) -> str:
    if kind != "credit_note":
        return number_format
    # The same format with CN for the prefix: the letters before the first dash or placeholder.
    prefix = number_format.split("{", 1)[0].split("-", 1)[0]
    return "CN" + number_format[len(prefix) :]


def rows_of(connection: duckdb.DuckDBPyConnection, relation: str, order: str) -> list[dict[str, Any]]:
    """All rows of a relation in an order that does not depend on how it was built."""
    return connection.sql(f"select * from {relation} order by {order}").to_arrow_table().to_pylist()


def _name(file: str) -> str:
    return file.rsplit("/", 1)[-1].removesuffix(".parquet")


def digest(value: Any) -> str:
    """The SHA-256 of a value's canonical text."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, default=_text, ensure_ascii=False).encode()
    ).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical text")
