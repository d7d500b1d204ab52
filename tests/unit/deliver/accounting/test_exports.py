"""Journals as files: every part balances and keeps the sum, within the limits of its system, and nothing is a formula."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliver.accounting.export import FORMATS, export
from deliver.accounting.journal import AccountingError, Books, Entry, Line
from deliver.accounting.parts import Limits, Part, files_of, split
from deliver.accounting.targets import TARGETS
from ratehouse.settings import Settings
from ratehouse.spreadsheets import safe
from ratehouse.tenant import ACCOUNTS, parse_tenant

DAY = date(2026, 10, 31)
IDS = {role: f"id-{number}" for number, role in enumerate(ACCOUNTS)}
MAPPED = {"quickbooks": {"accounts": IDS, "customer": "58"}, "netsuite": {"accounts": IDS, "subsidiary": "1"}}


def _entry(
    *amounts: str | Decimal, memo: str = "billing c1", entry_id: str = "0123456789abcdef0123"
) -> Entry:
    lines = tuple(Line("receivable" if Decimal(a) > 0 else "revenue", Decimal(a)) for a in amounts)
    return Entry(entry_id, "billing", DAY, "2026-10", "USD", memo, lines)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Entries that balance: any sides, of up to four digits after the point."""
    money = st.integers(1, 10**13).map(lambda units: Decimal(units).scaleb(-4))
    debits = draw(st.lists(money, min_size=1, max_size=40))
    total = sum(debits)
    cuts = sorted(draw(st.lists(st.integers(1, 9999), max_size=40)))
    bounds = [Decimal(0), *((total * cut / 10000).quantize(Decimal("0.0001")) for cut in cuts), total]
    credits = [after - before for before, after in pairwise(bounds) if after > before]
    return _entry(*debits, *(-amount for amount in credits))


@settings(max_examples=300, deadline=None)
@given(entries(), st.integers(2, 12), st.integers(0, 4), st.sampled_from(["0.05", "99.99", "100000000"]))
def test_parts_balance_keep_the_sum_and_respect_the_limits(
    entry: Entry, lines: int, digits: int, largest: str
) -> None:
    total = sum(line.amount for line in entry.lines if line.amount > 0)
    # a limit of amount far below the entry would be a million parts
    amount = max(Decimal(largest), (total / 50).quantize(Decimal("1"), rounding="ROUND_CEILING"))
    limits = Limits(lines, 1000, amount, 100, digits)
    parts = split(entry, limits)
    assert [part.part_no for part in parts] == list(range(1, len(parts) + 1))
    for part in parts:
        assert sum(line.amount for line in part.lines) == 0
        assert 2 <= len(part.lines) <= lines
        assert all(0 < abs(line.amount) <= amount for line in part.lines)
        assert all(line.amount == round(line.amount, digits) for line in part.lines)
        assert len(part.number) <= 21 and len(part.memo(limits)) <= 100
    for role in ("receivable", "revenue"):
        posted = sum(abs(line.amount) for part in parts for line in part.lines if line.account_role == role)
        step = Decimal(1).scaleb(-digits)
        assert posted == total.quantize(step, rounding="ROUND_HALF_UP")
    if digits == 4:
        assert posted == total


def test_an_entry_within_the_limits_stays_as_it_is_and_three_decimals_are_shared() -> None:
    limits = Limits(300, 300, Decimal(10**9), 500)
    (part,) = split(_entry("10.00", "5.00", "-15.00"), limits)
    assert [line.amount for line in part.lines] == [Decimal("10.00"), Decimal("5.00"), Decimal("-15.00")]
    # three times 0.335 dinar: 1.005 is 1.01, and the first of three equal remainders takes the cent
    (part,) = split(_entry("0.335", "0.335", "0.335", "-1.005"), limits)
    assert [str(line.amount) for line in part.lines] == ["0.34", "0.34", "0.33", "-1.01"]
    assert split(_entry("0.004", "-0.004"), limits) == []
    with pytest.raises(AccountingError, match="does not balance"):
        split(_entry("1.00", "-0.99"), limits)


