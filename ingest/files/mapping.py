"""Maps: which columns of a file make which columns of a stream.

    event_id: "{client_id}:{window_start_s}"       a template over the file's columns, or a constant
    quantity: {column: requests}                   the column as it is
    occurred_at: {column: start_s, unit: seconds, origin: 2026-01-01T00:00:00Z}
    occurred_at: {column: local_time, timezone: Europe/Paris, format: "%d/%m/%Y %H:%M"}
    properties: {model: model, size: {w: width}}   JSON: property: column, nested as the JSON shall be

A blank cell is an absent value: a template over it has no value, a property of it is left out. Numbers of a
file are never read as floats; a float column of a Parquet file counts with its shortest text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import yaml

from ratehouse import parsing
from ratehouse.canonical_json import canonical, number_text, object_series
from ratehouse.errors import RatehouseError
from ratehouse.stream_schema import STREAMS, Stream

_PART = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+")
_MICROSECONDS = {
    "nanoseconds": Decimal("0.001"),
    "microseconds": Decimal(1),
    "milliseconds": Decimal(1_000),
    "seconds": Decimal(1_000_000),
    "minutes": Decimal(60_000_000),
    "hours": Decimal(3_600_000_000),
    "days": Decimal(86_400_000_000),
}
_REFERENCE_KEYS = frozenset({"column", "unit", "origin", "timezone", "format"})
_JSON_KINDS = ("json", "object", "list")
# beside a text column of a JSON file: the same values as JSON text, of type Binary (see object_series)
JSON_SUFFIX = "\0json"
_NOTES = ("_file", "_line", "_code", "_field", "_reason", "_raw")


class MapError(RatehouseError):
    """A map that cannot be used; the text names the file, the key and the fix."""


@dataclass(frozen=True)
class Template:
    """Literal texts and column names in turn; a constant has no column."""

    parts: tuple[tuple[str, bool], ...]  # (text, is a column)


@dataclass(frozen=True)
class Reference:
    """One column of the file, and how an instant is written in it."""

    column: str
    unit: str | None = None
    origin: datetime | None = None
    timezone: str | None = None
    format: str | None = None


@dataclass(frozen=True)
class Shape:
    """A JSON object or array made of columns."""

    members: tuple[tuple[str, Any], ...]
    array: bool = False


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key may stand only once and a float may not stand at all."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise MapError(f"line {key_node.start_mark.line + 1}: a key must be a plain word")
        key = key_node.value
        if key in seen:
            raise MapError(
                f"line {key_node.start_mark.line + 1}: {key} stands twice; keep one",
                reason_code="unknown_key",
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _no_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    raise MapError(
        f"line {node.start_mark.line + 1}: write the number {node.value} in quotes; a float is not exact",
        reason_code="float_value",
    )


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_StrictLoader.add_constructor("tag:yaml.org,2002:float", _no_float)


@dataclass(frozen=True)
class FileMap:
    """A checked map of one stream.

    Attributes:
        stream: the stream it fills.
        fields: stream column -> Template, Reference or Shape.
        where: the map's file, for messages.
        content: canonical text of the map; a part of the identity of what is imported with it.
    """

    stream: Stream
    fields: Mapping[str, Template | Reference | Shape]
    where: str
    content: str

    @classmethod
    def load(cls, path: Path, stream: str) -> FileMap:
        """Read and check a map.

        Raises:
            MapError: the file is missing, no YAML, or names a column the stream does not have.
        """
        try:
            document = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 (a SafeLoader)
        except FileNotFoundError as error:
            raise MapError(f"There is no map {path}; give the path of a YAML file with --map.") from error
        except MapError as error:
            raise MapError(f"{path}: {error.message}.", reason_code=error.reason_code) from error
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise MapError(f"The map {path} is no readable YAML: {' '.join(str(error).split())}.") from error
        return cls.parse(document, stream, where=str(path))

    @classmethod
    def parse(cls, document: Any, stream: str, *, where: str = "<map>") -> FileMap:
        """Check a map that is already a Python value; see `load`."""
        contract = STREAMS[stream]
        if not isinstance(document, Mapping) or not document:
            raise MapError(f"{where}: a map is a list of `stream column: file column`; this one is empty.")
        kinds: dict[str, str] = {c.name: c.kind for c in contract.columns}
        kinds |= {"recorded_at": "instant", "source": "text"}
        fields = {}
        for key, value in document.items():
            if key not in kinds:
                hint = _near(str(key), kinds)
                raise MapError(
                    f"{where}: {stream} has no column {key}{hint}. It has {', '.join(sorted(kinds))}.",
                    reason_code="unknown_key",
                )
            fields[key] = _field(value, kinds[key], f"{where}: {key}")
        return cls(contract, fields, where, canonical(document))

    def columns(self) -> dict[str, list[str]]:
        """The file's columns that the map reads -> the stream columns made of them."""
        used: dict[str, list[str]] = {}
        for name, field in self.fields.items():
            for column in _columns(field):
                used.setdefault(column, []).append(name)
        return used

    def json_columns(self) -> set[str]:
        """The file's columns whose values become JSON values."""
        return {
            column for field in self.fields.values() if isinstance(field, Shape) for column in _columns(field)
        }

    def check_columns(self, available: list[str], file: str) -> None:
        """Raise MapError if the map names a column that the file does not have."""
        for column, makes in self.columns().items():
            if column not in available:
                raise MapError(
                    f"{self.where}: {makes[0]} is made of column {column}, which {file} does not have"
                    f"{_near(column, available)}. Its columns are {', '.join(available) or 'none'}.",
                    reason_code="unknown_key",
                )

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The stream's columns of these rows of a file; the notes about rows (`_line` …) stay.

        Args:
            frame: the columns that `columns()` names, of any type. One that is missing counts as blank.
        """
        kinds = {c.name: c.kind for c in self.stream.columns} | {"recorded_at": "instant"}
        made = {name: _make(field, frame, kinds.get(name, "text")) for name, field in self.fields.items()}
        notes = {name: frame[name] for name in _NOTES if name in frame.columns}
        return pl.DataFrame({name: values.alias(name) for name, values in (made | notes).items()})


def _field(value: Any, kind: str, where: str) -> Template | Reference | Shape:
    """Check one entry of a map."""
    if (
        isinstance(value, Mapping)
        and "column" in value
        and (kind not in _JSON_KINDS or set(value) <= _REFERENCE_KEYS)
    ):
        return _reference(value, kind, where)
    if isinstance(value, Mapping) and kind in _JSON_KINDS:
        members = tuple((str(key), _member(one, f"{where}.{key}")) for key, one in value.items())
        return Shape(members)
    if isinstance(value, list) and kind in _JSON_KINDS:
        if any(isinstance(one, list | Mapping) for one in value):
            raise MapError(
                f"{where}: an array is made of columns; bring nested facts as NDJSON without a map."
            )
        return Shape(
            tuple((str(i), _member(one, f"{where}[{i}]")) for i, one in enumerate(value)), array=True
        )
    if isinstance(value, Mapping | list) or value is None:
        raise MapError(f'{where}: write a template "{{column}}", a constant, or {{column: name}}.')
    return _template(value, where)


def _member(value: Any, where: str) -> Template | Reference | Shape:
    """One property: a column's name, a template (with braces), or a nested object or array."""
    if isinstance(value, str) and "{" not in value:
        return Reference(value)
    return _field(value, "object", where)


