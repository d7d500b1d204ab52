"""A world of failed payments whose truth is known, to test learning, planning and estimating on.

Belongs here: how simulated payers behave, and the rows they leave, in the shape of the marts. Nothing of it reaches a
tenant's data, and no figure of it says anything about real payers.

The world: every invoice fails once, at a random instant, with a code. Fixed retries are due at the start of days 1, 3, 5 and 7
after it; each may move to noon, and to the next day's start or noon. With signal, a payer without money has some on the two days
from a payday on, and a processor that was out of order by night works at noon; without signal every time is as good
as any other, though codes still differ. A retry that fails may turn the card into a lost one, which ends the matter.
Only the first two retries are planned. The same payer tried at the same time in two runs answers the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from deliver.recovery.features import Floats
from deliver.recovery.model import RecoveryModel
from deliver.recovery.plan import Plan, plan

TENANT = "simulated"
START = datetime(2026, 1, 1, tzinfo=UTC)
FIXED_DAYS = (1, 3, 5, 7)
HOURS = (0, 12)
PLANNED_RETRIES = 2
RETRY_COST = Decimal("0.1000")
# code: class, share of first failures, chance of a retry at a bad time, at a good one
CODES: Mapping[str, tuple[str, float, float, float]] = {
    "insufficient_funds": ("soft", 0.55, 0.08, 0.60),
    "processor_unavailable": ("technical", 0.35, 0.15, 0.65),
    "do_not_honor": ("soft", 0.10, 0.08, 0.08),
}
LOST_CARD = 0.05


@dataclass(frozen=True)
class World:
    """Failed invoices and how their payers answer.

    Args:
        invoices: how many fail.
        months: over how many months of 30 days.
        signal: whether the time of a retry matters.
        seed: the same seed is the same world.
    """

    invoices: int = 3000
    months: int = 6
    signal: bool = True
    seed: int = 1
    failures: list[dict[str, Any]] = field(init=False, repr=False)
    luck: Floats = field(init=False, repr=False)
    lost: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        draw = np.random.default_rng(self.seed)
        seconds = np.sort(draw.integers(0, self.months * 30 * 86400, self.invoices))
        codes = draw.choice(list(CODES), self.invoices, p=[share for _, share, _, _ in CODES.values()])
        cents = np.exp(draw.normal(8.5, 0.5, self.invoices)).astype(int)
        known, payments, failed = (draw.integers(0, most, self.invoices) for most in (900, 30, 6))
        tried = draw.integers(200, 400, self.invoices)
        customers = draw.integers(0, max(self.invoices * 2 // 3, 1), self.invoices)
        object.__setattr__(self, "failures", [
            {
                "tenant_id": TENANT,
                "invoice_id": f"inv-{self.seed}-{number:06d}",
                "customer_id": f"c-{customers[number]:06d}",
                "currency": "EUR",
                "first_failed_at": START + timedelta(seconds=int(seconds[number])),
                "failure_code": str(codes[number]),
                "failure_class": CODES[str(codes[number])][0],
                "method": "visa" if number % 3 else "mastercard",
                "amount": Decimal(int(cents[number])).scaleb(-2),
                "customer_days_known": int(known[number]),
                "customer_payments": int(payments[number]),
                "customer_failures": int(failed[number]),
                "method_attempts": int(tried[number]),
                "method_successes": int(tried[number] * 3 // 4),
            }
            for number in range(self.invoices)
        ])  # fmt: skip
        # Luck belongs to payer, retry and time, so that two policies that do the same fare the same.
        object.__setattr__(self, "luck", draw.random((self.invoices, len(FIXED_DAYS), 2 * len(HOURS))))
        object.__setattr__(self, "lost", draw.random((self.invoices, len(FIXED_DAYS))))

    def truth(self, failure_code: str, slot: Mapping[str, Any]) -> float:
        """The chance that a retry at this time succeeds."""
        _, _, bad, good = CODES[failure_code]
        if not self.signal:
            return (bad + good) / 2
        helps = (
            slot["slot_hour"] == 12
            if failure_code == "processor_unavailable"
            else slot["days_since_payday"] <= 1
        )
        return good if helps else bad

    def run(
        self,
        model: RecoveryModel | None = None,
        *,
        random_share: Decimal = Decimal("0.05"),
        fixed_share: Decimal = Decimal("0.05"),
    ) -> Simulated:
        """Let the planner work through the world, retry by retry."""
        attempts: list[dict[str, Any]] = []
        log: dict[tuple[str, int], dict[str, Any]] = {}
        earlier: list[Plan] = []
        # What is still open: its place, its state, its last try.
        open_now = [(place, one, one["first_failed_at"]) for place, one in enumerate(self.failures)]
        for retry_no in range(1, len(FIXED_DAYS) + 1):
            slots = [
                row | {"random_share": random_share, "fixed_share": fixed_share}
                for _, state, last in open_now
                for row in retry_slots(state, retry_no, last)
            ]
            chosen = _plan(slots, retry_no, model, earlier)
            earlier += chosen.values()
            still = []
            for place, state, _ in open_now:
                one = chosen[state["invoice_id"]]
                features = one.slots[one.slot_no - 1]
                chance = self.truth(state["failure_code"], features)
                paid = bool(self.luck[place, retry_no - 1, one.slot_no - 1] < chance)
                attempts.append(_attempt(state, one, features, paid))
                value = (state["amount"] if paid else Decimal(0)) - RETRY_COST
                if retry_no <= PLANNED_RETRIES:
                    log[state["invoice_id"], retry_no] = _judged(state, one, value)
                else:
                    log[state["invoice_id"], PLANNED_RETRIES]["recovered_value"] += value
                if not paid and self.lost[place, retry_no - 1] >= LOST_CARD:
                    still.append((place, state, one.retry_at))
            open_now = still
        return Simulated(
            _frame(attempts),
            _frame(list(log.values())),
        )

    def value(self, model: RecoveryModel | None, *, since: datetime | None = None) -> float:
        """The true net value per failed invoice of a policy: every way it can go, weighted by its chance.

        Without a model that is the fixed schedule's. With one, the model chooses wherever its card lets it.
        """
        nothing = Decimal(0)
        total, states = (
            0.0,
            [one for one in self.failures if since is None or one["first_failed_at"] >= since],
        )
        count = len(states)
        places = {one["invoice_id"]: place for place, one in enumerate(self.failures)}
        ways = [(state, 1.0, state["first_failed_at"]) for state in states]
        for retry_no in range(1, len(FIXED_DAYS) + 1):
            slots = [
                row | {"random_share": nothing, "fixed_share": nothing}
                for state, _, last in ways
                for row in retry_slots(state, retry_no, last)
            ]
            chosen = _plan(slots, retry_no, model, ())
            after = []
            for state, reached, _ in ways:
                one = chosen[state["invoice_id"]]
                chance = self.truth(state["failure_code"], one.slots[one.slot_no - 1])
                total += reached * (chance * float(state["amount"]) - float(RETRY_COST))
                if self.lost[places[state["invoice_id"]], retry_no - 1] >= LOST_CARD:
                    after.append((state, reached * (1 - chance), one.retry_at))
            ways = after
        return total / count


@dataclass(frozen=True)
class Simulated:
    """What a run leaves: rows as of `recovery_attempts` and of `recovery_plans`."""

    attempts: pl.DataFrame
    log: pl.DataFrame


def _plan(
    slots: list[dict[str, Any]], retry_no: int, model: RecoveryModel | None, earlier: Iterable[Plan]
) -> dict[str, Plan]:
    """The planner's plan of each invoice; after the planned retries, the schedule's only time."""
    if retry_no > PLANNED_RETRIES:
        slots, model = [row for row in slots if row["slot_no"] == 1], None
    models = {TENANT: model} if model else {}
    return {one.invoice_id: one for one in plan(_frame(slots), models, earlier)}


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame({name: [row[name] for row in rows] for name in (rows[0] if rows else ())})


def retry_slots(state: Mapping[str, Any], retry_no: int, last: datetime) -> list[dict[str, Any]]:
    """Rows as of `recovery_slots`: the times of one retry, in UTC, of a payer who was last tried at `last`."""
    first = state["first_failed_at"]
    times = [
        datetime.combine(
            first.date() + timedelta(days=FIXED_DAYS[retry_no - 1] + later), datetime.min.time(), UTC
        )
        + timedelta(hours=hour)
        for later in (0, 1)
        for hour in HOURS
    ]
    known = {name: value for name, value in state.items() if name != "first_failed_at"}
    return [
        known
        | {
            "retry_no": retry_no,
            "slot_no": place,
            "retry_at": at,
            "open_amount": state["amount"],
            "retry_cost": RETRY_COST,
            "failures": retry_no,
            "hours_since_first_failure": hours_between(first, last),
        }
        | slot_features(at, last)
        for place, at in enumerate(times, start=1)
    ]


def slot_features(at: datetime, last: datetime) -> dict[str, int]:
    """The twin of the macro `slot_features`, for a payer whose clock shows UTC."""
    day = at.date()
    since, until = _paydays(day)
    return {
        "hours_waited": hours_between(last, at),
        "slot_hour": at.hour,
        "slot_weekday": day.isoweekday(),
        "slot_day_of_month": day.day,
        "days_since_payday": since,
        "days_to_payday": until,
    }


def hours_between(earlier: datetime, later: datetime) -> int:
    """Whole hours from one instant to another."""
    return int((later - earlier).total_seconds() // 3600)


@lru_cache(maxsize=1000)
def _paydays(day: date) -> tuple[int, int]:
    """Days since the last pay day and to the next: the 1st, the 15th and the last Friday of a month."""
    near = [
        pay
        for months in (-1, 0, 1)
        for first in [_month(day, months)]
        for pay in (first, first.replace(day=15), _last_friday(first))
    ]
    return (day - max(pay for pay in near if pay <= day)).days, (
        min(pay for pay in near if pay >= day) - day
    ).days


def _month(day: date, offset: int) -> date:
    number = day.year * 12 + day.month - 1 + offset
    return date(number // 12, number % 12 + 1, 1)


def _last_friday(first: date) -> date:
    last = _month(first, 1) - timedelta(days=1)
    return last - timedelta(days=(last.isoweekday() + 2) % 7)


def _attempt(state: Mapping[str, Any], one: Plan, features: Mapping[str, Any], paid: bool) -> dict[str, Any]:
    return {
        **{
            name: state[name]
            for name in ("tenant_id", "invoice_id", "customer_id", "currency", "first_failed_at")
        },
        "payment_id": f"{one.invoice_id}-{one.retry_no}",
        "attempted_at": one.retry_at,
        "outcome_at": one.retry_at,
        "is_recovered": paid,
        **features,
    }


def _judged(state: Mapping[str, Any], one: Plan, value: Decimal) -> dict[str, Any]:
    return {
        **{
            name: state[name]
            for name in ("tenant_id", "invoice_id", "customer_id", "currency", "first_failed_at")
        },
        "retry_no": one.retry_no,
        "slot_no": one.slot_no,
        "planned_slot_no": one.planned_slot_no,
        "arm": one.arm,
        "propensity": one.propensity,
        "open_amount": state["amount"],
        "retry_cost": RETRY_COST,
        "recovered_value": value,
        "slots": one.slots,
    }
