"""Landing facts: rows in, accepted and rejected rows in the lake, nothing lost and nothing twice.

Only the shape of a row is judged here. What a fact means (duplicates and conflicts of events, forbidden
transitions, unknown plans) is SQL. Rejected rows are kept with a reason; `ratehouse.rejects` lands them again
after a fix.

A batch is identified by its stream and `batch_id`. Before its files a record of the batch goes to
`raw/batches`; with it a landing that was killed half way can be repeated on any later day with the same
result, file by file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa

from ratehouse import parsing
from ratehouse.canonical_json import BadJson, canonical, canonical_series, instant_text, object_series
from ratehouse.lake import Lake
from ratehouse.money import CURRENCIES, minor_units
from ratehouse.stream_schema import BATCHES, REJECTED, STREAMS, WIDTH, Column, Stream, empty

__all__ = ["STREAMS", "Checked", "Column", "Landed", "Stream", "check", "empty", "land", "reject_id"]

Rows = Sequence[Mapping[str, Any]] | pl.DataFrame

_FUTURE = timedelta(hours=1)
# What a reader of files knows about a row and the row itself does not say: where it stood, and if it could
# not be read as a row at all, the reason code, the column and sentence, and its text. Not part of the row.
_NOTES: dict[str, Any] = {
    "_file": pl.String,
    "_line": pl.Int64,
    "_code": pl.String,
    "_field": pl.String,
    "_reason": pl.String,
    "_raw": pl.String,
}
_JSON_KINDS = ("json", "object", "list")
_ARROW_SLICE = 1_000_000  # rows; a utf8 column of Arrow holds at most 2 GiB


@dataclass(frozen=True)
class Landed:
    """What became of a batch.

    Attributes:
        accepted: rows in the stream.
        rejected: rows in `raw/rejected`; two equal bad rows of one batch are one.
        reasons: rejected rows by reason code.
        batch_id: the batch.
        already_landed: the batch was in the lake, complete; nothing was written.
    """

    accepted: int
    rejected: int
    reasons: Counter[str]
    batch_id: str
    already_landed: bool = False


@dataclass(frozen=True)
class Checked:
    """The two halves of a batch, before anything is written.

    Attributes:
        accepted: rows with the stream's schema.
        rejected: rows with the schema `REJECTED`.
        positions: for each accepted row, its position in the input.
    """

    accepted: pa.Table
    rejected: pa.Table
    positions: list[int] = field(repr=False)


def land(
    lake: Lake,
    stream: str,
    rows: Rows,
    *,
    tenant_id: str | None,
    source: str,
    batch_id: str,
    received_at: datetime | None = None,
) -> Landed:
    """Check the rows and append the good ones to the stream, the others to `raw/rejected`.

    Landing a batch again changes nothing; if it was killed half way, landing it again completes it.

    Args:
        lake: where to.
        stream: a name of STREAMS.
        rows: dicts, or a frame whose columns are the stream's (text, or their own types; JSON as text or
            struct). A row may carry its own tenant_id, recorded_at and source, and `_file` and `_line` if it
            is from a file; one that a reader could not make sense of has `_code`, `_reason` and `_raw` (its
            text) instead of columns.
        tenant_id: the tenant of every row; None if the rows name theirs. With a tenant given, a row that
            names another is rejected.
        source: who sent the rows.
        batch_id: deterministic name of the batch; letters, digits and `_.=:@+-`.
        received_at: when they arrived (UTC; default now); `recorded_at` of the rows that carry none.

    Raises:
        LakeNotWritable: the lake takes no files. What is there of the batch is completed by landing it again.
    """
    contract = STREAMS[stream]
    name = f"{stream}__{batch_id}"
    received = _utc(received_at or datetime.now(UTC))
    begun = _batch(lake, name)
    if begun is not None:
        landed = _landed(begun, already=True)
        if all(
            lake.exists(*place[:2], partition=place[2]) for place in _places(begun, stream, batch_id, name)
        ):
            return landed
        received = begun["received_at"]
    if not len(rows):
        return Landed(0, 0, Counter(), batch_id)

    checked = check(stream, rows, tenant_id=tenant_id, source=source, batch_id=batch_id, received_at=received)
    partitions = _partitions(checked.accepted, contract)
    if begun is None:
        begun = {
            "batch_id": batch_id,
            "stream": stream,
            "source": source,
            "received_at": received,
            "accepted": checked.accepted.num_rows,
            "rejected": checked.rejected.num_rows,
            "reasons": canonical(Counter(checked.rejected["reason_code"].to_pylist())),
            "partitions": canonical(sorted(partitions)),
        }
        if not lake.write("raw/batches", name, pa.Table.from_pylist([begun], schema=BATCHES)):
            # another process began the same batch in the meantime: its clock counts
            return land(lake, stream, rows, tenant_id=tenant_id, source=source, batch_id=batch_id)
    if checked.rejected.num_rows:
        lake.write("raw/rejected", name, checked.rejected)
    for partition, table in sorted(partitions.items()):
        lake.write(f"raw/{stream}", batch_id, table, partition=partition)
    return _landed(begun, already=False)


def check(
    stream: str,
    rows: Rows,
    *,
    tenant_id: str | None,
    source: str,
    batch_id: str,
    received_at: datetime,
) -> Checked:
    """Judge the rows without writing anything; see `land` for the arguments."""
    contract = STREAMS[stream]
    frame = rows if isinstance(rows, pl.DataFrame) else _frame(contract, rows)
    unknown = set(frame.columns) - contract.accepted_keys - _NOTES.keys()
    if unknown:
        raise ValueError(f"{stream} has no column {', '.join(sorted(unknown))}")
    received = _utc(received_at)
    judged = _Judgement(frame)
    columns: dict[str, pl.Series] = {"tenant_id": _tenants(judged, tenant_id)}
    raw = {c.name: _raw(frame, c) for c in contract.columns}

    for column in contract.columns:
        if column.missing:
            absent = parsing.is_blank(raw[column.name])
            if column.optional_if:
                other, values = column.optional_if
                absent &= ~raw[other].is_in(list(values)).fill_null(False)
            judged.refuse(absent, column.missing, column.name)
    if contract.one_of:
        absent = (
            pl.Series([True]).new_from_index(0, len(frame)) if len(frame) else pl.Series([], dtype=pl.Boolean)
        )
        for one in contract.one_of:
            absent &= parsing.is_blank(raw[one])
        judged.refuse(absent, "missing_customer", contract.one_of[0])
    for column in sorted(contract.columns, key=lambda c: _ORDER[c.kind]):
        columns[column.name] = _read(judged, column, raw[column.name])
    for column in contract.columns:
        if column.whole_units:
            too_fine = _in_parts_of_a_unit(columns[column.name], columns["currency"])
            judged.refuse(too_fine, "bad_number", column.name)
    recorded = frame["recorded_at"] if "recorded_at" in frame.columns else _fill(len(frame), None, pl.String)
    columns["recorded_at"] = parsing.instants(recorded)
    judged.refuse(~parsing.is_blank(recorded) & columns["recorded_at"].is_null(), "bad_time", "recorded_at")
    columns["recorded_at"] = columns["recorded_at"].fill_null(received)
    if contract.max_bytes:
        for column in contract.columns:
            if columns[column.name].dtype == pl.String:
                too_large = columns[column.name].str.len_bytes() > contract.max_bytes
                judged.refuse(too_large.fill_null(False), "too_large", column.name)
    if contract.span:
        first, after = contract.span
        judged.refuse((columns[after] <= columns[first]).fill_null(False), "bad_time", after)
    if contract.future_of:
        ahead = columns[contract.future_of] > columns["recorded_at"] + _FUTURE
        judged.refuse(ahead.fill_null(False), "future_time", contract.future_of)
    if contract.by_received_day:
        columns["received_on"] = columns["recorded_at"].dt.date()
    own_source = (
        parsing.text(frame["source"]) if "source" in frame.columns else _fill(len(frame), None, pl.String)
    )
    columns["source"] = own_source.fill_null(source)
    columns["batch_id"] = _fill(len(frame), batch_id, pl.String)

    good = judged.code.is_null()
    everything = pl.DataFrame({name: columns[name].alias(name) for name in contract.schema.names})
    accepted = everything if good.all() else everything.filter(good)
    accepted = _derived(contract, accepted)
    return Checked(
        accepted=_arrow(accepted, contract.schema),
        rejected=_rejected(contract, rows, frame, judged, columns, batch_id),
        positions=good.arg_true().to_list() if not good.all() else list(range(len(frame))),
    )


def reject_id(
    tenant_id: str, stream: str, payload: str, file: str | None = None, line: int | None = None
) -> str:
    """The identity of a rejected row: the same row from the same place is one reject, however often sent."""
    identity = canonical([tenant_id, stream, payload, file, line])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


class _Judgement:
    """The first fault of each row: its reason code and the column it is about."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.code = frame["_code"] if "_code" in frame.columns else _fill(len(frame), None, pl.String)
        self.field = frame["_field"] if "_field" in frame.columns else _fill(len(frame), None, pl.String)
        self.frame = frame

    def refuse(self, rows: pl.Series, code: str | pl.Series, column: str) -> None:
        """Give these rows a reason code (one for all, or one each), unless an earlier check found one."""
        new = rows & self.code.is_null()
        if not new.any():
            return
        codes = code if isinstance(code, pl.Series) else _fill(len(rows), code, pl.String)
        self.code = codes.zip_with(new, self.code)
        self.field = _fill(len(rows), column, pl.String).zip_with(new, self.field)


