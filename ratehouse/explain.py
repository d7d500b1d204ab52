"""Why a number is this number: an invoice line opened down to its rated charge, tiers, usage and events.

Belongs here: reading that chain from the serving file as typed values, for the terminal and the pages alike.
Does not belong here: any arithmetic that makes an amount (that is SQL, upstream) and how the chain is shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ratehouse.errors import RatehouseError
from ratehouse.money import minor_units

# An event's local day is at most this far from its UTC day.
_ZONE_MARGIN = timedelta(days=1)


class ExplainError(RatehouseError):
    """Nothing is published, or there is no such document or line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One issued line. Money is in the document's `currency`; `service_end` is exclusive, both days local."""

    tenant_id: str
    line_id: str
    line_no: int
    line_type: str
    description: str
    subscription_id: str | None
    plan: str | None
    plan_name: str | None
    charge: str | None
    model: str | None
    meter: str | None
    price_book: str | None
    dimensions: str
    service_start: date | None
    service_end: date | None
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    currency: str
    tax_code: str | None
    tax_percent: Decimal | None
    corrects_line_id: str | None
    cause_event_id: str | None
    slice_id: str | None
    rated_id: str | None

    @property
    def groups(self) -> dict[str, str]:
        """The dimensions of the line by name; empty where the charge does not split."""
        parsed = json.loads(self.dimensions) if self.dimensions else {}
        return {name: "none" if value is None else str(value) for name, value in parsed.items()}


@dataclass(frozen=True, slots=True)
class NoteUse:
    """Where a part of a credit note's value went: open_invoice, drawn or sent_back; `used_on` is a local day."""

    use: str
    number: str | None
    payment_id: str | None
    amount: Decimal
    used_on: date


@dataclass(frozen=True, slots=True)
class Document:
    """An issued document. The two clocks are those of its run (UTC).

    `uses` and `left` say where a credit note's value went and what is still to be drawn of it.
    """

    tenant_id: str
    invoice_id: str
    number: str
    kind: str
    status: str
    customer_id: str
    customer_name: str
    currency: str
    bill_date: date
    issued_on: date
    due_on: date | None
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    credits_applied: Decimal
    amount_due: Decimal
    corrects_number: str | None
    billing_as_of: datetime
    known_as_of: datetime
    timezone: str
    run_key: str
    content_hash: str
    lines: tuple[Line, ...]
    uses: tuple[NoteUse, ...] = ()
    left: Decimal | None = None

    def taxed(self, tax: Line) -> Decimal:
        """What a tax line is the tax of: the sum of the lines with its code and rate."""
        rate = (tax.tax_code, tax.tax_percent)
        taxed = (line for line in self.lines if line.line_type != "tax")
        return sum((line.amount for line in taxed if (line.tax_code, line.tax_percent) == rate), Decimal(0))

    def line(self, number: int) -> Line:
        """The line with this number.

        Raises:
            ExplainError: there is none.
        """
        for line in self.lines:
            if line.line_no == number:
                return line
        raise ExplainError(f"{self.number} has no line {number}; it has lines 1 to {len(self.lines)}.")


@dataclass(frozen=True, slots=True)
class Rated:
    """The charge as it is rated now. `minimum` and `maximum` are those of the whole charge and period."""

    model: str | None
    price_book: str
    quantity: Decimal
    included_quantity: Decimal
    unit_price: Decimal | None
    minimum: Decimal | None
    maximum: Decimal | None
    event_count: int
    amount_exact: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """One reached tier; it holds (lower_bound, up_to]. The amount is exact, unrounded."""

    number: int
    lower_bound: Decimal | None
    up_to: Decimal | None
    units: Decimal
    unit_price: Decimal | None
    flat_fee: Decimal
    package_size: Decimal | None
    per: Decimal | None
    amount_exact: Decimal


