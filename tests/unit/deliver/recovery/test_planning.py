"""Which time is chosen, how likely that was, and when the schedule stays."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest

from deliver.recovery.model import RecoveryModel
from deliver.recovery.plan import Plan, _chance, arm_of, best_slots, plan
from deliver.recovery.simulator import TENANT, World, retry_slots
from tests.unit.deliver.recovery.worlds import story


def slots(
    number: int = 0, retry_no: int = 1, *, random: str = "0", fixed: str = "0", **changes: Any
) -> pl.DataFrame:
    state = story(signal=True).world.failures[number] | changes
    rows = retry_slots(state, retry_no, state["first_failed_at"])
    shares = {"random_share": Decimal(random), "fixed_share": Decimal(fixed)}
    return pl.DataFrame([row | shares for row in rows], infer_schema_length=None)


def planned(rows: pl.DataFrame, model: RecoveryModel | None = None, earlier: tuple[Plan, ...] = ()) -> Plan:
    (one,) = plan(rows, {TENANT: model} if model else {}, earlier)
    return one


def with_card(**changes: Any) -> RecoveryModel:
    model = story(signal=True).model
    return replace(model, card={**model.card, **changes})


def test_the_likeliest_time_is_taken() -> None:
    one = planned(
        slots(failure_code="processor_unavailable", failure_class="technical"), story(signal=True).model
    )
    assert one.reason == "model" and one.arm == "planned"
    assert one.retry_at.hour == 12
    assert one.probability is not None and one.probability > Decimal("0.4")
    assert one.propensity == 1


def test_expected_value_is_exact() -> None:
    one = planned(slots(amount=Decimal("49.90")), story(signal=True).model)
    assert one.probability is not None
    assert one.expected_value == (one.probability * Decimal("49.90") - Decimal("0.10")).quantize(
        Decimal("0.0001")
    )


@pytest.mark.parametrize(
    ("chances", "slot_no"),
    [
        ([0.30, 0.32, 0.31, 0.29], 1),  # nothing is clearly better
        ([0.30, 0.34, 0.34, 0.29], 2),  # the earliest of equals
        ([0.30, 0.10, 0.20, 0.60], 4),
        ([0.30, 0.60, float("nan"), float("nan")], 2),  # times that are not there
    ],
)
def test_a_retry_moves_only_for_a_clearly_better_time(chances: list[float], slot_no: int) -> None:
    assert best_slots(np.array([chances])).tolist() == [slot_no]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gates": ["not_better_than_base_rate"]}, "not_better_than_base_rate"),
        ({"gain": {}}, "gain_not_significant"),
        ({"gain": {"EUR": {"value": 3.0, "low": -0.1, "high": 6.0}}}, "gain_not_significant"),
        ({"attempts_by_class": {"soft": 5000, "technical": 99}}, "thin_data"),
    ],
)
def test_where_the_model_has_not_earned_it_the_schedule_stays(changes: dict[str, Any], reason: str) -> None:
    rows = slots(failure_code="processor_unavailable", failure_class="technical")
    one = planned(rows, with_card(**changes))
    assert (one.slot_no, one.reason) == (1, reason)
    assert one.retry_at == rows["retry_at"][0]


def test_without_a_model_the_schedule_stays() -> None:
    one = planned(slots())
    assert (one.slot_no, one.reason, one.probability, one.model) == (1, "no_model", None, None)


def test_only_allowed_times_are_chosen() -> None:
    """Whatever the arm: a time that is not in the rows cannot come out."""
    model = story(signal=True).model
    for number in range(40):
        rows = slots(number, random="0.5").filter(pl.col("slot_no") <= 2)
        assert planned(rows, model).slot_no <= 2


def test_an_invoice_stays_in_its_arm_and_the_shares_hold() -> None:
    shares = Decimal("0.10"), Decimal("0.05")
    arms = [arm_of("t", f"i{number}", *shares) for number in range(4000)]
    assert arms == [arm_of("t", f"i{number}", *shares) for number in range(4000)]
    counts = Counter(arms)
    assert counts["random"] == pytest.approx(400, abs=60)
    assert counts["fixed"] == pytest.approx(200, abs=45)


def test_the_random_arm_takes_every_time_about_equally_often() -> None:
    chosen = Counter(planned(slots(number, random="1")).slot_no for number in range(800))
    assert all(count == pytest.approx(200, abs=50) for count in chosen.values()) and len(chosen) == 4


def test_the_chances_of_all_paths_add_up_to_one() -> None:
    shares = Decimal("0.05"), Decimal("0.10")
    paths = product(range(1, 5), repeat=2)
    assert sum(_chance([(a, 3, 4), (b, 2, 4)], *shares) for a, b in paths) == 1


def test_the_propensity_of_the_second_retry_knows_the_first() -> None:
    """Whoever left both the schedule and the plan is at random, and then every time has the same chance."""
    model = story(signal=True).model
    code = {"failure_code": "processor_unavailable", "failure_class": "technical"}
    number = next(
        number
        for number in range(300)
        if (one := planned(slots(number, random="0.5", **code), model)).arm == "random"
        and one.slot_no not in (1, one.planned_slot_no)
    )
    first = planned(slots(number, random="0.5", **code), model)
    assert first.propensity == Decimal("0.125")
    second = planned(slots(number, 2, random="0.5", **code), model, (first,))
    assert second.propensity == Decimal("0.25")


def test_logged_propensities_are_frequencies() -> None:
    log = World(invoices=2000, months=2, seed=4).run(random_share=Decimal("0.4")).log.filter(retry_no=1)
    moved = log.filter(pl.col("slot_no") == 3)
    assert moved["propensity"].unique().to_list() == [Decimal("0.1")]
    assert len(moved) / len(log) == pytest.approx(0.1, abs=0.02)


def test_a_plan_is_the_same_whenever_it_is_made_and_in_whatever_company() -> None:
    model = story(signal=True).model
    alone = planned(slots(7, random="0.3", fixed="0.1"), model)
    together = plan(
        pl.concat([slots(number, random="0.3", fixed="0.1") for number in (9, 7, 8)]), {TENANT: model}
    )
    assert alone in together


def test_a_change_of_shares_does_not_move_an_invoice_to_another_arm() -> None:
    first = planned(slots(3, random="1"))
    second = planned(slots(3, 2, random="0"), None, (first,))
    assert (first.arm, second.arm) == ("random", "random")


def test_the_slots_of_a_retry_lie_before_the_next_retry() -> None:
    for retry_no in (1, 2):
        rows = slots(0, retry_no)
        following = slots(0, retry_no + 1)["retry_at"][0]
        assert rows["retry_at"].is_sorted() and rows["retry_at"].max() < following
        assert following - rows["retry_at"][0] == timedelta(days=2)
