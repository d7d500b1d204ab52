"""Tenants and price books on their way into the lake: the folder `tenants/` read, checked and landed as facts.

Belongs here: what a person edits becoming rows of `raw/tenants` and `raw/price_books`, and negotiated charges brought into the
same grammar. Does not belong here: the grammar itself (`price_book`, `tenant`) and any rule about amounts (SQL).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow.compute as pc

from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.ledger import ledger_files
from ratehouse.price_book import (
    PriceBook,
    PriceBookError,
    check_against_lake,
    load_price_book,
    normalise_overrides,
)
from ratehouse.settings import Settings
from ratehouse.streams import land
from ratehouse.tenant import Tenant, load_tenant

# A version is valid from its own date on; when its file was first seen says nothing about the prices in it.
KNOWN_FROM_THE_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Configuration:
    """What `tenants/` held: the tenants that are in order, and for each of the others what is wrong."""

    tenants: dict[str, Tenant] = field(default_factory=dict)
    books: dict[str, list[PriceBook]] = field(default_factory=dict)
    failures: dict[str, RatehouseError] = field(default_factory=dict)


def load_configuration(settings: Settings) -> Configuration:
    """Read every tenant folder. A tenant with a fault is left out and named with it; the others are unharmed.

    Raises:
        RatehouseError: there is no tenants folder.
    """
    if not settings.tenants_dir.is_dir():
        raise RatehouseError(
            f"There is no folder {settings.tenants_dir}; create it with one folder per tenant."
        )
    found = Configuration()
    for folder in sorted(path.parent for path in settings.tenants_dir.glob("*/tenant.yaml")):
        try:
            tenant = load_tenant(folder / "tenant.yaml")
            if tenant.tenant != folder.name:
                raise RatehouseError(
                    f"{folder / 'tenant.yaml'}: the tenant is called {tenant.tenant!r}, its folder {folder.name!r};"
                    " give both one name."
                )
            books = [load_price_book(path) for path in sorted(folder.glob("price_books/*.yaml"))]
        except RatehouseError as error:
            found.failures[folder.name] = error
            continue
        found.tenants[folder.name] = tenant
        found.books[folder.name] = books
    return found


def land_configuration(settings: Settings, lake: Lake) -> Configuration:
    """Land what `tenants/` says now; what has not changed lands nothing.

    A version that is in the lake with other content, or one that starts before the last bill date without saying
    `retroactive: true`, stops its tenant.
    """
    found = load_configuration(settings)
    landed = _landed_documents(lake)
    last_bill_dates = _last_bill_dates(lake)
    for name in list(found.tenants):
        try:
            for book in found.books[name]:
                check_against_lake(
                    book,
                    landed.get(name, []),
                    last_bill_dates.get(name),
                    file=str(settings.tenants_dir / name),
                )
        except RatehouseError as error:
            found.failures[name] = error
            del found.tenants[name], found.books[name]
            continue
        land_tenant(lake, name, found.tenants[name], found.books[name])
        land_negotiated_charges(lake, name, found.books[name])
    return found


def land_tenant(lake: Lake, tenant_id: str, tenant: Tenant, books: Iterable[PriceBook]) -> None:
    """Land one tenant's settings and price books."""
    rows = [tenant_row(tenant_id, tenant)]
    land(lake, "tenants", rows, tenant_id=tenant_id, source="tenants", batch_id=_batch(tenant_id, rows))
    for book in books:
        rows = [book_row(tenant_id, book)]
        land(
            lake, "price_books", rows, tenant_id=tenant_id, source="tenants", batch_id=_batch(tenant_id, rows)
        )


def tenant_row(tenant_id: str, tenant: Tenant) -> dict[str, Any]:
    """The row of `raw/tenants`; recorded on arrival, so that the latest settings hold."""
    document = tenant.document()
    return {"tenant_id": tenant_id, "document": document, "content_hash": _hash(document)}


def book_row(tenant_id: str, book: PriceBook) -> dict[str, Any]:
    """The row of `raw/price_books`."""
    document = book.document()
    return {
        "tenant_id": tenant_id,
        "price_book": document["price_book"],
        "effective_from": document["effective_from"],
        "document": document,
        "content_hash": _hash(document),
        "recorded_at": KNOWN_FROM_THE_START,
    }


