"""Price books: the versions of prices that finance edits, and the checked document that the SQL reads.

Belongs here: reading a version, negotiated overrides of single charges, the immutability of a version. Does
not belong here: any computation of an amount (SQL in `dbt_project/models/rating`); the grammar
(`price_book_model.py`, `price_book_checks.py`); other formats (`price_book_import.py`); comparing versions
(`price_book_diff.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ratehouse.price_book_checks import check_book, check_charge, check_meters_in_raw
from ratehouse.price_book_model import PRICE_FIELDS, Charge, PriceBook, merge_price
from ratehouse.price_book_source import (
    LineMap,
    PriceBookError,
    Source,
    closest,
    find_floats,
    read_yaml,
    text_keys,
    validate,
)

__all__ = [
    "Charge",
    "PriceBook",
    "PriceBookError",
    "check_against_lake",
    "load_price_book",
    "normalise_overrides",
    "parse_price_book",
]


def load_price_book(path: Path) -> PriceBook:
    """Read and check one price book file.

    Raises:
        PriceBookError: everything that is wrong, in `.errors`, each with file, line and key path.
    """
    data, lines = read_yaml(path)
    return parse_price_book(data, file=str(path), lines=lines)


def parse_price_book(
    data: Mapping[str, Any], *, file: str = "<data>", lines: LineMap | None = None
) -> PriceBook:
    """Check one price book given as data.

    Args:
        data: as in YAML or JSON; numbers as text, `effective_from` as text or date.
        file: where it came from, for messages.
        lines: line of each key in that file.

    Raises:
        PriceBookError: as `load_price_book`.
    """
    source = Source(file, lines)
    data = text_keys(data)
    find_floats(data, source)
    book = validate(PriceBook, data, source)
    if book is not None:
        check_book(book, source)
    else:
        check_meters_in_raw(data, source)
    source.raise_any()
    assert book is not None
    return book


# --- overrides ---------------------------------------------------------------------------------------------


def normalise_overrides(
    overrides: Mapping[str, Any],
    book: PriceBook,
    *,
    plan: str | None = None,
    currency: str | None = None,
    file: str = "overrides",
) -> dict[str, Any]:
    """Give the negotiated charges of one subscription in the normalised shape of a charge.

    An override that says `type` is a whole charge and replaces the plan's. One that does not, as in
    `{unit_price: "0.8"}`, starts from the plan's charge: keys given replace the plan's; once any price field
    is given, the plan's `prices` and `prices_in` are gone too, as the negotiated price is the price; another
    `model` drops the other price fields of the old one. A code the plan does not have is a charge at its end.

    Args:
        overrides: charge code -> charge or part of one.
        book: the version that prices the subscription.
        plan: its plan. Without it the charge is looked up in all plans of the book.
        currency: the subscription's, which the negotiated prices are in; default the book's.
        file: what to call the place in messages.

    Raises:
        PriceBookError: as for a price book, keys starting at the charge code; also unknown_plan.
    """
    source = Source(file)
    if plan is not None and plan not in book.plans:
        source.add("unknown_plan", (plan,), "there is no such plan.", closest(plan, book.plans))
        source.raise_any()
    plans = [book.plans[plan]] if plan is not None else list(book.plans.values())
    overrides = text_keys(overrides)
    find_floats(overrides, source)
    result: dict[str, Any] = {}
    after = max((len(each.charges) for each in plans), default=0)
    for code, given in overrides.items():
        homes = [each for each in plans if code in each.charges]
        if isinstance(given, Mapping) and "type" not in given:
            if not homes:
                source.add(
                    "missing_key", (code, "type"), "no plan has such a charge: it must be a whole one."
                )
                continue
            if any(each.charges[code] != homes[0].charges[code] for each in homes):
                source.add(
                    "missing_key", (code, "type"), "plans differ in this charge: it must be a whole one."
                )
                continue
            given = _completed(given, homes[0].charges[code])
        charge = validate(Charge, given, source, (code,))
        if charge is None:
            continue
        check_charge(charge, book, source, (code,))
        position = list(homes[0].charges).index(code) if homes else after
        after += not homes
        result[code] = charge.document(position, currency or book.currency, book.units)
    source.raise_any()
    return result


def _completed(given: Mapping[str, Any], charge: Charge) -> dict[str, Any]:
    base = charge.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    if any(name in given for name in PRICE_FIELDS):
        base = {name: value for name, value in base.items() if name not in ("prices", "prices_in")}
        own = {name: base.pop(name) for name in PRICE_FIELDS if name in base}
        base |= merge_price(own, {name: given[name] for name in PRICE_FIELDS if name in given})
    return {**base, **given}


# --- immutability ------------------------------------------------------------------------------------------


def check_against_lake(
    book: PriceBook,
    landed_documents: Iterable[Mapping[str, Any]],
    last_bill_date: dt.date | None,
    *,
    file: str = "<data>",
    lines: LineMap | None = None,
) -> bool:
    """Check a version against what the tenant has landed and billed already; False if it is there unchanged.

    Args:
        book: the version to land.
        landed_documents: normalised documents of the tenant's versions in the lake.
        last_bill_date: the latest bill date of a document issued by the tenant.
        file: where the book came from, for messages.
        lines: line of each key in that file.

    Raises:
        PriceBookError: version_changed; retroactive for a new version from before the last bill date.
    """
    source = Source(file, lines)
    document = book.document()
    for landed in landed_documents:
        if landed.get("price_book") != book.price_book:
            continue
        if landed == document:
            return False
        source.add(
            "version_changed",
            ("price_book",),
            f"version {book.price_book!r} is in use with other content.",
            "A new price is a new file with a new version.",
        )
    if last_bill_date is not None and book.effective_from < last_bill_date and not book.retroactive:
        source.add(
            "retroactive",
            ("effective_from",),
            f"{book.effective_from} is before the last bill date, {last_bill_date}.",
            "Write `retroactive: true` if that is meant.",
        )
    source.raise_any()
    return True
