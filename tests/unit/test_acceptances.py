"""What people let stand, as facts: of an item that is there, said once, taken back by the opposite, and with who and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from ratehouse import acceptances
from ratehouse.acceptances import AcceptanceRefused, Item, accept, find, withdraw
from ratehouse.cli import app
from ratehouse.lake import Lake

NOW = datetime(2026, 1, 10, 9, tzinfo=UTC)
FEE = Item("bank", "unapplied", "b1", Decimal("-4.50"), "EUR")
SAID: dict[str, Any] = {"tenant_id": "acme", "account_role": "fees", "by": "alice", "reason": "account fee"}
BACK: dict[str, Any] = {
    "tenant_id": "acme",
    "area": "bank",
    "reference": "b1",
    "by": "bob",
    "reason": "not ours",
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    """A published file with a fee, a movement of two classes and an item that matches."""
    path = tmp_path / "current.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.reconciliation_items as select * from (values"
            " ('acme', 'bank', 'unapplied', 'b1', -4.50::decimal(20, 4), -4.50::decimal(20, 4), 'EUR'),"
            " ('acme', 'bank', 'matched', 'b2', 0, 7, 'EUR'),"
            " ('acme', 'cash', 'written_off', 'INV-1', -0.40, 99.60, 'EUR'),"
            " ('acme', 'cash', 'intercompany', 'p1', 0, 250, 'EUR'),"
            " ('acme', 'processor', 'missing_payment', 't1', null, 9, 'EUR'),"
            " ('acme', 'processor', 'missing_payout', 't1', -9, 0, 'EUR')"
            ") as t (tenant_id, area, status, reference, difference, actual_amount, currency)"
        )
    return path


def rows(lake: Lake) -> list[dict[str, Any]]:
    table = lake.read("raw/manual_acceptances")
    return [] if table is None else sorted(table.to_pylist(), key=lambda row: row["effective_at"])


def test_an_item_is_accepted_once_and_again_after_it_was_taken_back(lake: Lake) -> None:
    first = accept(lake, FEE, **SAID, decided_at=NOW)
    again = accept(lake, FEE, **SAID | {"by": "bob"}, decided_at=NOW + timedelta(hours=1))
    assert (first.is_new, again.is_new, again.acceptance_id) == (True, False, first.acceptance_id)
    with pytest.raises(AcceptanceRefused, match="withdraw that first"):
        accept(lake, FEE, **SAID | {"account_role": "bad_debt"}, decided_at=NOW)
    assert withdraw(lake, **BACK, decided_at=NOW + timedelta(hours=2)).is_new
    with pytest.raises(AcceptanceRefused, match="Nobody accepted b1"):
        withdraw(lake, **BACK)
    assert accept(lake, FEE, **SAID, decided_at=NOW + timedelta(hours=3)).is_new
    assert [(row["action"], row["amount"], row["account_role"], row["decided_by"]) for row in rows(lake)] == [
        ("accept", Decimal("-4.5000"), "fees", "alice"),
        ("withdraw", Decimal("-4.5000"), "fees", "bob"),
        ("accept", Decimal("-4.5000"), "fees", "alice"),
    ]
    assert accept(lake, FEE, **SAID | {"tenant_id": "kumo"}, decided_at=NOW).is_new


@pytest.mark.parametrize(
    ("item", "change", "said"),
    [
        (FEE, {"by": " "}, "needs its person"),
        (FEE, {"reason": ""}, "needs its reason"),
        (FEE, {"account_role": "revenue"}, "No account revenue"),
        (FEE, {"account_role": "receivable"}, "No account receivable"),
        (Item("cash", "overpayment", "p1", Decimal(1), "EUR"), {}, "give a credit, refund or match"),
        (
            Item("cash", "written_off", "INV-1", Decimal("-0.40"), "EUR"),
            {"account_role": None},
            "no exception",
        ),
        (Item("cash", "intercompany", "p1", Decimal(0), "EUR"), {"account_role": None}, "no exception"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_lands(
    lake: Lake, item: Item, change: dict[str, str], said: str
) -> None:
    with pytest.raises(AcceptanceRefused, match=said):
        accept(lake, item, **SAID | change)
    assert rows(lake) == []


def test_an_item_is_found_by_its_reference_as_published(serving: Path) -> None:
    about = {"tenant_id": "acme", "area": "processor"}
    assert find(serving, tenant_id="acme", area="bank", reference="b1") == FEE
    # where nothing is expected, what was found is the difference
    assert find(serving, **about, reference="t1", status="missing_payment").difference == Decimal(9)
    for reference, said in (("t1", "missing_payment and missing_payout"), ("t2", "No exception of acme")):
        with pytest.raises(AcceptanceRefused, match=said):
            find(serving, **about, reference=reference)
    for area, reference, said in (
        ("bank", "b2", "b2 is matched: it is no exception"),
        ("cash", "INV-1", "INV-1 is written_off: it is no exception"),
        ("cash", "p1", "p1 is intercompany: it is no exception"),
    ):
        with pytest.raises(AcceptanceRefused, match=said):
            find(serving, tenant_id="acme", area=area, reference=reference)
    with pytest.raises(AcceptanceRefused, match="No exception"):
        find(serving, tenant_id="kumo", area="bank", reference="b1")
    with pytest.raises(AcceptanceRefused, match="Nothing is published"):
        find(serving.with_name("none"), tenant_id="acme", area="bank", reference="b1")


def test_two_classes_of_one_reference_are_told_apart(lake: Lake) -> None:
    for name in ("missing_payment", "missing_payout"):
        accept(lake, Item("processor", name, "t1", Decimal(9), "EUR"), **SAID)
    options = BACK | {"area": "processor", "reference": "t1"}
    with pytest.raises(AcceptanceRefused, match="missing_payment and missing_payout"):
        withdraw(lake, **options)
    assert withdraw(lake, **options, status="missing_payout").is_new
    assert withdraw(lake, **options).is_new


def test_the_commands_find_accept_and_take_back(
    tmp_path: Path, serving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("RATEHOUSE_SERVING", str(serving.parent))
    said = ["--tenant", "acme", "--area", "bank", "--by", "alice", "--reason", "account fee"]

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, ["reconcile", *arguments, *said], catch_exceptions=False).output

    assert "fees takes -4.5" in run("accept", "b1", "--as", "fees")
    assert "stood already" in run("accept", "b1", "--as", "fees")
    assert "is an exception again" in run("withdraw", "b1")
    assert "nothing is booked for" in run("accept", "b1")
    stood = rows(Lake(str(tmp_path / "lake")))
    assert [row["account_role"] for row in stood] == ["fees", "fees", None]
    assert acceptances.STREAM == "manual_acceptances"