# the order in which faults are looked for: a row with several has the code of the first
_ORDER = {
    kind: place
    for place, kind in enumerate(("text", "instant", "date", *WIDTH, "whole", "flag", *_JSON_KINDS))
}


def _read(judged: _Judgement, column: Column, raw: pl.Series) -> pl.Series:
    """One column read by its kind; values that cannot be read are refused."""
    blank = parsing.is_blank(raw)
    if column.default is not None and blank.any():
        # a frame may bring its own type, where a text default has no place: then read both and merge
        if raw.dtype == pl.String:
            raw, blank = raw.set(blank, column.default), _fill(len(raw), False, pl.Boolean)
        else:
            default = _read(judged, column, _fill(len(raw), column.default, pl.String))
            plain = _read(judged, Column(column.name, column.kind, choices=column.choices), raw)
            return plain.zip_with(~blank, default)
    code: str | pl.Series
    match column.kind:
        case "text":
            values, code = parsing.text(raw), "bad_json"
            if column.choices:
                judged.refuse(
                    (~values.is_in(list(column.choices))).fill_null(False), "unknown_key", column.name
                )
            if column.pattern:
                judged.refuse(
                    (~values.str.contains(f"^(?:{column.pattern[0]})$")).fill_null(False),
                    "unknown_key",
                    column.name,
                )
        case "instant":
            values, code = parsing.instants(raw), "bad_time"
        case "date":
            values, code = parsing.dates(raw), "bad_time"
        case "whole":
            values, code = parsing.wholes(raw), "bad_number"
        case "flag":
            values, code = parsing.flags(raw), "bad_json"
        case "json" | "object" | "list":
            values, code = _read_json(column, raw, blank)
        case _:
            values, code = parsing.decimals(raw, column.kind), "bad_number"
    if column.least is not None:
        judged.refuse((values < column.least).fill_null(False), "bad_number", column.name)
    judged.refuse(~blank & values.is_null(), code, column.name)
    return values