@given(st.lists(st.integers(2, 300), min_size=1, max_size=30))
def test_files_hold_whole_parts_and_at_most_their_rows(sizes: list[int]) -> None:
    parts = [
        Part(_entry("1", "-1"), n, len(sizes), (Line("cash", Decimal(1)),) * size)
        for n, size in enumerate(sizes, 1)
    ]
    files = files_of(parts, 300)
    assert [part.part_no for file in files for part in file] == list(range(1, len(sizes) + 1))
    assert all(sum(len(part.lines) for part in file) <= 300 for file in files)


@given(st.text(max_size=20))
def test_no_text_is_a_formula(text: str) -> None:
    assert not safe(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe(text).removeprefix("'") == text or safe(text) == text


def _serving(home: Path, rows: list[dict[str, Any]], accounting: dict[str, Any]) -> Settings:
    installation = Settings.load(home, environ={})
    installation.serving_dir.mkdir(parents=True)
    document = parse_tenant({"tenant": "acme", "accounting": accounting}).document()
    with duckdb.connect(str(installation.serving_path)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.tenants as select 'acme' as tenant_id, ? as document", [json.dumps(document)]
        )
        connection.execute(
            "create table marts.invoices as select 'acme' as tenant_id, 'i1' as invoice_id, '=HYPERLINK(1)' as bill_to_name"
        )
        connection.execute(
            "create table marts.journal_entries (tenant_id text, entry_id text, line_no bigint, kind text, period text,"
            " performance_period text, posted_on date, account_role text, account text, debit decimal(20,4),"
            " credit decimal(20,4), currency text, functional_debit decimal(20,4), functional_credit decimal(20,4),"
            " functional_currency text, contract_id text, invoice_id text, memo text)"
        )
        for row in rows:
            full = {
                "tenant_id": "acme", "kind": "billing", "period": "2026-10", "performance_period": "2026-10",
                "posted_on": DAY, "account": "x", "currency": "USD", "functional_currency": "USD", "invoice_id": "i1",
                "memo": "=1+1", "functional_debit": row["debit"], "functional_credit": row["credit"], **row,
            }  # fmt: skip
            names = ", ".join(full)
            connection.execute(
                f"insert into marts.journal_entries ({names}) values ({', '.join('?' * len(full))})",
                [*full.values()],
            )
    return installation


def _rows(lines: int = 2, **changes: Any) -> list[dict[str, Any]]:
    """One entry: so many lines, one of them the credit of all others."""
    debits = [
        {
            "entry_id": "e" * 32,
            "line_no": n,
            "account_role": "receivable",
            "debit": Decimal("1.10"),
            "credit": 0,
        }
        for n in range(1, lines)
    ]
    credit = {
        "entry_id": "e" * 32,
        "line_no": lines,
        "account_role": "revenue",
        "debit": 0,
        "credit": Decimal("1.10") * (lines - 1),
    }
    return [{**row, **changes} for row in (*debits, credit)]


def _cells(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_every_system_gets_its_columns_dates_and_signs(tmp_path: Path) -> None:
    installation = _serving(tmp_path, _rows(), MAPPED)
    files = {form: export(installation, "acme", "2026-10", form, tmp_path / "out") for form in FORMATS}
    quickbooks = _cells(files["quickbooks-csv"][0])
    assert quickbooks[0] == {
        "Journal No.": "RHeeeeeeeeeeeeee-1", "Journal Date": "10/31/2026", "Account Name": "1100", "Debits": "1.10",
        "Credits": "", "Description": "'=1+1 [RHeeeeeeeeeeeeee-1]", "Name": "'=HYPERLINK(1)", "Currency": "USD",
    }  # fmt: skip
    assert (quickbooks[1]["Debits"], quickbooks[1]["Credits"]) == ("", "1.10")
    xero = _cells(files["xero-csv"][0])
    assert [(row["*Date"], row["*AccountCode"], row["*Amount"], row["*TaxRate"]) for row in xero] == [
        ("31/10/2026", "1100", "1.10", "Tax Exempt"), ("31/10/2026", "4000", "-1.10", "Tax Exempt"),
    ]  # fmt: skip
    netsuite = _cells(files["netsuite-csv"][0])
    assert [(row["External ID"], row["Posting Period"], row["Debit"], row["Credit"]) for row in netsuite] == [
        ("acme-RHeeeeeeeeeeeeee-1", "Oct 2026", "1.10", ""), ("acme-RHeeeeeeeeeeeeee-1", "Oct 2026", "", "1.10"),
    ]  # fmt: skip
    generic = _cells(files["csv"][0])
    assert generic[0]["memo"] == "'=1+1" and generic[0]["functional_debit"] == "1.1000"
    assert pq.read_table(files["parquet"][0]).num_rows == 2

    (entry,) = json.loads(files["quickbooks-json"][0].read_text())
    assert entry["CurrencyRef"] == {"value": "USD"} and entry["TxnDate"] == "2026-10-31"
    debit, credit = entry["Line"]
    assert (debit["Amount"], debit["JournalEntryLineDetail"]["PostingType"]) == (1.1, "Debit")
    assert debit["JournalEntryLineDetail"]["AccountRef"] == {"value": IDS["receivable"]}
    assert debit["JournalEntryLineDetail"]["Entity"]["EntityRef"] == {"value": "58"}
    assert (
        credit["JournalEntryLineDetail"]["PostingType"] == "Credit"
        and "Entity" not in credit["JournalEntryLineDetail"]
    )
    (journal,) = json.loads(files["xero-json"][0].read_text())["ManualJournals"]
    assert [line["LineAmount"] for line in journal["JournalLines"]] == [1.1, -1.1]
    (record,) = json.loads(files["netsuite-json"][0].read_text())
    assert record["line"]["items"][1] == {
        "account": {"id": IDS["revenue"]},
        "credit": 1.1,
        "memo": "=HYPERLINK(1)",
    }
    assert record["subsidiary"] == {"id": "1"}


def test_an_entry_of_more_lines_than_a_file_has_is_cut_into_parts_that_balance(tmp_path: Path) -> None:
    installation = _serving(tmp_path, _rows(701), MAPPED)
    files = export(installation, "acme", "2026-10", "xero-csv", tmp_path / "out")
    amounts = []
    for path in files:
        rows = _cells(path)
        assert len(rows) <= 300 and len({row["*Narration"] for row in rows}) == 1
        assert sum(Decimal(row["*Amount"]) for row in rows) == 0
        amounts += [Decimal(row["*Amount"]) for row in rows if Decimal(row["*Amount"]) > 0]
    assert len(files) == 3 and amounts == [Decimal("1.10")] * 700


def test_what_cannot_be_said_writes_no_file(tmp_path: Path) -> None:
    installation = _serving(tmp_path, _rows(), {"quickbooks": {"accounts": {"receivable": "84"}}})
    out = tmp_path / "out"
    with pytest.raises(
        AccountingError,
        match=r"role revenue .*accounting\.quickbooks\.accounts\.revenue to tenants/acme/tenant\.yaml",
    ):
        export(installation, "acme", "2026-10", "quickbooks-json", out)
    for arguments, words in (
        (("acme", "2026-11", "csv"), "Nothing is posted"),
        (("acme", "2026-13", "csv"), "no month"),
        (("nobody", "2026-10", "csv"), "no tenant"),
        (("acme", "2026-10", "sage"), "no format"),
    ):
        with pytest.raises(AccountingError, match=words):
            export(installation, *arguments, out)
    assert not out.exists()
    other = _serving(tmp_path / "other", _rows(account_role="rounding"), {})
    with pytest.raises(AccountingError, match="role rounding"):
        export(other, "acme", "2026-10", "xero-csv", out)
    rates = _serving(
        tmp_path / "rates", _rows(functional_debit=None, functional_credit=None, currency="JPY"), {}
    )
    with pytest.raises(AccountingError, match="JPY without a rate"):
        export(rates, "acme", "2026-10", "xero-csv", out)
    assert not out.exists()


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_a_long_memo_is_cut_and_keeps_its_number(target: Any) -> None:
    books = Books("acme", parse_tenant({"tenant": "acme", "accounting": MAPPED}).document())
    (part,) = split(_entry("1", "-1", memo="é" * 9000), target.limits)
    assert part.memo(target.limits).endswith("… [RH0123456789abcd-1]")
    assert len(part.memo(target.limits)) == target.limits.memo
    assert len(list(target.rows(part, books))) == len(part.lines)
