"""Whose money a payment is and which tax is proven, as facts: said once, taken back, with who and why, of what is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from ratehouse.cash_decisions import (
    CERTIFICATES,
    CLAIMS,
    DecisionRefused,
    Withheld,
    certify,
    find_withheld,
    hold,
    release,
)
from ratehouse.cli import app
from ratehouse.lake import Lake

NOW = datetime(2026, 1, 10, 9, tzinfo=UTC)
SAID: dict[str, Any] = {"tenant_id": "acme", "by": "alice", "reason": "they told us"}
KEPT = Withheld("INV-1", Decimal("15.00"), "EUR")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def rows(lake: Lake, stream: str) -> list[dict[str, Any]]:
    table = lake.read(f"raw/{stream}")
    return [] if table is None else sorted(table.to_pylist(), key=lambda row: row["effective_at"])


def test_a_payment_is_held_once_released_and_held_again(lake: Lake) -> None:
    claim = SAID | {"payment_id": "p1", "entity": "Acme UK Ltd"}
    first = hold(lake, **claim, decided_at=NOW)
    again = hold(lake, **claim | {"by": "bob"}, decided_at=NOW + timedelta(hours=1))
    back = release(lake, **SAID, payment_id="p1", decided_at=NOW + timedelta(hours=2))
    third = hold(lake, **claim, decided_at=NOW + timedelta(hours=3))
    assert (first.is_new, again, back.is_new, third.is_new) == (
        True,
        type(first)(first.fact_id, False),
        True,
        True,
    )
    assert [(row["action"], row["entity"], row["decided_by"]) for row in rows(lake, CLAIMS)] == [
        ("hold", "Acme UK Ltd", "alice"),
        ("release", "Acme UK Ltd", "alice"),
        ("hold", "Acme UK Ltd", "alice"),
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"entity": " "}, "needs its entity"),
        ({"by": ""}, "needs its person"),
        ({"reason": " "}, "needs its reason"),
    ],
)
def test_a_claim_without_its_words_is_refused(lake: Lake, changed: dict[str, str], message: str) -> None:
    with pytest.raises(DecisionRefused, match=message):
        hold(lake, **SAID | {"payment_id": "p1", "entity": "Acme UK Ltd"} | changed)
    assert rows(lake, CLAIMS) == []


def test_what_is_held_for_one_is_held_for_no_other_and_what_is_not_held_is_not_released(lake: Lake) -> None:
    with pytest.raises(DecisionRefused, match="Nobody holds p1"):
        release(lake, **SAID, payment_id="p1")
    hold(lake, **SAID, payment_id="p1", entity="Acme UK Ltd", decided_at=NOW)
    with pytest.raises(DecisionRefused, match="held for Acme UK Ltd; release it first"):
        hold(lake, **SAID, payment_id="p1", entity="Acme SA")
    hold(lake, **SAID | {"tenant_id": "kumo"}, payment_id="p1", entity="Acme SA")
    assert len(rows(lake, CLAIMS)) == 2


def test_a_certificate_is_over_what_waits_and_is_noted_once(lake: Lake) -> None:
    first = certify(lake, KEPT, **SAID, status="received", number="77", decided_at=NOW)
    again = certify(lake, KEPT, **SAID, status="received", number="77")
    assert (first.is_new, again.is_new) == (True, False)
    (row,) = rows(lake, CERTIFICATES)
    assert (row["amount"], row["currency"], row["number"]) == (Decimal("15.00"), "EUR", "77")
    with pytest.raises(DecisionRefused, match=r"15.00 EUR wait; the certificate is over 15.01"):
        certify(lake, KEPT, **SAID, status="received", amount=Decimal("15.01"))


def test_commands_say_what_counts_and_refuse_what_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    serving = tmp_path / "data" / "serving" / "current.duckdb"
    serving.parent.mkdir(parents=True)
    with duckdb.connect(str(serving)) as connection:
        connection.execute(
            "create schema marts; create table marts.withholding_taxes as select * from (values"
            " ('acme', 'INV-1', 15.00::decimal(20, 4), 'EUR'), ('acme', 'INV-2', 0, 'EUR')"
            ") as t (tenant_id, invoice_number, waiting_amount, currency)"
        )
    assert find_withheld(serving, tenant_id="acme", invoice_number="INV-1").waiting == Decimal(15)
    words = ["--tenant", "acme", "--by", "alice", "--reason", "post"]
    runner = CliRunner()
    came = runner.invoke(app, ["reconcile", "certificate", "INV-1", "--number", "77", *words])
    assert (came.exit_code, "the certificate of INV-1 came; it counts from now" in came.output) == (
        0,
        True,
    ), came.output
    held = runner.invoke(app, ["reconcile", "hold", "p1", "--for", "Acme UK Ltd", *words])
    assert "p1 is held for Acme UK Ltd; it counts from now" in held.output
    assert "p1 is held for nobody" in runner.invoke(app, ["reconcile", "release", "p1", *words]).output
    for refused in (["certificate", "INV-2", *words], ["release", "p1", *words]):
        assert runner.invoke(app, ["reconcile", *refused]).exit_code != 0
    assert runner.invoke(app, ["reconcile", "certificate", "INV-1", "--amount", "x", *words]).exit_code == 2