def _in_parts_of_a_unit(amounts: pl.Series, currencies: pl.Series) -> pl.Series:
    """Which amounts are no whole number of their currency's smallest unit; of an unknown currency nothing is known."""
    found = _fill(len(amounts), False, pl.Boolean)
    for digits in sorted(set(CURRENCIES.values())):
        of_digits = [currency for currency, own in CURRENCIES.items() if own == digits]
        found |= (currencies.is_in(of_digits) & (amounts.round(digits) != amounts)).fill_null(False)
    return found


def _read_json(column: Column, raw: pl.Series, blank: pl.Series) -> tuple[pl.Series, pl.Series]:
    if raw.dtype != pl.String:
        # struct or list: a field that is null is left out, since a column cannot tell it from an absent one
        texts = object_series({"v": raw}).str.slice(len('{"v":')).str.head(-1)
        texts = texts.set(raw.is_null(), None)
    else:
        texts = raw.set(blank, None) if blank.any() else raw
        if column.kind == "list":
            bare = ~texts.str.contains(r"^\s*[\[{]").fill_null(True)
            if bare.any():
                wrapped = pl.Series([None if t is None else canonical([t]) for t in texts], dtype=pl.String)
                texts = wrapped.zip_with(bare, texts)
    values, codes = canonical_series(texts)
    opening = {"object": "{", "list": "["}.get(column.kind)
    if opening:
        wrong = (~values.str.starts_with(opening)).fill_null(False)
        if wrong.any():
            values = values.set(wrong, None)
    return values, codes.fill_null("bad_json")


