"""One text for one JSON value, so that equal texts mean equal values.

Keys are sorted by code point, there are no blanks, non-ASCII characters stay, and a number is its exact
decimal value without exponent, trailing zeros or minus zero: 1, 1.0 and 1e0 are one text. No number passes
through a float. A key that occurs twice counts with its last value. Meaning (which keys there are, what they
say) does not belong here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any

import polars as pl

# 1e1000000000 is ten letters of JSON and a gigabyte of digits
_MAX_EXPONENT = 400
# texts handled one by one rather than by pattern
_FEW = 20_000
_MAX_SHAPES = 24
_MAX_KEYS = 40

_STRING = r'"[^"\\\x00-\x1f]*"'
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
_VALUE = rf"(?:{_STRING}|{_NUMBER}|true|false|null)"
_CANONICAL_NUMBER = r"(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])"
_CANONICAL_VALUE = rf"(?:{_STRING}|{_CANONICAL_NUMBER}|true|false|null)"
_PAIR = re.compile(rf"\s*({_STRING})\s*:\s*{_VALUE}\s*(,|\}}\s*$)")


class BadJson(ValueError):
    """No JSON, or JSON that has no exact and finite text; `reason_code` is bad_json or bad_number."""

    def __init__(self, message: str, reason_code: str = "bad_json") -> None:
        super().__init__(message)
        self.reason_code = reason_code


class _Number(str):
    """The canonical text of a number, told apart from a string."""

    __slots__ = ()


def number_text(text: str) -> str:
    """The canonical text of a decimal number, exact.

    Raises:
        BadJson: not finite, or so large or small that its digits would not fit (bad_number).
    """
    if text.isdigit() and text[0] != "0":
        return text
    try:
        value = Decimal(text)
        if not value.is_finite() or (value and abs(value.adjusted()) > _MAX_EXPONENT):
            raise BadJson(f"{text[:40]} is out of range", "bad_number")
    except InvalidOperation as error:
        raise BadJson(f"{text[:40]} is no number", "bad_number") from error
    if not value:
        return "0"
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def canonical(value: Any) -> str:
    """The canonical text of a Python value.

    dict, list, tuple, str, bool, None, int, float (by its shortest text), Decimal, date and datetime (ISO
    8601, an instant in UTC; one without a zone is UTC).

    Raises:
        BadJson: a number that is not finite, a key that is no text, a type that JSON does not have.
    """
    try:
        text = _dump(value)
        text.encode()
    except RecursionError as error:
        raise BadJson("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise BadJson("half of a surrogate pair is no character") from error
    return text


def canonical_text(text: str) -> str:
    """The canonical text of a JSON text.

    Raises:
        BadJson: it is no JSON.
    """
    return canonical(parse(text))


def parse(text: str | bytes) -> Any:
    """Python values of a JSON text; a number keeps its exact value as a text that only `canonical` reads.

    Raises:
        BadJson: it is no JSON.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson(str(error)) from error


def parse_exact(text: str | bytes) -> Any:
    """Python values of a JSON text with int for whole numbers and Decimal for the others.

    Raises:
        BadJson: it is no JSON.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_constant)
    except BadJson:
        raise
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise BadJson(str(error)) from error


def instant_text(value: datetime) -> str:
    """An instant as ISO 8601 in UTC with a Z; one without a zone is taken to be UTC."""
    utc = value.astimezone(UTC) if value.tzinfo else value
    return utc.replace(tzinfo=None).isoformat() + "Z"


def _number(text: str) -> _Number:
    return _Number(number_text(text))


def _constant(text: str) -> Any:
    raise BadJson(f"{text} is no JSON number", "bad_number")


# made once: json.loads with hooks would build a decoder for every text
_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_constant)


def _dump(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is _Number:
        return str(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadJson(f"{value} is no JSON number", "bad_number")
        return number_text(repr(float(value)))
    if isinstance(value, Decimal):
        return number_text(str(value))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise BadJson("a key is no text")
        return "{" + ",".join(f"{encode_basestring(key)}:{_dump(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, datetime):
        return f'"{instant_text(value)}"'
    if isinstance(value, date):
        return f'"{value.isoformat()}"'
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return "[" + ",".join(map(_dump, value)) + "]"
    raise BadJson(f"JSON has no {kind.__name__}")


def canonical_series(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The canonical texts of many JSON texts, and the reason codes of those that are no JSON (else null).

    Millions of flat objects of a few shapes (the properties of usage events) are rewritten by pattern, column
    by column; everything else goes through `canonical_text`, once per distinct text.
    """
    distinct = texts.drop_nulls().unique()
    if len(distinct) * 2 > len(texts):
        return _canonical_distinct(texts)
    done, codes = _canonical_distinct(distinct)
    mapping = pl.DataFrame({"text": distinct, "done": done, "code": codes})
    joined = pl.DataFrame({"text": texts}).join(mapping, on="text", how="left", maintain_order="left")
    return joined["done"], joined["code"]


