"""What a bank statement is, whatever it was written in, and the proof that it adds up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ratehouse.errors import RatehouseError


class StatementRefused(RatehouseError):
    """A file that holds no statement, or one that cannot be right; nothing of it is landed."""


@dataclass(frozen=True)
class Line:
    """One booked line.

    Attributes:
        amount: credits are above zero, debits below.
        value_on: the day from which it bears interest.
        booked_on: the day it was booked, if the bank says so.
        reference: all that the bank says about it, in its order.
        counterparty: who sent or received it.
        end_to_end_id: the sender's own identity of the payment.
        bank_reference: the bank's own identity of the line.
    """

    amount: Decimal
    value_on: date
    booked_on: date | None = None
    reference: str = ""
    counterparty: str | None = None
    end_to_end_id: str | None = None
    bank_reference: str | None = None


@dataclass(frozen=True)
class Statement:
    """One statement of one account.

    Attributes:
        file: where it stands.
        account: IBAN or another identity of the account.
        currency: of the account, and so of every line.
        number: which statement of the account it is; None of an export, which has no number.
        opening: balance before the first line; None where the file says none.
        closing: balance after the last line; None where the file says none.
        opened_on: day of the opening balance.
        closed_on: day of the closing balance.
        lines: in the order of the bank.
    """

    file: str
    account: str
    currency: str
    number: str | None
    opening: Decimal | None
    closing: Decimal | None
    opened_on: date
    closed_on: date
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """How a person finds it."""
        which = f"statement {self.number}" if self.number else "the export"
        return f"{which} of account {self.account} up to {self.closed_on}"

    def prove(self) -> None:
        """Opening balance + lines = closing balance.

        Raises:
            StatementRefused: it is not; the message has the figures.
        """
        if self.opening is None or self.closing is None:
            return
        moved = sum((line.amount for line in self.lines), Decimal(0))
        off = self.closing - self.opening - moved
        if off:
            raise StatementRefused(
                f"{self.file}: {self.name} does not add up: opening {self.opening:f} + {len(self.lines)} lines"
                f" {moved:f} = {self.opening + moved:f} {self.currency}, but its closing balance is"
                f" {self.closing:f}, {off:+f} of it in no line. Nothing was landed; get the file from the bank"
                " again.",
                reason_code="wrong_balance",
            )


def currency_code(text: str | None, where: str) -> str:
    """An ISO 4217 code.

    Raises:
        StatementRefused: it is none.
    """
    code = (text or "").strip()
    if len(code) != 3 or not (code.isascii() and code.isalpha() and code.isupper()):
        raise StatementRefused(f"{where}: {text!r} is no currency code such as EUR.", reason_code="bad_json")
    return code


def one_text(*parts: str | None) -> str:
    """What the bank says, as one line of words."""
    return " ".join(" ".join(part.split()) for part in parts if part and part.strip())
