"""The document a customer is sent, as typed values, and how it is read from the marts.

Belongs here: the dataclasses of an invoice or credit note and the set-based queries that fill them from
schema `marts` of the serving file. Does not belong here: words, formats, layout (see `formats`, `view`,
`render`), and arithmetic that decides an amount: that is SQL, upstream.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from ratehouse.errors import RatehouseError
from ratehouse.money import minor_units

Key = tuple[str, str]
"""(tenant_id, invoice_id): what names one document everywhere in this package."""

ZERO = Decimal(0)


class DocumentError(RatehouseError):
    """A document cannot be read or rendered: there is none, or the serving file is too old for this code."""


@dataclass(frozen=True, slots=True)
class Party:
    """Seller or buyer as printed. `address` holds the lines of the postal address, without the country."""

    name: str
    address: tuple[str, ...] = ()
    country: str | None = None
    tax_id: str | None = None
    details: tuple[tuple[str, str], ...] = ()
    """Further (key, value) facts of a legal entity, such as `email`, `website`, `iban`, `bic`, `bank`."""


@dataclass(frozen=True, slots=True)
class Branding:
    """How a tenant's documents look; all optional.

    Attributes:
        logo: a `data:` URL, or a path relative to the tenant's folder.
        accent_color: `#rgb` or `#rrggbb`; anything else is ignored.
        footer: one or more lines of text at the foot of every page.
    """

    logo: str | None = None
    accent_color: str | None = None
    footer: str | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """One reached tier of a rated charge; it holds (lower_bound, up_to]. Its amount is exact, unrounded."""

    number: int
    lower_bound: Decimal
    up_to: Decimal | None
    units: Decimal
    unit_price: Decimal | None
    flat_fee: Decimal
    amount: Decimal
    package_size: Decimal | None = None
    per: Decimal | None = None
    percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line. `service_end` is exclusive; `amount` is money in the document's currency."""

    line_id: str
    line_type: str
    title: str
    amount: Decimal
    subscription_id: str | None = None
    customer_id: str | None = None
    charge: str | None = None
    model: str | None = None
    unit_name: str | None = None
    dimensions: tuple[tuple[str, str], ...] = ()
    service_start: date | None = None
    service_end: date | None = None
    quantity: Decimal | None = None
    included_quantity: Decimal = ZERO
    unit_price: Decimal | None = None
    tax_code: str | None = None
    tax_percent: Decimal | None = None
    tax_treatment: str | None = None
    is_charged_anew: bool = False
    """Charged again without the tax that a certificate frees it of; another line takes back what was charged with it."""
    corrects_number: str | None = None
    tiers: tuple[Tier, ...] = ()
    beside_tiers: Decimal = ZERO
    """Exact amount of the charge minus that of its tiers: a minimum, maximum or discount at work."""


@dataclass(frozen=True, slots=True)
class LineGroup:
    """The lines of one subscription in ledger order; `subscription_id` None gathers what has none."""

    subscription_id: str | None
    plan: str | None
    customer: str | None
    """Name of the customer who owns the subscription, if the document is addressed to another."""
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        """Sum of the printed lines, in the document's currency."""
        return sum((line.amount for line in self.lines), ZERO)


