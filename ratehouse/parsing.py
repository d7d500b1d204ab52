"""Reading columns as they arrive: instants, dates, exact decimals, whole numbers, flags.

Every function takes a column of any type and returns the typed column, null where there was nothing or
nothing readable; a value that was there and is null afterwards is the caller's to reject. Patterns read the
usual forms in bulk, the exact slow path reads each unusual text once. Decimals never pass through a float.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from ratehouse.stream_schema import WIDTH

INSTANT = pl.Datetime("us", "UTC")
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_UTC_WITH_T = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_TIME}Z$"
_BARE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_TIME}$"
_OFFSET = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_TIME}[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]$"
_FRACTION = re.compile(r"([.,])([0-9]{7,})")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def is_blank(column: pl.Series) -> pl.Series:
    """Null, or text of nothing but blanks."""
    if column.dtype == pl.String:
        return column.is_null() | ~column.str.contains(r"\S").fill_null(False)
    return column.is_null()


def text(column: pl.Series) -> pl.Series:
    """Text as it is; blank text is null. Numbers become their shortest text."""
    if column.dtype != pl.String:
        return column.cast(pl.String)
    blank = is_blank(column)
    return column.set(blank, None) if blank.any() else column


def parse_instant(value: str) -> datetime | None:
    """An ISO 8601 instant, UTC when it names no zone, cut to microseconds; None if it is none."""
    candidate = value.strip()
    # a date of digits only would read as something else in half of the world's files
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", candidate):
        return None
    try:
        # more than six digits of a fraction are cut by hand, since not every form of them is accepted
        parsed = datetime.fromisoformat(_FRACTION.sub(lambda m: "." + m.group(2)[:6], candidate, count=1))
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def instants(column: pl.Series) -> pl.Series:
    """Instants in UTC, to the microsecond, of the years 1 to 9999."""
    parsed = _instants(column)
    inside = parsed.is_between(_FIRST, _LAST)
    return parsed if inside.all() else parsed.set((~inside).fill_null(False), None)


def _instants(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        zoned = (
            column.dt.replace_time_zone("UTC")
            if kind.time_zone is None
            else column.dt.convert_time_zone("UTC")
        )
        return zoned.dt.cast_time_unit("us")
    if kind == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if kind != pl.String:
        return _nulls(column, INSTANT)
    return _by_forms(
        column,
        [
            (
                _UTC_WITH_T,
                lambda s: _bulk_instants(s.str.strip_suffix("Z").str.replace("T", " ", literal=True)),
            ),
            (_BARE, lambda s: _bulk_instants(s.str.replace("T", " ", literal=True))),
            (_OFFSET, _bulk_offsets),
        ],
        parse_instant,
        INSTANT,
    )


def _bulk_instants(column: pl.Series) -> pl.Series:
    parsed = column.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    return parsed.dt.replace_time_zone("UTC")


def _bulk_offsets(column: pl.Series) -> pl.Series:
    local = _bulk_instants(column.str.head(-6).str.replace("T", " ", literal=True))
    zone = column.str.tail(6)
    minutes = zone.str.slice(1, 2).cast(pl.Int64) * 60 + zone.str.slice(4, 2).cast(pl.Int64)
    sign = zone.str.starts_with("-").cast(pl.Int64) * 2 - 1
    return local + (sign * minutes * 60_000_000).cast(pl.Duration("us"))


def parse_date(value: str) -> date | None:
    """A date, or the date as written of an ISO 8601 instant; None if it is neither."""
    candidate = value.strip()
    try:
        return date.fromisoformat(candidate[:10]) if parse_instant(candidate) else None
    except ValueError:
        return None


def dates(column: pl.Series) -> pl.Series:
    """Dates; an instant counts with its date as written (of an instant column: in UTC)."""
    if column.dtype == pl.Date:
        return column
    if isinstance(column.dtype, pl.Datetime):
        return instants(column).dt.date()
    if column.dtype != pl.String:
        return _nulls(column, pl.Date)
    return _by_forms(
        column,
        [(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", lambda s: s.str.to_date("%Y-%m-%d", strict=False))],
        parse_date,
        pl.Date,
    )


def decimal_text(value: str, before: int, after: int) -> str | None:
    """The exact plain text of a finite decimal of so many digits before and after the point, else None."""
    candidate = value.strip()
    if not _DECIMAL.fullmatch(candidate):
        return None
    try:
        number = Decimal(candidate)
    except InvalidOperation:
        return None
    if not number:
        return "0"
    if number.adjusted() >= before:
        return None
    whole, _, fraction = format(number, "f").lstrip("-").partition(".")
    fraction = fraction.rstrip("0")
    if len(whole.lstrip("0")) > before or len(fraction) > after:
        return None
    return ("-" if number < 0 else "") + whole + ("." + fraction if fraction else "")


def decimals(column: pl.Series, kind: str) -> pl.Series:
    """Exact decimals of a kind of `stream_schema.WIDTH`; too wide, not finite or no number is null.

    A column of floats counts with the shortest text that reads back as the same float.
    """
    before, after = WIDTH[kind]
    target = pl.Decimal(before + after, after)
    if column.dtype.is_integer():
        fits = column.cast(pl.Int128).is_between(-(10**before) + 1, 10**before - 1)
        return column.set(~fits, None).cast(target) if not fits.all() else column.cast(target)
    if column.dtype.is_float() or column.dtype.is_decimal():
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        return _nulls(column, target)
    return _by_forms(
        column,
        [(rf"^-?[0-9]{{1,{before}}}(?:\.[0-9]{{1,{after}}})?$", lambda s: s.cast(target, strict=False))],
        lambda value: decimal_text(value, before, after),
        target,
    )


def wholes(column: pl.Series) -> pl.Series:
    """Whole numbers of 64 bits."""
    if column.dtype.is_integer():
        return column.cast(pl.Int64, strict=False)
    if column.dtype != pl.String:
        return _nulls(column, pl.Int64)

    def one(value: str) -> int | None:
        plain = decimal_text(value, 18, 0)
        return None if plain is None else int(plain)

    return _by_forms(column, [], one, pl.Int64)


def flags(column: pl.Series) -> pl.Series:
    """True or false, in any letter case."""
    if column.dtype == pl.Boolean:
        return column
    if column.dtype != pl.String:
        return _nulls(column, pl.Boolean)
    return _by_forms(
        column, [], lambda value: {"true": True, "false": False}.get(value.strip().lower()), pl.Boolean
    )


def _nulls(column: pl.Series, kind: Any) -> pl.Series:
    return pl.Series(column.name, [None], dtype=kind).new_from_index(0, len(column))


def _by_forms(
    column: pl.Series,
    forms: list[tuple[str, Callable[[pl.Series], pl.Series]]],
    slow: Callable[[str], Any],
    kind: Any,
) -> pl.Series:
    """Read a text column: each form in bulk, whatever fits none once per distinct text."""
    for pattern, read in forms:
        fits = column.str.contains(pattern)
        if fits.any():
            parsed = read(column if fits.all() else column.set(~fits.fill_null(False), None))
            # a text of the right form may still be no value (30 February), so nulls go on to the next reading
            open_ = column.is_not_null() & parsed.is_null()
            if not open_.any():
                return parsed
            rest = _by_forms(column.filter(open_), forms[1:], slow, kind)
            if not rest.is_not_null().any():
                return parsed
            return parsed.scatter(open_.arg_true(), rest)
    distinct = column.drop_nulls().unique()
    if distinct.is_empty():
        return _nulls(column, kind)
    values = pl.Series("value", [slow(value) for value in distinct], strict=False)
    typed = values.cast(kind) if values.dtype == pl.Null else _typed(values, kind)
    mapping = pl.DataFrame({"raw": distinct, "value": typed})
    joined = pl.DataFrame({"raw": column}).join(mapping, on="raw", how="left", maintain_order="left")
    return joined["value"].alias(column.name)


def _typed(values: pl.Series, kind: Any) -> pl.Series:
    if isinstance(kind, pl.Datetime):
        return values.dt.cast_time_unit("us").dt.convert_time_zone("UTC") if values.dtype != kind else values
    return values.cast(kind)