def _raw(frame: pl.DataFrame, column: Column) -> pl.Series:
    if column.name not in frame.columns:
        return _fill(len(frame), None, pl.String).alias(column.name)
    values = frame[column.name]
    if values.dtype == pl.Null:
        return values.cast(pl.String)
    return values.cast(pl.String) if values.dtype in (pl.Categorical, pl.Enum) else values


def _tenants(judged: _Judgement, tenant_id: str | None) -> pl.Series:
    size = len(judged.frame)
    own = (
        parsing.text(judged.frame["tenant_id"])
        if "tenant_id" in judged.frame.columns
        else _fill(size, None, pl.String)
    )
    if tenant_id is None:
        judged.refuse(own.is_null(), "missing_id", "tenant_id")
        return own.fill_null("")
    # whoever may write for one tenant must not write for another by naming it in a row
    judged.refuse((own != tenant_id).fill_null(False), "unknown_key", "tenant_id")
    return _fill(size, tenant_id, pl.String)


def _derived(contract: Stream, accepted: pl.DataFrame) -> pl.DataFrame:
    """Identities that the sender may leave out, made from the content."""
    names = [c.name for c in contract.columns]
    if "content_hash" in names:
        made = [hashlib.sha256(text.encode()).hexdigest() for text in accepted["document"]]
        return accepted.with_columns(pl.col("content_hash").fill_null(pl.Series(made, dtype=pl.String)))
    if contract.name == "contract_events" and accepted["event_id"].has_nulls():
        seen: Counter[str] = Counter()
        made = []
        for row in accepted.select("tenant_id", "contract_id", "type", "effective_on", "data").iter_rows():
            content = canonical(list(row))
            seen[content] += 1  # two equal deliveries of one day are two
            made.append("ce_" + hashlib.sha256(f"{content}#{seen[content]}".encode()).hexdigest()[:24])
        return accepted.with_columns(pl.col("event_id").fill_null(pl.Series(made, dtype=pl.String)))
    return accepted


