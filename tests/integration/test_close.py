"""Closing a month with two people, end to end: every refusal by name, the close, late facts, reopening, verification."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from deliver.accounting.export import export
from ratehouse import billing, identities, period_closes, warehouse
from ratehouse.errors import RatehouseError
from ratehouse.ledger import ledger_files
from ratehouse.period_closes import CloseRefused
from ratehouse.streams import land
from tests.reliability.installation import FEE_AND_CALLS, Installation

pytestmark = pytest.mark.slow


def _company(home: Path) -> Installation:
    installation = Installation(home)
    for tenant in ("acme", "other"):
        installation.add_tenant(tenant, FEE_AND_CALLS)
        at = datetime(2026, 9, 1, tzinfo=UTC)
        created = {"event_id": "s1", "subscription_id": "s1", "customer_id": "c1", "type": "created"}
        installation.land(
            tenant,
            customers=[{"customer_id": "c1", "name": "Café & Co", "effective_at": at}],
            subscription_events=[{**created, "effective_at": at, "data": {"plan": "basic"}}],
            usage_events=[
                {
                    "event_id": f"e{n}",
                    "customer_id": "c1",
                    "event_type": "call",
                    "occurred_at": at + timedelta(days=n),
                }
                for n in range(60)
            ],
        )
    return installation


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Two tenants, billed up to 1 November 2026."""
    installation = _company(tmp_path_factory.mktemp("billed"))
    billing.bill_days(installation.settings, [date(2026, month, 1) for month in (10, 11)])
    return installation


@pytest.fixture
def acme(billed: Installation, tmp_path: Path) -> Installation:
    shutil.copytree(billed.home, tmp_path / "home")
    return Installation(tmp_path / "home")


def _fact(installation: Installation, stream: str, row: dict[str, Any], tenant: str = "acme") -> None:
    batch = f"{stream}-{datetime.now(UTC):%H%M%S%f}"
    land(installation.lake, stream, [row], tenant_id=tenant, source="test", batch_id=batch)


def _late_call(installation: Installation, at: str) -> None:
    late = {"event_id": "late", "customer_id": "c1", "event_type": "call", "quantity": "500"}
    _fact(installation, "usage_events", {**late, "occurred_at": at})


def _replace(installation: Installation, file: str, rows: list[dict[str, Any]]) -> None:
    """What somebody with access to the files could do to the ledger."""
    schema = installation.lake.read_file(file).schema
    Path(file).unlink()
    relation = f"ledger/{Path(file).parent.name}"
    assert installation.lake.write(relation, Path(file).stem, pa.Table.from_pylist(rows, schema=schema))


def _names(refused: pytest.ExceptionInfo[CloseRefused]) -> list[str]:
    return [reason.name for reason in refused.value.reasons]


def _months(installation: Installation) -> dict[str, str]:
    return {row["period"]: row["status"] for row in period_closes.status(installation.settings, "acme")}


def _posted(installation: Installation) -> list[tuple[str, str, Decimal]]:
    with duckdb.connect(str(installation.settings.serving_path), read_only=True) as serving:
        return serving.execute(
            "select period, posting_period, sum(recognised) from marts.revenue_by_period"
            " where tenant_id = 'acme' group by all order by all"
        ).fetchall()


