"""A customer's statement of account: what was owed, what was issued and paid, what is owed and how old it is.

Belongs here: the statement as typed values, how it is read from the marts, and its words. Does not belong here: any
figure, all of which SQL gives (`account_movements`, `receivable_movements`), and layout (`render`, templates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import duckdb

from deliver.documents.formats import Formats, Words, clean, formats
from deliver.documents.model import (
    Branding,
    DocumentError,
    Party,
    address_of,
    branding_of,
    json_of,
    seller_of,
)
from deliver.documents.view import SECTION_ROWS, party_lines, payment_details

Cell = TypeVar("Cell")

BUCKETS = ("not_due", "1-30", "31-60", "61-90", "90+")


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of an account. `amount` adds to what the customer owes, `balance` is what is owed after it."""

    moved_on: date
    kind: str
    number: str | None
    payment_id: str | None
    due_on: date | None
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice that is open at the end of the statement."""

    number: str
    due_on: date | None
    days_overdue: int
    bucket: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """An account of one customer in one currency from `first` to `last`, both inclusive, local days of the customer.

    `sums` are the movements by kind, `ageing` what is open at the end by age, `not_applied` what of the balance is in
    no invoice: money that waits and credit that is left, negative.
    """

    tenant_id: str
    customer_id: str
    language: str
    currency: str
    first: date
    last: date
    seller: Party
    buyer: Party
    branding: Branding
    opening: Decimal
    closing: Decimal
    movements: tuple[Movement, ...]
    sums: tuple[tuple[str, Decimal], ...]
    open_invoices: tuple[OpenInvoice, ...]
    ageing: tuple[tuple[str, Decimal], ...]
    open_total: Decimal
    not_applied: Decimal


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One row of the table, as text."""

    day: str
    text: str
    due: str
    amount: str
    balance: str


@dataclass(frozen=True, slots=True)
class StatementView:
    """Every text of a statement. Nothing in it is markup; the head and foot are those of an invoice."""

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
    opening: tuple[str, str]
    sections: tuple[tuple[StatementRow, ...], ...]
    totals: tuple[tuple[str, str], ...]
    grand_total: tuple[str, str]
    ageing: tuple[tuple[str, str], ...]
    open_sections: tuple[tuple[tuple[str, str, str, str], ...], ...]
    remark: str
    payment: tuple[tuple[str, str], ...]
    footer: tuple[str, ...]
    running: str
    issued: str
    words: Words


def load_statements(
    connection: duckdb.DuckDBPyConnection, tenant_id: str, customer_id: str, first: date, last: date
) -> list[Statement]:
    """Read a customer's statements, one for each currency in which it has an account.

    Args:
        connection: an open serving file (schema `marts`).
        tenant_id: the seller.
        customer_id: whose account.
        first: first day shown.
        last: last day shown, inclusive.

    Raises:
        DocumentError: there is no such customer, the days are in the wrong order, or nothing was ever on the account.
    """
    if last < first:
        raise DocumentError(f"A statement from {first} to {last} has no day in it.")
    keys = {"tenant": tenant_id, "customer": customer_id}
    days = {**keys, "first": first, "last": last}
    found = _rows(connection, _PARTIES, keys)
    if not found:
        raise DocumentError(f"Tenant {tenant_id!r} has no customer {customer_id!r}.")
    sums = _rows(connection, _SUMS, days)
    if not sums:
        raise DocumentError(f"Nothing was on the account of customer {customer_id!r} by {last}.")
    movements, ageing = _rows(connection, _MOVEMENTS, days), _rows(connection, _OPEN, days)
    return [_statement(found[0], row, movements, ageing, days) for row in sums]


def billed_day(connection: duckdb.DuckDBPyConnection, tenant_id: str) -> date:
    """The local day up to which a tenant is billed.

    Raises:
        DocumentError: there is no such tenant.
    """
    rows = _rows(connection, _BILLED_DAY, {"tenant": tenant_id})
    if not rows:
        raise DocumentError(f"There is no tenant {tenant_id!r}.")
    day: date = rows[0]["billed_on"]
    return day