def _frame(contract: Stream, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Dict rows as text columns, with the faults that only a dict can have (unknown key, wrong type)."""
    kinds: dict[str, str] = {c.name: c.kind for c in contract.columns}
    kinds |= {"tenant_id": "text", "recorded_at": "instant", "source": "text"}
    missing = {c.name: c.missing for c in contract.columns}
    columns: dict[str, list[str | None]] = {name: [None] * len(rows) for name in kinds}
    notes: dict[str, list[Any]] = {name: [None] * len(rows) for name in _NOTES}
    codes, fields = notes["_code"], notes["_field"]
    for index, row in enumerate(rows):
        for key, value in row.items():
            if value is None:
                continue
            kind = kinds.get(key)
            if kind is None:
                if key in _NOTES:
                    notes[key][index] = value
                elif codes[index] is None:
                    codes[index], fields[index] = "unknown_key", str(key)
                continue
            try:
                columns[key][index] = _cell(value, kind)
            except BadJson as fault:
                if codes[index] is None:
                    identity = kind == "text" and missing.get(key) in ("missing_id", "missing_customer")
                    codes[index] = missing[key] if identity else fault.reason_code
                    fields[index] = key
    data = {name: pl.Series(values, dtype=pl.String) for name, values in columns.items()}
    return pl.DataFrame(data | {name: pl.Series(notes[name], dtype=kind) for name, kind in _NOTES.items()})


def _cell(value: Any, kind: str) -> str:
    """One value of a dict row as the text its column is read from.

    Raises:
        BadJson: the value's type has no place in a column of this kind.
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadJson("half of a surrogate pair is no character") from error
        return value
    if kind in _JSON_KINDS:
        return canonical(value)
    if isinstance(value, bool):
        if kind == "flag":
            return "true" if value else "false"
    elif isinstance(value, datetime):
        return instant_text(value)
    elif isinstance(value, int | Decimal | date):
        return str(value)
    elif isinstance(value, float):
        if kind in ("money", "rate"):
            raise BadJson("money is written as text, never as a float", "float_value")
        if kind in ("quantity", "whole"):
            return repr(value)
    fallback = {"instant": "bad_time", "date": "bad_time", "text": "bad_json", "flag": "bad_json"}
    raise BadJson(f"a {type(value).__name__} has no place here", fallback.get(kind, "bad_number"))


def _rejected(
    contract: Stream,
    rows: Rows,
    frame: pl.DataFrame,
    judged: _Judgement,
    columns: dict[str, pl.Series],
    batch_id: str,
) -> pa.Table:
    """The refused rows, each with its payload as it arrived."""
    bad = judged.code.is_not_null()
    if not bad.any():
        return REJECTED.empty_table()
    where = bad.arg_true()
    payloads: list[Mapping[str, Any]] = (
        list(frame.filter(bad).select(pl.exclude(*_NOTES)).iter_rows(named=True))
        if isinstance(rows, pl.DataFrame)
        else [rows[index] for index in where]
    )
    notes = frame.filter(bad).select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in _NOTES.items()
    )
    found: dict[str, dict[str, Any]] = {}
    for payload, note, code, about, tenant, recorded, sent_by in zip(
        payloads,
        notes.iter_rows(named=True),
        judged.code.filter(bad),
        judged.field.filter(bad),
        columns["tenant_id"].filter(bad),
        columns["recorded_at"].filter(bad),
        columns["source"].filter(bad),
        strict=True,
    ):
        text = _payload(payload if note["_raw"] is None else {"_raw": note["_raw"]})
        identity = reject_id(tenant, contract.name, text, note["_file"], note["_line"])
        found.setdefault(
            identity,
            {
                "tenant_id": tenant,
                "stream": contract.name,
                "reason_code": code,
                "reason": note["_reason"] or _reason(contract, code, about, payload),
                "payload": text,
                "file": note["_file"],
                "line": note["_line"],
                "recorded_at": recorded,
                "source": sent_by,
                "batch_id": batch_id,
                "reject_id": identity,
            },
        )
    return pa.Table.from_pylist(list(found.values()), schema=REJECTED)


def _is_date(value: Any) -> bool:
    return isinstance(value, date) or not parsing.dates(pl.Series([str(value)])).has_nulls()


def _payload(row: Mapping[str, Any]) -> str:
    """The row as JSON; whatever JSON cannot say is kept as text, so that nothing of a bad row is lost."""
    kept: dict[str, str] = {}
    for key, value in row.items():
        if value is None or (key in _NOTES and key != "_raw"):
            continue
        try:
            text = canonical(value)
        except BadJson:
            text = canonical(repr(value) if not isinstance(value, float | str) else ascii(value).strip("'"))
        kept[str(key).encode("utf-8", "backslashreplace").decode()] = text
    return "{" + ",".join(f"{canonical(key)}:{kept[key]}" for key in sorted(kept)) + "}"