def test_two_people_close_a_month_and_what_is_learned_later_posts_to_the_next(acme: Installation) -> None:
    settings = acme.settings
    prepared = period_closes.prepare(settings, "acme", "2026-09", by="alice")
    assert not prepared.blockers and prepared.journal_lines
    assert _months(acme) == {"2026-09": "soft_closed", "2026-10": "open"}
    with pytest.raises(CloseRefused) as refused:
        period_closes.approve(settings, "acme", "2026-09", by="alice")
    assert _names(refused) == ["preparer_is_approver"]
    assert not acme.ledger()["closed_periods"]

    content_hash = period_closes.approve(settings, "acme", "2026-09", by="bob")
    assert _months(acme) == {"2026-09": "closed", "2026-10": "open"}
    (close,) = acme.ledger()["closed_periods"]
    assert (close["tenant_id"], close["prepared_by"], close["approved_by"]) == ("acme", "alice", "bob")
    assert close["content_hash"] == content_hash and close["journal_lines"] == prepared.journal_lines

    for form in ("csv", "parquet", "quickbooks-csv", "netsuite-csv"):
        assert export(settings, "acme", "2026-09", form, acme.home / "out")
    (xero,) = export(settings, "acme", "2026-09", "xero-csv", acme.home / "out")
    amounts = [Decimal(row["*Amount"]) for row in csv.DictReader(xero.open(encoding="utf-8"))]
    assert len(amounts) == prepared.journal_lines and sum(amounts) == 0 < max(amounts)

    before = _posted(acme)
    _late_call(acme, "2026-09-10T00:00:00Z")
    billing.run(settings, date(2026, 11, 2))
    assert set(_posted(acme)) - set(before) == {("2026-09", "2026-10", Decimal("5.00"))}
    warehouse.remove(settings)
    (verified,) = period_closes.verify(settings, "acme")
    assert verified.content_hash == verified.found_hash == content_hash and not verified.moved


def test_a_reopened_month_takes_what_is_learned_until_it_is_closed_again(acme: Installation) -> None:
    settings = acme.settings
    # September was never closed, so it is closed with October
    period_closes.prepare(settings, "acme", "2026-10", by="alice")
    first = period_closes.approve(settings, "acme", "2026-10", by="bob")
    assert _months(acme) == {"2026-09": "closed", "2026-10": "closed"}
    with pytest.raises(CloseRefused) as refused:
        period_closes.reopen(settings, "acme", "2026-09", by="carol", reason="a late delivery")
    assert _names(refused) == ["later_month_is_closed"]
    with pytest.raises(RatehouseError, match="for a reason"):
        period_closes.reopen(settings, "acme", "2026-10", by="carol", reason=" ")

    period_closes.reopen(settings, "acme", "2026-10", by="carol", reason="a late delivery")
    assert _months(acme) == {"2026-09": "open", "2026-10": "reopened"}
    before = _posted(acme)
    _late_call(acme, "2026-09-10T00:00:00Z")
    billing.run(settings, date(2026, 11, 2))
    ((period, posting, amount),) = set(_posted(acme)) - set(before)
    assert (period, posting) == ("2026-09", "2026-09")
    assert amount - next(row[2] for row in before if row[:2] == (period, posting)) == Decimal("5.00")

    period_closes.prepare(settings, "acme", "2026-10", by="alice")
    again = period_closes.approve(settings, "acme", "2026-10", by="bob")
    closes = sorted(acme.ledger()["closed_periods"], key=lambda row: row["known_as_of"])
    assert [(row["previous_hash"], row["content_hash"]) for row in closes] == [("", first), (first, again)]
    (verified,) = period_closes.verify(settings, "acme")
    assert not verified.moved


def test_every_refusal_has_a_name_and_posts_nothing(acme: Installation) -> None:
    settings = acme.settings
    with pytest.raises(RatehouseError, match="never billed"):
        period_closes.prepare(settings, "nobody", "2026-10", by="alice")
    with pytest.raises(RatehouseError, match="no month"):
        period_closes.prepare(settings, "acme", "October", by="alice")
    with pytest.raises(CloseRefused) as refused:
        period_closes.prepare(settings, "acme", "2026-11", by="alice")
    assert _names(refused) == ["month_is_not_over"]
    with pytest.raises(CloseRefused) as refused:
        period_closes.approve(settings, "acme", "2026-10", by="bob")
    assert _names(refused) == ["not_prepared"]

    period_closes.prepare(settings, "acme", "2026-09", by="alice")
    period_closes.prepare(settings, "acme", "2026-10", by="alice")
    # learned between the two: a bill of October that no document carries, and a row that was rejected
    _late_call(acme, "2026-10-10T00:00:00Z")
    _fact(acme, "customers", {"customer_id": "", "recorded_at": "2026-10-11T00:00:00Z"})
    with pytest.raises(CloseRefused) as refused:
        period_closes.approve(settings, "acme", "2026-10", by="bob")
    assert _names(refused) == [
        "earlier_month_is_open",
        *["due_documents_are_issued"] * 2,
        "rejected_rows_are_replayed",
    ]
    billing.run(settings, date(2026, 11, 2))
    with pytest.raises(CloseRefused) as refused:
        period_closes.approve(settings, "acme", "2026-10", by="bob")
    assert _names(refused) == [
        "moved_since_prepared",
        "earlier_month_is_open",
        "rejected_rows_are_replayed",
    ]
    assert not acme.ledger()["closed_periods"]
    facts = acme.lake.read("raw/period_closes")
    assert facts["approved_by"].to_pylist() == [None, None]


