"""The shape of a price book: its pydantic models and the normalised document of each.

Belongs here: which keys exist, their types and defaults, how `when` variants and currencies resolve into one
list of prices. Does not belong here: what must hold between keys (`price_book_checks.py`), reading and
landing (`price_book.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, StrictBool, field_validator
from pydantic_core import PydanticCustomError

from ratehouse.price_book_source import (
    Amount,
    Count,
    Currency,
    Date,
    Path_,
    Percent,
    PositiveAmount,
    PositiveCount,
    PositivePrice,
    PositiveUnits,
    Price,
    Strict,
    Text,
    Units,
    as_document,
    refusal,
)


def _scalar_text(value: object) -> object:
    """Event properties compare as JSON text, so `true` and `5` may be written as they stand."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


ValueText = Annotated[str, BeforeValidator(_scalar_text, json_schema_input_type=str | int | bool)]
Where = dict[Text, list[ValueText]]
Model = Annotated[
    Literal[
        "flat",
        "per_unit",
        "graduated",
        "volume",
        "stairstep",
        "package",
        "percentage",
        "graduated_percentage",
        "dynamic",
    ],
    BeforeValidator(
        lambda value: "stairstep" if value == "staircase" else value,
        json_schema_input_type=Literal[
            "flat",
            "per_unit",
            "graduated",
            "volume",
            "stairstep",
            "staircase",
            "package",
            "percentage",
            "graduated_percentage",
            "dynamic",
        ],
    ),
]


class Rounding(Strict):
    """How a quantity is rounded; negative digits round to tens, hundreds, thousands."""

    mode: Literal["up", "down", "half_up"]
    digits: Annotated[int, Field(strict=True, ge=-12, le=10)] = 0


class Meter(Strict):
    """What is measured: which events, which value of them, how they add up in a period."""

    event_type: Text | None = None
    aggregation: Literal["count", "sum", "max", "min", "latest", "average", "unique_count", "time_weighted"]
    property: Text | None = None
    where: Where = Field(default_factory=dict)
    where_not: list[Where] = Field(default_factory=list)
    multiply_by: Price = Decimal(1)
    round_each: Rounding | None = None
    dimensions: list[Text] = Field(default_factory=list)
    round_quantity: Rounding | None = None
    window: Literal["hour", "day"] | None = None
    over_windows: Literal["sum", "max", "average"] | None = None
    operation_property: Text | None = None
    reading: Literal["delta", "level"] = "delta"
    per: Literal["period", "hour", "day", "second"] = "period"
    persistent: StrictBool = False

    def document(self, code: str) -> dict[str, Any]:
        """The normalised meter: property and event type filled, dimensions sorted."""
        result: dict[str, Any] = as_document(self)
        result["event_type"] = self.event_type or code
        if self.property is None and self.aggregation != "count":
            result["property"] = "$quantity"
        if self.window is not None and self.over_windows is None:
            result["over_windows"] = "sum"
        result["dimensions"] = sorted(set(self.dimensions))
        return result


class Tier(Strict):
    """One row of a tier table; it holds the quantities above the previous `up_to`, its own included."""

    up_to: Units | None = None
    unit_price: Price | None = None
    flat_fee: Price | None = None
    amount: Price | None = None
    package_size: PositiveUnits | None = None
    percent: Price | None = None
    per: PositivePrice | None = None


class PriceFields(Strict):
    """The fields of the rating models; which of them a model takes is in `MODELS`."""

    model: Model | None = None
    amount: Price | None = None
    unit_price: Price | None = None
    package_size: PositiveUnits | None = None
    package_price: Price | None = None
    percent: Price | None = None
    fixed_fee: Price | None = None
    free_events: Units | None = None
    free_amount: Units | None = None
    event_minimum: Price | None = None
    event_maximum: Price | None = None
    amount_property: Text | None = None
    per: PositivePrice | None = None
    tiers: list[Tier] | None = None

    @field_validator("tiers")
    @classmethod
    def _ascending(cls, tiers: list[Tier] | None) -> list[Tier] | None:
        if tiers is None:
            return None
        if not tiers:
            raise _bad_tiers((), "there must be at least one tier.")
        for index, tier in enumerate(tiers):
            before = tiers[index - 1].up_to if index else None
            if tier.up_to is None and index < len(tiers) - 1:
                raise _bad_tiers((index, "up_to"), "only the last tier may be unbounded.")
            if tier.up_to is not None and before is not None and tier.up_to <= before:
                raise _bad_tiers(
                    (index, "up_to"), f"{tier.up_to} must be above the {before} of the tier before it."
                )
        return tiers


def _bad_tiers(at: Path_, text: str) -> PydanticCustomError:
    return refusal("bad_tiers", text, at)


