"""Who buys what, and when: rows of the streams `customers` and `subscription_events`.

Usage is `ingest.demo.usage`. Plan and coupon codes, currencies and the date of the newer price book repeat
what the price books under `tenants/` say; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ingest.demo.dice import Dice
from ingest.demo.names import Place, address, company_name, domain, place
from ingest.demo.plan import DemoPlan

Row = dict[str, Any]


@dataclass(frozen=True)
class Seller:
    """What one tenant sells to whom.

    Attributes:
        currencies: weights of the customers' currencies; the first is the tenant's own.
        places: weights of the customers' places, per currency; "" for all others.
        plans: plan and hundredths of the customers, from the biggest customers to the smallest.
        anchored: plans whose periods may keep the day of an earlier contract (`anchor_day`).
        counted: plan -> (the quantity its fees count, lowest, highest).
        coupons: (code, parts per million of the subscriptions).
        migrates_to: a newer price book, its first day, how many older subscriptions move to it a month later.
        overrides: plan -> negotiated charges for a few of its customers.
        upgrades: plan -> the plan its customers move up to (only with `lifecycle`).
    """

    currencies: dict[str, int]
    places: dict[str, dict[str, int]]
    plans: tuple[tuple[str, int], ...]
    anchored: tuple[str, ...]
    counted: dict[str, tuple[str, int, int]]
    coupons: tuple[tuple[str, int], ...]
    migrates_to: tuple[str, date, int] | None = None
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    upgrades: dict[str, str] = field(default_factory=dict)


SELLERS: dict[str, Seller] = {
    "acme": Seller(
        currencies={"USD": 1},
        places={
            "": {
                "us-ny": 14,
                "us-ca": 14,
                "us-tx": 8,
                "us-wa": 7,
                "us-co": 4,
                "us-hi": 1,
                "ca-on": 6,
                "ca-qc": 4,
                "gb": 10,
                "ie": 2,
                "in": 5,
                "au": 5,
                "mx": 4,
                "br": 3,
                "de": 6,
                "fr": 5,
                "es": 3,
                "jp-tk": 5,
            }
        },
        plans=(("enterprise", 7), ("scale", 23), ("team", 38), ("developer", 32)),
        anchored=("scale", "enterprise", "developer"),
        counted={"team": ("seats", 2, 14), "scale": ("seats", 8, 60), "enterprise": ("seats", 40, 400)},
        coupons=(("LAUNCH20", 120_000), ("WELCOME50", 60_000)),
        migrates_to=("2026-08", date(2026, 8, 1), 6),
        overrides={
            "enterprise": {
                "input": {
                    "type": "usage",
                    "meter": "input_tokens",
                    "model": "graduated",
                    "per": "1000000",
                    "description": "Input tokens",
                    "tiers": [
                        {"up_to": "3000000000", "unit_price": "0.90"},
                        {"up_to": None, "unit_price": "0.75"},
                    ],
                },
            },
            "scale": {
                "base": {
                    "type": "recurring",
                    "timing": "advance",
                    "model": "flat",
                    "amount": "399.00",
                    "description": "Platform fee",
                }
            },
        },
        upgrades={"developer": "team", "team": "scale"},
    ),
    "nordlys": Seller(
        currencies={"EUR": 1},
        places={
            "": {
                "fr": 28,
                "de": 18,
                "be": 7,
                "es": 8,
                "es-cn": 2,
                "it": 7,
                "at": 5,
                "ch": 4,
                "no": 7,
                "se": 7,
                "fi": 7,
            }
        },
        plans=(("platform", 22), ("watch", 30), ("vault", 48)),
        anchored=("platform", "watch"),
        counted={"platform": ("teams", 1, 9)},
        coupons=(("MIGRATE15", 100_000),),
        overrides={
            "platform": {
                "hosts": {
                    "type": "usage",
                    "meter": "hosts",
                    "model": "per_unit",
                    "included": "25",
                    "unit_price": "4.25",
                    "description": "Hosts (average of the days)",
                }
            },
        },
        upgrades={"vault": "platform"},
    ),
    "kumo": Seller(
        currencies={"JPY": 74, "USD": 14, "KWD": 12},
        places={
            "": {"jp-tk": 60, "jp-os": 25, "jp-fk": 15},
            "USD": {"us-ca": 4, "us-ny": 3, "us-hi": 2, "au": 1},
            "KWD": {"kw": 1},
        },
        plans=(("marketplace", 20), ("business", 32), ("shop", 48)),
        anchored=("business",),
        counted={"care": ("agents", 1, 4)},
        coupons=(("HARUSALE", 80_000),),
        overrides={
            "marketplace": {
                "peak": {
                    "type": "usage",
                    "meter": "peak_tps",
                    "model": "per_unit",
                    "included": "80",
                    "unit_price": "300",
                    "description": "Peak payments per second above 80",
                    "prices_in": {"USD": {"unit_price": "2.10"}, "KWD": {"unit_price": "0.650"}},
                }
            },
        },
        upgrades={"shop": "business"},
    ),
}


@dataclass
class Customer:
    """One customer of one tenant. `rank` 0 is the tenant's biggest."""

    customer_id: str
    name: str
    place: Place
    currency: str
    rank: int
    plan: str
    start_day: int
    parent: str | None


