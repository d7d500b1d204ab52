"""A small `marts` schema in memory, with the columns that documents read, for tests of documents.

Values are given as Python values by column name; a column left out is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

MONEY, PRICE, QUANTITY, EXACT = ("decimal(20,4)", "decimal(28,12)", "decimal(28,10)", "decimal(38,12)")
TABLES: dict[str, dict[str, str]] = {
    "tenants": {"tenant_id": "varchar", "name": "varchar", "currency": "varchar", "document": "varchar"},
    "customers": dict.fromkeys(["tenant_id", "customer_id", "name", "emails", "billing_contacts"], "varchar"),
    "runs": {"run_key": "varchar", "tenant_id": "varchar", "issued_at": "timestamptz"},
    "invoices": {
        **dict.fromkeys(
            [
                "tenant_id",
                "invoice_id",
                "invoice_number",
                "kind",
                "customer_id",
                "currency",
                "status",
                "corrects_invoice_id",
                "bill_to_name",
                "bill_to_address",
                "bill_to_country",
                "bill_to_tax_id",
                "language",
                "po_number",
                "run_key",
                "content_hash",
                "legal_entity",
                "notes",
            ],
            "varchar",
        ),
        **dict.fromkeys(("fx_base", "fx_quote", "fx_source", "functional_currency"), "varchar"),
        **dict.fromkeys(("bill_date", "issued_on", "due_on", "fx_rate_on"), "date"),
        **{"fx_rate": PRICE, "functional_tax": MONEY},
        **dict.fromkeys(
            ["subtotal", "discount", "tax", "total", "credits_applied", "amount_due", "amount_paid"], MONEY
        ),
    },
    "invoice_lines": {
        **dict.fromkeys(
            [
                "tenant_id",
                "invoice_id",
                "invoice_number",
                "line_id",
                "customer_id",
                "subscription_id",
                "plan",
                "charge",
                "line_type",
                "dimensions",
                "currency",
                "tax_code",
                "corrects_line_id",
                "description",
                "charge_description",
                "model",
                "unit_name",
                "rated_id",
                "certificate_number",
                "tax_treatment",
                "replaces_line_id",
            ],
            "varchar",
        ),
        "line_no": "integer",
        **dict.fromkeys(("service_start", "service_end"), "date"),
        "quantity": QUANTITY,
        "unit_price": PRICE,
        "amount": MONEY,
        "tax_percent": "decimal(9,6)",
    },
    "rated_charges": {
        **dict.fromkeys(("tenant_id", "rated_id", "plan_name"), "varchar"),
        "included_quantity": QUANTITY,
        "amount_exact": EXACT,
        "amount": MONEY,
        "minimum": MONEY,
        "maximum": MONEY,
    },
    "rated_tiers": {
        **dict.fromkeys(("tenant_id", "rated_id"), "varchar"),
        "tier": "integer",
        "units": QUANTITY,
        "unit_price": PRICE,
        "flat_fee": PRICE,
        "amount_exact": EXACT,
        "up_to": QUANTITY,
        "lower_bound": QUANTITY,
        "package_size": QUANTITY,
        "per": QUANTITY,
    },
}


class Marts:
    """An open DuckDB with empty marts, filled row by row."""

    def __init__(self, path: Path | None = None) -> None:
        self.connection = duckdb.connect(str(path) if path else ":memory:")
        self.connection.execute("create schema marts")
        for table, columns in TABLES.items():
            self.connection.execute(
                f"create table marts.{table} ({', '.join(f'{c} {t}' for c, t in columns.items())})"
            )

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        columns = list(TABLES[table])
        sql = f"insert into marts.{table} values ({', '.join('?' * len(columns))})"
        values = [[_value(row.get(column)) for column in columns] for row in rows]
        self.connection.execute("begin")
        self.connection.executemany(sql, values)
        self.connection.execute("commit")

    def tenant(self, tenant_id: str = "acme", name: str = "Acme Inc.", **document: Any) -> None:
        self.add("tenants", [{"tenant_id": tenant_id, "name": name, "document": document}])

    def invoice(
        self,
        number: str | None,
        lines: Sequence[Mapping[str, Any]],
        *,
        tenant_id: str = "acme",
        issued_on: date = date(2026, 2, 1),
        currency: str = "EUR",
        seller: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> str:
        """Add an invoice whose totals are those of its lines, and return its id."""
        invoice_id = columns.pop("invoice_id", f"id-{number}")
        customer_id = columns.get("customer_id", "c1")
        amounts = [(row["line_type"], Decimal(str(row["amount"]))) for row in lines]
        of = {kind: sum((a for k, a in amounts if k == kind), Decimal(0)) for kind in ("discount", "tax")}
        total = sum((amount for _, amount in amounts), Decimal(0))
        applied = Decimal(str(columns.pop("credits_applied", 0)))
        self.add(
            "invoices",
            [
                {
                    "tenant_id": tenant_id,
                    "invoice_id": invoice_id,
                    "invoice_number": number,
                    "kind": "invoice",
                    "customer_id": customer_id,
                    "currency": currency,
                    "status": "issued",
                    "bill_date": issued_on,
                    "issued_on": issued_on,
                    "due_on": date(2026, 3, 3),
                    "subtotal": total - of["tax"] - of["discount"],
                    "discount": -of["discount"],
                    "tax": of["tax"],
                    "total": total,
                    "credits_applied": applied,
                    "amount_due": total - applied,
                    "bill_to_name": "Customer One",
                    "language": "en",
                    "legal_entity": seller or {"name": "Acme Inc.", "country": "US"},
                    "content_hash": f"hash-{number}",
                    "run_key": "run-1",
                    **columns,
                }
            ],
        )
        rated, tiers, rows = [], [], []
        for position, line in enumerate(lines):
            line = dict(line)
            line_id = line.pop("line_id", f"{invoice_id}-{position}")
            if steps := line.pop("tiers", None):
                line["rated_id"] = f"rated-{line_id}"
                exact = line.pop("amount_exact", sum(Decimal(str(s["amount_exact"])) for s in steps))
                rated.append(
                    {
                        "tenant_id": tenant_id,
                        "rated_id": line["rated_id"],
                        "plan_name": line.pop("plan_name", None),
                        "included_quantity": line.pop("included", 0),
                        "amount_exact": exact,
                        "amount": line.pop("rated_amount", line["amount"]),
                    }
                )
                tiers += [
                    {
                        "tenant_id": tenant_id,
                        "rated_id": line["rated_id"],
                        "tier": i + 1,
                        "flat_fee": 0,
                        **step,
                    }
                    for i, step in enumerate(steps)
                ]
            row = {
                "tenant_id": tenant_id,
                "invoice_id": invoice_id,
                "invoice_number": number,
                "line_id": line_id,
            }
            rows.append(
                row | {"line_no": position + 1, "customer_id": customer_id, "currency": currency} | line
            )
        for table, values in (("invoice_lines", rows), ("rated_charges", rated), ("rated_tiers", tiers)):
            if values:
                self.add(table, values)
        return invoice_id

    def run(self, run_key: str, issued_at: datetime, tenant_id: str = "acme") -> None:
        self.add(
            "runs", [{"run_key": run_key, "tenant_id": tenant_id, "issued_at": issued_at.astimezone(UTC)}]
        )


def month(line_type: str, charge: str, amount: str, **columns: Any) -> dict[str, Any]:
    """A line of January 2026 on subscription s1, plan growth."""
    return {
        "line_type": line_type,
        "charge": charge,
        "amount": amount,
        "subscription_id": "s1",
        "plan": "growth",
        "service_start": date(2026, 1, 1),
        "service_end": date(2026, 2, 1),
    } | columns


def tier(
    lower: str, up_to: str | None, units: str, price: str, amount: str, **columns: Any
) -> dict[str, Any]:
    """One reached tier."""
    return {
        "lower_bound": lower,
        "up_to": up_to,
        "units": units,
        "unit_price": price,
        "amount_exact": amount,
    } | columns


def _value(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