def _reason(contract: Stream, code: str, about: str, row: Mapping[str, Any]) -> str:
    """One sentence for the person who has to fix the row."""
    shown = ascii(row.get(about)) if not isinstance(row.get(about), str) else repr(row[about])
    shown = shown.encode("utf-8", "backslashreplace").decode()
    shown = shown if len(shown) <= 80 else shown[:79] + "…"
    column = next((c for c in contract.columns if c.name == about), None)
    if column is not None and column.missing == code and not str(row.get(about) or "").strip():
        return f"{about} is missing"
    if code == "unknown_key":
        if about == "tenant_id":
            return "tenant_id names another tenant than the one this batch is landed for"
        if column is not None and column.pattern:
            return f"{about} {shown} is not {column.pattern[1]}"
        if column is not None and column.choices:
            return f"{about} {shown} is not one of {', '.join(sorted(column.choices))}"
        return f"{contract.name} has no field {about}"
    if code == "bad_number" and column is not None and column.kind in WIDTH:
        if column.least is not None and str(row.get(about)).strip().startswith("-"):
            return f"{about} {shown} is below {column.least}"
        before, after = WIDTH[column.kind]
        if column.whole_units and parsing.decimal_text(str(row.get(about)), before, after) is not None:
            digits = minor_units(row["currency"])
            return f"{about} {shown} has more than the {digits} decimals of {row['currency']}; send what was really moved"
        width = f"at most {before} digits before the point and {after} after"
        return f"{about} {shown} is no finite number of {width}"
    if code == "bad_time" and contract.span and about == contract.span[1] and _is_date(row.get(about)):
        return f"{about} {shown} is not after {contract.span[0]}; it is the first day that is not in it"
    if code == "missing_customer" and contract.one_of:
        return f"{' and '.join(contract.one_of)} are missing"
    return {
        "missing_id": f"{about} is missing",
        "missing_key": f"{about} is missing",
        "missing_customer": f"{about} is missing",
        "bad_time": f"{about} {shown} is no ISO 8601 instant or date",
        "bad_number": f"{about} {shown} holds no usable number",
        "float_value": f"{about} {shown} is a float; write the amount as text",
        "too_large": f"{about} is longer than {contract.max_bytes} bytes",
        "future_time": f"{about} {shown} is more than an hour after recorded_at",
        "bad_json": f"{about} {shown} is not of the form that {about} needs"
        if column is None or column.kind not in _JSON_KINDS
        else f"{about} {shown} is no JSON{'' if column.kind == 'json' else ' ' + column.kind}",
    }[code]


def _partitions(accepted: pa.Table, contract: Stream) -> dict[str, pa.Table]:
    if not accepted.num_rows:
        return {}
    if not contract.by_received_day:
        return {"": accepted}
    days = sorted(accepted["received_on"].unique().to_pylist())
    if len(days) == 1:
        return {f"received_on={days[0]}": accepted}
    frame = pl.DataFrame(accepted)
    return {
        f"received_on={day}": _arrow(frame.filter(pl.col("received_on") == day), contract.schema)
        for day in days
    }


def _arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    pieces = [piece.to_arrow().cast(schema) for piece in frame.iter_slices(_ARROW_SLICE)]
    return pa.concat_tables(pieces) if pieces else schema.empty_table()


def _batch(lake: Lake, name: str) -> dict[str, Any] | None:
    if not lake.exists("raw/batches", name):
        return None
    return dict(lake.read_file(lake.path("raw/batches", name)).to_pylist()[0])


def _places(begun: dict[str, Any], stream: str, batch_id: str, name: str) -> list[tuple[str, str, str]]:
    places = [(f"raw/{stream}", batch_id, partition) for partition in json.loads(begun["partitions"])]
    return places + ([("raw/rejected", name, "")] if begun["rejected"] else [])


def _landed(begun: dict[str, Any], *, already: bool) -> Landed:
    reasons: Counter[str] = Counter(json.loads(begun["reasons"]))
    return Landed(begun["accepted"], begun["rejected"], reasons, begun["batch_id"], already_landed=already)


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _fill(size: int, value: Any, kind: Any) -> pl.Series:
    return pl.Series([value], dtype=kind).new_from_index(0, size)
