"""camt.053 (ISO 20022's bank to customer statement), read with the package pycamt.

The package opens the document and knows its versions. Amounts and balances are read here, since its own balances pass through a
float and its entries do not say which statement they are of.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from lxml import etree
from pycamt.parser import Camt053Parser

from ingest.bank.statement import Line, Statement, StatementRefused, currency_code, one_text
from ratehouse import parsing

_OPENING = ("OPBD", "PRCD")  # one of them: the balance booked before, or that of the statement before
_CLOSING = ("CLBD",)
_NONE = frozenset({"NOTPROVIDED", "NONREF"})


def is_camt(content: bytes) -> bool:
    """Whether a file is XML, as camt is."""
    return content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def read_camt(content: bytes, file: str) -> Iterator[Statement]:
    """The statements of a file, in its order. What is not booked yet (pending) is no line.

    Raises:
        StatementRefused: it is no camt.053, or a statement of it lacks what proves it.
    """
    try:
        document = Camt053Parser(content).tree
    except (etree.XMLSyntaxError, ValueError) as error:
        raise StatementRefused(f"{file} is no XML that can be read: {error}.") from error
    namespace = etree.QName(document).namespace or ""
    if "camt.053" not in namespace:
        raise StatementRefused(
            f"{file} is {namespace or 'XML of no namespace'}, which is no statement; export camt.053."
        )
    found = document.findall(".//{*}Stmt")
    if not found:
        raise StatementRefused(f"{file} holds no statement.")
    for statement in found:
        yield _statement(statement, file)


def _statement(read: Any, file: str) -> Statement:
    account = _text(read, "Acct/Id/IBAN") or _text(read, "Acct/Id/Othr/Id")
    number = _text(read, "ElctrncSeqNb") or _text(read, "LglSeqNb")
    number = number.zfill(5) if number else _text(read, "Id")
    where = f"{file}: statement {number or '?'} of account {account or '?'}"
    opening, closing = _balance(read, _OPENING, where), _balance(read, _CLOSING, where)
    if not account or not number or opening is None or closing is None:
        raise StatementRefused(
            f"{where} lacks its account, number, opening (OPBD) or closing balance (CLBD)."
        )
    currency = currency_code(closing[1], where)
    if opening[1] != currency:
        raise StatementRefused(f"{where} opens in {opening[1]} and closes in {currency}.")
    lines = [line for entry in _all(read, "Ntry") for line in _lines(entry, currency, where)]
    return Statement(
        file=file,
        account=account,
        currency=currency,
        number=number,
        opening=opening[0],
        closing=closing[0],
        opened_on=opening[2],
        closed_on=closing[2],
        lines=tuple(lines),
    )


def _balance(read: Any, kinds: tuple[str, ...], where: str) -> tuple[Decimal, str | None, date] | None:
    for kind in kinds:
        for balance in _all(read, "Bal"):
            if _text(balance, "Tp/CdOrPrtry/Cd") == kind:
                return _signed(balance, where), _currency(balance), _day(balance, "Dt", where)
    return None


def _lines(entry: Any, currency: str, where: str) -> Iterator[Line]:
    """The lines of one entry: its details where they are several and add up to it, else the entry itself."""
    status = _text(entry, "Sts/Cd") or _text(entry, "Sts")
    if status != "BOOK":
        return
    amount = _signed(entry, where)
    if _currency(entry) != currency:
        raise StatementRefused(f"{where} has a line in {_currency(entry)}; the account is in {currency}.")
    details = _all(entry, "NtryDtls/TxDtls")
    booked_on = _day(entry, "BookgDt", where) if _one(entry, "BookgDt") is not None else None
    value_on = _day(entry, "ValDt", where) if _one(entry, "ValDt") is not None else booked_on
    if value_on is None:
        raise StatementRefused(f"{where} has a line of {amount:f} {currency} without a day.")
    bank_reference = _text(entry, "AcctSvcrRef") or _text(entry, "NtryRef")
    about = _text(entry, "AddtlNtryInf")
    parts = [_signed(detail, where, entry) for detail in details if _one(detail, "Amt") is not None]
    if len(details) > 1 and len(parts) == len(details) and sum(parts) == amount:
        for detail, part in zip(details, parts, strict=True):
            yield _line(part, value_on, booked_on, bank_reference, about, [detail])
    else:
        yield _line(amount, value_on, booked_on, bank_reference, about, details)


def _line(
    amount: Decimal,
    value_on: date,
    booked_on: date | None,
    bank_reference: str | None,
    about: str | None,
    details: list[Any],
) -> Line:
    told = [
        text
        for detail in details
        for path in ("RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/RfrdDocInf/Nb", "RmtInf/Ustrd", "AddtlTxInf")
        for text in _texts(detail, path)
    ]
    ids = {text for detail in details for text in _texts(detail, "Refs/EndToEndId")} - _NONE
    # The other side of the money: who paid where it came, who was paid where it went.
    side = "Dbtr" if amount > 0 else "Cdtr"
    names = [
        text
        for detail in details
        for path in (f"RltdPties/{side}/Nm", f"RltdPties/{side}/Pty/Nm")
        for text in _texts(detail, path)
    ]
    return Line(
        amount=amount,
        value_on=value_on,
        booked_on=booked_on,
        reference=one_text(*told, about),
        counterparty=one_text(*dict.fromkeys(names)) or None,
        end_to_end_id=ids.pop() if len(ids) == 1 else None,
        bank_reference=bank_reference,
    )


def _signed(of: Any, where: str, otherwise: Any = None) -> Decimal:
    """An amount with the sign of its own direction, or of that of what it is a part of."""
    text = _text(of, "Amt")
    direction = _text(of, "CdtDbtInd") or (None if otherwise is None else _text(otherwise, "CdtDbtInd"))
    try:
        amount = Decimal(text or "")
    except InvalidOperation as error:
        raise StatementRefused(f"{where} has an amount {text!r}.", reason_code="bad_number") from error
    if not amount.is_finite() or direction not in ("CRDT", "DBIT"):
        raise StatementRefused(f"{where} has an amount {text!r} in direction {direction!r}.")
    return amount if direction == "CRDT" else -amount


def _currency(of: Any) -> str | None:
    amount = _one(of, "Amt")
    return None if amount is None else amount.get("Ccy")


def _day(of: Any, name: str, where: str) -> date:
    text = _text(of, f"{name}/Dt") or (_text(of, f"{name}/DtTm") or "")[:10]
    found = parsing.parse_date(text)
    if found is None:
        raise StatementRefused(f"{where}: {text!r} is no day.", reason_code="bad_time")
    return found


def _all(of: Any, path: str) -> list[Any]:
    """The elements at a path, whatever the version's namespace."""
    return list(of.findall("/".join("{*}" + name for name in path.split("/"))))


def _one(of: Any, path: str) -> Any:
    return next(iter(_all(of, path)), None)


def _texts(of: Any, path: str) -> list[str]:
    return [found.text.strip() for found in _all(of, path) if found.text and found.text.strip()]


def _text(of: Any, path: str) -> str | None:
    return next(iter(_texts(of, path)), None)