def build_statement_view(statement: Statement, words: Words, language: str) -> StatementView:
    """Put a statement into words.

    Args:
        statement: what the marts hold.
        words: the catalogue of `language`, with the tenant's changes.
        language: the tag that decides the formats.

    Raises:
        RatehouseError: the currency is unknown.
    """
    fmt = formats(language, statement.currency)
    end = words["closing_balance"].format(date=fmt.date(statement.last))
    period = f"{fmt.date(statement.first)} \N{EN DASH} {fmt.date(statement.last)}"
    title, seller = words["statement"], clean(statement.seller.name)
    owed = fmt.currency(statement.closing)
    remark = words["in_credit"] if statement.closing < 0 else ""
    return StatementView(
        language=language,
        title=title,
        number=period,
        kind="statement",
        seller_name=seller,
        seller=party_lines(statement.seller, fmt, words),
        buyer_name=clean(statement.buyer.name),
        buyer=party_lines(statement.buyer, fmt, words),
        facts=((words["period"], period), (words["customer"], clean(statement.customer_id))),
        hero=(end, owed, remark),
        opening=(
            words["opening_balance"].format(date=fmt.date(statement.first)),
            fmt.amount(statement.opening),
        ),
        sections=_cut([_row(movement, fmt, words) for movement in statement.movements]),
        totals=(
            (
                words["opening_balance"].format(date=fmt.date(statement.first)),
                fmt.currency(statement.opening),
            ),
            *((words[f"account_{name}"], fmt.currency(amount)) for name, amount in statement.sums if amount),
        ),
        grand_total=(words["closing"], owed),
        ageing=_ageing(statement, fmt, words),
        open_sections=_cut(
            [
                (
                    clean(one.number),
                    fmt.date(one.due_on) if one.due_on else "",
                    words["open_since"].format(days=one.days_overdue) if one.days_overdue else "",
                    fmt.amount(one.amount),
                )
                for one in statement.open_invoices
            ]
        ),
        remark=words["not_applied"].format(amount=fmt.currency(statement.not_applied))
        if statement.not_applied
        else "",
        payment=payment_details(statement.seller, words, clean(statement.customer_id))
        if statement.closing > 0
        else (),
        footer=tuple(clean(line) for line in (statement.branding.footer or "").splitlines() if clean(line)),
        running=f"{seller} · {title} {period}",
        issued=statement.last.isoformat(),
        words=words,
    )


def _row(movement: Movement, fmt: Formats, words: Words) -> StatementRow:
    number = clean(movement.number or movement.payment_id or "")
    if movement.kind in ("invoice", "credit_note"):
        text = f"{words[movement.kind]} {number}"
    else:
        text = words[f"move_{movement.kind}"].format(number=number)
    return StatementRow(
        fmt.date(movement.moved_on),
        text,
        fmt.date(movement.due_on) if movement.due_on and movement.kind == "invoice" else "",
        fmt.amount(movement.amount),
        fmt.amount(movement.balance),
    )


def _ageing(statement: Statement, fmt: Formats, words: Words) -> tuple[tuple[str, str], ...]:
    if not statement.open_invoices:
        return ()
    labels = {
        name: words["not_due"] if name == "not_due" else words["days_overdue"].format(days=_days(name))
        for name in BUCKETS
    }
    rows = [(labels[name], fmt.amount(amount)) for name, amount in statement.ageing]
    return (*rows, (words["open_total"], fmt.amount(statement.open_total)))


def _days(bucket: str) -> str:
    return bucket.replace("-", "\N{EN DASH}").replace("90+", "> 90")


def _cut(rows: list[Cell]) -> tuple[tuple[Cell, ...], ...]:
    # As in `view`: the layout engine walks the rest of a table body on every page.
    return tuple(tuple(rows[start : start + SECTION_ROWS]) for start in range(0, len(rows), SECTION_ROWS))


def _statement(
    parties: Mapping[str, Any],
    sums: Mapping[str, Any],
    movements: list[dict[str, Any]],
    ageing: list[dict[str, Any]],
    days: Mapping[str, Any],
) -> Statement:
    currency = sums["currency"]
    invoices = tuple(
        OpenInvoice(
            row["invoice_number"], row["due_on"], row["days_overdue"], row["bucket"], row["open_amount"]
        )
        for row in ageing
        if row["currency"] == currency
    )
    return Statement(
        tenant_id=days["tenant"],
        customer_id=days["customer"],
        language=parties["language"] or "en",
        currency=currency,
        first=days["first"],
        last=days["last"],
        seller=seller_of(parties),
        buyer=Party(
            name=parties["name"] or days["customer"],
            address=address_of(parties["address"]),
            country=parties["country"],
            tax_id=parties["tax_id"],
        ),
        branding=branding_of(json_of(parties["tenant_document"])),
        opening=sums["opening"],
        closing=sums["closing"],
        movements=tuple(
            Movement(
                row["moved_on"], row["kind"], row["invoice_number"], row["payment_id"], row["due_on"],
                row["amount"], row["balance"],
            )
            for row in movements
            if row["currency"] == currency
        ),
        sums=tuple((name, sums[name]) for name in ("invoiced", "credited", "paid", "other")),
        open_invoices=invoices,
        ageing=tuple((name, sums[f"open_{place}"]) for place, name in enumerate(BUCKETS)),
        open_total=sums["open_total"],
        not_applied=sums["not_applied"],
    )  # fmt: skip