@dataclass(frozen=True, slots=True)
class Event:
    """One usage event and the value its meter reads from it, None where it finds none. Instants are UTC."""

    event_id: str
    event_type: str
    occurred_at: datetime
    local_day: date
    recorded_at: datetime
    value: Decimal | None
    properties: str


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of usage; `total`, `highest` and `lowest` are over the values read that day."""

    day: date
    events: int
    skipped: int
    total: Decimal
    highest: Decimal | None
    lowest: Decimal | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a line measured, as known when its document was issued.

    Attributes:
        aggregation: how the meter makes one quantity of the values.
        carries: whether the level at the end of the period before counts too.
        adds_up: whether the quantity is the sum of the values: no level carried over, no rounding.
        days: local days with usage, in order.
        first: the first events, in order of time.
    """

    aggregation: str
    carries: bool
    adds_up: bool
    days: tuple[Day, ...]
    first: tuple[Event, ...]

    @property
    def event_count(self) -> int:
        """Events behind the line, with those whose value could not be read."""
        return sum(day.events for day in self.days)

    @property
    def skipped(self) -> int:
        """Events whose value could not be read."""
        return sum(day.skipped for day in self.days)

    @property
    def total(self) -> Decimal:
        """Sum of the values."""
        return sum((day.total for day in self.days), Decimal(0))


@dataclass(frozen=True, slots=True)
class Billed:
    """An issued line of the same slice as another; `known_as_of` is that of its run (UTC)."""

    number: str
    line_no: int
    line_type: str
    quantity: Decimal | None
    amount: Decimal
    price_book: str | None
    cause_event_id: str | None
    bill_date: date
    known_as_of: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """What an adjustment corrects.

    Attributes:
        corrected: number and line of the line it points at.
        before: the lines issued for the same slice before it, in order.
        late_count: events of the slice that became known since the latest of them.
        late_total: sum of the values of those events.
        late: the first of those events.
        reasons: what differs, in words.
    """

    corrected: tuple[str, int] | None
    before: tuple[Billed, ...]
    late_count: int
    late_total: Decimal
    late: tuple[Event, ...]
    reasons: tuple[str, ...]

    @property
    def billed_before(self) -> Decimal:
        """What the earlier lines come to."""
        return sum((line.amount for line in self.before), Decimal(0))


@dataclass(frozen=True, slots=True)
class ByHand:
    """The adjustment that a line carries out: who asked, who approved, why. Instants are UTC."""

    adjustment_id: str
    reason_code: str | None
    reason: str | None
    requested_by: str | None
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    corrected_number: str | None
    corrected_line_no: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One line with everything behind it.

    Attributes:
        line: the line.
        rated: the charge as it is rated now; None where it is no longer owed or not rated (taxes, credits).
        tiers: the reached tiers of that rating.
        usage: None where nothing was metered.
        correction: None unless the line is an adjustment.
        later: lines that corrected the same slice afterwards; with any, `rated` is not what this line billed.
        by_hand: the adjustment that the line carries out; None unless a person asked for it.
    """

    line: Line
    rated: Rated | None
    tiers: tuple[Tier, ...]
    usage: Usage | None
    correction: Correction | None
    later: tuple[Billed, ...]
    by_hand: ByHand | None = None

    @property
    def owed(self) -> Decimal:
        """What the slice came to with this line."""
        return self.line.amount + (self.correction.billed_before if self.correction else Decimal(0))


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the serving file (`Settings.serving_path`) read-only, in UTC for all its cursors.

    For a process that ends with its question; one that stays must notice a new file (`dashboards.data`).

    Raises:
        ExplainError: nothing has been published yet.
    """
    if not path.exists():
        raise ExplainError(
            f"There is no serving file at {path}; `ratehouse run` or `ratehouse demo` publishes one."
        )
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("set global TimeZone = 'UTC'")
    return connection


def load_document(connection: duckdb.DuckDBPyConnection, tenant_id: str, number: str) -> Document:
    """Read one document with its lines.

    Raises:
        ExplainError: the tenant has no such document.
    """
    heads = _rows(connection, _DOCUMENT, tenant=tenant_id, number=number)
    if not heads:
        raise ExplainError(
            f"Tenant {tenant_id!r} has no document {number!r}; numbers are written as on the document."
        )
    lines = _rows(connection, _LINES, tenant=tenant_id, invoice=heads[0]["invoice_id"])
    head = heads[0]
    uses = _rows(connection, _USES, tenant=tenant_id, invoice=head["invoice_id"])
    left = _rows(connection, _LEFT, tenant=tenant_id, number=number)
    return Document(
        **head,
        lines=tuple(Line(**row) for row in lines),
        uses=tuple(NoteUse(**row) for row in uses),
        left=left[0]["remaining"] if left else None,
    )


