"""What a model learns from, that it is the same each time, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deliver.recovery.features import FEATURES, matrix
from deliver.recovery.model import ModelRefused, load, save
from deliver.recovery.simulator import World
from deliver.recovery.train import TooFewAttempts, expected_calibration_error, train
from tests.unit.deliver.recovery.worlds import LATER, known_by, story


def test_the_same_data_in_another_order_is_the_same_model() -> None:
    told = story(signal=True)
    attempts, log = known_by(told.history, LATER)
    again = train(
        attempts.sample(fraction=1, shuffle=True, seed=5), log.sample(fraction=1, shuffle=True, seed=6)
    )
    assert dict(again.card) == dict(told.model.card)


def test_other_data_is_another_model() -> None:
    told = story(signal=True)
    attempts, log = known_by(told.history, LATER)
    flipped = attempts.with_columns(
        pl.col("is_recovered") ^ (pl.col("attempted_at") == pl.col("attempted_at").min())
    )
    other = train(flipped, log)
    assert other.card["data_sha256"] != told.model.card["data_sha256"]
    assert other.sha256 != told.model.sha256


def test_what_comes_after_a_span_changes_nothing_learned_in_it() -> None:
    """Later outcomes turned round: the trained trees stay, only what is measured on them moves."""
    told = story(signal=True)
    attempts, log = known_by(told.history, LATER)
    cut = told.model.card["splits"]["calibrate_until"]
    after = pl.col("first_failed_at") >= pl.lit(cut).str.to_datetime(time_zone="UTC")
    turned = attempts.with_columns(
        pl.when(after).then(~pl.col("is_recovered")).otherwise("is_recovered").alias("is_recovered")
    )
    other = train(turned, log)
    assert other.sha256 == told.model.sha256
    assert other.card["calibration"] == told.model.card["calibration"]
    assert other.card["metrics"] != told.model.card["metrics"]


def test_outcomes_known_after_the_cut_are_not_learned_from() -> None:
    told = story(signal=True)
    attempts, log = known_by(told.history, LATER)
    late = attempts.with_columns(pl.col("outcome_at") + timedelta(days=400))
    with pytest.raises(TooFewAttempts, match="The span `train` has 0 attempts"):
        train(late, log)


def test_labels_drawn_by_lot_earn_nothing() -> None:
    """A leak would find them; so would a test on the data that was learned from."""
    told = story(signal=True)
    attempts, log = known_by(told.history, LATER)
    lots = attempts["is_recovered"].sample(fraction=1, shuffle=True, seed=7)
    model = train(attempts.with_columns(lots.alias("is_recovered")), log)
    assert model.card["gates"] == ["not_better_than_base_rate"]
    assert abs(model.card["metrics"]["auc"] - 0.5) < 0.05


def test_the_model_is_better_than_the_base_rate_and_the_schedule_and_calibrated() -> None:
    metrics = story(signal=True).model.card["metrics"]
    assert metrics["log_loss_gain_on_base_rate"]["low"] > 0
    assert metrics["log_loss_gain_on_schedule"]["low"] > 0
    assert metrics["brier"]["model"] < metrics["brier"]["schedule"]
    assert metrics["auc"] > 0.7
    assert metrics["calibration_error"] < 0.06


def test_chances_are_near_the_truth() -> None:
    told = story(signal=True)
    later = told.history.attempts.filter(pl.col("first_failed_at") >= LATER)
    truth = np.array([told.world.truth(row["failure_code"], row) for row in later.iter_rows(named=True)])
    assert np.abs(told.model.probability(later) - truth).mean() < 0.08


def test_calibration_error_is_zero_for_what_is_as_frequent_as_said() -> None:
    labels = np.tile([0.0, 1.0], 50)
    assert expected_calibration_error(np.full(100, 0.5), labels) == 0
    assert expected_calibration_error(np.full(100, 0.9), labels) == pytest.approx(0.4)


def test_too_little_history_is_refused_with_words() -> None:
    history = World(invoices=200, months=3).run()
    with pytest.raises(TooFewAttempts, match="a model needs 300 in each of three"):
        train(history.attempts, history.log)


def test_without_logged_propensities_the_model_may_not_choose() -> None:
    told = story(signal=True)
    attempts, log = known_by(told.history, LATER)
    model = train(attempts, log.clear())
    assert model.card["gates"] == ["no_propensities"]


def test_neither_the_schedule_nor_the_experiment_is_a_feature() -> None:
    assert not {"retry_no", "slot_no", "arm", "propensity", "planned_slot_no", "outcome_at"} & set(FEATURES)


def test_an_unknown_word_reads_as_none_of_the_known_ones() -> None:
    told = story(signal=True)
    rows = told.history.attempts.head(1).with_columns(
        failure_code=pl.lit("never_seen"), method=pl.lit(None, pl.String)
    )
    words = told.model.card["words"]
    known = matrix(rows, words)[0][len(words["failure_class"]) : sum(map(len, words.values()))]
    assert not known.any()


def test_a_saved_model_says_the_same(tmp_path: Path) -> None:
    told = story(signal=True)
    save(told.model, tmp_path, "acme")
    loaded = load(tmp_path, "acme")
    assert loaded is not None
    rows = told.history.attempts.head(50)
    assert (loaded.probability(rows) == told.model.probability(rows)).all()
    assert load(tmp_path, "other") is None


def test_a_model_of_other_bytes_or_other_features_is_refused(tmp_path: Path) -> None:
    told = story(signal=True)
    card = save(told.model, tmp_path, "acme")
    file = tmp_path / f"{told.model.sha256}.ubj"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(ModelRefused, match="is not the model"):
        load(tmp_path, "acme")
    file.write_bytes(whole)
    content = json.loads(card.read_text())
    card.write_text(json.dumps({**content, "features": content["features"][1:]}))
    with pytest.raises(ModelRefused, match="other features"):
        load(tmp_path, "acme")
