"""The public contract: the columns that dashboards, exports and customers' SQL rely on, and their types."""

from __future__ import annotations

import pytest

from ratehouse import warehouse
from tests.conftest import ScenarioWarehouse

# Names and meanings that do not change; more columns are welcome. A mart is added here when it is built.
PUBLIC = {
    "usage_by_period": """
        customer_id subscription_id charge meter dimensions period_start period_end quantity
        event_count
    """,
    "rated_charges": """
        customer_id subscription_id plan charge type model price_book dimensions service_start
        service_end quantity included_quantity amount_exact amount currency due_at
    """,
    "rated_tiers": """
        customer_id subscription_id plan charge dimensions service_start service_end tier units
        unit_price flat_fee amount_exact
    """,
    "invoices": """
        invoice_id invoice_number kind customer_id currency bill_date issued_on due_on subtotal
        discount tax total credits_applied amount_due amount_paid status corrects_invoice_id
    """,
    "invoice_lines": """
        invoice_id line_id customer_id subscription_id plan charge line_type dimensions
        service_start service_end quantity unit_price amount currency tax_code tax_percent
        corrects_line_id cause_event_id tax_country tax_region tax_treatment certificate_id certificate_number
        replaces_line_id
    """,
    "imported_invoices": """
        invoice_number kind customer_id currency issued_on lines repeated_lines total
    """,
    "upcoming_invoice_lines": """
        customer_id subscription_id plan charge line_type dimensions service_start service_end
        quantity unit_price amount currency tax_code tax_percent corrects_line_id cause_event_id
    """,
    "tax_requests": """
        document_key customer_id bill_to_customer_id kind currency bill_date provider amount tax status reason
        request_hash request
    """,
    "tax_transactions": """
        code invoice_id invoice_number type provider customer_id currency issued_on amount tax corrects_code is_void body
    """,
    "exemption_certificates": """
        certificate_id customer_id number country region tax_codes reason valid_from valid_until revoked_on status
        days_left documents last_used_on documents_after_end recorded_at
    """,
    "tax_ids": """
        document_key invoice_id customer_id tax_id tax_on standing asked_at
    """,
    "subscription_periods": """
        subscription_id plan period_start period_end is_trial is_stub days cycle_days
    """,
    "subscription_timeline": """
        subscription_id span_no state plan price_book quantities starts_on ends_on cause_event_id cause
    """,
    "subscription_changes": """
        subscription_id event_id type effective_at recorded_at verdict holds_from
    """,
    "reconciliation_items": """
        area status reference rule reason counterpart decided_by decided_at expected_amount actual_amount difference currency
        age_days
    """,
    "cash_records": """
        kind reference amount currency dated_on status customer_id details
    """,
    "withholding_taxes": """
        invoice_id invoice_number customer_id withheld_on withheld_amount certified_amount waiting_amount currency
        certificate_numbers certified_at age_days
    """,
    "processor_fees": """
        period provider method country currency payments gross_amount fee_amount variances variance_amount
    """,
    "ledger_proofs": """
        account_role currency as_of journal_balance sub_ledger_balance residual
    """,
    "cash_proofs": """
        proof currency found_amount expected_amount named_amount residual
    """,
    "payment_allocations": """
        payment_id invoice_id amount currency allocated_at rule
    """,
    "receivables": """
        customer_id invoice_id due_on open_amount days_overdue bucket disputed
    """,
    "dunning_actions": """
        invoice_id customer_id step action due_at idempotency_key recovery_probability status
    """,
    "dunning_outlook": """
        invoice_id customer_id currency amount step action due_on due_at is_held
    """,
    "recovery_attempts": """
        invoice_id payment_id state_no customer_id currency first_failed_at attempted_at outcome_at is_recovered
        is_closed failures failure_class failure_code method amount hours_waited slot_hour days_since_payday
    """,
    "recovery_slots": """
        invoice_id retry_no slot_no customer_id currency retry_at open_amount retry_cost random_share fixed_share
        failures failure_class failure_code method amount hours_waited slot_hour days_since_payday
    """,
    "recovery_plans": """
        plan_id invoice_id customer_id currency retry_no planned_at retry_at slot_no arm reason propensity
        probability model slots recovered_value is_closed
    """,
    "subscriptions": """
        customer_id plan price_book lifecycle collection service_access billing renewal started_on
        current_period_start current_period_end trial_end ends_on mrr
    """,
    "credit_balances": """
        grant_id customer_id granted drawn expired remaining currency
    """,
    "adjustments": """
        adjustment_id status customer_id invoice_number line_id line_amount left_amount amount currency reason_code
        reason requested_by requested_at decided_by decided_at decision_reason note_id note_number
    """,
    "credit_note_uses": """
        note_id note_number customer_id use invoice_id invoice_number payment_id amount currency used_on
    """,
    "account_movements": """
        customer_id currency movement_id movement_no moved_on moved_at kind invoice_number due_on payment_id amount balance
    """,
    "receivable_movements": """
        customer_id invoice_id invoice_number due_on kind moved_on payment_id note_id amount currency
    """,
    "tax_summary": """
        period country region jurisdiction treatment tax_code tax_percent currency invoices credit_notes voids invoiced
        credited taxable tax_invoiced tax_credited tax
    """,
    "usage_completeness": """
        received_on event_type received duplicates conflicts rejected not_billable accepted rated
        skipped_values quantity_rated last_event_at
    """,
    "rejected_rows": """
        stream reason_code reason recorded_at replayed
    """,
    "obligation_allocations": """
        contract_id obligation_id ssp allocated currency
    """,
    "revenue_by_period": """
        contract_id obligation_id customer_id period posting_period method recognised cumulative
        prior_performance currency
    """,
    "accounting_periods": """
        period status closed_with closed_at prepared_by prepared_at approved_by reopened_at reopened_by
        reopening_reason refused_by content_hash
    """,
    "contract_balances": """
        contract_id period billed recognised contract_liability liability_current contract_asset receivable
        refund_liability currency
    """,
    "ledger_tie_out": """
        period account_role account currency sub_ledger sub_ledger_balance journal_balance explained_amount explanation difference
    """,
    "unbilled_revenue": """
        contract_id customer_id period opening accrued invoiced other closing age_0_30 age_31_60 age_61_90 age_over_90
        next_bill_on currency
    """,
    "journal_batches": """
        target period batch_hash currency entries posted_entries unposted_entries refused_entries amount unposted_amount
    """,
    "judgements": """
        contract_id judgement_no customer_id judged_on kind subject conclusion estimate included constrained basis reviewed_by
        evidence recorded_at currency
    """,
    "deferred_revenue_rollforward": """
        contract_id period opening billed recognised modified credited refunded interest fx closing
        currency
    """,
    "deferred_revenue_waterfall": """
        contract_id customer_id period booked_period future_period is_current amount currency
    """,
    "revenue_flux": """
        comparison period prior_period account_role account charge currency prior_amount amount change price volume mix
        late catch_up one_off other functional_change functional_fx is_material status explanation owner explained_by
        accepted_by
    """,
    "revenue_flux_items": """
        comparison period prior_period customer_id contract_id account_role charge plan dimensions currency prior_units
        units prior_amount amount change price volume mix late catch_up one_off other functional_change functional_fx
    """,
    "contract_costs": """
        contract_id cost_id period opening capitalised amortised closing currency
    """,
    "remaining_obligations": """
        contract_id obligation_id period rpo rpo_12_months rpo_13_24_months rpo_deferred excluded_reason
    """,
    "close_checklist": """
        period check_name status difference evidence
    """,
    "mrr_by_month": """
        customer_id opening new expansion contraction churn reactivation closing currency
    """,
    "mrr_to_gaap": """
        customer_id period currency step_no step amount
    """,
    "retention_by_cohort": """
        cohort period currency months_since customers customers_retained starting_mrr mrr retained_mrr
    """,
    "entitlements": """
        customer_id subscription_id feature value granted limit_quantity used_quantity valid_until
    """,
    "journal_entries": """
        entry_id line_no period performance_period posted_on account_role account debit credit
        currency functional_debit functional_credit contract_id invoice_id memo
    """,
    "customers": """
        customer_id name emails currency timezone country language address
    """,
    "tenants": """
        name currency timezone document
    """,
    "runs": """
        run_key billing_as_of known_as_of documents lines
    """,
}