def land_negotiated_charges(lake: Lake, tenant_id: str, books: Iterable[PriceBook]) -> None:
    """Bring the negotiated charges of landed subscription events into the grammar of a charge, once per event.

    An event whose charges break the grammar gets a row that says so; the fold refuses it with that reason.
    """
    known = lake.read("raw/negotiated_charges")
    done = (
        set(known.filter(pc.equal(known["tenant_id"], tenant_id))["event_id"].to_pylist())
        if known is not None
        else set()
    )
    table = lake.read("raw/subscription_events")
    if table is None:
        return
    events = (
        table.filter(pc.equal(table["tenant_id"], tenant_id))
        .sort_by([("effective_at", "ascending"), ("recorded_at", "ascending"), ("event_id", "ascending")])
        .to_pylist()
    )
    subscriptions = {
        event["subscription_id"]
        for event in events
        if event["event_id"] not in done and '"overrides"' in event["data"]
    }
    if not subscriptions:
        return
    customers = lake.read("raw/customers")
    currencies = {
        row["customer_id"]: row["currency"]
        for row in (
            customers.select(["tenant_id", "customer_id", "currency"]).to_pylist()
            if customers is not None
            else []
        )
        if row["tenant_id"] == tenant_id and row["currency"]
    }
    rows: dict[str, dict[str, Any]] = {}
    for subscription in sorted(subscriptions):
        history = [
            {**event, "data": json.loads(event["data"])}
            for event in events
            if event["subscription_id"] == subscription
        ]
        for length, event in enumerate(history, start=1):
            if "overrides" not in event["data"] or event["event_id"] in done | set(rows):
                continue
            row = {"event_id": event["event_id"], "recorded_at": event["recorded_at"]}
            try:
                *_, last = with_negotiated_charges(history[:length], books, currencies=currencies)
                rows[event["event_id"]] = {**row, "charges": last["data"]["overrides"]}
            except PriceBookError as error:
                rows[event["event_id"]] = {**row, "reason_code": error.reason_code, "reason": str(error)}
    batch = f"{tenant_id}-{_hash({'events': sorted(rows)})[:16]}"
    land(
        lake,
        "negotiated_charges",
        list(rows.values()),
        tenant_id=tenant_id,
        source="price_book",
        batch_id=batch,
    )


def with_negotiated_charges(
    events: Iterable[Mapping[str, Any]],
    books: Iterable[PriceBook],
    *,
    currencies: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Bring the `overrides` of subscription events into the grammar of a charge, checked against the book that prices them.

    Args:
        events: rows of subscription_events of one tenant, `data` as a mapping, in the order of their arrival.
        books: the tenant's price books.
        currencies: of customers that state one; a negotiated price is in its subscription's currency, which is the
            one the event names, else the customer's, else the book's.

    Raises:
        PriceBookError: an override breaks the grammar.
    """
    by_name = {book.document()["price_book"]: book for book in books}
    plans: dict[str, tuple[PriceBook | None, str | None, str | None]] = {}
    result = []
    for event in events:
        row, data = dict(event), dict(event.get("data") or {})
        subscription = str(row.get("subscription_id"))
        book, plan, own_currency = plans.get(subscription, (None, None, None))
        if row.get("type") == "created":
            book = by_name.get(str(data.get("price_book"))) or _book_in_force(
                by_name.values(), row.get("effective_at")
            )
            own_currency = data.get("currency") or (currencies or {}).get(str(row.get("customer_id")))
        if row.get("type") == "price_migrated":
            book = by_name.get(str(data.get("price_book"))) or book
        plan = data.get("plan") or plan
        plans[subscription] = (book, plan, own_currency)
        if data.get("overrides") and book is not None and not is_normalised(data["overrides"]):
            known_plan = plan if plan in book.plans else None
            data["overrides"] = normalise_overrides(
                data["overrides"],
                book,
                plan=known_plan,
                currency=own_currency,
                file=f"overrides of {subscription}",
            )
            row["data"] = data
        result.append(row)
    return result


def is_normalised(overrides: Mapping[str, Any]) -> bool:
    """Whether negotiated charges have been through `normalise_overrides` (which fills `splits`, no key of the grammar)."""
    return all(isinstance(charge, Mapping) and "splits" in charge for charge in overrides.values())


def _book_in_force(books: Iterable[PriceBook], effective_at: Any) -> PriceBook | None:
    day = str(effective_at)[:10] if not isinstance(effective_at, date) else effective_at.isoformat()[:10]
    in_force = [book for book in books if book.effective_from.isoformat() <= day]
    return max(in_force, key=lambda book: book.effective_from, default=None)


def _landed_documents(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    table = lake.read("raw/price_books")
    landed: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist() if table is not None else []:
        landed.setdefault(row["tenant_id"], []).append(json.loads(row["document"]))
    return landed


def _last_bill_dates(lake: Lake) -> dict[str, date]:
    last: dict[str, date] = {}
    for file in ledger_files(lake)["invoices"]:
        for row in lake.read_file(file).select(["tenant_id", "bill_date"]).to_pylist():
            last[row["tenant_id"]] = max(row["bill_date"], last.get(row["tenant_id"], row["bill_date"]))
    return last


def _hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _batch(tenant_id: str, rows: list[dict[str, Any]]) -> str:
    return f"{tenant_id}-{rows[0]['content_hash'][:16]}"