@dataclass
class Subscription:
    """One subscription and what its usage looks like.

    Attributes:
        start_day: local day of its start, counted from the plan's first day.
        named: its events name the subscription, because the customer has another one that could take them.
        weight: its share of the tenant's usage, Zipf by rank.
        growth_ppm: trend of a day, in parts per million; negative for the shrinking.
        fades_on: the day from which a churning customer uses less and less; None for the others.
    """

    subscription_id: str
    customer: Customer
    plan: str
    start_day: int
    named: bool
    weight: int
    growth_ppm: int
    fades_on: int | None


@dataclass
class Company:
    """One tenant with everybody who buys from it."""

    tenant_id: str
    seller: Seller
    customers: list[Customer]
    subscriptions: list[Subscription]


def company(plan: DemoPlan, tenant_id: str, size: int) -> Company:
    """Invent `size` customers of one tenant and their subscriptions."""
    seller = SELLERS[tenant_id]
    dice = Dice(plan.seed, tenant_id, "customers")
    ranks = dice.shuffled(size).tolist()
    taken: set[str] = set()
    customers: list[Customer] = []
    for index, rank in enumerate(ranks):
        currency = dice.weighted(seller.currencies)
        if index < len(seller.currencies):  # the smallest demo shows all of them too
            currency = list(seller.currencies)[index]
        where = place(dice.weighted(seller.places.get(currency, seller.places[""])))
        # daughters of a group: the parent is one of the customers before them
        parent = customers[dice.one(0, index - 1)].customer_id if index > 4 and dice.chance(40_000) else None
        customers.append(
            Customer(
                # every tenant counts from 1 on purpose: whoever forgets tenant_id in a join sees it here
                customer_id=f"c-{index + 1:04d}",
                name=company_name(where.locale, dice, taken),
                place=where,
                currency=currency,
                rank=rank,
                plan=_plan_of(seller, rank, size),
                start_day=_start_day(plan, dice, rank, size),
                parent=parent,
            )
        )
    return Company(tenant_id, seller, customers, _subscriptions(plan, tenant_id, customers))


def _plan_of(seller: Seller, rank: int, size: int) -> str:
    upto = 0
    for code, hundredths in seller.plans:
        upto += hundredths
        if (rank + 1) * 100 <= max(upto * size, 100):
            return code
    return seller.plans[-1][0]