def explain_line(
    connection: duckdb.DuckDBPyConnection, document: Document, line: Line, *, events: int | None = 5
) -> Explanation:
    """Open one line.

    Args:
        connection: the serving file.
        document: the document of the line; its `known_as_of` says which events had counted.
        line: one of its lines.
        events: how many events to list; None lists all.

    Raises:
        ExplainError: the lake that the events lie in cannot be read.
    """
    keys = {"tenant": line.tenant_id, "rated": line.rated_id}
    rated = [Rated(**row) for row in _rows(connection, _RATED, **keys)] if line.rated_id else []
    tiers = tuple(Tier(**row) for row in _rows(connection, _TIERS, **keys)) if rated else ()
    before, later = _billed(connection, document, line)
    correction = None
    by_hand = [ByHand(**row) for row in _rows(connection, _BY_HAND, tenant=line.tenant_id, line=line.line_id)]
    if line.line_type == "adjustment" and not by_hand:
        correction = _correction(connection, document, line, before, events)
    usage = _usage(connection, document, line, events) if line.slice_id else None
    return Explanation(
        line, rated[0] if rated else None, tiers, usage, correction, later, by_hand[0] if by_hand else None
    )


def line_events(
    connection: duckdb.DuckDBPyConnection,
    line: Line,
    *,
    known_until: datetime,
    known_after: datetime | None = None,
    day: date | None = None,
    limit: int | None = None,
) -> list[Event]:
    """The events behind a line in order of time.

    Args:
        connection: the serving file.
        line: a line with a slice.
        known_until: only events recorded up to this instant (UTC).
        known_after: only events recorded after this instant (UTC).
        day: only events of this local day.
        limit: at most so many.

    Raises:
        ExplainError: the lake that the events lie in cannot be read.
    """
    parameters = _event_parameters(connection, line, known_until, known_after, day)
    sql = _EVENTS + ("" if limit is None else f" limit {int(limit)}")
    return [Event(**row) for row in _rows(connection, sql, **parameters)]


def amount_text(amount: Decimal, currency: str) -> str:
    """An amount with the decimals of its currency, grouped: 1,234.50 (USD), 1,235 (JPY), 1,234.500 (KWD)."""
    return f"{amount:,.{minor_units(currency)}f}"