class Variant(PriceFields):
    """A price for the groups of a dimension that `when` names; what it leaves out is the charge's own."""

    when: dict[Text, ValueText | None]
    prices_in: dict[Currency, PriceFields] = Field(default_factory=dict)


class Discount(Strict):
    """Percent off a charge, before its minimum and maximum."""

    percent: Percent


class Charge(PriceFields):
    """One thing a plan charges for."""

    type: Literal["recurring", "usage", "one_time"]
    timing: Literal["advance", "arrears"] | None = None
    quantity: Text | None = None
    meter: Text | None = None
    included: Units = Decimal(0)
    minimum: Price | None = None
    maximum: Price | None = None
    proration: Literal["inherit", "none"] = "inherit"
    negative: Literal["credit", "zero", "mirror"] = "credit"
    window: Literal["hour", "day"] | None = None
    charge_at_zero: StrictBool | None = None
    prorate: Literal["day"] | None = None
    discount: Discount | None = None
    in_: Annotated[Text | None, Field(alias="in")] = None
    tax_code: Text | None = None
    description: Text | None = None
    gl_account: Text | None = None
    ssp: Price | None = None
    recognise: Literal["ratable", "point_in_time", "as_invoiced"] | None = None
    recognise_months: PositiveCount | None = None
    on_increase: Literal["prorate", "full"] = "prorate"
    on_decrease: Literal["credit", "none"] | None = None
    on_demand: StrictBool = False
    prices: list[Variant] = Field(default_factory=list)
    prices_in: dict[Currency, PriceFields] = Field(default_factory=dict)

    def document(self, position: int, currency: str, units: Mapping[str, Unit]) -> dict[str, Any]:
        """The normalised charge.

        Args:
            position: its place on the invoice, from 0.
            currency: the currency that its own price is in.
            units: the pricing units of its book.
        """
        fields = Charge.model_fields.items()
        result = {
            f.alias or name: as_document(getattr(self, name)) for name, f in fields if name not in _PRICING
        }
        result |= {
            "position": position,
            "timing": self.timing or ("arrears" if self.type == "usage" else "advance"),
            # What was added for the whole period is given back only where the charge says so.
            "on_decrease": self.on_decrease or ("none" if self.on_increase == "full" else "credit"),
            "recognise": self.recognise or _RECOGNISE[self.type],
            "splits": bool(self.prices),
            "prices": [
                _price_document(index, of, when, fields)
                for index, (of, when, fields) in enumerate(self._resolved(currency, units))
            ],
        }
        return result

    def _resolved(
        self, currency: str, units: Mapping[str, Unit]
    ) -> Iterator[tuple[str, dict[str, str | None] | None, dict[str, Any]]]:
        """List prices as (currency, when, fields): per currency the variants in order, then the own price."""
        own = written(self)
        unit = units.get(self.in_) if self.in_ else None
        # A price in a unit of the seller's own holds in every currency that the unit has a rate for.
        same = [
            code for code in (unit.rates if unit else {}) if code != currency and code not in self.prices_in
        ]
        for code in dict.fromkeys((currency, *self.prices_in, *same)):
            local = own if code not in self.prices_in else merge_price(own, written(self.prices_in[code]))
            for variant in self.prices:
                merged = merge_price(own, written(variant))
                if code in variant.prices_in:
                    merged = merge_price(merged, written(variant.prices_in[code]))
                elif code in self.prices_in:
                    continue
                yield code, variant.when, merged
            if has_price(local):
                yield code, None, local


class Commitment(Strict):
    """What a period costs at least over the charges it names; the true-up is a line of type minimum."""

    amount: Amount
    prorate: StrictBool = True
    charges: list[Text] | None = None
    overage_factor: Units = Decimal(1)


class BillAtUsage(Strict):
    """Interim invoices when the running period's usage reaches a step."""

    thresholds: list[PositiveAmount] = Field(default_factory=list)
    recurring: PositiveAmount | None = None
    scope: Literal["period", "lifetime"] = "period"


class Plan(Strict):
    """What a customer subscribes to."""

    name: Text | None = None
    interval: Literal["day", "week", "month", "quarter", "half_year", "year"] = "month"
    interval_count: PositiveCount = 1
    anchor: Literal["subscription", "calendar"] = "subscription"
    trial_days: Count = 0
    trial_usage: Literal["free", "billed"] = "free"
    trial: Literal["free", "paid"] = "free"
    features: dict[Text, JsonValue] = Field(default_factory=dict)
    minimum_commitment: Commitment | None = None
    bill_at_usage: BillAtUsage | None = None
    charges: dict[Text, Charge]

    def document(self, code: str, currency: str, units: Mapping[str, Unit]) -> dict[str, Any]:
        """The normalised plan."""
        charges = {
            charge: self.charges[charge].document(position, currency, units)
            for position, charge in enumerate(self.charges)
        }
        own = {name: as_document(getattr(self, name)) for name in Plan.model_fields if name != "charges"}
        return {**own, "name": self.name or code, "charges": charges}


