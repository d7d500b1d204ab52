"""How numbers, days and instants are written on the pages. Amounts stay Decimal until they are text.

Belongs here: formats and the words for codes of the marts. Does not belong here: layout and queries.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from ratehouse.explain import amount_text, number_text

__all__ = [
    "amount",
    "day",
    "growth",
    "instant",
    "label",
    "money",
    "month",
    "number",
    "number_text",
    "period",
]

_LABELS = {
    "recurring": "Recurring fee",
    "usage": "Usage",
    "one_time": "One-time fee",
    "minimum": "Minimum",
    "adjustment": "Adjustment",
    "discount": "Discount",
    "credit": "Credit",
    "tax": "Tax",
    "credit_note": "Credit note",
    "partially_paid": "Partially paid",
    "unmatched_price": "No price matches",
    "no_tier": "Beyond the last tier",
    "amount_overflow": "Amount too large",
    "duplicate_conflict": "Conflicting copy",
    "missing_id": "No event id",
    "missing_customer": "No customer",
    "bad_time": "Unreadable time",
    "future_time": "Time in the future",
    "bad_number": "Unreadable number",
    "bad_json": "Unreadable properties",
    "unknown_account": "Another account",
    "unknown_key": "Unknown column",
    "too_large": "Properties too large",
}


def amount(value: Decimal, currency: str) -> str:
    """An amount without its currency, for a column or a label that names it."""
    return amount_text(value, currency)


def money(value: Decimal, currency: str) -> str:
    """An amount with its currency: 1,234.50 USD."""
    return f"{amount_text(value, currency)} {currency}"


def number(value: int) -> str:
    """A count: 1,234,567."""
    return f"{value:,}"


def growth(now: Decimal, before: Decimal) -> str | None:
    """Change in percent, None where there was nothing before."""
    return f"{(now - before) / before * 100:+.1f}%" if before > 0 else None


def day(value: date | None) -> str:
    """One day: 1 Oct 2026."""
    return "" if value is None else f"{value.day} {value:%b %Y}"


def month(value: date) -> str:
    """A month: October 2026."""
    return f"{value:%B %Y}"


def instant(value: datetime) -> str:
    """An instant in UTC, to the minute: 1 Oct 2026 04:00 UTC."""
    return f"{value.day} {value:%b %Y %H:%M} UTC"


def period(start: date | None, end: date | None) -> str:
    """Days from `start` up to, but not including, `end`, as people say it: both inclusive."""
    if start is None or end is None:
        return day(start)
    last = end - timedelta(days=1)
    if last <= start:
        return day(start)
    if start.year != last.year:
        return f"{day(start)} \N{EN DASH} {day(last)}"
    if start.month != last.month:
        return f"{start.day} {start:%b} \N{EN DASH} {day(last)}"
    return f"{start.day} \N{EN DASH} {day(last)}"


def label(code: str) -> str:
    """A code of the marts in words."""
    return _LABELS.get(code) or code.replace("_", " ").capitalize()
