"""Learning the chance of a retry from past attempts.

Belongs here: splitting by time, fitting, calibrating, measuring, the gates. Does not belong here: what was known
before an attempt (SQL), nor what a policy brings (`evaluate`).

Invoices are ordered by their first failure and cut into three spans: the first trains, the second calibrates, the third
tests and is never learned from. All attempts of an invoice lie in one span; those of an invoice whose outcome was not known when
its span ended are left out of it, because whoever trained then would not have known it.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import sklearn
import xgboost as xgb
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from deliver.recovery.evaluate import judge, mean_interval
from deliver.recovery.features import FEATURES, Floats, column_names, matrix, vocabulary
from deliver.recovery.model import RecoveryModel, calibrated, raw_scores
from ratehouse.errors import RatehouseError

SEED = 20260101
ROUNDS = 60
PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.1,
    "min_child_weight": 20,
    "lambda": 2.0,
    "seed": SEED,
    # Sums of floats depend on their order: one thread makes the same data the same model.
    "nthread": 1,
}
# Shares of the invoices, in time, that train and calibrate; the rest tests.
TRAINED, CALIBRATED = 0.5, 0.65
LEAST_ROWS = 300


class TooFewAttempts(RatehouseError):
    """There is not enough history to learn from."""


def train(attempts: pl.DataFrame, log: pl.DataFrame) -> RecoveryModel:
    """Fit, calibrate and test a model of one tenant, and decide whether it may choose.

    Args:
        attempts: closed rows of `recovery_attempts` of one tenant.
        log: closed rows of `recovery_plans` of the same tenant; those of the test span earn the model its place.

    Raises:
        TooFewAttempts: a span has fewer than LEAST_ROWS attempts, or only one outcome.
    """
    ordered = attempts.sort("first_failed_at", "invoice_id", "attempted_at", "payment_id")
    first, second = _cuts(ordered)
    spans = {
        "train": _span(ordered, None, first),
        "calibrate": _span(ordered, first, second),
        "test": _span(ordered, second, None),
    }
    for name, rows in spans.items():
        if len(rows) < LEAST_ROWS or rows["is_recovered"].n_unique() < 2:
            raise TooFewAttempts(
                f"The span `{name}` has {len(rows)} attempts at failed invoices whose outcome is closed; a model needs"
                f" {LEAST_ROWS} in each of three, successes and failures among them. The fixed schedule stays."
            )
    words = vocabulary(spans["train"])
    data = xgb.DMatrix(matrix(spans["train"], words), _labels(spans["train"]), nthread=1)
    booster = xgb.train(PARAMETERS, data, ROUNDS)
    calibration = _calibrate(booster, spans["calibrate"], words)
    chances = calibrated(raw_scores(booster, matrix(spans["test"], words)), calibration)
    metrics = _measure(spans, chances)
    card: dict[str, Any] = {
        "model_sha256": hashlib.sha256(bytes(booster.save_raw("ubj"))).hexdigest(),
        "data_sha256": data_hash(ordered),
        "features": list(FEATURES),
        "columns": column_names(words),
        "words": words,
        "calibration": calibration,
        "splits": {
            "train_until": first.isoformat(),
            "calibrate_until": second.isoformat(),
            "test_until": max([*ordered["outcome_at"], *log["first_failed_at"]]).isoformat(),
        },
        "attempts": {name: len(rows) for name, rows in spans.items()},
        "attempts_by_class": {
            str(word or ""): count for word, count in sorted(spans["train"]["failure_class"].value_counts().iter_rows(),
                                                             key=lambda pair: str(pair[0] or ""))
        },
        "metrics": metrics,
        "gates": [] if metrics["log_loss_gain_on_base_rate"]["low"] > 0 else ["not_better_than_base_rate"],
        "gain": {},
        "parameters": {**PARAMETERS, "rounds": ROUNDS},
        "versions": {
            "python": platform.python_version(),
            "xgboost": xgb.__version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "polars": pl.__version__,
        },
    }  # fmt: skip
    model = RecoveryModel(booster, card)
    later = log.filter(pl.col("first_failed_at") >= second)
    if later.is_empty():
        card["gates"].append("no_propensities")
    for judgement in judge(later, model, seed=SEED, as_promoted=False):
        card["gain"][judgement.currency] = {**asdict(judgement.gain), "invoices": judgement.invoices}
    return model


def data_hash(attempts: pl.DataFrame) -> str:
    """SHA-256 of what is learned from, independent of the order of rows."""
    rows = attempts.select("invoice_id", "payment_id", "attempted_at", "is_recovered", *FEATURES).sort(
        pl.all()
    )
    return hashlib.sha256(rows.write_csv().encode()).hexdigest()


def expected_calibration_error(chances: Floats, labels: Floats, bins: int = 10) -> float:
    """How far chances are from frequencies, over bins of equally many rows, weighted."""
    order = np.array_split(np.argsort(chances, kind="stable"), bins)
    gaps = [abs(chances[rows].mean() - labels[rows].mean()) * len(rows) for rows in order if len(rows)]
    return float(sum(gaps) / len(chances))


def _cuts(ordered: pl.DataFrame) -> tuple[datetime, datetime]:
    starts = ordered.unique("invoice_id", keep="first", maintain_order=True)["first_failed_at"]
    if len(starts) < 3:
        raise TooFewAttempts(
            f"{len(starts)} failed invoices have a closed outcome; the fixed schedule stays."
        )
    return starts[int(len(starts) * TRAINED)], starts[int(len(starts) * CALIBRATED)]


def _span(ordered: pl.DataFrame, since: datetime | None, until: datetime | None) -> pl.DataFrame:
    rows = ordered
    if since is not None:
        rows = rows.filter(pl.col("first_failed_at") >= since)
    if until is not None:
        rows = rows.filter(pl.col("outcome_at").max().over("invoice_id") < until)
    return rows


def _labels(rows: pl.DataFrame) -> Floats:
    return rows["is_recovered"].cast(pl.Float64).to_numpy()


def _calibrate(booster: xgb.Booster, rows: pl.DataFrame, words: dict[str, list[str]]) -> dict[str, float]:
    scores = raw_scores(booster, matrix(rows, words)).reshape(-1, 1)
    fitted = LogisticRegression(C=1e6).fit(scores, _labels(rows))
    slope = float(fitted.coef_[0, 0])
    # A model that orders the later attempts the wrong way round has learned nothing: then everything is the base rate.
    return {"slope": max(slope, 0.0), "intercept": float(fitted.intercept_[0])}


def _measure(spans: dict[str, pl.DataFrame], chances: Floats) -> dict[str, Any]:
    """Of the model on the test span, of the training span's base rate, and of its rate at each place of the schedule."""
    train, test = spans["train"], spans["test"]
    labels = _labels(test)
    rate = float(_labels(train).mean())
    by_place = dict(train.group_by("failures").agg(pl.col("is_recovered").mean()).iter_rows())
    scheduled = np.array([by_place.get(place, rate) for place in test["failures"]])
    losses = {name: _losses(values, labels) for name, values in
              {"model": chances, "base_rate": np.full(len(test), rate), "schedule": scheduled}.items()}  # fmt: skip
    clusters = test["customer_id"].to_list()
    return {
        "base_rate": rate,
        "test_rate": float(labels.mean()),
        "log_loss": {name: float(values.mean()) for name, values in losses.items()},
        "brier": {
            "model": float(((chances - labels) ** 2).mean()),
            "base_rate": float(((rate - labels) ** 2).mean()),
            "schedule": float(((scheduled - labels) ** 2).mean()),
        },
        "auc": float(roc_auc_score(labels, chances)),
        "calibration_error": expected_calibration_error(chances, labels),
        "log_loss_gain_on_base_rate": asdict(
            mean_interval(losses["base_rate"] - losses["model"], clusters, seed=SEED)
        ),
        "log_loss_gain_on_schedule": asdict(
            mean_interval(losses["schedule"] - losses["model"], clusters, seed=SEED)
        ),
    }


def _losses(chances: Floats, labels: Floats) -> Floats:
    safe = np.clip(chances, 1e-6, 1 - 1e-6)
    return np.asarray(-(labels * np.log(safe) + (1 - labels) * np.log(1 - safe)))
