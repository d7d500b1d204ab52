"""What stands where on the page, as finished text: the document in words, ready for a template or a terminal.

Belongs here: choice and order of the facts shown, labels, and formats. Does not belong here: markup and
layout (templates), and money arithmetic beyond showing a printed sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from babel import Locale

from deliver.documents.formats import Formats, Words, clean, formats
from deliver.documents.model import InvoiceDocument, Line, Party, TaxAmount, Tier

MAX_DISCOUNT_ROWS = 6
SECTION_ROWS = 40
_PAYMENT_DETAILS = ("bank", "account_name", "iban", "bic")
_CONTACT_DETAILS = ("registration", "email", "phone", "website")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `kind`: group, line, tier, total."""

    kind: str
    text: str
    note: str = ""
    quantity: str = ""
    unit_price: str = ""
    tax: str = ""
    amount: str = ""
    keep: bool = False
    """Stays on the page of the row before it."""
    place: str = ""
    """open: steps follow; last: the last step of its line."""


@dataclass(frozen=True, slots=True)
class View:
    """Every text of a document. Nothing in it is markup."""

    language: str
    title: str
    number: str
    kind: str
    seller_name: str
    seller: tuple[str, ...]
    buyer_name: str
    buyer: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    hero: tuple[str, str, str]
    """(label, amount, remark) of the one number the reader looks for."""
    show_tax: bool
    sections: tuple[tuple[Row, ...], ...]
    """The table's rows in bodies of some dozen; none starts with a row that must stay with another."""
    totals: tuple[tuple[str, str], ...]
    grand_total: tuple[str, str]
    notes: tuple[str, ...]
    payment: tuple[tuple[str, str], ...]
    footer: tuple[str, ...]
    running: str
    issued: str
    words: Words

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows of the table."""
        return tuple(row for section in self.sections for row in section)


def build_view(document: InvoiceDocument, words: Words, language: str) -> View:
    """Put a document into words.

    Args:
        document: what the marts hold.
        words: the catalogue of `language`, with the tenant's changes.
        language: the tag that decides the formats.

    Raises:
        RatehouseError: the currency is unknown.
    """
    fmt = formats(language, document.currency)
    title = words["credit_note" if document.is_credit_note else "invoice"]
    number = clean(document.number) if document.number else words["draft"]
    if document.is_draft and document.number:
        title = f"{title} ({words['draft']})"
    show_tax = any(line.tax_percent is not None for line in document.lines)
    return View(
        language=language,
        title=title,
        number=number,
        kind=document.kind,
        seller_name=clean(document.seller.name),
        seller=party_lines(document.seller, fmt, words),
        buyer_name=clean(document.buyer.name),
        buyer=party_lines(document.buyer, fmt, words),
        facts=_facts(document, fmt, words),
        hero=_hero(document, fmt, words),
        show_tax=show_tax,
        sections=_sections(_rows(document, fmt, words, show_tax)),
        totals=_totals(document, fmt, words),
        grand_total=(
            words["total_credit" if document.is_credit_note else "amount_due"],
            fmt.currency(document.total if document.is_credit_note else document.amount_due),
        ),
        notes=_notes(document, fmt, words),
        payment=_payment(document, words),
        footer=tuple(clean(line) for line in (document.branding.footer or "").splitlines() if clean(line)),
        running=f"{clean(document.seller.name)} · {title} {number}",
        issued=document.issued_on.isoformat(),
        words=words,
    )


def party_lines(party: Party, fmt: Formats, words: Words) -> tuple[str, ...]:
    """What stands below the name of a seller or buyer."""
    lines = [clean(line) for line in party.address]
    if party.country:
        country = _country(clean(party.country), fmt.locale)
        if country not in lines:
            lines.append(country)
    if party.tax_id:
        # A VAT number starts with the letters of a country; anything else is some tax number.
        tax_id = clean(party.tax_id)
        lines.append(
            f"{words['vat_id' if tax_id[:2].isalpha() and tax_id[-1:].isdigit() else 'tax_id']} {tax_id}"
        )
    lines += [clean(value) for key, value in party.details if key in _CONTACT_DETAILS]
    return tuple(line for line in lines if line)


def _country(code: str, locale: Locale) -> str:
    return str(locale.territories.get(code.upper(), code))


def _facts(document: InvoiceDocument, fmt: Formats, words: Words) -> tuple[tuple[str, str], ...]:
    facts = [(words["issue_date"], fmt.date(document.issued_on))]
    if document.due_on and not document.is_credit_note:
        facts.append((words["due_date"], fmt.date(document.due_on)))
    facts.append((words["customer"], clean(document.customer_id)))
    if document.po_number:
        facts.append((words["po_number"], clean(document.po_number)))
    return tuple(facts)


def _hero(document: InvoiceDocument, fmt: Formats, words: Words) -> tuple[str, str, str]:
    if document.is_credit_note:
        return words["total_credit"], fmt.currency(document.total), ""
    if document.amount_due <= 0:
        return (words["amount_due"], fmt.currency(document.amount_due), words["nothing_due"])
    remark = words["due_by"].format(date=fmt.date(document.due_on)) if document.due_on else ""
    return words["amount_due"], fmt.currency(document.amount_due), remark


def _rows(document: InvoiceDocument, fmt: Formats, words: Words, show_tax: bool) -> tuple[Row, ...]:
    rows: list[Row] = []
    several = len(document.groups) > 1
    for group in document.groups:
        if group.subscription_id is None:
            name, note = words["other_items"], ""
        else:
            subscription = words["subscription"].format(id=clean(group.subscription_id))
            name, note = (clean(group.plan), subscription) if group.plan else (subscription, "")
        if group.customer:
            note = " · ".join(filter(None, (clean(group.customer), note)))
        if several or group.subscription_id is not None:
            rows.append(Row("group", name, note))
        for position, line in enumerate(group.lines):
            rows += _line_rows(line, fmt, words, show_tax, keep=position == 0 and bool(rows))
        if several and len(group.lines) > 1:
            rows.append(
                Row(
                    "total",
                    words["subscription_total"].format(name=name),
                    amount=fmt.amount(group.total),
                    keep=True,
                )
            )
    return tuple(rows)


def _sections(rows: tuple[Row, ...]) -> tuple[tuple[Row, ...], ...]:
    # The layout engine walks the rest of a table body on every page: 20,000 rows in one would be quadratic.
    sections: list[list[Row]] = [[]]
    for position, row in enumerate(rows):
        follows_heading = position > 0 and rows[position - 1].kind == "group"
        if len(sections[-1]) >= SECTION_ROWS and not row.keep and not follows_heading:
            sections.append([])
        sections[-1].append(row)
    return tuple(tuple(section) for section in sections)


def _line_rows(line: Line, fmt: Formats, words: Words, show_tax: bool, *, keep: bool) -> list[Row]:
    period = fmt.period(line.service_start, line.service_end)
    notes = [_period_note(line, period, words)]
    notes += [f"{clean(name)}: {clean(value)}" for name, value in line.dimensions]
    if line.corrects_number:
        notes.append(words["corrects_line"].format(number=clean(line.corrects_number)))
    plain = (
        len(line.tiers) == 1
        and not line.included_quantity
        and not line.beside_tiers
        and _is_plain(line.tiers[0])
    )
    explained = bool(line.tiers) and not plain
    only = line.tiers[0] if plain else None
    unit_price = ""
    if only is not None:
        unit_price = _tier_price(only, fmt, words)
    elif line.unit_price is not None and not explained:
        unit_price = fmt.price(line.unit_price)
    quantity = "" if line.quantity is None else fmt.quantity(line.quantity)
    if quantity and line.unit_name:
        quantity = f"{quantity} {clean(line.unit_name)}"
    if line.is_charged_anew:
        notes.append(words["charged_anew"])
        quantity = ""
    if line.line_type == "adjustment":
        # Its amount is a difference: quantity times price would be what the whole period costs.
        notes.append(words["now_in_all"].format(quantity=quantity) if quantity else "")
        quantity = unit_price = ""
    tax = fmt.percent(line.tax_percent) if show_tax and line.tax_percent is not None else ""
    steps = _tier_rows(line, fmt, words) if explained else []
    row = Row(
        "line",
        clean(line.title),
        " · ".join(filter(None, notes)),
        quantity,
        unit_price,
        tax,
        fmt.amount(line.amount),
        keep,
        "open" if steps else "",
    )
    return [row, *steps]


def _period_note(line: Line, period: str, words: Words) -> str:
    if not period or line.line_type not in ("adjustment", "credit"):
        return period
    return words["adjustment_for" if line.line_type == "adjustment" else "credit_for"].format(period=period)


def _is_plain(tier: Tier) -> bool:
    """A single price without steps needs no table of its own: quantity and unit price say it all."""
    return tier.up_to is None and not tier.lower_bound and not tier.flat_fee and tier.package_size is None


def _tier_rows(line: Line, fmt: Formats, words: Words) -> list[Row]:
    rows = []
    if line.included_quantity:
        rows.append(
            Row(
                "tier",
                words["included"],
                quantity=fmt.quantity(line.included_quantity),
                amount=fmt.amount(Decimal(0)),
            )
        )
    for tier in line.tiers:
        label = [_tier_range(tier, fmt, words)]
        if tier.package_size is not None:
            label.append(words["packages"].format(size=fmt.quantity(tier.package_size)))
        if tier.flat_fee:
            label.append(words["flat_fee"].format(amount=fmt.price(tier.flat_fee)))
        rows.append(
            Row(
                "tier",
                " · ".join(filter(None, label)),
                quantity=fmt.quantity(tier.units),
                unit_price=_tier_price(tier, fmt, words),
                amount=fmt.price(tier.amount),
            )
        )
    if line.beside_tiers:
        # A minimum lifts, a maximum or a discount lowers; which of them it was stands in the price book.
        word = "minimum" if (line.beside_tiers > 0) == (line.amount >= 0) else "discount"
        rows.append(Row("tier", words[word], amount=fmt.price(line.beside_tiers)))
    # The first steps stay with their line; a table of hundreds may break further down.
    last = len(rows) - 1
    return [
        replace(row, keep=i < 2 or i == last, place="last" if i == last else "") for i, row in enumerate(rows)
    ]


def _tier_range(tier: Tier, fmt: Formats, words: Words) -> str:
    lower, upper = tier.lower_bound, tier.up_to
    if upper is None:
        return words["tier_over"].format(lower=fmt.quantity(lower)) if lower else ""
    whole = all(value == value.to_integral_value() for value in (lower, upper, tier.units))
    if whole or not lower:
        # Tiers hold (lower, upper]; counted in whole units that is lower + 1 up to upper.
        return words["tier_range"].format(
            lower=fmt.quantity(lower + 1 if whole else lower), upper=fmt.quantity(upper)
        )
    return words["tier_between"].format(lower=fmt.quantity(lower), upper=fmt.quantity(upper))


def _tier_price(tier: Tier, fmt: Formats, words: Words) -> str:
    if tier.percent is not None:
        return fmt.percent(tier.percent)
    if tier.unit_price is None:
        return ""
    price = fmt.price(tier.unit_price)
    if tier.per is not None and tier.per != 1:
        return words["per"].format(price=price, per=fmt.quantity(tier.per))
    return price


def _totals(document: InvoiceDocument, fmt: Formats, words: Words) -> tuple[tuple[str, str], ...]:
    rows = [(words["subtotal"], fmt.currency(document.subtotal))]
    if 0 < len(document.discounts) <= MAX_DISCOUNT_ROWS:
        rows += [(clean(name), fmt.currency(amount)) for name, amount in document.discounts]
    elif document.discount:
        rows.append((words["discount"], fmt.currency(-document.discount)))
    rows += [(_tax_label(tax, fmt, words), fmt.currency(tax.amount)) for tax in document.taxes]
    if not document.taxes and (document.tax or "reverse_charge" in document.notes):
        rows.append(
            (
                f"{words['vat' if not document.tax else 'tax']} {fmt.percent(Decimal(0))}",
                fmt.currency(document.tax),
            )
        )
    if not document.is_credit_note:
        rows.append((words["total"], fmt.currency(document.total)))
        if document.credits_applied:
            rows.append((words["credits_applied"], fmt.currency(-document.credits_applied)))
    return tuple(rows)


def _tax_label(tax: TaxAmount, fmt: Formats, words: Words) -> str:
    word = words["vat" if "vat" in (tax.code or "").lower() else "tax"]
    if tax.percent is None:
        return word
    percent = fmt.percent(tax.percent)
    if tax.basis is None:
        return f"{word} {percent}"
    return words["tax_on"].format(tax=word, percent=percent, basis=fmt.currency(tax.basis))


def _notes(document: InvoiceDocument, fmt: Formats, words: Words) -> tuple[str, ...]:
    notes = []
    for number, issued_on in document.corrects:
        if issued_on is not None:
            notes.append(words["corrects"].format(number=clean(number), date=fmt.date(issued_on)))
        else:
            notes.append(words["corrects_undated"].format(number=clean(number)))
    notes += [note_text(note, document, words) for note in document.notes]
    if exchange := document.exchange:
        own = formats(fmt.language, exchange.currency)
        notes.append(
            words["exchange"].format(
                base=exchange.base,
                quote=exchange.quote,
                rate=fmt.price(exchange.rate),
                source=clean(exchange.source or "").upper(),
                date=fmt.date(exchange.rate_on),
                tax=words["vat" if document.tax else "tax"],
                amount=own.currency(exchange.tax),
            )
        )
    return tuple(notes)


def note_text(note: str, document: InvoiceDocument, words: Words) -> str:
    """A note of a document in its language; one that it is exempt names the certificate."""
    if note == "tax_exempt" and document.certificates:
        return words["exempt_under"].format(
            number=", ".join(clean(number) for number in document.certificates)
        )
    return words.get(note) or clean(note)


def _payment(document: InvoiceDocument, words: Words) -> tuple[tuple[str, str], ...]:
    if document.is_credit_note or document.amount_due <= 0:
        return ()
    return payment_details(document.seller, words, clean(document.number) if document.number else "")


def payment_details(seller: Party, words: Words, reference: str) -> tuple[tuple[str, str], ...]:
    """Where to pay, with what to name; empty where the seller names no account."""
    labels = {"iban": "IBAN", "bic": "BIC"}
    rows = [
        (labels.get(key, ""), clean(value))
        for wanted in _PAYMENT_DETAILS
        for key, value in seller.details
        if key == wanted
    ]
    if rows and reference:
        rows.append((words["reference"], reference))
    return tuple(rows)
