"""Credits and debits by hand: somebody asks, somebody else approves or refuses. Both only append facts to the lake.

Belongs here: the two facts, and refusing early what the models would not let count. Does not belong here: what counts
(`int_credits__approvals`), how much of a line is left and which document carries it out (`models/credits`).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

import duckdb

from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.ledger import digest
from ratehouse.money import minor_units
from ratehouse.periods import start_of_day
from ratehouse.settings import Settings
from ratehouse.streams import land

Row = dict[str, Any]
Decision = Literal["approve", "refuse"]

REASONS: dict[str, str] = {
    "goodwill": "Goodwill",
    "billing_error": "We billed it wrongly",
    "service_failure": "Service failed",
    "duplicate": "Billed twice",
    "returned": "Returned",
    "dispute": "Settlement of a dispute",
    "void": "The whole document is void",
}
"""Reason codes that people choose from, in words; facts of other systems may bring their own."""


class AdjustmentRefused(RatehouseError):
    """What is asked for or decided cannot count; the message says why."""


def request(
    settings: Settings,
    tenant_id: str,
    number: str,
    *,
    by: str,
    reason_code: str,
    reason: str,
    amount: Decimal | None = None,
    line_no: int | None = None,
    now: datetime | None = None,
) -> str:
    """Ask for a credit or debit on an issued line, or for a document to be void. Somebody else approves it.

    Args:
        settings: the installation; the document is looked up in its serving file.
        tenant_id: who issued the document.
        number: its number.
        by: who asks.
        reason_code: one of REASONS.
        reason: why, in words.
        amount: net of tax, negative gives; None only for a void.
        line_no: which line; None only for a void.
        now: when (UTC).

    Returns:
        The id of the adjustment.

    Raises:
        AdjustmentRefused: there is no such line, or it cannot give that much.
    """
    who, why = _said(by, "who you are"), _said(reason, "why")
    if reason_code not in REASONS:
        raise AdjustmentRefused(f"There is no reason code {reason_code!r}; use one of {', '.join(REASONS)}.")
    fact: Row = {"invoice_number": number, "reason_code": reason_code, "reason": why, "requested_by": who}
    if reason_code == "void":
        if amount is not None or line_no is not None:
            raise AdjustmentRefused("A void is about the whole document: give neither amount nor line.")
        line = _line(settings, tenant_id, number, None)
    else:
        if amount is None or line_no is None or not amount:
            raise AdjustmentRefused("Give the line and an amount that is not zero.")
        line = _line(settings, tenant_id, number, line_no)
        if line["line_type"] in ("tax", "discount"):
            raise AdjustmentRefused(
                f"Line {line_no} of {number} is a {line['line_type']}; it follows the line it belongs to."
            )
        if amount < 0 and -amount > line["amount"]:
            raise AdjustmentRefused(
                f"Line {line_no} of {number} is {line['amount'].normalize():f} {line['currency']}; it cannot give more."
            )
        if amount != round(amount, minor_units(line["currency"])):
            raise AdjustmentRefused(f"{amount} is no amount of {line['currency']}; it has more decimals.")
        fact |= {"line_id": line["line_id"], "amount": amount}
    at = now or datetime.now(UTC)
    # Of the day on which it was asked for where the seller is, so that a run of that day carries it out.
    effective_at = start_of_day(at.astimezone(ZoneInfo(line["timezone"])).date(), line["timezone"])
    identity = digest([tenant_id, *map(str, fact.values()), at.isoformat()])
    adjustment_id = f"adj-{at:%Y%m%d}-{identity[:10]}"
    _land(
        settings,
        "adjustments",
        tenant_id,
        {"adjustment_id": adjustment_id, **fact, "effective_at": effective_at},
        at,
    )
    return adjustment_id


def decide(
    settings: Settings,
    tenant_id: str,
    adjustment_id: str,
    decision: Decision,
    *,
    by: str,
    reason: str = "",
    now: datetime | None = None,
) -> None:
    """Approve or refuse what somebody asked for; the next run carries it out. Who asked may only refuse.

    Args:
        settings: the installation.
        tenant_id: whose adjustment.
        adjustment_id: which one.
        decision: approve or refuse.
        by: who decides.
        reason: a word about it.
        now: when (UTC).

    Raises:
        AdjustmentRefused: there is no such adjustment, it is decided, or the one who asked approves.
    """
    who = _said(by, "who you are")
    lake = Lake(settings.lake_url)
    told = _facts(lake, "adjustments", tenant_id, adjustment_id)
    if not told:
        raise AdjustmentRefused(f"Tenant {tenant_id} has no adjustment {adjustment_id!r}.")
    asked = told[-1]
    asked_by = asked["requested_by"] or asked["approved_by"]
    if decision == "approve" and asked_by and who.casefold() == str(asked_by).strip().casefold():
        raise AdjustmentRefused(f"{who} asked for {adjustment_id}; somebody else approves it.")
    for before in _facts(lake, "adjustment_approvals", tenant_id, adjustment_id):
        if before["recorded_at"] >= asked["recorded_at"]:
            words = "approved" if before["decision"] == "approve" else "refused"
            raise AdjustmentRefused(f"{before['decided_by']} has {words} {adjustment_id} already.")
    at = now or datetime.now(UTC)
    fact = {"adjustment_id": adjustment_id, "decision": decision, "decided_by": who, "decided_at": at}
    _land(settings, "adjustment_approvals", tenant_id, {**fact, "reason": reason.strip() or None}, at)


def listed(settings: Settings, tenant_id: str) -> list[Row]:
    """The adjustments of a tenant, newest first, as published, with what was told since.

    Each row is one of the mart `adjustments`, and `since`: "asked", "approve" or "refuse" where the next run brings news.
    """
    lake = Lake(settings.lake_url)
    rows: dict[str, Row] = {}
    if settings.serving_path.exists():
        with duckdb.connect(str(settings.serving_path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            found = connection.sql(
                "select * from marts.adjustments where tenant_id = $tenant", params={"tenant": tenant_id}
            )
            rows = {
                row["adjustment_id"]: {**row, "since": None} for row in found.to_arrow_table().to_pylist()
            }
    for fact in _facts(lake, "adjustments", tenant_id):
        shown = rows.setdefault(fact["adjustment_id"], {**fact, "status": "waiting", "since": "asked"})
        shown.setdefault("requested_at", fact["recorded_at"])
    for fact in _facts(lake, "adjustment_approvals", tenant_id):
        known = rows.get(fact["adjustment_id"])
        if known and known["status"] == "waiting" and known["since"] in (None, "asked"):
            known["since"] = fact["decision"]
    return sorted(rows.values(), key=lambda row: (row["requested_at"], row["adjustment_id"]), reverse=True)


def _line(settings: Settings, tenant_id: str, number: str, line_no: int | None) -> Row:
    if not settings.serving_path.exists():
        raise AdjustmentRefused(
            f"Nothing is published at {settings.serving_path}; run `ratehouse run` first."
        )
    with duckdb.connect(str(settings.serving_path), read_only=True) as connection:
        found = connection.execute(
            "select invoices.kind, lines.line_id, lines.line_type, lines.amount, lines.currency, tenants.timezone"
            " from marts.invoices as invoices inner join marts.invoice_lines as lines"
            " on invoices.tenant_id = lines.tenant_id and invoices.invoice_id = lines.invoice_id"
            " inner join marts.tenants as tenants on invoices.tenant_id = tenants.tenant_id"
            " where invoices.tenant_id = $tenant and invoices.invoice_number = $number"
            " and ($line is null or lines.line_no = $line) order by lines.line_no",
            {"tenant": tenant_id, "number": number, "line": line_no},
        )
        names = [column[0] for column in found.description or ()]
        row = found.fetchone()
    if row is None:
        which = f"line {line_no} of it" if line_no is not None else "it"
        raise AdjustmentRefused(f"Tenant {tenant_id} has no document {number!r}, or not {which}.")
    line = dict(zip(names, row, strict=True))
    if line["kind"] != "invoice":
        raise AdjustmentRefused(f"{number} is a credit note; an invoice is what is corrected.")
    return line


def _facts(lake: Lake, stream: str, tenant_id: str, adjustment_id: str | None = None) -> list[Row]:
    """What was told of one adjustment or of all, in the order in which it became known."""
    table = lake.read(f"raw/{stream}")
    rows: list[Row] = table.to_pylist() if table is not None else []
    own = [
        row for row in rows if row["tenant_id"] == tenant_id and adjustment_id in (None, row["adjustment_id"])
    ]
    return sorted(own, key=lambda row: (row["recorded_at"], row["batch_id"]))


def _land(settings: Settings, stream: str, tenant_id: str, fact: Row, at: datetime) -> None:
    lake = Lake(settings.lake_url)
    lake.check_writable()
    # Ids of other systems may hold what a file's name cannot.
    identity = hashlib.sha256(f"{tenant_id}/{fact['adjustment_id']}".encode()).hexdigest()[:16]
    batch = f"{identity}-{fact.get('decision', 'request')}-{at:%Y%m%dT%H%M%S%f}"
    landed = land(
        lake, stream, [fact], tenant_id=tenant_id, source="approval", batch_id=batch, received_at=at
    )
    if landed.rejected:
        raise AdjustmentRefused(f"The fact is not in order: {dict(landed.reasons)}.")


def _said(text: str, what: str) -> str:
    if not text.strip():
        raise AdjustmentRefused(f"Say {what}.")
    return text.strip()
