"""Stripe's tables as the connectors of warehouses replicate them (one CSV a table), back into the objects that they were.

Only the tables that tell of money are read. Their rows go the way of every other object: kept verbatim, and told as facts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.stripe.landing import Landing, land_payloads
from ratehouse import parsing
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake

Row = Mapping[str, str]
# The table's object, in the order in which they are landed: what others name comes first.
TABLES = {
    "payment_intent": "payment_intent",
    "charge": "charge",
    "refund": "refund",
    "dispute": "dispute",
    "payout": "payout",
    "balance_transaction": "balance_transaction",
}
_WHOLES = frozenset({"amount", "amount_received", "amount_captured", "fee", "net"})
_INSTANTS = frozenset({"created", "available_on", "arrival_date"})
_FLAGS = frozenset({"captured", "automatic", "livemode"})
# Table columns that are called otherwise in the object.
_NAMES = {
    "customer_id": "customer",
    "invoice_id": "invoice",
    "charge_id": "charge",
    "payment_intent_id": "payment_intent",
    "payout_id": "payout",
    "last_payment_error_charge_id": "latest_charge",
}


class TablesRefused(RatehouseError):
    """A folder without such tables, or a table that is none of Stripe's."""


def land_tables(
    lake: Lake, folder: Path, *, tenant_id: str, received_at: datetime | None = None
) -> dict[str, Landing]:
    """Land the tables of a folder: `charge.csv` or `charge_data.csv`, and so on; a second time adds nothing.

    Args:
        lake: where to.
        folder: the tables.
        tenant_id: whose account it is.
        received_at: when they arrived (UTC; default now).

    Returns:
        What became of the rows, by table.

    Raises:
        TablesRefused: the folder has none of the tables, or a row of one cannot be read.
    """
    tables = {name: _rows(folder, name) for name in TABLES}
    found = {name: rows for name, rows in tables.items() if rows is not None}
    if not found:
        raise TablesRefused(f"{folder} has none of the tables {', '.join(f'{name}.csv' for name in TABLES)}.")
    # A refund names its charge, and a payment is known by its intent.
    intents = {row["id"]: row.get("payment_intent_id", "") for row in found.get("charge") or []}
    movements = found.get("balance_transaction") or []
    links = _rows(folder, "payout_balance_transaction") or []
    # Older tables do not say in the movement which payout it is in.
    payouts = (
        {}
        if movements and "payout_id" in movements[0]
        else {row["balance_transaction_id"]: row["payout_id"] for row in links}
    )
    return {
        name: land_payloads(
            lake,
            list(_objects(name, rows, intents, payouts)),
            tenant_id=tenant_id,
            source="stripe-tables",
            received_at=received_at,
        )
        for name, rows in found.items()
    }


def _objects(
    table: str, rows: list[dict[str, str]], intents: Mapping[str, str], payouts: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for row in rows:
        thing: dict[str, Any] = {"object": TABLES[table]}
        for name, text in row.items():
            if not name.startswith("_") and text != "":
                thing[_NAMES.get(name, name)] = _value(table, name, text)
        if table == "charge" and thing.get("outcome_reason"):
            thing["outcome"] = {"reason": thing.pop("outcome_reason")}
        if table in ("refund", "dispute") and intents.get(thing.get("charge", "")):
            thing["payment_intent"] = intents[thing["charge"]]
        if table == "balance_transaction" and thing.get("id") in payouts:
            thing["payout"] = payouts[thing["id"]]
        # Free texts of the account, which no rule reads.
        thing.pop("metadata", None)
        yield thing


def _value(table: str, name: str, text: str) -> Any:
    if name in _WHOLES:
        if not text.lstrip("-").isdigit():
            raise TablesRefused(f"{table}: {name} is {text!r}, which is no whole number of minor units.")
        return int(text)
    if name in _INSTANTS:
        found = parsing.parse_instant(text)
        if found is None:
            raise TablesRefused(f"{table}: {name} is {text!r}, which is no instant.")
        return int(found.astimezone(UTC).timestamp())
    if name in _FLAGS:
        return text.strip().lower() in ("true", "t", "1")
    return text


def _rows(folder: Path, table: str) -> list[dict[str, str]] | None:
    for path in (folder / f"{table}.csv", folder / f"{table}_data.csv"):
        if path.is_file():
            with path.open(encoding="utf-8-sig", newline="") as handle:
                rows = list(csv.DictReader(handle))
            if rows and not rows[0].get("id") and table in TABLES:
                raise TablesRefused(f"{path} has no column id, so it is no table of Stripe's.")
            return rows
    return None
