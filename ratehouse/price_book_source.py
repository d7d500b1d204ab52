"""Reading configuration files so that every mistake is shown with its file, line and key path.

Belongs here: the YAML reader that keeps line numbers and reads no floats, the error of the configuration
files, the exact decimal types that price books and tenant settings share, and the translation of pydantic's
findings. Does not belong here: what the keys mean (`price_book.py`, `tenant.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from ratehouse.errors import RatehouseError
from ratehouse.money import CURRENCIES

Path_ = tuple[str | int, ...]
LineMap = dict[Path_, int]
"""Key path -> line (1-based) of that key or list item in its file."""


class PriceBookError(RatehouseError):
    """A price book or tenant file that is refused.

    Attributes:
        reason_code: unknown_key, float_value, bad_tiers, unknown_meter, bad_number, bad_time, missing_key, ….
        file, line, key: where; line is None for data that came from no file, key is the dotted path.
        detail: what is wrong, without the place. fix: what to write instead, or "".
        errors: all that was found wrong in the same file, this error first.
    """

    def __init__(
        self,
        detail: str,
        *,
        reason_code: str,
        file: str,
        line: int | None = None,
        key: str = "",
        fix: str = "",
    ) -> None:
        """Compose the message from the place, what is wrong there, and the fix."""
        place = f"{file}:{line}" if line is not None else file
        message = f"{place}: {key}: {detail}" if key else f"{place}: {detail}"
        super().__init__(f"{message} {fix}".rstrip(), reason_code=reason_code)
        self.detail, self.file, self.line, self.key, self.fix = detail, file, line, key, fix
        self.errors: list[PriceBookError] = [self]


class Source:
    """One document being checked: collects its errors, raises them together."""

    def __init__(self, file: str, lines: LineMap | None = None) -> None:
        """Name the file, and the line of each of its keys where known."""
        self.file = file
        self.lines = lines or {}
        self.errors: list[PriceBookError] = []

    def add(self, reason_code: str, path: Sequence[str | int], detail: str, fix: str = "") -> None:
        """Record an error at a key path; the first finding at a place is the one shown."""
        key = ".".join(str(part) for part in path)
        if not any(error.key == key for error in self.errors):
            self.errors.append(
                PriceBookError(
                    detail,
                    reason_code=reason_code,
                    file=self.file,
                    line=self._line(tuple(path)),
                    key=key,
                    fix=fix,
                )
            )

    def _line(self, path: Path_) -> int | None:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def raise_any(self) -> None:
        """Raise the first error (by line, then as found), carrying all of them, if there is any."""
        if self.errors:
            ordered = sorted(self.errors, key=lambda error: error.line or 0)
            ordered[0].errors = ordered
            raise ordered[0]


# --- YAML --------------------------------------------------------------------------------------------------


class NumberText(str):
    """A number as it was written in a file, for formats that write numbers unquoted."""


class WrittenFloat(float):
    """A float of a file that remembers its digits, so that the message can say what to write."""

    text: str

    def __new__(cls, text: str) -> WrittenFloat:
        """Read the number; `.inf` and `.nan` are spelled as YAML does."""
        number = super().__new__(cls, text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        number.text = text
        return number


# The core schema of YAML 1.2: `on`, `yes` and the country NO stay text, 1:30 and 010 are no surprises, and
# dates stay text until a field asks for one.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_MAX_NODES = 200_000


class _Builder:
    """Turns a composed YAML tree into plain data and a line map."""

    def __init__(self, source: Source, numbers_as_text: bool) -> None:
        """Collect lines and errors in `source`."""
        self.source = source
        self.numbers_as_text = numbers_as_text
        self.open: set[int] = set()
        self.count = 0

    def build(self, node: yaml.Node, path: Path_) -> Any:
        self.source.lines.setdefault(path, node.start_mark.line + 1)
        self.count += 1
        if id(node) in self.open or self.count > _MAX_NODES:
            self.source.add("bad_yaml", path, "an alias that contains itself, or far too much data.")
            self.source.raise_any()
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            assert isinstance(node, yaml.MappingNode)
            return self._mapping(node, path)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key == "<<":
                self.source.lines[(*path, "<<")] = key_node.start_mark.line + 1
                self.source.add("unknown_key", (*path, "<<"), "keys are plain text; merge keys are not read.")
                continue
            if key in result:
                self.source.lines[(*path, key)] = key_node.start_mark.line + 1
                self.source.add("duplicate_key", (*path, key), "the key is written twice.")
                continue
            self.source.lines[(*path, key)] = key_node.start_mark.line + 1
            result[key] = self.build(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = node.value
        if node.style is not None:  # quoted or a block: text, whatever it looks like
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            if self.numbers_as_text:
                return NumberText(text)
            return int(text) if _INT.fullmatch(text) else WrittenFloat(text)
        return text


def read_yaml(path: Path, *, numbers_as_text: bool = False) -> tuple[dict[str, Any], LineMap]:
    """Read one YAML mapping with the line of every key.

    Args:
        path: the file.
        numbers_as_text: give unquoted numbers as `NumberText` (their literal text) instead of int and float.

    Raises:
        PriceBookError: unreadable file, no YAML, no mapping at the top, a key written twice.
    """
    source = Source(str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceBookError(f"cannot be read: {error}.", reason_code="unreadable", file=str(path)) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else None
        raise PriceBookError(
            f"no valid YAML: {problem}.", reason_code="bad_yaml", file=str(path), line=line
        ) from error
    if not isinstance(node, yaml.MappingNode):
        raise PriceBookError("must be a mapping of keys.", reason_code="bad_yaml", file=str(path), line=1)
    data = _Builder(source, numbers_as_text).build(node, ())
    source.raise_any()
    return data, source.lines


# --- field types -------------------------------------------------------------------------------------------

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def refusal(reason_code: str, text: str, at: Path_ = ()) -> PydanticCustomError:
    """Make the error that a validator raises; `at` is the place below the validated field."""
    return PydanticCustomError(reason_code, "{text}", {"text": text, "at": at})


def decimal_type(
    *,
    whole: int = 16,
    places: int = 12,
    minimum: Decimal | None = None,
    above: Decimal | None = None,
    maximum: Decimal | None = None,
) -> Any:
    """The type of an exact number written as text, such as "0.005".

    Args:
        whole: the most digits before the point.
        places: the most digits after it.
        minimum: the smallest value allowed.
        above: an exclusive lower bound.
        maximum: the largest value allowed.
    """

    def check(value: object) -> Decimal:
        if isinstance(value, Decimal):
            text = plain(value) if value.is_finite() else str(value)
        elif isinstance(value, str):
            text = value
        else:
            written = f', as in "{value}"' if isinstance(value, int) and not isinstance(value, bool) else ""
            raise refusal("bad_number", f"a number is written in quotes{written}.")
        if not _DECIMAL.fullmatch(text):
            raise refusal("bad_number", f"{text[:40]!r} is no plain decimal number, as in 12.50.")
        before, _, after = text.lstrip("-").partition(".")
        if len(before.lstrip("0")) > whole or len(after.rstrip("0")) > places:
            limit = f"{whole} digits before or {places} after the point"
            raise refusal("bad_number", f"{text[:60]} has more than {limit}.")
        number = Decimal(text)
        if (
            (minimum is not None and number < minimum)
            or (above is not None and number <= above)
            or (maximum is not None and number > maximum)
        ):
            bounds = [
                f"{word} {bound}"
                for word, bound in (("at least", minimum), ("above", above), ("at most", maximum))
                if bound is not None
            ]
            raise refusal("bad_number", f"{text} must be {' and '.join(bounds)}.")
        return number

    return Annotated[
        Decimal,
        BeforeValidator(check),
        WithJsonSchema({"type": "string", "pattern": f"^{_DECIMAL.pattern}$"}),
    ]


_ZERO, _HUNDRED = Decimal(0), Decimal(100)
Price = decimal_type()
Amount = decimal_type(whole=16, places=4)
PositiveAmount = decimal_type(whole=16, places=4, above=_ZERO)
Units = decimal_type(whole=18, places=10, minimum=_ZERO)
PositiveUnits = decimal_type(whole=18, places=10, above=_ZERO)
PositivePrice = decimal_type(above=_ZERO)
Percent = decimal_type(minimum=_ZERO, maximum=_HUNDRED)


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise refusal("bad_currency", f"{value[:20]!r} is no ISO 4217 currency code.")
    return value


def _date(value: object) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    no_date = refusal("bad_time", f"{str(value)[:40]!r} is no date, as in 2026-11-01.")
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise no_date
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise no_date from error


Text = Annotated[StrictStr, Field(min_length=1)]
Currency = Annotated[
    StrictStr, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})
]
Date = Annotated[dt.date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Count = Annotated[StrictInt, Field(ge=0, le=100_000)]
PositiveCount = Annotated[StrictInt, Field(ge=1, le=100_000)]


class Strict(BaseModel):
    """A part of a configuration file: unknown keys are refused, values are never coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def plain(value: Decimal) -> str:
    """The one text of a number: no exponent, no trailing zeros, so equal numbers are equal texts."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def as_document(value: Any) -> Any:
    """Give models, decimals and dates as JSON data, decimals as plain text, every default filled."""
    if isinstance(value, BaseModel):
        return {
            field.alias or name: as_document(getattr(value, name))
            for name, field in type(value).model_fields.items()
        }
    if isinstance(value, Mapping):
        return {str(key): as_document(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_document(item) for item in value]
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


# --- validation --------------------------------------------------------------------------------------------

_OWN_CODES = {
    "bad_number",
    "bad_currency",
    "bad_time",
    "bad_value",
    "bad_tiers",
    "bad_time_zone",
    "missing_key",
}
M = TypeVar("M", bound=BaseModel)


def find_floats(data: Any, source: Source, path: Path_ = ()) -> None:
    """Record every binary float of a document: money that went through one is no longer exact."""
    if isinstance(data, float):
        text = data.text if isinstance(data, WrittenFloat) else repr(data)
        source.add("float_value", path, f"{text} is a binary float.", f'Write it as text: "{text}".')
    elif isinstance(data, Mapping):
        for key, value in data.items():
            find_floats(value, source, (*path, str(key)))
    elif isinstance(data, (list, tuple)):
        for index, value in enumerate(data):
            find_floats(value, source, (*path, index))


def text_keys(data: Any) -> Any:
    """Give the same data with every key as text; YAML readers may give numbers, dates or booleans."""
    if isinstance(data, Mapping):
        return {key if isinstance(key, str) else str(key): text_keys(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [text_keys(item) for item in data]
    return data


def validate(model: type[M], data: Mapping[str, Any], source: Source, prefix: Path_ = ()) -> M | None:
    """Validate against a model, adding what is wrong to `source`; None if the shape is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            place = tuple(part for part in found["loc"] if part != "[key]")
            source.add(*_translate(found, (*prefix, *place)))
        return None


def _translate(found: Any, path: Path_) -> tuple[str, Path_, str, str]:
    kind, value = found["type"], found.get("input")
    if kind in _OWN_CODES:
        at = (found.get("ctx") or {}).get("at")
        return kind, (*path, *at) if at else path, found["msg"], ""
    if kind == "extra_forbidden":
        return "unknown_key", path, "unknown key.", ""
    if kind == "missing":
        return "missing_key", path, "the key is missing.", ""
    if kind == "literal_error":
        return "bad_value", path, f"{str(value)[:40]!r} is none of {found['ctx']['expected']}.", ""
    if kind == "string_type" and isinstance(value, (int, float, dt.date)) and not isinstance(value, bool):
        return "bad_value", path, f'must be text: write it in quotes, as in "{value}".', ""
    return "bad_value", path, f"{found['msg'][:1].lower()}{found['msg'][1:]}.", ""


def closest(name: str, known: Iterable[str]) -> str:
    """A hint of the nearest known name, or of all there are."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(names[:10])}." if names else "None is defined."
