"""A trained model with its card: probabilities, and where it may not be used.

Belongs here: the two files of a model and reading them. Does not belong here: how it was made (`train`). A model is a
build product, as the warehouse is: the same facts give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xgboost as xgb

from deliver.recovery.features import FEATURES, Floats, matrix
from ratehouse.errors import RatehouseError

# With fewer attempts of a class of failures behind it, a probability is a guess.
LEAST_ATTEMPTS = 100


class ModelRefused(RatehouseError):
    """A model file that must not be used; the message says why and what to do."""


@dataclass(frozen=True)
class RecoveryModel:
    """A booster with its card (`docs/runbooks/recovery.md` lists what a card holds)."""

    booster: xgb.Booster
    card: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The identity of the model: the hash of its bytes."""
        return str(self.card["model_sha256"])

    def probability(self, frame: pl.DataFrame) -> Floats:
        """The calibrated probability that each retry succeeds."""
        return calibrated(
            raw_scores(self.booster, matrix(frame, self.card["words"])), self.card["calibration"]
        )

    def refusal(self, state: Mapping[str, Any]) -> str | None:
        """Why this failure keeps the fixed schedule; None where the model may choose."""
        if self.card["gates"]:
            return str(self.card["gates"][0])
        if self.card["attempts_by_class"].get(state["failure_class"] or "", 0) < LEAST_ATTEMPTS:
            return "thin_data"
        gain = self.card["gain"].get(state["currency"])
        return None if gain and gain["low"] > 0 else "gain_not_significant"


def raw_scores(booster: xgb.Booster, rows: Floats) -> Floats:
    """Log-odds before calibration."""
    return np.asarray(booster.predict(xgb.DMatrix(rows, nthread=1), output_margin=True), dtype=np.float64)


def calibrated(scores: Floats, calibration: Mapping[str, float]) -> Floats:
    """Platt's scaling: log-odds stretched and shifted."""
    return np.asarray(1 / (1 + np.exp(-(calibration["slope"] * scores + calibration["intercept"]))))


def save(model: RecoveryModel, folder: Path, tenant_id: str) -> Path:
    """Write the booster as UBJ under its hash, then the card of the tenant, which names it. Returns the card's path."""
    folder.mkdir(parents=True, exist_ok=True)
    content = bytes(model.booster.save_raw("ubj"))
    _replace(folder / f"{model.sha256}.ubj", content)
    card = folder / f"{tenant_id}.json"
    _replace(card, json.dumps(model.card, indent=2, sort_keys=True).encode())
    return card


def load(folder: Path, tenant_id: str) -> RecoveryModel | None:
    """The model of a tenant; None if none was trained.

    Raises:
        ModelRefused: its bytes are not those of the card, or it was trained on other features.
    """
    place = folder / f"{tenant_id}.json"
    if not place.exists():
        return None
    card = json.loads(place.read_text(encoding="utf-8"))
    if card["features"] != list(FEATURES):
        raise ModelRefused(
            f"{place}: the model knows other features than this version; run `ratehouse recovery train`."
        )
    file = folder / f"{card['model_sha256']}.ubj"
    content = file.read_bytes() if file.exists() else b""
    if hashlib.sha256(content).hexdigest() != card["model_sha256"]:
        raise ModelRefused(f"{file} is not the model that {place} describes; run `ratehouse recovery train`.")
    booster = xgb.Booster()
    booster.load_model(bytearray(content))
    return RecoveryModel(booster, card)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)
