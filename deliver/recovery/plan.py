"""Picking the time of the next retry of each failed payment, and saying how likely that pick was.

Belongs here: arms, the choice, propensities. Does not belong here: which times are allowed (card networks, hard
declines, quiet hours, holds), which is `recovery_slots`; nor landing the plans (`records`).

A retry keeps its place in the schedule: its times reach from its fixed time (slot 1) to before the next retry's,
so choosing a later time takes no other retry away and the best time of each retry can be chosen by itself. By
a hash of invoice and seed an invoice belongs, for all its retries, to one of three arms: `fixed`, which keeps
the schedule; `random`, which takes any allowed time; `planned`, which takes the best one where the model has earned it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from deliver.recovery.features import FEATURES, Floats
from deliver.recovery.model import RecoveryModel

Arm = Literal["fixed", "random", "planned"]

FIXED_SLOT = 1
# A retry leaves its fixed time only for one that is likelier to succeed by so much: what is moved for less cannot be told
# from chance, and everything that stays makes the policy easier to judge.
LEAST_GAIN = 0.03
_PROBABILITY = Decimal("0.000001")
_PROPENSITY = Decimal("0.000000000001")
_MONEY = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Plan:
    """The time chosen for one retry of one invoice, and all that is needed to judge the choice later.

    Attributes:
        tenant_id: whose invoice.
        plan_id: the same retry has the same one.
        invoice_id: the invoice.
        customer_id: who owes it.
        currency: of the amounts.
        retry_no: place of the retry in the schedule, from 1.
        retry_at: when it is to be tried (UTC).
        slot_no: which of the allowed times that is; 1 is the fixed one.
        planned_slot_no: which time the arm `planned` takes.
        arm: fixed, random or planned.
        reason: why this time: the arm's name, `model`, or why the planned arm keeps the schedule.
        propensity: how likely this slot was, given the slots of the invoice's earlier retries.
        random_share: share of invoices in the arm `random`.
        fixed_share: share of invoices in the arm `fixed`.
        probability: that the retry succeeds then; None without a model.
        expected_value: probability times what is open, less the cost of a try, in `currency`; None without a model.
        open_amount: what is open, in `currency`.
        retry_cost: what a try costs, in `currency`.
        model: SHA-256 of the model; None without one.
        slots: the features of every allowed time, in the order of slot_no, as the model saw them.
    """

    tenant_id: str
    plan_id: str
    invoice_id: str
    customer_id: str
    currency: str
    retry_no: int
    retry_at: datetime
    slot_no: int
    planned_slot_no: int
    arm: Arm
    reason: str
    propensity: Decimal
    random_share: Decimal
    fixed_share: Decimal
    probability: Decimal | None
    expected_value: Decimal | None
    open_amount: Decimal
    retry_cost: Decimal
    model: str | None
    slots: list[dict[str, Any]]


def plan_id(tenant_id: str, invoice_id: str, retry_no: int) -> str:
    """The idempotency key of a plan: 40 hexadecimal digits of what it is for, never of what was chosen."""
    return hashlib.sha256(f"retry|{tenant_id}|{invoice_id}|{retry_no}".encode()).hexdigest()[:40]


def plan(
    slots: pl.DataFrame, models: Mapping[str, RecoveryModel], earlier: Iterable[Plan] = ()
) -> list[Plan]:
    """Choose a time for each retry.

    Args:
        slots: rows of `recovery_slots`: the allowed times of the next retry of each invoice.
        models: the model of each tenant that has one.
        earlier: plans of earlier retries of the same invoices.
    """
    if slots.is_empty():
        return []
    before: dict[tuple[str, str], list[Plan]] = {}
    for one in sorted(earlier, key=lambda one: one.retry_no):
        before.setdefault((one.tenant_id, one.invoice_id), []).append(one)
    ordered = slots.sort("tenant_id", "invoice_id", "retry_no", "slot_no")
    chances: list[float | None] = []
    for (tenant_id,), rows in ordered.group_by("tenant_id", maintain_order=True):
        model = models.get(str(tenant_id))
        chances += model.probability(rows).tolist() if model else [None] * len(rows)
    pairs = zip(ordered.iter_rows(named=True), chances, strict=True)
    plans = []
    for (tenant_id, invoice_id, _), group in groupby(
        pairs, key=lambda pair: (pair[0]["tenant_id"], pair[0]["invoice_id"], pair[0]["retry_no"])
    ):
        times, likely = zip(*group, strict=True)
        plans.append(_choose(times, likely, models.get(tenant_id), before.get((tenant_id, invoice_id), [])))
    return plans


def _choose(
    times: Sequence[Mapping[str, Any]],
    chances: Sequence[float | None],
    model: RecoveryModel | None,
    before: Sequence[Plan],
) -> Plan:
    first = times[0]
    tenant_id, invoice_id, retry_no = first["tenant_id"], first["invoice_id"], first["retry_no"]
    # What the first retry was drawn with holds for the invoice, also if the shares were changed since.
    random_share = before[0].random_share if before else first["random_share"]
    fixed_share = before[0].fixed_share if before else first["fixed_share"]
    arm = arm_of(tenant_id, invoice_id, random_share, fixed_share)
    probabilities = [None if chance is None else Decimal(chance).quantize(_PROBABILITY) for chance in chances]
    values = [
        None if p is None else (p * row["open_amount"] - row["retry_cost"]).quantize(_MONEY)
        for row, p in zip(times, probabilities, strict=True)
    ]
    reason = model.refusal(first) if model else "no_model"
    planned = FIXED_SLOT if reason else int(best_slots(np.array([chances], dtype=np.float64))[0])
    chosen = {"fixed": FIXED_SLOT, "planned": planned}.get(arm) or 1 + int(
        _draw(f"slot|{tenant_id}|{invoice_id}|{retry_no}") * len(times)
    )
    steps = [(one.slot_no, one.planned_slot_no, len(one.slots)) for one in before]
    past = _chance(steps, random_share, fixed_share)
    propensity = _chance([*steps, (chosen, planned, len(times))], random_share, fixed_share) / past
    return Plan(
        tenant_id=tenant_id,
        plan_id=plan_id(tenant_id, invoice_id, retry_no),
        invoice_id=invoice_id,
        customer_id=first["customer_id"],
        currency=first["currency"],
        retry_no=retry_no,
        retry_at=times[chosen - 1]["retry_at"],
        slot_no=chosen,
        planned_slot_no=planned,
        arm=arm,
        reason=(reason or "model") if arm == "planned" else arm,
        propensity=propensity.quantize(_PROPENSITY),
        random_share=random_share,
        fixed_share=fixed_share,
        probability=probabilities[chosen - 1],
        expected_value=values[chosen - 1],
        open_amount=first["open_amount"],
        retry_cost=first["retry_cost"],
        model=model.sha256 if model else None,
        slots=[{name: row[name] for name in FEATURES} for row in times],
    )


def best_slots(chances: Floats) -> npt.NDArray[np.int64]:
    """The slot_no that each row of chances makes best, the earliest of equals; NaN stands for a time that is not there.

    What is open and what a try costs are the same at all times of a retry, so the likeliest has the highest value.
    """
    best = np.nanargmax(chances, axis=1)
    gain = chances[np.arange(len(chances)), best] - chances[:, FIXED_SLOT - 1]
    return np.where(gain >= LEAST_GAIN, best + 1, FIXED_SLOT)


def arm_of(tenant_id: str, invoice_id: str, random_share: Decimal, fixed_share: Decimal) -> Arm:
    """The arm of an invoice: a hash of it, so the same for ever and on every machine."""
    drawn = _draw(f"arm|{tenant_id}|{invoice_id}")
    if drawn < random_share:
        return "random"
    return "fixed" if drawn < random_share + fixed_share else "planned"


def _draw(text: str) -> Decimal:
    """A number of [0, 1) that depends on nothing but the text."""
    return Decimal(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)) / Decimal(16**12)


def _chance(steps: Sequence[tuple[int, int, int]], random_share: Decimal, fixed_share: Decimal) -> Decimal:
    """How likely the chosen slots of an invoice were together, whichever arm it is in."""
    at_random, kept, as_planned = Decimal(1), Decimal(1), Decimal(1)
    for slot_no, planned_slot_no, count in steps:
        at_random /= count
        kept *= slot_no == FIXED_SLOT
        as_planned *= slot_no == planned_slot_no
    return random_share * at_random + fixed_share * kept + (1 - random_share - fixed_share) * as_planned
