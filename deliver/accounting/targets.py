"""How each accounting system writes a journal: files and JSON of QuickBooks Online, Xero and NetSuite.

Pure functions of parts and the tenant's settings. Belongs here: columns, fields, dates and signs of a system, and what it takes.
Does not belong here: speaking to it (`connection`).
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deliver.accounting.journal import Books
from deliver.accounting.parts import Limits, Part
from ratehouse.spreadsheets import safe

Row = list[str]


@dataclass(frozen=True)
class Target:
    """One accounting system.

    Attributes:
        name: as in `accounting.<name>` of tenant.yaml.
        limits: what it takes.
        header: the columns of its file.
        rows: the lines of a file for one part.
        payload: the JSON of one part, as its interface takes it.
        wrap: the JSON file of several parts.
        amounts: account and signed amount of every line of such a JSON.
    """

    name: str
    limits: Limits
    header: Row
    rows: Callable[[Part, Books], Iterator[Row]]
    payload: Callable[[Part, Books], dict[str, Any]]
    wrap: Callable[[Sequence[dict[str, Any]]], Any]
    amounts: Callable[[dict[str, Any]], list[tuple[str, Decimal]]]


def _amount(amount: Decimal, digits: int = 2) -> str:
    return f"{abs(amount):.{digits}f}"


def _quickbooks_rows(part: Part, books: Books) -> Iterator[Row]:
    for line in part.lines:
        debit, credit = (_amount(line.amount), "") if line.amount > 0 else ("", _amount(line.amount))
        yield [
            part.number,
            f"{part.entry.posted_on:%m/%d/%Y}",
            safe(books.account(line.account_role, "quickbooks", "names")),
            debit,
            credit,
            safe(part.memo(QUICKBOOKS.limits)),
            safe(line.customer or ""),
            part.entry.currency,
        ]


def _quickbooks_payload(part: Part, books: Books) -> dict[str, Any]:
    customer = books.setting("quickbooks", "customer")
    lines = []
    for line in part.lines:
        detail: dict[str, Any] = {
            "PostingType": "Debit" if line.amount > 0 else "Credit",
            "AccountRef": {
                "value": line.account or books.account(line.account_role, "quickbooks", own=False)
            },
        }
        if customer and line.account_role == "receivable":
            detail["Entity"] = {"Type": "Customer", "EntityRef": {"value": customer}}
        lines.append(
            {
                "DetailType": "JournalEntryLineDetail",
                "Amount": abs(line.amount),
                "Description": part.memo(QUICKBOOKS.limits),
                "JournalEntryLineDetail": detail,
            }
        )
    return {
        "DocNumber": part.number,
        "TxnDate": part.entry.posted_on.isoformat(),
        # Without it QuickBooks takes the home currency in silence, whichever that is.
        "CurrencyRef": {"value": part.entry.currency},
        "PrivateNote": part.memo(QUICKBOOKS.limits),
        "Line": lines,
    }


def _quickbooks_amounts(payload: dict[str, Any]) -> list[tuple[str, Decimal]]:
    details = [(line["JournalEntryLineDetail"], line["Amount"]) for line in payload["Line"]]
    return [
        (detail["AccountRef"]["value"], amount if detail["PostingType"] == "Debit" else -amount)
        for detail, amount in details
    ]


def _xero_rows(part: Part, books: Books) -> Iterator[Row]:
    for line in part.lines:
        yield [
            safe(part.memo(XERO.limits)),
            f"{part.entry.posted_on:%d/%m/%Y}",
            safe(line.customer or ""),
            safe(books.account(line.account_role, "xero")),
            safe(books.setting("xero", "tax_rate") or ""),
            # A number, so its minus sign stays.
            f"{line.amount:.2f}",
            *[""] * 4,
        ]


def _xero_payload(part: Part, books: Books) -> dict[str, Any]:
    return {
        "Narration": part.memo(XERO.limits),
        "Date": part.entry.posted_on.isoformat(),
        "LineAmountTypes": "NoTax",
        "Status": "POSTED",
        # Accruals are no cash.
        "ShowOnCashBasisReports": False,
        "JournalLines": [
            {
                "LineAmount": line.amount,
                "AccountCode": line.account or books.account(line.account_role, "xero"),
                "Description": line.customer or part.entry.memo[: XERO.limits.memo],
                "TaxType": books.setting("xero", "tax_type"),
            }
            for line in part.lines
        ],
    }


def _xero_amounts(payload: dict[str, Any]) -> list[tuple[str, Decimal]]:
    return [(line["AccountCode"], line["LineAmount"]) for line in payload["JournalLines"]]


def external_id(part: Part, books: Books) -> str:
    """What NetSuite knows a part by; the same for ever, and no other tenant's."""
    return f"{books.tenant_id}-{part.number}"


