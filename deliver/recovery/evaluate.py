"""What a policy would have brought, from logged plans: recovered value versus the fixed schedule, with its interval.

Belongs here: the estimators and their intervals. Does not belong here: what was recovered, which is the mart
`recovery_plans`. The unit is the failed invoice with all its retries; an estimate is an average per failed
invoice in one currency, a statistic and never a booked amount.

An invoice's retries are weighted by how much likelier the policy would have made its times than the log did
(IPS). SNIPS divides by the sum of the weights instead of the number of invoices; the doubly robust estimate (DR)
starts from what the model expects and weights only its errors, retry by retry. IPS and DR are right on average
whatever the model says, as long as the propensities are those that were drawn with, and every time had a chance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from deliver.recovery.features import FEATURES, Floats
from deliver.recovery.model import RecoveryModel
from deliver.recovery.plan import FIXED_SLOT, best_slots

Choices = npt.NDArray[np.int64]

DRAWS = 1000
# With fewer failed invoices an interval says more about the method than about the money.
LEAST_INVOICES = 100


@dataclass(frozen=True)
class Estimate:
    """An average per failed invoice, with the interval that holds 95 % of the bootstrap's draws (by customer)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Judgement:
    """What a policy brought per failed invoice, in one currency.

    Attributes:
        currency: of all amounts.
        invoices: how many failed invoices the log has.
        effective_invoices: how many unweighted ones would say as much.
        largest_weight: of one invoice.
        overlap: share of invoices whose times the policy would have chosen too.
        fixed: doubly robust estimate of the fixed schedule.
        policy: doubly robust estimate of the policy.
        gain: recovered value versus the fixed schedule: the doubly robust difference.
        gain_ips: the same by inverse propensities.
        gain_snips: the same by self-normalised ones.
    """

    currency: str
    invoices: int
    effective_invoices: float
    largest_weight: float
    overlap: float
    fixed: Estimate
    policy: Estimate
    gain: Estimate
    gain_ips: Estimate
    gain_snips: Estimate

    def as_json(self) -> dict[str, Any]:
        """The shape written by `--json`."""
        return asdict(self)


@dataclass(frozen=True)
class _Paths:
    """Invoices by retries; what never happened weighs 1 and brings 0."""

    weights: Floats  # cumulative
    rewards: Floats
    expected: Floats  # of this retry and all after it, for the time at which it was tried
    hoped: Floats  # the same for the policy's time

    def ips(self) -> Floats:
        return np.asarray((self.weights * self.rewards).sum(axis=1))

    def robust(self) -> Floats:
        after = np.column_stack([self.hoped[:, 1:], np.zeros(len(self.hoped))])
        return np.asarray(
            self.hoped[:, 0] + (self.weights * (self.rewards + after - self.expected)).sum(axis=1)
        )


def judge(
    log: pl.DataFrame, model: RecoveryModel, *, seed: int = 0, as_promoted: bool = True
) -> list[Judgement]:
    """Compare the policy of a model with the fixed schedule, once for each currency of the log.

    Args:
        log: rows of `recovery_plans` whose outcome is closed, with `slots` as lists of structs.
        model: chooses the times, and is what doubly robust estimates lean on.
        seed: of the bootstrap.
        as_promoted: the policy as it would be run, which keeps the schedule where the model may not choose; else
            the model's choice everywhere, which is how a model earns its place.
    """
    judgements = []
    for (currency,), rows in log.sort("tenant_id", "invoice_id", "retry_no").group_by(
        "currency", maintain_order=True
    ):
        invoices = rows.select("tenant_id", "invoice_id").n_unique()
        if invoices >= LEAST_INVOICES:
            judgements.append(_judge(str(currency), rows, model, seed, as_promoted))
    return judgements