def _reference(value: Mapping[str, Any], kind: str, where: str) -> Reference:
    unknown = set(value) - _REFERENCE_KEYS
    if unknown:
        key = sorted(map(str, unknown))[0]
        raise MapError(f"{where}: unknown key {key}{_near(key, _REFERENCE_KEYS)}.", reason_code="unknown_key")
    if not isinstance(value["column"], str):
        raise MapError(f"{where}: column must be the name of a column of the file.")
    if len(value) > 1 and kind != "instant":
        raise MapError(f"{where}: unit, origin, timezone and format are for instants; remove them.")
    unit, zone, form = value.get("unit"), value.get("timezone"), value.get("format")
    if unit is not None and unit not in _MICROSECONDS:
        raise MapError(f"{where}: unit {unit} is none of {', '.join(_MICROSECONDS)}.")
    if unit is not None and (zone is not None or form is not None):
        raise MapError(
            f"{where}: unit counts from an instant, so timezone and format have no place beside it."
        )
    if "origin" in value and unit is None:
        raise MapError(f"{where}: origin needs a unit (seconds, milliseconds, …).")
    if zone is not None:
        try:
            ZoneInfo(str(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise MapError(f"{where}: {zone} is no IANA time zone (for example Europe/Paris).") from error
    if form is not None:
        try:
            pl.Series(["x"]).str.to_datetime(str(form), strict=False)
        except pl.exceptions.PolarsError as error:
            raise MapError(f'{where}: format {form!r} is no pattern such as "%d/%m/%Y %H:%M:%S".') from error
    return Reference(
        value["column"],
        unit=unit,
        origin=_origin(value.get("origin"), where) if unit else None,
        timezone=zone,
        format=form,
    )


def _origin(value: Any, where: str) -> datetime:
    if value is None:
        return datetime(1970, 1, 1, tzinfo=UTC)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    parsed = parsing.parse_instant(str(value))
    if parsed is None:
        raise MapError(f"{where}: origin {value} is no ISO 8601 instant.")
    return parsed


def _template(value: Any, where: str) -> Template:
    if isinstance(value, datetime | date):
        return Template(((value.isoformat(), False),))
    if isinstance(value, bool):
        return Template((("true" if value else "false", False),))
    if not isinstance(value, str):
        return Template(((str(value), False),))
    parts: list[tuple[str, bool]] = []
    for match in _PART.finditer(value):
        text = match.group(0)
        if match.group(1) is not None:
            parts.append((match.group(1).strip(), True))
        elif text in ("{", "}"):
            raise MapError(
                f"{where}: {value!r} has a lone brace; write {{{{ or }}}} for the character itself."
            )
        else:
            parts.append((text[0] if text in ("{{", "}}") else text, False))
    return Template(tuple(parts))


def _columns(field: Any) -> Iterator[str]:
    if isinstance(field, Reference):
        yield field.column
    elif isinstance(field, Template):
        yield from (text for text, is_column in field.parts if is_column)
    else:
        for _, member in field.members:
            yield from _columns(member)


def _make(field: Template | Reference | Shape, frame: pl.DataFrame, kind: str) -> pl.Series:
    if isinstance(field, Template):
        return _fill_template(field, frame)
    if isinstance(field, Shape):
        return _json(field, frame)
    values = _column(frame, field.column)
    if kind == "instant" and (field.unit or field.timezone or field.format):
        return _instant(values, field)
    if kind == "text":
        return _as_text(values)
    return parsing.text(values) if values.dtype == pl.String else values


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    if name in frame.columns:
        return frame[name]
    return pl.Series(name, [None], dtype=pl.String).new_from_index(0, len(frame))


def _as_text(values: pl.Series) -> pl.Series:
    """Cells as they read in a template: 17850.0 of a float column is 17850, an instant is ISO 8601 in UTC."""
    kind = values.dtype
    if kind.is_float() or kind.is_decimal():
        texts = [None if value is None or value != value else number_text(str(value)) for value in values]
        return pl.Series(values.name, texts, dtype=pl.String)
    if isinstance(kind, pl.Datetime):
        return parsing.instants(values).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return parsing.text(values)


def _fill_template(template: Template, frame: pl.DataFrame) -> pl.Series:
    cells = {text: _as_text(_column(frame, text)) for text, is_column in template.parts if is_column}
    if not cells:
        constant = "".join(text for text, _ in template.parts)
        return pl.Series([constant], dtype=pl.String).new_from_index(0, len(frame))
    pieces = [pl.col(text) if is_column else pl.lit(text) for text, is_column in template.parts]
    return pl.DataFrame(cells).select(pl.concat_str(pieces).alias("made"))["made"]


def _json(shape: Shape, frame: pl.DataFrame) -> pl.Series:
    """The JSON text of an object or array, row by row."""
    if not shape.members:
        return pl.Series(["[]" if shape.array else "{}"], dtype=pl.String).new_from_index(0, len(frame))
    if shape.array:
        return object_series({"v": _array(shape, frame)}).str.slice(len('{"v":')).str.head(-1)
    return object_series({name: _json_value(member, frame) for name, member in shape.members})


def _array(shape: Shape, frame: pl.DataFrame) -> pl.Series:
    members = pl.DataFrame({name: _make(member, frame, "text") for name, member in shape.members})
    return members.select(pl.concat_list(pl.all()).list.drop_nulls().alias("made"))["made"]


def _json_value(member: Template | Reference | Shape, frame: pl.DataFrame) -> pl.Series:
    if isinstance(member, Template):
        return _fill_template(member, frame)
    if isinstance(member, Shape):
        if member.array:
            return _array(member, frame)
        return pl.DataFrame({name: _json_value(one, frame) for name, one in member.members}).to_struct("made")
    if member.column + JSON_SUFFIX in frame.columns:
        return frame[member.column + JSON_SUFFIX]
    values = _column(frame, member.column)
    if values.dtype.is_float():
        return values.fill_nan(None)  # how pandas writes a missing number
    return parsing.text(values) if values.dtype == pl.String else values


def _instant(values: pl.Series, how: Reference) -> pl.Series:
    """Instants written as a count of units since an origin, in a pattern, or as local time.

    What cannot be read stays as its text with the rule beside it, for `land` to reject with that text.
    """
    if how.unit:
        made = _counted(values, how)
    else:
        texts = _as_text(values)
        if how.format:
            naive = texts.str.to_datetime(how.format, strict=False, time_unit="us")
            made = (
                naive.dt.replace_time_zone("UTC")
                if naive.dtype == pl.Datetime("us")
                else parsing.instants(naive)
            )
            local = pl.Series([naive.dtype == pl.Datetime("us")]).new_from_index(0, len(values))
        else:
            made = parsing.instants(values)
            local = _is_local(values)
        if how.timezone:
            # an hour that occurs twice is its first occurrence; one that does not occur is no instant
            zoned = (
                made.dt.replace_time_zone(None)
                .dt.replace_time_zone(how.timezone, ambiguous="earliest", non_existent="null")
                .dt.convert_time_zone("UTC")
            )
            made = zoned.zip_with(local, made)
    if not made.has_nulls():
        return made
    # with the rule beside it the text cannot be taken for an instant in UTC later on
    unread = _as_text(values) + f" ({how.format or how.timezone or how.unit})"
    return unread.zip_with(made.is_null(), made.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))


def _is_local(values: pl.Series) -> pl.Series:
    """Which instants name no zone; one that does means it, whatever the map says."""
    if values.dtype == pl.String:
        names_zone = values.str.contains(r":.*(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)\s*$")
        return ~names_zone.fill_null(False)
    zoned = isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None
    return pl.Series([not zoned]).new_from_index(0, len(values))


def _counted(values: pl.Series, how: Reference) -> pl.Series:
    origin = how.origin or datetime(1970, 1, 1, tzinfo=UTC)
    scale = _MICROSECONDS[how.unit or "seconds"]
    texts = values.cast(pl.String) if not values.dtype.is_float() else _as_text(values)

    def exact(text: str) -> datetime | None:
        try:
            return origin + timedelta(microseconds=int(Decimal(text.strip()) * scale))
        except (InvalidOperation, OverflowError, ValueError):
            return None

    # whole numbers in bulk, as far as they stay inside the calendar; the rest one by one
    limit = min(int(Decimal(10**17) / scale), 9 * 10**18)
    numbers = texts.set(~texts.str.contains(r"^-?[0-9]{1,19}$").fill_null(False), None).cast(
        pl.Int64, strict=False
    )
    near = numbers.is_between(-limit, limit).fill_null(False)
    if scale >= 1:
        micros = numbers.set(~near, None) * int(scale)
    else:
        near &= numbers >= 0  # integer division of a negative count would round the other way
        micros = numbers.set(~near, None) // int(1 / scale)
    start = pl.Series([origin], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(texts))
    made = start + micros.cast(pl.Duration("us"))
    rest = texts.filter(~near & texts.is_not_null())
    if rest.is_empty():
        return made
    slow = {text: exact(text) for text in rest.unique()}
    others = pl.Series(
        [slow.get(t) if t is not None else None for t in texts], dtype=pl.Datetime("us", "UTC")
    )
    return made.zip_with(near, others)


def _near(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