def number_text(value: Decimal) -> str:
    """A quantity, price or exact amount with the decimals it has, grouped."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _usage(
    connection: duckdb.DuckDBPyConnection, document: Document, line: Line, events: int | None
) -> Usage | None:
    meters = _rows(connection, _METER, tenant=line.tenant_id, slice=line.slice_id)
    if not meters:
        return None
    parameters = _event_parameters(connection, line, document.known_as_of)
    days = tuple(Day(**row) for row in _rows(connection, _DAYS, **parameters))
    first = line_events(connection, line, known_until=document.known_as_of, limit=events)
    return Usage(**meters[0], days=days, first=tuple(first))


def _billed(
    connection: duckdb.DuckDBPyConnection, document: Document, line: Line
) -> tuple[tuple[Billed, ...], tuple[Billed, ...]]:
    if not line.slice_id:
        return (), ()
    rows = _rows(
        connection,
        _SAME_SLICE,
        tenant=line.tenant_id,
        slice=line.slice_id,
        dimensions=line.dimensions,
        currency=line.currency,
    )
    own = next(place for place, row in enumerate(rows) if row["line_id"] == line.line_id)
    billed = [Billed(**{name: value for name, value in row.items() if name != "line_id"}) for row in rows]
    return tuple(billed[:own]), tuple(billed[own + 1 :])


def _correction(
    connection: duckdb.DuckDBPyConnection,
    document: Document,
    line: Line,
    before: Sequence[Billed],
    events: int | None,
) -> Correction:
    corrected = _rows(connection, _CORRECTED, tenant=line.tenant_id, line=line.corrects_line_id)
    late: list[Event] = []
    late_count, late_total = 0, Decimal(0)
    if before and line.meter:
        since = before[-1].known_as_of
        days = _rows(connection, _DAYS, **_event_parameters(connection, line, document.known_as_of, since))
        late_count = sum(day["events"] for day in days)
        late_total = sum((day["total"] for day in days), Decimal(0))
        late = line_events(
            connection, line, known_until=document.known_as_of, known_after=since, limit=events
        )
    return Correction(
        corrected=(corrected[0]["number"], corrected[0]["line_no"]) if corrected else None,
        before=tuple(before),
        late_count=late_count,
        late_total=late_total,
        late=tuple(late),
        reasons=tuple(_reasons(line, before, late_count)),
    )


def _reasons(line: Line, before: Sequence[Billed], late_count: int) -> list[str]:
    if line.rated_id is None:
        return ["no longer owed: the subscription's terms changed for these days"]
    reasons = []
    if late_count:
        events = "1 event" if late_count == 1 else f"{late_count:,} events"
        known = f"{before[-1].known_as_of:%Y-%m-%d %H:%M} UTC"
        reasons.append(f"{events} recorded after {known}, when {before[-1].number} was made")
    if before and line.price_book != before[-1].price_book:
        reasons.append(f"priced by book {line.price_book}, before by {before[-1].price_book}")
    if before and line.cause_event_id and line.cause_event_id != before[-1].cause_event_id:
        reasons.append(f"the subscription's terms changed by {line.cause_event_id}")
    return reasons or ["the facts of the period changed"]


def _event_parameters(
    connection: duckdb.DuckDBPyConnection,
    line: Line,
    known_until: datetime,
    known_after: datetime | None = None,
    day: date | None = None,
) -> dict[str, Any]:
    # As constants, so that the reader skips the files of other times. They are the slice's own: the days of a
    # correction may be those that were taken from it.
    (bounds,) = _rows(connection, _BOUNDS, tenant=line.tenant_id, slice=line.slice_id)
    if day is not None:
        midnight = datetime.combine(day, time(), UTC)
        bounds = {"earliest": midnight - _ZONE_MARGIN, "latest": midnight + 2 * _ZONE_MARGIN}
    return {
        "tenant": line.tenant_id,
        "slice": line.slice_id,
        "dimensions": line.dimensions,
        "known_until": known_until,
        "known_after": known_after,
        "day": day,
        **bounds,
    }


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    try:
        cursor = connection.execute(sql, _used(sql, parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except (duckdb.IOException, duckdb.HTTPException) as error:
        raise ExplainError(f"The events in the lake cannot be read: {error}") from error
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ExplainError(
            f"The serving file is older than this version; publish again with `ratehouse run`. ({error})"
        ) from error


def _used(sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if f"${name}" in sql}


_DOCUMENT = """
    select
        i.tenant_id, i.invoice_id, i.invoice_number as number, i.kind, i.status, i.customer_id,
        coalesce(i.bill_to_name, i.customer_id) as customer_name, i.currency, i.bill_date, i.issued_on,
        i.due_on, i.subtotal, i.discount, i.tax, i.total, i.credits_applied, i.amount_due,
        c.invoice_number as corrects_number, i.billing_as_of, i.known_as_of, i.timezone, i.run_key,
        i.content_hash
    from marts.invoices as i
    left join marts.invoices as c on c.tenant_id = i.tenant_id and c.invoice_id = i.corrects_invoice_id
    where i.tenant_id = $tenant and i.invoice_number = $number
"""

_LINES = """
    select
        tenant_id, line_id, line_no, line_type,
        coalesce(charge_description, charge, line_type) as description, subscription_id, plan, plan_name,
        charge, model, meter, price_book, coalesce(dimensions, '') as dimensions, service_start, service_end,
        quantity, unit_price, amount, currency, tax_code, tax_percent, corrects_line_id, cause_event_id,
        slice_id, rated_id
    from marts.invoice_lines
    where tenant_id = $tenant and invoice_id = $invoice
    order by line_no