class Unit(Strict):
    """A pricing unit of the seller's own: what one is worth per currency, and the digits it is rounded to."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, PositivePrice]

    digits: Annotated[int, Field(strict=True, ge=0, le=10)] = 2

    @property
    def rates(self) -> dict[str, Decimal]:
        """Currency -> money per unit, in the order written."""
        return dict(self.__pydantic_extra__ or {})

    def document(self) -> dict[str, Any]:
        """The normalised unit: {EUR: "0.5", …, digits: 2}."""
        return {**as_document(self.rates), "digits": self.digits}


class Coupon(Strict):
    """A discount that a subscription or a customer can carry."""

    percent: Percent | None = None
    amount: PositiveAmount | None = None
    currency: Currency | None = None
    duration: Literal["once", "repeating", "forever"] = "once"
    periods: PositiveCount | None = None
    applies_to: list[Text] | None = None

    def document(self, currency: str) -> dict[str, Any]:
        """The normalised coupon; an amount without a currency is in that of the book."""
        result: dict[str, Any] = as_document(self)
        if self.amount is not None and self.currency is None:
            result["currency"] = currency
        return result


class PriceBook(Strict):
    """One immutable version of a tenant's prices."""

    price_book: Text
    effective_from: Date
    currency: Currency
    retroactive: StrictBool = False
    meters: dict[Text, Meter] = Field(default_factory=dict)
    plans: dict[Text, Plan] = Field(default_factory=dict)
    units: dict[Text, Unit] = Field(default_factory=dict)
    coupons: dict[Text, Coupon] = Field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Give the normalised version as JSON data: defaults filled, decimals as text, prices resolved."""
        return {
            "price_book": self.price_book,
            "effective_from": self.effective_from.isoformat(),
            "currency": self.currency,
            "retroactive": self.retroactive,
            "meters": {code: meter.document(code) for code, meter in self.meters.items()},
            "plans": {
                code: plan.document(code, self.currency, self.units) for code, plan in self.plans.items()
            },
            "units": {code: unit.document() for code, unit in self.units.items()},
            "coupons": {code: coupon.document(self.currency) for code, coupon in self.coupons.items()},
        }


# --- the rating models -------------------------------------------------------------------------------------

# model -> (fields it needs, further fields it takes, fields of its tiers besides up_to)
MODELS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "flat": ({"amount"}, set(), set()),
    "per_unit": ({"unit_price"}, {"per"}, set()),
    "graduated": ({"tiers"}, {"per"}, {"unit_price", "flat_fee", "package_size", "per"}),
    "volume": ({"tiers"}, {"per"}, {"unit_price", "flat_fee", "package_size", "per"}),
    "stairstep": ({"tiers"}, set(), {"amount"}),
    "package": ({"package_size", "package_price"}, set(), set()),
    "percentage": (
        set(),
        {"percent", "fixed_fee", "free_events", "free_amount", "event_minimum", "event_maximum"},
        set(),
    ),
    "graduated_percentage": ({"tiers"}, set(), {"percent", "flat_fee"}),
    "dynamic": ({"amount_property"}, set(), set()),
}
PRICE_FIELDS = tuple(PriceFields.model_fields)
_PRICING = {*PRICE_FIELDS, "prices", "prices_in"}
_RECOGNISE = {"recurring": "ratable", "usage": "as_invoiced", "one_time": "point_in_time"}


def written(fields: PriceFields) -> dict[str, Any]:
    """Give the price fields that have a value."""
    values = {name: getattr(fields, name) for name in PRICE_FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def merge_price(own: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A price with some fields replaced; a patch that names another model leaves nothing of the old one."""
    if patch.get("model", own.get("model")) != own.get("model"):
        return dict(patch)
    return {**own, **patch}


def has_price(fields: Mapping[str, Any]) -> bool:
    """Whether the fields price anything; a model alone, or `per` alone, is only a default for variants."""
    return any(name not in ("model", "per") for name in fields)


def _price_document(
    position: int, currency: str, when: Mapping[str, str | None] | None, fields: Mapping[str, Any]
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "position": position,
        "currency": currency,
        "when": None if when is None else dict(when),
        **{name: as_document(fields.get(name)) for name in PRICE_FIELDS},
    }
    if result["model"] == "percentage":
        result |= {"percent": result["percent"] or "0", "fixed_fee": result["fixed_fee"] or "0"}
    for index, tier in enumerate(result["tiers"] or []):
        defaults = {"unit_price": "0", "flat_fee": "0"}
        if result["model"] == "graduated_percentage":
            defaults["percent"] = "0"
        tier |= {name: text for name, text in defaults.items() if tier[name] is None} | {"position": index}
    return result