@dataclass(frozen=True, slots=True)
class TaxAmount:
    """One tax line: its rate in percent, the net amount the rate applies to (None if unknown) and the tax."""

    code: str | None
    percent: Decimal | None
    basis: Decimal | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Exchange:
    """The rate that was fixed on a document: one `base` is `rate` `quote`, and the tax in the seller's currency at it."""

    base: str
    quote: str
    rate: Decimal
    rate_on: date
    source: str | None
    currency: str
    tax: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """An issued invoice or credit note, complete: rendering needs only this and the tenant's folder.

    Money is in `currency`, already rounded; a credit note's amounts are negative. Dates are the customer's.
    """

    tenant_id: str
    invoice_id: str
    number: str | None
    kind: str
    status: str
    language: str
    currency: str
    bill_date: date
    issued_on: date
    due_on: date | None
    seller: Party
    buyer: Party
    customer_id: str
    po_number: str | None
    groups: tuple[LineGroup, ...]
    subtotal: Decimal
    discount: Decimal
    discounts: tuple[tuple[str, Decimal], ...]
    """Discount lines summed by their description, as negative amounts; empty when there is none."""
    tax: Decimal
    taxes: tuple[TaxAmount, ...]
    total: Decimal
    credits_applied: Decimal
    amount_due: Decimal
    corrects: tuple[tuple[str, date | None], ...]
    """(number, issue date) of every invoice this document corrects, oldest first."""
    notes: tuple[str, ...]
    """Codes of the catalogue (`reverse_charge`, …) or free text."""
    branding: Branding
    content_hash: str | None
    discounts_by_rate: tuple[tuple[str, Decimal | None, str | None, Decimal], ...] = ()
    """Discount lines summed by description, rate and treatment of tax, as negative amounts (on a credit note, positive)."""
    exchange: Exchange | None = None
    certificates: tuple[str, ...] = ()
    """Numbers of the certificates under which lines are exempt."""
    """None on a document in the seller's own currency, and where no rate was published."""

    @property
    def is_draft(self) -> bool:
        """A draft has no number yet and may still change."""
        return self.status == "draft" or self.number is None

    @property
    def is_credit_note(self) -> bool:
        """True for a credit note."""
        return self.kind == "credit_note"

    @property
    def lines(self) -> Iterator[Line]:
        """All printed lines in order."""
        return (line for group in self.groups for line in group.lines)


@dataclass(frozen=True, slots=True)
class Heading:
    """What is needed to decide whether a document's file is up to date, without reading its lines."""

    tenant_id: str
    invoice_id: str
    number: str | None
    issued_on: date | None
    content_hash: str | None
    status: str
    branding: Branding