"""

_USES = """
    select use, invoice_number as number, payment_id, amount, used_on
    from marts.credit_note_uses
    where tenant_id = $tenant and note_id = $invoice
    order by used_on, use, invoice_number
"""

_LEFT = """
    select remaining
    from marts.credit_balances
    where tenant_id = $tenant and grant_id = $number and kind = 'credit_note'
"""

_BY_HAND = """
    select
        a.adjustment_id, a.reason_code, a.reason, a.requested_by, a.requested_at, a.decided_by, a.decided_at,
        a.decision_reason, i.invoice_number as corrected_number, c.line_no as corrected_line_no
    from marts.invoice_lines as l
    inner join marts.adjustments as a on a.tenant_id = l.tenant_id and a.adjustment_id = l.adjustment_id
    left join marts.invoice_lines as c on c.tenant_id = l.tenant_id and c.line_id = l.corrects_line_id
    left join marts.invoices as i on i.tenant_id = c.tenant_id and i.invoice_id = c.invoice_id
    where l.tenant_id = $tenant and l.line_id = $line
"""

_RATED = """
    select
        model, price_book, quantity, included_quantity, unit_price, minimum, maximum, event_count,
        amount_exact, amount
    from marts.rated_charges
    where tenant_id = $tenant and rated_id = $rated
"""

_TIERS = """
    select tier as number, lower_bound, up_to, units, unit_price, flat_fee, package_size, per, amount_exact
    from marts.rated_tiers
    where tenant_id = $tenant and rated_id = $rated
    order by tier
"""

_METER = """
    select
        any_value(aggregation) as aggregation,
        bool_or(persistent) or any_value(aggregation) = 'time_weighted' as carries,
        any_value(aggregation) in ('sum', 'count')
        and not bool_or(
            persistent or round_mode is not null
            or (measured_per is not null and coalesce(over_windows, 'sum') <> 'sum')
        ) as adds_up
    from marts.metered_spans
    where tenant_id = $tenant and slice_id = $slice
    having count(*) > 0
"""

_BOUNDS = """
    select min(counts_from) as earliest, max(counts_until) as latest
    from marts.metered_spans
    where tenant_id = $tenant and slice_id = $slice
"""

_OF_SLICE = """
    from marts.metered_events
    where
        tenant_id = $tenant
        and slice_id = $slice
        and dimensions = $dimensions
        and occurred_at >= $earliest
        and occurred_at < $latest
        and recorded_at <= $known_until
        and ($known_after is null or recorded_at > $known_after)
        and ($day is null or local_day = $day)
"""

_DAYS = f"""
    select
        local_day as day,
        count(*) as events,
        count(*) filter (where value is null) as skipped,
        coalesce(sum(value), 0) as total,
        max(value) as highest,
        min(value) as lowest
    {_OF_SLICE}
    group by local_day
    order by local_day
"""

_EVENTS = f"""
    select event_id, event_type, occurred_at, local_day, recorded_at, value, properties
    {_OF_SLICE}
    order by occurred_at, event_id
"""

_SAME_SLICE = """
    select
        l.line_id, i.invoice_number as number, l.line_no, l.line_type, l.quantity, l.amount, l.price_book,
        l.cause_event_id, i.bill_date, i.known_as_of
    from marts.invoice_lines as l
    inner join marts.invoices as i on i.tenant_id = l.tenant_id and i.invoice_id = l.invoice_id
    where
        l.tenant_id = $tenant
        and l.slice_id = $slice
        and coalesce(l.dimensions, '') = $dimensions
        and l.currency = $currency
    order by i.billing_as_of, i.known_as_of, l.line_no
"""

_CORRECTED = """
    select i.invoice_number as number, l.line_no
    from marts.invoice_lines as l
    inner join marts.invoices as i on i.tenant_id = l.tenant_id and i.invoice_id = l.invoice_id
    where l.tenant_id = $tenant and l.line_id = $line
"""