def columns(scenario_warehouse: ScenarioWarehouse) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    with warehouse.connect(scenario_warehouse.settings, read_only=True) as connection:
        for table, column, kind in connection.execute(
            "select table_name, column_name, data_type from information_schema.columns"
            " where table_schema = 'marts'"
        ).fetchall():
            found.setdefault(table, {})[column] = kind
    return found


@pytest.mark.parametrize("mart", PUBLIC)
def test_a_mart_keeps_its_public_columns(scenario_warehouse: ScenarioWarehouse, mart: str) -> None:
    missing = {"tenant_id", *PUBLIC[mart].split()} - set(columns(scenario_warehouse)[mart])
    assert not missing


def test_no_column_of_a_mart_is_a_float(scenario_warehouse: ScenarioWarehouse) -> None:
    floats = [
        f"{table}.{column}"
        for table, kinds in columns(scenario_warehouse).items()
        for column, kind in kinds.items()
        if kind in ("DOUBLE", "FLOAT", "REAL")
    ]
    assert not floats


def test_money_has_one_type_and_comes_with_its_currency(scenario_warehouse: ScenarioWarehouse) -> None:
    for table, kinds in columns(scenario_warehouse).items():
        money = {
            column: kind
            for column, kind in kinds.items()
            if column in ("amount", "total", "subtotal", "tax", "discount")
        }
        assert all(kind == "DECIMAL(20,4)" for kind in money.values()), (table, money)
        assert not money or "currency" in kinds, table


def test_instants_are_utc_timestamps(scenario_warehouse: ScenarioWarehouse) -> None:
    wrong = [
        f"{table}.{column}: {kind}"
        for table, kinds in columns(scenario_warehouse).items()
        for column, kind in kinds.items()
        if (column.endswith("_at") and kind != "TIMESTAMP WITH TIME ZONE")
        or (column.endswith(("_on", "_date")) and kind != "DATE")
    ]
    assert not wrong
