"""Every identity notices an error planted to break it, and a month with that error in it is not closed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from ratehouse import billing, identities, ledger, period_closes, warehouse
from ratehouse.period_closes import CloseRefused
from ratehouse.settings import Settings
from tests.reliability.installation import Installation

pytestmark = pytest.mark.slow

BOOK = """
price_book: "1"
effective_from: 2026-01-01
currency: USD
meters:
  calls: {event_type: call, aggregation: sum}
plans:
  basic:
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "10.00"}
      support: {type: recurring, timing: arrears, model: flat, amount: "4.00"}
      calls: {type: usage, meter: calls, model: per_unit, unit_price: "0.01"}
"""
START = datetime(2026, 9, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Error:
    """A wrong relation, and who must notice.

    Attributes:
        identity: number in DESIGN section 8.
        test: the dbt test that must fail.
        planted: what each relation (a model's name) becomes; `{relation}` is what it was.
        stops_as: what refuses the close where that is not the test itself.
        is_built: whether dbt would build a model with this error at all; its contracts refuse some.
    """

    identity: int
    test: str
    planted: Mapping[str, str]
    stops_as: str = ""
    is_built: bool = field(default=True)


def _more(column: str, kind: str = "decimal(20, 4)", where: str = "true") -> str:
    """The relation with one more in a column."""
    wrong = f"cast({column} + case when {where} then 1 else 0 end as {kind})"
    return f"select * replace ({wrong} as {column}) from {{relation}}"


# A document that a second run would issue again.
TWICE = """
    select * from {relation}
    union all by name
    select tenant_id, invoice_id as document_key, kind, customer_id, currency, false as is_draft, total
    from ledger.invoices
"""
KEY = "unique_combination_revenue_by_period_tenant_id__contract_id__obligation_id__period__posting_period"

ERRORS = [
    Error(
        1,
        "received_events_are_all_accounted_for",
        {"usage_completeness": "select * from {relation} where received_on <> date '2026-09-03'"},
    ),
    Error(
        1, "received_events_are_all_accounted_for", {"usage_completeness": _more("not_billable", "bigint")}
    ),
    Error(
        2,
        "owed_amounts_are_billed_or_due",
        # What is owed and found no way to a document.
        {
            "int_invoicing__should_lines": _more("amount"),
            "int_invoicing__due_lines": "select * from {relation} where false",
        },
    ),
    Error(3, "documents_add_up", {"invoices": _more("total")}),
    Error(3, "documents_add_up", {"invoice_lines": "select * from {relation} where charge <> 'support'"}),
    Error(3, "tax_summary_is_the_tax_on_documents", {"tax_summary": _more("tax")}),
    Error(3, "statements_end_at_what_is_open", {"account_movements": _more("amount")}),
    Error(3, "invoice_totals_are_accounted_for", {"int_payments__receivables": _more("open_amount")}),
    Error(
        4,
        "service_spans_do_not_overlap",
        {
            "int_proration__slices": "select * replace (service_end_at + to_days(1) as service_end_at)"
            " from {relation}"
        },
    ),
    Error(
        4,
        "service_spans_leave_no_hole",
        {"int_proration__slices": "select * from {relation} where charge <> 'support'"},
    ),
    # At the gate facts of later than the last run count, so there it is a document that is due.
    Error(
        5,
        "a_second_run_adds_nothing",
        {"int_invoicing__due_documents": TWICE},
        stops_as="due_documents_are_issued",
    ),
    Error(6, "numbers_of_a_series_follow_one_another", {"invoices": _more("seq", "bigint", "seq = 2")}),
    Error(
        6,
        "numbers_of_a_series_follow_one_another",
        {"invoices": "select * replace ('other' as previous_hash) from {relation}"},
    ),
    Error(
        6,
        "numbers_of_a_series_follow_one_another",
        {
            "invoices": "select * replace (date '2026-12-01' - cast(seq as integer) as issued_on) from {relation}"
        },
    ),
    Error(
        7, "recognised_and_remaining_are_the_price", {"int_revenue__schedules": _more("allocated", "hugeint")}
    ),
    Error(
        7,
        "recognised_and_remaining_are_the_price",
        {"remaining_obligations": "select * from {relation} where contract_id <> 'k1'"},
    ),
    Error(
        7,
        "earned_revenue_is_posted",
        {"revenue_by_period": "select * from {relation} where period <> '2026-09'"},
    ),
    Error(8, "positions_are_what_was_billed_less_recognised", {"contract_balances": _more("billed")}),
    Error(9, "rollforwards_roll", {"deferred_revenue_rollforward": _more("recognised")}),
    Error(9, "rollforwards_roll", {"unbilled_revenue": _more("accrued")}),
    Error(9, "rollforwards_roll", {"contract_costs": _more("closing")}),
    Error(9, "rollforwards_roll", {"mrr_by_month": _more("expansion")}),
    # Bridges beside the twelve.
    Error(
        9,
        "recurring_revenue_leads_to_recognised_revenue",
        {"mrr_to_gaap": "select * from {relation} where step <> 'usage'"},
    ),
    Error(9, "cohorts_are_all_customers", {"retention_by_cohort": _more("mrr")}),
    Error(9, "deferred_revenue_runs_off_to_nothing", {"deferred_revenue_waterfall": _more("amount")}),
    Error(9, "flux_is_explained_by_its_drivers", {"revenue_flux_items": _more("mix")}),
    Error(
        9,
        "flux_is_explained_by_its_drivers",
        {"revenue_flux_items": "select * from {relation} where charge <> 'base'"},
    ),
    Error(10, "journal_entries_balance", {"journal_entries": _more("debit", where="line_no = 1")}),
    Error(
        10,
        "journal_entries_balance",
        {"journal_entries": "select * replace (cast(null as varchar) as account) from {relation}"},
    ),
    Error(
        10,
        "control_accounts_equal_contract_balances",
        {"int_accounting__journal": _more("amount", "hugeint", "account_role = 'deferred_revenue'")},
    ),
    Error(10, "ledgers_tie_out", {"ledger_tie_out": _more("difference")}),
    Error(
        10,
        "ledger_accounts_equal_their_sub_ledgers",
        {"int_payments__flows": "select * replace (flowed_at + to_days(1) as flowed_at) from {relation}"},
    ),
    *(
        Error(
            10,
            "ledger_accounts_equal_their_sub_ledgers",
            {"journal_entries": _more("debit", where=f"account_role = '{role}'")},
        )
        for role in ("receivable", "unapplied_cash", "clearing", "fees", "disputes", "intercompany")
    ),
    Error(
        11,
        "processor_movements_are_paid_out_or_named",
        {
            "int_reconciliation__items": "select * from {relation} where area <> 'processor' or reference <> 'po_1'"
        },
    ),
    Error(
        11,
        "bank_lines_are_matched_or_named",
        {"int_reconciliation__items": "select * from {relation} where area <> 'bank'"},
    ),
    Error(
        12,
        "rows_stay_with_their_tenant",
        {"rated_charges": "select * replace ('of-other' as customer_id) from {relation}"},
    ),
    Error(
        12,
        "no_public_column_is_a_binary_fraction",
        {"invoices": "select * replace (cast(total as double) as total) from {relation}"},
        is_built=False,
    ),
    Error(
        12,
        KEY,
        {"revenue_by_period": "select unnest([planted, planted], max_depth := 2) from {relation} as planted"},
    ),
]
IDS = [f"{number}-{error.identity}-{error.test[:40]}" for number, error in enumerate(ERRORS)]


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Two tenants with usage, a contract and its cost, payments, payouts and the bank's lines, billed up to 1 November 2026."""
    installation = Installation(tmp_path_factory.mktemp("billed"))
    for tenant in ("acme", "other"):
        installation.add_tenant(tenant, BOOK)
        customer = f"of-{tenant}"
        installation.land(
            tenant,
            customers=[{"customer_id": customer, "name": tenant, "effective_at": START}],
            subscription_events=[
                {
                    "event_id": "s1",
                    "subscription_id": "s1",
                    "customer_id": customer,
                    "type": "created",
                    "effective_at": START,
                    "data": {"plan": "basic"},
                }
            ],
            usage_events=[
                {
                    "event_id": f"e{day}",
                    "customer_id": customer,
                    "event_type": "call",
                    "occurred_at": START.replace(day=day),
                    "quantity": "100",
                }
                for day in range(2, 6)
            ],
            contracts=[
                {
                    "contract_id": "k1",
                    "customer_id": customer,
                    "currency": "USD",
                    "signed_on": date(2026, 9, 1),
                    "recorded_at": START,
                    "consideration": "120.00",
                    "obligations": [
                        {
                            "obligation_id": "service",
                            "ssp": "120",
                            "recognise": "ratable_month",
                            "start": "2026-09-01",
                            "end": "2027-09-01",
                        }
                    ],
                    "costs": [
                        {
                            "cost_id": "commission",
                            "kind": "obtain",
                            "amount": "12.00",
                            "incurred_on": "2026-09-01",
                            "capitalise": True,
                            "start": "2026-09-01",
                            "end": "2027-09-01",
                        }
                    ],
                }
            ],
            contract_events=[
                {
                    "contract_id": "k1",
                    "type": "billed",
                    "effective_on": date(2026, 9, 1),
                    "recorded_at": START,
                    "data": {"amount": "120.00"},
                }
            ],
            payments=[
                {
                    "payment_id": "p1",
                    "customer_id": customer,
                    "provider": "stripe",
                    "provider_id": "ch_1",
                    "amount": "10.00",
                    "currency": "USD",
                    "status": "succeeded",
                    "attempted_at": START.replace(day=2),
                    "settled_at": START.replace(day=2),
                    "recorded_at": START.replace(day=2),
                },
                {
                    "payment_id": "p2",
                    "customer_id": customer,
                    "reference": "nobody knows",
                    "amount": "3.00",
                    "currency": "USD",
                    "status": "succeeded",
                    "attempted_at": START.replace(day=3),
                    "settled_at": START.replace(day=3),
                    "recorded_at": START.replace(day=3),
                },
            ],
            intercompany_claims=[
                {
                    "claim_id": "k1",
                    "payment_id": "p2",
                    "entity": "a sister",
                    "action": "hold",
                    "decided_by": "alice",
                    "effective_at": START.replace(day=4),
                    "recorded_at": START.replace(day=4),
                }
            ],
            disputes=[
                {
                    "dispute_id": "d1",
                    "payment_id": "p1",
                    "amount": "10.00",
                    "currency": "USD",
                    "stage": stage,
                    "fee": "0.00",
                    "effective_at": START.replace(day=day),
                    "recorded_at": START.replace(day=day),
                }
                for stage, day in (("open", 10), ("won", 12))
            ],
            balance_transactions=[
                {
                    "balance_transaction_id": "t1",
                    "source_id": "ch_1",
                    "reporting_category": "charge",
                    "gross": "10.00",
                    "fee": "1.00",
                    "net": "9.00",
                    "currency": "USD",
                    "available_on": date(2026, 9, 4),
                    "payout_id": "po_1",
                    "recorded_at": START.replace(day=4),
                }
            ],
            payouts=[
                {
                    "payout_id": "po_1",
                    "amount": "9.00",
                    "currency": "USD",
                    "arrival_on": date(2026, 9, 6),
                    "status": "paid",
                    "automatic": True,
                    "recorded_at": START.replace(day=6),
                }
            ],
            bank_lines=[
                {
                    "bank_line_id": "b1",
                    "amount": "9.00",
                    "currency": "USD",
                    "value_on": date(2026, 9, 7),
                    "reference": "PO_1",
                    "recorded_at": START.replace(day=7),
                }
            ],
        )
    billing.bill_days(installation.settings, [date(2026, month, 1) for month in (9, 10, 11)])
    return installation


@pytest.fixture
def settings(billed: Installation, tmp_path: Path) -> Iterator[Settings]:
    """The home, whose warehouse may be spoilt: it is put back."""
    file = billed.settings.warehouse_path
    shutil.copyfile(file, tmp_path / "kept.duckdb")
    yield billed.settings
    shutil.copyfile(tmp_path / "kept.duckdb", file)


def _schema(name: str) -> str:
    return "intermediate" if name.startswith("int_") else "marts"


def _drop(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    kinds = dict(
        connection.execute(
            "select table_schema || '.' || table_name, table_type from information_schema.tables"
        ).fetchall()
    )
    connection.execute(f"drop {'view' if kinds[relation] == 'VIEW' else 'table'} {relation}")


def _plant(settings: Settings, error: Error) -> None:
    """Spoil the relations in the warehouse itself."""
    with warehouse.connect(settings) as connection:
        for name, planted in error.planted.items():
            relation = f"{_schema(name)}.{name}"
            connection.execute(f"create table planted as {planted.format(relation=relation)}")
            _drop(connection, relation)
            connection.execute(f"create table {relation} as from planted")
            connection.execute("drop table planted")


def _spoilt_project(settings: Settings, errors: list[Error], to: Path) -> Settings:
    """The settings with a copy of the dbt project whose models make the errors."""
    shutil.copytree(settings.dbt_project_dir, to, ignore=shutil.ignore_patterns("target", "logs"))
    for error in errors:
        for name, planted in error.planted.items():
            (model,) = to.rglob(f"{name}.sql")
            relation = f"(\n{model.read_text(encoding='utf-8')}\n)"
            model.write_text(planted.format(relation=relation), encoding="utf-8")
    return settings.model_copy(update={"dbt_project_dir": to})


def test_every_identity_has_an_error_planted() -> None:
    project = Settings.load(environ={}).dbt_project_dir
    assert {error.identity for error in ERRORS} == set(range(1, 13))
    assert {path.stem for path in (project / "tests").glob("*.sql")} == {error.test for error in ERRORS} - {
        KEY
    }


def test_without_an_error_every_identity_holds(billed: Installation) -> None:
    assert not identities.failing(billed.settings, "acme")
    warehouse.build(billed.settings, command="test", select=[error.test for error in ERRORS])


@pytest.mark.parametrize("error", ERRORS, ids=IDS)
def test_an_identity_notices_the_error_that_breaks_it(settings: Settings, error: Error) -> None:
    _plant(settings, error)
    with pytest.raises(warehouse.BuildFailed, match=rf"failed in 1 node.*\n{error.test}: Got \d+ result"):
        warehouse.build(settings, command="test", select=[error.test], flags=warehouse.NO_ARTIFACTS)


@pytest.mark.parametrize(
    ("relation", "planted"),
    [
        ("invoice_lines", "select * replace (amount + 1 as amount) from {relation}"),
        ("invoice_lines", "select * from {relation} where charge <> 'support'"),
        ("invoices", "select * replace ('Somebody else' as bill_to_name) from {relation}"),
        ("invoices", "select * replace (upper(content_hash) as content_hash) from {relation}"),
    ],
    ids=["amount", "line", "name", "hash"],
)
def test_a_ledger_that_was_written_to_is_noticed(settings: Settings, relation: str, planted: str) -> None:
    with warehouse.connect(settings) as connection:
        assert not ledger.altered(connection)
        connection.execute(f"create table planted as {planted.format(relation=f'ledger.{relation}')}")
        _drop(connection, f"ledger.{relation}")
        connection.execute(f"create table ledger.{relation} as from planted")
        assert ledger.altered(connection, "acme") and not ledger.altered(connection, "nobody")
    assert "documents_are_what_was_issued" in identities.failing(settings, "acme")


def test_a_month_with_errors_is_not_closed(billed: Installation, tmp_path: Path) -> None:
    """All errors that dbt builds, at once: the month is prepared without them and approved with them."""
    shutil.copytree(billed.home, tmp_path / "home")
    settings = Installation(tmp_path / "home").settings
    prepared = period_closes.prepare(settings, "acme", "2026-09", by="alice", now=NOW)
    assert not prepared.blockers
    errors = {error.test: error for error in ERRORS if error.is_built}
    spoilt = _spoilt_project(settings, list(errors.values()), tmp_path / "project")
    with pytest.raises(CloseRefused) as refused:
        period_closes.approve(spoilt, "acme", "2026-09", by="bob", now=NOW)
    names = {reason.name for reason in refused.value.reasons}
    assert {error.stops_as or error.test for error in errors.values()} <= names
    assert not Installation(settings.home).ledger()["closed_periods"]