def test_an_identity_that_fails_stops_its_tenant_only(acme: Installation) -> None:
    settings = acme.settings
    # two documents of acme with one number
    for file in ledger_files(acme.lake)["invoices"]:
        table = acme.lake.read_file(file)
        rows = [{**row, "seq": 1 if row["tenant_id"] == "acme" else row["seq"]} for row in table.to_pylist()]
        _replace(acme, file, rows)
    # The numbers collide, and a document with another number is not what was issued.
    broken = {"numbers_of_a_series_follow_one_another", "documents_are_what_was_issued"}
    prepared = period_closes.prepare(settings, "acme", "2026-09", by="alice")
    assert {reason.name for reason in prepared.blockers} == broken
    with pytest.raises(CloseRefused) as refused:
        period_closes.approve(settings, "acme", "2026-09", by="bob")
    assert set(_names(refused)) == broken
    assert not acme.ledger()["closed_periods"]
    assert not identities.failing(settings, "other")


def test_verification_names_what_moved(acme: Installation) -> None:
    settings = acme.settings
    for arguments in (("--prepare", "--by", "alice"), ("--approve", "--by", "bob")):
        done = acme.run("close", "2026-09", "--tenant", "acme", *arguments)
        assert done.returncode == 0, done.stderr
    assert "closed" in acme.run("close", "--tenant", "acme", "--status").stdout
    for relation, column in (("closed_revenue", "recognised"), ("closed_balances", "billed")):
        (file,) = ledger_files(acme.lake)[relation]
        rows = acme.lake.read_file(file).to_pylist()
        _replace(acme, file, [{**row, column: row[column] + 1} for row in rows])
        (verified,) = period_closes.verify(settings, "acme")
        assert any("rows that the ledger has" in sentence for sentence in verified.moved)
        _replace(acme, file, rows)
    (file,) = ledger_files(acme.lake)["closed_journal"]
    rows = acme.lake.read_file(file).to_pylist()
    _replace(acme, file, rows[1:])
    done = acme.run("close", "2026-09", "--tenant", "acme", "--verify")
    assert done.returncode == 1 and "2026-09: moved" in done.stdout
    assert "rows that the ledger has" in done.stderr
    _replace(acme, file, rows)


def test_accounts_that_are_named_anew_move_no_closed_month(acme: Installation) -> None:
    settings = acme.settings
    period_closes.prepare(settings, "acme", "2026-09", by="alice")
    period_closes.approve(settings, "acme", "2026-09", by="bob")
    tenant = settings.tenants_dir / "acme" / "tenant.yaml"
    tenant.write_text(tenant.read_text() + 'accounts: {revenue: "4001"}\n')
    billing.run(settings, date(2026, 11, 2))
    (verified,) = period_closes.verify(settings, "acme")
    assert not verified.moved
    with duckdb.connect(str(settings.serving_path), read_only=True) as serving:
        accounts = serving.execute(
            "select distinct period, account from marts.journal_entries"
            " where tenant_id = 'acme' and account_role = 'revenue' order by all"
        ).fetchall()
    assert accounts == [("2026-09", "4000"), ("2026-10", "4001")]
