"""The logic of each page on a company that the pipeline billed; what they look like is tests/browser."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import dashboards.finance
from ratehouse.lake import Lake
from tests.unit.dashboards.published import published_home

# The company is billed once per process, so one worker takes all tests of it.
pytestmark = pytest.mark.xdist_group("published")

APP = Path(dashboards.finance.__file__).with_name("app.py")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RATEHOUSE_HOME", str(published_home().home))
    return published_home().home


def page(name: str, **address: str) -> AppTest:
    test = AppTest.from_file(str(APP), default_timeout=120)
    for key, value in address.items():
        test.query_params[key] = value
    test.run()
    if name != "overview":
        test.switch_page(f"views/{name}.py")
        for key, value in address.items():
            test.query_params[key] = value
        test.run()
    assert not test.exception, test.exception
    return test


def words(test: AppTest) -> str:
    return "\n".join(
        str(element.value) for element in (*test.title, *test.subheader, *test.caption, *test.markdown)
    )


def test_the_overview_never_mixes_currencies(home: Path) -> None:
    shop, annex = page("overview", tenant="shop"), page("overview", tenant="annex")
    assert shop.title[0].value == "Overview"
    assert "Shop & Sons · billed up to 1 Mar 2026" in words(shop)
    assert {metric.label: metric.value for metric in shop.metric} == {
        "Invoiced in March": "21.05 USD",
        "Documents in March": "1",
        "Credit notes in March": "0.00 USD",
        "Not invoiced yet": "0.00 USD",
    }
    assert annex.metric[0].value == "1,500 JPY"


def test_the_overview_says_what_needs_a_look(home: Path) -> None:
    text = words(page("overview", tenant="shop"))
    assert "**2** rows were rejected and not replayed" in text
    assert "**1** accepted events match no meter" in text
    assert "All clear" in words(page("overview", tenant="annex"))


def test_the_list_is_of_one_tenant_and_its_filters_narrow_it(home: Path) -> None:
    test = page("invoices", tenant="shop")
    assert list(test.dataframe[0].value["invoice_number"]) == ["SHP-2026-0002", "SHP-2026-0001"]
    assert list(test.dataframe[0].value["total"]) == ["21.05", "101.20"]
    assert "**2** documents · **122.25 USD**" in words(test)
    test.text_input("filter_number").input("0001").run()
    assert list(test.dataframe[0].value["invoice_number"]) == ["SHP-2026-0001"]
    test.text_input("filter_number").input("nothing").run()
    assert "No document passes these filters" in words(test)


def test_a_document_shows_its_lines_and_total(home: Path) -> None:
    test = page("invoices", tenant="shop", invoice="SHP-2026-0001")
    assert test.title[0].value == "SHP-2026-0001"
    assert {metric.label: metric.value for metric in test.metric}["Total"] == "101.20 USD"
    lines = test.dataframe[0].value
    assert list(lines["amount"]) == ["20.00", "12.00", "30.00", "1.20", "18.00", "20.00"]
    assert list(lines["service"])[-1] == "1 \N{EN DASH} 28 Feb 2026"
    assert test.button[1].label == "Make the PDF"


def test_a_line_opens_down_to_its_events(home: Path) -> None:
    test = page("invoices", tenant="shop", invoice="SHP-2026-0001", line="4")
    text = words(test)
    assert "Line 4: Page hits" in text
    assert "their values add up to the line" in text
    events = test.dataframe[-1].value
    assert len(events) == 80 and events["event_id"][0] == "hit-000"


def test_a_correction_shows_what_was_billed_and_what_came_late(home: Path) -> None:
    test = page("invoices", tenant="shop", invoice="SHP-2026-0002", line="1")
    text = words(test)
    assert "Owed now **13.05** less billed before **12.00** is **1.05 USD**" in text
    assert "3 events recorded after" in text
    assert test.expander[0].label.startswith("3 late events")


def test_an_address_of_another_tenant_shows_nothing_of_it(home: Path) -> None:
    test = page("invoices", tenant="annex", invoice="SHP-2026-0001")
    assert "別館 has no document SHP-2026-0001" in words(test)
    assert not test.dataframe


def test_usage_adds_up(home: Path) -> None:
    test = page("usage", tenant="shop")
    values = {metric.label: metric.value for metric in test.metric}
    assert values == {
        "Received": "237",
        "Rated": "233",
        "Not billable": "1",
        "Duplicates": "1",
        "Conflicts": "1",
        "Rejected": "1",
    }
    assert "Nothing is missing" in words(test)
    test.selectbox("reject_reason").select("bad_number").run()
    assert len(test.dataframe[-1].value) == 1
    assert "No usage has arrived" in words(page("usage", tenant="annex"))


def test_runs_show_what_each_issued(home: Path) -> None:
    test = page("runs", tenant="shop")
    rows = test.dataframe[0].value
    assert list(rows["documents"]) == [1, 1]
    assert list(rows["totals"]) == ["21.05 USD", "101.20 USD"]
    assert test.metric[0].value == "1 Mar 2026"


def test_a_tenant_that_would_be_left_out_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "tenants" / "broken"
    broken.mkdir(parents=True)
    (broken / "tenant.yaml").write_text("tenant: broken\ncolour: red\n", encoding="utf-8")
    monkeypatch.setenv("RATEHOUSE_TENANTS", str(tmp_path / "tenants"))
    assert "**broken** would be left out of the next run" in page("runs", tenant="shop").error[0].value


def test_the_tenant_is_chosen_in_the_sidebar_and_kept_from_page_to_page(home: Path) -> None:
    test = page("invoices", tenant="shop")
    test.sidebar.selectbox[0].select("annex").run()
    assert test.query_params["tenant"] == "annex"
    assert set(test.dataframe[0].value["currency"]) == {"JPY"}
    test.switch_page("views/runs.py").run()
    assert "別館" in words(test)


def test_before_anything_is_published_the_app_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    test = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not test.exception
    assert "Nothing published yet" in words(test) and "make demo" in words(test)


def test_the_subscriptions_of_one_tenant_open(home: Path) -> None:
    test = page("subscriptions", tenant="shop")
    (row,) = test.dataframe[0].value.to_dict("records")
    assert (row["subscription_id"], row["customer"], row["lifecycle"], row["mrr"]) == (
        "s1",
        "Customer of shop",
        "Active",
        "20.00 USD",
    )


def test_a_subscription_shows_what_every_line_pays_for(home: Path) -> None:
    test = page("subscriptions", tenant="shop", subscription="s1")
    assert {metric.label: metric.value for metric in test.metric} == {
        "Plan": "pro",
        "Per month": "20.00 USD",
        "Running period": "1 \N{EN DASH} 31 Mar 2026",
        "What comes next": "Renews 1 Apr 2026",
    }
    lines, told = test.dataframe[0].value, test.dataframe[1].value
    assert "SHP-2026-0001" in set(lines["invoice_number"])
    assert {"Recurring fee", "Usage", "Adjustment"} <= set(lines["line_type"])
    assert list(told["type"]) == ["Created"]
    assert "shop" not in words(page("subscriptions", tenant="annex", subscription="s1"))


def test_a_subscription_of_nobody_is_said_so(home: Path) -> None:
    assert "has no subscription s9" in words(page("subscriptions", tenant="shop", subscription="s9"))


def test_receivables_are_by_age_and_customer(home: Path) -> None:
    test = page("receivables", tenant="shop")
    assert {metric.label: metric.value for metric in test.metric} == {
        "Open": "122.25 USD",
        "Overdue": "101.20 USD",
        "In dispute": "0.00 USD",
        "Days of sales outstanding": "29.0",
        "Allowance for bad debt": "Not stated",
        "Dunning actions due": "0",
    }
    customers, months, invoices = (test.dataframe[position].value for position in range(3))
    assert (months["period"][0], months["open_amount"][0], months["overdue_amount"][0]) == (
        "2026-03",
        "122.25",
        "101.20",
    )
    assert customers.to_dict("records") == [
        {
            "customer": "Customer of shop",
            "open_amount": "122.25",
            "not_due": "21.05",
            "days_30": "101.20",
            "days_60": "",
            "days_90": "",
            "older": "",
        }
    ]
    assert list(invoices["invoice_number"]) == ["SHP-2026-0001", "SHP-2026-0002"]
    assert list(invoices["days_overdue"]) == [14, 0]


def table_with(test: AppTest, column: str) -> pd.DataFrame:
    """The table of a page that has the column."""
    (found,) = (frame.value for frame in test.dataframe if column in frame.value.columns)
    return found


def test_reconciliation_goes_from_usage_to_cash(home: Path) -> None:
    test = page("reconciliation", tenant="shop")
    accounts = table_with(test, "sub_ledger_balance").set_index("account_role")
    assert tuple(accounts.loc["Receivable", ["journal_balance", "sub_ledger_balance", "residual"]]) == (
        "122.25",
        "122.25",
        "0.00",
    )
    (chain,) = test.dataframe[0].value.to_dict("records")
    assert (chain["currency"], chain["invoiced"], chain["tax"], chain["paid"], chain["open_amount"]) == (
        "USD",
        "122.25",
        "0.00",
        "0.00",
        "122.25",
    )
    exceptions = table_with(test, "event_count")
    # The one event that no meter takes.
    assert ("Not billable", 1) in set(zip(exceptions["status"], exceptions["event_count"], strict=True))


def test_an_exception_shows_both_sides_and_is_decided_by_one_fact(home: Path) -> None:
    test = page("reconciliation", tenant="till", item="line-1")
    proofs = test.dataframe[1].value.set_index("proof")
    assert tuple(
        proofs.loc["Bank: lines = what they should hold", ["found_amount", "named_amount", "residual"]]
    ) == (
        "57.00",
        "57.00",
        "0.00",
    )
    test.segmented_control[0].set_value("bank").run()
    classes = table_with(test, "quarter").set_index("status")
    assert (
        classes.loc["Unapplied", "month"] == 1
        and classes.loc["Missing bank line", "difference"] == "-58.00 EUR"
    )
    test.query_params["item"] = "line-1"
    test.run()
    assert "Unapplied: line-1" in words(test)
    sides = test.dataframe[-1].value
    assert list(sides["details"]) == ["Processor · COLLECTIVE"]
    # The nearest amount first.
    assert test.selectbox("resolve_other").options[0].startswith("po-1 · 58.00 EUR")
    decide = next(button for button in test.button if button.label == "Decide")
    test.selectbox("resolve_other").set_value("po-1")
    decide.click().run()
    assert "needs its person" in test.error[0].value
    test.text_input("resolve_by").input("alice")
    test.text_input("resolve_reason").input("one euro of fees")
    next(button for button in test.button if button.label == "Decide").click().run()
    assert "Noted" in test.success[0].value
    table = Lake(published_home().lake_url).read("raw/manual_matches")
    assert table is not None
    (row,) = table.to_pylist()
    assert (row["tenant_id"], row["area"], row["left_reference"], row["right_reference"]) == (
        "till",
        "bank",
        "line-1",
        "po-1",
    )
    assert (row["action"], row["decided_by"], row["reason"]) == ("match", "alice", "one euro of fees")


def test_money_of_another_company_is_held_by_one_fact(home: Path) -> None:
    test = page("reconciliation", tenant="till")
    test.segmented_control[0].set_value("cash").run()
    test.query_params["item"] = "pay-3"
    test.run()
    assert "Entity mismatch: pay-3" in words(test)
    assert test.text_input("claim_entity").value == "Till UK Ltd"
    test.text_input("claim_by").input("alice")
    test.text_input("claim_reason").input("their invoice UK-77")
    next(button for button in test.button if button.label == "Hold it").click().run()
    assert "Noted" in test.success[0].value
    table = Lake(published_home().lake_url).read("raw/intercompany_claims")
    assert table is not None
    (row,) = table.to_pylist()
    assert (row["tenant_id"], row["payment_id"], row["entity"], row["action"], row["decided_by"]) == (
        "till",
        "pay-3",
        "Till UK Ltd",
        "hold",
        "alice",
    )


def test_a_fee_of_the_bank_is_let_stand_by_one_fact(home: Path) -> None:
    test = page("reconciliation", tenant="till")
    test.segmented_control[0].set_value("bank").run()
    test.query_params["item"] = "line-1"
    test.run()
    assert "let 57.00 EUR stand" in words(test)

    def press() -> None:
        next(button for button in test.button if button.label == "Let it stand").click().run()

    press()
    assert "which account" in test.error[0].value
    test.selectbox("accept_account").set_value("interest_income")
    press()
    assert "needs its person" in test.error[0].value
    test.text_input("accept_by").input("alice")
    test.text_input("accept_reason").input("interest of January")
    press()
    assert "Noted" in test.success[0].value
    table = Lake(published_home().lake_url).read("raw/manual_acceptances")
    assert table is not None
    (row,) = table.to_pylist()
    assert (row["tenant_id"], row["area"], row["item_status"], row["reference"], row["action"]) == (
        "till",
        "bank",
        "unapplied",
        "line-1",
        "accept",
    )
    assert (row["amount"], row["currency"], row["account_role"], row["decided_by"]) == (
        Decimal("57.0000"),
        "EUR",
        "interest_income",
        "alice",
    )


def test_dunning_shows_how_far_it_has_come_and_what_is_next(home: Path) -> None:
    test = page("dunning", tenant="till")
    funnel = test.dataframe[0].value
    assert list(funnel["step"]) == ["Step 1: Remind"]
    assert list(funnel["customers"]) == [2] and list(funnel["open_amount"]) == ["400.00"]
    ahead = test.dataframe[1].value
    assert {"Suspend", "Remind"} <= set(ahead["action"])
    assert set(ahead["customer"]) == {"Early & Co", "Late Ltd"}
    test.select_slider("dunning_horizon").set_value(120).run()
    assert "Retry" in set(test.dataframe[1].value["action"])
    assert "Nothing to compare yet" in words(test)
    assert "Nothing is overdue" not in words(test)


def test_recurring_revenue_is_bridged_month_by_month(home: Path) -> None:
    test = page("recurring", tenant="shop")
    metrics = {metric.label: metric.value for metric in test.metric}
    assert (metrics["MRR"], metrics["ARR"], metrics["Net retention"], metrics["Customers"]) == (
        "20.00 USD",
        "240.00 USD",
        "100.0%",
        "1",
    )
    bridge = test.dataframe[0].value
    assert list(bridge["period"]) == ["2026-03", "2026-02", "2026-01"]
    assert list(bridge["new"]) == ["", "", "20.00"]
    assert "Nobody moved" in words(test)
    test.selectbox("recurring_period").select("2026-01").run()
    assert test.dataframe[1].value.to_dict("records") == [
        {
            "customer": "Customer of shop",
            "kind": "New",
            "opening": "0.00",
            "movement": "20.00",
            "closing": "20.00",
        }
    ]


def test_recurring_revenue_leads_to_cohorts_and_to_recognised_revenue(home: Path) -> None:
    test = page("recurring", tenant="shop")
    test.selectbox("recurring_revenue_period").select("2026-02").run()
    bridge = test.dataframe[1].value.set_index("step")["amount"].to_dict()
    assert bridge["MRR at the month's end"] == "20.00"
    revenue = bridge.pop("Revenue recognised")
    assert sum(map(Decimal, bridge.values())) == Decimal(revenue)
    test.selectbox("recurring_step").select("revenue").run()
    opened = test.dataframe[2].value.to_dict("records")
    assert opened == [{"customer": "Customer of shop", "amount": revenue}]
    assert "What became of the customers of each month" in words(test)
    heat = test.get("vega_lite_chart")[-1]
    assert "Net retention" in heat.proto.spec
    test.segmented_control("recurring_retention").select("Gross retention").run()
    assert "Gross retention" in test.get("vega_lite_chart")[-1].proto.spec


def test_the_close_page_shows_the_gate_and_what_is_posted(home: Path) -> None:
    test = page("close", tenant="shop")
    metrics = {metric.label: metric.value for metric in test.metric}
    assert (metrics["Standing"], metrics["Checks passed"]) == ("Ready to close", "8 of 10")
    checks = test.dataframe[0].value.set_index("check")["status"].to_dict()
    # January is still open.
    assert (checks["Earlier months are closed"], checks["Journal balances"]) == ("Warning", "Passed")
    # The usage of January, less what February took back or added: deferred is what was billed and not earned.
    rolled = test.dataframe[1].value.set_index("period")
    assert rolled.loc["2026-02", "opening"] == rolled.loc["2026-01", "closing"]
    tied = test.dataframe[2].value.set_index("account_role")
    assert tied.loc["Revenue", "journal_balance"] == tied.loc["Revenue", "sub_ledger_balance"]
    assert set(tied["difference"]) == {"0.00"}
    posted = test.dataframe[3].value.set_index("account_role")
    assert posted.loc["Receivable", "debit"] == "101.20"
    test.selectbox("close_period").select("2026-01").run()
    checks = test.dataframe[0].value.set_index("check")
    assert tuple(checks.loc["Rejected rows are replayed", ["status", "difference"]]) == ("Failed", "2")
    assert {metric.label: metric.value for metric in test.metric}["Standing"] == "Not ready"


def test_the_close_page_shows_what_was_learned_since_a_month_was_closed(home: Path) -> None:
    test = page("close", tenant="annex")
    assert "Learned since" not in words(test)
    test.selectbox("close_period").select("2026-01").run()
    assert {metric.label: metric.value for metric in test.metric}["Standing"] == "Closed"
    assert "Learned since 2026-01 was closed" in words(test)
    assert test.dataframe[1].value.to_dict("records") == [
        {
            "customer": "Customer of annex",
            "contract_id": "k1",
            "obligation_id": "training",
            "closed_with": "0",
            "since": "400",
            "known_now": "400",
            "currency": "JPY",
            "posted_in": "2026-02",
        }
    ]


def _exact(text: str) -> Decimal:
    return Decimal(text.split(" ")[0].replace(",", "") or "0")


def test_the_revenue_page_ties_to_the_books_and_opens_its_sql(home: Path) -> None:
    test = page("revenue", tenant="shop")
    metrics = {metric.label: metric.value for metric in test.metric}
    assert metrics["Not posted"] == "0.00 USD" and metrics["Closing"] == metrics["In the books"]
    months, contracts = test.dataframe[0].value, test.dataframe[1].value
    assert list(months["period"]) == ["2026-02", "2026-01"] and list(contracts["contract_id"]) == ["s1"]
    assert contracts["closing"][0] == months["closing"][0]
    made = test.selectbox("revenue_rollforward_contracts_made")
    assert made.options[0] == "marts.deferred_revenue_rollforward"
    source = next(name for name in made.options if name.endswith("raw.subscription_events"))
    made.select(source).run()
    assert "Facts as they landed" in words(test)
    for report, label in (
        ("Contract balances", "Contract liability"),
        ("Remaining obligations", "Remaining"),
        ("By method", "Recognised"),
        ("Unbilled", "31-60 days"),
        ("Judgements", ""),
        ("Waterfall", ""),
    ):
        test.segmented_control("revenue_report").select(report).run()
        assert not test.exception, test.exception
        assert not label or label in {metric.label for metric in test.metric}


def test_the_flux_page_decomposes_the_change_to_the_cent(home: Path) -> None:
    test = page("flux", tenant="shop")
    metrics = {metric.label: metric.value for metric in test.metric}
    change = _exact(metrics["2026-02"]) - _exact(metrics["2026-01"])
    assert _exact(metrics["Change"]) == change != 0
    lines = test.dataframe[0].value
    assert sum(map(_exact, lines["change"])) == change
    drivers = [
        name for name in ("price", "volume", "mix", "late", "catch_up", "one_off", "other") if name in lines
    ]
    for _, line in lines.iterrows():
        assert sum(_exact(line[name]) for name in drivers) == _exact(line["change"])
    # Only usage fell: the fee is what it was.
    assert "base" not in set(lines["charge"]) or not _exact(lines.set_index("charge").loc["base", "change"])


def test_the_page_of_changes_says_when_there_is_nothing_to_compare_with(home: Path) -> None:
    assert "Only one publish is kept" in words(page("changes", tenant="shop"))
