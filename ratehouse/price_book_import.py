"""Importing the short camelCase form of a pricing configuration into a price book.

Belongs here: the models of that form and how each of its keys is written in the grammar of price books. Does
not belong here: the grammar itself (`price_book_model.py`). That form writes its numbers unquoted; they are
read from the literal text of the file, so none passes through a binary float.
"""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from ratehouse.price_book import PriceBook, parse_price_book
from ratehouse.price_book_source import (
    Currency,
    NumberText,
    Percent,
    Price,
    Source,
    Strict,
    Text,
    Units,
    plain,
    read_yaml,
    refusal,
    validate,
)

INTERVALS = {
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
    "annual": "year",
    "annually": "year",
}
ROUNDING = {"ceil": "up", "floor": "down", "nearest": "half_up"}


def _literal(value: object) -> object:
    """Take a number as it stands in the file; anything else is left to the field's own check."""
    if isinstance(value, NumberText):
        try:
            return Decimal(value)
        except InvalidOperation:
            return str(value)
    return value


def _day(value: str) -> dt.date:
    try:
        return dt.datetime.fromisoformat(value).date()
    except ValueError as error:
        raise refusal("bad_time", f"{value[:40]!r} is no date or instant in ISO 8601.") from error


ShortPrice = Annotated[Price, BeforeValidator(_literal)]
ShortUnits = Annotated[Units, BeforeValidator(_literal)]
ShortPercent = Annotated[Percent, BeforeValidator(_literal)]
ShortText = Annotated[Text, BeforeValidator(lambda value: str(value) if isinstance(value, str) else value)]


class _Short(Strict):
    model_config = ConfigDict(alias_generator=to_camel)


class ShortTier(_Short):
    """One plan."""

    id: ShortText
    name: ShortText | None = None
    base_price: ShortPrice = Decimal(0)
    currency: Currency = "USD"
    included_usage: dict[Text, ShortUnits] = Field(default_factory=dict)
    overage_rates: dict[Text, ShortPrice] = Field(default_factory=dict)
    features: list[ShortText] = Field(default_factory=list)
    custom_contract: StrictBool = False


class ShortTax(_Short):
    """Where tax comes from; a setting of the tenant here."""

    provider: Text = "table"
    default_rate: ShortPercent = Decimal(0)
    exempt_regions: list[Annotated[Text, Field(pattern="^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]] = Field(
        default_factory=list
    )


class ShortForm(_Short):
    """The whole file."""

    version: ShortText
    effective_date: Annotated[ShortText, AfterValidator(_day)]
    metering_window: Literal["daily", "weekly", "monthly", "quarterly", "yearly", "annual", "annually"] = (
        "monthly"
    )
    rounding_rule: Literal["ceil", "floor", "nearest"] | None = None
    tiers: Annotated[list[ShortTier], Field(min_length=1)]
    tax: ShortTax | None = None


@dataclass(frozen=True)
class Imported:
    """What a file became.

    Attributes:
        book: the checked price book.
        data: the same as plain data in the grammar of price books, in the order of the file.
        tenant: settings that belong in tenant.yaml, {} if none.
        notes: what a person should look at, one sentence each.
    """

    book: PriceBook
    data: dict[str, Any]
    tenant: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def yaml(self) -> str:
        """The text of the price book file."""
        return yaml.safe_dump(self.data, sort_keys=False, allow_unicode=True, width=110)


def import_price_book(path: Path) -> Imported:
    """Read a file in the short form, or one that is a price book already.

    Raises:
        PriceBookError: everything that is wrong, in `.errors`, each with file, line and key path.
    """
    data, lines = read_yaml(path, numbers_as_text=True)
    if "price_book" in data:
        data, lines = read_yaml(path)
        book = parse_price_book(data, file=str(path), lines=lines)
        return Imported(book, data | {"effective_from": book.effective_from})
    source = Source(str(path), lines)
    short = validate(ShortForm, data, source)
    if short is not None:
        _check(short, source)
    source.raise_any()
    assert short is not None
    notes: list[str] = []
    converted = _convert(short, notes)
    tenant = _tenant(short.tax, notes) if short.tax else {}
    return Imported(parse_price_book(converted, file=str(path)), converted, tenant, notes)


def _check(short: ShortForm, source: Source) -> None:
    seen: set[str] = set()
    for index, tier in enumerate(short.tiers):
        if tier.id in seen:
            source.add("duplicate_key", ("tiers", index, "id"), f"tier {tier.id!r} is there twice.")
        seen.add(tier.id)


def _convert(short: ShortForm, notes: list[str]) -> dict[str, Any]:
    currency = short.tiers[0].currency
    codes = dict.fromkeys(
        code for tier in short.tiers for code in (*tier.included_usage, *tier.overage_rates)
    )
    meter: dict[str, Any] = {"aggregation": "sum"}
    if short.rounding_rule is not None:
        meter["round_quantity"] = {"mode": ROUNDING[short.rounding_rule], "digits": 0}
    if codes:
        notes.append(
            f"Meters {', '.join(codes)} add up the quantity of events of the same name. "
            "Give a level, such as seats, `aggregation: max` or `time_weighted` and `persistent: true`."
        )
    return {
        "price_book": str(short.version),
        "effective_from": short.effective_date,
        "currency": currency,
        "meters": {str(code): copy.deepcopy(meter) for code in codes},
        "plans": {str(tier.id): _plan(tier, short, currency, notes) for tier in short.tiers},
    }


def _plan(tier: ShortTier, short: ShortForm, currency: str, notes: list[str]) -> dict[str, Any]:
    plan: dict[str, Any] = {
        "name": str(tier.name or tier.id),
        "interval": INTERVALS[short.metering_window],
    }
    if tier.features:
        plan["features"] = {str(feature): True for feature in tier.features}
    charges: dict[str, Any] = {}
    if tier.custom_contract and not tier.base_price:
        notes.append(f"Plan {tier.id} is a custom contract: its prices are overrides of each subscription.")
    else:
        price = _price(tier, currency, "flat", "amount", tier.base_price)
        charges["base"] = {"type": "recurring", "timing": "advance", **price}
    for code in dict.fromkeys((*tier.included_usage, *tier.overage_rates)):
        included, rate = tier.included_usage.get(code, Decimal(0)), tier.overage_rates.get(code)
        if rate is None:
            free = f"{code} has no overage rate, so usage above {plain(included)} is free."
            notes.append(f"Plan {tier.id}: {free}")
        charge = {"type": "usage", "meter": str(code), "included": plain(included)}
        name = f"{code}_usage" if code in charges else str(code)
        charges[name] = charge | _price(tier, currency, "per_unit", "unit_price", rate or Decimal(0))
    plan["charges"] = charges
    return plan


def _price(tier: ShortTier, currency: str, model: str, name: str, value: Decimal) -> dict[str, Any]:
    if tier.currency == currency:
        return {"model": model, name: plain(value)}
    return {"model": model, "prices_in": {tier.currency: {name: plain(value)}}}


def _tenant(tax: ShortTax, notes: list[str]) -> dict[str, Any]:
    rates = []
    for place in tax.exempt_regions:
        country, _, region = place.partition("-")
        rate = {"code": f"exempt_{place.lower().replace('-', '_')}", "country": country}
        rates.append({**rate, **({"region": region} if region else {}), "percent": "0"})
    if tax.default_rate:
        notes.append(
            f"tax.defaultRate {plain(tax.default_rate)} names no country: "
            "add a rate to tax.rates of tenant.yaml for each country that it is meant for."
        )
    return {"tax": {"provider": tax.provider, "rates": rates}}
