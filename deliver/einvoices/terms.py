"""A document as the business terms (BT-1, BG-25, …) of EN 16931, ready for the `factur-x` package.

Belongs here: which of our fields is which term, VAT categories, what the standard cannot say. Does not belong
here: XML and PDF (`files`), and any computation of tax: the sums here only check that what was issued adds up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from stdnum.eu.vat import MEMBER_STATES

from deliver.documents.formats import clean
from deliver.documents.model import DocumentError, InvoiceDocument, Line, Party
from deliver.documents.view import note_text
from ratehouse.money import minor_units
from ratehouse.price_book_source import plain

ONE = "C62"  # UN/ECE Recommendation 20: one, a countable unit
CREDIT_NOTE, INVOICE = "381", "380"
CREDIT_TRANSFER = "30"
_POSTCODE = re.compile(r"(?P<postcode>(?:[A-Z]{1,2}-)?\d{3,5}(?: ?\d{2})?) (?P<city>\D.*)")
_CATEGORIES = {"exempt": "E", "reverse_charge": "AE", "zero_rated": "Z"}
_REASONS = {
    "AE": ("VATEX-EU-AE", "Reverse charge"),
    "G": ("VATEX-EU-G", "Supply to a customer outside the European Union"),
    "E": (None, "Exempt from tax"),
    "O": ("VATEX-EU-O", "Not subject to VAT"),
}

Rate = tuple[str, Decimal]
"""VAT category and rate in percent."""


class EInvoiceError(DocumentError):
    """A document that EN 16931 cannot say, with the reason."""


def terms(document: InvoiceDocument, words: Mapping[str, str]) -> dict[str, Any]:
    """The business terms of a document.

    Args:
        document: an issued document.
        words: the catalogue of its language, for its notes.

    Raises:
        EInvoiceError: it is a draft, lacks what the standard requires, or does not add up under its rules.
    """
    _require(document)
    sign = -1 if document.is_credit_note else 1
    digits = minor_units(document.currency)

    def money(amount: Decimal) -> str:
        # Adding zero takes the sign off it: BR-E-09 and its sisters want 0, not -0.
        return f"{sign * amount + 0:.{digits}f}"

    category = _zero_category(document)
    # The VAT breakdown is over all lines and discounts of a rate.
    basis: dict[Rate, Decimal] = defaultdict(Decimal)
    lines = []
    for number, line in enumerate(document.lines, start=1):
        rate = _rate(line.tax_percent, line.tax_treatment, category)
        basis[rate] += line.amount
        lines.append(_line(number, line, rate, sign, digits))
    allowances: list[dict[str, str]] = []
    charges: list[dict[str, str]] = []
    for name, percent, treatment, amount in document.discounts_by_rate:
        rate = _rate(percent, treatment, category)
        basis[rate] += amount
        entry = {
            "amount": f"{abs(amount):.{digits}f}",
            "reason": clean(name),
            "vat_category_code": rate[0],
            **({} if rate[0] == "O" else {"vat_rate": plain(rate[1])}),
        }
        (allowances if sign * amount <= 0 else charges).append(entry)
    net = sum(basis.values(), Decimal(0))
    taxes = _taxes(document, basis, category)
    if net + document.tax != document.total:
        raise EInvoiceError(
            f"{document.number}: its lines come to {net} and its tax to {document.tax}, but its total is "
            f"{document.total}. Prices that include tax cannot be written as an e-invoice of EN 16931."
        )
    line_total = sum((line.amount for line in document.lines), Decimal(0))
    periods = [
        (line.service_start, line.service_end)
        for line in document.lines
        if line.service_start and line.service_end and line.service_end > line.service_start
    ]
    result: dict[str, Any] = {
        "BT-1": clean(document.number or ""),
        "BT-2": document.issued_on,
        "BT-3": CREDIT_NOTE if document.is_credit_note else INVOICE,
        "BT-5": document.currency,
        "BT-9": document.due_on or document.issued_on,
        "BG-1": [{"BT-22": note_text(note, document, words)} for note in document.notes],
        "BG-3": [
            {"BT-25": clean(number), **({"BT-26": on} if on else {})} for number, on in document.corrects
        ],
        "BG-4": _party(document.seller, vat=category != "O"),
        "BG-7": _party(document.buyer, vat=category != "O"),
        "BG-20": allowances,
        "BG-21": charges,
        "BG-23": taxes(money),
        "BG-25": lines,
        "BT-106": money(line_total),
        "BT-107": f"{sum((Decimal(a['amount']) for a in allowances), Decimal(0)):.{digits}f}",
        "BT-108": f"{sum((Decimal(c['amount']) for c in charges), Decimal(0)):.{digits}f}",
        "BT-109": money(net),
        "BT-110": money(document.tax),
        "BT-112": money(document.total),
        "BT-115": money(document.total - document.credits_applied),
    }
    if exchange := document.exchange:
        accounting_digits = minor_units(exchange.currency)
        # BR-DEC-15: two decimals here too, so the tax in a currency of three stands on the PDF alone.
        if accounting_digits <= 2:
            result["BT-6"] = exchange.currency
            result["BT-111"] = f"{sign * exchange.tax + 0:.{accounting_digits}f}"
    if document.credits_applied:
        result["BT-113"] = money(document.credits_applied)
    if document.po_number:
        result["BT-13"] = clean(document.po_number)
    if periods:
        result["BT-73"] = min(start for start, _ in periods)
        result["BT-74"] = max(end for _, end in periods) - timedelta(days=1)
    # A service is delivered when the last of it was.
    result["BT-72"] = result.get("BT-74", document.issued_on)
    details = dict(document.seller.details)
    if details.get("iban") and not document.is_credit_note:
        result |= {"BT-81": CREDIT_TRANSFER, "BT-83": result["BT-1"], "BT-84": details["iban"]}
        result |= {"BT-85": clean(details.get("account_name") or document.seller.name)}
        if details.get("bic"):
            result["BT-86"] = details["bic"]
    return result


def _require(document: InvoiceDocument) -> None:
    missing = [
        what
        for what, there in (
            ("the seller's country (legal_entity.country)", document.seller.country),
            ("the seller's tax id or registration (legal_entity)", _identity(document.seller)),
            ("the customer's country", document.buyer.country),
            ("any line", next(document.lines, None)),
        )
        if not there
    ]
    if document.is_draft:
        raise EInvoiceError("a draft has no e-invoice yet")
    if missing:
        raise EInvoiceError(f"{document.number}: an e-invoice needs {', '.join(missing)}.")
    if minor_units(document.currency) > 2:
        raise EInvoiceError(
            f"{document.number}: EN 16931 writes amounts with two decimals, {document.currency} has more."
        )


def _identity(party: Party) -> str | None:
    return party.tax_id or dict(party.details).get("registration")


def _zero_category(document: InvoiceDocument) -> str:
    """The VAT category of what carries no tax on this document."""
    seller, buyer = (_country(party) for party in (document.seller, document.buyer))
    if "reverse_charge" in document.notes:
        return "AE"
    if any(line.tax_percent for line in document.lines) or "tax_exempt" in document.notes:
        return "E"
    if seller not in MEMBER_STATES | {"gb"}:
        return "O"
    return "E" if buyer in MEMBER_STATES or buyer == seller else "G"


def _country(party: Party) -> str:
    return (party.country or "").lower()


def _rate(percent: Decimal | None, treatment: str | None, zero: str) -> Rate:
    """The category and rate of a line; `zero` is that of one without tax of which the ledger does not say why."""
    return ("S", percent) if percent else (_CATEGORIES.get(treatment or "", zero), Decimal(0))


def _taxes(document: InvoiceDocument, basis: Mapping[Rate, Decimal], zero: str) -> Any:
    """The VAT breakdown, once it is sure that each issued tax is its basis times its rate."""
    issued: dict[Rate, Decimal] = defaultdict(Decimal)
    for tax in document.taxes:
        issued[_rate(tax.percent, None, zero)] += tax.amount
    unit = Decimal(1).scaleb(-minor_units(document.currency))
    for rate in basis.keys() | issued.keys():
        expected = basis.get(rate, Decimal(0)) * rate[1] / 100
        # The standard's own tolerance (BR-S-09 and its sisters).
        if abs(issued[rate] - expected) >= max(unit, Decimal(1)):
            raise EInvoiceError(
                f"{document.number}: {plain(rate[1])} % of {basis.get(rate, Decimal(0))} is not {issued[rate]}, "
                "the tax that was issued. EN 16931 cannot say that."
            )

    def breakdown(money: Any) -> list[dict[str, Any]]:
        rows = []
        for rate, amount in sorted(basis.items()):
            row = {"BT-116": money(amount), "BT-117": money(issued[rate]), "BT-118": rate[0]}
            if rate[0] != "O":
                row["BT-119"] = plain(rate[1])
            code, reason = _REASONS.get(rate[0], (None, None))
            if rate[0] == "E" and document.certificates:
                reason = (
                    f"{reason}, certificate {', '.join(clean(number) for number in document.certificates)}"
                )
            rows.append(row | {k: v for k, v in (("BT-120", reason), ("BT-121", code)) if v})
        return rows

    return breakdown


def _line(number: int, line: Line, rate: Rate, sign: int, digits: int) -> dict[str, Any]:
    amount = sign * line.amount
    quantity, price, notes = Decimal(1), abs(amount), []
    unit = Decimal(1).scaleb(-digits)
    simple = line.line_type not in ("adjustment", "credit") and line.quantity and line.unit_price is not None
    if simple and (line.quantity * line.unit_price).quantize(unit) == line.amount and line.unit_price >= 0:  # type: ignore[operator]
        quantity, price = sign * line.quantity, line.unit_price  # type: ignore[operator,assignment]
    else:
        # Tiers, minimums and differences are no product of a quantity and a price: the line is one of its amount.
        quantity = Decimal(-1 if amount < 0 else 1)
        if line.quantity is not None:
            notes.append(" ".join(filter(None, (plain(line.quantity), clean(line.unit_name or "")))))
    notes += [f"{clean(name)}: {clean(value)}" for name, value in line.dimensions]
    result: dict[str, Any] = {
        "BT-126": str(number),
        "BT-129": plain(quantity),
        "BT-130": ONE,
        "BT-131": f"{amount:.{digits}f}",
        "BT-146": plain(price),
        "BT-151": rate[0],
        "BT-153": clean(line.title) or str(number),
    }
    if rate[0] != "O":
        result["BT-152"] = plain(rate[1])
    if notes:
        result["BT-154"] = "; ".join(notes)
    if line.charge:
        result["BT-155"] = clean(line.charge)
    if line.service_start and line.service_end and line.service_end > line.service_start:
        result |= {"BT-134": line.service_start, "BT-135": line.service_end - timedelta(days=1)}
    return result


def _party(party: Party, *, vat: bool) -> dict[str, Any]:
    address = [text for line in party.address if (text := clean(line))]
    result: dict[str, Any] = {"name": clean(party.name), "country_code": (party.country or "").upper()}
    if address and (found := _POSTCODE.fullmatch(address[-1])):
        result |= {"postcode": found["postcode"], "city": found["city"]}
        address = address[:-1]
    # The standard has three lines; what an address has beyond them stays in the third.
    lines = [*address[:2], ", ".join(address[2:])]
    result |= {f"addr_l{i}": line for i, line in enumerate(lines, start=1) if line}
    tax_id = clean(party.tax_id or "").replace(" ", "").upper()
    details = dict(party.details)
    # A VAT number starts with the letters of a country; anything else is some other number of the party.
    if vat and re.fullmatch(r"[A-Z]{2}\w{2,}", tax_id):
        result["vat_identifier"] = tax_id
    elif tax_id:
        result["legal_identifier"] = tax_id
    if details.get("registration"):
        result["legal_identifier"] = clean(details["registration"])
    contact = {key: clean(details[key]) for key in ("email", "phone") if details.get(key)}
    if contact:
        result["contacts"] = [{"name": clean(party.name), **contact}]
    return result
