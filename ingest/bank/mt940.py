"""MT940 (SWIFT's customer statement), read with the package mt-940."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import mt940

from ingest.bank.statement import Line, Statement, StatementRefused, currency_code, one_text

_OPENING = ("final_opening_balance", "intermediate_opening_balance")
_CLOSING = ("final_closing_balance", "intermediate_closing_balance")
# Where a bank writes that there is nothing to write.
_NONE = frozenset({"NONREF", "NOTPROVIDED"})
# Sub-fields of a structured :86:, in the order in which a person reads them.
_TOLD = ("posting_text", "purpose", "additional_purpose", "transaction_details", "extra_details")
_BEGINS = re.compile(rb"(?m)^:20:")
_LINE = re.compile(r"(?m)^:61:")


def is_mt940(content: bytes) -> bool:
    """Whether a file begins a statement as MT940 does."""
    return bool(_BEGINS.search(content[:10_000]))


def read_mt940(content: bytes, file: str) -> Iterator[Statement]:
    """The statements of a file, in its order. One that is cut into pages is as many, each with its own balances.

    Raises:
        StatementRefused: the file is cut short, or not what it seems.
    """
    text = _text(content)
    try:
        read = mt940.parse_statements(io.StringIO(text), options=mt940.Options.all())
    except (RuntimeError, ValueError, InvalidOperation, KeyError) as error:
        raise StatementRefused(f"{file} is no MT940 that can be read: {error}.") from error
    if sum(len(statement) for statement in read) != len(_LINE.findall(text)):
        raise StatementRefused(f"{file}: not every :61: line can be read; get the file from the bank again.")
    for statement in read:
        yield _statement(statement, file)


def _statement(read: Any, file: str) -> Statement:
    told = read.data
    number = "/".join(
        str(told[name]).zfill(5) for name in ("statement_number", "sequence_number") if told.get(name)
    )
    account = told.get("account_identification")
    where = f"{file}: statement {number or '?'} of account {account or '?'}"
    opening, closing = (next((told[n] for n in names if told.get(n)), None) for names in (_OPENING, _CLOSING))
    if not account or not number or opening is None or closing is None:
        raise StatementRefused(
            f"{where} lacks its account (:25:), number (:28C:), opening (:60F:) or closing balance (:62F:)."
        )
    currency = currency_code(closing.amount.currency, where)
    if opening.amount.currency != currency:
        raise StatementRefused(f"{where} opens in {opening.amount.currency} and closes in {currency}.")
    return Statement(
        file=file,
        account=str(account).strip(),
        currency=currency,
        number=number,
        opening=opening.amount.amount,
        closing=closing.amount.amount,
        opened_on=_day(opening.date),
        closed_on=_day(closing.date),
        lines=tuple(_line(transaction.data, where) for transaction in read),
    )


def _line(told: dict[str, Any], where: str) -> Line:
    amount, value_on = told.get("amount"), told.get("date")
    if amount is None or value_on is None:
        raise StatementRefused(f"{where} has a :61: line without an amount or a day.")
    booked_on = told.get("entry_date")
    own = _known(told.get("customer_reference"))
    return Line(
        amount=Decimal(amount.amount),
        value_on=_day(value_on),
        booked_on=_day(booked_on) if booked_on else None,
        reference=one_text(own, *(told.get(name) for name in _TOLD)),
        counterparty=one_text(told.get("applicant_name")) or None,
        end_to_end_id=_known(told.get("end_to_end_reference")) or own,
        bank_reference=_known(told.get("bank_reference")),
    )


def _known(text: str | None) -> str | None:
    found = (text or "").strip()
    return None if not found or found.upper() in _NONE else found


def _day(found: date) -> date:
    return date(found.year, found.month, found.day)


def _text(content: bytes) -> str:
    # The standard allows no more than ASCII; what banks write beyond it is one of these two.
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