def connect_serving(path: Path, *, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open the serving file (`Settings.serving_path`) read-only.

    Raises:
        DocumentError: nothing has been published yet.
    """
    if not path.exists():
        raise DocumentError(
            f"There is no serving file at {path}. Run `ratehouse run` first: it publishes one."
        )
    config: dict[str, Any] = {"threads": threads} if threads else {}
    return duckdb.connect(str(path), read_only=True, config=config)


def find_invoices(
    connection: duckdb.DuckDBPyConnection,
    tenant_id: str | None,
    *,
    numbers: Sequence[str] | None = None,
    since_run: str | None = None,
) -> list[Key]:
    """Keys of issued documents, by number or by run, ordered by tenant, issue date, number.

    Args:
        connection: an open serving file.
        tenant_id: None means every tenant (only with `since_run`).
        numbers: invoice numbers; each must exist.
        since_run: run key; documents of that run and of the tenant's later runs.

    Raises:
        DocumentError: an unknown number or run.
    """
    if since_run is not None:
        known = connection.execute(
            "select 1 from marts.runs where run_key = $run and ($tenant is null or tenant_id = $tenant)",
            {"run": since_run, "tenant": tenant_id},
        ).fetchone()
        if known is None:
            raise DocumentError(f"There is no run {since_run!r}. `marts.runs` lists the runs there are.")
        rows = connection.execute(
            """
            select i.tenant_id, i.invoice_id
            from marts.invoices as i
            inner join marts.runs as r on r.tenant_id = i.tenant_id and r.run_key = i.run_key
            where ($tenant is null or i.tenant_id = $tenant)
                and i.status <> 'draft' and i.invoice_number is not null
                and r.issued_at >= (select min(s.issued_at) from marts.runs as s where s.run_key = $run)
            order by i.tenant_id, i.issued_on, i.invoice_number
            """,
            {"tenant": tenant_id, "run": since_run},
        ).fetchall()
        return [(str(tenant), str(invoice)) for tenant, invoice in rows]
    wanted = list(dict.fromkeys(numbers or ()))
    rows = connection.execute(
        """
        select i.tenant_id, i.invoice_id, i.invoice_number
        from marts.invoices as i
        where i.tenant_id = $tenant and i.invoice_number = any($numbers)
        order by i.tenant_id, i.issued_on, i.invoice_number
        """,
        {"tenant": tenant_id, "numbers": wanted},
    ).fetchall()
    missing = sorted(set(wanted) - {number for _, _, number in rows})
    if missing:
        raise DocumentError(f"Tenant {tenant_id!r} has no invoice {', '.join(missing)}.")
    return [(str(tenant), str(invoice)) for tenant, invoice, _ in rows]


def load_document(connection: duckdb.DuckDBPyConnection, tenant_id: str, invoice_id: str) -> InvoiceDocument:
    """Read one document. See `load_documents`."""
    return load_documents(connection, [(tenant_id, invoice_id)])[0]


def iter_documents(
    connection: duckdb.DuckDBPyConnection, keys: Iterable[Key], *, batch: int = 50
) -> Iterator[InvoiceDocument]:
    """Read any number of documents in constant memory: `batch` at a time, in the order of `keys`."""
    remaining = iter(keys)
    while chunk := list(islice(remaining, batch)):
        yield from load_documents(connection, chunk)


def load_headings(connection: duckdb.DuckDBPyConnection, keys: Sequence[Key]) -> list[Heading]:
    """What `store` must know about documents before it decides to load them; unknown keys are left out."""
    rows = _rows(connection, _HEADINGS, keys)
    return [
        Heading(
            row["tenant_id"], row["invoice_id"], row["invoice_number"], row["issued_on"], row["content_hash"],
            row["status"], branding_of(json_of(row["tenant_document"])),
        )
        for row in rows
    ]  # fmt: skip


def load_documents(connection: duckdb.DuckDBPyConnection, keys: Sequence[Key]) -> list[InvoiceDocument]:
    """Read documents with three queries, whatever their number, in the order of `keys`.

    Args:
        connection: an open serving file (schema `marts`).
        keys: (tenant_id, invoice_id) pairs.

    Raises:
        DocumentError: a key names no invoice of that tenant, or the serving file lacks a relation or column.
    """
    heads = _rows(connection, _HEADS, keys)
    found = {(head["tenant_id"], head["invoice_id"]): head for head in heads}
    for key in keys:
        if key not in found:
            raise DocumentError(f"Tenant {key[0]!r} has no invoice with id {key[1]!r}.")
    tiers: dict[tuple[str, str], list[Tier]] = defaultdict(list)
    for row in _rows(connection, _TIERS, keys):
        tiers[row["tenant_id"], row["rated_id"]].append(_tier(row))
    lines: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(connection, _LINES, keys):
        lines[row["tenant_id"], row["invoice_id"]].append(row)
    return [_document(found[key], lines[key], tiers) for key in keys]


# `?i.notes` stands for a column that a serving file may lack; it is null there.
_OPTIONAL = re.compile(r"\?(\w)\.(\w+)")
_RELATIONS = {"i": "invoices", "l": "invoice_lines"}
_KEYS = """
    with keys as (
        select
            unnest($tenants::varchar[]) as tenant_id,
            unnest($invoices::varchar[]) as invoice_id
    )
"""

_HEADINGS = (
    _KEYS
    + """
    select i.tenant_id, i.invoice_id, i.invoice_number, i.issued_on, i.content_hash, i.status,
        t.document as tenant_document
    from keys
    inner join marts.invoices as i on i.tenant_id = keys.tenant_id and i.invoice_id = keys.invoice_id
    left join marts.tenants as t on t.tenant_id = i.tenant_id
"""
)

_HEADS = (
    _KEYS
    + """
    select
        i.tenant_id, i.invoice_id, i.invoice_number, i.kind, i.status, i.language, i.currency, i.bill_date,
        i.issued_on, i.due_on, i.customer_id, i.po_number, i.bill_to_name, i.bill_to_address,
        i.bill_to_country, i.bill_to_tax_id, i.legal_entity, i.subtotal, i.discount, i.tax, i.total,
        i.credits_applied, i.amount_due, i.content_hash, ?i.notes as notes,
        ?i.fx_base as fx_base, ?i.fx_quote as fx_quote, ?i.fx_rate as fx_rate, ?i.fx_rate_on as fx_rate_on,
        ?i.fx_source as fx_source, ?i.functional_currency as functional_currency, ?i.functional_tax as functional_tax,
        t.name as tenant_name, t.document as tenant_document,
        c.invoice_number as corrects_number, c.issued_on as corrects_on
    from keys
    inner join marts.invoices as i on i.tenant_id = keys.tenant_id and i.invoice_id = keys.invoice_id
    left join marts.tenants as t on t.tenant_id = i.tenant_id
    left join marts.invoices as c on c.tenant_id = i.tenant_id and c.invoice_id = i.corrects_invoice_id
"""
)

_LINES = (
    _KEYS
    + """
    select
        l.tenant_id, l.invoice_id, l.line_id, l.line_no, l.customer_id, l.subscription_id, l.plan, l.charge,
        l.line_type, l.dimensions, l.service_start, l.service_end, l.quantity, l.unit_price, l.amount,
        l.currency, l.tax_code, l.tax_percent, l.charge_description, l.model, l.rated_id,
        ?l.certificate_number as certificate_number, ?l.tax_treatment as tax_treatment,
        ?l.replaces_line_id as replaces_line_id,
        ?l.description as description, ?l.unit_name as unit_name, ?l.plan_name as line_plan_name,
        r.plan_name, r.included_quantity, r.amount as rated_amount, r.amount_exact as rated_exact,
        corrected.invoice_number as corrects_number, corrected.issued_on as corrects_on,
        owner.name as customer_name
    from keys
    inner join marts.invoice_lines as l on l.tenant_id = keys.tenant_id and l.invoice_id = keys.invoice_id
    left join marts.rated_charges as r on r.tenant_id = l.tenant_id and r.rated_id = l.rated_id
    left join marts.invoice_lines as before
        on before.tenant_id = l.tenant_id and before.line_id = l.corrects_line_id
    left join marts.invoices as corrected
        on corrected.tenant_id = before.tenant_id and corrected.invoice_id = before.invoice_id
    left join marts.customers as owner on owner.tenant_id = l.tenant_id and owner.customer_id = l.customer_id
    order by l.tenant_id, l.invoice_id, l.line_no, l.line_id
"""
)

_TIERS = (
    _KEYS
    + """
    , rated as (
        select distinct l.tenant_id, l.rated_id
        from keys
        inner join marts.invoice_lines as l on l.tenant_id = keys.tenant_id and l.invoice_id = keys.invoice_id
        where l.rated_id is not null
    )

    select
        t.tenant_id, t.rated_id, t.tier, t.units, t.unit_price, t.flat_fee, t.amount_exact, t.up_to,
        t.lower_bound, t.package_size, t.per
    from rated
    inner join marts.rated_tiers as t on t.tenant_id = rated.tenant_id and t.rated_id = rated.rated_id
    order by t.tenant_id, t.rated_id, t.tier
"""
)


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, keys: Sequence[Key]) -> list[dict[str, Any]]:
    cursor = connection.cursor()
    if _OPTIONAL.search(sql):
        present = set(
            cursor.execute(
                "select table_name, column_name from information_schema.columns where table_schema = 'marts'"
            ).fetchall()
        )
        sql = _OPTIONAL.sub(
            lambda m: f"{m[1]}.{m[2]}" if (_RELATIONS[m[1]], m[2]) in present else "cast(null as varchar)",
            sql,
        )
    try:
        cursor.execute(
            sql, {"tenants": [tenant for tenant, _ in keys], "invoices": [invoice for _, invoice in keys]}
        )
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise DocumentError(
            f"The serving file does not have what documents need; build it again. {error}"
        ) from error
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def json_of(value: Any) -> Any:
    """A JSON column as a value; DuckDB hands out text for both VARCHAR and JSON."""
    return json.loads(value) if isinstance(value, str) and value.strip() else value or None


def branding_of(document: Any) -> Branding:
    """How a tenant's documents look, from its normalised settings."""
    branding = document.get("branding") if isinstance(document, Mapping) else None
    if not isinstance(branding, Mapping):
        return Branding()
    return Branding(*(_text(branding.get(name)) for name in ("logo", "accent_color", "footer")))


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def address_of(value: Any) -> tuple[str, ...]:
    """An address is a list of lines, one text with line breaks, or a map whose values are the lines."""
    value = json_of(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "{", '"') else value
    if isinstance(value, str):
        value = value.splitlines()
    elif isinstance(value, Mapping):
        value = value.values()
    return tuple(str(line) for line in value or () if line not in (None, ""))


def seller_of(row: Mapping[str, Any]) -> Party:
    """The seller of a row with legal_entity, tenant_name and tenant_id."""
    entity = json_of(row["legal_entity"])
    if not isinstance(entity, Mapping):
        entity = {}
    known = ("name", "address", "country", "tax_id")
    details: list[tuple[str, str]] = []
    for key, value in entity.items():
        if isinstance(value, Mapping):
            details += [(str(k), str(v)) for k, v in value.items() if v] if key not in known else []
        elif key not in known and isinstance(value, str) and value:
            details.append((str(key), value))
    return Party(
        name=_text(entity.get("name")) or row["tenant_name"] or row["tenant_id"],
        address=address_of(entity.get("address")),
        country=_text(entity.get("country")),
        tax_id=_text(entity.get("tax_id")),
        details=tuple(details),
    )


def _tier(row: Mapping[str, Any]) -> Tier:
    return Tier(
        number=row["tier"],
        lower_bound=row["lower_bound"] or ZERO,
        up_to=row["up_to"],
        units=row["units"] or ZERO,
        unit_price=row["unit_price"],
        flat_fee=row["flat_fee"] or ZERO,
        amount=row["amount_exact"] or ZERO,
        package_size=row["package_size"],
        per=row["per"],
    )


def _line(row: Mapping[str, Any], tiers: Sequence[Tier]) -> Line:
    dimensions = json_of(row["dimensions"])
    included, beside = row["included_quantity"] or ZERO, ZERO
    # The rated charge is as the facts are known today, the line as it was issued. Only where both still agree
    # do the tiers explain the line; a correction is a difference, which no tier table adds up to.
    if row["rated_amount"] != row["amount"] or row["line_type"] in (
        "adjustment",
        "credit",
        "discount",
        "tax",
    ):
        tiers, included = (), ZERO
    elif tiers:
        beside = row["rated_exact"] - sum((tier.amount for tier in tiers), ZERO)
    charge = _text(row["charge"])
    return Line(
        line_id=row["line_id"],
        line_type=row["line_type"],
        title=_text(row["charge_description"])
        or _text(row["description"])
        or _humanise(charge or row["line_type"]),
        amount=row["amount"],
        subscription_id=_text(row["subscription_id"]),
        customer_id=_text(row["customer_id"]),
        charge=charge,
        model=_text(row["model"]),
        unit_name=_text(row["unit_name"]),
        dimensions=tuple((str(k), "-" if v is None else str(v)) for k, v in (dimensions or {}).items()),
        service_start=row["service_start"],
        service_end=row["service_end"],
        quantity=row["quantity"],
        included_quantity=included,
        unit_price=row["unit_price"],
        tax_code=_text(row["tax_code"]),
        tax_percent=row["tax_percent"],
        tax_treatment=_text(row["tax_treatment"]),
        is_charged_anew=row["replaces_line_id"] is not None,
        corrects_number=_text(row["corrects_number"]),
        tiers=tuple(tiers),
        beside_tiers=beside,
    )


def _humanise(code: str) -> str:
    words = code.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _taxes(rows: Sequence[Mapping[str, Any]]) -> tuple[TaxAmount, ...]:
    """Tax lines with the net amount of the lines that carry the same rate, where those explain the tax."""
    net: dict[tuple[Any, Any], Decimal] = defaultdict(lambda: ZERO)
    by_rate: dict[Any, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        if row["line_type"] != "tax":
            net[row["tax_code"], row["tax_percent"]] += row["amount"]
            by_rate[row["tax_percent"]] += row["amount"]
    result = []
    for row in rows:
        if row["line_type"] == "tax":
            code, percent = row["tax_code"], row["tax_percent"]
            candidates = (net.get((code, percent)), by_rate.get(percent))
            # A sum that does not explain the tax (tax-inclusive prices, say) is not printed as its basis.
            near = 5 * Decimal(1).scaleb(-minor_units(row["currency"]))
            explains = (
                b
                for b in candidates
                if b is not None and abs(b * (percent or 0) / 100 - row["amount"]) <= near
            )
            basis = next(explains, None)
            result.append(TaxAmount(_text(code), percent, basis, row["amount"]))
    return tuple(result)


def _document(
    head: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    tiers: Mapping[tuple[str, str], Sequence[Tier]],
) -> InvoiceDocument:
    groups: dict[tuple[str | None, str | None], list[Mapping[str, Any]]] = {}
    discounts: dict[str, Decimal] = defaultdict(lambda: ZERO)
    by_rate: dict[tuple[str, Decimal | None, str | None], Decimal] = defaultdict(lambda: ZERO)
    corrects: dict[str, date | None] = {}
    if head["corrects_number"]:
        corrects[head["corrects_number"]] = head["corrects_on"]
    for row in rows:
        if row["corrects_number"]:
            corrects.setdefault(row["corrects_number"], row["corrects_on"])
        if row["line_type"] == "discount":
            name = _text(row["description"]) or _humanise(row["charge"] or "discount")
            discounts[name] += row["amount"]
            by_rate[name, row["tax_percent"], _text(row["tax_treatment"])] += row["amount"]
        elif row["line_type"] != "tax":
            groups.setdefault((_text(row["subscription_id"]), row["customer_id"]), []).append(row)
    return InvoiceDocument(
        tenant_id=head["tenant_id"],
        invoice_id=head["invoice_id"],
        number=_text(head["invoice_number"]),
        kind=head["kind"],
        status=head["status"],
        language=_text(head["language"]) or "en",
        currency=head["currency"],
        bill_date=head["bill_date"],
        issued_on=head["issued_on"] or head["bill_date"],
        due_on=head["due_on"],
        seller=seller_of(head),
        buyer=Party(
            name=_text(head["bill_to_name"]) or head["customer_id"],
            address=address_of(head["bill_to_address"]),
            country=_text(head["bill_to_country"]),
            tax_id=_text(head["bill_to_tax_id"]),
        ),
        customer_id=head["customer_id"],
        po_number=_text(head["po_number"]),
        groups=tuple(_group(head, members, tiers) for members in groups.values()),
        subtotal=head["subtotal"],
        discount=head["discount"],
        discounts=tuple(discounts.items()),
        tax=head["tax"],
        taxes=_taxes(rows),
        total=head["total"],
        credits_applied=head["credits_applied"],
        amount_due=head["amount_due"],
        corrects=tuple(sorted(corrects.items(), key=lambda item: (item[1] or date.min, item[0]))),
        notes=_notes(head["notes"]),
        branding=branding_of(json_of(head["tenant_document"])),
        content_hash=_text(head["content_hash"]),
        discounts_by_rate=tuple((*key, amount) for key, amount in by_rate.items()),
        exchange=_exchange(head),
        certificates=tuple(
            sorted(
                {
                    str(r["certificate_number"])
                    for r in rows
                    if r["certificate_number"] and r["tax_treatment"] == "exempt"
                }
            )
        ),
    )


def _exchange(head: Mapping[str, Any]) -> Exchange | None:
    if head["fx_rate"] is None:
        return None
    return Exchange(
        head["fx_base"], head["fx_quote"], head["fx_rate"], head["fx_rate_on"], head["fx_source"],
        head["functional_currency"], head["functional_tax"],
    )  # fmt: skip


def _group(
    head: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    tiers: Mapping[tuple[str, str], Sequence[Tier]],
) -> LineGroup:
    # The plan of the charges names the group; a correction may still speak of an older plan.
    plans = [
        row["line_plan_name"] or row["plan_name"] or _humanise(row["plan"] or "")
        for row in sorted(rows, key=lambda row: row["line_type"] == "adjustment")
    ]
    foreign = rows[0]["customer_id"] not in (None, head["customer_id"])
    return LineGroup(
        subscription_id=_text(rows[0]["subscription_id"]),
        plan=next((str(plan) for plan in plans if plan), None),
        customer=(rows[0]["customer_name"] or rows[0]["customer_id"]) if foreign else None,
        lines=tuple(_line(row, tiers.get((row["tenant_id"], row["rated_id"]), ())) for row in rows),
    )


def _notes(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", '"'):
        value = json_of(value)
    if isinstance(value, str):
        value = [value]
    return tuple(str(note) for note in value or () if note)