def _canonical_distinct(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    frame = pl.DataFrame({"text": texts.cast(pl.String)}).with_row_index("row")
    todo = frame.filter(pl.col("text").is_not_null())
    done: list[pl.DataFrame] = []
    for _ in range(_MAX_SHAPES):
        if len(todo) <= _FEW:
            break
        keys = _flat_keys(todo["text"][0])
        if keys is None:
            # an unusual row must not hide a usual shape behind it: look at one from the middle instead
            keys = _flat_keys(todo["text"][len(todo) // 2])
            if keys is None:
                break
        rewritten = _rewrite(todo, keys)
        matched = rewritten["done"].is_not_null()
        if not matched.any():
            break
        done.append(rewritten.filter(matched).select("row", "done"))
        todo = todo.filter(~matched)
    out: list[str | None] = []
    codes: list[str | None] = []
    for text in todo["text"]:
        try:
            out.append(canonical_text(text))
            codes.append(None)
        except BadJson as error:
            out.append(None)
            codes.append(error.reason_code)
    rest = todo.select("row").with_columns(
        pl.Series("done", out, dtype=pl.String), pl.Series("code", codes, dtype=pl.String)
    )
    if not done and len(rest) == len(frame):
        return rest["done"], rest["code"]
    parts = [part.with_columns(pl.lit(None, dtype=pl.String).alias("code")) for part in done]
    parts.append(rest)
    merged = frame.select("row").join(pl.concat(parts), on="row", how="left", maintain_order="left")
    return merged["done"], merged["code"]


def _flat_keys(text: str) -> list[str] | None:
    """The keys (quoted, in the order of the text) of an object of simple values; None for anything else."""
    body = text.lstrip()
    if not body.startswith("{"):
        return None
    keys: list[str] = []
    position = 1
    while match := _PAIR.match(body, position):
        keys.append(match.group(1))
        position = match.end()
        if match.group(2) != ",":
            return keys if len(set(keys)) == len(keys) <= _MAX_KEYS else None
    return None


def _rewrite(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Column `done`: the canonical text of the rows that have exactly these keys in this order, else null."""
    order = sorted(range(len(keys)), key=lambda i: keys[i][1:-1])
    quoted = [pl.escape_regex(key) for key in keys]
    if order == list(range(len(keys))):
        canonical_form = r"^\{" + ",".join(f"{key}:{_CANONICAL_VALUE}" for key in quoted) + r"\}$"
        as_is = frame["text"].str.contains(canonical_form)
        if as_is.all():
            return frame.with_columns(pl.col("text").alias("done"))
        if as_is.any():
            rest = _extract(frame.filter(~as_is), quoted, keys, order)
            same = frame.filter(as_is).with_columns(pl.col("text").alias("done"))
            return pl.concat([same, rest]).sort("row")
    return _extract(frame, quoted, keys, order)


def _extract(frame: pl.DataFrame, quoted: list[str], keys: list[str], order: list[int]) -> pl.DataFrame:
    pattern = r"^\s*\{\s*" + r"\s*,\s*".join(rf"{key}\s*:\s*({_VALUE})" for key in quoted) + r"\s*\}\s*$"
    values = frame["text"].str.extract_groups(pattern).struct.unnest()
    pieces: list[pl.Expr] = []
    for place, index in enumerate(order):
        pieces.append(pl.lit(("," if place else "{") + keys[index] + ":"))
        pieces.append(_plain_number(values[str(index + 1)]))
    pieces.append(pl.lit("}"))
    return frame.with_columns(values.select(pl.concat_str(pieces).alias("done"))["done"])


def _plain_number(values: pl.Series) -> pl.Expr:
    """Numbers without trailing zeros and minus zero; texts begin with a quote and stay."""
    column = pl.col(values.name)
    if not values.str.contains(r"^-|^[0-9]+\.").any():
        return column
    return (
        column.str.replace(r"^(-?[0-9]+)\.0+$", "$1")
        .str.replace(r"^(-?[0-9]+\.[0-9]*[1-9])0+$", "$1")
        .str.replace(r"^-0$", "0")
    )


def object_series(fields: dict[str, pl.Series]) -> pl.Series:
    """Canonical JSON objects of columns; a null is left out: a column cannot tell null from absent.

    Text becomes a JSON string, numbers and booleans themselves (floats by their shortest text), dates and
    instants ISO 8601 text (UTC), structs and lists their own JSON. Binary is canonical JSON text already.
    What JSON cannot say (a float that is not finite) is written as NaN, so that `canonical_series` refuses
    the row.
    """
    if not fields:
        raise ValueError("an object needs at least one column")
    pieces = []
    for name in sorted(fields):
        value = _value_series(fields[name])
        pieces.append((pl.lit(encode_basestring(name) + ":") + pl.lit(value)).alias(name))
    frame = pl.select(
        pl.int_range(len(next(iter(fields.values()))), dtype=pl.UInt32).alias("_row")
    ).with_columns(pieces)
    body = pl.concat_str([pl.col(name) for name in sorted(fields)], separator=",", ignore_nulls=True)
    return frame.select((pl.lit("{") + body + pl.lit("}")).alias("object"))["object"]


def _value_series(values: pl.Series) -> pl.Series:
    kind = values.dtype
    if kind == pl.Null:
        return values.cast(pl.String)
    if kind == pl.Boolean or kind.is_integer():
        return values.cast(pl.String)
    if kind in (pl.String, pl.Categorical, pl.Enum):
        text = values.cast(pl.String)
        if text.str.contains(r'["\\\x00-\x1f]').any():
            return text.map_elements(encode_basestring, return_dtype=pl.String)
        return pl.select(pl.lit('"') + pl.lit(text) + pl.lit('"')).to_series()
    if kind == pl.Binary:
        return values.cast(pl.String)
    if isinstance(kind, pl.Struct):
        if not kind.fields:
            return pl.select(pl.when(pl.lit(values).is_not_null()).then(pl.lit("{}"))).to_series()
        inner = object_series({field.name: values.struct.field(field.name) for field in kind.fields})
        return pl.select(pl.when(pl.lit(values).is_not_null()).then(pl.lit(inner))).to_series()
    return pl.Series(values.name, [_or_nan(value) for value in values.to_list()], dtype=pl.String)


def _or_nan(value: Any) -> str | None:
    try:
        return None if value is None else canonical(value)
    except BadJson:
        return "NaN"
