"""The euro reference rates of the European Central Bank, from the file it publishes, into the stream `fx_rates`.

Belongs here: reading `eurofxref-hist.zip` (every day since 1999) and `eurofxref.zip` (the last day), zipped or
not. Does not belong here: which rate counts for a day; that is SQL, and it is the last one published.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.streams import Landed, land

BASE = "EUR"
SOURCE = "ecb"
_NONE = ("", "N/A")
_DAILY = "%d %B %Y"  # the file of one day writes 30 October 2026


class RatesError(RatehouseError):
    """A file that is no file of euro reference rates; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one euro cost on a day the bank published rates for; `rate` is its text, digit by digit."""

    rate_on: date
    quote: str
    rate: str


def read_rates(file: Path) -> Iterator[Rate]:
    """The rates of a file in its order; a currency that had none on a day has no row.

    Raises:
        RatesError: it is not of the form the bank publishes.
    """
    rows = csv.reader(io.StringIO(_text(file)))
    header = [name.strip() for name in next(rows, [])]
    if not header or header[0] != "Date" or not all(len(name) == 3 for name in header[1:] if name):
        raise RatesError(f"{file} holds no euro reference rates: its first line is not Date and currencies.")
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        on = _day(row[0].strip(), file, number)
        for quote, cell in zip(header[1:], row[1:], strict=False):
            rate = cell.strip()
            if quote and rate not in _NONE:
                yield Rate(on, quote, rate)


def import_rates(
    lake: Lake,
    file: Path,
    *,
    tenant_id: str,
    since: date | None = None,
    received_at: datetime | None = None,
) -> Landed:
    """Land the rates of a file for one tenant; landing the same file again changes nothing.

    Args:
        lake: where to.
        file: what the bank publishes.
        tenant_id: whose rates.
        since: only rates of this day and later.
        received_at: when they became known (UTC; default now).

    Raises:
        RatesError: see `read_rates`.
    """
    rates = [rate for rate in read_rates(file) if since is None or rate.rate_on >= since]
    rows = pl.DataFrame(
        {
            "base": [BASE] * len(rates),
            "quote": [rate.quote for rate in rates],
            "rate": [rate.rate for rate in rates],
            "rate_on": [rate.rate_on.isoformat() for rate in rates],
        },
        schema=dict.fromkeys(("base", "quote", "rate", "rate_on"), pl.String),
    )
    # Named by what was read: the same content is the same batch, whatever the file is called.
    content = hashlib.sha256(repr((tenant_id, rows.rows())).encode()).hexdigest()[:24]
    return land(
        lake, "fx_rates", rows,
        tenant_id=tenant_id, source=SOURCE, batch_id=f"ecb-{content}", received_at=received_at,
    )  # fmt: skip


def _text(file: Path) -> str:
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
                if len(names) != 1:
                    raise RatesError(f"{file} holds {len(names)} CSV files; the bank's archive holds one.")
                return archive.read(names[0]).decode("utf-8-sig")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise RatesError(f"{file} cannot be read: {error}") from error


def _day(text: str, file: Path, line: int) -> date:
    for form in ("%Y-%m-%d", _DAILY):
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise RatesError(f"{file}, line {line}: {text[:40]!r} is no day.")