def _netsuite_rows(part: Part, books: Books) -> Iterator[Row]:
    on = part.entry.posted_on
    for line in part.lines:
        debit, credit = (_amount(line.amount), "") if line.amount > 0 else ("", _amount(line.amount))
        yield [
            safe(external_id(part, books)),
            f"{on:%m/%d/%Y}",
            f"{calendar.month_abbr[on.month]} {on.year}",
            safe(books.setting("netsuite", "subsidiary") or ""),
            part.entry.currency,
            "1",
            safe(part.memo(NETSUITE.limits)),
            safe(books.account(line.account_role, "netsuite")),
            debit,
            credit,
            safe(line.customer or ""),
        ]


def _netsuite_payload(part: Part, books: Books) -> dict[str, Any]:
    named = {name: books.setting("netsuite", name) for name in ("subsidiary", "currency")}
    return {
        "externalId": external_id(part, books),
        "tranDate": part.entry.posted_on.isoformat(),
        **{name: {"id": value} for name, value in named.items() if value},
        "exchangeRate": 1,
        "memo": part.memo(NETSUITE.limits),
        "line": {
            "items": [
                {
                    "account": {
                        "id": line.account or books.account(line.account_role, "netsuite", own=False)
                    },
                    "debit" if line.amount > 0 else "credit": abs(line.amount),
                    "memo": line.customer or part.entry.memo[: NETSUITE.limits.memo],
                }
                for line in part.lines
            ]
        },
    }


def _netsuite_amounts(payload: dict[str, Any]) -> list[tuple[str, Decimal]]:
    items = payload["line"]["items"]
    return [(item["account"]["id"], item.get("debit", 0) - item.get("credit", 0)) for item in items]


# The rows of an import of QuickBooks, its largest amount and longest memo, the lines of a file of Xero, the digits of
# NetSuite are documented by them. Where a system says nothing, the limit is one that it has room for.
QUICKBOOKS = Target(
    "quickbooks",
    Limits(lines=1000, rows=1000, amount=Decimal("99999999999"), memo=4000),
    ["Journal No.", "Journal Date", "Account Name", "Debits", "Credits", "Description", "Name", "Currency"],
    _quickbooks_rows,
    _quickbooks_payload,
    list,
    _quickbooks_amounts,
)
XERO = Target(
    "xero",
    Limits(lines=300, rows=300, amount=Decimal("9999999999.99"), memo=500),
    [
        "*Narration", "*Date", "Description", "*AccountCode", "*TaxRate", "*Amount",
        "TrackingName1", "TrackingOption1", "TrackingName2", "TrackingOption2",
    ],
    _xero_rows,
    _xero_payload,
    lambda payloads: {"ManualJournals": list(payloads)},
    _xero_amounts,
)  # fmt: skip
NETSUITE = Target(
    "netsuite",
    Limits(lines=1000, rows=25_000, amount=Decimal("9999999999.99"), memo=999),
    [
        "External ID", "Date", "Posting Period", "Subsidiary", "Currency", "Exchange Rate", "Memo",
        "Account", "Debit", "Credit", "Line Memo",
    ],
    _netsuite_rows,
    _netsuite_payload,
    list,
    _netsuite_amounts,
)  # fmt: skip
TARGETS = {target.name: target for target in (QUICKBOOKS, XERO, NETSUITE)}
