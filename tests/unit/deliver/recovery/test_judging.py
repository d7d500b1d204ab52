"""The policy beats the schedule where time matters, claims nothing where it does not, and the estimates hold the truth."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from deliver.recovery.evaluate import Judgement, judge
from deliver.recovery.simulator import World
from tests.unit.deliver.recovery.worlds import LATER, story


def judged(*, signal: bool, as_promoted: bool = True) -> Judgement:
    told = story(signal=signal)
    (one,) = judge(told.later_log, told.model, as_promoted=as_promoted)
    return one


def test_where_time_matters_the_policy_recovers_more_than_the_schedule() -> None:
    told, found = story(signal=True), judged(signal=True)
    assert told.model.card["gates"] == []
    assert found.gain.low > 0
    truth = told.world.value(told.model, since=LATER) - told.world.value(None, since=LATER)
    assert truth > 5
    for estimate in (found.gain, found.gain_ips, found.gain_snips):
        assert estimate.low < truth < estimate.high
    assert found.gain.high - found.gain.low < found.gain_ips.high - found.gain_ips.low


def test_where_time_does_not_matter_no_gain_is_reported() -> None:
    told = story(signal=False)
    assert told.model.card["gain"]["EUR"]["low"] <= 0
    found = judged(signal=False)
    assert (found.gain.value, found.gain.low, found.gain.high) == (0, 0, 0)
    planned = told.world.run(told.model).log.filter(arm="planned")
    assert planned["slot_no"].unique().to_list() == [1]


def test_where_time_does_not_matter_the_model_everywhere_would_show_no_gain_either() -> None:
    found = judged(signal=False, as_promoted=False)
    assert found.policy.value != found.fixed.value
    for estimate in (found.gain, found.gain_ips, found.gain_snips):
        assert estimate.low < 0 < estimate.high


@pytest.mark.parametrize("signal", [True, False])
def test_the_schedule_is_worth_what_it_is_worth(signal: bool) -> None:
    truth = story(signal=signal).world.value(None, since=LATER)
    found = judged(signal=signal)
    assert found.fixed.low < truth < found.fixed.high


def test_a_policy_that_is_the_schedule_weighs_every_invoice_that_kept_it() -> None:
    found = judged(signal=False)
    log = story(signal=False).later_log
    kept = log.group_by("invoice_id").agg((pl.col("slot_no") == 1).all())["slot_no"].mean()
    assert found.overlap == pytest.approx(kept)
    assert found.effective_invoices > 500


def test_the_estimates_do_not_depend_on_the_order_of_the_log() -> None:
    told = story(signal=True)
    shuffled = told.later_log.sample(fraction=1, shuffle=True, seed=3)
    assert judge(shuffled, told.model) == judge(told.later_log, told.model)


def test_too_few_invoices_are_not_judged() -> None:
    told = story(signal=True)
    few = told.later_log["invoice_id"].unique().sort().head(50)
    assert judge(told.later_log.filter(pl.col("invoice_id").is_in(few.to_list())), told.model) == []


def test_a_wrong_model_widens_the_interval_but_does_not_move_the_truth() -> None:
    """Doubly robust: what the model of the other world expects is wrong, the propensities are right."""
    told, other = story(signal=True), story(signal=False)
    truth = told.world.value(None, since=LATER)
    (found,) = judge(told.later_log, other.model)
    assert found.fixed.low < truth < found.fixed.high


def test_once_the_model_chooses_its_own_log_judges_it_with_the_permanent_slices() -> None:
    told = story(signal=True)
    later = World(invoices=3000, months=3, signal=True, seed=2)
    (found,) = judge(later.run(told.model, fixed_share=Decimal("0.20")).log, told.model)
    truth = later.value(told.model) - later.value(None)
    assert 0 < found.gain.low < truth < found.gain.high
