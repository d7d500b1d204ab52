"""Values of options that several commands read."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import typer


def positive_amount(text: str, option: str) -> Decimal:
    """An amount of money as a person writes it.

    Raises:
        typer.BadParameter: it is no number, or not above zero.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is no amount, as in 10.00", param_hint=option) from error
    if not amount.is_finite() or amount <= 0:
        raise typer.BadParameter("give a positive amount", param_hint=option)
    return amount
