"""Payloads that other projects keep of Stripe, of several API versions: each lands or is quarantined with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("stripe", reason="the package stripe is not installed")

from ingest.stripe.landing import land_payloads
from ratehouse.lake import Lake
from tests.conftest import ROOT

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
