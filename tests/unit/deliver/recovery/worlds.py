"""Two simulated worlds, one in which the time of a retry matters and one in which it does not, run once for all tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

import polars as pl

from deliver.recovery.model import RecoveryModel
from deliver.recovery.simulator import START, Simulated, World
from deliver.recovery.train import train

# The model learns from the first six months and is judged on the last three.
LATER = START + timedelta(days=180)


@dataclass(frozen=True)
class Story:
    """A world, what a run without a model left, and the model that was learned from its first months."""

    world: World
    history: Simulated
    model: RecoveryModel

    @property
    def later_log(self) -> pl.DataFrame:
        return self.history.log.filter(pl.col("first_failed_at") >= LATER)


@cache
def story(*, signal: bool) -> Story:
    world = World(invoices=6000, months=9, signal=signal, seed=1)
    history = world.run(random_share=Decimal("0.8"))
    return Story(world, history, train(*known_by(history, LATER)))


def known_by(history: Simulated, cut: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What had been seen to its end by an instant."""
    return (
        history.attempts.filter(pl.col("outcome_at") < cut),
        history.log.filter(pl.col("first_failed_at") < cut - timedelta(days=9)),
    )
