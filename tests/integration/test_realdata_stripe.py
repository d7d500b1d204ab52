"""Payloads that other projects keep of Stripe, of several API versions: each lands or is quarantined with a reason."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytest.importorskip("stripe", reason="the package stripe is not installed")

from ingest.stripe.landing import land_payloads
from ingest.stripe.tables import TABLES, TablesRefused, land_tables
from ratehouse import billing
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from tests.conftest import ROOT

TABLES_FOLDER = ROOT.parent / "shared" / "realdata" / "stripe" / "fivetran_dbt_stripe"
BOOK = """
price_book: "1"
effective_from: 2020-01-01
currency: USD
plans: {p: {charges: {base: {type: recurring, timing: advance, model: flat, amount: "1.00"}}}}
"""
FOLDER = ROOT.parent / "shared" / "realdata" / "stripe"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def payloads() -> list[Any]:
    found: list[Any] = []
    for file in sorted(FOLDER.rglob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        found.extend(content["resources"].values() if file.name == "fixtures3.json" else [content])
    return found


@pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/realdata/stripe is not there")
def test_every_payload_lands_or_is_quarantined_and_a_second_pass_adds_nothing(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    given = payloads()
    first = land_payloads(lake, given, tenant_id="acme", received_at=NOW)
    assert len(given) > 220
    assert first.landed + first.known + sum(first.quarantined.values()) == len(given)
    assert set(first.rows) == {"payments", "refunds", "disputes", "balance_transactions", "payouts"}
    table = lake.read("raw/rejected")
    assert all(row["reason"] for row in (table.to_pylist() if table is not None else []))
    files = {stream: lake.files(f"raw/{stream}") for stream in ("stripe_objects", "rejected", *first.rows)}
    second = land_payloads(lake, given, tenant_id="acme", received_at=NOW)
    assert (second.landed, sum(second.rows.values())) == (0, 0)
    assert {stream: lake.files(f"raw/{stream}") for stream in files} == files


def table(name: str) -> list[dict[str, str]]:
    with (TABLES_FOLDER / f"{name}_data.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def major(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2).quantize(Decimal("0.0001"))


@pytest.mark.skipif(
    not TABLES_FOLDER.is_dir(), reason="../shared/realdata/stripe/fivetran_dbt_stripe is not there"
)
def test_replicated_tables_reconcile_and_each_exception_is_explained(tmp_path: Path) -> None:
    folder = tmp_path / "tenants" / "acme"
    (folder / "price_books").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(
        "tenant: acme\nname: Acme\ncurrency: USD\ntimezone: UTC\n", encoding="utf-8"
    )
    (folder / "price_books" / "1.yaml").write_text(BOOK, encoding="utf-8")
    settings = Settings.load(tmp_path, environ={})
    lake = Lake(settings.lake_url)
    arrived = datetime(2021, 4, 1, tzinfo=UTC)
    first = land_tables(lake, TABLES_FOLDER, tenant_id="acme", received_at=arrived)
    assert set(first) == set(TABLES)
    assert {name: landing.landed for name, landing in first.items()} == {
        name: len(table(name)) for name in TABLES
    }
    assert not any(landing.quarantined for landing in first.values())
    files = lake.files("raw")
    again = land_tables(lake, TABLES_FOLDER, tenant_id="acme")
    assert sum(landing.landed + sum(landing.rows.values()) for landing in again.values()) == 0
    assert lake.files("raw") == files

    billing.bill_days(settings, [date(2021, 4, 10)])
    with duckdb.connect(str(settings.serving_path), read_only=True) as serving:
        items = serving.execute(
            "select status, reference, expected_amount, actual_amount, difference from marts.reconciliation_items"
            " where area = 'processor' order by all"
        ).fetchall()
        (proof,) = serving.execute(
            "select found_amount, residual from marts.cash_proofs where proof = 'processor'"
        ).fetchall()
        unapplied = serving.execute(
            "select sum(difference) from marts.reconciliation_items where area = 'cash' and status = 'unapplied'"
        ).fetchone()
    # Worked out from the tables alone: the charges that movements name are not in the table of charges, and of the payouts one is
    # what its movements come to.
    movements = [row for row in table("balance_transaction") if row["type"] != "payout"]
    payouts = {row["id"]: int(row["amount"]) for row in table("payout")}
    assert not {row["source"] for row in movements} & {row["id"] for row in table("charge")}
    expected = [("missing_payment", row["id"], None, major(int(row["amount"])), None) for row in movements]
    expected += [
        ("missing_payout", row["id"], major(int(row["net"])), major(0), -major(int(row["net"])))
        for row in movements
        if row["payout_id"] not in payouts
    ]
    for payout, amount in payouts.items():
        net = sum(int(row["net"]) for row in movements if row["payout_id"] == payout)
        status = "matched" if net == amount else "payout_mismatch"
        expected.append((status, payout, major(net), major(amount), major(amount - net)))
    assert items == sorted(expected, key=lambda row: (row[0], row[1]))
    assert [row[1] for row in items if row[0] == "matched"] == ["po_0IFUKBig6peNXzgDZQM7WPAo"]
    assert proof == (major(sum(int(row["net"]) for row in movements)), Decimal(0))
    # No invoice was issued, so all the money that came waits, less what was refunded or taken back of it.
    assert unapplied == (major(sum(int(row["amount_received"]) for row in table("payment_intent"))),)


def test_a_folder_without_tables_and_a_bad_amount_are_refused(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    with pytest.raises(TablesRefused, match="none of the tables"):
        land_tables(lake, tmp_path, tenant_id="acme")
    (tmp_path / "payout.csv").write_text("id,amount,currency\npo_1,1.5,usd\n", encoding="utf-8")
    with pytest.raises(TablesRefused, match=r"amount is '1\.5'"):
        land_tables(lake, tmp_path, tenant_id="acme")