_BILLED_DAY = """
    select cast(timezone(timezone, billing_as_of) as date) as billed_on
    from marts.tenants
    where tenant_id = $tenant
"""

_PARTIES = """
    select
        c.name, c.address, c.country, c.tax_id, c.language, t.name as tenant_name, t.tenant_id,
        t.document as tenant_document, json_extract(t.document, '$.legal_entity')::varchar as legal_entity
    from marts.customers as c
    inner join marts.tenants as t on t.tenant_id = c.tenant_id
    where c.tenant_id = $tenant and c.customer_id = $customer
"""

_MOVEMENTS = """
    select currency, moved_on, kind, invoice_number, payment_id, due_on, amount, balance
    from marts.account_movements
    where tenant_id = $tenant and customer_id = $customer and moved_on between $first and $last
    order by currency, movement_no
"""

_OPEN_INVOICES = """
    select
        currency, invoice_number, due_on, days_overdue, open_amount,
        case
            when days_overdue <= 0 then 'not_due'
            when days_overdue <= 30 then '1-30'
            when days_overdue <= 60 then '31-60'
            when days_overdue <= 90 then '61-90'
            else '90+'
        end as bucket
    from (
        select
            currency, invoice_number, due_on, greatest(datediff('day', due_on, $last), 0) as days_overdue,
            cast(sum(amount) as decimal(20, 4)) as open_amount
        from marts.receivable_movements
        where tenant_id = $tenant and customer_id = $customer and moved_on <= $last
        group by currency, invoice_id, invoice_number, due_on
        having sum(amount) <> 0
    )
"""

_OPEN = f"{_OPEN_INVOICES} order by currency, due_on, invoice_number"

_SUMS = f"""
    with

    open_invoices as ({_OPEN_INVOICES}),

    aged as (
        select
            currency,
            sum(open_amount) filter (where bucket = 'not_due') as open_0,
            sum(open_amount) filter (where bucket = '1-30') as open_1,
            sum(open_amount) filter (where bucket = '31-60') as open_2,
            sum(open_amount) filter (where bucket = '61-90') as open_3,
            sum(open_amount) filter (where bucket = '90+') as open_4,
            sum(open_amount) as open_total
        from open_invoices
        group by currency
    ),

    account as (
        select
            currency,
            coalesce(sum(amount) filter (where moved_on < $first), 0) as opening,
            sum(amount) as closing,
            coalesce(sum(amount) filter (where moved_on >= $first and kind = 'invoice'), 0) as invoiced,
            coalesce(sum(amount) filter (where moved_on >= $first and kind = 'credit_note'), 0) as credited,
            coalesce(sum(amount) filter (where moved_on >= $first and kind in ('payment', 'refund', 'dispute')), 0) as paid,
            coalesce(sum(amount) filter (where moved_on >= $first and kind not in
                ('invoice', 'credit_note', 'payment', 'refund', 'dispute')), 0) as other
        from marts.account_movements
        where tenant_id = $tenant and customer_id = $customer and moved_on <= $last
        group by currency
    )

    select
        account.*,
        coalesce(open_0, 0) as open_0, coalesce(open_1, 0) as open_1, coalesce(open_2, 0) as open_2,
        coalesce(open_3, 0) as open_3, coalesce(open_4, 0) as open_4, coalesce(open_total, 0) as open_total,
        account.closing - coalesce(open_total, 0) as not_applied
    from account
    left join aged on aged.currency = account.currency
    order by account.currency
"""


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    used = {name: value for name, value in parameters.items() if f"${name}" in sql}
    try:
        cursor = connection.cursor().execute(sql, used)
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise DocumentError(
            f"The serving file does not have what statements need; build it again. {error}"
        ) from error
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
