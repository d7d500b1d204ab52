"""CSV exports of a bank, by a map that says which column is what.

    account: DE89370400440532013000
    currency: EUR
    columns:
      booked_on: Buchungstag
      value_on: Wertstellung
      amount: Betrag                      # signed; or credit: Haben and debit: Soll
      balance: Saldo                      # after the line; proves that no line is missing
      reference: [Verwendungszweck, Kundenreferenz]
      counterparty: Name
      end_to_end_id: EndToEnd
    date_format: "%d.%m.%Y"               # default: ISO 8601
    decimal_mark: ","                     # default: a point
    newest_first: true                    # default: the oldest first

An export has no number of its own: a line is known by what it says and, among equal ones of a day, by its place. So an export
holds whole days, and two may overlap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from ingest.bank.statement import Line, Statement, StatementRefused, currency_code, one_text
from ingest.files import readers
from ratehouse import parsing

# An amount by its decimal mark: thousands are grouped by three or not at all, so 1234.56 is never read as 123,456.
_AMOUNTS = {
    ".": re.compile(r"[+-]?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]{1,4})?"),
    ",": re.compile(r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]{1,4})?"),
}
_BLANKS = str.maketrans("", "", " \u00a0\u202f'")


class MapRefused(StatementRefused):
    """A map that cannot be used; the text names the file and the key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BankColumns(_Strict):
    """Which column of the export is what."""

    value_on: str
    booked_on: str | None = None
    amount: str | None = None
    credit: str | None = None
    debit: str | None = None
    balance: str | None = None
    reference: Annotated[
        tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
    ] = ()
    counterparty: str | None = None
    end_to_end_id: str | None = None


class BankMap(_Strict):
    """A checked map; see the head of this module."""

    account: str = Field(min_length=1)
    currency: str
    columns: BankColumns
    date_format: str | None = None
    decimal_mark: Literal[".", ","] = "."
    newest_first: StrictBool = False


def load_map(path: Path) -> BankMap:
    """Read and check a map.

    Raises:
        MapRefused: it is missing, no YAML, or has a key or value that a map does not have.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = BankMap.model_validate(document)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MapRefused(f"The map {path} is no readable YAML: {' '.join(str(error).split())}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "it"
        raise MapRefused(f"The map {path}: {key}: {first['msg']}.", reason_code="unknown_key") from error
    currency_code(found.currency, f"The map {path}")
    columns = found.columns
    if (columns.amount is None) == (columns.credit is None and columns.debit is None):
        raise MapRefused(f"The map {path}: columns names either amount, or credit and debit.")
    return found


@dataclass(frozen=True)
class _Read:
    line: Line
    balance: Decimal | None
    at: str


def read_csv(path: Path, bank_map: BankMap) -> Statement:
    """The one statement that an export is.

    Raises:
        StatementRefused: a column is missing, a line cannot be read, or a balance does not follow from the one before.
    """
    columns = bank_map.columns
    named = [
        columns.value_on, columns.booked_on, columns.amount, columns.credit, columns.debit,
        columns.balance, *columns.reference, columns.counterparty, columns.end_to_end_id,
    ]  # fmt: skip
    needed = list(dict.fromkeys(name for name in named if name))

    def wanted(header: list[str]) -> list[str]:
        for name in needed:
            if name not in header:
                raise MapRefused(f"{path} has no column {name}. Its columns are {', '.join(header)}.")
        return needed

    read = [
        _row(row, bank_map, f"{path}, line {row['_line']}")
        for frame in readers.read_csv(path, wanted)
        for row in frame.to_dicts()
    ]
    if not read:
        raise StatementRefused(f"{path} holds no line.")
    if bank_map.newest_first:
        read.reverse()
    _follow(read, bank_map.currency)
    opening = None if read[0].balance is None else read[0].balance - read[0].line.amount
    days = [one.line.booked_on or one.line.value_on for one in read]
    return Statement(
        file=str(path),
        account=bank_map.account,
        currency=bank_map.currency,
        number=None,
        opening=opening,
        closing=read[-1].balance,
        opened_on=min(days),
        closed_on=max(days),
        lines=tuple(one.line for one in read),
    )


def _follow(read: list[_Read], currency: str) -> None:
    """Each balance is the one before and its own line."""
    for before, one in pairwise(read):
        if before.balance is None or one.balance is None:
            continue
        off = one.balance - before.balance - one.line.amount
        if off:
            raise StatementRefused(
                f"{one.at}: balance {before.balance:f} + line {one.line.amount:f} ="
                f" {before.balance + one.line.amount:f} {currency}, but the balance after it is"
                f" {one.balance:f}, {off:+f} of it in no line. Nothing was landed; export whole days, and say"
                " newest_first in the map where the newest line stands first.",
                reason_code="wrong_balance",
            )


def _row(row: dict[str, str | None], bank_map: BankMap, at: str) -> _Read:
    if row.get("_code"):
        raise StatementRefused(f"{at}: {row['_reason']}", reason_code="bad_json")
    columns = bank_map.columns

    def text(name: str | None) -> str | None:
        return one_text(row[name]) or None if name else None

    def amount(name: str | None) -> Decimal | None:
        return None if text(name) is None else _amount(str(text(name)), bank_map.decimal_mark, at)

    def day(name: str | None) -> date | None:
        return None if text(name) is None else _day(str(text(name)), bank_map.date_format, at)

    value_on = day(columns.value_on)
    if value_on is None:
        raise StatementRefused(f"{at} has no {columns.value_on}.", reason_code="bad_time")
    signed = amount(columns.amount)
    if columns.amount is None:
        credit, debit = amount(columns.credit), amount(columns.debit)
        if credit is not None or debit is not None:
            # Some banks write debits with their sign, some without: the column says it.
            signed = (credit or Decimal(0)) - abs(debit or Decimal(0))
    balance = amount(columns.balance)
    if signed is None or (columns.balance and balance is None):
        raise StatementRefused(f"{at} has no amount or no balance.", reason_code="bad_number")
    return _Read(
        Line(
            amount=signed,
            value_on=value_on,
            booked_on=day(columns.booked_on),
            reference=one_text(*(row[name] for name in columns.reference)),
            counterparty=text(columns.counterparty),
            end_to_end_id=text(columns.end_to_end_id),
        ),
        balance,
        at,
    )


def _amount(text: str, mark: str, at: str) -> Decimal:
    """An amount in the bank's notation: its grouping is dropped, its mark is the point."""
    plain = text.translate(_BLANKS)
    if not _AMOUNTS[mark].fullmatch(plain):
        raise StatementRefused(
            f"{at}: {text!r} is no amount with the decimal mark {mark!r}.", reason_code="bad_number"
        )
    return Decimal(plain.replace("," if mark == "." else ".", "").replace(mark, "."))


def _day(text: str, form: str | None, at: str) -> date:
    try:
        found = datetime.strptime(text, form).date() if form else parsing.parse_date(text)
    except ValueError:
        found = None
    if found is None:
        raise StatementRefused(f"{at}: {text!r} is no day as {form or '2026-11-01'}.", reason_code="bad_time")
    return found
