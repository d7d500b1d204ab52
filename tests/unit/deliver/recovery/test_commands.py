"""`ratehouse recovery` on a serving file with a long simulated history."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from deliver.recovery.model import load
from deliver.recovery.records import folder
from deliver.recovery.simulator import TENANT
from ratehouse.cli import app
from ratehouse.settings import Settings
from tests.unit.deliver.recovery.worlds import LATER, known_by, story


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    settings = Settings.load()
    settings.serving_dir.mkdir(parents=True)
    return settings


def publish(settings: Settings, *, signal: bool, closed: bool) -> None:
    """The history as the marts have it; closed to its end, or as far as it was when the model is trained."""
    history = story(signal=signal).history
    attempts, log = known_by(history, LATER)
    seen = {"attempts": attempts["payment_id"].to_list(), "log": log["invoice_id"].to_list()}
    texts = [
        json.dumps(
            [{name: str(v) if isinstance(v, Decimal) else v for name, v in slot.items()} for slot in slots]
        )
        for slots in history.log["slots"]
    ]
    tables = {
        "recovery_attempts": history.attempts.with_columns(
            is_closed=pl.lit(True) if closed else pl.col("payment_id").is_in(seen["attempts"])
        ),
        "recovery_plans": history.log.with_columns(
            slots=pl.Series(texts),
            is_closed=pl.lit(True) if closed else pl.col("invoice_id").is_in(seen["log"]),
        ),
    }
    settings.serving_path.unlink(missing_ok=True)
    with duckdb.connect(str(settings.serving_path)) as connection:
        connection.execute("create schema marts")
        for name, frame in tables.items():
            connection.register("frame", frame.to_arrow())
            connection.execute(f"create table marts.{name} as from frame")
            connection.unregister("frame")


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["recovery", *arguments])
    assert found.exit_code == 0, (found.output, found.exception)
    return found.output


def judged() -> dict[str, Any]:
    ((one,),) = [json.loads(run("evaluate", "--tenant", TENANT, "--json"))]
    return dict(one)


def test_trained_on_the_first_months_and_judged_on_the_later_ones(settings: Settings) -> None:
    publish(settings, signal=True, closed=False)
    assert "The model chooses." in run("train", "--tenant", TENANT)
    model = load(folder(settings), TENANT)
    assert model is not None and model.sha256 == story(signal=True).model.sha256
    assert model.card["data_sha256"] == story(signal=True).model.card["data_sha256"]
    assert "nothing is estimated" in run("evaluate", "--tenant", TENANT)
    publish(settings, signal=True, closed=True)
    assert judged()["gain"]["low"] > 0
    assert "recovered value versus the fixed schedule" in run("evaluate", "--tenant", TENANT)


def test_without_signal_the_schedule_stays_and_no_gain_is_reported(settings: Settings) -> None:
    publish(settings, signal=False, closed=False)
    assert "The fixed schedule stays: its gain is not surely above zero" in run("train", "--tenant", TENANT)
    publish(settings, signal=False, closed=True)
    assert judged()["gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_what_is_missing_is_said(settings: Settings) -> None:
    found = CliRunner().invoke(app, ["recovery", "plan"])
    assert "There is no serving file" in str(found.exception)
    publish(settings, signal=True, closed=True)
    found = CliRunner().invoke(app, ["recovery", "evaluate", "--tenant", "nobody"])
    assert "run `ratehouse recovery train` first" in str(found.exception)