def _judge(
    currency: str, rows: pl.DataFrame, model: RecoveryModel, seed: int, as_promoted: bool
) -> Judgement:
    chances = slot_probabilities(rows["slots"], model)
    allowed = np.array(
        [
            not as_promoted or model.refusal({"currency": currency, **slots[0]}) is None
            for slots in rows["slots"]
        ]
    )
    best = np.where(allowed, best_slots(chances), FIXED_SLOT)
    policy = _paths(rows, chances, best)
    fixed = _paths(rows, chances, np.full(len(rows), FIXED_SLOT))
    clusters = rows.unique("invoice_id", keep="first", maintain_order=True)["customer_id"].to_list()
    draws = _draws(clusters, seed)

    def mean(values: Floats) -> Estimate:
        return _interval(values.mean(), (draws @ values) / draws.sum(axis=1))

    weight = policy.weights[:, -1]
    return Judgement(
        currency=currency,
        invoices=len(weight),
        effective_invoices=float(weight.sum() ** 2 / max((weight**2).sum(), 1e-12)),
        largest_weight=float(weight.max()),
        overlap=float((weight > 0).mean()),
        fixed=mean(fixed.robust()),
        policy=mean(policy.robust()),
        gain=mean(policy.robust() - fixed.robust()),
        gain_ips=mean(policy.ips() - fixed.ips()),
        gain_snips=_interval(
            float((_snips(policy, np.ones((1, len(weight)))) - _snips(fixed, np.ones((1, len(weight)))))[0]),
            _snips(policy, draws) - _snips(fixed, draws),
        ),
    )


def slot_probabilities(slots: pl.Series, model: RecoveryModel) -> Floats:
    """The chance of each allowed time of each plan, by slot_no; NaN beyond the last."""
    lists = slots.to_list()
    flat = pl.DataFrame([slot for one in lists for slot in one], infer_schema_length=None).select(FEATURES)
    counts = np.array([len(one) for one in lists])
    found = np.full((len(counts), counts.max()), np.nan)
    found[np.arange(counts.max()) < counts[:, None]] = model.probability(flat)
    return found


def _paths(rows: pl.DataFrame, chances: Floats, choice: Choices) -> _Paths:
    slot_no = rows["slot_no"].to_numpy()
    ratio = (slot_no == choice) / rows["propensity"].cast(pl.Float64).to_numpy()
    amount = rows["open_amount"].cast(pl.Float64).to_numpy()
    cost = rows["retry_cost"].cast(pl.Float64).to_numpy()
    invoice = rows.select(pl.struct("tenant_id", "invoice_id").rle_id()).to_series().to_numpy()
    place = rows.select(pl.int_range(pl.len()).over("tenant_id", "invoice_id")).to_series().to_numpy()
    shape = (int(invoice[-1]) + 1, int(place.max()) + 1)
    every = np.arange(len(rows))
    done, wanted = chances[every, slot_no - 1], chances[every, choice - 1]
    expected, hoped = np.zeros(len(rows)), np.zeros(len(rows))
    # What a retry that fails leaves to those after it, as a share of what is open.
    left = 0.0
    for step in reversed(range(shape[1])):
        now = place == step
        expected[now] = (done * amount - cost + (1 - done) * left * amount)[now]
        hoped[now] = (wanted * amount - cost + (1 - wanted) * left * amount)[now]
        left = float(hoped[now].sum() / amount[now].sum())

    def spread(values: Floats, filling: float) -> Floats:
        table = np.full(shape, filling)
        table[invoice, place] = values
        return table

    weights = np.asarray(np.cumprod(spread(ratio, 1.0), axis=1), dtype=np.float64)
    rewards = rows["recovered_value"].cast(pl.Float64).to_numpy()
    return _Paths(weights, spread(rewards, 0.0), spread(expected, 0.0), spread(hoped, 0.0))


def _snips(paths: _Paths, draws: Floats) -> Floats:
    taken, weights = draws @ (paths.weights * paths.rewards), draws @ paths.weights
    # A draw without any invoice that the policy would have treated alike says nothing of that retry.
    return np.asarray(np.divide(taken, weights, out=np.zeros_like(taken), where=weights > 0).sum(axis=1))


def _draws(clusters: list[str], seed: int) -> Floats:
    """How often each invoice is in each draw of the bootstrap; invoices of one customer come together."""
    names, member = np.unique(np.array(clusters), return_inverse=True)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    return np.asarray(drawn[:, member], dtype=np.float64)


def _interval(value: float, draws: Floats) -> Estimate:
    low, high = np.percentile(draws, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def mean_interval(values: Floats, clusters: list[str], *, seed: int = 0) -> Estimate:
    """The mean of values with its bootstrap interval, by cluster."""
    draws = _draws(clusters, seed)
    return _interval(float(values.mean()), (draws @ values) / draws.sum(axis=1))