def _start_day(plan: DemoPlan, dice: Dice, rank: int, size: int) -> int:
    """Over half are there from the first day; a third of the others sign up on the last days of a month."""
    if rank * 20 < size or dice.chance(550_000):
        return 0
    day = dice.one(1, plan.days - 10)
    if dice.chance(330_000):
        on = plan.start + timedelta(days=day)
        for wanted in (dice.one(29, 31), 30):
            try:
                day = (on.replace(day=wanted) - plan.start).days
                break
            except ValueError:  # this month has no 31st
                continue
    return min(day, plan.days - 2)


def _subscriptions(plan: DemoPlan, tenant_id: str, customers: list[Customer]) -> list[Subscription]:
    dice = Dice(plan.seed, tenant_id, "subscriptions")
    found: list[Subscription] = []

    def add(customer: Customer, code: str, start_day: int, *, named: bool, weight: int) -> None:
        fades = dice.one(start_day + 30, plan.days + 60) if dice.chance(90_000) else plan.days
        found.append(
            Subscription(
                subscription_id=f"s-{len(found) + 1:04d}",
                customer=customer,
                plan=code,
                start_day=start_day,
                named=named,
                weight=weight,
                growth_ppm=dice.one(-2_500, 6_500),
                fades_on=fades if fades < plan.days else None,
            )
        )

    for customer in customers:
        weight = 10_000_000 // (customer.rank + 3)
        second = tenant_id == "acme" and customer.plan in ("scale", "enterprise") and dice.chance(200_000)
        add(customer, customer.plan, customer.start_day, named=second, weight=weight)
        if second:  # a second project on another plan
            later = min(customer.start_day + dice.one(0, 60), plan.days - 2)
            add(customer, "developer", later, named=True, weight=weight // 6)
        if tenant_id == "kumo" and customer.plan != "shop" and dice.chance(400_000):
            add(
                customer,
                "care",
                min(customer.start_day + dice.one(0, 40), plan.days - 2),
                named=False,
                weight=0,
            )
    return found


def _instant(zone: str, on: date, second_of_day: int) -> datetime:
    return datetime.combine(on, time(), ZoneInfo(zone)).astimezone(UTC) + timedelta(seconds=second_of_day)


def customer_rows(plan: DemoPlan, of: Company) -> list[Row]:
    """Rows of the stream `customers`: one each, and a later one for those who moved."""
    dice = Dice(plan.seed, of.tenant_id, "customer rows")
    rows: list[Row] = []
    for customer in of.customers:
        where = customer.place
        mail = domain(customer.name, customer.customer_id)
        contact = dice.pick(where.locale.person)
        business = where.eu and of.tenant_id == "nordlys"
        known = plan.opens_at + timedelta(days=customer.start_day, seconds=dice.one(0, 86_400 * 3))
        row: Row = {
            "tenant_id": of.tenant_id,
            "customer_id": customer.customer_id,
            "effective_at": known,
            "recorded_at": known,
            "name": customer.name,
            "emails": [f"billing@{mail}"] + ([f"finance@{mail}"] if dice.chance(300_000) else []),
            "billing_contacts": [{"name": contact, "email": f"accounts@{mail}"}]
            if dice.chance(600_000)
            else [],
            "currency": customer.currency,
            "timezone": where.timezone,
            "country": where.country,
            "region": where.region,
            "postal_code": where.postal_code,
            "address": address(where, dice),
            "tax_id": f"{where.country}{dice.one(100_000_000, 999_999_999)}"
            if business or dice.chance(300_000)
            else None,
            "tax_exempt": dice.chance(30_000),
            "tax_id_status": dice.weighted({"valid": 80, "unknown": 12, "invalid": 8}) if business else None,
            "parent_customer_id": customer.parent,
            "payment_terms_days": dice.weighted({14: 2, 45: 2, 60: 1}) if dice.chance(150_000) else None,
            "po_number": f"PO-{plan.start.year}-{dice.one(1000, 9999)}" if dice.chance(350_000) else None,
            "language": where.language,
            "metadata": {
                "segment": dice.pick(("startup", "midmarket", "enterprise", "public")),
                "owner": f"rep-{dice.one(1, 9)}",
            },
        }
        rows.append(row)
        if dice.chance(50_000) and plan.days - customer.start_day > 30:
            moved = _instant(
                where.timezone,
                plan.start + timedelta(days=dice.one(customer.start_day + 5, plan.days - 5)),
                36_000,
            )
            rows.append(
                row
                | {
                    "effective_at": moved,
                    "recorded_at": moved + timedelta(minutes=2),
                    "address": address(where, dice),
                    "po_number": f"PO-{plan.start.year}-{dice.one(1000, 9999)}",
                }
            )
    return rows


def certificate_rows(plan: DemoPlan, of: Company) -> list[Row]:
    """Exemption certificates of a few customers: some end within the demo, some are sent in late, one in six is revoked."""
    rows: list[Row] = []
    for customer in of.customers:
        dice = Dice(plan.seed, of.tenant_id, "certificate", customer.customer_id)
        where = customer.place
        if not dice.chance(40_000):
            continue
        began = plan.start - timedelta(days=dice.one(30, 700))
        ends = dice.weighted({None: 4, plan.days - 20: 2, plan.days + 40: 3})
        late = dice.one(20, 60) if dice.chance(300_000) and plan.days > 70 else 0
        row: Row = {
            "tenant_id": of.tenant_id,
            "certificate_id": f"{customer.customer_id}-exemption",
            "customer_id": customer.customer_id,
            "number": f"{where.country}-{dice.one(100_000, 999_999)}",
            "country": where.country,
            "region": where.region if where.country == "US" else None,
            "reason": dice.pick(("charity", "education", "resale", "state_government")),
            "valid_from": began,
            "valid_until": None if ends is None else plan.start + timedelta(days=ends),
            "recorded_at": _instant(where.timezone, plan.start + timedelta(days=late), 30_000 if late else 0),
        }
        rows.append(row)
        if dice.chance(160_000) and plan.days > 70:
            revoked = plan.start + timedelta(days=dice.one(65, plan.days - 2))
            rows.append(
                row | {"revoked_on": revoked, "recorded_at": _instant(where.timezone, revoked, 40_000)}
            )
    return rows


def subscription_event_rows(plan: DemoPlan, of: Company) -> list[Row]:
    """Rows of the stream `subscription_events`; with `plan.lifecycle` also what happens after the start."""
    rows = _created(plan, of) + _migrations(plan, of)
    if plan.lifecycle:
        rows += lifecycle_events(plan, of)
    return sorted(rows, key=lambda row: (row["recorded_at"], row["event_id"]))


def _event(
    of: Company,
    sub: Subscription,
    kind: str,
    effective_at: datetime,
    recorded_at: datetime,
    data: Row,
    actor: str,
) -> Row:
    return {
        "tenant_id": of.tenant_id,
        "event_id": f"{sub.subscription_id}-{kind}",
        "subscription_id": sub.subscription_id,
        "customer_id": sub.customer.customer_id,
        "type": kind,
        "effective_at": effective_at,
        "recorded_at": recorded_at,
        "actor": actor,
        "data": data,
    }


def _created(plan: DemoPlan, of: Company) -> list[Row]:
    dice = Dice(plan.seed, of.tenant_id, "created")
    rows: list[Row] = []
    negotiated: dict[str, int] = {}
    for sub in of.subscriptions:
        on = plan.start + timedelta(days=sub.start_day)
        data: Row = {"plan": sub.plan, "currency": sub.customer.currency}
        if sub.plan in of.seller.counted:
            name, low, high = of.seller.counted[sub.plan]
            data["quantities"] = {name: str(dice.one(low, high))}
        coupons = [code for code, ppm in of.seller.coupons if dice.chance(ppm)]
        if coupons:
            data["coupons"] = coupons
        if sub.plan in of.seller.overrides and negotiated.get(sub.plan, 0) < 3 and dice.chance(400_000):
            negotiated[sub.plan] = negotiated.get(sub.plan, 0) + 1
            data["overrides"] = of.seller.overrides[sub.plan]
        if sub.start_day == 0:
            # taken over from an older system: known before, from local midnight, some keep their billing day
            if sub.plan in of.seller.anchored and dice.chance(450_000):
                data["anchor_day"] = dice.pick((5, 15, 28, 29, 30, 31))
            effective = _instant(sub.customer.place.timezone, on, 0)
            recorded = plan.opens_at + timedelta(days=4, seconds=dice.one(0, 86_400))
        else:
            effective = _instant(sub.customer.place.timezone, on, dice.one(8 * 3600, 20 * 3600))
            recorded = effective + timedelta(seconds=dice.one(1, 40))
        rows.append(
            _event(
                of, sub, "created", effective, recorded, data, "migration" if sub.start_day == 0 else "portal"
            )
        )
    return rows


def _migrations(plan: DemoPlan, of: Company) -> list[Row]:
    """A few subscriptions on the older book agree to the newer one, a month after it came out."""
    if of.seller.migrates_to is None:
        return []
    book, since, wanted = of.seller.migrates_to
    dice = Dice(plan.seed, of.tenant_id, "migrated")
    day = max((since - plan.start).days, 0) + 31
    rows: list[Row] = []
    for sub in of.subscriptions:
        older = plan.start + timedelta(days=sub.start_day) < since
        if older and not sub.named and day < plan.days and len(rows) < wanted and dice.chance(200_000):
            at = _instant(sub.customer.place.timezone, plan.start + timedelta(days=day), 0)
            rows.append(
                _event(
                    of,
                    sub,
                    "price_migrated",
                    at,
                    at - timedelta(days=dice.one(2, 20)),
                    {"price_book": book},
                    "sales",
                )
            )
    return rows


def lifecycle_events(plan: DemoPlan, of: Company) -> list[Row]:
    """What happens after the start: other quantities, upgrades, and the end of those who faded away."""
    dice = Dice(plan.seed, of.tenant_id, "lifecycle")
    rows: list[Row] = []
    for sub in of.subscriptions:
        first, last = sub.start_day + 10, plan.days - 3
        if first >= last:
            continue

        def at(day: int, zone: str = sub.customer.place.timezone) -> datetime:
            return _instant(zone, plan.start + timedelta(days=day), dice.one(9 * 3600, 18 * 3600))

        kind: str | None = None
        data: Row = {}
        if sub.fades_on is not None:
            if sub.fades_on + 20 < last:
                kind, data, first = (
                    "cancelled",
                    {"when": dice.pick(("period_end", "immediate"))},
                    sub.fades_on + 20,
                )
        elif sub.plan in of.seller.counted and dice.chance(250_000):
            name, low, high = of.seller.counted[sub.plan]
            kind, data = "quantity_changed", {"quantities": {name: str(dice.one(low, high))}}
        elif sub.plan in of.seller.upgrades and sub.growth_ppm > 2_000 and dice.chance(200_000):
            kind, data = "plan_changed", {"plan": of.seller.upgrades[sub.plan]}
            if (counted := of.seller.counted.get(data["plan"])) is not None:
                data["quantities"] = {counted[0]: str(counted[1])}
        if kind:
            moment = at(dice.one(first, last))
            quantities = data.pop("quantities", None) if kind == "plan_changed" else None
            rows.append(
                _event(of, sub, kind, moment, moment + timedelta(seconds=dice.one(1, 40)), data, "portal")
            )
            if quantities:
                rows.append(
                    _event(
                        of,
                        sub,
                        "quantity_changed",
                        moment,
                        moment + timedelta(seconds=41),
                        {"quantities": quantities},
                        "portal",
                    )
                )
    return rows
