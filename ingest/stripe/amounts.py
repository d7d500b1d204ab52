"""Stripe's amounts: integers in units of its own table, which is not ISO 4217 in every currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ratehouse.stripe_terms import digits


class BadAmount(ValueError):
    """An amount that Stripe would not send: not an integer, or without a currency."""


def currency_of(code: Any) -> str:
    """ISO 4217 code in capitals."""
    if not isinstance(code, str) or len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise BadAmount(f"{code!r} is no currency code")
    return code.upper()


def money(amount: Any, currency: Any) -> str:
    """An amount in major units as exact text.

    Raises:
        BadAmount: no integer, or no currency.
    """
    code = currency_of(currency)
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise BadAmount(f"{amount!r} is no integer amount")
    return format(Decimal(amount).scaleb(-digits(code)), "f")
